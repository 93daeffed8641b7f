"""DuckDB over the columns of a file that counting needs, and no others.

A file that it cannot read whole is left to whoever asks: a damaged line, a time or duration of
another form show as a row without a time. What is asked for stands in few columns; naming them
is what makes this four times as fast as parsing every line. No network, no temporary files.

The only file that knows DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from logbraid.reading.histogram import BINS_A_DOUBLING, NOTHING
from logbraid.reading.places import LogFile
from logbraid.reading.unpack import open_regular

MINUTES: Final = "\0minutes"
"""The name under which rows of minutes come; a field of that name is counted line by line."""

_MEMORY: Final = "512MB"
_GLOB: Final = frozenset("*?[]{}'")
_BIN: Final = (
    f"CASE WHEN ms > 0 THEN CAST(floor(log2(ms) * {BINS_A_DOUBLING}) AS INTEGER)"
    f" WHEN ms IS NOT NULL THEN {NOTHING} END"
)
_NEEDED: Final = {
    "timestamp": "VARCHAR",
    "level": "JSON",
    "status": "JSON",
    "duration_ms": "JSON",
}
_KNOWN_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_MS: Final = "TRY_CAST(CAST(duration_ms AS VARCHAR) AS DOUBLE)"
"""Of a number as JSON its number; of text, which has its quotes, of true and of lists nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be counted: by which fields, and what fits."""

    by: tuple[str, ...]
    by_minute: bool
    levels: tuple[str, ...]
    since: str
    until: str
    failed: tuple[str, ...]


class Counted(NamedTuple):
    """One row of the answer: ``by`` is empty for all records together.

    ``value`` is JSON, or ``None`` where the records have none; a minute as it stands in stamps.
    """

    by: str
    value: str | None
    bin: int
    records: int
    errors: int
    timed: int
    smallest: float
    largest: float


def connect() -> Any | None:
    """Return a connection to a DuckDB of our own, or ``None`` where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415 - 100 ms, and an extra
    except ImportError:
        return None
    engine = duckdb.connect(":memory:")
    for setting in (
        f"memory_limit = '{_MEMORY}'",
        "temp_directory = ''",
        "autoinstall_known_extensions = false",
        "preserve_insertion_order = false",
    ):
        engine.execute(f"SET {setting}")
    return engine


def aggregate(engine: Any, file: LogFile, plan: Plan) -> list[Counted] | None:
    """Return the counts of *file*, or ``None`` if it has to be read line by line."""
    # Nested, or no column of its own: the time is read as text, not as JSON
    is_odd = any("." in by or by in {"", "timestamp", MINUTES} for by in plan.by)
    if not plan.by or is_odd or _GLOB & set(file.path) or not _ends_whole(file):
        return None
    query, values = _query(file, plan)
    import duckdb  # noqa: PLC0415 - it is there: someone connected

    try:
        rows = engine.execute(query, values).fetchall()
    except (duckdb.Error, RuntimeError):  # the latter for a name that is no Unicode
        return None
    return _told(rows, plan)


def _column(by: str) -> str:
    return "tenant_id" if by == "tenant" else by


def _ends_whole(file: LogFile) -> bool:
    """Tell whether the last line of a plain file has its end; a torn one must be counted."""
    if file.is_compressed:
        return file.path.endswith(".gz")  # what ends too early, DuckDB refuses
    import os  # noqa: PLC0415 - one use

    with suppress(OSError):
        fd = open_regular(file.path)
        try:
            size = os.fstat(fd).st_size
            if not size:
                return True
            os.lseek(fd, -1, os.SEEK_END)
            return os.read(fd, 1) == b"\n"
        finally:
            os.close(fd)
    return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _query(file: LogFile, plan: Plan) -> tuple[str, list[Any]]:
    fields = [_column(by) for by in plan.by]
    types = {**dict.fromkeys(fields, "JSON"), **_NEEDED}
    shape = ", ".join(f"{_text(name)}: '{kind}'" for name, kind in types.items())
    values: list[Any] = [file.path]
    # No time: damaged. Other forms of it, or of a level, are not these texts
    odd = f"timestamp IS NULL OR level NOT IN {_json(_KNOWN_LEVELS)}"
    if plan.since or plan.until or plan.by_minute:
        odd += " OR length(timestamp) <> 27 OR timestamp[27] <> 'Z' OR timestamp[11] <> 'T'"
    wanted = []
    if plan.levels:
        wanted.append(f"level IN {_json(plan.levels)}")
    for sign, stamp in ((">=", plan.since), ("<", plan.until)):
        if stamp:
            wanted.append(f"timestamp {sign} ?")
            values.append(stamp)
    keys = [*map(_quoted, fields), *(["timestamp[:16]"] if plan.by_minute else [])]
    names = [f"key{number}" for number in range(len(keys))]
    shown = "".join(f", {key} AS {name}" for key, name in zip(keys, names, strict=True))
    sets = [f"({name}, bin)" for name in names[: len(fields)]]
    sets += [f"({names[-1]})"] if plan.by_minute else []
    fitting = f"WHERE is_odd OR ({' AND '.join(wanted)})" if wanted else ""
    # Sets cost a seventh more than a plain group
    place = f"GROUPING({', '.join(names)})" if len(sets) > 1 else "0"
    groups = f"GROUPING SETS ({', '.join(sets)})" if len(sets) > 1 else sets[0].strip("()")
    # fmt: off
    query = f"""
        WITH line AS (
            SELECT *, {odd} AS is_odd,
                   CASE WHEN isfinite({_MS}) THEN {_MS} END AS ms FROM read_json(
                ?, format = 'newline_delimited', columns = {{{shape}}}, ignore_errors = true)
        ), fitting AS (
            SELECT is_odd, {_BIN} AS bin, ms{shown},
                   level IN {_json(("error", "critical"))} OR status IN {_json(plan.failed)}
                   OR (status BETWEEN '500' AND '599' AND length(status) = 3) AS failed
            FROM line {fitting}
        )
        SELECT {place}, {", ".join(names)}, bin, count(*),
               count_if(coalesce(failed, false)), count(ms), min(ms), max(ms), count_if(is_odd)
        FROM fitting GROUP BY {groups}
    """  # noqa: S608 - names are quoted, values are parameters
    # fmt: on
    return query, values


def _json(words: Iterable[str]) -> str:
    return f"({', '.join(_text(json.dumps(word)) for word in words)})"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _told(rows: list[Any], plan: Plan) -> list[Counted] | None:
    names = [*plan.by, *([MINUTES] if plan.by_minute else [])]
    told: list[Counted] = []
    for grouping, *found in rows:
        *values, number, records, errors, timed, smallest, largest, odd = found
        if odd:
            return None
        # A bit of GROUPING is 0 where its column, the last one lowest, makes the group
        place = next(at for at in range(len(names)) if not grouping >> (len(names) - 1 - at) & 1)
        bin_ = NOTHING if number is None else number
        rest = (bin_, records, errors, timed, smallest or 0.0, largest or 0.0)
        if not place:  # with those that have no such field, these are all records
            told.append(Counted("", "", *rest))
        told.append(Counted(names[place], values[place], *rest))
    return told
