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
    """Some whole lines, each with its newline, that begin at ``offset`` of the file's text.

    They are ``text[:end]``; behind stands the beginning of a line, which has no newline.
    """

    text: bytes
    offset: int
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
        end = piece.rfind(b"\n") + 1
        if end:
            # Joined with what comes behind, and not cut first: half the copying
            text = b"".join((*rest, piece)) if rest else piece
            end += held
            yield Block(text, offset, end)
            offset += end
            rest, held = [], 0
            piece = text[end:]  # noqa: PLW2901 - what comes behind the last whole line
        if piece:
            rest.append(piece)
            held += len(piece)
        if held > LONGEST_LINE_BYTES:
            rest = [b"\0"]  # nobody's JSON: its end makes it a damaged line
            offset += held - 1
            held = 1
    if held:
        found.tear(file.path)


def lines_of(block: Block) -> Iterator[tuple[bytes, int]]:
    """Yield each line of *block* without its newline, and where it begins."""
    offset = block.offset
    for line in block.text[: block.end].split(b"\n")[:-1]:
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
        if not self._literals or not self._is_whole(block.text, block.end):
            for line, offset in lines_of(block):
                record = self._record(line, offset)
                if record is not None and all(one in line for one in self._literals):
                    yield line, record
            return
        for start, end in self._candidates(block.text, block.end):
            line = block.text[start:end]
            record = self._record(line, block.offset + start)
            if record is not None:
                yield line, record

    def _record(self, line: bytes, offset: int) -> dict[str, Any] | None:
        record = parsed(line)
        if record is None and line:
            self._found.damage(self._path, offset)
        return record

    def _is_whole(self, text: bytes, end: int) -> bool:
        if not self._start:
            self._start = text[: text.find(b":", 0, 80) + 1]
            if not self._start.startswith(b'{"'):
                self._start = b""
                return False
        if not text.startswith(self._start) or text[max(end - 2, 0) : end] != b"}\n":
            return False
        # What is shorter without its line ends: a third of the time of counting single bytes
        ends = len(text) - len(text.replace(b"\n", b""))
        return text.count(b"}\n" + self._start, 0, end) == ends - 1

    def _candidates(self, text: bytes, last: int) -> Iterator[tuple[int, int]]:
        first, *others = self._literals
        at = text.find(first, 0, last)
        while at >= 0:
            start = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at)
            if all(text.find(one, start, end) >= 0 for one in others):
                yield start, end
            at = text.find(first, end, last)
