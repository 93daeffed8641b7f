"""Faults that users of the libraries around us reported, each with what happens here instead.

The rows of values (NaN, circles, surrogates ...) stand in the conformance table, those of the
sinks beside the sinks.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import loguru
import pytest
import structlog

import logbraid
from logbraid.context import bound_context, current_context
from logbraid.propagation import ContextExecutor
from logbraid.testing import CapturedLogs, capture_logs

SECRET = "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ"
needs_signals = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no SIGALRM")


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        logbraid.get_logger("f").info("the first one looks around")
        logs.clear()
        yield logs


def program(text: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text)]


def run(text: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(text), capture_output=True, text=True, timeout=seconds, check=False
    )


def decoded(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# Calls from inside of a call


def test_a_line_from_a_finaliser_in_the_middle_of_a_call_is_written(
    captured: CapturedLogs,
) -> None:
    # F9
    class Dying:
        def __del__(self) -> None:
            logbraid.get_logger("f").info("from del", password="hunter2secret")

    class Collecting:
        def __repr__(self) -> str:
            circle = [Dying()]
            circle.append(circle)  # type: ignore[arg-type]  # only the collector ends it
            del circle
            gc.collect()
            return "shown"

    logbraid.get_logger("f").info("outer", value=Collecting())
    inner = captured.only(event="from del")[0]
    assert inner["reentrant"] is True
    assert inner["password"] == "[REDACTED:password]"
    assert captured.only(event="outer")[0]["value"] == "shown"


@pytest.mark.parametrize("door", ["structlog", "logging", "loguru"])
def test_a_line_from_a_repr_goes_the_whole_way_once_and_deeper_ones_are_counted(
    captured: CapturedLogs, door: str
) -> None:
    # F9, F12
    log: Any = {
        "structlog": logbraid.get_logger("f"),
        "logging": logging.getLogger("f"),
        "loguru": loguru.logger,
    }[door]

    class Loud:
        depth = 0

        def __repr__(self) -> str:
            Loud.depth += 1
            logbraid.get_logger("f").info("inner", again=Loud() if Loud.depth < 50 else 1)
            return "Loud()"

    if door == "structlog":
        log.info("outer", value=Loud())
    elif door == "logging":
        log.info("outer", extra={"value": Loud()})
    else:
        log.bind(value=Loud()).info("outer")
    assert sorted(captured.events) == ["inner", "outer"]
    assert logbraid.stats().dropped["reentrant"] == 1
    assert captured.only(event="inner")[0]["reentrant"] is True
    captured.clear()
    logbraid.get_logger("f").info("as ever")
    assert "reentrant" not in captured[0]


def test_a_sink_that_logs_does_not_call_itself_for_ever() -> None:
    # F12
    seen: list[Any] = []

    def loud(_: bytes, record: dict[str, Any]) -> None:
        seen.append(record["event"])
        logging.getLogger("f").info("from the sink")
        logbraid.get_logger("f").info("from the sink")

    with capture_logs(sinks=[loud]):
        logbraid.get_logger("f").info("outer")
        outer = list(seen)
        logbraid.get_logger("f").info("again")
        assert logbraid.stats().dropped["reentrant"] >= 2
    assert outer.count("outer") == 1
    assert len(outer) == 3
    assert len(seen) == 6


def test_a_handler_of_someone_else_that_logs_ends(captured: CapturedLogs) -> None:
    # F12
    class Loud(logging.Handler):
        inside = False

        def emit(self, record: logging.LogRecord) -> None:
            if not self.inside:
                self.inside = True
                logbraid.get_logger("f").info("from the handler")
                logging.getLogger("f").info("std from the handler")
                self.inside = False

    handler = Loud()
    logging.getLogger("f").addHandler(handler)
    try:
        logging.getLogger("f").info("outer")
    finally:
        logging.getLogger("f").removeHandler(handler)
    assert "outer" in captured.events
    assert "from the handler" in captured.events


def test_processors_and_providers_that_log_or_raise_do_no_harm() -> None:
    def loud(_: Any, __: str, told: dict[str, Any]) -> dict[str, Any]:
        logbraid.get_logger("f").info("from the processor")
        return {**told, "added": f"token {SECRET}"}

    def failing(_: Any, __: str, ___: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(SECRET)

    def provider() -> dict[str, Any]:
        raise RuntimeError(SECRET)

    with capture_logs(
        processors=[failing, loud, failing], context_providers=[provider, dict]
    ) as captured:
        logbraid.get_logger("f").info("outer")
    assert sorted(captured.events) == ["from the processor", "outer"]
    assert SECRET not in str(captured)
    assert all(one["added"].startswith("token [REDACTED:") for one in captured)


@needs_signals
def test_a_signal_every_millisecond_loses_no_line_and_hangs_nowhere() -> None:
    # F10, C8
    done = run(
        """
        import faulthandler, logging, signal, sys, time
        faulthandler.dump_traceback_later(30, exit=True)
        import logbraid, loguru
        logbraid.configure_logging()
        log = logbraid.get_logger("main")
        inner = logbraid.get_logger("signal")
        sent = [0]
        def handle(*_):
            sent[0] += 1
            inner.info("signal", n=sent[0], password="hunter2secret")
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        end = time.monotonic() + 2
        n = 0
        while time.monotonic() < end:
            log.info("main", n=n)
            logging.getLogger("std").info("std", extra={"n": n})
            loguru.logger.info("loguru", n=n)
            n += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        log.info("end", n=n, sent=sent[0], dropped=sum(logbraid.stats().dropped.values()))
        """
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    lines = decoded(done.stdout)
    end = lines[-1]
    for event in ("main", "std", "loguru"):
        assert [one["n"] for one in lines if one["event"] == event] == list(range(end["n"]))
    inner = [one["n"] for one in lines if one["event"] == "signal"]
    assert len(set(inner)) == len(inner)
    assert len(inner) + end["dropped"] == end["sent"]
    assert end["sent"] > 100
    assert "hunter2secret" not in done.stdout


@pytest.mark.parametrize("output", ["stdout", "files"])
def test_an_exception_thrown_into_a_logging_thread_leaves_logging_usable(
    output: str, tmp_path: Path
) -> None:
    # F11
    done = run(
        f"""
        import ctypes, faulthandler, logging, os, random, sys, threading, time
        faulthandler.dump_traceback_later(40, exit=True)
        import logbraid
        logbraid.configure_logging(output={output!r}, log_dir={str(tmp_path)!r}, tenant="t")
        sys.unraisablehook = lambda *_: None  # it may strike in a finaliser
        class ThrownError(Exception):
            pass
        logged, over = [0], [False]  # no lock of threading: it would leave that one taken
        def work():
            log = logbraid.get_logger("f")
            while not over[0]:
                try:
                    while not over[0]:
                        log.info("busy", tree={{"a": [1, 2, object()]}})
                        log.info("short")
                        logging.getLogger("f").info("std")
                        logged[0] += 1
                except ThrownError:
                    pass
        threading.excepthook = lambda *_: None  # or after the try
        for _ in range(100):
            over[0] = False
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            before, end = logged[0], time.monotonic() + 10
            while logged[0] < before + random.randrange(20) and time.monotonic() < end:
                time.sleep(0.0001)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(ThrownError)
            )
            over[0] = True
            thread.join(10)
            assert not thread.is_alive()
        for number in range(100):
            logbraid.get_logger("f").info("still works", number=number)
        assert logbraid.pipeline.active.fast(20, logbraid.level.levels.gate("f"), "end", {{}})
        """
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = done.stdout
    if output == "files":
        (file,) = (tmp_path / "t").glob("*.jsonl")
        text = file.read_text()
    ends = [one for one in decoded(text) if one["event"] == "still works"]
    assert [one["number"] for one in ends] == list(range(100))
    assert not [one for one in ends if "reentrant" in one]


@pytest.mark.parametrize("room", range(5, 60, 3))
def test_at_the_edge_of_the_recursion_limit_logging_stays_usable(
    captured: CapturedLogs, room: int
) -> None:
    # C8
    def down(left: int) -> None:
        if left:
            down(left - 1)
            return
        logbraid.get_logger("f").info("edge", tree={"a": [{"b": 1}]}, o=object())
        logging.getLogger("g").info("edge")

    depth = len(_stack())
    try:
        down(sys.getrecursionlimit() - depth - room)
    except RecursionError:
        captured.clear()
    captured.clear()
    logbraid.get_logger("f").info("still works", tree={"a": 1})
    assert captured.events == ["still works"]
    assert "reentrant" not in captured[0]


def _stack() -> list[Any]:
    found = []
    frame: Any = sys._getframe()
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def test_what_is_no_exception_passes_through_a_call_and_leaves_it_usable(
    captured: CapturedLogs,
) -> None:
    # F29: a KeyboardInterrupt is the user's
    class Interrupting:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logbraid.get_logger("f").info("interrupted", value=Interrupting())
    logbraid.get_logger("f").info("as ever", tree=object())
    assert captured.events == ["as ever"]
    assert "reentrant" not in captured[0]


# What is logged


def test_an_exception_that_cannot_be_pickled_is_written_by_the_queue_too(tmp_path: Path) -> None:
    # F26
    class OddError(Exception):
        def __reduce__(self) -> str:
            raise TypeError("not to be pickled")

    with (
        logbraid.configure_logging(
            output="files", log_dir=tmp_path, delivery="queue", tenant="t"
        ) as handle,
    ):
        error = OddError("told", lambda: 1)
        try:
            raise error
        except OddError:
            logbraid.get_logger("f").exception("failed", function=lambda: 2)
            loguru.logger.exception("failed")
        assert handle.flush()
    (file,) = (tmp_path / "t").glob("*.jsonl")
    lines = decoded(file.read_text())
    assert len(lines) == 2
    assert all("told" in one["error_message"] for one in lines)


def test_a_circular_chain_of_causes_and_a_wide_group_are_written(captured: CapturedLogs) -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    logbraid.get_logger("f").error("circle", exc_info=one)
    group = ExceptionGroup("many", [ValueError(f"number {n}") for n in range(500)])
    logbraid.get_logger("f").error("group", exc_info=group)
    assert captured[0]["error_message"] == "one"
    assert len(captured[1]["exception"]) <= 8000


def test_an_exception_whose_text_raises_is_named(captured: CapturedLogs) -> None:
    # F29
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    logbraid.get_logger("f").error("e", exc_info=MuteError())
    logging.getLogger("f").error("e", exc_info=MuteError())
    assert [one["error_message"] for one in captured] == ["<unprintable MuteError>"] * 2


def test_a_recursion_error_is_written_within_its_budget(captured: CapturedLogs) -> None:
    def endless(number: int) -> int:
        return endless(number + 1) + 1

    try:
        endless(0)
    except RecursionError:
        logbraid.get_logger("f").exception("deep")
    assert captured[0]["error_type"] == "RecursionError"
    assert len(captured[0]["exception"]) <= 8000


@pytest.mark.parametrize("door", ["structlog", "logging", "loguru"])
def test_local_variables_never_leave_through_a_traceback(door: str, captured: CapturedLogs) -> None:
    # F40
    def failing(prompt: str) -> None:
        key = prompt[::-1]
        raise ValueError(len(key))

    log: Any = {
        "structlog": structlog.get_logger("f"),
        "logging": logging.getLogger("f"),
        "loguru": loguru.logger,
    }[door]
    try:
        failing("terces" + "yranac")
    except ValueError:
        log.exception("failed")
    assert "failing" in captured[0]["exception"]
    assert "canarysecret" not in str(captured)
    assert "tercesyranac" not in str(captured)


def test_a_secret_across_the_cut_is_neither_shown_nor_half_shown(captured: CapturedLogs) -> None:
    # F60
    log = logbraid.get_logger("f")
    for before in range(1940, 2010, 7):
        text = ("word " * 500)[:before] + f" {SECRET} " + "tail " * 300
        log.info("e", text=text)
        log.info(text)
        log.info("e", nested={"deep": [text]})
        log.error("e", exc_info=ValueError(text))
    assert SECRET[:12] not in str(captured)


def test_no_forged_line_in_either_format(tmp_path: Path) -> None:
    # F34
    evil = "a\nb\rc\x1b[2Jd\u2028e\u0085f\x00g\x7f\x9b"
    for form in ("json", "terminal"):
        done = run(
            f"""
            import logging, threading
            import logbraid
            logbraid.configure_logging(format={form!r})
            evil = {evil!r}
            log = logbraid.get_logger("n" + evil)
            log.info(evil, **{{evil: evil}}, nested={{evil: [evil]}})
            logging.getLogger(evil).info("%s", evil)
            """
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 2
        plain = done.stdout.replace("\n", "")
        assert not [one for one in plain if one in "\r\x00\x7f\x85\x9b\u2028\u2029"]
        assert "\x1b[2J" not in plain


# Contexts


def test_a_context_that_leaks_is_none_over_a_thousand_interleaved_tasks(
    captured: CapturedLogs,
) -> None:
    # F50, C14
    log = logbraid.get_logger("f")

    async def request(number: int) -> None:
        with bound_context(tenant_id=f"t{number}"):
            for step in range(3):
                log.info("step", number=number, step=step)
                logging.getLogger("f").info("std", extra={"number": number})
                await asyncio.sleep(random.random() / 1000)
            await asyncio.to_thread(log.info, "thread", number=number)

    async def go() -> None:
        await asyncio.gather(*(request(number) for number in range(1000)))

    asyncio.run(go())
    assert len(captured) == 7000
    assert [one for one in captured if one["tenant_id"] != f"t{one['number']}"] == []
    assert current_context() == {}


def test_workers_that_are_used_again_never_have_the_tenant_of_before(
    captured: CapturedLogs,
) -> None:
    # F51, C14
    log = logbraid.get_logger("f")

    def job(number: int) -> None:
        log.info("before", number=number)
        with bound_context(tenant_id=f"t{number}"):
            log.info("within", number=number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(300)))
    with ContextExecutor(4) as carrying:
        futures = []
        for number in range(300, 600):
            with bound_context(tenant_id=f"t{number}"):
                futures.append(carrying.submit(log.info, "carried", number=number))
        for future in futures:
            future.result()
    assert len(captured) == 900
    for one in captured:
        expected = None if one["event"] == "before" else f"t{one['number']}"
        assert one.get("tenant_id") == expected


def test_a_stream_closed_early_leaves_its_tenant_nowhere(captured: CapturedLogs) -> None:
    # F52, C14
    log = logbraid.get_logger("f")

    async def stream(number: int) -> AsyncIterator[int]:
        with bound_context(tenant_id=f"t{number}"):
            for step in range(10):
                log.info("step", number=number)
                yield step

    async def reader(number: int) -> None:
        with bound_context(tenant_id=f"r{number}"):
            async with aclosing(stream(number)) as steps:  # type: ignore[type-var]  # it can
                async for _ in steps:
                    await asyncio.sleep(0)
                    break

    async def go() -> None:
        await asyncio.gather(*(reader(number) for number in range(200)))
        log.info("after", number=-1)

    asyncio.run(go())
    assert "tenant_id" not in captured[-1]
    assert all(one["tenant_id"] == f"t{one['number']}" for one in captured[:-1])


def test_a_cancelled_task_leaves_whole_lines(captured: CapturedLogs) -> None:
    # F53, C13
    log = logbraid.get_logger("f")

    async def work(number: int) -> None:
        log.info("begin", number=number)
        try:
            await asyncio.sleep(random.random() / 100)
            await log.ainfo("middle", number=number)
            await asyncio.sleep(random.random() / 100)
        finally:
            log.info("end", number=number)

    async def go() -> None:
        tasks = [asyncio.ensure_future(work(number)) for number in range(2000)]
        await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(go())
    begun = {one["number"] for one in captured.only(event="begin")}
    ended = [one["number"] for one in captured.only(event="end")]
    assert begun == set(ended)
    assert len(ended) == len(begun)


@pytest.mark.parametrize("order", ["before", "after"])
def test_greenlets_log_with_their_own_context(order: str) -> None:
    # F54
    pytest.importorskip("gevent")
    patch = "from gevent import monkey; monkey.patch_all()"
    first, second = (patch, "import logbraid") if order == "before" else ("import logbraid", patch)
    done = run(
        f"""
        {first}
        {second}
        import logging, gevent
        logbraid.configure_logging()
        log = logbraid.get_logger("g")
        def work(number):
            with logbraid.bound_context(tenant_id=f"t{{number}}"):
                for step in range(5):
                    log.info("step", number=number)
                    logging.getLogger("g").info("std", extra={{"number": number}})
                    gevent.sleep(0)
        gevent.joinall([gevent.spawn(work, number) for number in range(50)])
        gevent.get_hub().threadpool.apply(log.info, ("native",), {{"number": -1}})
        """
    )
    assert done.returncode == 0, done.stderr
    lines = decoded(done.stdout)
    assert len(lines) == 501
    assert all(one["tenant_id"] == f"t{one['number']}" for one in lines[:-1] if "number" in one)


# The end of a process


LOADED = """
import os, signal, sys, threading, time
import logbraid
{more}
logbraid.configure_logging(delivery={delivery!r})
log = logbraid.get_logger("load")
def work(worker):
    n = 0
    while True:
        log.info("line", worker=worker, n=n, pad="x" * 300)
        os.write(2, b"%d %d\\n" % (worker, n))
        n += 1
