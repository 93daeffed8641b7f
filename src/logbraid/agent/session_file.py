"""The files of sessions: ``<root>/<tenant>/session-<session>.jsonl``, numbered without gaps.

Written as the files of tenants are, and under a lock on the file besides (``flock``): a line's
number is one more than that of the line above, whichever process wrote that. Who finds the file
longer than it left it reads its end anew.

Not here: what a line says (``session_lines.py``), and which session it belongs to
(``archive.py``).
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, Final

from logbraid.agent.session_lines import Census, footer_of, header_of, numbered, tail_of
from logbraid.health import health
from logbraid.sinks.batch import Item
from logbraid.sinks.day_file import DayFile
from logbraid.sinks.retention import Rule
from logbraid.sinks.sink import lost
from logbraid.sinks.tenant_files import TenantFilesSink
from logbraid.tenant import UNKNOWN, directory_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # its absence is looked at before use

LONGEST_WAIT_SECONDS: Final = 1.0
_LONGEST_NAP_SECONDS: Final = 0.004
_PREFIX: Final = "session-"
_our_file = re.compile(r"session-[a-z0-9_][a-z0-9_-]{0,63}(?:\.[0-9-]{1,32}){0,2}\.jsonl").fullmatch


def stem_of(session: str | None, day: str = "") -> str:
    """Return the name of a session's file without its end; no two sessions share one.

    Events without a session have a file for each *day*, or one of them would grow for ever.
    """
    if session:
        return f"{_PREFIX}{directory_name(session)}"
    return f"{_PREFIX}{UNKNOWN}.{day}" if day else f"{_PREFIX}{UNKNOWN}"


def is_ours(name: str) -> bool:
    """Tell whether *name* is that of a session's file."""
    return _our_file(name) is not None


def _over_since(name: str, written: Callable[[], float]) -> datetime | None:
    return datetime.fromtimestamp(written(), UTC) if is_ours(name) else None


SESSIONS: Final = Rule(_over_since, lock_name=".maintenance-sessions")
"""A session is over when it was last written to."""


class FileGoneError(OSError):
    """The file was deleted, or opened by the process that this one was forked from."""


class SessionFile(DayFile):
    """One open file of a session. What ``write`` gets is a line without its number."""

    __slots__ = ("_is_footer", "_last_seq", "_pid", "_size")

    def __init__(self, fd: int, path: str, now: float) -> None:
        super().__init__(fd, path, now)
        self._pid = os.getpid()
        self._size = -1  # what is known of the end was found at this size
        self._last_seq = 0
        self._is_footer = False

    def is_current(self, now: float) -> bool:
        """Tell whether the path still names this file, and this process opened it."""
        return self._pid == os.getpid() and super().is_current(now)

    def _look_at_end(self) -> None:
        """Leave it to ``_catch_up``, which knows that nobody is in the middle of a line."""

    def write(self, line: bytes) -> None:
        """Append *line* with the next number, below a header if it is the first."""
        if self._pid != os.getpid():
            raise FileGoneError  # its lock is the parent's: not even to be asked for
        is_locked = _take(self.fd)
        try:
            self._catch_up()
            text = numbered(line, self._last_seq + 1)
            self._append(text if self._last_seq else header_of(line) + text)
            self._last_seq += 1
            self._is_footer = False
        finally:
            if is_locked:
                fcntl.flock(self.fd, fcntl.LOCK_UN)

    def end(self, census: Census, stamp: str) -> None:
        """Append a footer, unless one stands there. *census* may have counted a part already."""
        is_locked = _take(self.fd)
        try:
            self._catch_up()
            if self._is_footer or not self._last_seq:
                return
            if self.torn:
                self._append(b"")
            census.go_on(self.fd, self._size)
            self._append(footer_of(census, self._last_seq, stamp))
            self._is_footer = True
        finally:
            if is_locked:
                fcntl.flock(self.fd, fcntl.LOCK_UN)

    def count(self) -> Census:
        """Count the events that stand in it now; nobody has to wait meanwhile."""
        census = Census.empty()
        census.go_on(self.fd, os.fstat(self.fd).st_size)
        return census

    def _catch_up(self) -> None:
        """Know how the file ends, if anybody else wrote to it."""
        found = os.fstat(self.fd)
        if found.st_nlink == 0:
            raise FileGoneError
        if found.st_size != self._size:
            self._last_seq, self.torn, self._is_footer = tail_of(self.fd, found.st_size)
            self._size = found.st_size

    def _append(self, text: bytes) -> None:
        size = self._size + len(text) + self.torn
        self._size = -1  # if this fails nobody knows how it ends
        super().write(text)
        self._size = size


class SessionFiles(TenantFilesSink):
    """``TenantFilesSink`` for sessions: where that has a day, this has the stem of a file.

    There is no limit to the number of tenants: in a directory that several share, one could be
    given what is another's.
    """

    name = "archive"
    rule: ClassVar[Rule] = SESSIONS

    def __init__(self, root: str | os.PathLike[str], *, retention_days: int) -> None:
        super().__init__(root, retention_days=retention_days)
        self._waiting: deque[Item] = deque()

    @property
    def root(self) -> str:
        """The absolute path below which the tenants' directories stand."""
        return self._root

    def place(self, tenant: str | None, day: str) -> tuple[str, str]:
        """Return the directory of *tenant*, and the stem itself."""
        return directory_name(tenant), day

    def file_of(self, fd: int, path: str, now: float) -> DayFile:
        """Return the open file behind *fd*."""
        return SessionFile(fd, path, now)

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        """Append *line* to the file of *tenant* with the stem *day*."""
        try:
            try:
                super().write(line, tenant, day)
            except FileGoneError:
                super().write(line, tenant, day)
        finally:
            self._write_waiting()

    def _write_apart(self, line: bytes, tenant: str | None, day: str) -> None:
        """Keep a line that interrupts another one (a signal handler, a finaliser) until it is out.

        It cannot have a number before the other one has.
        """
        self._waiting.append((line, tenant, day))

    def _write_waiting(self) -> None:
        if not self._waiting:
            return
        with self._lock.lock:
            while self._waiting and not self._busy:
                line, tenant, day = self._waiting.popleft()
                try:
                    super().write(line, tenant, day)
                except OSError as error:
                    lost(self, error)

    def end(self, tenant: str | None, stem: str, stamp: str) -> None:
        """Write the footer of a file, if there is such a file and it has none."""
        directory, _ = self.place(tenant, stem)
        if not os.path.lexists(os.path.join(self._root, directory, f"{stem}.jsonl")):  # noqa: PTH118 - text
            return
        file = SessionFiles._opened(self, tenant, stem, self._monotonic())
        try:
            if isinstance(file, SessionFile):
                census = file.count()
                with self._lock.lock:
                    file.end(census, stamp)
        finally:
            file.close()

    def _renew(self) -> None:
        if not self._busy:  # else a signal handler forked in the middle of a line
            self._close_files()
        super()._renew()
        self._waiting.clear()


def _take(fd: int) -> bool:
    """Lock the file behind *fd* against other processes; after a second go without, counted."""
    if fcntl is None:
        return False  # Windows: files for one process
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    nap = 0.0001
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                break
            time.sleep(nap * (0.5 + random.random()))  # noqa: S311 - keeps writers out of step
            nap = min(nap * 1.5, _LONGEST_NAP_SECONDS)
        except OSError:
            break  # this file system locks nothing
        else:
            return True
    health.unlocked.advance()
    return False
