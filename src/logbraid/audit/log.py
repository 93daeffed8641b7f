"""``AuditLog``: a record goes in, and is on disk when the call returns.

::

    log.record("order.refund", resource_id="o-7", event_class="data_modified", payload={...})
            v    body        ids of the context, scrubbed metadata, the payload as its class says
            v    strand      the tenant's and class's own segment; chained there (strand.py)
            v    commit      written and synced as ``flush`` says
            v    returns the record's id, or raises AuditError

Nothing is queued: what ``record`` returned from is with the operating system, or on the disk.
What a process has open stands in ``writer.py``; here is what a caller sees of it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from logbraid.audit import crypto
from logbraid.audit.errors import AuditError, AuditInputError, described
from logbraid.audit.policy import DEFAULT_CLASS, PolicyLike, class_named, policy_of
from logbraid.audit.work import Audited
from logbraid.audit.writer import SYNCS, Terms, Writer
from logbraid.context import current_context
from logbraid.drive import Closing
from logbraid.health import health, say
from logbraid.process import renew_after_fork

OnError = Literal["raise", "degrade", "halt"]
Flush = Literal["data", "sync", "interval", "none"]

HALTED: Final = 74
"""The exit code of a process that may not run without its audit log (``EX_IOERR``)."""


class AuditLog(Closing):
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
    Raises ``AuditError`` if *root* cannot be written, ``AuditInputError`` for arguments that
    cannot be used.
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
        _check(flush, tuple(SYNCS), "flush")
        self.root = str(Path(root).absolute())
        self.policy = policy_of(policy)
        self._table = self.policy.table()
        self._on_error = on_error
        self._is_closed = False
        to = None if recipient is None else crypto.recipient_key(recipient)
        seconds = _seconds(timeout_seconds)
        terms = Terms(self.root, key, to, clock, self.policy, self._table, flush, seconds)
        if key is None:
            health.tell_once(
                f"audit unsigned {self.root}",
                "audit: no key was given; the log is not signed, and whoever can write can forge",
            )
        self._terms = terms
        self._writer = Writer(terms)
        renew_after_fork(self._renew_child)
        self._start()
        atexit.register(_close, weakref.ref(self))

    def _renew_child(self) -> None:
        self._writer.drop()
        self._writer = Writer(self._terms)

    def _start(self) -> None:
        try:
            self._writer.start()
        except AuditInputError:
            raise
        except (OSError, AuditError) as error:
            self._failed(error, "the audit log cannot be written")

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
        class_named(event_class, self._table)
        try:
            self._check_open()
            return self._writer.write(fields, payload, event_class)
        except AuditInputError:
            raise
        except (AuditError, OSError) as error:
            self._failed(error, "an audit record is not on disk")
            return None

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

        A task that is cancelled meanwhile waits until its record is on disk; then it is. Where
        the record is not on disk, that is raised in place of the cancellation.
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
        class_named(event_class, self._table)
        try:
            self._check_open()
            return await self._writer.awrite(fields, payload, event_class)
        except AuditInputError:
            raise
        except (AuditError, OSError) as error:
            self._failed(error, "an audit record is not on disk")
            if isinstance(error.__cause__, asyncio.CancelledError):
                raise error.__cause__ from None  # the task was cancelled meanwhile
            return None

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
            self._check_open()  # no erasure without its evidence
            found = self._writer.destroy_key(tenant, user_id)
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

    def _check_open(self) -> None:
        if self._is_closed:
            raise AuditError("the audit log is closed")

    def _failed(self, error: BaseException, what: str) -> None:
        """Do what the operator chose for a record that is not on disk."""
        health.drop("audit")
        if self._on_error == "degrade":
            health.complain("audit", error)
            return
        if self._on_error == "halt":
            say(f"audit: {what} ({type(error).__name__}); the process ends, as it was told to")
            os._exit(HALTED)
        if isinstance(error, AuditError):
            raise error
        raise AuditError(f"{what}: {described(error)}") from error

    def head(self) -> str:
        """Return the log's signed checkpoint as it is now: what a witness keeps."""
        return self._writer.head()

    def rotate_key(self) -> None:
        """Replace the signing key in its file by a new one, signed by the old one, now erased."""
        self._writer.desk().rotate()

    def close(self) -> None:
        """Seal every open segment and print the head. Idempotent; later records fail."""
        if not self._is_closed:
            self._is_closed = True
            self._writer.close()


def _close(reference: weakref.ref[AuditLog]) -> None:
    log = reference()
    if log is not None:
        log.close()


def _check(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise AuditInputError(f"{name} is {str(value)[:80]!r}; use {', '.join(known)}")


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and 0 <= value <= threading.TIMEOUT_MAX:
        return value
    raise AuditInputError(f"timeout_seconds is {str(value)[:80]!r}; use seconds, such as 10")
