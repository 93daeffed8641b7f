"""Retention: files of days long over are deleted, by one process at a time, once an hour at most.

Only files of our own form in directories of our own form, of our own user, with one name and
never through a link; never before a day has been over for 48 hours, whatever was asked for, so
that a process whose clock lags does not lose the file under its hands.

Not here: when a record's day is, and anything about audit logs, which are kept by other rules.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from logbraid.health import Health

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # its absence is looked at before use

INTERVAL_SECONDS: Final = 3600.0
LOCK_NAME: Final = ".maintenance"
_SHORTEST: Final = timedelta(hours=48)
_our_file = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.[a-z0-9_-]{1,64}){0,2}\.jsonl(?:\.gz)?").fullmatch
_our_directory = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}").fullmatch
_OPEN_DIRECTORY: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_RELATIVE: Final = os.open in os.supports_dir_fd and os.unlink in os.supports_dir_fd


def delete_expired(root: str, retention_days: int, now: datetime) -> int:
    """Delete what is older than *retention_days* below *root*; return how many files went.

    *now* is an aware datetime. 0 days keep everything. A tenant's directory goes when it is empty
    and nothing happened in it for 48 hours. What cannot be deleted stays, silently: the next hour
    comes.
    """
    if retention_days <= 0 or not _RELATIVE:
        return 0
    deleted = 0
    for name in _names(root):
        if _our_directory(name):
            with suppress(OSError):
                deleted += _clean(os.path.join(root, name), retention_days, now)  # noqa: PTH118 - text
    return deleted


def _clean(directory: str, retention_days: int, now: datetime) -> int:
    fd = os.open(directory, _OPEN_DIRECTORY)
    try:
        deleted = _delete_in(fd, retention_days, now)
        changed = datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC)
    finally:
        os.close(fd)
    if now - changed >= _SHORTEST:
        with suppress(OSError):  # it is not empty
            os.rmdir(directory)  # noqa: PTH106 - text all the way
    return deleted


def _delete_in(fd: int, retention_days: int, now: datetime) -> int:
    deleted = 0
    for name in _names(fd):
        if not is_expired(name, retention_days, now):
            continue
        with suppress(OSError):
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                continue
            if found.st_uid != os.geteuid():
                continue
            os.unlink(name, dir_fd=fd)
            deleted += 1
    return deleted


def _names(directory: str | int) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - a descriptor may be listed too
    except OSError:
        return []


def is_expired(name: str, retention_days: int, now: datetime) -> bool:
    """Tell whether *name* is a file of ours whose day has been over for long enough."""
    form = _our_file(name)
    if form is None:
        return False
    try:
        day = datetime.strptime(form[1], "%Y-%m-%d").replace(tzinfo=UTC)
        over = day + timedelta(days=1)
    except (ValueError, OverflowError):  # 2026-02-30, 9999-12-31
        return False
    return now - over >= max(timedelta(days=retention_days), _SHORTEST)


class Maintenance:
    """Run ``delete_expired`` in a daemon thread, hourly over all processes that share *root*."""

    def __init__(
        self,
        root: str,
        retention_days: int,
        monotonic: Callable[[], float],
        now_ns: Callable[[], int],
        health: Health,
    ) -> None:
        self._root = root
        self._retention_days = retention_days
        self._monotonic = monotonic
        self._now_ns = now_ns
        self._health = health
        self._due = float("-inf")
        self._lock_fd = -1

    def start_if_due(self, now: float) -> None:
        """Start the thread if an hour has gone by since this process last did."""
        if now < self._due or self._retention_days <= 0 or fcntl is None:
            return
        self._due = now + INTERVAL_SECONDS
        with suppress(RuntimeError):  # the interpreter is shutting down, or has no thread left
            threading.Thread(target=self.run, name="logbraid-maintenance", daemon=True).start()

    def run(self) -> int:
        """Delete what is due now, unless another process does it or did within the hour.

        Returns how many files went; 0 if it was not our turn. Never raises.
        """
        try:
            return self._run_locked()
        except Exception as error:  # noqa: BLE001 - a thread of its own has nobody else to tell
            self._health.complain("retention", error)
            return 0

    def _run_locked(self) -> int:
        path = os.path.join(self._root, LOCK_NAME)  # noqa: PTH118 - text all the way
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = self._lock_fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_fd = -1
            os.close(fd)
            return 0
        try:
            return self._run_in_turn(fd)
        finally:
            # In so many words: a child forked meanwhile keeps the description, and would the lock.
            fcntl.flock(fd, fcntl.LOCK_UN)
            self._lock_fd = -1
            os.close(fd)

    def _run_in_turn(self, fd: int) -> int:
        now_ns = self._now_ns()
        found = os.fstat(fd)
        if found.st_size and 0 <= now_ns - found.st_mtime_ns < INTERVAL_SECONDS * 1e9:
            return 0
        os.pwrite(fd, b"\n", 0)  # its time of change says when the last turn was
        os.utime(fd, ns=(now_ns, now_ns))
        return delete_expired(
            self._root, self._retention_days, datetime.fromtimestamp(now_ns / 1e9, UTC)
        )

    def renew(self) -> None:
        """Close what a fork copied from the parent's thread, which does not run here."""
        if self._lock_fd >= 0:
            with suppress(OSError):
                os.close(self._lock_fd)
        self._lock_fd = -1
