"""Compressing the files of closed days, so that no line is lost whoever still writes to them.

The packed file is complete and on disk before the plain one goes. A process that still has the
plain file open looks within a second whether its name is still there; what it wrote until then is
found in the file without a name, and put behind the packed one. Killed in between, both files are
there, ``places.py`` reads one of them, and the next run begins anew.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from logbraid.reading.places import LogFile
from logbraid.reading.unpack import begins_alike, chunks, open_regular
from logbraid.sinks.day_file import LOOK_AGAIN_SECONDS

CLOSED_AFTER: Final = timedelta(hours=1)
STRAGGLERS_SECONDS: Final = LOOK_AGAIN_SECONDS + 0.5
_GROUP: Final = 100
_GZIP: Final = 31
_LEVEL: Final = 6
_UNFINISHED: Final = ".gz.unfinished"


def is_over(day: str, now: datetime) -> bool:
    """Tell whether *day* has been over for long enough that nobody begins to write to it."""
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        return now - start >= timedelta(days=1) + CLOSED_AFTER
    except (ValueError, OverflowError):
        return False


@dataclass(slots=True)
class _Packed:
    """A file that has no name any more, still open, and what of it was packed."""

    fd: int
    path: str
    size: int


@dataclass(slots=True)
class Packer:
    """Packs files; what could not be is told in ``failures``, a sentence each."""

    sleep: Callable[[float], object] = time.sleep
    files: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    failures: list[str] = field(default_factory=list)

    def pack(self, files: Sequence[LogFile], progress: Callable[[int], object]) -> None:
        """Pack *files*, each in its place."""
        for start in range(0, len(files), _GROUP):
            packed: list[_Packed] = []
            try:
                for file in files[start : start + _GROUP]:
                    self._pack_one(file, packed, progress)
            finally:
                self._add_stragglers(packed)

    def _pack_one(
        self, file: LogFile, packed: list[_Packed], progress: Callable[[int], object]
    ) -> None:
        try:
            done = self._packed(file, progress)
        except OSError as error:
            self.failures.append(f"{file.path}: not compressed: {error.strerror or error}")
            return
        packed.append(done)
        self.files += 1
        self.bytes_before += done.size

    def _packed(self, file: LogFile, progress: Callable[[int], object]) -> _Packed:
        target = f"{file.path}.gz"
        if os.path.lexists(target) and not begins_alike(target, file.path):
            raise OSError("there is a compressed file of that day already, with other lines")
        fd = open_regular(file.path)
        unfinished = f"{file.path}{_UNFINISHED}"
        try:
            found = _ours(fd)
            with suppress(FileNotFoundError):
                os.unlink(unfinished)  # noqa: PTH108 - text
            size = _write_packed(fd, unfinished, found, progress)
            os.replace(unfinished, target)  # noqa: PTH105 - text
            _sync_directory(target)
            os.unlink(file.path)  # noqa: PTH108 - text
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                os.unlink(unfinished)  # noqa: PTH108 - text
            raise
        return _Packed(fd, target, size)

    def _add_stragglers(self, packed: Sequence[_Packed]) -> None:
        if packed:
            self.sleep(STRAGGLERS_SECONDS)
        for one in packed:
            try:
                _append_rest(one)
                self.bytes_after += os.stat(one.path).st_size  # noqa: PTH116 - text
            except OSError as error:
                self.failures.append(f"{one.path}: last lines not added: {error.strerror}")
            finally:
                os.close(one.fd)


def _ours(fd: int) -> os.stat_result:
    found = os.fstat(fd)
    if found.st_nlink > 1 or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise OSError("it is another user's, or has several names")
    return found


def _write_packed(
    fd: int, path: str, found: os.stat_result, progress: Callable[[int], object]
) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    out = os.open(path, flags | getattr(os, "O_BINARY", 0), stat.S_IMODE(found.st_mode))
    size = 0
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(out, stat.S_IMODE(found.st_mode))
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        for text, cost in chunks(fd, is_compressed=False):
            _write(out, packer.compress(text))
            size += cost
            progress(cost)
        _write(out, packer.flush())
        os.fsync(out)
    finally:
        os.close(out)
    return size


def _append_rest(packed: _Packed) -> None:
    """Put behind a packed file what was written to the plain one since."""
    os.lseek(packed.fd, packed.size, os.SEEK_SET)
    rest = b"".join(text for text, _ in chunks(packed.fd, is_compressed=False))
    if not rest:
        return
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    out = os.open(packed.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        _write(out, packer.compress(rest) + packer.flush())
        os.fsync(out)
    finally:
        os.close(out)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_directory(path: str) -> None:
    with suppress(OSError):  # Windows cannot
        fd = os.open(os.path.dirname(path), os.O_RDONLY)  # noqa: PTH120 - text
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
