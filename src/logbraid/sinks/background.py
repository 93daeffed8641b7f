"""Delivery by queue: the thread that logs puts the finished line down, another one writes it.

The queue holds bytes, so nothing of the application's is kept alive or pickled, and it is bounded
in bytes. What it costs: ``kill -9`` and ``os._exit`` lose what is in it, which plain (``sync``)
delivery does not.

Putting a line takes no lock: a thread that holds one when the interpreter turns to another has
all others queue up behind it, each for a turn of five milliseconds.

Not here: where lines go (the sinks inside), and signals (``sigterm.py``).
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import repeat, starmap
from queue import SimpleQueue
from typing import Final, Literal

from logbraid.health import Health, health
from logbraid.process import RenewedLock, renew_after_fork
from logbraid.sinks.batch import Item, Outlet
from logbraid.sinks.sigterm import SigtermDrain
from logbraid.sinks.sink import Sink, SinkClosedError

DRAIN_SECONDS: Final = 2.0
_HANDFUL: Final = 64
_NAP_SECONDS: Final = 0.001
_LONGEST_NAP_SECONDS: Final = 0.02


class BackgroundSink:
    """Put lines into a queue of at most *queue_bytes*; one daemon thread writes them to *inner*.

    When the queue is full, ``block`` waits for room for as long as it takes, as ``print`` does
    (and loses nothing); ``drop_oldest`` never waits: it drops whole lines, counts them as
    ``queue_full``, and *announce*, given their number, makes the line that tells of the gap.
    The limit counts the bytes of lines; the objects around short ones about double it. Where the
    interpreter has no global lock, or is traced, each thread may exceed it by one line.

    The thread starts at the first line, in a forked child too, whose queue is empty. At exit the
    queue is drained for at most two seconds; after that lines are written by who logs them.
    Safe for threads, signal handlers and finalisers.
    """

    def __init__(
        self,
        inner: Sink | Sequence[Sink],
        *,
        queue_bytes: int = 8 * 1024 * 1024,
        policy: Literal["block", "drop_oldest"] = "block",
        announce: Callable[[int], bytes] | None = None,
        health: Health = health,
    ) -> None:
        self.name = "queue"
        sinks = tuple(inner) if isinstance(inner, Sequence) else (inner,)
        self._outlets = tuple(Outlet(sink) for sink in sinks)
        self._has_foreign = any(outlet.is_foreign for outlet in self._outlets)
        self._limit = max(queue_bytes, 1)
        most = min((outlet.batch_bytes for outlet in self._outlets), default=1)
        self._batch_bytes = max(1, min(most, queue_bytes // 4))
        self._handful = max(1, min(_HANDFUL, self._batch_bytes // 1024))
        self._drops = policy == "drop_oldest"
        self._announce = announce
        self._health = health
        self._sigterm = SigtermDrain(self._drain_for_good)
        self._closed = False
        self._direct = False
        self._lock = RenewedLock()
        self._make_empty()
        renew_after_fork(self._renew)
        # Now, not with the thread: that may start while the handlers of exit are already running
        atexit.register(self._finish)

    def _make_empty(self) -> None:
        self._queue: deque[Item] = deque()
        # All that follow only grow
        self._put = 0  # lines, by anyone, just before they are in the queue
        self._put_bytes = 0
        self._dropped = 0  # by who logs, under the lock
        self._dropped_bytes = 0
        self._written = 0  # by the writer, and so the next two
        self._written_bytes = 0
        self._announced = 0  # of those dropped
        self._idle = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._accepts = False
        self._writer = 0

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        """Put *line* into the queue."""
        item = (line, tenant, day)
        if self._has_foreign and self._is_writer():
            self._write_own(item)
            return
        size = len(line)
        # The interpreter turns to other threads, signals and finalisers at calls and at jumps
        # back only: there is none from this look to the append, so all of it happens at once.
        if (
            self._accepts
            and self._put_bytes - self._dropped_bytes - self._written_bytes + size <= self._limit
        ):
            self._put_bytes += size
            self._put += 1
            self._queue.append(item)
            if self._idle or not self._accepts:
                self._see_to_it()
            return
        self._write_when_full(item, size)

    def _append(self, item: Item, size: int) -> None:
        """Put *item* into the queue as ``write`` does: first counted, so that a flush waits."""
        self._put_bytes += size
        self._put += 1
        self._queue.append(item)
        if self._idle or not self._accepts:
            self._see_to_it()

    def _see_to_it(self) -> None:
        """Wake the writer; if the queue was closed meanwhile, stay until the line is out."""
        self._wake_writer()
        if not self._accepts and not self._start():
            self._drain(DRAIN_SECONDS)

    def _wake_writer(self) -> None:
        if self._idle and self._wake.empty():
            self._wake.put(None)

    def _write_when_full(self, item: Item, size: int) -> None:
        """Put *item* when there is room, or make some; the first line of all comes here, too."""
        nap = _NAP_SECONDS
        while True:
            if not self._accepts and not self._start():
                self._write_directly(item)
                return
            # The writer itself must not wait: it is the one that makes room
            if self._has_room(size) or (self._is_writer() and not self._drops):
                self._append(item, size)
                return
            if self._drops:
                self._drop_for(item, size)
                return
            time.sleep(nap)  # signals are served meanwhile, and no lock is held that a fork needs
            nap = min(nap * 2, _LONGEST_NAP_SECONDS)

    def _drop_for(self, item: Item, size: int) -> None:
        """Drop the oldest lines until *item* fits; the item itself if what is left is under way."""
        dropped = 0
        with self._lock.lock:
            while not self._has_room(size):
                dropped += 1
                try:
                    oldest = self._queue.popleft()
                except IndexError:
                    self._put += 1
                    self._dropped += 1
                    break
                self._dropped_bytes += len(oldest[0])
                self._dropped += 1
            else:
                self._append(item, size)
        if dropped:
            self._lose("queue_full", dropped)

    def _lose(self, reason: str, lines: int) -> None:
        """Count *lines* as lost."""
        self._health.drop(reason, sink=self.name, lines=lines)

    @property
    def queued_bytes(self) -> int:
        """The bytes of the lines that were put and are not written yet, at most the limit."""
        return self._put_bytes - self._dropped_bytes - self._written_bytes

    def _has_room(self, size: int) -> bool:
        queued = self.queued_bytes
        return not queued or queued + size <= self._limit

    def _left(self) -> int:
        return self._put - self._dropped - self._written

    def _is_writer(self) -> bool:
        return threading.get_ident() == self._writer

    def _start(self) -> bool:
        """Have the thread run; False if from now on who logs writes."""
        self._lock.mend()
        with self._lock.lock:
            if self._closed or self._direct:
                return False
            if self._accepts:
                return True
            self._drain_with_multiprocessing()
            # Accepted before it runs: what a signal handler logs meanwhile must not start another
            self._accepts = True
            try:
                threading.Thread(target=self._run, name="logbraid-writer", daemon=True).start()
            except RuntimeError:  # the interpreter is shutting down, or has no thread left
                self._accepts = False
                return False
        return True

    def _drain_with_multiprocessing(self) -> None:
        children = sys.modules.get("multiprocessing.util")
        if children is not None:  # its forked children end without atexit
            children.Finalize(None, self._finish, exitpriority=100)

    def _run(self) -> None:
        self._writer = threading.get_ident()
        try:
            while self._write_batch():
                pass
        finally:
            self._writer = 0
            self._accepts = False  # a callable raised SystemExit: the next line starts a new thread

    def _write_batch(self) -> bool:
        """Write some of the queue, or sleep until there is something; False: it is over."""
        items, size = self._take()
        if not items and self._announced == self._dropped:
            if self._closed:
                return False
            self._idle = True  # first, then a look: whoever puts after it sees that we sleep
            if not self._queue:
                self._wake.get()
            self._idle = False
            return True
        try:
            gap = self._gap(items)
            for outlet in self._outlets:
                outlet.deliver([*gap, *items] if gap else items)
        finally:
            self._written_bytes += size
            self._written += len(items)
        return True

    def _take(self) -> tuple[list[Item], int]:
        """Take handfuls of lines, each in one call: who logs waits while Python runs here."""
        queue, handful = self._queue, self._handful
        items: list[Item] = []
        size = 0
        with suppress(IndexError):  # it is empty; what was taken is in *items*
            while queue and size < self._batch_bytes:
                before = len(items)
                try:
                    items.extend(starmap(queue.popleft, repeat((), handful)))
                finally:
                    size += sum([len(item[0]) for item in items[before:]])
        return items, size

    def _gap(self, items: Sequence[Item]) -> list[Item]:
        """Return the line that tells of dropped lines, if there were any since the last one."""
        dropped = self._dropped - self._announced
        self._announced += dropped
        if not dropped or self._announce is None:
            return []
        try:
            day = items[0][2] if items else time.strftime("%Y-%m-%d", time.gmtime())
            return [(self._announce(dropped), None, day)]
        except Exception as error:  # noqa: BLE001 - it is anyone's callable; the count remains
            self._health.complain("announce", error)
            return []

    def _write_own(self, item: Item) -> None:
        """Write what a user's callable logs while it gets a line: to the others, or it never ends.

        (aliyun/aliyun-log-python-sdk#123)
        """
        for outlet in self._outlets:
            if outlet.is_foreign:
                self._health.drop("reentrant", sink=outlet.sink.name)
            else:
                outlet.deliver([item])

    def _write_directly(self, item: Item) -> None:
        if self._closed:
            raise SinkClosedError
        for outlet in self._outlets:
            outlet.deliver([item])

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until all lines put so far are written; False if that takes longer.

        Called by the writer itself (from a user's callable) it does not wait.
        """
        deadline = time.monotonic() + timeout_seconds
        if not self._drain(timeout_seconds):
            return False
        left = [max(0.0, deadline - time.monotonic()) for _ in self._outlets]
        return all(one.sink.flush(wait) for one, wait in zip(self._outlets, left, strict=True))

    def _drain(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        target = self._put
        nap = 0.0002
        while self._written + self._dropped < target:
            if self._idle and not self._queue:
                return True  # a thread stands between sum and queue: its call has not returned
            self._wake_writer()  # who put the line may be the one that a signal handler stopped
            if self._is_writer() or time.monotonic() >= deadline:
                return False
            time.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP_SECONDS)
        return True

    def _finish(self) -> None:
        """At exit: write what is queued, for two seconds, and from then on without the thread."""
        if self._drain_for_good(DRAIN_SECONDS):
            return
        self._closed = True  # who logs now would wait for a reader that does not read
        left = self._left()
        self._queue.clear()
        self._lose("shutdown", left)
        self._health.complain(f"sink {self.name}", f"{left} lines were not written in time at exit")

    def _drain_for_good(self, timeout_seconds: float) -> bool:
        """Drain; from now on a line is written by who logs it, so what returned is out."""
        if self._left():
            self._start()
        self._lock.mend()
        with self._lock.lock:  # not in the middle of a start
            self._direct = True
            self._accepts = False
        return self._drain(timeout_seconds)

    def reopen(self) -> None:
        """Reopen the sinks inside."""
        for outlet in self._outlets:
            outlet.sink.reopen()

    def close(self) -> None:
        """Write what is queued, for two seconds, end the thread and close the sinks inside."""
        if self._closed:
            return
        self.remove_sigterm()
        self._finish()
        self._closed = True
        self._wake.put(None)
        atexit.unregister(self._finish)
        for outlet in self._outlets:
            outlet.sink.close()

    def install_sigterm(self) -> bool:
        """Drain at SIGTERM if nobody else handles it; tell whether that is so now.

        Only in the main thread, where Python lets handlers be set. The process then dies of the
        signal as before: the exit code stays.
        """
        return self._sigterm.install()

    def remove_sigterm(self) -> None:
        """Take the handler of SIGTERM back, if it is still ours."""
        self._sigterm.remove()

    def _renew(self) -> None:
        self._make_empty()
