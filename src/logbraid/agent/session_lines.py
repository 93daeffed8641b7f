r"""What stands in the file of a session: a header, numbered events, footers.

One JSON object a line:

::

    {"kind":"header","version":1,"started":"2026-...Z","tenant_id":"acme","session_id":"s-1", ...}
    {"seq":1,"timestamp":"2026-...Z","type":"tool_start","data":{...},"tenant_id":"acme", ...}
    {"seq":2, ...}
    {"kind":"footer","last_seq":2,"events":2,"counts":{"tool_start":1, ...},"ended":"2026-...Z"}

A footer says what stands above it; a session that goes on after one is numbered on. Not here: who
may write (``session_file.py``), and what is told of a file to whoever reads it (``replay.py``).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from logbraid.agent.clean import MAX_LINE_BYTES
from logbraid.encode import encode_line
from logbraid.record import ID_NAMES, Plain

VERSION: Final = 1
HEADER: Final = "header"
FOOTER: Final = "footer"
OTHERS: Final = "_other"
"""Under which a footer counts the types beyond the first ``MAX_TYPES``."""

MAX_TYPES: Final = 200
_LONGEST_LINE: Final = 4 * MAX_LINE_BYTES
_CHUNK: Final = 65_536
_UNREADABLE: Final = b"\0"
_FIRST_LOOK: Final = 4096
_LONGEST_LOOK: Final = 16 * MAX_LINE_BYTES


def _read_at(fd: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows
    return os.read(fd, size)


class Text(NamedTuple):
    """One line as it stands in the file, without its newline, and where the next one begins.

    *is_ended* is false for a last line that no newline ends.
    """

    line: bytes
    is_ended: bool
    end: int


def texts(fd: int, start: int = 0, stop: int | None = None) -> Iterator[Text]:
    """Yield the lines of the file behind *fd* between two offsets, in bounded memory.

    A line longer than any of ours comes as one that nobody can read.
    """
    rest = b""
    offset = start
    is_cut = False
    while stop is None or offset < stop:
        size = _CHUNK if stop is None else min(_CHUNK, stop - offset)
        chunk = _read_at(fd, size, offset)
        if not chunk:
            break
        pieces = (rest + chunk).split(b"\n")
        end = offset - len(rest)
        for piece in pieces[:-1]:
            end += len(piece) + 1
            yield Text(_UNREADABLE if is_cut else piece, is_ended=True, end=end)
            is_cut = False
        rest = pieces[-1]
        offset += len(chunk)
        if len(rest) > _LONGEST_LINE:
            rest = b""
            is_cut = True
    if rest or is_cut:
        yield Text(_UNREADABLE if is_cut else rest, is_ended=False, end=offset)


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object in *line*, or ``None`` if there is no whole one."""
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    return row if type(row) is dict else None


def seq_of(row: dict[str, Any] | None) -> int | None:
    """Return the number of the last event that *row* speaks of; ``None`` if it speaks of none."""
    number = None if row is None else row.get("last_seq" if row.get("kind") else "seq")
    return number if type(number) is int and number > 0 else None


class Tail(NamedTuple):
    """How a file ends: the last number given, a line without end, a footer as its last line."""

    last_seq: int
    is_torn: bool
    is_footer: bool


def tail_of(fd: int, size: int) -> Tail:
    """Look at the end of a file of *size* bytes: mostly one read of 4 kB."""
    is_torn = size > 0 and _read_at(fd, 1, size - 1) != b"\n"
    length = _FIRST_LOOK
    while True:
        start = max(size - length, 0)
        lines = _read_at(fd, size - start, start).split(b"\n")
        for line in reversed(lines[1:] if start else lines):
            row = parsed(line)
            number = seq_of(row)
            if row is not None and number is not None:
                is_last = line == lines[-1] or (not is_torn and line == lines[-2])
                return Tail(number, is_torn, is_last and row.get("kind") == FOOTER)
        if not start:
            return Tail(0, is_torn, is_footer=False)
        if length >= _LONGEST_LOOK:  # longer than many lines, and none of them is readable
            numbers = (seq_of(parsed(text.line)) or 0 for text in texts(fd, 0, start))
            return Tail(max(numbers, default=0), is_torn, is_footer=False)
        length *= 8


@dataclass(slots=True)
class Census:
    """The events of a file by type, counted up to the offset *upto*."""

    counts: Counter[str]
    upto: int = 0

    @classmethod
    def empty(cls) -> Census:
        """Return the census of nothing."""
        return cls(Counter())

    def go_on(self, fd: int, size: int) -> None:
        """Count what stands between where it stopped and *size*; a line without end comes later."""
        for text in texts(fd, self.upto, size):
            if not text.is_ended:
                return
            self.upto = text.end
            self._add(parsed(text.line))

    def _add(self, row: dict[str, Any] | None) -> None:
        if row is None or row.get("kind") or seq_of(row) is None:
            return
        name = str(row.get("type"))
        if name not in self.counts and len(self.counts) >= MAX_TYPES:
            name = OTHERS
        self.counts[name] += 1


def numbered(line: bytes, seq: int) -> bytes:
    """Return the line of an event with its number in front."""
    return b'{"seq":%d,%b' % (seq, line[1:])


def header_of(line: bytes) -> bytes:
    """Return the header of a file whose first event is *line*: its ids, and when it began."""
    told = parsed(line) or {}
    header: dict[str, Plain] = {
        "kind": HEADER,
        "version": VERSION,
        "started": told.get("timestamp"),
    }
    header.update((name, told[name]) for name in ID_NAMES if name in told)
    return encode_line(header, max_line_bytes=MAX_LINE_BYTES, notes={})


def footer_of(census: Census, last_seq: int, stamp: str) -> bytes:
    """Return the footer for what was counted, written at *stamp*."""
    footer: dict[str, Plain] = {
        "kind": FOOTER,
        "last_seq": last_seq,
        "events": census.counts.total(),
        "counts": dict(sorted(census.counts.items())),
        "ended": stamp,
    }
    return encode_line(footer, max_line_bytes=MAX_LINE_BYTES, notes={})
