"""Lines to the daily file of their tenant: ``<log_dir>/<tenant>/<YYYY-MM-DD>[.<instance>].jsonl``.

The date is part of the name and comes from the record itself, so there is nothing to rotate and
nothing to race: every process appends whole lines to the same file, and midnight is just another
name. (Timed rotation over several processes loses up to 84 % of the lines, python/cpython#88352.)

Several hosts on one volume need ``instance``: appending is atomic within one host only.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from logbraid.health import Health, health
from logbraid.process import RenewedLock, renew_after_fork
from logbraid.sinks.batch import Item
from logbraid.sinks.day_file import DayFile
from logbraid.sinks.opening import HardLinkedError, directory_mode, make_directories, open_file
from logbraid.sinks.retention import DAY_FILES, Maintenance, Rule
from logbraid.sinks.sink import SinkClosedError
from logbraid.tenant import OVERFLOW, directory_name

_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)
_REMEMBERED_DAYS: Final = 3


class TenantFilesSink:
    """Append each line to its tenant's file of its day.

    At most *max_open_files* descriptors are kept, and never more than a quarter of what the
    process may open. Tenants beyond *max_tenants* a day go to ``_overflow``, records without a
    tenant to ``_unknown``. Files get *file_mode*, directories the same with the right to enter.

    Safe for threads, forks, signal handlers and finalisers. Lines are written under one lock, so
    that no descriptor is closed (and its number given to another tenant's file) while a thread
    writes with it.

    Files of lines under another order are made by overriding ``name``, ``place`` and ``rule`` (and
    ``file_of`` where a file is more than its lines).
    """

    name: str = "files"
    rule: ClassVar[Rule] = DAY_FILES
    """Which files are ours to delete, and when."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        instance: str | None = None,
        file_mode: int = 0o600,
        max_open_files: int = 128,
        max_tenants: int = 10_000,
        retention_days: int = 14,
        monotonic: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
        health: Health = health,
    ) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100 - text all the way
        self._suffix = f".{directory_name(instance)}" if instance else ""
        self._file_mode = file_mode | 0o600
        self._max_open = min(max_open_files, _quarter_of_descriptors())
        self._max_tenants = max_tenants
        self._monotonic = monotonic
        self._health = health
        self._maintenance = Maintenance(
            self._root, retention_days, monotonic, now_ns, health, self.rule
        )
        self._open: OrderedDict[tuple[str | None, str], DayFile] = OrderedDict()
        self._directories: dict[str, set[str]] = {}
        self._lock = RenewedLock()
        self._busy = False
        self._stale = False
        self._closed = False
        renew_after_fork(self._renew)

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        """Append *line* to the file of *tenant* and *day*."""
        key = (tenant, day)
        if self._lock.mend():
            self._renew()
        with self._lock.lock:
            if self._busy:
                self._write_apart(line, tenant, day)
                return
            file = None
            try:
                self._busy = True
                file = self._open.get(key)
                if file is None or self._monotonic() >= file.look_at:
                    file = self._file(tenant, day)
                else:
                    self._open.move_to_end(key)
                file.write(line)
            except OSError:
                if file is not None:
                    file.look_soon()
                raise
            finally:
                self._busy = False
                if self._stale:  # a signal handler asked for it in the middle of the line
                    self._close_files()
        if not tenant:
            self._health.without_tenant.advance()

    def write_many(self, items: Sequence[Item]) -> Sequence[Item]:
        """Append *items*, each file's in one write; return those that failed."""
        groups: defaultdict[tuple[str | None, str], list[Item]] = defaultdict(list)
        for item in items:
            groups[item[1] or None, item[2]].append(item)
        failed: list[Item] = []
        with self._lock.lock:
            if self._busy:
                return items
            try:
                self._busy = True
                for (tenant, day), group in groups.items():
                    failed += group[self._write_group(group, tenant, day) :]
            finally:
                self._busy = False
                if self._stale:
                    self._close_files()
        return failed

    def _write_group(self, group: Sequence[Item], tenant: str | None, day: str) -> int:
        try:
            file = self._file(tenant, day)
        except OSError:
            return 0
        written = file.write_lines([item[0] for item in group])
        if written < len(group):
            file.look_soon()
        for _ in range(0 if tenant else written):
            self._health.without_tenant.advance()
        return written

    def _file(self, tenant: str | None, day: str) -> DayFile:
        """Return the open file of *tenant* and *day*, opened (anew) if need be."""
        if self._closed:
            raise SinkClosedError
        now = self._monotonic()
        key = (tenant, day)
        file = self._open.get(key)
        if file is None or (now >= file.look_at and not file.is_current(now)):
            file = self._open_file(key, now)
            self._maintenance.start_if_due(now)
        else:
            self._open.move_to_end(key)
        return file

    def _write_apart(self, line: bytes, tenant: str | None, day: str) -> None:
        """Write a line that interrupts another one (a signal handler, a finaliser).

        It opens and closes a descriptor of its own: the interrupted call may be about to write
        with any of the kept ones.
        """
        if self._closed:
            raise SinkClosedError
        file = self._opened(tenant, day, self._monotonic())
        try:
            file.write(line)
        finally:
            file.close()
        if not tenant:
            self._health.without_tenant.advance()

    def _open_file(self, key: tuple[str | None, str], now: float) -> DayFile:
        """Open the file of *key* and keep it, in place of the one that was used longest ago."""
        old = self._open.pop(key, None)
        if old is not None:
            old.close()
        while len(self._open) >= self._max_open:
            self._open.popitem(last=False)[1].close()
        try:
            file = self._opened(*key, now)
        except OSError as error:
            if error.errno not in _OUT_OF_DESCRIPTORS:
                raise
            self._close_files()
            file = self._opened(*key, now)
        self._open[key] = file
        return file

    def _opened(self, tenant: str | None, day: str, now: float) -> DayFile:
        directory, stem = self.place(tenant, day)
        name = f"{stem}.jsonl"
        try:
            fd = open_file(self._root, directory, name, self._file_mode)
        except HardLinkedError:
            name = f"{stem}.{os.getpid()}.jsonl"
            self._health.tell_once(
                f"hard link {directory}/{stem}",
                f"sink {self.name}: {directory}/{stem}.jsonl has several names; using {name}",
            )
            fd = open_file(self._root, directory, name, self._file_mode)
        return self.file_of(fd, os.path.join(self._root, directory, name), now)  # noqa: PTH118 - text

    def place(self, tenant: str | None, day: str) -> tuple[str, str]:
        """Return the directory below the root (``.``: the root) and the file's name without end."""
        return self._directory(tenant, day), f"{day}{self._suffix}"

    def file_of(self, fd: int, path: str, now: float) -> DayFile:
        """Return the open file behind *fd*, which was found at *path*."""
        return DayFile(fd, path, now)

    def _directory(self, tenant: str | None, day: str) -> str:
        name = directory_name(tenant)
        known = self._directories.get(day)
        if known is None:
            known = self._directories[day] = set()
            while len(self._directories) > _REMEMBERED_DAYS:
                del self._directories[min(self._directories)]
        if not tenant or name in known:
            return name
        if len(known) >= self._max_tenants:
            self._health.tell_once(
                f"overflow {self.name}",
                f"sink {self.name}: more than {self._max_tenants} tenants today; the others go to"
                f" {OVERFLOW}",
            )
            return OVERFLOW
        known.add(name)
        return name

    def probe(self) -> None:
        """Raise ``OSError`` with the reason if no file can be made and written in the root."""
        mode = directory_mode(self._file_mode)
        name = f".probe-{os.getpid()}-{threading.get_ident()}"
        path = os.path.join(self._root, name)  # noqa: PTH118 - text all the way
        make_directories(self._root, mode)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._file_mode)
        try:
            os.write(fd, b"\n")
        finally:
            os.close(fd)
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - text all the way

    def flush(self, timeout_seconds: float = 2.0) -> bool:  # noqa: ARG002 - Sink's
        """Return True: every line is with the operating system when its ``write`` returns."""
        return True

    def reopen(self) -> None:
        """Close all files; the next line of each tenant opens its file anew."""
        with self._lock.lock:
            self._stale = True
            if not self._busy:  # else a signal handler asks in the middle of a line: after it
                self._close_files()

    def close(self) -> None:
        """Close all files for good."""
        self._closed = True
        self.reopen()

    def _close_files(self) -> None:
        while self._open:
            self._open.popitem()[1].close()
        self._stale = False

    def _renew(self) -> None:
        self._busy = False
        self._maintenance.renew()


def _quarter_of_descriptors() -> int:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return 64
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 64 if soft == resource.RLIM_INFINITY else max(1, soft // 4)
