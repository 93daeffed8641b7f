"""What a stranger broke once: each of these raised, leaked, lost or doubled a line before."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import logbraid
from logbraid.integrations.json_logger import TracingJsonFormatter
from logbraid.integrations.stdlib import BraidHandler
from logbraid.processors import scrub_secrets
from logbraid.testing import CapturedLogs, capture_logs

LOG = logbraid.get_logger("review")
URL = "postgres://app:s3cr3tpassw0rd@db/x"


class Lazy:
    @property  # type: ignore[misc]  # what Django's lazy objects do when the database is away
    def __class__(self) -> type:
        raise RuntimeError("no database")


class NoBool:
    def __bool__(self) -> bool:
        raise RuntimeError("not now")


class NoItems(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "call",
    [
        lambda: LOG.info("user %s", Lazy()),
        lambda: LOG.info("x %s", NoItems()),
        lambda: LOG.info("x", exc_info=NoBool()),
        lambda: LOG.info("x", stack_info=NoBool()),
        lambda: LOG.info("x", extra=NoItems()),
        lambda: LOG.info("x", field=Lazy()),
    ],
)
def test_a_call_with_an_object_that_fights_back_is_one_line(
    call: Any, captured_logs: CapturedLogs
) -> None:
    call()
    assert len(captured_logs) == 1


@pytest.mark.parametrize(
    "attributes",
    [{"levelname": None, "levelno": 25}, {"created": None}, {"created": float("nan")}],
)
def test_a_log_record_made_of_rubbish_is_one_line(
    attributes: dict[str, Any], captured_logs: CapturedLogs
) -> None:
    made = logging.makeLogRecord({"name": "z", "levelno": 30, "msg": "m", **attributes})
    logging.getLogger("z").handle(made)
    assert len(captured_logs) == 1
    assert json.loads(TracingJsonFormatter().format(made))


def test_names_of_bytes_cannot_forge_ids_or_level(captured_logs: CapturedLogs) -> None:
    forged = {b"tenant_id": "globex", b"user_id": "bob", b"level": "critical", b"event": "E"}
    with logbraid.bound_context(tenant_id="acme", user_id="alice"):
        logging.getLogger("t").info("x", extra=forged)  # type: ignore[arg-type]  # rubbish in
    (told,) = captured_logs
    assert (told["tenant_id"], told["user_id"], told["level"]) == ("acme", "alice", "info")
    assert told["event"] == "x"


def test_fields_of_the_settings_cannot_forge_the_envelope() -> None:
    fields = {"tenant_id": "acme", "level": "critical", "event": "E", "region": "eu"}
    with capture_logs(fields=fields) as captured:
        LOG.info("real")
    (told,) = captured
    assert (told["event"], told["level"], told["region"]) == ("real", "info", "eu")
    assert "tenant_id" not in told
    assert told["tenant_id_"] == "acme"


def test_a_processor_cannot_route_and_its_ids_are_checked() -> None:
    def meddle(_: Any, __: str, told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "tenant_id": "acme", "user_id": "u" * 200, "run_id": None}

    with capture_logs(processors=[meddle]) as captured, logbraid.bound_context(run_id="r"):
        LOG.info("x")
    (told,) = captured
    assert "tenant_id" not in told
    assert "run_id" not in told
    assert told["user_id"].startswith("invalid-")


def test_set_level_while_loggers_are_made_does_not_raise(captured_logs: CapturedLogs) -> None:
    stop = threading.Event()

    def make() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            logging.getLogger(f"review.made.{number % 20_000}")

    thread = threading.Thread(target=make)
    thread.start()
    try:
        for level in ("debug", "info") * 40:
            logbraid.set_level(level)
    finally:
        stop.set()
        thread.join()
    assert captured_logs == []


def test_a_handler_that_raises_when_looked_at_is_told_not_felt(
    captured_logs: CapturedLogs,
) -> None:
    class Odd(logging.Handler):
        @property
        def stream(self) -> Any:
            raise RuntimeError("boom")

        def emit(self, record: logging.LogRecord) -> None:
            """Write nothing."""

    odd = logging.getLogger("review.odd")
    odd.addHandler(Odd())
    try:
        assert logbraid.check() is not None
        LOG.info("still here")
    finally:
        odd.handlers.clear()
    assert captured_logs.events == ["still here"]


def test_configuring_from_many_threads_takes_over_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    handles: list[logbraid.LoggingHandle] = []

    def configure() -> None:
        barrier.wait()
        handles.append(logbraid.configure_logging(output="files", log_dir=tmp_path))

    threads = [threading.Thread(target=configure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ours = [one for one in logging.getLogger().handlers if isinstance(one, BraidHandler)]
    for handle in handles:
        handle.close()
    assert len(ours) == 1
    left = [one for one in logging.getLogger().handlers if isinstance(one, BraidHandler)]
    assert left == []


def test_no_line_is_lost_while_another_configuration_replaces_this_one(tmp_path: Path) -> None:
    written = 0
    stop = threading.Event()

    def work() -> None:
        nonlocal written
        while not stop.is_set():
            LOG.info("line")
            written += 1

    handle = logbraid.configure_logging(output="files", log_dir=tmp_path, level="info")
    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(5):
        handle = logbraid.configure_logging(output="files", log_dir=tmp_path, level="info")
    stop.set()
    thread.join()
    handle.close()
    lines = b"".join(path.read_bytes() for path in tmp_path.rglob("*.jsonl")).splitlines()
    assert len(lines) == written


def test_a_secret_across_the_cut_of_a_format_error_stays_in(captured_logs: CapturedLogs) -> None:
    class Late:
        def __init__(self, pad: int) -> None:
            self.pad = pad

        def __str__(self) -> str:
            raise ValueError("x" * self.pad + " " + URL)

    for pad in range(130, 200, 3):
        LOG.info("late %s", Late(pad))
    logbraid.testing.assert_no_secret(captured_logs, ["s3cr3tpassw0rd"])


def test_a_secret_across_the_cut_of_a_traceback_stays_in_for_processors() -> None:
    for pad in range(7700, 8000, 13):
        try:
            int("x" * pad + " " + URL)
        except ValueError as error:
            told = scrub_secrets(None, "error", {"event": "x", "exc_info": error})
        assert "s3cr3tpassw0rd" not in json.dumps(told)


def test_a_renaming_formatter_escapes_and_loses_no_field() -> None:
    formatter = TracingJsonFormatter(rename_fields={"event": "message", "a": "b"})
    made = logging.makeLogRecord({"name": "z", "levelno": 20, "msg": "a\u2028b\x85c\x7f\x9b31m"})
    made.__dict__.update({"a": 1, "b": 2})
    line = formatter.format(made)
    assert line.isascii()
    assert {1, 2} <= set(json.loads(line).values())


def test_counts_go_on_after_a_capture_inside_a_configuration(tmp_path: Path) -> None:
    with logbraid.configure_logging(output="files", log_dir=tmp_path):
        LOG.info("one")
        with capture_logs():
            LOG.info("captured")
        LOG.info("two")
        assert logbraid.stats().sinks["files"].written == 2


def test_a_capture_ends_also_if_the_code_inside_configures(tmp_path: Path) -> None:
    with capture_logs():
        logbraid.configure_logging(output="files", log_dir=tmp_path)
    assert not logbraid.check().is_configured


def test_many_bound_fields_keep_to_the_leaves_of_a_line(captured_logs: CapturedLogs) -> None:
    with logbraid.bound_context(**{f"k{number}": number for number in range(300)}):
        LOG.info("x")
    (told,) = captured_logs
    assert len(told) <= 200
    assert told["truncated"]["..."] > 0


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "soon", True])
def test_a_debug_window_without_an_end_is_refused(
    seconds: Any, captured_logs: CapturedLogs
) -> None:
    with pytest.raises(ValueError, match="seconds is"):
        logbraid.debug_for(seconds=seconds, tenant_id="acme")


def test_a_configuration_of_logging_after_ours_is_mended_at_the_next_record(
    capfd: pytest.CaptureFixture[str], captured_logs: CapturedLogs
) -> None:
    logging.basicConfig(force=True)
    LOG.info("any record")
    logging.getLogger("review.after").warning("password=hunter2secret")
    assert captured_logs.events == ["any record", "password=[REDACTED:password]"]
    assert "hunter2" not in capfd.readouterr().err


def test_root_is_a_name_for_everything(captured_logs: CapturedLogs) -> None:
    logbraid.set_level("error", logger="root")
    LOG.info("no")
    assert logbraid.get_level("root") == 40
    assert captured_logs == []


def test_a_level_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "level"
    os.mkfifo(fifo)
    with logbraid.configure_logging(output=(), level_file=fifo) as handle:
        assert handle.settings.level_file == fifo
