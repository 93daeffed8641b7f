"""The way to OpenTelemetry: lines go in batches to an OTLP receiver, by HTTP.

One daemon thread sends what waits in a queue that is bounded in bytes; who logs never waits. A
receiver that is down is tried again for half a minute, or once more after as long as it asked
for (a minute at most), then that batch is given up; when the queue is full the oldest lines go.
All of it is counted under ``otlp``. Needs the extra ``otel``.

Not here: what a record looks like there (``otlp_records.py``), one message (``otlp_post.py``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Final

from logbraid.health import health
from logbraid.settings import Settings
from logbraid.sinks.background import BackgroundSink
from logbraid.sinks.batch import Item, Outlet
from logbraid.sinks.otlp_post import Reply, Target, target_from_env, wait_after
from logbraid.sinks.otlp_records import rejected_in, request_of, resource_of

NAME: Final = "otlp"
_LINGER_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 30.0
_END_SECONDS: Final = 1.2  # of the 2 that an exit may take
_SPARE_SECONDS: Final = 0.3  # between the last try and the end of waiting for it
_AGAIN: Final = frozenset({429, 502, 503, 504})  # OTLP 1.x, retryable response codes
_SHUTDOWN: Final = "shutdown"


class OtlpSink(BackgroundSink):
    """Send lines to the receiver that *environ* names, at most *queue_bytes* of them waiting.

    A line counts as written at ``otlp_queue`` when it is queued, at ``otlp`` when the receiver
    took it; one that is lost counts as dropped at ``otlp``. At exit there are two seconds for
    what waits. Safe for threads and forked children, whose queue is empty.
    """

    def __init__(
        self, settings: Settings, *, environ: Mapping[str, str] = os.environ, queue_bytes: int
    ) -> None:
        receiver = Receiver(target_from_env(environ), resource_of(settings, environ), self)
        super().__init__(receiver, queue_bytes=queue_bytes, policy="drop_oldest")
        self.name = f"{NAME}_queue"
        self._outlets = (_Post(receiver),)
        self._failed_flush = float("-inf")
        self.ends_at: float | None = None
        """When there is nobody left to wait for an answer, by ``time.monotonic()``."""

    def _make_empty(self) -> None:
        super()._make_empty()
        self._hurry: SimpleQueue[None] = SimpleQueue()  # unlike an Event, safe in signal handlers

    @property
    def is_closed(self) -> bool:
        """Tell whether what is on its way was counted as lost already."""
        return self._closed

    def pause(self, seconds: float) -> None:
        """Wait *seconds*, or until someone flushes."""
        with suppress(Empty):
            self._hurry.get(timeout=seconds)

    def _lose(self, reason: str, lines: int) -> None:
        drop(reason, lines)  # on the way to the receiver: the queue is nobody's concern

    def _take(self) -> tuple[list[Item], int]:
        is_small = 0 < self.queued_bytes < self._batch_bytes
        if is_small and not (self._direct or self._closed):
            self.pause(_LINGER_SECONDS)  # a batch for the price of a line
        return super()._take()

    def _drain(self, timeout_seconds: float) -> bool:
        if self._hurry.empty():
            self._hurry.put(None)
        return super()._drain(timeout_seconds)

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until the receiver has what was queued so far; tell whether it has."""
        flushed = super().flush(timeout_seconds)
        self._failed_flush = float("-inf") if flushed else time.monotonic()
        return flushed

    def _drain_for_good(self, timeout_seconds: float) -> bool:
        now = time.monotonic()
        limit = min(timeout_seconds, _END_SECONDS)
        if now - self._failed_flush < 1.0:
            limit = _SPARE_SECONDS  # who closes has waited for a flush already
        self.ends_at = now + limit - _SPARE_SECONDS
        return super()._drain_for_good(limit)


class Receiver:
    """The receiver as the sink behind the queue. Never raises: what it does not take it counts."""

    name: str = NAME

    def __init__(self, target: Target, resource: Mapping[str, str], queue: OtlpSink) -> None:
        self._target = target
        self._resource = dict(resource)
        self._queue = queue

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        """Send one line."""
        self.send([(line, tenant, day)])

    def send(self, items: Sequence[Item]) -> None:
        """Send *items* as one message, again and again while that makes sense."""
        try:
            body = request_of([item[0] for item in items], self._resource)
            reply, reason = self._deliver(body)
            rejected = 0 if reason or reply is None else min(rejected_in(reply.body), len(items))
        except Exception as error:  # noqa: BLE001 - the thread must live
            health.complain(f"sink {NAME}", error)
            reason, rejected = "sink_error", 0
        if not reason:
            drop("rejected", rejected)
            advance = health.figures(NAME).written.advance
            for _ in range(len(items) - rejected):
                advance()
        elif not self._queue.is_closed:
            drop(reason, len(items))

    def _deliver(self, body: bytes) -> tuple[Reply | None, str]:
        """Return the last answer and why the receiver did not take *body*; nothing if it did."""
        began = time.monotonic()
        tried = 0
        reply: Reply | None = None
        reason = _SHUTDOWN
        while True:
            ends_at = self._queue.ends_at
            left = self._target.timeout_seconds
            if ends_at is not None:
                left = min(left, ends_at - time.monotonic())
            if left <= 0:
                return reply, reason
            reply, reason = self._try(body, left)
            if not reason or (reply is not None and reply.status not in _AGAIN):
                return reply, reason
            wait = wait_after(reply, tried)
            tried += 1
            now = time.monotonic()
            if now - began > _PATIENCE_SECONDS or (ends_at is not None and now + wait > ends_at):
                return reply, reason
            self._queue.pause(wait)

    def _try(self, body: bytes, timeout_seconds: float) -> tuple[Reply | None, str]:
        """Return the answer and why the message is not through, which is nothing if it is."""
        try:
            reply = self._target.post(body, timeout_seconds)
        except (OSError, HTTPException, ValueError) as error:
            health.complain(f"sink {NAME}", error)
            return None, "timeout" if isinstance(error, TimeoutError) else "unreachable"
        if not 200 <= reply.status < 300:
            health.complain(f"sink {NAME}", f"the receiver answered {reply.status}")
            return reply, f"http_{reply.status}"
        return reply, ""

    def flush(self, timeout_seconds: float = 2.0) -> bool:  # noqa: ARG002 - the protocol's
        """Return at once: nothing is kept here."""
        return True

    def reopen(self) -> None:
        """Do nothing: each message has a connection of its own."""

    def close(self) -> None:
        """Do nothing: as above."""


class _Post(Outlet):
    """Hands whole batches to the receiver, which counts."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver)
        self._receiver = receiver

    def deliver(self, items: Sequence[Item]) -> None:
        self._receiver.send(items)


def drop(reason: str, lines: int) -> None:
    """Count *lines* as lost, and say so once a minute."""
    if lines:
        health.drop(reason, sink=NAME, lines=lines)
        health.complain(f"sink {NAME} drops lines", reason)
