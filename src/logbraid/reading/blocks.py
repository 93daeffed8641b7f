"""The lines of a file in blocks of whole lines, and which of them a literal stands in.

Looking for bytes in a block costs a tenth of parsing its lines, so only lines that hold every
literal of a question are parsed. That a block is whole is still looked at: at each line end an
object must end, and the next one begin like the file's first; where they differ, every line is
parsed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson

from logbraid.reading.findings import Findings
from logbraid.reading.places import LogFile
from logbraid.reading.unpack import BLOCK_BYTES, UnpackError, chunks, open_regular

LONGEST_LINE_BYTES: Final = 16 << 20
"""A line longer than this is damage: no sink of ours writes one longer than its 15 kB."""

Progress = Callable[[int], object]
"""Told how many bytes of a file were read since it was told last."""


class Block(NamedTuple):
    """Some whole lines, each with its newline: ``text[start:end]``, not cut out to save a copy.

    Before them stands the end of a line, behind them the beginning of one, which has no newline.
    ``offset`` is where they begin in the file's text.
    """

    text: bytes
    offset: int
    start: int
    end: int


def blocks(
    file: LogFile, found: Findings, progress: Progress | None = None, size: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Yield the blocks of *file*; count in *found* what cannot be read. Raises nothing for it."""
    if file.is_compressed and not file.path.endswith(".gz"):
        found.lose(file.path, "compressed in another way than with gzip")
        return
    try:
        fd, file = _opened(file)
    except OSError as error:
        found.lose(file.path, f"cannot be opened: {error.strerror or error}")
        return
    try:
        found.files += 1
        yield from _whole_lines(fd, file, found, progress, size)
    except UnpackError as error:
        found.lose(file.path, str(error))
    except OSError as error:
        found.lose(file.path, f"cannot be read: {error.strerror}")
    finally:
        os.close(fd)


def _opened(file: LogFile) -> tuple[int, LogFile]:
    """Open *file*, or what ``compress`` made of it since it was listed."""
    try:
        return open_regular(file.path), file
    except FileNotFoundError:
        if file.is_compressed:
            raise
        packed = LogFile(f"{file.path}.gz", file.tenant, file.day, True, file.size_bytes)
        with suppress(FileNotFoundError):
            return open_regular(packed.path), packed
        raise


def _whole_lines(
    fd: int, file: LogFile, found: Findings, progress: Progress | None, size: int
) -> Iterator[Block]:
    rest: list[bytes] = []
    held = offset = 0
    for piece, cost in chunks(fd, is_compressed=file.is_compressed, size=size):
        found.size_bytes += cost
        if progress is not None:
            progress(cost)
        start = 0
        end = piece.rfind(b"\n") + 1
        if end and rest:  # the line that is in two pieces or more: joined alone
            start = piece.find(b"\n") + 1
            seam = b"".join((*rest, piece[:start]))
            yield Block(seam, offset, 0, len(seam))
            offset += len(seam)
            rest, held = [], 0
        if end > start:
            yield Block(piece, offset, start, end)
            offset += end - start
        if end < len(piece):
            rest.append(piece[end:])
            held += len(piece) - end
        if held > LONGEST_LINE_BYTES:
            rest = [b"\0"]  # nobody's JSON: its end makes it a damaged line
            offset += held - 1
            held = 1
    if held:
        found.tear(file.path)


def lines_of(block: Block) -> Iterator[tuple[bytes, int]]:
    """Yield each line of *block* without its newline, and where it begins."""
    offset = block.offset
    for line in block.text[block.start : block.end].split(b"\n")[:-1]:
        yield line, offset
        offset += len(line) + 1


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object in *line*, or ``None``."""
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    return record if type(record) is dict else None


class Sieve:
    """Finds the lines of a file's blocks that may be asked for, by the literals they must hold."""

    def __init__(self, file: LogFile, literals: tuple[bytes, ...], found: Findings) -> None:
        self._path = file.path
        self._found = found
        self._literals = sorted(literals, key=len, reverse=True)
        self._start = b""

    def records(self, block: Block) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield the line and record of all candidates in *block*; count its damaged lines."""
        if not self._literals or not self._is_whole(block):
            for line, offset in lines_of(block):
                record = self._record(line, offset)
                if record is not None and all(one in line for one in self._literals):
                    yield line, record
            return
        for start, end in self._candidates(block):
            line = block.text[start:end]
            record = self._record(line, block.offset + start - block.start)
            if record is not None:
                yield line, record

    def _record(self, line: bytes, offset: int) -> dict[str, Any] | None:
        record = parsed(line)
        if record is None and line:
            self._found.damage(self._path, offset)
        return record

    def _is_whole(self, block: Block) -> bool:
        text, _, start, end = block
        if not self._start:
            self._start = text[start : text.find(b":", start, start + 80) + 1]
            if not self._start.startswith(b'{"'):
                self._start = b""
                return False
        if not text.startswith(self._start, start) or text[max(end - 2, start) : end] != b"}\n":
            return False
        # What is shorter without its line ends: a third of the time of counting single bytes
        ends = len(text) - len(text.replace(b"\n", b"")) - (start > 0)
        return text.count(b"}\n" + self._start, start, end) == ends - 1

    def _candidates(self, block: Block) -> Iterator[tuple[int, int]]:
        text, _, begin, last = block
        first, *others = self._literals
        at = text.find(first, begin, last)
        while at >= 0:
            start = max(text.rfind(b"\n", begin, at) + 1, begin)
            end = text.find(b"\n", at)
            if all(text.find(one, start, end) >= 0 for one in others):
                yield start, end
            at = text.find(first, end, last)
