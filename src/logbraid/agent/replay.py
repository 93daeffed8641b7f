"""Reading the archive back: the events of one session as they were, and which sessions there are.

Reading needs no archive that is open for writing: the functions here take its root. Whose
session it is comes from ``tenant_id``, or from the context; where neither says a tenant only
sessions without a tenant are found. Another tenant's session is never looked for.

Not here: how the lines got there (``session_file.py``), and the text for people
(``timeline.py``).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Self

from logbraid.agent.here import ids_here, safe_id
from logbraid.agent.session_file import is_ours, stem_of
from logbraid.agent.session_lines import FOOTER, HEADER, parsed, texts
from logbraid.errors import LogbraidError
from logbraid.health import health
from logbraid.record import CONTEXT_ORDER
from logbraid.tenant import UNKNOWN, directory_name

_FILE: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class SessionNotFoundError(LogbraidError, FileNotFoundError, LookupError):
    """There is no such session of that tenant in the archive."""


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """One event: *seq* from 1, *timestamp* aware in UTC, *ids* those of its context."""

    seq: int
    type: str
    data: dict[str, Any]
    timestamp: datetime
    ids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """One file of the archive. Empty ids are ``None``; *started* is ``None`` without a header."""

    session_id: str | None
    tenant_id: str | None
    started: datetime | None
    written: datetime
    size_bytes: int
    path: str


@dataclass(slots=True)
class Findings:
    """What stands in a session's file beside its events; final when the replay has ended.

    ``torn`` counts last lines without an end (a process was killed, a disk was full),
    ``damaged`` other lines that cannot be read, ``missing`` numbers that should be there; all are
    left out. ``header`` and ``footer`` are the last ones read so far, ``{}`` while there is none.
    """

    torn: int = 0
    damaged: int = 0
    missing: int = 0
    header: dict[str, Any] = field(default_factory=dict)
    footer: dict[str, Any] = field(default_factory=dict)

    def event(self, row: dict[str, Any]) -> ArchivedEvent | None:
        """Return the event that *row* is, if it is one; keep it if it is something else."""
        kind = row.get("kind")
        if kind == HEADER:
            self.header = row
        elif kind == FOOTER:
            self.footer = row
        else:
            event = _event_of(row)
            self.damaged += event is None
            return event
        return None


class Replay(Iterator[ArchivedEvent]):
    """The events of a session in their order, one ``next()`` each.

    With a *speed* each waits until its time has come: 1.0 is as fast as it was, 10.0 ten times
    faster. Without, nothing waits. ``found`` says what else stands in the file.
    """

    def __init__(
        self,
        paths: list[str],
        *,
        speed: float | None = None,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if speed is not None and not (isfinite(speed) and speed > 0):
            raise ValueError(f"speed is {speed}: use a number above 0, or None not to wait")
        self.found = Findings()
        self._speed = speed
        self._sleep = sleep
        self._monotonic = monotonic
        self._begun: tuple[datetime, float] | None = None
        self._events = _read(paths, self.found)  # which knows not of us: left alone, it closes

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ArchivedEvent:
        event = next(self._events)
        if self._speed is not None:
            self._wait(event.timestamp, self._speed)
        return event

    def _wait(self, moment: datetime, speed: float) -> None:
        if self._begun is None:
            self._begun = (moment, self._monotonic())
            return
        first, start = self._begun
        due = start + (moment - first).total_seconds() / speed
        rest = due - self._monotonic()
        if rest > 0:
            self._sleep(rest)


def _read(paths: list[str], found: Findings) -> Iterator[ArchivedEvent]:
    for path in paths:
        last = 0
        for row in _rows(path, found):
            event = found.event(row)
            if event is None:
                continue
            found.missing += max(event.seq - last - 1, 0)
            last = event.seq
            yield event
    if found.damaged or found.missing:
        health.complain(
            "archive replay",
            f"{found.damaged} lines of a session are damaged, {found.missing} are missing",
        )


def _rows(path: str, found: Findings) -> Iterator[dict[str, Any]]:
    fd = open_regular(path)
    try:
        for text in texts(fd):
            row = parsed(text.line)
            if row is not None:
                yield row
            elif not text.is_ended:
                found.torn += 1
            elif text.line:
                found.damaged += 1
    finally:
        os.close(fd)


def _event_of(row: dict[str, Any]) -> ArchivedEvent | None:
    seq, data, moment = row.get("seq"), row.get("data"), moment_of(row.get("timestamp"))
    if type(seq) is not int or type(data) is not dict or moment is None:
        return None
    ids: dict[str, str] = {name: str(row[name]) for name in CONTEXT_ORDER if name in row}
    return ArchivedEvent(seq, str(row.get("type", "")), data, moment, ids)


def moment_of(stamp: object) -> datetime | None:
    """Return the moment that *stamp* says, or ``None``."""
    try:
        moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment


def replay_session(
    root: str | os.PathLike[str],
    session_id: str | None,
    *,
    tenant_id: str | None = None,
    speed: float | None = None,
) -> Replay:
    """Return the events of a session of the tenant given, else of the context's, else of none.

    ``None`` or ``"_unknown"`` are the events without a session. Raises ``SessionNotFoundError``
    here and not later, ``ValueError`` for a *speed* that is none.
    """
    tenant = _whose(tenant_id)
    directory = os.path.join(os.path.abspath(root), directory_name(tenant))  # noqa: PTH100, PTH118 - text
    shown = safe_id(session_id)
    paths = _parts(directory, stem_of(shown))
    if not paths and session_id == UNKNOWN:
        paths = _parts(directory, stem_of(None))
    if not paths:
        whose = (
            f"of tenant {tenant!r}" if tenant else "without a tenant (give tenant_id, or bind it)"
        )
        raise SessionNotFoundError(f"no session {shown!r} {whose} in {os.fspath(root)}")
    return Replay(paths, speed=speed)


def list_sessions(
    root: str | os.PathLike[str], *, tenant_id: str | None = None, every_tenant: bool = False
) -> list[ArchivedSession]:
    """Return the sessions of a tenant (as in ``replay_session``), the last written first.

    *every_tenant* is for whoever runs the service: those of all tenants.
    """
    top = os.path.abspath(root)  # noqa: PTH100 - text all the way
    names = _names(top) if every_tenant else [directory_name(_whose(tenant_id))]
    found = []
    for name in names:
        directory = os.path.join(top, name)  # noqa: PTH118 - text
        if os.path.islink(directory):  # noqa: PTH114 - text
            continue
        for one in _names(directory):
            if is_ours(one):
                with suppress(OSError):  # it went meanwhile
                    found.append(_session_at(os.path.join(directory, one)))  # noqa: PTH118 - text
    return sorted(found, key=lambda session: session.written, reverse=True)


def _session_at(path: str) -> ArchivedSession:
    fd = open_regular(path)
    try:
        told = _first_row(fd)
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return ArchivedSession(
        session_id=told.get("session_id"),
        tenant_id=told.get("tenant_id"),
        started=moment_of(told.get("started", told.get("timestamp"))),
        written=datetime.fromtimestamp(found.st_mtime, UTC),
        size_bytes=found.st_size,
        path=path,
    )


def _first_row(fd: int) -> dict[str, Any]:
    for text in texts(fd):
        row = parsed(text.line)
        if row is not None:
            return row
    return {}


def _whose(tenant_id: str | None) -> str | None:
    return safe_id(ids_here().get("tenant_id") if tenant_id is None else tenant_id)


def _parts(directory: str, stem: str) -> list[str]:
    """Return the files of one stem in the order in which they began; mostly one."""
    if os.path.islink(directory):  # noqa: PTH114 - text
        return []
    paths = [
        os.path.join(directory, name)  # noqa: PTH118 - text
        for name in _names(directory)
        if is_ours(name) and name.partition(".")[0] == stem
    ]
    if len(paths) < 2:
        return paths
    sessions = [_session_at(path) for path in paths]
    earliest = datetime.min.replace(tzinfo=UTC)
    return [
        one.path for one in sorted(sessions, key=lambda one: (one.started or earliest, one.path))
    ]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - text
    except OSError:
        return []


def open_regular(path: str) -> int:
    """Open a regular file for reading, never through a link at its end."""
    fd = os.open(path, _FILE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(f"{path} is not a regular file")
    return fd
