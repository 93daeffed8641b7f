"""Our handlers in someone else's ``dictConfig``: their levels, our lines."""

from __future__ import annotations

import json
import logging
import logging.config
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import logbraid
from logbraid.context import bound_context
from logbraid.handlers import StdoutHandler, TenantFileHandler
from logbraid.integrations.json_logger import TracingJsonFormatter


def file_of(directory: Path, tenant: str) -> Path:
    return directory / tenant / f"{datetime.now(UTC):%Y-%m-%d}.jsonl"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("handlers.own")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    yield made
    for handler in [one for one in made.handlers if type(one).__module__ == "logbraid.handlers"]:
        made.removeHandler(handler)
        handler.close()
    made.propagate = True
    made.setLevel(logging.NOTSET)


def test_stdout_handler_writes_scrubbed_lines(
    logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    logger.addHandler(StdoutHandler())
    with bound_context(tenant_id="acme"):
        logger.info("paid %s", 3, extra={"password": "hunter2secret", "tenant_id": "evil"})
    told = json.loads(capfd.readouterr().out)
    assert (told["event"], told["tenant_id"], told["tenant_id_"]) == ("paid 3", "acme", "evil")
    assert told["password"] == "[REDACTED:password]"


def test_levels_of_handler_and_logger_decide(
    logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    logger.addHandler(StdoutHandler("WARNING"))
    logger.addHandler(StdoutHandler(logging.DEBUG))
    logger.debug("once")
    logger.warning("twice")
    events = [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()]
    assert sorted(events) == ["once", "twice", "twice"]


def test_tenant_file_handler_writes_to_each_tenants_file_and_closes(
    logger: logging.Logger, tmp_path: Path
) -> None:
    logger.addHandler(TenantFileHandler(tmp_path, instance=None, file_mode=0o640))
    for tenant in ("acme", "other"):
        with bound_context(tenant_id=tenant):
            logger.info("e")
    logger.info("without")
    for tenant in ("acme", "other", "_unknown"):
        assert len(lines_of(file_of(tmp_path, tenant))) == 1
    assert stat.S_IMODE(file_of(tmp_path, "acme").stat().st_mode) == 0o640
    handler = next(one for one in logger.handlers if isinstance(one, TenantFileHandler))
    handler.flush()
    handler.close()
    logger.info("after close: dropped, not raised")
    assert len(lines_of(file_of(tmp_path, "acme"))) == 1


def test_a_directory_that_cannot_be_written_raises_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        TenantFileHandler(tmp_path / "file" / "logs")


def test_they_stand_in_a_dict_config_under_a_configuration_of_ours(
    tmp_path: Path,
) -> None:
    text = f"""
import logging.config, logbraid
logging.config.dictConfig({{
    "version": 1,
    "handlers": {{
        "out": {{"class": "logbraid.handlers.StdoutHandler"}},
        "files": {{"class": "logbraid.handlers.TenantFileHandler", "log_dir": {str(tmp_path)!r}}},
    }},
    "root": {{"handlers": ["out", "files"], "level": "INFO"}},
}})
with logbraid.bound_context(tenant_id="acme"):
    logging.getLogger("n").info("e", extra={{"a": 1}})
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        one | {"timestamp": json.loads(done.stdout)["timestamp"]}
        for one in lines_of(file_of(tmp_path, "acme"))
    ]


def test_configure_logging_beside_our_handlers_does_not_call_them_unscrubbed(
    logger: logging.Logger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger.addHandler(TenantFileHandler(tmp_path))
    formatted = logging.FileHandler(tmp_path / "own.log")
    formatted.setFormatter(TracingJsonFormatter())
    logger.addHandler(formatted)
    with logbraid.configure_logging():
        logbraid.set_level("info")
        window = logbraid.debug_for(seconds=60, tenant_id="acme")
        assert window.skipped == ("handlers.own",)  # a window's records are not for them
        report = logbraid.check()
    assert "handlers.own" not in capfd.readouterr().err
    assert not [text for text in report.problems if "not scrubbed" in text]
    logger.removeHandler(formatted)
    formatted.close()


def test_a_handler_that_logs_itself_ends(logger: logging.Logger, tmp_path: Path) -> None:
    class Loud:
        def __repr__(self) -> str:
            logger.info("inner", extra={"again": Loud()})
            return "Loud()"

    logger.addHandler(TenantFileHandler(tmp_path))
    logger.info("outer", extra={"value": Loud()})
    events = [one["event"] for one in lines_of(file_of(tmp_path, "_unknown"))]
    assert "outer" in events
    assert len(events) <= 2


def test_a_record_that_no_line_can_be_made_of_is_told_and_raises_nothing(tmp_path: Path) -> None:
    handler = TenantFileHandler(tmp_path)
    record = logging.LogRecord("app", logging.ERROR, "f", 1, "hello", None, None)
    del record.funcName
    handler.handle(record)
    handler.close()
    (line,) = lines_of(file_of(tmp_path, "_unknown"))
    assert (line["event"], line["level"]) == ("hello", "error")
    assert line["format_error"] == "AttributeError"


def test_a_record_without_level_name_and_time_is_written_as_an_error(tmp_path: Path) -> None:
    handler = TenantFileHandler(tmp_path)
    handler.handle(logging.makeLogRecord({"msg": "hello", "created": None}))
    handler.close()
    (line,) = lines_of(file_of(tmp_path, "_unknown"))
    assert (line["event"], line["level"], line["logger"]) == ("hello", "error", "root")
