"""Debug until error: lines below the level are kept for each run and written only if it fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import loguru
import pytest
import structlog

import logbraid
from logbraid import debug_buffer
from logbraid.agent import agent_run
from logbraid.context import bound_context
from logbraid.debug_buffer import DebugBuffer, buffer, forget
from logbraid.integrations.json_logger import TracingJsonFormatter
from logbraid.level import levels
from logbraid.testing import CapturedLogs, capture_logs

HERE = __name__


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_logs(level="info", debug_buffer=200) as captured:
        yield captured


def log() -> Any:
    return logbraid.get_logger(HERE)


# what is written, and when


def test_debug_lines_of_all_libraries_stand_in_order_before_the_error(logs: CapturedLogs) -> None:
    with bound_context(run_id="r-1"):
        log().debug("ours", n=1)
        structlog.get_logger(HERE).debug("structlog")
        logging.getLogger(HERE).debug("logging %d", 3)
        loguru.logger.debug("loguru")
        assert logs.events == []
        log().error("boom")
    assert logs.events == ["ours", "structlog", "logging 3", "loguru", "boom"]
    assert [one.get("buffered") for one in logs] == [True] * 4 + [None]
    stamps = [one["timestamp"] for one in logs]
    assert stamps == sorted(stamps)
    assert stamps[0] < stamps[-1]
    assert all(one["level"] == "debug" and one["run_id"] == "r-1" for one in logs[:4])
    assert list(logs[0])[-1] == "buffered"


@pytest.mark.parametrize("library", ["ours", "structlog", "logging", "loguru"])
def test_an_error_of_any_library_brings_them_out(logs: CapturedLogs, library: str) -> None:
    error = {
        "ours": log().error,
        "structlog": structlog.get_logger(HERE).critical,
        "logging": logging.getLogger(HERE).error,
        "loguru": loguru.logger.error,
    }[library]
    with bound_context(run_id="r-1"):
        log().debug("before")
        error("boom")
    assert logs.events == ["before", "boom"]


def test_warnings_bring_nothing_out_and_a_run_collects_again_after_an_error(
    logs: CapturedLogs,
) -> None:
    with bound_context(run_id="r-1"):
        log().debug("one")
        log().warning("hm")
        log().error("first")
        log().error("second")
        log().debug("two")
        log().error("third")
    assert logs.events == ["hm", "one", "first", "second", "two", "third"]


def test_an_exception_with_a_traceback_brings_them_out_too(logs: CapturedLogs) -> None:
    with bound_context(run_id="r-1"):
        log().debug("one")
        try:
            raise ValueError("no")  # noqa: TRY301 - the point
        except ValueError:
            logging.getLogger(HERE).exception("boom")
    assert logs.events == ["one", "boom"]


def test_info_lines_are_kept_where_the_level_is_warning() -> None:
    with capture_logs(level="warning", debug_buffer=5) as logs, bound_context(run_id="r-1"):
        log().info("i")
        log().debug("d")
        log().error("boom")
    assert [(one["level"], one["event"]) for one in logs[:2]] == [("info", "i"), ("debug", "d")]


def test_lines_below_debug_are_not_kept(logs: CapturedLogs) -> None:
    with bound_context(run_id="r-1"):
        log().log(5, "trace")
        log().error("boom")
    assert logs.events == ["boom"]


def test_an_error_below_the_level_is_kept_and_brings_nothing_out() -> None:
    with capture_logs(level="critical", debug_buffer=5) as logs, bound_context(run_id="r-1"):
        log().error("no")
        logging.getLogger(HERE).error("no")
        assert logs.events == []
        log().critical("yes")
    assert logs.events == ["no", "no", "yes"]


def test_without_a_run_the_request_holds_them_together_and_without_both_none_is_kept(
    logs: CapturedLogs,
) -> None:
    log().debug("nowhere")
    log().error("boom")
    with bound_context(request_id="q-1"):
        log().debug("there")
        log().error("bang")
    assert logs.events == ["boom", "there", "bang"]


def test_a_run_of_the_environment_holds_the_lines_of_its_requests_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGBRAID_CONTEXT", '{"run_id": "outer"}')
    with logbraid.configure_logging(output="files", log_dir=tmp_path, debug_buffer=5, tenant="t"):
        with bound_context(request_id="q-1"):
            log().debug("one")
        with bound_context(request_id="q-2"):
            log().error("boom")
    (path,) = tmp_path.glob("t/*.jsonl")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["one", "boom"]


def test_the_last_lines_are_kept() -> None:
    with capture_logs(level="info", debug_buffer=3) as logs, bound_context(run_id="r-1"):
        for number in range(10):
            log().debug("step", number=number)
        log().error("boom")
    assert [one.get("number") for one in logs] == [7, 8, 9, None]


def test_off_is_the_default_and_leaves_gates_where_they_were() -> None:
    with capture_logs(level="info"), bound_context(run_id="r-1"):
        assert levels.gate(HERE).level == logging.INFO
        assert logging.getLogger().level == logging.INFO
        assert levels.lowest() == logging.INFO
        forget("r-1")
        assert not log().is_enabled_for(logging.DEBUG)


def test_the_short_way_and_the_long_way_keep_the_same_line(
    logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bound_context(run_id="r-1", tenant_id="acme", extra_field=3):
        for _ in range(2):
            log().bind(a=1).debug("step", b="x", c={"d": [1, 2.5, None]}, long="y" * 5000)
            logging.getLogger(HERE).debug("step %s", 1, extra={"b": True})
            loguru.logger.debug("step")
            monkeypatch.setattr("logbraid.fastpath.FastPath.kept", lambda *_: None)
        log().error("boom")
    short, long = logs[:3], logs[3:6]
    for one in (*short, *long):
        del one["timestamp"]
    assert [json.dumps(one) for one in short] == [json.dumps(one) for one in long]


# what must not get out


def test_secrets_are_scrubbed_before_they_are_kept(logs: CapturedLogs) -> None:
    with bound_context(run_id="r-1"):
        log().debug("login", password="hunter2-canary", text="Authorization: Bearer abcdef123456")
        kept = b"".join(
            line.text for run in buffer._runs.values() for lines in run.values() for line in lines
        )
        log().error("boom")
    assert kept
    assert b"hunter2" not in kept
    assert b"abcdef123456" not in kept
    assert logs[0]["password"] == "[REDACTED:password]"
    assert "abcdef123456" not in json.dumps(logs)


def test_an_error_of_one_tenant_brings_out_nothing_of_another_with_the_same_run_id(
    logs: CapturedLogs,
) -> None:
    with bound_context(run_id="1"):
        log().debug("before anyone was bound")
        with bound_context(tenant_id="acme"):
            log().debug("acme's")
        with bound_context(tenant_id="globex"):
            log().debug("globex's")
        with bound_context(tenant_id="acme"):
            log().error("boom")
    assert logs.events == ["before anyone was bound", "acme's", "boom"]
    with bound_context(run_id="1", tenant_id="globex"):
        log().error("bang")
    assert logs.events[3:] == ["globex's", "bang"]


def test_an_error_without_a_tenant_brings_out_those_of_all_in_its_run(logs: CapturedLogs) -> None:
    with bound_context(run_id="1"):
        with bound_context(tenant_id="acme"):
            log().debug("inside")
        log().error("boom")
    assert [(one["event"], one.get("tenant_id")) for one in logs] == [
        ("inside", "acme"),
        ("boom", None),
    ]


def test_each_line_goes_to_the_file_of_its_own_tenant(tmp_path: Path) -> None:
    handle = logbraid.configure_logging(output="files", log_dir=tmp_path, debug_buffer=10)
    with handle, bound_context(run_id="1"):
        for tenant in ("acme", "globex"):
            with bound_context(tenant_id=tenant):
                log().debug(f"of {tenant}")
        log().error("boom")
    texts = {path.parent.name: path.read_text() for path in tmp_path.glob("*/*.jsonl")}
    assert sorted(texts) == ["_unknown", "acme", "globex"]
    assert "of acme" in texts["acme"]
    assert "globex" not in texts["acme"]
    assert "acme" not in texts["globex"]


def test_handlers_of_strangers_hear_no_debug_records() -> None:
    early, late = logging.StreamHandler(StringIO()), logging.StreamHandler(StringIO())
    child = logging.getLogger("debug_buffer.child")
    child.addHandler(early)
    try:
        with capture_logs(level="info", debug_buffer=5) as logs, bound_context(run_id="1"):
            child.debug("the stranger would hear it")
            logging.getLogger("debug_buffer.other").debug("nobody else does")
            logging.getLogger().addHandler(late)
            logging.getLogger("debug_buffer.other").debug("now one does")
            child.error("boom")
    finally:
        child.removeHandler(early)
        logging.getLogger().removeHandler(late)
    assert logs.events == ["nobody else does", "boom"]
    assert early.stream.getvalue() == late.stream.getvalue() == "boom\n"


def test_a_level_that_someone_gave_a_logger_still_writes_at_once(logs: CapturedLogs) -> None:
    logger = logging.getLogger("debug_buffer.own")
    logger.setLevel(logging.DEBUG)
    try:
        with bound_context(run_id="1"):
            logger.debug("at once")
    finally:
        logger.setLevel(logging.NOTSET)
    assert logs.events == ["at once"]


def test_the_formatter_writes_its_line_and_its_strangers_handler_no_debug() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TracingJsonFormatter())
    logger = logging.getLogger("debug_buffer.formatter")
    with capture_logs(level="info", debug_buffer=5) as logs, bound_context(run_id="1"):
        logger.addHandler(handler)
        try:
            logging.getLogger("debug_buffer.elsewhere").debug("kept")
            logger.debug("no")
            logger.error("boom")
        finally:
            logger.removeHandler(handler)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["boom"]
    assert logs.events == ["kept", "boom"]


def test_close_puts_back_add_handler_and_levels() -> None:
    before = logging.Logger.addHandler
    logbraid.configure_logging(debug_buffer=5, output="stderr").close()
    assert logging.Logger.addHandler is before
    assert not levels.is_open
    assert buffer.max_lines == 0


# a level that changes


def test_a_lower_level_writes_at_once_and_a_higher_one_keeps_again(logs: CapturedLogs) -> None:
    with bound_context(run_id="1"):
        logbraid.set_level("debug")
        for debug in (log().debug, logging.getLogger(HERE).debug, loguru.logger.debug):
            debug("written")
        assert logs.events == ["written"] * 3
        assert not any("buffered" in one for one in logs)
        logbraid.set_level("info")
        for debug in (log().debug, logging.getLogger(HERE).debug, loguru.logger.debug):
            debug("kept")
        assert len(logs) == 3
        log().error("boom")
    assert logs.events[3:] == ["kept"] * 3 + ["boom"]


def test_a_debug_window_writes_what_matches_and_the_rest_is_kept(logs: CapturedLogs) -> None:
    with logbraid.debug_for(seconds=60, tenant_id="acme"), bound_context(run_id="1"):
        with bound_context(tenant_id="acme"):
            log().debug("matches")
        with bound_context(tenant_id="globex"):
            log().debug("kept")
            assert logs.events == ["matches"]
            log().error("boom")
    assert logs.events == ["matches", "kept", "boom"]
    assert levels.gate(HERE).level == logging.DEBUG


def test_a_level_file_decides_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "level"
    path.write_text("warning")
    with (
        capture_logs(level="info", level_file=path, debug_buffer=5) as logs,
        bound_context(run_id="1"),
    ):
        log().info("kept")
        log().error("boom")
    assert [one.get("buffered") for one in logs] == [True, None]


def test_capturing_inside_a_buffering_configuration_leaves_it_buffering(tmp_path: Path) -> None:
    with logbraid.configure_logging(output="files", log_dir=tmp_path, debug_buffer=5, tenant="t"):
        with capture_logs():
            assert not levels.is_buffering
        assert levels.is_buffering
        with bound_context(run_id="1"):
            log().debug("kept")
            log().error("boom")
    (path,) = tmp_path.glob("t/*.jsonl")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["kept", "boom"]


# when a run ends


def test_a_run_that_ends_well_forgets_and_counts_no_loss(logs: CapturedLogs) -> None:
    with agent_run(run_id="r-1"):
        log().debug("kept")
        assert len(buffer) == 1
    assert (len(buffer), buffer.size_bytes) == (0, 0)
    assert dict(logbraid.stats().dropped) == {}
    with bound_context(run_id="r-1"):
        log().error("later")
    assert logs.events == ["agent_run", "later"]


def test_a_run_that_ends_leaves_the_lines_of_another_one_with_its_id(logs: CapturedLogs) -> None:
    def another() -> None:
        with agent_run(run_id="r-1"):
            log().debug("of another")

    with agent_run(run_id="r-1"):
        log().debug("kept")
        for _ in range(2):
            with ThreadPoolExecutor() as threads:
                threads.submit(another).result()
        log().error("boom")
    assert logs.events[:2] == ["agent_run", "agent_run"]
    assert logs.events[2:] == ["kept", "of another", "of another", "boom", "agent_run"]
    assert len(buffer) == 0


def test_a_run_that_fails_writes_them_before_its_own_line(logs: CapturedLogs) -> None:
    @agent_run("triage")
    def triage() -> None:
        with bound_context(tenant_id="acme"):
            log().debug("kept")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        triage()
    assert logs.events == ["kept", "agent_run"]


def test_forgetting_under_a_tenant_leaves_the_runs_of_others(logs: CapturedLogs) -> None:
    for tenant in ("acme", "globex"):
        with bound_context(run_id="1", tenant_id=tenant):
            log().debug(tenant)
    with bound_context(tenant_id="acme"):
        forget("1")
    with bound_context(run_id="1"):
        log().error("boom")
    assert logs.events == ["globex", "boom"]


# bounds


def put(kept: DebugBuffer, run: str, text: bytes, tenant: str | None = None) -> None:
    kept.keep(run, text, tenant, "2026-11-21", patient=True)


def test_the_run_that_was_quiet_longest_goes_when_there_are_too_many() -> None:
    kept = DebugBuffer(max_runs=3)
    kept.configure(10)
    for run in ("a", "b", "c", "a", "d"):
        put(kept, run, b"x")
    assert len(kept) == 3
    assert kept.take("b", None, patient=True) == []
    assert len(kept.take("a", None, patient=True)) == 2


def test_memory_is_bounded_over_all_runs_and_within_one() -> None:
    kept = DebugBuffer(max_bytes=100_000)
    kept.configure(10_000)
    for number in range(500):
        put(kept, f"run {number % 50}", b"x" * 1000, tenant=f"t-{number % 7}")
        assert kept.size_bytes <= 100_000
    kept.configure(10_000)
    for number in range(500):
        put(kept, "one", b"%04d" % number + b"x" * 1000)
        assert kept.size_bytes <= 100_000
    lines = kept.take("one", None, patient=True)
    assert lines[-1].text.startswith(b"0499")
    assert len(lines) > 50
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_a_line_larger_than_everything_is_not_kept() -> None:
    kept = DebugBuffer(max_bytes=100)
    kept.configure(10)
    put(kept, "one", b"x" * 200)
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_many_tenants_in_one_run_are_bounded_too() -> None:
    kept = DebugBuffer(max_bytes=50_000)
    kept.configure(10)
    for number in range(1000):
        put(kept, "one", b"x" * 500, tenant=f"t-{number}")
    assert kept.size_bytes <= 50_000


def test_a_log_call_that_interrupts_one_which_holds_the_lock_does_not_wait() -> None:
    kept = DebugBuffer()
    kept.configure(10)
    put(kept, "one", b"x")
    with kept._lock:
        kept.keep("one", b"y", None, "2026-11-21", patient=False)
        assert kept.take("one", None, patient=False) == []
    assert [one.text for one in kept.take("one", None, patient=True)] == [b"x"]


def test_a_lock_that_was_left_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_buffer, "_PATIENCE_SECONDS", 0.01)
    kept = DebugBuffer()
    kept.configure(10)
    kept._lock.acquire()
    put(kept, "one", b"lost")
    put(kept, "one", b"kept")
    assert [one.text for one in kept.take("one", None, patient=True)] == [b"kept"]


def test_a_processor_may_drop_and_change_what_is_kept() -> None:
    def step(_: Any, __: str, fields: dict[str, Any]) -> dict[str, Any]:
        if fields["event"] == "drop":
            raise structlog.DropEvent
        return {**fields, "seen": True, "password": "hunter2-canary"}

    with (
        capture_logs(level="info", debug_buffer=5, processors=[step]) as logs,
        bound_context(run_id="1"),
    ):
        log().debug("drop")
        log().debug("keep")
        log().error("boom")
    assert logs.events == ["keep", "boom"]
    assert logs[0]["seen"] is True
    assert "hunter2" not in json.dumps(logs)


def test_a_processor_that_raises_writes_nothing_that_is_below_the_level(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def step(_: Any, __: str, fields: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError(str(fields))

    with capture_logs(level="info", debug_buffer=5, processors=[step]) as logs:
        with bound_context(run_id="1"):
            log().debug("low")
        assert logs == []
    capfd.readouterr()


def test_a_field_named_buffered_is_kept_beside_the_mark(logs: CapturedLogs) -> None:
    with bound_context(run_id="1"):
        log().debug("x", buffered=7)
        log().error("boom")
    assert (logs[0]["buffered_"], logs[0]["buffered"]) == (7, True)


# many at once


def test_a_thousand_runs_in_tasks_and_threads_never_mix(logs: CapturedLogs) -> None:
    def steps(number: int) -> None:
        log().debug("step", number=number)
        logging.getLogger(HERE).debug("step", extra={"number": number})

    async def run(number: int, pool: ThreadPoolExecutor) -> None:
        with bound_context(run_id=f"r-{number}", tenant_id=f"t-{number % 10}"):
            steps(number)
            await asyncio.sleep(0)
            await asyncio.to_thread(steps, number)
            if number % 2:
                log().error("boom", number=number)

    async def main() -> None:
        with ThreadPoolExecutor(8) as pool:
            await asyncio.gather(*(run(number, pool) for number in range(1000)))

    asyncio.run(main())
    assert len(logs) == 500 * 5
    assert all(
        (one["run_id"], one["tenant_id"]) == (f"r-{one['number']}", f"t-{one['number'] % 10}")
        and one["number"] % 2
        for one in logs
    )
    assert len(buffer) == 500


def test_threads_of_one_run_lose_nothing() -> None:
    with capture_logs(level="info", debug_buffer=10_000) as logs:

        def work(thread: int) -> None:
            with bound_context(run_id="one"):
                for number in range(200):
                    log().debug("step", thread=thread, number=number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        with bound_context(run_id="one"):
            log().error("boom")
    steps = logs[:-1]
    assert len(steps) == 1600
    for thread in range(8):
        numbers = [one["number"] for one in steps if one["thread"] == thread]
        assert numbers == list(range(200))


PROGRAM = """
import os, sys, logbraid
from logbraid.context import bind_context
logbraid.configure_logging(debug_buffer=10, format="json", delivery=sys.argv[1])
log = logbraid.get_logger("child")
bind_context(run_id="r-1")
log.debug("of the parent")
if sys.argv[2] == "fork":
    pid = os.fork()
    if pid == 0:
        log.debug("of the child")
        log.error("boom in the child")
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
log.error("boom")
"""


def program(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("delivery", ["sync", "queue"])
def test_a_forked_child_starts_with_nothing_kept_and_no_line_is_written_twice(
    delivery: str,
) -> None:
    assert sorted(one["event"] for one in program(delivery, "fork")) == [
        "boom",
        "boom in the child",
        "of the child",
        "of the parent",
    ]


def test_the_queue_writes_them_in_the_same_order() -> None:
    assert [one["event"] for one in program("queue", "-")] == ["of the parent", "boom"]
