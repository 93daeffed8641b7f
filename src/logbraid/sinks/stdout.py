"""Lines to one of the process's standard streams: a descriptor if it has one, else its ``write``.

The descriptor is written directly, one ``os.write`` a line: no buffer that a fork would flush
twice or a kill would lose, no lock of ``io`` that a signal handler would find taken. Only a pipe
needs locks, because others write to it at the same time (``pipe_lock.py``).

A stream without a descriptor, or one that someone put in place of the real one (a notebook's,
pytest's), is called as ``print`` would call it.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from logbraid.health import Health, health
from logbraid.process import RenewedLock, renew_after_fork
from logbraid.sinks.batch import Item
from logbraid.sinks.descriptor import Descriptor, is_torn
from logbraid.sinks.pipe_lock import PipeLock, is_fifo
from logbraid.sinks.sink import SinkClosedError, reason_of

_write = os.write
_is_finalizing = sys.is_finalizing
_GONE: Final = {errno.EPIPE: "broken_pipe", errno.ECONNRESET: "broken_pipe", errno.EBADF: "closed"}
_MAX_NESTED: Final = 1000
_PIPE_BATCH_BYTES: Final = 256 * 1024
"""The most at once from a queue: its reader may be slow, and others on the pipe wait so long."""


class StdoutSink:
    """Write lines to *stream*, which is ``sys.stdout`` or ``sys.stderr``.

    Asks for the descriptor now and flushes once before. ``None`` or a closed stream: the sink is
    off, told once. Blocks while a pipe is full, as ``print`` does. When the reader of a pipe goes
    away the sink switches itself off with one notice and every later line is counted.

    Safe for threads, forks, signal handlers and finalisers: a line logged while this thread is
    in the middle of one waits until that one is out. *lock* is about pipes only: without it,
    lines above ``PIPE_BUF`` of several processes on one pipe may tear each other.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        name: str = "stdout",
        lock: bool = True,
        health: Health = health,
    ) -> None:
        self.name = name
        self._health = health
        self._off: str | None = None
        self._stream = stream
        self._guard = RenewedLock()
        self._busy = False
        self._nested: deque[bytes] = deque()
        fd = _descriptor_of(stream)
        self._descriptor = Descriptor(-1 if fd is None else fd)
        if fd is not None and is_fifo(fd):
            self.batch_bytes = _PIPE_BATCH_BYTES
        self.runs_foreign_code = fd is None and stream is not None  # its write() may itself log
        self._pipe_lock = PipeLock(fd) if fd is not None and lock and is_fifo(fd) else None
        self.write = self._choose()
        renew_after_fork(self._renew)

    def _choose(self) -> Callable[[bytes, str | None, str], None]:
        """Return the write method for what the stream is, so that the usual case asks nothing."""
        stream = self._stream
        if stream is None or getattr(stream, "closed", False):
            self._switch_off("closed", "there is no stream")
            return self._write_plain
        if self._descriptor.fd < 0:
            return self._write_guarded
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            self._health.complain(f"sink {self.name}", error)
        if is_fifo(self._descriptor.fd):
            return self._write_guarded
        self._descriptor.torn = _ends_torn(self._descriptor.fd)
        return self._write_plain

    def _write_plain(self, line: bytes, tenant: str | None, day: str) -> None:  # noqa: ARG002 - Sink's
        """Write to a file, a terminal or a socket: one call of the system and a comparison."""
        descriptor = self._descriptor
        try:
            if descriptor.torn or self._off:
                self._write_out(line)
                return
            done = _write(descriptor.fd, line)
            if done != len(line):
                descriptor.go_on(line, done)
        except OSError as error:
            self._recover(line, error)

    def _recover(self, line: bytes, error: OSError) -> None:
        """Write *line* with patience if the descriptor was only busy, else raise *error*."""
        if isinstance(error, BlockingIOError):
            try:
                self._descriptor.write(line)
            except OSError as late:
                self._look_at(late)
                raise
            return
        self._look_at(error)
        raise error

    def _write_guarded(self, line: bytes, tenant: str | None, day: str) -> None:  # noqa: ARG002 - Sink's
        """Write under a lock of the process; a line that interrupts another one waits for it."""
        if _is_finalizing() and self._guard.mend():
            self._renew()
        with self._guard.lock:
            if self._busy:
                self._keep_for_later(line)
                return
            try:
                self._busy = True
                if self._pipe_lock is None or self._off:
                    self._write_out(line)
                elif not self._pipe_lock.write(self._descriptor, line):
                    self._health.unlocked.advance()
            except OSError as error:
                self._look_at(error)
                raise
            finally:
                self._busy = False
                if self._nested:
                    self._write_waiting()

    def _write_alone(self, line: bytes) -> None:
        try:
            self._busy = True
            self._write_out(line)
        except OSError as error:
            self._look_at(error)
            raise
        finally:
            self._busy = False

    def write_many(self, items: Sequence[Item]) -> Sequence[Item]:
        """Write the lines of *items* in as few calls as may be; return those that failed."""
        if self._off or self._descriptor.fd < 0:
            return items
        lines = [item[0] for item in items]
        with self._guard.lock:
            if self._busy:
                return items
            try:
                self._busy = True
                written = self._write_lines(lines)
            finally:
                self._busy = False
                self._write_waiting()
        return items[written:]

    def _write_lines(self, lines: Sequence[bytes]) -> int:
        lock = self._pipe_lock
        if lock is None:
            # Without a lock only short lines keep whole on a pipe: they go one by one
            return 0 if is_fifo(self._descriptor.fd) else self._descriptor.write_lines(lines)
        try:
            if not lock.take(sum(map(len, lines))):
                return 0
            return self._descriptor.write_lines(lines)
        finally:
            lock.release()

    def _keep_for_later(self, line: bytes) -> None:
        if len(self._nested) < _MAX_NESTED:
            self._nested.append(line)
            return
        self._health.drop("reentrant", sink=self.name)

    def _write_waiting(self) -> None:
        """Write the lines that interrupted the one before; not what a stream logs about these.

        A stream that logs what it is given (Celery's) would never come to an end.
        """
        while self._nested:
            line = self._nested.popleft()
            waiting = len(self._nested)
            self._write_nested(line)
            while self.runs_foreign_code and len(self._nested) > waiting:
                self._nested.pop()
                self._health.drop("reentrant", sink=self.name)

    def _write_nested(self, line: bytes) -> None:
        try:
            self._write_alone(line)
        except Exception as error:  # noqa: BLE001 - who logged it has long returned: counted
            self._health.drop(reason_of(error), sink=self.name)

    def _write_out(self, line: bytes) -> None:
        if self._off:
            raise SinkClosedError(self._off)
        if self._descriptor.fd < 0:
            self._call_stream(line)
        elif self._pipe_lock is None:
            self._descriptor.write(line)
        elif not self._pipe_lock.write(self._descriptor, line):
            self._health.unlocked.advance()

    def _call_stream(self, line: bytes) -> None:
        stream = self._stream
        if stream is None or getattr(stream, "closed", False):
            self._switch_off("closed", "its stream was closed")
            raise SinkClosedError
        text = line.decode("utf-8", "replace")
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(_in_ascii(text))
        stream.flush()

    def _look_at(self, error: OSError) -> None:
        """Switch off if *error* means that nobody will ever read this again."""
        reason = _GONE.get(error.errno or 0)
        if reason is None or isinstance(error, SinkClosedError):
            return
        self._switch_off(reason, "nobody reads it any more")
        raise SinkClosedError(reason) from error

    def _switch_off(self, reason: str, why: str) -> None:
        self._off = reason
        self._health.tell_once(
            f"off {self.name}", f"sink {self.name} is off: {why}; its lines are dropped and counted"
        )

    def flush(self, timeout_seconds: float = 2.0) -> bool:  # noqa: ARG002 - Sink's
        """Return True: nothing is held back here."""
        return True

    def reopen(self) -> None:
        """Do nothing: a standard stream has no name to open it by."""

    def close(self) -> None:
        """Stop writing. The stream is the process's and stays open."""
        self._off = self._off or "closed"
        if self._pipe_lock is not None and not self._busy:
            self._pipe_lock.renew()

    def _renew(self) -> None:
        self._busy = False
        self._nested = deque()
        if self._pipe_lock is not None:
            self._pipe_lock.renew()


def _descriptor_of(stream: TextIO | None) -> int | None:
    """Return the descriptor that may be written past *stream*, if it has one.

    Only of the process's own streams and of plain text files: a notebook's stream, or pytest's,
    also names a descriptor, which is not where its text goes.
    """
    if stream is None or getattr(stream, "closed", False):
        return None
    own = stream is sys.__stdout__ or stream is sys.__stderr__
    if not own and type(stream) is not io.TextIOWrapper:
        return None
    try:
        fd = stream.fileno()
        os.fstat(fd)
    except (OSError, ValueError):
        return None
    return fd


def _ends_torn(fd: int) -> bool:
    """Tell whether *fd* is a file that someone who was killed left in the middle of a line."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return False
        readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    except OSError:
        return False
    try:
        return is_torn(readable)
    finally:
        os.close(readable)


def _in_ascii(text: str) -> str:
    """Return JSON *text* for a stream that is not Unicode: escapes, which mean the same."""
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)
