"""Lines for people: the finished JSON line, drawn by structlog's ``ConsoleRenderer``.

It is drawn from the line itself, so it is scrubbed and cut like every other. No value can forge a
line or colour the screen: what is not printable is shown as an escape, and the only new lines are
those of a traceback, each indented.

Not here: which stream takes it and how; that is ``StdoutSink``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TextIO

import orjson

from logbraid.health import Health, health
from logbraid.record import ID_NAMES, LEVEL_WORDS
from logbraid.sinks.batch import Item
from logbraid.sinks.stdout import StdoutSink

_EVENT_WIDTH: Final = 30
_LONGEST_SHOWN_ID: Final = 16
_is_machine_made = re.compile(r"[0-9a-f-]+").fullmatch
_needs_quotes = re.compile(r"""[\s="'\\]""").search
_FAILURE: Final = ("exception", "stack")
_RENDERERS: Final = frozenset({"exc_info", "logger_name"})  # the renderer gives these a meaning
_WORDS: Final = frozenset(LEVEL_WORDS.values())

Renderer = Callable[[Any, str, dict[str, Any]], str]


class TerminalSink:
    """Show each record as local time, level, event, logger, fields, and the traceback below.

    Colours on a terminal only, unless *colors* says so; ``NO_COLOR`` and ``FORCE_COLOR`` are
    heeded. Long ids of machines are shown by their last eight characters. Costs about 30 us a
    line and, at the first one, the import of ``structlog.dev`` (70 ms).
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        colors: bool | None = None,
        name: str = "terminal",
        lock: bool = True,
        environ: Mapping[str, str] = os.environ,
        health: Health = health,
    ) -> None:
        self.name = name
        self._colors = wants_colors(stream, environ) if colors is None else colors
        self._renderer: Callable[[dict[str, Any]], str] | None = None
        self._out = StdoutSink(stream, name=name, lock=lock, health=health)
        self.runs_foreign_code = self._out.runs_foreign_code

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        """Draw *line* and write the text in one go."""
        self._out.write(self._draw(line), tenant, day)

    def write_many(self, items: Sequence[Item]) -> Sequence[Item]:
        """Draw *items* and write their texts in few calls; return those that failed."""
        drawn = [(self._draw(line), tenant, day) for line, tenant, day in items]
        failed = self._out.write_many(drawn)
        return items[len(items) - len(failed) :]

    def _draw(self, line: bytes) -> bytes:
        if self._renderer is None:
            self._renderer = drawer(colors=self._colors)
        return f"{self._renderer(orjson.loads(line))}\n".encode("utf-8", "replace")

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Return True: nothing is held back here."""
        return self._out.flush(timeout_seconds)

    def reopen(self) -> None:
        """Do nothing: a standard stream has no name to open it by."""

    def close(self) -> None:
        """Stop writing. The stream is the process's and stays open."""
        self._out.close()


def wants_colors(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether *stream* is to be coloured (no-color.org; ``FORCE_COLOR`` as in npm)."""
    if environ.get("NO_COLOR") or not _can_color():
        return False
    if environ.get("FORCE_COLOR"):
        return True
    try:
        return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def _can_color() -> bool:
    return sys.platform != "win32" or importlib.util.find_spec("colorama") is not None


def drawer(*, colors: bool) -> Callable[[dict[str, Any]], str]:
    """Return what draws a record as text for people; it takes the record apart."""
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415 - 70 ms that only people pay

    renderer: Renderer = ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=_EVENT_WIDTH)
    return lambda record: renderer(None, "", _shown(record))


class _Shown:
    """A text that the renderer takes as it is, instead of quoting it again."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """Return *record* for the renderer: short times and ids, every text clean."""
    shown: dict[str, Any] = {"timestamp": _local_time(str(record.pop("timestamp", "")))}
    level = record.pop("level", None)
    shown["level"] = level if isinstance(level, str) and level in _WORDS else "notset"
    shown["event"] = clean(str(record.pop("event", "")))
    logger = record.pop("logger", None)
    if logger:
        shown["logger"] = clean(str(logger))
    for name, value in record.items():
        if name in _FAILURE and isinstance(value, str):
            shown[name] = _indented(value)
            continue
        key = f"{name}_" if name in _RENDERERS or name in _FAILURE else clean(name)
        shown[key] = _Shown(_short(value) if name in ID_NAMES else _text_of(value))
    return shown


def _local_time(stamp: str) -> str:
    try:
        moment = datetime.fromisoformat(stamp).astimezone()
    except (ValueError, OverflowError, OSError):
        return clean(stamp)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _short(value: Any) -> str:
    text = _text_of(value)
    if len(text) <= _LONGEST_SHOWN_ID or not _is_machine_made(text):
        return text
    return f"..{text[-8:]}"  # the end: UUIDs of one minute begin alike


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        return clean(repr(value))
    if not value or _needs_quotes(value) or not value.isprintable():
        return repr(value)
    return value


def clean(text: str) -> str:
    """Return *text* with every character that is not printable as its escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {clean(row)}" for row in text.rstrip("\n").split("\n"))
