"""Group commit: one thread writes and syncs, callers wait for their record to be on disk.

While a sync is under way others hand in their records; the next write takes them all. So nobody
waits to be joined (the bound of 10 ms is met by not waiting at all), and eight threads cost two
syncs. The disk is touched by this thread only, so that a caller can stop waiting when its time
is out: a sync that hangs cannot be interrupted.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from logbraid.audit.errors import AuditError, described
from logbraid.audit.segment import Segment
from logbraid.audit.strand import Strand


@dataclass(slots=True, eq=False)
class Entry:
    """Records on their way to one strand. *on_done* is called in the writing thread."""

    strand: Strand
    bodies: list[bytes]
    day: str
    on_done: Callable[[], object]
    error: BaseException | None = None
    is_given_up: bool = False


class Committer:
    """Writes what is handed in, group by group."""

    def __init__(self, sync: Callable[[Segment], None]) -> None:
        self._sync = sync
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, entry: Entry) -> None:
        """Hand in *entry*; returns at once."""
        self._entries.put(entry)
        if self._thread is None:
            self._start()

    def commit(self, strand: Strand, bodies: list[bytes], day: str, timeout_seconds: float) -> None:
        """Write *bodies* and wait until they are on disk; raises ``AuditError`` if they are not."""
        done = threading.Lock()
        done.acquire()  # released by the writing thread: the cheapest event there is
        entry = Entry(strand, bodies, day, done.release)
        self.submit(entry)
        if not done.acquire(timeout=timeout_seconds):
            entry.is_given_up = True
            raise timed_out(timeout_seconds)
        failure = failure_of(entry)
        if failure is not None:
            raise failure

    async def acommit(
        self, strand: Strand, bodies: list[bytes], day: str, timeout_seconds: float
    ) -> None:
        """Do what ``commit`` does in a task. Who is cancelled first waits for the disk.

        Of a task that was cancelled, a failure has the cancellation as its cause.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(None))

        entry = Entry(strand, bodies, day, finish)
        self.submit(entry)
        cancelled: asyncio.CancelledError | None = None
        deadline = loop.time() + timeout_seconds
        while not done.done() and loop.time() < deadline:
            try:
                await asyncio.wait({done}, timeout=deadline - loop.time())
            except asyncio.CancelledError as error:
                cancelled = error  # shielded: first the disk, then the cancellation
        entry.is_given_up = not done.done()
        failure = timed_out(timeout_seconds) if entry.is_given_up else failure_of(entry)
        if failure is not None:
            raise failure from cancelled or failure.__cause__
        if cancelled is not None:
            raise cancelled

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="logbraid-audit", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        entry = self._entries.get()
        while entry is not None:
            groups: dict[tuple[Strand, str], list[Entry]] = {}
            while entry is not None:
                if not entry.is_given_up:
                    groups.setdefault((entry.strand, entry.day), []).append(entry)
                try:
                    entry = self._entries.get_nowait()
                except queue.Empty:
                    break
            is_last = entry is None
            for (strand, day), group in groups.items():
                self._write(strand, day, group)
            entry = None if is_last else self._entries.get()

    def _write(self, strand: Strand, day: str, group: list[Entry]) -> None:
        error: BaseException | None = None
        try:
            strand.append([body for entry in group for body in entry.bodies], day, self._sync)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the callers wait
            error = failure
        for entry in group:
            entry.error = error
            entry.on_done()

    def close(self, timeout_seconds: float) -> None:
        """Write what was handed in, and end the thread."""
        self._entries.put(None)
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_seconds)


def timed_out(seconds: float) -> AuditError:
    """Return the error of a record whose time was out."""
    return AuditError(f"the record is not on disk after {seconds:g} s")


def failure_of(entry: Entry) -> AuditError | None:
    """Return what kept *entry* from the disk, as an ``AuditError`` of the caller's own."""
    error = entry.error
    if error is None:
        return None
    if isinstance(error, AuditError):
        made, cause = type(error)(*error.args), error.__cause__
    else:
        made, cause = AuditError(f"the record is not on disk: {described(error)}"), error
    made.__cause__ = cause
    return made
