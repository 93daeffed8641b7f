r"""A descriptor to which whole lines are written: what happens when the system takes only a part.

A disk that fills up takes the first half of a line and refuses the second; a non-blocking pipe
takes what fits. Here the line goes on from where it stopped, and where it cannot, the descriptor
remembers that its last line is torn: the next one begins with ``\n``, so that a reader loses
exactly one line and never two glued together.

Not here: which lines go to which descriptor, and locks between writers.
"""

from __future__ import annotations

import os
import select
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

_poll = getattr(select, "poll", None)  # not on Windows
_POLLOUT: Final[int] = getattr(select, "POLLOUT", 4)
_NEWLINE: Final = 10
_SETTLE_SECONDS: Final = (0.001, 0.002, 0.004, 0.008, 0.016)
"""Waits for a writer that the system took off its processor in the middle of a line."""

SLICE_SECONDS: Final = 0.5
"""How long one wait for room lasts before signals and the state of the pipe are looked at anew."""


class Descriptor:
    """An open file descriptor and whether the last line on it is torn."""

    __slots__ = ("_done", "fd", "torn")

    # In the class: at interpreter shutdown a module's globals may already be gone.
    _write = staticmethod(os.write)

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.torn = False
        self._done = 0

    def write(self, line: bytes) -> None:
        """Write *line* whole, or raise ``OSError``. Blocks while a pipe is full, as print does."""
        if self.torn:
            line = b"\n" + line
        try:
            done = self._write(self.fd, line)
        except BlockingIOError:
            done = 0
        if done != len(line):
            self.go_on(line, done)
        self.torn = False

    def go_on(self, line: bytes, done: int) -> None:
        """Write what is left of *line* after its first *done* bytes."""
        rest = memoryview(line)
        try:
            while done < len(line):
                try:
                    done += self._write(self.fd, rest[done:])
                except BlockingIOError:
                    is_writable(self.fd, SLICE_SECONDS)
        except BaseException:  # KeyboardInterrupt from a signal tears a line as a full disk does
            self._done = done
            if done:
                self.torn = line[done - 1] != _NEWLINE
            raise

    def write_lines(self, lines: Sequence[bytes]) -> int:
        """Write *lines* in one go and return how many went out whole; the next one failed."""
        extra = int(self.torn)
        self._done = 0
        try:
            self.write(b"".join(lines))
        except OSError:
            return bisect_right(list(accumulate(map(len, lines))), self._done - extra)
        return len(lines)


def is_writable(fd: int, timeout_seconds: float) -> bool:
    """Wait until *fd* takes at least a byte (or an error shows); tell whether it does."""
    if _poll is None:
        return bool(select.select([], [fd], [], timeout_seconds)[1])
    poll = _poll()
    poll.register(fd, _POLLOUT)
    return bool(poll.poll(timeout_seconds * 1000))


def is_torn(fd: int, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Tell whether the file's last line has no end.

    A line that another process is writing right now looks the same for some microseconds, on a
    busy machine for some milliseconds: so a file that grows within 31 ms is not torn.
    """
    size, end = end_of(fd)
    if end in (b"", b"\n"):
        return False
    for seconds in _SETTLE_SECONDS:
        sleep(seconds)
        if end_of(fd) != (size, end):
            return False
    return True


def end_of(fd: int) -> tuple[int, bytes]:
    """Return the size of a file and its last byte (empty where that cannot be read)."""
    size = os.fstat(fd).st_size
    if size == 0 or not hasattr(os, "pread"):
        return size, b""
    return size, os.pread(fd, 1, size - 1)
