"""python-json-logger's seam: our line from a formatter on a handler of someone else."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.json_logger import TracingJsonFormatter
from logbraid.testing import capture_logs


class Own:
    """A logger with a handler of its own."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.logger = logging.getLogger("formatter.own")
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.handlers[:] = [self.handler]

    def told(self, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        """Set a formatter made with these options, log nothing yet; return what was written."""
        self.handler.setFormatter(TracingJsonFormatter(*args, **kwargs))
        return self.lines

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def own() -> Iterator[Own]:
    made = Own()
    made.told()
    yield made
    made.logger.handlers.clear()
    made.logger.propagate = True
    made.logger.setLevel(logging.NOTSET)


def test_it_works_without_any_configuration_of_ours(own: Own) -> None:
    own.logger.info("paid %s", 3, extra={"password": "hunter2secret", "a": 1})
    (told,) = own.lines
    assert list(told)[:4] == ["timestamp", "level", "logger", "event"]
    assert (told["event"], told["password"], told["a"]) == ("paid 3", "[REDACTED:password]", 1)


def test_it_has_the_context_and_the_settings_in_force(own: Own) -> None:
    with capture_logs(service="shop"), bound_context(tenant_id="acme"):
        own.logger.info("e", extra={"tenant_id": "evil"})
    (told,) = own.lines
    assert (told["service"], told["tenant_id"], told["tenant_id_"]) == ("shop", "acme", "evil")


def test_the_level_of_its_logger_decides_and_not_ours(own: Own) -> None:
    with capture_logs(level="error"):
        own.logger.debug("heard", exc_info=ValueError("told"))
        own.logger.debug("heard")
    assert [one["event"] for one in own.lines] == ["heard", "heard"]


def test_static_fields_and_defaults_are_on_every_line(own: Own) -> None:
    own.told(static_fields={"part": "a"}, defaults={"shop": "none"})
    own.logger.info("short")
    own.logger.info("short", extra={"shop": "s-1"})
    own.logger.error("long", exc_info=ValueError("told"))
    assert [one["part"] for one in own.lines] == ["a"] * 3
    assert [one["shop"] for one in own.lines] == ["none", "s-1", "none"]


def test_attributes_named_in_the_format_are_added(own: Own) -> None:
    own.told("%(message)s %(threadName)s %(lineno)d %(levelname)s %(name)s %(asctime)s")
    own.logger.info("e")
    (told,) = own.lines
    assert told["threadName"] == "MainThread"
    assert isinstance(told["lineno"], int)
    assert not {"message", "levelname", "name", "asctime"} & set(told)


def test_fields_are_renamed_and_a_prefix_is_put_before(own: Own) -> None:
    own.told(rename_fields={"event": "message", "level": "severity"}, prefix="@cee: ")
    own.logger.info("e")
    text = own.stream.getvalue()
    assert text.startswith("@cee: {")
    told = json.loads(text.removeprefix("@cee: "))
    assert (told["message"], told["severity"]) == ("e", "info")
    assert "event" not in told


def test_renaming_onto_a_name_that_is_there_keeps_both(own: Own) -> None:
    own.told(rename_fields={"event": "message"})
    own.logger.info("e", extra={"shop": 1, "note": "n"})
    own.logger.handle(logging.makeLogRecord({"name": "n", "levelno": 20, "msg": "e", "custom": 1}))
    names = own.stream.getvalue().splitlines()[0]
    assert names.count('"message"') == 1


def test_exceptions_and_stacks_are_written_by_it(own: Own) -> None:
    own.logger.error("e", exc_info=ValueError("password=hunter2secret"), stack_info=True)
    (told,) = own.lines
    assert told["error_type"] == "ValueError"
    assert told["stack"].startswith("Stack (most recent call last):")
    assert "hunter2secret" not in own.stream.getvalue()


def test_it_stands_in_a_dict_config(own: Own) -> None:
    with capture_logs():
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {
                    "json": {
                        "()": "logbraid.integrations.json_logger.TracingJsonFormatter",
                        "static_fields": {"from": "dict"},
                    }
                },
                "handlers": {
                    "own": {
                        "class": "logging.StreamHandler",
                        "stream": own.stream,
                        "formatter": "json",
                    }
                },
                "loggers": {
                    "formatter.own": {"handlers": ["own"], "level": "INFO", "propagate": False}
                },
            }
        )
        own.logger.info("e")
    assert [(one["event"], one["from"]) for one in own.lines] == [("e", "dict")]


def test_it_does_not_change_the_record() -> None:
    error = ValueError("told")
    record = logging.makeLogRecord(
        {
            "name": "n",
            "levelno": 40,
            "msg": "token %s",
            "args": ("hunter2secret",),
            "exc_info": (ValueError, error, None),
            "shop": {"password": "hunter2secret"},
        }
    )
    before = dict(record.__dict__)
    TracingJsonFormatter().format(record)
    assert record.__dict__ == before


def test_a_formatted_record_that_logs_itself_ends(own: Own) -> None:
    class Loud:
        def __repr__(self) -> str:
            own.logger.info("inner", extra={"again": Loud()})
            return "Loud()"

    with capture_logs():
        own.logger.info("outer", extra={"value": Loud()})
        dropped = logbraid.stats().dropped["reentrant"]
    assert "outer" in [one.get("event") for one in own.lines]
    assert dropped >= 1
