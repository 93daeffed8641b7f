"""One writer at a time on a pipe that several processes share.

Lines up to ``PIPE_BUF`` are written whole by the system; a longer one is not, and others land in
the middle of it, the short ones too. So short lines share a lock and a long one has it alone.
The lock is ``flock`` on a second description of the same pipe, opened through ``/proc/self/fd``,
since a lock on the inherited description would be everybody's own. Where that is refused (another
user's pipe, no ``/proc``), ``fcntl.lockf`` on the descriptor itself, which knows no sharing for
writers.

Not here: the lock between the threads of one process, which whoever uses this must hold.
"""

from __future__ import annotations

import os
import random
import select
import stat
import time
from collections.abc import Callable
from typing import Final

from logbraid.sinks.descriptor import Descriptor, is_writable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # its absence is looked at before each use

PIPE_BUF: Final[int] = getattr(select, "PIPE_BUF", 512)
LONGEST_WAIT_SECONDS: Final = 1.0
_LONGEST_NAP_SECONDS: Final = 0.004
_UNOPENED: Final = -1
_REFUSED: Final = -2

_write = os.write
_SHARED: Final[int] = getattr(fcntl, "LOCK_SH", 0) | getattr(fcntl, "LOCK_NB", 0)
_ALONE: Final[int] = getattr(fcntl, "LOCK_EX", 0) | getattr(fcntl, "LOCK_NB", 0)


def is_fifo(fd: int) -> bool:
    """Tell whether *fd* is a pipe."""
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


class PipeLock:
    """The lock between processes for the pipe behind *fd*. Opened at the first line.

    A forked child must call ``renew()``: a description that was open at the fork, and with it
    the lock, would be shared with the parent.
    """

    def __init__(self, fd: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fd = fd
        self._monotonic = monotonic
        self._second = _UNOPENED

    def write(self, descriptor: Descriptor, line: bytes) -> bool:
        """Write *line* to *descriptor* as ``take`` allows; tell whether that was with the lock.

        Each line of a container comes here: so the usual case, in which nobody else has the
        lock, is spelled out.
        """
        second = self._second
        if second < 0 or descriptor.torn:
            return self._write_with_patience(descriptor, line)
        try:
            try:
                fcntl.flock(second, _SHARED if len(line) <= PIPE_BUF else _ALONE)
            except OSError:
                return self._write_with_patience(descriptor, line)
            try:
                done = _write(descriptor.fd, line)
            except BlockingIOError:
                done = 0
            if done != len(line):
                descriptor.go_on(line, done)
            return True
        finally:
            self.release()

    def _write_with_patience(self, descriptor: Descriptor, line: bytes) -> bool:
        try:
            taken = self.take(len(line) + descriptor.torn)
            descriptor.write(line)
            return taken
        finally:
            self.release()

    def take(self, size: int) -> bool:
        """Wait for the right to write a line of *size* bytes; False: write it without.

        Gives up after a second, counting only time in which the pipe has room: while it is full
        its owner is not stuck but waiting for the reader, as every writer to a pipe does.
        """
        if fcntl is None:
            return False
        kind = _SHARED if size <= PIPE_BUF else _ALONE
        waited = 0.0
        nap = 0.0001
        while True:
            try:
                if self._try(kind):
                    return True
            except OSError:
                return False  # this system locks no pipes
            if waited >= LONGEST_WAIT_SECONDS:
                return False
            before = self._monotonic()
            has_room = is_writable(self._fd, 0.05)
            time.sleep(nap * (0.5 + random.random()))  # noqa: S311 - keeps writers out of step
            if has_room:
                waited += self._monotonic() - before
            nap = min(nap * 1.5, _LONGEST_NAP_SECONDS)

    def release(self) -> None:
        """Give the right back. Does nothing if it was not taken."""
        try:
            if self._second >= 0:
                fcntl.flock(self._second, fcntl.LOCK_UN)
            elif self._second == _REFUSED:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)
        except OSError:
            return  # the descriptor is gone, and the lock with it

    def renew(self) -> None:
        """Let go of the inherited description; the next line opens one of its own."""
        if self._second >= 0:
            _close(self._second)
        self._second = _UNOPENED

    def _try(self, kind: int) -> bool:
        if self._second == _UNOPENED:
            self._second = _second_description(self._fd)
        try:
            if self._second == _REFUSED:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.flock(self._second, kind)
        except (BlockingIOError, PermissionError):  # lockf says either
            return False
        return True


def _second_description(fd: int) -> int:
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        second = os.open(f"/proc/self/fd/{fd}", flags)
    except OSError:
        return _REFUSED
    return second


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return  # someone closed all descriptors, as daemons do
