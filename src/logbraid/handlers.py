"""Handlers for those who keep ``logging.config.dictConfig``: our lines, their configuration.

::

    "handlers": {
        "out": {"class": "logbraid.handlers.StdoutHandler"},
        "files": {"class": "logbraid.handlers.TenantFileHandler", "log_dir": "/var/log/app"},
    }

Each record goes the whole way (context, scrub, truncate, encode) and to this handler alone. The
level of the handler and of its loggers decides, as always in ``logging``.
"""

from __future__ import annotations

import logging
import os
import sys

from logbraid import pipeline
from logbraid.health import health
from logbraid.integrations.stdlib import to_record
from logbraid.settings import Settings
from logbraid.sinks.sink import Sink, guard
from logbraid.sinks.stdout import StdoutSink
from logbraid.sinks.tenant_files import TenantFilesSink


class _SinkHandler(logging.Handler):
    """A handler that renders with the settings in force and writes to one sink."""

    def __init__(self, sink: Sink, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._sink = sink
        self._deliver = guard(sink)

    def createLock(self) -> None:  # noqa: N802 - the spelling of logging
        """Make no lock: a sink has its own, which survives forks."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Write *record*, unless a filter on this handler says no."""
        # From Python 3.13 on the method of logging fails where there is no lock
        verdict = self.filter(record)
        if not verdict:
            return False
        if isinstance(verdict, logging.LogRecord):
            record = verdict
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; never raises."""
        try:
            told = to_record(record, admitted=True)
        except Exception as error:  # noqa: BLE001 - a record of anyone's making
            health.complain("record", error)
            told = pipeline.stand_in(logging.ERROR, "root", record.msg, error)
        line = pipeline.ready().made(told)
        if line is not None:
            self._deliver(line.text, line.tenant, line.day)

    def flush(self) -> None:
        """Wait until what was written is out."""
        self._sink.flush()

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
        super().close()


class StdoutHandler(_SinkHandler):
    """Write JSON lines to standard output, whole ones, also on a pipe that others write to."""

    def __init__(self, level: int | str = logging.NOTSET, *, lock: bool = True) -> None:
        super().__init__(StdoutSink(sys.stdout, lock=lock), level)


class TenantFileHandler(_SinkHandler):
    """Append JSON lines to ``<log_dir>/<tenant>/<day>.jsonl``, kept for *retention_days*.

    The day is UTC; 0 days keep everything. ``file_mode`` is a number (``0o640``), ``instance`` a
    word in the files' names, needed where several hosts share a volume. Raises ``OSError`` if
    *log_dir* cannot be written to.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        level: int | str = logging.NOTSET,
        *,
        retention_days: int = 14,
        file_mode: int = 0o600,
        instance: str | None = None,
    ) -> None:
        settings = Settings()
        sink = TenantFilesSink(
            log_dir,
            instance=instance,
            file_mode=file_mode,
            max_open_files=settings.max_open_files,
            max_tenants=settings.max_tenants,
            retention_days=retention_days,
        )
        sink.probe()
        super().__init__(sink, level)
