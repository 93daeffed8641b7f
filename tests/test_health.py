"""Counts are exact, and complaints are one line, once a minute, without a secret."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields

import pytest

from logbraid.health import Counts, Health, Stats, Tick, health, say, stats

CANARY = "hunter2-canary"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def in_threads(work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Counting


def test_tick_of_eight_threads_is_exact() -> None:
    tick = Tick()

    def work() -> None:
        for _ in range(20_000):
            tick.advance()

    in_threads(work)
    assert tick.value == 160_000


def test_reading_a_tick_does_not_advance_it() -> None:
    tick = Tick()
    tick.advance()
    assert (tick.value, tick.value) == (1, 1)


def test_counts_of_eight_threads_are_exact_from_the_first_key_on() -> None:
    counts = Counts()
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        for number in range(2000):
            counts.add(f"kind-{number % 50}", 2)

    in_threads(work)
    assert dict(counts.snapshot()) == {f"kind-{number}": 640 for number in range(50)}


def test_several_counts_added_at_once_are_exact_and_bounded() -> None:
    counts = Counts()
    for _ in range(3):
        counts.add_all({"password": 1, "token": 2})
    assert counts.snapshot() == {"password": 3, "token": 6}
    counts.add_all({f"kind{number}": 1 for number in range(2000)})
    assert len(counts.snapshot()) <= 1001
    assert sum(counts.snapshot().values()) == 2009


def test_a_thousand_keys_are_kept_and_the_rest_is_other() -> None:
    counts = Counts()
    for number in range(1500):
        counts.add(f"kind-{number}")
    counts.add("kind-0")
    found = counts.snapshot()
    assert len(found) == 1001
    assert (found["kind-0"], found["other"]) == (2, 500)


def test_dropped_lines_are_counted_in_all_and_at_the_sink() -> None:
    made = Health()
    made.drop("disk_full", sink="files", lines=3)
    made.drop("closed")
    made.figures("files").written.advance()
    found = made.snapshot()
    assert found.dropped == {"disk_full": 3, "closed": 1}
    assert found.sinks["files"].dropped == {"disk_full": 3}
    assert found.sinks["files"].written == 1


def test_snapshot_does_not_change_afterwards() -> None:
    made = Health()
    made.scrubbed.add("jwt")
    found = made.snapshot()
    made.scrubbed.add("jwt")
    made.written.advance()
    assert (found.scrubbed, found.written) == ({"jwt": 1}, 0)
    with pytest.raises(FrozenInstanceError):
        found.written = 7  # type: ignore[misc]  # that it cannot be set is the claim
    with pytest.raises(TypeError):
        found.scrubbed["jwt"] = 0  # type: ignore[index]  # that it cannot be set is the claim


def test_snapshot_holds_every_count() -> None:
    made = Health()
    for name in ("written", "truncated", "tenant_conflicts", "invalid_ids", "without_tenant",
                 "unlocked", "identify_errors"):  # fmt: skip
        getattr(made, name).advance()
        assert getattr(made.snapshot(), name) == 1
    assert {one.name for one in fields(Stats)} >= {"written", "dropped", "scrubbed", "sinks"}


def test_reset_starts_at_zero() -> None:
    made = Health()
    made.written.advance()
    made.drop("closed", sink="stdout")
    made.reset()
    assert made.snapshot() == Health().snapshot()


def test_stats_are_those_of_the_process() -> None:
    before = stats().truncated
    health.truncated.advance()
    assert stats().truncated == before + 1


# Complaining


def test_complaint_is_told_once_a_minute_for_each_step(capfd: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    made = Health(monotonic=clock)
    for seconds in (0.0, 0.1, 59.8, 0.1, 1.0):
        clock.now += seconds
        made.complain("sink files", "disk full")
    made.complain("sink stdout", "broken pipe")
    assert capfd.readouterr().err.splitlines() == [
        "logbraid: sink files: disk full",
        "logbraid: sink files: disk full",
        "logbraid: sink stdout: broken pipe",
    ]


def test_complaints_of_many_threads_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    made = Health(monotonic=Clock())

    def work() -> None:
        for _ in range(500):
            made.complain("scrub", RuntimeError(CANARY))

    in_threads(work)
    assert capfd.readouterr().err == "logbraid: scrub: RuntimeError\n"


def test_complaint_names_the_class_of_an_error_never_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = Health(monotonic=Clock())
    made.complain("scrub", ValueError(CANARY))
    made.complain("sink files", OSError(errno.ENOSPC, CANARY, CANARY))
    said = capfd.readouterr().err
    assert (
        said
        == f"logbraid: scrub: ValueError\nlogbraid: sink files: OSError (errno {errno.ENOSPC})\n"
    )
    assert CANARY not in said


def test_complaint_in_a_signal_handler_does_not_wait_for_its_own_thread(
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    made = Health(monotonic=clock)
    with made._lock:  # where the signal came in
        made.complain("scrub", "lost, and not marked as told")
    made.complain("scrub", "told")
    assert capfd.readouterr().err == "logbraid: scrub: told\n"


def test_steps_without_end_do_not_fill_memory(capfd: pytest.CaptureFixture[str]) -> None:
    made = Health(monotonic=Clock())
    for number in range(2500):
        made.complain(f"step {number}", "x")
        made.tell_once(f"key {number}", "y")
    assert max(len(made._told), len(made._once)) <= 1000
    assert len(capfd.readouterr().err.splitlines()) == 5000


def test_notice_is_told_once_until_reset(capfd: pytest.CaptureFixture[str]) -> None:
    made = Health()
    made.tell_once("a", "first")
    made.tell_once("a", "again")
    made.reset()
    made.tell_once("a", "after reset")
    assert capfd.readouterr().err == "logbraid: first\nlogbraid: after reset\n"


def test_said_text_is_one_line_whatever_it_holds(capfd: pytest.CaptureFixture[str]) -> None:
    say("a\nlogbraid: forged\r\x1b[31m\u2028\u202e\ud800é")
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert said == "logbraid: a\\nlogbraid: forged\\r\\x1b[31m\\u2028\\u202e\\ud800é\n"


def test_saying_without_a_standard_error_is_silent() -> None:
    code = "import os; os.close(2); from logbraid.health import health; health.complain('a', 'b')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks on purpose
def test_child_forked_during_a_complaint_can_complain(capfd: pytest.CaptureFixture[str]) -> None:
    made = Health(monotonic=Clock())
    with made._lock:  # as another thread would hold it
        child = os.fork()
        if child == 0:
            made.complain("child", "told")
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert capfd.readouterr().err == "logbraid: child: told\n"
