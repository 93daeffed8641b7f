"""Inside of a call or not: by the frames that are on the stack, so nothing can stay set."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator

import pytest

from logbraid import inside


def call(then: Callable[[], None] = lambda: None) -> int:
    depth = inside.enter()
    try:
        then()
        return depth
    finally:
        inside.leave()


def test_calls_in_calls_are_counted_and_forgotten() -> None:
    seen: list[int] = []

    def deeper() -> None:
        seen.append(call(lambda: seen.append(call())))

    seen.append(call(deeper))
    assert seen == [3, 2, 1]
    assert inside.frames == {}


def test_a_call_that_raises_is_forgotten() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(fail)
    assert inside.frames == {}


def test_a_frame_that_is_gone_counts_for_nothing() -> None:
    def torn() -> None:
        inside.enter()  # an exception from outside may strike before the try block

    torn()
    assert call() == 1
    assert inside.frames == {}


def test_another_thread_is_not_inside() -> None:
    seen: list[int] = []

    def other() -> None:
        thread = threading.Thread(target=lambda: seen.append(call()))
        thread.start()
        thread.join()

    call(other)
    assert seen == [1]
    assert inside.frames == {}


def test_a_stack_that_was_switched_away_is_not_this_one() -> None:
    def suspended() -> Generator[None, None, None]:
        inside.enter()
        yield
        inside.leave()

    steps = suspended()
    next(steps)
    assert call() == 1
    list(steps)
    assert inside.frames == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_forgets_the_calls_of_threads_that_it_does_not_have() -> None:
    text = """
import os, sys, threading
import logbraid
logbraid.configure_logging()
log = logbraid.get_logger("f")
log.info("e")
entered, over = threading.Event(), threading.Event()
class Slow:
    def __repr__(self):
        entered.set()
        over.wait(30)
        return "slow"
thread = threading.Thread(target=log.info, args=("e",), kwargs={"slow": Slow()})
thread.start()
entered.wait(30)
pid = os.fork()
if pid == 0:
    log.info("e")
    os._exit(0 if logbraid.inside.frames == {} else 9)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
over.set()
thread.join()
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3
