"""The records that a question asks for, one after the other, in bounded memory.

Days come in their order; within a day the files of up to ``MERGED_FILES`` tenants are merged by
time, so that what happened together stands together. Beyond that, groups of so many files follow
each other.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from logbraid.reading.blocks import Progress, Sieve, blocks
from logbraid.reading.filters import Filter
from logbraid.reading.findings import Findings
from logbraid.reading.places import LogFile, find_files
from logbraid.reading.unpack import BLOCK_BYTES

MERGED_FILES: Final = 200
_SMALLEST_BLOCK: Final = 1 << 17


class Row(NamedTuple):
    """One record: its line without the newline, the object in it, and the file it stands in."""

    line: bytes
    record: dict[str, Any]
    file: LogFile

    @property
    def stamp(self) -> str:
        """The record's time as text, empty if it has none."""
        found = self.record.get("timestamp")
        return found if isinstance(found, str) else ""


def read_records(
    root: str | os.PathLike[str],
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    *,
    tenants: Collection[str] = (),
    found: Findings | None = None,
    progress: Progress | None = None,
) -> Iterator[Row]:
    """Yield the records below *root* that fit *wanted*; count the rest in *found*.

    Raises ``QuestionError`` at once if *root* is no directory.
    """
    files = files_for(root, wanted, tenants)
    return read_files(files, wanted, found=found, progress=progress)


def files_for(
    root: str | os.PathLike[str], wanted: Filter, tenants: Collection[str] = ()
) -> list[LogFile]:
    """Return the files below *root* in which records that fit *wanted* may stand."""
    whose = tenants or [wanted.ids[name] for name in ("tenant_id",) if name in wanted.ids]
    return find_files(root, tenants=whose, since=wanted.since, until=wanted.until)


def read_files(
    files: Sequence[LogFile],
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    *,
    found: Findings | None = None,
    progress: Progress | None = None,
) -> Iterator[Row]:
    """Yield the records of *files*, which are in the order of their days."""
    found = Findings() if found is None else found
    for _, day in groupby(files, key=lambda file: file.day):
        of_day = list(day)
        for start in range(0, len(of_day), MERGED_FILES):
            group = of_day[start : start + MERGED_FILES]
            size = max(BLOCK_BYTES // len(group), _SMALLEST_BLOCK)
            rows = [read_file(file, wanted, found, progress, size) for file in group]
            if len(rows) == 1:
                yield from rows[0]
            else:
                yield from heapq.merge(*rows, key=lambda row: row.stamp)


def read_file(
    file: LogFile,
    wanted: Filter,
    found: Findings,
    progress: Progress | None = None,
    size: int = BLOCK_BYTES,
) -> Iterator[Row]:
    """Yield the records of one file that fit."""
    literals = wanted.literals
    sieve = Sieve(file, literals, found)
    takes_all = wanted == Filter()
    fits = wanted.fits
    for block in blocks(file, found, progress, size):
        for line, record in sieve.records(block):
            if takes_all or fits(record, line, file.tenant):
                yield Row(line, record, file)
