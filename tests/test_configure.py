"""Putting it together: replaced, failing and ended configurations, and what the handle does."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

import logbraid
from logbraid import pipeline
from logbraid.testing import capture_logs


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def file_of(directory: Path, tenant: str) -> Path:
    (found,) = (directory / tenant).glob("*.jsonl")
    return found


def state() -> list[Any]:
    """Return what a configuration changes."""
    return [
        sys.excepthook,
        threading.excepthook,
        logging.Logger.makeRecord,
        list(logging.getLogger().handlers),
        logging.getLogger().level,
        structlog.get_config()["wrapper_class"],
        pipeline.active,
        logbraid.get_level(),
    ]


def test_all_problems_are_told_at_once_with_the_nearest_name_and_nothing_changes() -> None:
    before = state()
    with pytest.raises(logbraid.ConfigError) as caught:
        logbraid.configure_logging(
            level="loud",
            retention_days=-1,
            max_summary_char=5,  # type: ignore[call-arg]  # a mistake, on purpose
            format="jsn",  # type: ignore[arg-type]  # as above
        )
    text = str(caught.value)
    for word in ("loud", "retention_days", "use max_summary_chars", "jsn"):
        assert word in text
    assert state() == before


def test_a_directory_that_cannot_be_written_raises_and_the_configuration_before_stays(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    written: list[str] = []
    with logbraid.configure_logging(sinks=[lambda _, one: written.append(one["event"])]):
        before = state()
        with pytest.raises(logbraid.ConfigError, match="cannot be written"):
            logbraid.configure_logging(output="files", log_dir=tmp_path / "file" / "logs")
        assert state() == before
        logbraid.get_logger("c").info("still here")
    assert written == ["still here"]


def test_a_variable_of_the_environment_that_is_wrong_is_told_once_and_the_default_used(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("LOG_RETENTION_DAYS", "many")
    with logbraid.configure_logging() as handle:
        assert handle.settings.level == 20
        assert handle.settings.retention_days == 14
    said = capfd.readouterr().err
    assert said.count("LOG_LEVEL is 'loud'") == 1
    assert said.count("LOG_RETENTION_DAYS") == 1


def test_an_argument_beats_our_variable_beats_the_common_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "error")
    with logbraid.configure_logging() as handle:
        assert handle.settings.level == 40
    monkeypatch.setenv("LOGBRAID_LEVEL", "warning")
    with logbraid.configure_logging() as handle:
        assert handle.settings.level == 30
    with logbraid.configure_logging(level="debug") as handle:
        assert handle.settings.level == 10


def test_service_env_version_and_fields_stand_on_every_line() -> None:
    with capture_logs(service="shop", env="test", version="1.2", fields={"region": "eu"}) as logs:
        logbraid.get_logger("c").info("ours")
        logging.getLogger("c").info("std", extra={"region": "us"})
    assert [(one["service"], one["env"], one["version"]) for one in logs] == [
        ("shop", "test", "1.2")
    ] * 2
    assert [one["region"] for one in logs] == ["eu", "us"]


def test_the_tenant_of_records_without_one(tmp_path: Path) -> None:
    with logbraid.configure_logging(output="files", log_dir=tmp_path, tenant="home"):
        logbraid.get_logger("c").info("one")
        with logbraid.bound_context(tenant_id="acme"):
            logbraid.get_logger("c").info("two")
    assert [one["tenant_id"] for one in lines_of(file_of(tmp_path, "home"))] == ["home"]
    assert [one["event"] for one in lines_of(file_of(tmp_path, "acme"))] == ["two"]


@pytest.mark.parametrize("delivery", ["sync", "queue"])
def test_stdout_and_files_at_once(
    delivery: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logbraid.configure_logging(
        output=["stdout", "files"], log_dir=tmp_path, delivery=delivery, format="json"
    ) as handle:
        with logbraid.bound_context(tenant_id="acme"):
            for number in range(10):
                logbraid.get_logger("c").info("line", number=number)
        assert handle.flush()
        told = logbraid.stats()
        assert told.written == 10
        assert dict(told.dropped) == {}
        assert told.sinks["stdout"].written == told.sinks["files"].written == 10
    printed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert printed == lines_of(file_of(tmp_path, "acme"))
    assert [one["number"] for one in printed] == list(range(10))


def test_callsite_names_module_function_and_line_from_every_door() -> None:
    import loguru  # noqa: PLC0415 - one use

    with capture_logs(callsite=True) as logs:
        logbraid.get_logger("c").info("ours")
        structlog.get_logger("c").info("structlog")
        logging.getLogger("c").info("std")
        loguru.logger.info("loguru")
    assert {one["function"] for one in logs} == {
        "test_callsite_names_module_function_and_line_from_every_door"
    }
    numbers = [one["lineno"] for one in logs]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_reopen_goes_on_in_a_new_file_after_a_move(tmp_path: Path) -> None:
    with logbraid.configure_logging(output="files", log_dir=tmp_path, tenant="t") as handle:
        log = logbraid.get_logger("c")
        log.info("one")
        first = file_of(tmp_path, "t")
        moved = first.rename(tmp_path / "moved.jsonl")
        handle.reopen()
        handle.reopen()
        log.info("two")
        assert [one["event"] for one in lines_of(moved)] == ["one"]
        assert [one["event"] for one in lines_of(file_of(tmp_path, "t"))] == ["two"]


def test_the_second_configuration_starts_its_counts_at_zero() -> None:
    with capture_logs():
        logbraid.get_logger("c").info("one")
    with capture_logs():
        assert logbraid.stats().written == 0


def test_a_captured_block_gives_back_the_configuration_it_stood_in() -> None:
    outer: list[str] = []
    with logbraid.configure_logging(
        level="warning", sinks=[lambda _, one: outer.append(one["event"])]
    ):
        logbraid.set_level("info")
        with capture_logs() as inner:
            logbraid.get_logger("c").info("inner")
        logbraid.get_logger("c").info("outer")
        logbraid.get_logger("c").debug("no")
        assert logbraid.stats().written == 1
    assert inner.events == ["inner"]
    assert outer == ["outer"]


def test_processors_run_before_scrubbing_and_may_drop_change_and_add() -> None:
    def step(_: Any, method: str, told: dict[str, Any]) -> dict[str, Any]:
        if told["event"] == "drop":
            raise structlog.DropEvent
        return {**told, "method": method, "added": "password=hunter2secret", "level": "forged"}

    def rename(_: Any, __: str, told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "event": f"<{told['event']}>", "tenant_id": "evil"}

    with (
        capture_logs(processors=[step, rename]) as logs,
        logbraid.bound_context(tenant_id="acme"),
    ):
        logbraid.get_logger("c").info("kept", a=1)
        logbraid.get_logger("c").info("drop")
        logging.getLogger("c").warning("std")
        assert logbraid.stats().dropped["processor"] == 1
    assert logs.events == ["<kept>", "<std>"]
    assert [one["method"] for one in logs] == ["info", "warning"]
    assert [one["level"] for one in logs] == ["info", "warning"]
    assert {one["tenant_id"] for one in logs} == {"acme"}
    assert "hunter2secret" not in str(logs)


def test_the_environment_hands_on_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOL_TRACE_ID", "trace-from-outside")
    with capture_logs() as logs:
        logbraid.get_logger("c").info("e")
    assert logs[0]["trace_id"] == "trace-from-outside"


def test_terminal_format_is_for_people_and_scrubbed(capfd: pytest.CaptureFixture[str]) -> None:
    with logbraid.configure_logging(format="terminal"):
        logbraid.get_logger("c").info("paid", amount=3, password="hunter2secret")
    text = capfd.readouterr().out
    assert "paid" in text
    assert "amount" in text
    assert "hunter2secret" not in text
    assert not text.startswith("{")


def test_auto_format_is_json_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with logbraid.configure_logging(format="auto"):
        logbraid.get_logger("c").info("e")
    assert json.loads(capfd.readouterr().out)["event"] == "e"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there is no pseudo terminal here")
@pytest.mark.parametrize("variable", ["CI", "KUBERNETES_SERVICE_HOST", ""])
def test_auto_format_on_a_terminal_is_for_people_but_not_under_ci(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        with logbraid.configure_logging():
            logbraid.get_logger("c").info("e", a=1)
        monkeypatch.undo()
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert text.startswith("{") == bool(variable)


def test_debug_switches_follow_the_level() -> None:
    heard: list[bool] = []
    with capture_logs(level="info", sdk_debug=[heard.append]):
        logbraid.set_level("debug")
        logbraid.set_level("trace")
        logbraid.set_level("info")
        logbraid.set_level("debug")
    assert heard == [False, True, False, True, False]


def test_threads_that_configure_and_log_at_once_do_no_harm() -> None:
    errors: list[BaseException] = []
    over = threading.Event()

    def log() -> None:
        try:
            while not over.is_set():
                logbraid.get_logger("c").info("e", a=1)
                logging.getLogger("c").info("e")
        except Exception as error:  # noqa: BLE001 - collected for the assertion
            errors.append(error)

    threads = [threading.Thread(target=log) for _ in range(3)]
    with capture_logs():
        for thread in threads:
            thread.start()
        for _ in range(10):
            with capture_logs():
                logbraid.set_level("debug")
        over.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_sinks_of_one_name_have_figures_of_their_own() -> None:
    def audit(_: bytes, record: dict[str, Any]) -> None:
        if record["event"] == "two":
            raise ValueError

    def other() -> Any:
        kept: list[bytes] = []

        def audit(line: bytes, _: dict[str, Any]) -> None:
            kept.append(line)

        return audit

    def stdout(_: bytes, __: dict[str, Any]) -> None:
        pass

    with logbraid.configure_logging(delivery="queue", sinks=[audit, other(), other(), stdout]):
        for event in ("one", "two"):
            logging.getLogger("app").warning(event)
        told = logbraid.stats().sinks
    assert {"queue", "audit", "audit-2", "audit-3", "stdout-2"} <= set(told)
    assert (told["audit"].written, dict(told["audit"].dropped)) == (1, {"sink_error": 1})
    assert (told["audit-2"].written, dict(told["audit-2"].dropped)) == (2, {})
    assert told["stdout-2"].written == 2
