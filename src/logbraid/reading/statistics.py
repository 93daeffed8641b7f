"""Counting: how many records and errors there are and how long things took, by field and time.

One pass over the files, memory by the number of groups alone. Where ``duckdb`` is installed and
only level and time are asked for, it reads the files (``columns.py``); what it finds damaged, and
everything else, is read line by line, with the same result.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

import orjson

from logbraid.reading import columns
from logbraid.reading.blocks import Progress
from logbraid.reading.filters import Filter, level_rank
from logbraid.reading.findings import Findings
from logbraid.reading.histogram import Histogram
from logbraid.reading.places import LogFile
from logbraid.reading.records import files_for, read_file
from logbraid.reading.when import normal_stamp
from logbraid.reading.where import field_of, text_of
from logbraid.record import ERROR

FAILED: Final = frozenset({"error", "failed", "failure", "timeout"})
"""What ``status`` says of something that failed; 500 to 599 too."""

TENANT: Final = "tenant"
"""To group by the tenant: its id, or the name of its directory where the line has none."""

MINUTE: Final = 16
"""So much of a stamp says the minute."""


@dataclass(slots=True)
class Group:
    """What was counted of one value: records, errors among them, and their ``duration_ms``."""

    records: int = 0
    errors: int = 0
    latency: Histogram = field(default_factory=Histogram)

    @property
    def error_share(self) -> float:
        """Errors by records, 0 to 1."""
        return self.errors / self.records if self.records else 0.0


@dataclass(slots=True)
class Statistics:
    """What ``count`` found: everything together, by the values of each field, and by minute.

    A record without a field is in none of its groups. Keys of ``minutes`` are the beginning of
    stamps, ``2026-11-21T10:30``; records without a time are in none.
    """

    everything: Group = field(default_factory=Group)
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    minutes: dict[str, list[int]] = field(default_factory=dict)
    found: Findings = field(default_factory=Findings)

    def group(self, by: str, value: str) -> Group:
        """Return the group of *value*, made if it is new."""
        groups = self.groups[by]
        found = groups.get(value)
        if found is None:
            found = groups[value] = Group()
        return found

    def add_minute(self, minute: str, records: int, errors: int) -> None:
        """Count records of one minute."""
        known = self.minutes.setdefault(minute, [0, 0])
        known[0] += records
        known[1] += errors


def count(
    root: str | os.PathLike[str],
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    *,
    by: Sequence[str] = ("tool",),
    tenants: Collection[str] = (),
    by_minute: bool = True,
    progress: Progress | None = None,
) -> Statistics:
    """Count the records below *root* that fit *wanted*, by each field in *by*.

    ``"tenant"`` groups by tenant. Raises ``QuestionError`` if *root* is no directory.
    """
    files = files_for(root, wanted, tenants)
    return count_files(files, wanted, by=by, by_minute=by_minute, progress=progress)


def count_files(
    files: Sequence[LogFile],
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    *,
    by: Sequence[str] = ("tool",),
    by_minute: bool = True,
    progress: Progress | None = None,
) -> Statistics:
    """Count the records of *files* that fit *wanted*, as ``count`` does."""
    counted = Statistics(groups={name: {} for name in by})
    engine = columns.connect() if wanted.is_simple else None
    for file in files:
        if engine is None or not _by_columns(engine, file, wanted, counted, by_minute=by_minute):
            _by_lines(file, wanted, counted, progress, by_minute=by_minute)
        elif progress is not None:
            progress(file.size_bytes)
    return counted


def _by_columns(
    engine: Any, file: LogFile, wanted: Filter, counted: Statistics, *, by_minute: bool
) -> bool:
    """Count *file* with DuckDB; tell whether that could be done."""
    plan = columns.Plan(
        by=tuple(counted.groups),
        by_minute=by_minute,
        levels=wanted.level_words,
        since=wanted.since,
        until=wanted.until,
        failed=tuple(sorted(FAILED)),
    )
    rows = columns.aggregate(engine, file, plan)
    if rows is None:
        return False
    for row in rows:
        if row.by == columns.MINUTES:
            counted.add_minute(row.value or "", row.records, row.errors)
            continue
        group = counted.everything
        if row.by:
            value = None if row.value is None else orjson.loads(row.value)
            name = value_of({_field(row.by): value}, row.by, file.tenant)
            if name is None:
                continue
            group = counted.group(row.by, name)
        group.records += row.records
        group.errors += row.errors
        if row.timed:
            group.latency.add_bin(row.bin, row.timed, row.smallest, row.largest)
    counted.found.files += 1
    counted.found.size_bytes += file.size_bytes
    return True


def _by_lines(
    file: LogFile,
    wanted: Filter,
    counted: Statistics,
    progress: Progress | None,
    *,
    by_minute: bool,
) -> None:
    for row in read_file(file, wanted, counted.found, progress):
        is_error = has_failed(row.record)
        duration = duration_of(row.record)
        _add(counted.everything, is_error=is_error, duration=duration)
        for by in counted.groups:
            value = value_of(row.record, by, file.tenant)
            if value is not None:
                _add(counted.group(by, value), is_error=is_error, duration=duration)
        stamp = normal_stamp(row.record.get("timestamp")) if by_minute else None
        if stamp is not None:
            counted.add_minute(stamp[:MINUTE], 1, int(is_error))


def _add(group: Group, *, is_error: bool, duration: float | None) -> None:
    group.records += 1
    group.errors += is_error
    if duration is not None:
        group.latency.add(duration)


def has_failed(record: dict[str, Any]) -> bool:
    """Tell whether *record* is of something that failed: by its level, or by its ``status``."""
    rank = level_rank(record.get("level"))
    if rank is not None and rank >= ERROR:
        return True
    status = record.get("status")
    if isinstance(status, str):
        return status in FAILED
    return isinstance(status, int) and 500 <= status <= 599


def duration_of(record: dict[str, Any]) -> float | None:
    """Return the record's ``duration_ms`` if it is a finite number."""
    duration = record.get("duration_ms")
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        return None
    return float(duration) if isfinite(duration) else None


def value_of(record: dict[str, Any], by: str, tenant: str) -> str | None:
    """Return what *record* has for *by* as text; ``None`` where it has nothing."""
    found = field_of(record, _field(by))
    if found is None:
        return (tenant or None) if by == TENANT else None
    return text_of(found)


def _field(by: str) -> str:
    return "tenant_id" if by == TENANT else by
