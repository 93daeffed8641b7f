"""What a sink is, and how one is guarded: a failing sink is counted, never felt by the caller."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

from logbraid.health import health

_REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "file_too_large",
    errno.EPIPE: "broken_pipe",
    errno.EMFILE: "no_descriptors",
    errno.ENFILE: "no_descriptors",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    errno.EIO: "io_error",
}


class Sink(Protocol):
    """Where lines go.

    Every method may be called from any thread at any time, also after ``close()``, also in a
    forked child: a sink registers its own renewal with ``renew_after_fork``.
    """

    name: str
    """The key of its figures in ``stats().sinks``: ``stdout``, ``files``, ``terminal`` ..."""

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        r"""Write *line* (one JSON object and its ``\n``) whole, or raise ``OSError``.

        *tenant* is the text of the id (``None``: there is none), *day* the record's UTC day as
        ``2026-11-21``. When it raises, the line is lost and counted by who called. Returns when
        the operating system has the line.
        """

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until all that was written is out; tell whether it is."""

    def reopen(self) -> None:
        """Open anew what may have been moved away or deleted. Idempotent."""

    def close(self) -> None:
        """Let go of descriptors. Idempotent; a later ``write`` is dropped and counted."""


def guard(sink: Sink) -> Callable[[bytes, str | None, str], bool]:
    """Return a function that writes to *sink*, counts the line there, and tells if it was written.

    It never raises but for what is not an ``Exception``.
    """
    write = sink.write
    written = health.figures(sink.name).written.advance

    def deliver(line: bytes, tenant: str | None, day: str) -> bool:
        try:
            write(line, tenant, day)
        except Exception as error:  # noqa: BLE001 - a sink may be anyone's callable
            lost(sink, error)
            return False
        written()
        return True

    return deliver


def lost(sink: Sink, error: Exception) -> None:
    """Count a line that *sink* did not take because of *error*, and tell of it."""
    health.drop(reason_of(error), sink=sink.name)
    if not isinstance(error, SinkClosedError):  # that was told when it closed
        health.complain(f"sink {sink.name}", error)


def runs_foreign_code(sink: Sink) -> bool:
    """Tell whether writing to *sink* runs code that may itself log."""
    return bool(getattr(sink, "runs_foreign_code", False))


def reason_of(error: BaseException) -> str:
    """Return the word under which a line lost to *error* is counted."""
    if isinstance(error, SinkClosedError):
        return error.reason
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, "os_error")
    return "sink_error"


class SinkClosedError(OSError):
    """The sink was closed, or its stream is gone: counted under ``reason``, never told again.

    Whoever closes a sink for another cause than ``close()`` tells it once, then raises this.
    """

    def __init__(self, reason: str = "closed") -> None:
        super().__init__(reason)
        self.reason = reason
