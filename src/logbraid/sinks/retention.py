"""Retention: files of days long over are deleted, by one process at a time, once an hour at most.

Only files of our own form in directories of our own form, of our own user, with one name and
never through a link; never before a day has been over for 48 hours, whatever was asked for, so
that a process whose clock lags does not lose the file under its hands. What counts as over is a
``Rule``: the day in the name for the files of tenants, the last write for other kinds.

Not here: when a record's day is, and anything about audit logs, which are kept by other rules.
"""

from __future__ import annotations

import _thread
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from logbraid.health import Health

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # its absence is looked at before use

INTERVAL_SECONDS: Final = 3600.0
_SHORTEST: Final = timedelta(hours=48)
_our_file = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.[a-z0-9_-]{1,64}){0,2}\.jsonl(?:\.gz)?").fullmatch
_our_directory = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}").fullmatch
_OPEN_DIRECTORY: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_FILE: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_RELATIVE: Final = os.open in os.supports_dir_fd and os.unlink in os.supports_dir_fd


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of files. Kinds that share a root have each its own lock and its own hour.

    *over_since* gets a file's name and a function that asks for its last write (a timestamp); it
    returns when the file was over (aware), or ``None`` for a file that is not of this kind.
    """

    over_since: Callable[[str, Callable[[], float]], datetime | None]
    lock_name: str = ".maintenance"


def _day_over(name: str, written: Callable[[], float]) -> datetime | None:  # noqa: ARG001 - a Rule's
    form = _our_file(name)
    if form is None:
        return None
    try:
        day = datetime.strptime(form[1], "%Y-%m-%d").replace(tzinfo=UTC)
        return day + timedelta(days=1)
    except (ValueError, OverflowError):  # 2026-02-30, 9999-12-31
        return None


DAY_FILES: Final = Rule(_day_over)
LOCK_NAME: Final = DAY_FILES.lock_name


def delete_expired(
    root: str,
    retention_days: int,
    now: datetime,
    rule: Rule = DAY_FILES,
    *,
    dry_run: bool = False,
) -> int:
    """Delete what is older than *retention_days* below *root*; return how many files went.

    *dry_run* counts only.

    *now* is an aware datetime. 0 days keep everything. A tenant's directory goes when it is empty
    and nothing happened in it for 48 hours. What cannot be deleted stays, silently: the next hour
    comes.
    """
    if retention_days <= 0 or not _RELATIVE or fcntl is None:
        return 0
    age = max(timedelta(days=retention_days), _SHORTEST)
    deleted = 0
    for name in _names(root):
        if _our_directory(name):
            with suppress(OSError):
                deleted += _clean(os.path.join(root, name), age, now, rule, dry_run)  # noqa: PTH118 - text
    return deleted


def delete_expired_in(
    directory: str, retention_days: int, now: datetime, rule: Rule, *, dry_run: bool = False
) -> int:
    """Do what ``delete_expired`` does with the files of one directory, which stays."""
    if retention_days <= 0 or not _RELATIVE or fcntl is None:
        return 0
    age = max(timedelta(days=retention_days), _SHORTEST)
    return _delete_all(directory, age, now, rule, dry_run)[0]


def _clean(directory: str, age: timedelta, now: datetime, rule: Rule, dry_run: bool) -> int:
    deleted, changed = _delete_all(directory, age, now, rule, dry_run)
    if now - changed >= _SHORTEST and not dry_run:
        with suppress(OSError):  # it is not empty
            os.rmdir(directory)  # noqa: PTH106 - text all the way
    return deleted


def _delete_all(
    directory: str, age: timedelta, now: datetime, rule: Rule, dry_run: bool
) -> tuple[int, datetime]:
    """Return how many files went, and when something happened in *directory* last."""
    deleted = 0
    fd = os.open(directory, _OPEN_DIRECTORY)
    try:
        for name in _names(fd):
            with suppress(OSError):
                deleted += _delete_in(fd, name, lambda over: now - over >= age, rule, dry_run)
        return deleted, datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC)
    finally:
        os.close(fd)


def _delete_in(
    directory_fd: int,
    name: str,
    is_long_ago: Callable[[datetime], bool],
    rule: Rule,
    dry_run: bool,
) -> bool:
    def look() -> os.stat_result:
        return os.stat(name, dir_fd=directory_fd, follow_symlinks=False)

    def is_due() -> bool:
        over = rule.over_since(name, lambda: look().st_mtime)
        return over is not None and is_long_ago(over)

    if not is_due():
        return False
    found = look()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        return False
    fd = os.open(name, _FILE, dir_fd=directory_fd)
    try:  # under its lock, where its kind has one: nobody writes a line into what goes
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_due_still = is_due()
        if is_due_still and not dry_run:
            os.unlink(name, dir_fd=directory_fd)
        fcntl.flock(fd, fcntl.LOCK_UN)  # in so many words: a forked child may have the description
    finally:
        os.close(fd)
    return is_due_still


def _names(directory: str | int) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - a descriptor may be listed too
    except OSError:
        return []


def is_expired(name: str, retention_days: int, now: datetime) -> bool:
    """Tell whether *name* is a file of ours whose day has been over for long enough."""
    over = _day_over(name, float)
    return over is not None and now - over >= max(timedelta(days=retention_days), _SHORTEST)


class Maintenance:
    """Run ``delete_expired`` in a daemon thread, hourly over all processes that share *root*."""

    def __init__(
        self,
        root: str,
        retention_days: int,
        monotonic: Callable[[], float],
        now_ns: Callable[[], int],
        health: Health,
        rule: Rule = DAY_FILES,
    ) -> None:
        self._root = root
        self._rule = rule
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
        # Not threading.Thread: its start() waits for the thread, inside of a log call
        with suppress(RuntimeError):  # the interpreter is shutting down, or has no thread left
            _thread.start_new_thread(self.run, ())

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
        path = os.path.join(self._root, self._rule.lock_name)  # noqa: PTH118 - text all the way
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
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        return delete_expired(self._root, self._retention_days, now, self._rule)

    def renew(self) -> None:
        """Close what a fork copied from the parent's thread, which does not run here."""
        if self._lock_fd >= 0:
            with suppress(OSError):
                os.close(self._lock_fd)
        self._lock_fd = -1