for worker in range(4):
    threading.Thread(target=work, args=(worker,), daemon=True).start()
time.sleep({seconds})
{end}
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("end", "more", "delivery", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", "", "sync", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGTERM)", "", "queue", -signal.SIGTERM),
        (
            "os.kill(os.getpid(), signal.SIGTERM)",
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))",
            "queue",
            5,
        ),
        ("os.kill(os.getpid(), signal.SIGINT)", "", "queue", -signal.SIGINT),
        ("os._exit(3)", "", "sync", 3),
        ("raise ValueError('unhandled')", "", "sync", 1),
        ("raise ValueError('unhandled')", "", "queue", 1),
        ("sys.exit(4)", "", "queue", 4),
    ],
)
@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_no_line_whose_call_returned_is_lost_at_the_end(
    end: str, more: str, delivery: str, code: int, seconds: float, tmp_path: Path
) -> None:
    # C12, F24
    text = LOADED.format(end=end, more=more, delivery=delivery, seconds=seconds)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen([sys.executable, "-c", text], stdout=out, stderr=err)
        try:
            assert process.wait(90) == code  # a deadline for a machine that does other things too
        finally:
            process.kill()
            process.wait()
    # The kernel may cut the one write that a fatal signal interrupts: a torn tail, never acked
    whole = (tmp_path / "out").read_text(errors="replace").split("\n")[:-1]
    written = {
        (one["worker"], one["n"]) for one in map(json.loads, whole) if one["event"] == "line"
    }
    acknowledged = set()
    for line in (tmp_path / "err").read_text().split("\n")[:-1]:
        words = line.split(" ")
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            acknowledged.add((int(words[0]), int(words[1])))
    assert len(acknowledged) > 3
    assert acknowledged <= written


