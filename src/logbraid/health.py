"""Our own state of health: what was written, dropped, scrubbed, cut, and complaints to stderr.

Logging must not use logging to say that it is in trouble. A complaint is one line on the
process's standard error, at most once a minute for each kind of trouble; it names the step and
the class of an error, never its text, because that text may be the secret we were asked to hide.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from logbraid.process import renew_after_fork

COMPLAINT_INTERVAL_SECONDS: Final = 60.0
_STDERR: Final = 2
_PATIENCE_SECONDS: Final = 0.1

# Cached at import: at interpreter shutdown a module's globals may already be gone.
_write = os.write

# Python was started without a standard error: descriptor 2 is, or will be, some other file.
_HAS_STDERR: Final = sys.__stderr__ is not None


def _no_counts() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SinkStats:
    """What one sink wrote and dropped (reason to number of lines)."""

    written: int = 0
    dropped: Mapping[str, int] = field(default_factory=_no_counts)


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since ``configure_logging()``; a snapshot that does not change.

    ``written`` counts records that reached at least one sink or its queue, ``dropped`` lines by
    reason, ``scrubbed`` secrets by kind, ``truncated`` lines in which something was cut,
    ``tenant_conflicts`` fields that tried to change a bound tenant, ``invalid_ids`` ids that
    had to be replaced, ``without_tenant`` lines in ``_unknown``, ``unlocked`` lines that were
    written to a shared pipe without its lock, ``identify_errors`` requests whose ``identify``
    raised, ``sinks`` the figures of each sink by name.
    """

    written: int
    dropped: Mapping[str, int]
    scrubbed: Mapping[str, int]
    truncated: int
    tenant_conflicts: int
    invalid_ids: int
    without_tenant: int
    unlocked: int
    identify_errors: int
    sinks: Mapping[str, SinkStats]


class Tick:
    """A counter that several threads may advance without a lock and without losing one."""

    __slots__ = ("_count", "advance")

    def __init__(self) -> None:
        self._count = count()
        # next() on itertools.count is one C call: atomic, and a third of the cost of a lock
        self.advance: Callable[[], int] = self._count.__next__

    @property
    def value(self) -> int:
        """How often it was advanced."""
        return int(repr(self._count)[6:-1])


class Counts:
    """Numbers by key, exact under threads and signals, at most 1000 keys (the rest ``other``)."""

    __slots__ = ("_ticks",)

    def __init__(self) -> None:
        self._ticks: dict[str, Tick] = {}

    def add(self, key: str, number: int = 1) -> None:
        """Add *number* to *key*."""
        tick = self._ticks.get(key)
        if tick is None:
            if len(self._ticks) >= 1000:
                key = "other"
            tick = self._ticks.setdefault(key, Tick())
        for _ in range(number):
            tick.advance()

    def add_all(self, numbers: Mapping[str, int]) -> None:
        """Add to each key its number."""
        ticks = self._ticks
        for key, number in numbers.items():
            if number == 1 and key in ticks:
                ticks[key].advance()
            else:
                self.add(key, number)

    def snapshot(self) -> Mapping[str, int]:
        """Return what was counted, keys in the order of their first appearance."""
        return MappingProxyType({key: tick.value for key, tick in list(self._ticks.items())})


class SinkFigures:
    """The live figures of one sink."""

    __slots__ = ("dropped", "written")

    def __init__(self) -> None:
        self.written = Tick()
        self.dropped = Counts()


class Health:
    """Every counter of a process, and its one mouth to standard error."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[str, float] = {}
        self._once: set[str] = set()
        self._lock = threading.Lock()
        self.reset()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Start all counts at zero, and let every complaint be told again."""
        self.written = Tick()
        self.truncated = Tick()
        self.tenant_conflicts = Tick()
        self.invalid_ids = Tick()
        self.without_tenant = Tick()
        self.unlocked = Tick()
        self.identify_errors = Tick()
        self.dropped = Counts()
        self.scrubbed = Counts()
        self.sinks: dict[str, SinkFigures] = {}
        self._told.clear()
        self._once.clear()

    def counted(self) -> dict[str, Any]:
        """Return the live counters, for ``count_on``."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def count_on(self, counters: dict[str, Any]) -> None:
        """Go on counting with *counters*, as ``counted()`` returned them before a ``reset()``."""
        vars(self).update(counters)

    def figures(self, sink: str) -> SinkFigures:
        """Return the live figures of the sink of that name, made at the first question."""
        found = self.sinks.get(sink)
        return self.sinks.setdefault(sink, SinkFigures()) if found is None else found

    def drop(self, reason: str, *, sink: str | None = None, lines: int = 1) -> None:
        """Count *lines* that will not be written, for *reason*, once in all and once at *sink*."""
        self.dropped.add(reason, lines)
        if sink is not None:
            self.figures(sink).dropped.add(reason, lines)

    def complain(self, step: str, what: str | BaseException) -> None:
        """Say on standard error that *step* is in trouble, at most once a minute for each step.

        Of an exception only the class is named (and the errno of an ``OSError``).
        """
        now = self._monotonic()
        # Without waiting: a signal may have interrupted the thread that holds this lock.
        if not self._lock.acquire(blocking=False):
            return
        try:
            last = self._told.get(step)
            if last is not None and now - last < COMPLAINT_INTERVAL_SECONDS:
                return
            if len(self._told) >= 1000:
                self._told.clear()
            self._told[step] = now
        finally:
            self._lock.release()
        say(f"{step}: {_named(what)}")

    def tell_once(self, key: str, text: str) -> None:
        """Say *text* on standard error the first time since configuration that *key* comes up."""
        if key in self._once:
            return
        if len(self._once) >= 1000:
            self._once.clear()
        self._once.add(key)
        say(text)

    def snapshot(self) -> Stats:
        """Return all counts as they stand now."""
        return Stats(
            written=self.written.value,
            dropped=self.dropped.snapshot(),
            scrubbed=self.scrubbed.snapshot(),
            truncated=self.truncated.value,
            tenant_conflicts=self.tenant_conflicts.value,
            invalid_ids=self.invalid_ids.value,
            without_tenant=self.without_tenant.value,
            unlocked=self.unlocked.value,
            identify_errors=self.identify_errors.value,
            sinks=MappingProxyType(
                {
                    name: SinkStats(one.written.value, one.dropped.snapshot())
                    for name, one in list(self.sinks.items())
                }
            ),
        )


def _named(what: str | BaseException) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, OSError) and what.errno is not None:
        return f"{type(what).__name__} (errno {what.errno})"
    return type(what).__name__


def say(text: str) -> None:
    """Write one line that begins with ``logbraid:`` to the process's standard error, or nothing.

    Goes to descriptor 2 itself: ``sys.stderr`` may be replaced, buffered or gone. Control
    characters are escaped, so that nobody's text forges a second line.
    """
    if not _HAS_STDERR:
        return
    safe = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    try:
        if os.name != "nt" and not select.select([], [_STDERR], [], _PATIENCE_SECONDS)[1]:
            return  # a pipe that nobody empties: a complaint must not hold up the application
        _write(_STDERR, f"logbraid: {safe}\n".encode("utf-8", "replace"))
    except OSError:
        return  # there is no one left to tell


health: Final = Health()
"""The process's own. ``configure_logging()`` sets it to zero."""


def stats() -> Stats:
    """Return what was written, dropped, scrubbed and cut since ``configure_logging()``."""
    return health.snapshot()
