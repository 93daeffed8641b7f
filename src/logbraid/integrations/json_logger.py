"""The door from python-json-logger: a formatter that can stand where its own stands.

For those who keep their handlers and their ``dictConfig``. What it returns is the line that every
other door makes: same context, same scrubbing, same order.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import orjson
from pythonjsonlogger.core import BaseJsonFormatter

from logbraid import pipeline
from logbraid.encode import finish
from logbraid.health import health
from logbraid.integrations.stdlib import extras, text_of, to_record
from logbraid.plain.texts import unique_name
from logbraid.record import ERROR, LEVEL_WORDS, Record

_SAID_ANYWAY: Final = frozenset(
    {"message", "asctime", "levelname", "levelno", "name", "exc_info", "exc_text", "stack_info"}
)


class TracingJsonFormatter(BaseJsonFormatter):
    """Format a record as logbraid's JSON line, without its line end.

    Of python-json-logger's options ``static_fields`` and ``defaults`` are fields of every line,
    attributes named in ``fmt`` (``%(threadName)s``) are added, ``rename_fields`` renames what
    stands in the line, ``prefix`` stands before it. Its other options have no meaning here.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._named = [name for name in self._required_fields if name not in _SAID_ANYWAY]
        self._fixed = {**self.defaults, **self.static_fields}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*; never raises."""
        try:
            return self._line(record)
        except Exception as error:  # noqa: BLE001 - a record of anyone's making
            health.complain("record", error)
            text = f"<{type(record.msg).__name__}>"
            made = pipeline.ready().made(
                Record(ERROR, "root", text, format_error=type(error).__name__, admitted=True)
            )
            return self.prefix + ("{}" if made is None else made.text[:-1].decode())

    def _line(self, record: logging.LogRecord) -> str:
        active = pipeline.ready()
        fields = {**self._fixed, **extras(record)}
        for name in self._named:
            if name in record.__dict__:
                fields.setdefault(name, record.__dict__[name])
        line = None
        if not record.exc_info and not record.stack_info and record.levelno in LEVEL_WORDS:
            event = text_of(record)
            if event is not None:
                short = active.fastpath.line(record.levelno, record.name, event, fields)
                line = short[0] if short is not None else None
        if line is None:
            full = to_record(record, admitted=True)
            full.fields = {**fields, **full.fields}
            made = active.made(full)
            line = b"{}\n" if made is None else made.text
        if self.rename_fields:
            line = self._renamed(line)
        return self.prefix + line[:-1].decode()

    def _renamed(self, line: bytes) -> bytes:
        told: dict[str, Any] = orjson.loads(line)
        renamed: dict[str, Any] = {}
        for name, value in told.items():
            renamed[unique_name(str(self.rename_fields.get(name, name)), renamed)] = value
        return finish(orjson.dumps(renamed) + b"\n")