def test_sigterm_at_full_load_ends_within_two_seconds() -> None:
    # C12
    text = LOADED.format(end="", more="", delivery="queue", seconds=0)
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()
    began = time.monotonic()
    process.terminate()
    while process.stderr.read(65536):
        pass
    process.wait(10)
    process.stderr.close()
    assert time.monotonic() - began < 5  # two seconds, on a machine that does other things too


@pytest.mark.parametrize("delivery", ["sync", "queue"])
@pytest.mark.parametrize("output", ["stdout", "files"])
def test_finaliser_that_logs_waits_for_no_thread_that_shutdown_froze(
    output: str, delivery: str, tmp_path: Path
) -> None:
    # F23: daemon threads stop where they stand, most of them in the middle of a line
    done = run(
        f"""
        import builtins, os, sys, threading, time
        import logbraid
        logbraid.configure_logging(
            output={output!r}, delivery={delivery!r}, log_dir={str(tmp_path)!r}
        )
        log = logbraid.get_logger("n")
        class Late:
            def __del__(self, log=log, os=os, sys=sys):
                log.info("late", number=1)
                os.write(2, b"came back, %d\\n" % sys.is_finalizing())
        builtins.late = Late()
        def go_on():
            while True:
                log.info("daemon", pad="x" * 300)
        for _ in range(4):
            threading.Thread(target=go_on, daemon=True).start()
        time.sleep(0.1)
        """
    )
    assert done.returncode == 0, done.stderr
    assert "came back, 1\n" in done.stderr


