"""What one process has open of an audit log: its desk, its strands, its keys, its two threads.

Made anew in a forked child, which writes under a name of its own: it lets go of the parent's
files and never of its locks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from logbraid.audit import crypto
from logbraid.audit.body import Body, BodyMaker
from logbraid.audit.commit import Committer
from logbraid.audit.crowd import Crowd
from logbraid.audit.desk import Desk
from logbraid.audit.errors import AuditError
from logbraid.audit.files import probe
from logbraid.audit.head import Herald
from logbraid.audit.payload import Payloads
from logbraid.audit.policy import EventClass, Policy
from logbraid.audit.secrets import Secrets, user_file
from logbraid.audit.segment import Segment
from logbraid.audit.strand import Strand
from logbraid.clock import day_of
from logbraid.health import health


def _sync_whole(segment: Segment) -> None:
    segment.sync(whole=True)


SYNCS: Final[Mapping[str, Callable[[Segment], None] | None]] = {
    "data": Segment.sync,
    "sync": _sync_whole,
    "interval": None,
    "none": None,
}
"""How each ``flush`` makes a record durable before the call returns; ``None``: not then."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a log is written: what ``AuditLog`` was given, looked at already."""

    root: str
    key: crypto.Key | None
    recipient: crypto.EncryptionKey | None
    clock: Callable[[], int]
    policy: Policy
    table: Mapping[str, EventClass]
    flush: str
    timeout_seconds: float


class Writer:
    """Writes the records of one process. Safe for threads and tasks."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.RLock()  # a signal handler may come in the middle
        self._desk_made: Desk | None = None
        self._strands = Crowd()
        self._secrets = Secrets(terms.root)
        payloads = Payloads(self._secrets, terms.recipient, terms.policy.max_payload_bytes)
        self._body = BodyMaker(terms.clock, payloads)
        sync = SYNCS[terms.flush]
        self._committer = None if sync is None else Committer(sync)
        self.herald = Herald(self.tend, terms.policy, interval=terms.flush == "interval")

    def start(self) -> None:
        """Try the disk and begin the log, or go on with it; raises ``OSError``, ``AuditError``."""
        probe(self._terms.root)
        self.desk()

    def desk(self) -> Desk:
        """Return the desk, made at the first call."""
        desk = self._desk_made
        if desk is not None:
            return desk
        terms = self._terms
        with self._lock:
            if self._desk_made is None:
                desk = Desk(
                    terms.root,
                    terms.key,
                    terms.policy,
                    clock=terms.clock,
                    timeout_seconds=terms.timeout_seconds,
                    durable=terms.flush != "none",
                )
                desk.start()
                self._desk_made = desk
            return self._desk_made

    def _new_strand(self, tenant: str | None, kind: str) -> Strand:
        one, seconds = self._terms.table[kind], self._terms.timeout_seconds
        return Strand(self.desk(), tenant, kind, one, seconds, self._strands.make_room)

    def _made(self, fields: dict[str, Any], payload: Any, kind: str) -> tuple[Body, Strand]:
        body = self._body.make(fields, payload, kind, self._terms.table[kind].payload)
        self.herald.start()
        strand = self._strands.strand(
            body.tenant, kind, lambda: self._new_strand(body.tenant, kind)
        )
        return body, strand

    def write(self, fields: dict[str, Any], payload: Any, kind: str) -> str:
        """Write a record and return its id; raises ``OSError`` and ``AuditError``."""
        body, strand = self._made(fields, payload, kind)
        if self._committer is None:
            strand.append(body.bodies, body.day, None)
        else:
            self._committer.commit(strand, body.bodies, body.day, self._terms.timeout_seconds)
        return body.record_id

    async def awrite(self, fields: dict[str, Any], payload: Any, kind: str) -> str:
        """Do what ``write`` does; the event loop goes on while the disk works."""
        if self._committer is None:
            return self.write(fields, payload, kind)  # 20 us; a thread would cost 74
        body, strand = self._made(fields, payload, kind)
        timeout = self._terms.timeout_seconds
        await self._committer.acommit(strand, body.bodies, body.day, timeout)
        return body.record_id

    def destroy_key(self, tenant: object, user: object) -> bool:
        """Destroy the key of a user's payloads; tell whether there was one."""
        told = [None if one is None else self._body.safe_id(one) for one in (tenant, user)]
        return self._secrets.destroy(user_file(told[0], told[1] or ""))

    def head(self) -> str:
        """Return the log's signed checkpoint as it is now."""
        manifest = self.desk().manifest
        with manifest.locked() as fd:
            manifest.update(fd)
            return manifest.note().decode()

    def tend(self) -> str | None:
        """Sync what is dirty, note how far open segments are; return the head if it moved."""
        desk = self._desk_made
        if desk is None:
            return None
        heads = {}
        today = day_of(desk.now())
        for strand in self._strands:
            if self._terms.flush == "interval":
                strand.sync_if_dirty()
            if self.herald.is_due:
                strand.end_day(today)
                head = strand.head()
                if head is not None:
                    heads[head[0]] = head[1:]
        if not self.herald.is_due:
            return None
        desk.note_heads(heads)
        return self.head()

    def close(self) -> None:
        """Seal every open segment and print the head."""
        self.herald.stop()
        if self._committer is not None:
            self._committer.close(self._terms.timeout_seconds)
        segments: list[Segment] = []
        for strand in self._strands:
            with suppress(AuditError):  # a strand whose disk hangs is sealed by the next start
                segment = strand.take()
                if segment is not None:
                    segments.append(segment)
        desk = self._desk_made
        if desk is None:
            return
        if segments:
            desk.seal_all(segments)
        try:
            self.herald.tell(self.head())
        except (OSError, AuditError) as error:
            health.complain("audit head", error)

    def drop(self) -> None:
        """Let go of the parent's files in a forked child."""
        for strand in self._strands:
            strand.drop()
