"""A strand: all records of one tenant and one class by this writer, segment after segment.

Begins a segment where the day is new, the last one is full, could not be written to, or is no
longer where it was. After a failed write or sync a segment is never written to again: what the
system still holds of it may be lost (fsync says so only once), and what follows must be whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import orjson

from logbraid.audit.desk import Desk
from logbraid.audit.errors import AuditError, described
from logbraid.audit.policy import EventClass
from logbraid.audit.segment import Segment
from logbraid.health import health
from logbraid.ids import new_id


class Strand:
    """Appends to the open segment of one tenant and class; safe for threads."""

    def __init__(
        self,
        desk: Desk,
        tenant: str | None,
        kind: str,
        one: EventClass,
        timeout_seconds: float,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk = desk
        self._tenant = tenant
        self._kind = kind
        self._class = one
        self._timeout = timeout_seconds
        self._make_room = make_room
        self.used = 0.0
        self._lock = threading.RLock()
        self._is_busy = False
        self._number = 0
        self._segment: Segment | None = None
        self._dirty = False
        self._troubles: list[dict[str, object]] = []
        self._noted = 0

    def append(
        self, bodies: Sequence[bytes], day: str, sync: Callable[[Segment], None] | None
    ) -> None:
        """Write *bodies*, records of *day*, and *sync*; raises ``AuditError`` if that failed."""
        self._enter()
        try:
            segment = self._current(day)
            self.used = time.monotonic()
            try:
                segment.append(bodies)
                if sync is None:
                    self._dirty = True
                else:
                    sync(segment)
            except BaseException as error:
                self._break(segment, error)
                raise
        except OSError as error:
            raise AuditError(f"the record is not on disk: {described(error)}") from error
        finally:
            self._leave()

    def _enter(self) -> None:
        # Re-entrant, so that a signal handler in the middle of this thread's own record comes
        # this far at once, and is refused instead of waiting for what it interrupted
        if not (self._lock.acquire(blocking=False) or self._lock.acquire(timeout=self._timeout)):
            raise AuditError(f"timed out after {self._timeout:g} s waiting for another record")
        if self._is_busy:
            self._lock.release()
            raise AuditError("an audit record interrupted another one of the same strand")
        self._is_busy = True

    def _leave(self) -> None:
        self._is_busy = False
        self._lock.release()

    def _current(self, day: str) -> Segment:
        segment = self._segment
        if segment is not None:
            if not segment.is_in_place():
                self._lose(segment)
            elif segment.title.day == day and segment.size < self._desk.policy.max_segment_records:
                return segment
            else:
                self._segment = None
                self._desk.seal(segment)
        self._make_room()
        made = self._desk.begin(self._tenant, self._kind, self._class, day, self._number + 1)
        self._number += 1
        self._segment = made
        self._noted = 0
        if self._troubles:
            troubles, self._troubles = self._troubles, []
            made.append([self._event(one) for one in troubles])
        return made

    def _lose(self, segment: Segment) -> None:
        name = segment.title.name
        health.complain(f"audit {name}", "its file was deleted, moved, replaced or changed")
        self._segment = None
        self._troubles.append(
            {"action": "audit.file_replaced", "segment": name, "records": max(0, segment.size - 1)}
        )
        self._desk.lose(segment)

    def _break(self, segment: Segment, error: BaseException) -> None:
        self._segment = None
        self._troubles.append(
            {"action": "audit.io_error", "segment": segment.title.name, "error": described(error)}
        )
        self._desk.abandon(segment)

    def _event(self, trouble: dict[str, object]) -> bytes:
        action = trouble.pop("action")
        return orjson.dumps(
            {
                "id": new_id(),
                "created_at": self._desk.now(),
                "event_class": self._kind,
                "tenant_id": self._tenant,
                "action": action,
                "metadata": trouble,
            }
        )

    def sync_if_dirty(self) -> None:
        """Sync what was written without waiting for the disk."""
        self._enter()
        try:
            segment = self._segment
            if segment is None or not self._dirty:
                return
            self._dirty = False
            try:
                segment.sync()
            except OSError as error:
                self._break(segment, error)
                raise
        finally:
            self._leave()

    def head(self) -> tuple[str, int, str] | None:
        """Return name, size and root of the open segment if it grew since it was asked last."""
        self._enter()
        try:
            segment = self._segment
            if segment is None or segment.size == self._noted:
                return None
            self._noted = segment.size
            return segment.title.name, segment.size, segment.tree.root().hex()
        finally:
            self._leave()

    def end_day(self, today: str) -> None:
        """Seal a segment whose day is over, so that its retention does not wait for a record."""
        self._enter()
        try:
            segment = self._segment
            if segment is not None and segment.title.day < today:
                self._segment = None
                self._desk.seal(segment)
        finally:
            self._leave()

    @property
    def is_open(self) -> bool:
        """Whether it has a file open."""
        return self._segment is not None

    def retire(self) -> None:
        """Seal the open segment, unless somebody is at it right now."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            segment = self._segment
            if segment is not None and not self._is_busy:
                self._segment = None
                self._desk.seal(segment)
        finally:
            self._lock.release()

    def take(self) -> Segment | None:
        """Return the open segment, which is no longer this strand's."""
        self._enter()
        try:
            segment, self._segment = self._segment, None
            return segment
        finally:
            self._leave()

    def drop(self) -> None:
        """Let go of the parent's file in a forked child, without a lock and without a word."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
