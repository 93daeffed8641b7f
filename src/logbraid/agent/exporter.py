"""Entries of tracers as lines of JSON in a directory of files, one file a day.

The lines are those of ``redacting_dump_json``, the files are written as those of tenants are: by
any number of processes, each line whole in one write, nothing ever renamed. Not here: what an
entry says, how it is made safe, how a file is opened.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, Self

from logbraid import pipeline
from logbraid.agent.clean import Cleaner
from logbraid.agent.entry import MAX_SUMMARY_CHARS, TraceEntry
from logbraid.clock import Stamper
from logbraid.drive import Closing
from logbraid.health import health
from logbraid.process import renew_after_fork
from logbraid.sinks.opening import directory_mode, make_directories
from logbraid.sinks.sink import lost
from logbraid.sinks.tenant_files import TenantFilesSink

_FILE_MODE: Final = 0o600
_TENANT: Final = "traces"  # one place for all: the tenant stands in the line
_UNREADABLE: Final = "<unreadable>"
_stamper: Final = Stamper()


class Tracer(Protocol):
    """What an exporter needs of a tracer."""

    def subscribe(self, callback: Callable[[TraceEntry], object]) -> Callable[[], None]:
        """Call *callback* with each entry; return what undoes it."""


class _TraceFiles(TenantFilesSink):
    """``<path>/traces-<day>.jsonl``, or ``traces.jsonl`` where the day is empty."""

    name = "traces"

    def place(self, tenant: str | None, day: str) -> tuple[str, str]:  # noqa: ARG002 - one place
        return ".", f"traces-{day}" if day else "traces"


class JSONLExporter(Closing):
    """Write each entry of the tracers it is attached to as one line in ``path``.

    The file is ``traces-YYYY-MM-DD.jsonl``, by the UTC day on which the entry ended, or
    ``traces.jsonl`` without *rotate_daily*. No text in a line is longer than *max_summary_chars*.
    Files are made with mode 0600, missing directories with 0700; what is there keeps its mode.
    Nothing is ever deleted.

    Any number of processes and threads may write to one directory. An entry is with the operating
    system when its action has ended. Never raises into the agent: a line that cannot be written
    is counted (``stats().sinks["traces"]``) and told once a minute. May be forked.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rotate_daily: bool = True,
        max_summary_chars: int = MAX_SUMMARY_CHARS,
    ) -> None:
        self._rotate_daily = rotate_daily
        self._cleaner = Cleaner.of(max_summary_chars)
        self._files = _TraceFiles(path, file_mode=_FILE_MODE, retention_days=0)
        self._attached: dict[int, tuple[Tracer, Callable[[], None]]] = {}
        self._renew()
        renew_after_fork(self._renew)
        # Not at the first entry: forked in the middle of an import, a child waits for ever
        pipeline.ready()
        try:
            make_directories(os.path.abspath(path), directory_mode(_FILE_MODE))  # noqa: PTH100 - text
        except OSError as error:  # the disk may be there at the first entry
            health.complain("sink traces", error)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def attach(self, tracer: Tracer) -> Self:
        """Write the entries of *tracer* from now on, beside those of others; returns itself.

        Attached twice, a tracer's entries are still written once.
        """
        with self._lock:
            if id(tracer) not in self._attached:
                self._attached[id(tracer)] = (tracer, tracer.subscribe(self.write))
        return self

    def detach(self, tracer: Tracer | None = None) -> None:
        """Write no more entries of *tracer*, or of any."""
        with self._lock:
            chosen = list(self._attached) if tracer is None else [id(tracer)]
            undone = [self._attached.pop(one) for one in chosen if one in self._attached]
        for _, undo in undone:
            undo()

    def close(self) -> None:
        """Detach from all tracers and close the files. It may be attached anew."""
        self.detach()
        self._files.reopen()

    def write(self, entry: TraceEntry) -> None:
        """Write one entry. Never raises for an ``Exception``."""
        try:
            day = _day_of(entry) if self._rotate_daily else ""
            self._files.write(self._line(entry), _TENANT, day)
        except Exception as error:  # noqa: BLE001 - no disk and no value is worth an agent
            lost(self._files, error)
        else:
            health.figures(self._files.name).written.advance()

    def _line(self, entry: TraceEntry) -> bytes:
        stamp = _stamp_of(entry)
        try:
            return self._cleaner.line({**entry.known(), **stamp})
        except Exception as error:  # noqa: BLE001 - one value must not lose the entry
            health.complain("trace entry", error)
        told: dict[str, Any] = dict(stamp)
        for name in TraceEntry.__dataclass_fields__:
            if name != "timestamp":
                told[name] = self._seen(name, entry)
        return self._cleaner.line(told)

    def _seen(self, name: str, entry: TraceEntry) -> Any:
        try:
            return self._cleaner.fields({name: getattr(entry, name)})[name]
        except Exception:  # noqa: BLE001 - the entry was told of before
            return _UNREADABLE


def _stamp_of(entry: TraceEntry) -> dict[str, Any]:
    """Return the entry's time as lines write it; now, and what it says, if that is no time."""
    try:
        began = _utc(entry.timestamp)
        return {"timestamp": _stamper.stamp(round(began.timestamp() * 1_000_000) * 1000)}
    except Exception:  # noqa: BLE001 - anyone may have made the entry, of anything
        return {"timestamp": _stamper.stamp(time.time_ns()), "timestamp_": entry.timestamp}


def _day_of(entry: TraceEntry) -> str:
    """Return the UTC day on which *entry* ended; that of its start, or today, if nobody knows."""
    for name in ("ended", "timestamp"):
        try:
            return f"{_utc(getattr(entry, name)):%Y-%m-%d}".rjust(10, "0")
        except Exception:  # noqa: BLE001, S112 - a duration of NaN, a date in the year 9999
            continue
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _utc(moment: datetime) -> datetime:
    """Return *moment* in UTC; without a zone it is that already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
