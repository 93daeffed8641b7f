"""``AuditLog``: a record goes in, and is on disk when the call returns.

::

    log.record("order.refund", resource_id="o-7", event_class="data_modified", payload={...})
            v    body        ids of the context, scrubbed metadata, the payload as its class says
            v    strand      the tenant's and class's own segment; chained there (strand.py)
            v    commit      written and synced as ``flush`` says
            v    returns the record's id, or raises AuditError

Nothing is queued: what ``record`` returned from is with the operating system, or on the disk.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from logbraid.audit import crypto
from logbraid.audit.body import Body, BodyMaker
from logbraid.audit.commit import Committer, Entry, raise_failure, timed_out
from logbraid.audit.desk import Desk
from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import probe
from logbraid.audit.head import Herald
from logbraid.audit.payload import Payloads
from logbraid.audit.policy import DEFAULT_CLASS, PolicyLike, class_named, policy_of
from logbraid.audit.secrets import Secrets, user_file
from logbraid.audit.segment import Segment
from logbraid.audit.strand import Strand
from logbraid.audit.work import Audited
from logbraid.clock import day_of
from logbraid.context import current_context
from logbraid.health import health, say
from logbraid.process import renew_after_fork

OnError = Literal["raise", "degrade", "halt"]
Flush = Literal["data", "sync", "interval", "none"]

HALTED: Final = 74
"""The exit code of a process that may not run without its audit log (``EX_IOERR``)."""


class AuditLog:
    """A tamper-evident log of what was done, by whom, and how it ended.

    *root* is a directory that several processes may share. *key* signs: the path of an Ed25519
    PEM file or the key; without one the log is unsigned, which is told once. *recipient* is the
    X25519 public key to which payloads of policy ``full`` are encrypted. *policy*: what is kept,
    how long (``Policy``, a table of classes, or one payload policy for all).

    *flush*: ``data`` and ``sync`` return when the record is on the disk (fdatasync, fsync),
    ``interval`` syncs once a second, ``none`` leaves it to the system; all survive ``kill -9``.
    *on_error*: ``raise`` an ``AuditError``; ``degrade``: complain on standard error, count, go on
    (``record`` returns ``None``); ``halt``: end the process with 74. *timeout_seconds* bounds
    every wait; a write into the page cache (``interval``, ``none``) is not waited for, it is made.

    Safe for threads, tasks and forks. ``close()`` seals; so does the end of the interpreter.
    Raises ``AuditError`` if *root* cannot be written.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        key: crypto.Key | None = None,
        recipient: crypto.Recipient | None = None,
        clock: Callable[[], int] = time.time_ns,
        policy: PolicyLike = "",
        on_error: OnError = "raise",
        flush: Flush = "data",
        timeout_seconds: float = 10,
    ) -> None:
        _check(on_error, ("raise", "degrade", "halt"), "on_error")
        _check(flush, ("data", "sync", "interval", "none"), "flush")
        self.root = str(Path(root).absolute())
        self.policy = policy_of(policy) if policy else policy_of({})
        self._key = key
        self._recipient = None if recipient is None else crypto.recipient_key(recipient)
        self._clock = clock
        self._on_error = on_error
        self._flush = flush
        self._timeout = timeout_seconds
        self._table = self.policy.table()
        self._sync = None if flush in ("none", "interval") else _SYNCS[flush]
        self._is_closed = False
        if key is None:
            health.tell_once(
                f"audit unsigned {self.root}",
                "audit: no key was given; the log is not signed, and whoever can write can forge",
            )
        self._renew()
        renew_after_fork(self._renew_child)
        self._start()
        atexit.register(_close, weakref.ref(self))

    # -- a process's own state --------------------------------------------------------------

    def _renew(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come in the middle
        self._desk_made: Desk | None = None
        self._strands: dict[tuple[str | None, str], Strand] = {}
        self._secrets = Secrets(self.root)
        self._payloads = Payloads(self._secrets, self._recipient, self.policy.max_payload_bytes)
        self._body = BodyMaker(self._clock, self._payloads)
        self._committer = None if self._sync is None else Committer(self._sync)
        self._herald = Herald(self._tend, self.policy, interval=self._flush == "interval")

    def _renew_child(self) -> None:
        # A child writes under a name of its own: it lets go of the parent's files, never of locks
        for strand in self._strands.values():
            strand.drop()
        self._renew()

    def _start(self) -> None:
        try:
            probe(self.root)
            self._desk()
        except (OSError, AuditError) as error:
            if isinstance(error, AuditInputError):
                raise
            self._failed(error, "the audit log cannot be written")

    def _desk(self) -> Desk:
        desk = self._desk_made
        if desk is not None:
            return desk
        with self._lock:
            if self._desk_made is None:
                desk = Desk(
                    self.root,
                    self._key,
                    self.policy,
                    clock=self._clock,
                    timeout_seconds=self._timeout,
                    durable=self._flush != "none",
                )
                desk.start()
                self._desk_made = desk
            return self._desk_made

    def _strand(self, tenant: str | None, kind: str) -> Strand:
        found = self._strands.get((tenant, kind))
        if found is None:
            desk = self._desk()
            with self._lock:
                found = self._strands.get((tenant, kind))
                if found is None:
                    found = Strand(desk, tenant, kind, self._table[kind], self._timeout)
                    self._strands[tenant, kind] = found
        return found

    # -- recording ----------------------------------------------------------------------------

    def record(
        self,
        action: str,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        outcome: str = "ok",
        status_code: int | None = None,
        duration_ms: float | None = None,
        mutating: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
        payload: Any = None,
        event_class: str = DEFAULT_CLASS,
    ) -> str | None:
        """Write one record and return its id, a UUIDv7; ``None`` where ``degrade`` let it pass.

        *metadata* is kept under every policy, scrubbed as a log line is; *payload* falls under
        the policy of *event_class*. The ids of the context, ``id`` and ``created_at`` are filled
        in. Raises ``AuditError`` if the record is not on disk as ``flush`` says, and
        ``AuditInputError`` for an event class that there is not.
        """
        fields = {
            "action": action,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "outcome": outcome,
            "status_code": status_code,
            "duration_ms": duration_ms,
            "mutating": mutating,
            "metadata": metadata,
        }
        return self.write(fields, payload, event_class)

    def write(self, fields: dict[str, Any], payload: Any, event_class: str) -> str | None:
        """Write what ``record`` and ``audited`` put together."""
        one = class_named(event_class, self._table)
        try:
            body = self._body.make(fields, payload, event_class, one.payload)
            strand = self._open(body, event_class)
            if self._committer is None:
                strand.append(body.bodies, body.day, None)
            else:
                self._committer.commit(strand, body.bodies, body.day, self._timeout)
        except AuditInputError:
            raise
        except (AuditError, OSError) as error:
            self._failed(error, "an audit record is not on disk")
            return None
        return body.record_id

    async def arecord(
        self,
        action: str,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        outcome: str = "ok",
        status_code: int | None = None,
        duration_ms: float | None = None,
        mutating: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
        payload: Any = None,
        event_class: str = DEFAULT_CLASS,
    ) -> str | None:
        """Do what ``record`` does without holding up the event loop while the disk works.

        A task that is cancelled meanwhile waits until its record is on disk; then it is.
        """
        fields = {
            "action": action,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "outcome": outcome,
            "status_code": status_code,
            "duration_ms": duration_ms,
            "mutating": mutating,
            "metadata": metadata,
        }
        return await self.awrite(fields, payload, event_class)

    async def awrite(self, fields: dict[str, Any], payload: Any, event_class: str) -> str | None:
        """Write what ``arecord`` and ``audited`` put together."""
        if self._committer is None:
            return self.write(fields, payload, event_class)  # 20 us; a thread would cost 74
        one = class_named(event_class, self._table)
        try:
            body = self._body.make(fields, payload, event_class, one.payload)
            await self._committed(self._committer, body, self._open(body, event_class))
        except AuditInputError:
            raise
        except (AuditError, OSError) as error:
            self._failed(error, "an audit record is not on disk")
            return None
        return body.record_id

    async def _committed(self, committer: Committer, body: Body, strand: Strand) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(None))

        entry = Entry(strand, body.bodies, body.day, finish)
        committer.submit(entry)
        cancelled: asyncio.CancelledError | None = None
        deadline = loop.time() + self._timeout
        while not done.done() and loop.time() < deadline:
            try:
                await asyncio.wait({done}, timeout=deadline - loop.time())
            except asyncio.CancelledError as error:
                cancelled = error  # shielded: first the disk, then the cancellation
        if cancelled is not None:
            raise cancelled
        if not done.done():
            entry.is_given_up = True
            raise timed_out(self._timeout)
        raise_failure(entry)

    def _open(self, body: Body, event_class: str) -> Strand:
        if self._is_closed:
            raise AuditError("the audit log is closed")
        self._herald.start()
        return self._strand(body.tenant, event_class)

    def audited(
        self, action: str | None = None, *, event_class: str = DEFAULT_CLASS, **fields: Any
    ) -> Audited:
        """Return a decorator and context manager that writes a record when the work is over."""
        class_named(event_class, self._table)
        return Audited(self, action, event_class, fields)

    def forget(self, user_id: str, *, tenant_id: str | None = None) -> str | None:
        """Make the user's encrypted payloads unreadable for ever, and record that it was done.

        Their key is destroyed first, then the evidence is written (class ``forget_me``). The
        tenant is the context's unless one is given. Copies of the key's directory are not reached.
        """
        tenant = current_context().get("tenant_id") if tenant_id is None else tenant_id
        try:
            found = self._secrets.destroy(user_file(tenant, user_id))
        except AuditError as error:
            self._failed(error, "a user's key is not destroyed")
            return None
        fields = {
            "action": "audit.forget_me",
            "resource_type": "user",
            "resource_id": user_id,
            "outcome": "ok",
            "metadata": {"had_encrypted_payloads": found},
        }
        if tenant_id is not None:
            fields["tenant_id"] = tenant_id
        return self.write(fields, None, "forget_me")

    # -- around it ----------------------------------------------------------------------------

    def _failed(self, error: BaseException, what: str) -> None:
        """Do what the operator chose for a record that is not on disk."""
        if self._on_error == "degrade":
            health.complain("audit", error)
            health.drop("audit")
            return
        if self._on_error == "halt":
            say(f"audit: {what} ({type(error).__name__}); the process ends, as it was told to")
            os._exit(HALTED)
        if isinstance(error, AuditError):
            raise error
        raise AuditError(f"{what}: {_described(error)}") from error

    def head(self) -> str:
        """Return the log's signed checkpoint as it is now: what a witness keeps."""
        manifest = self._desk().manifest
        with manifest.locked() as fd:
            manifest.update(fd)
            return manifest.note().decode()

    def rotate_key(self) -> None:
        """Replace the signing key in its file by a new one, signed by the old one, now erased."""
        self._desk().rotate()

    def _tend(self) -> str | None:
        """Sync what is dirty, note how far open segments are; return the head if it moved."""
        desk = self._desk_made
        if desk is None:
            return None
        heads = {}
        today = day_of(desk.now())
        for strand in list(self._strands.values()):
            if self._flush == "interval":
                strand.sync_if_dirty()
            if self._herald.is_due:
                strand.end_day(today)
                head = strand.head()
                if head is not None:
                    heads[head[0]] = head[1:]
        if not self._herald.is_due:
            return None
        desk.note_heads(heads)
        return self.head()

    def close(self) -> None:
        """Seal every open segment and print the head. Idempotent; later records fail."""
        if self._is_closed:
            return
        self._is_closed = True
        self._herald.stop()
        if self._committer is not None:
            self._committer.close(self._timeout)
        segments: list[Segment] = []
        for strand in self._strands.values():
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
            self._herald.tell(self.head())
        except (OSError, AuditError) as error:
            health.complain("audit head", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _close(reference: weakref.ref[AuditLog]) -> None:
    log = reference()
    if log is not None:
        log.close()


def _sync_whole(segment: Segment) -> None:
    segment.sync(whole=True)


_SYNCS: Final[dict[str, Callable[[Segment], None]]] = {
    "data": Segment.sync,
    "sync": _sync_whole,
}


def _check(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise AuditInputError(f"{name} is {str(value)[:80]!r}; use {', '.join(known)}")


def _described(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__} (errno {error.errno})"
    return type(error).__name__
