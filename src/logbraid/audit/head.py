"""The log's head on standard output: one line at an interval, so that the aggregator is a witness.

Whoever holds an earlier head can tell that the log was rolled back or cut; nothing on this host
can. The line goes through the configured pipeline as any other; where logging is not configured,
straight to standard output.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from logbraid import pipeline
from logbraid.audit.errors import AuditError
from logbraid.audit.policy import Policy
from logbraid.clock import Stamper
from logbraid.health import health
from logbraid.record import INFO, Record
from logbraid.sinks.stdout import StdoutSink

EVENT: Final = "audit_head"
LOGGER: Final = "logbraid.audit"


class Herald:
    """A thread that tends the log at its intervals; it runs only where there is something to do."""

    def __init__(self, tend: Callable[[], str | None], policy: Policy, *, interval: bool) -> None:
        self._tend = tend
        self._head_seconds = policy.head_seconds
        self._wait = _shortest(policy, interval=interval)
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._told = ""
        self._last = time.monotonic()
        self.is_due = False

    def start(self) -> None:
        """Begin, at the first record."""
        if self._thread is None and self._wait:
            self._thread = threading.Thread(
                target=self._run, name="logbraid-audit-head", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End; does not wait for a disk that hangs."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._wait):
            now = time.monotonic()
            self.is_due = bool(self._head_seconds) and now - self._last >= self._head_seconds * 0.99
            try:
                head = self._tend()
            except (OSError, AuditError) as error:
                health.complain("audit head", error)
                continue
            if self.is_due:
                self._last = now
                if head is not None:
                    self.tell(head)

    def tell(self, note: str) -> None:
        """Print *note*, a signed checkpoint, if it is not the one printed last."""
        if not self._head_seconds or note == self._told:
            return
        self._told = note
        _, size, root, *_ = note.split("\n")
        fields = {"size": int(size), "root": root, "checkpoint": note}
        active = pipeline.active
        if isinstance(active, pipeline.Pipeline):
            active.emit(Record(INFO, LOGGER, EVENT, fields, admitted=True))
            return
        stamp = Stamper().stamp(time.time_ns())
        told: dict[str, Any] = {"timestamp": stamp, "level": "info", "logger": LOGGER}
        line = orjson.dumps({**told, "event": EVENT, **fields}, option=orjson.OPT_APPEND_NEWLINE)
        try:
            StdoutSink(sys.stdout).write(line, None, stamp[:10])
        except (OSError, ValueError) as error:
            health.complain("audit head", error)


def _shortest(policy: Policy, *, interval: bool) -> float:
    waits = [policy.head_seconds] if policy.head_seconds else []
    if interval:
        waits.append(policy.sync_seconds)
    return min(waits, default=0.0)
