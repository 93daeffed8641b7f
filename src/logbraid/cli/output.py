"""How answers leave: bytes to standard output, drawn for people or as JSON.

Nothing that a log holds can control a terminal: what is not printable leaves as its escape.

Lines go out at the end of each block and before every wait, so that a pipe sees them as they
come; a reader that went away ends the command quietly (``main.py``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO, Final, TextIO

from logbraid.cli.options import Output
from logbraid.encode import finish
from logbraid.reading.blocks import parsed
from logbraid.reading.filters import level_rank
from logbraid.record import level_word
from logbraid.sinks.terminal import clean, drawer, wants_colors

_HELD_BYTES: Final = 1 << 16


class ReaderLeftError(Exception):
    """Whoever read standard output went away: what came was enough."""


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether people look at *stream*."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def standard_output() -> BinaryIO:
    """Return standard output for bytes; raises ``OSError`` where there is none."""
    if sys.stdout is None:
        raise OSError("there is no standard output")
    sys.stdout.flush()
    return sys.stdout.buffer


def json_line(record: Any) -> bytes:
    """Return *record* as one line of JSON without its end."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return finish(text.encode("utf-8", "replace"))


def safe_line(line: bytes, *, for_people: bool) -> bytes:
    """Return a line of JSON that a terminal shows as text; still the same JSON.

    Characters that forge or hide stand raw only inside strings, where an escape means the same.
    """
    line = finish(line)
    if not for_people or line.isascii():
        return line
    text = line.decode("utf-8", "replace")
    if text.isprintable():
        return line
    return "".join(char if char.isprintable() else _escaped(char) for char in text).encode()


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1]


def _local_day(stamp: object) -> str:
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(stamp, str):
            return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d}"
    return ""


def _for_people(record: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of *record* with what every line has: other programs' levels, actions."""
    shown = dict(record)
    if "event" not in shown and isinstance(shown.get("action"), str):  # an entry of a tracer
        shown["event"] = shown.pop("action")
        shown.setdefault("level", "error" if shown.get("success") is False else "info")
    rank = level_rank(shown.get("level"))
    if rank is not None:
        shown["level"] = level_word(rank)
    if "" in shown:  # the renderer has a meaning for it
        shown['""'] = shown.pop("")
    return shown


class Printer:
    """Shows records one after the other, in the form that was asked for."""

    def __init__(
        self,
        output: Output,
        *,
        draw: Callable[[dict[str, Any]], str] | None = None,
    ) -> None:
        self._out = standard_output()
        self._output = output
        self._draw = draw or drawer(colors=wants_colors(sys.stdout))
        self._for_people = is_terminal(sys.stdout)
        self._held: list[bytes] = []
        self._size = 0
        self._is_first = True
        self._day = f"{datetime.now().astimezone():%Y-%m-%d}"

    def line(self, line: bytes, record: dict[str, Any] | None = None) -> None:
        """Show a record by its line; *record* is what is in it, where that is known."""
        if self._output is Output.table:
            shown = _for_people(parsed(line) or {} if record is None else record)
            self._day_of(shown.get("timestamp"))
            self.text(self._draw(shown))
            return
        self._json(safe_line(line, for_people=self._for_people))

    def _day_of(self, stamp: object) -> None:
        """Write the day, where a time alone would not say which it is."""
        day = _local_day(stamp)
        if day and day != self._day:
            self.text(f"-- {day}")
            self._day = day

    def record(self, record: dict[str, Any]) -> None:
        """Show a record that has no line of its own."""
        self.line(json_line(record), record)

    def other(self, text: str, line: bytes) -> None:
        """Show what is no record: *text* for people, *line* as JSON."""
        if self._output is Output.table:
            self.text(text)
        else:
            self.line(line)

    def blank(self) -> None:
        """Write an empty line for people; JSON has none."""
        if self._output is Output.table:
            self.text("")

    def text(self, text: str) -> None:
        """Write a line for people, which is clean already."""
        self._put(f"{text}\n".encode("utf-8", "backslashreplace"))

    def _json(self, line: bytes) -> None:
        if self._output is Output.jsonl:
            self._put(line + b"\n")
            return
        self._put((b"[\n" if self._is_first else b",\n") + line)
        self._is_first = False

    def _put(self, text: bytes) -> None:
        self._held.append(text)
        self._size += len(text)
        if self._size >= _HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        if self._held:
            self._out.write(b"".join(self._held))
            self._held.clear()
            self._size = 0
        self._out.flush()

    def end(self) -> None:
        """Write what is held back, and the end of a JSON document."""
        if self._output is Output.json:
            self._held.append(b"[]\n" if self._is_first else b"\n]\n")
        self.flush()


def print_text(text: str) -> None:
    """Write *text* for people, each line made safe for a terminal."""
    out = standard_output()
    lines = (clean(line) for line in text.splitlines())
    out.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    out.flush()


def print_json(document: Any, output: Output) -> None:
    """Write one JSON document: indented, or as one line."""
    out = standard_output()
    if output is Output.jsonl:
        text = json_line(document)
    else:
        text = finish(json.dumps(document, ensure_ascii=False, indent=2, default=str).encode())
    lines = text.split(b"\n")
    for_people = is_terminal(sys.stdout)
    out.write(b"".join(safe_line(line, for_people=for_people) + b"\n" for line in lines))
    out.flush()
