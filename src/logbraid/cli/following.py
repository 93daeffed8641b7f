"""Following files that grow: whole new lines of any number of them, over midnight and tenants.

No file is held open and no name is watched: each round looks at sizes, and once a second at the
directories that changed. A line without its end waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from logbraid.reading.unpack import open_regular

_CHUNK: Final = 1 << 20
_TAIL: Final = 1 << 16


@dataclass(slots=True)
class Followed:
    """One file: ``offset`` is where its first line stands that was not given out yet."""

    path: str
    inode: tuple[int, int]
    offset: int


class Follower:
    """Gives out the lines that were added to files since it was asked last.

    *list_files* returns the paths there are now; it is asked at each ``look_around``.
    """

    def __init__(self, list_files: Callable[[], list[str]]) -> None:
        self._list_files = list_files
        self._files: dict[str, Followed] = {}

    def start(self, most_lines: int) -> Iterator[tuple[str, bytes]]:
        """Yield path and line of the last *most_lines* of each file; begin behind them."""
        for path in self._list_files():
            with suppress(OSError):
                fd = open_regular(path)
                try:
                    found = os.fstat(fd)
                    lines, end = last_lines(fd, found.st_size, most_lines)
                finally:
                    os.close(fd)
                self._files[path] = Followed(path, (found.st_dev, found.st_ino), end)
                for line in lines:
                    yield path, line

    def look_around(self) -> None:
        """Find files that came and forget those that went."""
        paths = set(self._list_files())
        for path in [one for one in self._files if one not in paths]:
            del self._files[path]
        for path in sorted(paths - self._files.keys()):
            with suppress(OSError):
                found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - text
                self._files[path] = Followed(path, (found.st_dev, found.st_ino), 0)

    def new_lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and line of what was added, file by file."""
        for file in list(self._files.values()):
            with suppress(OSError):
                found = os.stat(file.path, follow_symlinks=False)  # noqa: PTH116 - text
                inode = (found.st_dev, found.st_ino)
                if inode != file.inode or found.st_size < file.offset:
                    file.inode, file.offset = inode, 0  # another file, or emptied
                if found.st_size > file.offset:
                    yield from self._added(file)

    def _added(self, file: Followed) -> Iterator[tuple[str, bytes]]:
        fd = open_regular(file.path)
        try:
            os.lseek(fd, file.offset, os.SEEK_SET)
            rest = b""
            while chunk := os.read(fd, _CHUNK):
                head, newline, tail = (rest + chunk).rpartition(b"\n")
                rest = tail
                if not newline:
                    continue
                file.offset += len(head) + 1
                for line in head.split(b"\n"):
                    yield file.path, line
        finally:
            os.close(fd)


def last_lines(fd: int, size: int, most: int) -> tuple[list[bytes], int]:
    """Return the last *most* whole lines of a file and the offset behind them."""
    start, ends = size, 0
    parts: list[bytes] = []
    while start > 0 and ends <= most:
        begin = max(start - _TAIL, 0)
        os.lseek(fd, begin, os.SEEK_SET)
        parts.append(_exactly(fd, start - begin))
        ends += parts[-1].count(b"\n")
        start = begin
    text = b"".join(reversed(parts))
    whole, newline, torn = text.rpartition(b"\n")
    if not newline:
        return [], 0 if start == 0 else size
    lines = whole.split(b"\n")
    return (lines[-most:] if most else []), size - len(torn)


def _exactly(fd: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