def test_logging_at_interpreter_shutdown_leaves_no_traceback() -> None:
    # F23
    done = run(
        """
        import atexit, logging, threading
        import logbraid
        logbraid.configure_logging()
        log = logbraid.get_logger("n")
        class Late:
            def __del__(self):
                log.info("from a finaliser at shutdown")
        late = Late()
        late.itself = late
        atexit.register(lambda: log.info("at exit", o=object()))
        def go_on():
            while True:
                logging.getLogger("n").info("daemon")
        threading.Thread(target=go_on, daemon=True).start()
        """
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "at exit" in [one["event"] for one in decoded(done.stdout)]


def test_a_user_clock_that_fails_does_not_lose_the_line() -> None:
    def clock() -> int:
        raise OSError("no clock")

    with capture_logs(clock=clock) as captured:
        logbraid.get_logger("f").info("told")
        logging.getLogger("f").info("told")
    assert captured.events == ["told"] * 2


def test_os_exit_in_the_middle_of_a_call_leaves_whole_lines_in_the_file(tmp_path: Path) -> None:
    done = run(
        f"""
        import os, threading
        import logbraid
        logbraid.configure_logging(output="files", log_dir={str(tmp_path)!r}, tenant="t")
        log = logbraid.get_logger("n")
        def work():
            while True:
                log.info("line", pad="x" * 3000)
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(50):
            log.info("main")
        os._exit(0)
        """
    )
    assert done.returncode == 0
    (file,) = (tmp_path / "t").glob("*.jsonl")
    text = file.read_text()
    assert text.endswith("\n")
    assert [one["event"] for one in decoded(text)].count("main") == 50
    assert list((tmp_path / "t").iterdir()) == [file]
