"""Debug until error: the last lines below the level of each run, in memory until one is needed.

Lines stand here as they would be written: scrubbed, cut, encoded, with their own stamps. An error
in their run takes them out, in order; a run that ends without one forgets them. Nothing here
decides what is an error, and nothing writes.

While it is on, gates stand at debug: a record below the level costs two to five times what
writing it would, in a run or not (0.4 us become 20 to 30, measured), and
``logger.isEnabledFor(DEBUG)`` is true. What was scrubbed and cut in kept lines is counted in
``stats()``, written or not. While it is off, nothing is asked and nothing is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logbraid import inside
from logbraid.context import bound
from logbraid.process import renew_after_fork

MAX_RUNS: Final = 1000
MAX_BYTES: Final = 16 * 1024 * 1024
_OBJECT_BYTES: Final = 250  # what Python needs around a short line: measured, rounded up
_PATIENCE_SECONDS: Final = 1.0


class Kept(NamedTuple):
    """One finished line, where it belongs, and its place among all that were kept."""

    text: bytes
    tenant: str | None
    day: str
    number: int


class DebugBuffer:
    """The lines of every run that are kept, bounded in lines per run, in runs and in bytes.

    A run is a ``run_id``, or a ``request_id`` where no run is bound; runs of the same name in two
    tenants are two. When there are too many runs or bytes, the run that was quiet longest goes.
    Safe for threads; empty in a forked child, so that no line is written twice.
    """

    def __init__(self, *, max_runs: int = MAX_RUNS, max_bytes: int = MAX_BYTES) -> None:
        self.max_lines = 0
        """Lines for each run; 0: off."""
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._renew()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, dict[str | None, deque[Kept]]] = OrderedDict()
        self._open: dict[str, int] = {}
        self._bytes = 0
        self._number = 0

    def configure(self, max_lines: int) -> None:
        """Forget everything, and keep *max_lines* of each run from now on."""
        self.max_lines = 0
        self._renew()
        self.max_lines = max_lines

    @property
    def size_bytes(self) -> int:
        """What is kept now, in bytes of memory, nearly."""
        return self._bytes

    def __len__(self) -> int:
        """Return how many runs have lines here."""
        return len(self._runs)

    def count_open(self, run: str, change: int, *, patient: bool) -> int:
        """Add *change* to how many runs of that name are going on; return how many are."""
        lock = self._taken_lock(patient=patient)
        if lock is None:
            return change
        try:
            now = self._open.pop(run, 0) + change
            if now > 0:
                self._open[run] = now
        finally:
            lock.release()
        return now

    def keep(self, run: str, text: bytes, tenant: str | None, day: str, *, patient: bool) -> None:
        """Keep the line *text* of *run*; *patient*: see ``take``."""
        lock = self._taken_lock(patient=patient)
        if lock is None:
            return
        try:
            lines = self._runs.setdefault(run, {}).setdefault(tenant, deque())
            self._runs.move_to_end(run)
            self._number += 1
            lines.append(Kept(text, tenant, day, self._number))
            self._bytes += _size(text)
            while len(lines) > self.max_lines:
                self._bytes -= _size(lines.popleft().text)
            self._make_room(lines)
        finally:
            lock.release()

    def take(self, run: str, tenant: str | None, *, patient: bool) -> list[Kept]:
        """Return the lines of *run* in the order in which they came, and forget them.

        Of *tenant* and those from before a tenant was bound; of all where it is ``None``. Not
        *patient* is a log call inside another one, which a signal handler or a finaliser makes:
        it may stand in the thread that holds the lock, so it does not wait.
        """
        if run not in self._runs:  # most errors: nothing is waited for
            return []
        lock = self._taken_lock(patient=patient)
        if lock is None:
            return []
        try:
            of_run = self._runs.get(run, {})
            wanted = [*of_run] if tenant is None else [tenant, None]
            found = [of_run.pop(one) for one in wanted if one in of_run]
            if not of_run:
                self._runs.pop(run, None)
            self._count_out(found)
        finally:
            lock.release()
        return sorted((kept for lines in found for kept in lines), key=lambda kept: kept.number)

    def _make_room(self, latest: deque[Kept]) -> None:
        """Let go of quiet runs while there is too much; of the latest one its oldest lines."""
        while len(self._runs) > self._max_runs or (self._bytes > self._max_bytes and self._runs):
            if len(self._runs) == 1 and len(latest) > 1:
                self._bytes -= _size(latest.popleft().text)
            else:
                self._count_out(self._runs.popitem(last=False)[1].values())

    def _count_out(self, dropped: Iterable[deque[Kept]]) -> None:
        self._bytes -= sum(_size(kept.text) for lines in dropped for kept in lines)

    def _taken_lock(self, *, patient: bool) -> threading.Lock | None:
        lock = self._lock
        if lock.acquire(timeout=_PATIENCE_SECONDS if patient else 0):
            return lock
        if patient and lock is self._lock:  # an exception thrown from outside left it taken
            self._lock = threading.Lock()
        return None


def _size(text: bytes) -> int:
    return len(text) + _OBJECT_BYTES


def run_of(context: Mapping[str, Any]) -> str | None:
    """Return what names the run in *context*, or ``None`` outside of any."""
    run = context.get("run_id")
    if run is not None:
        return f"run {run}"
    request = context.get("request_id")
    return None if request is None else f"request {request}"


buffer: Final = DebugBuffer()
"""The process's own, as ``configure_logging(debug_buffer=...)`` sized it."""


def begin(run_id: str) -> None:
    """Say that a run began: its lines stay until the last one of that id has ended."""
    _change(run_id, 1)


def forget(run_id: str) -> None:
    """Drop the lines of a run that ended: those of the tenant that is bound, or of all.

    They are no loss and counted nowhere. Where a run of that id still goes on, they are its lines
    too, and stay. Costs an attribute where no lines are kept.
    """
    _change(run_id, -1)


def _change(run_id: str, change: int) -> None:
    if not buffer.max_lines:
        return
    run = f"run {run_id}"
    depth = inside.enter()
    try:
        if buffer.count_open(run, change, patient=depth == 1) <= 0:
            buffer.take(run, bound.get().get("tenant_id"), patient=depth == 1)
    finally:
        inside.leave()
