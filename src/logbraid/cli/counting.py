"""``logbraid stats``: how many, how many failed, how long they took; by field and over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from logbraid.cli import options
from logbraid.cli.notices import complain, tell
from logbraid.cli.options import Output, bad_input, filter_of, log_dir_of
from logbraid.cli.output import print_json
from logbraid.cli.progress import bar
from logbraid.cli.tables import WIDEST_DRAWING, Cell, Column, Table, print_tables
from logbraid.reading import Group, Statistics
from logbraid.reading.histogram import Histogram
from logbraid.reading.records import files_for
from logbraid.reading.statistics import count_files
from logbraid.sinks.terminal import clean

DEFAULT_BY: Final = ("tool", "action", "tenant")
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_BARS: Final = " ▏▎▍▌▋▊▉█"
_MOST_ROWS: Final = 24
_STEPS_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440)


def stats(
    log_dir: options.LogDir = None,
    by: options.By = None,
    tenant: options.Tenant = None,
    session: options.Session = None,
    run: options.Run = None,
    user: options.User = None,
    request: options.Request = None,
    level: options.Level = None,
    since: options.Since = None,
    until: options.Until = None,
    text: options.Text = None,
    ignore_case: options.IgnoreCase = False,
    where: options.Conditions = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Count records and errors and draw their latencies, by field and over time.

    \b
    logbraid stats --since 1h
    logbraid stats --by tool --by status --tenant acme
    logbraid stats --by route --where 'status >= 500' --output json

    Latencies are those of duration_ms. An error is a record of level error or above, or one whose
    status is error, failed, failure, timeout or 500 to 599. Columns of the drawing are equal
    steps of the logarithm between the smallest and the largest latency of the table.
    """
    ids = {"tenant": tenant, "session": session, "run": run, "user": user, "request": request}
    wanted = filter_of(
        ids=ids, level=level, since=since, until=until, text=text, ignore_case=ignore_case,
        where=where,
    )  # fmt: skip
    fields = tuple(dict.fromkeys(by or DEFAULT_BY))
    if not all(field.strip() for field in fields):
        raise bad_input("--by needs the name of a field, such as tool")
    root = log_dir_of(log_dir)
    files = files_for(root, wanted)
    with bar("counting", sum(file.size_bytes for file in files)) as shown:
        counted = count_files(files, wanted, by=fields, progress=shown.advance)
    if output is Output.table:
        _print_tables(counted)
    else:
        print_json(_document(counted), output)
    unknown = [field for field in by or () if not counted.groups.get(field)]
    if unknown and counted.everything.records:
        complain(f"no record has a field {', '.join(map(repr, unknown))}")
    tell(counted.found, root)


def _print_tables(counted: Statistics) -> None:
    tables = [_of_groups(by, groups) for by, groups in counted.groups.items() if groups]
    everything = counted.everything
    told = f"{everything.records:,} records, {everything.errors:,} errors"
    if counted.minutes:
        told += f", {min(counted.minutes)} to {max(counted.minutes)} UTC"
        tables.append(_over_time(counted))
    print_tables(told, tables)


def _of_groups(by: str, groups: dict[str, Group]) -> Table:
    timed = [group.latency for group in groups.values() if group.latency.total]
    low = max(min((one.smallest for one in timed), default=1.0), 0.001)
    high = max(max((one.largest for one in timed), default=1.0), low)
    scale = f"{_number(low)} - {_number(high)} ms" if timed else "latency"
    columns = (
        Column(clean(by)),
        Column("count", is_number=True),
        Column("errors", is_number=True, left_out=4),
        Column("error %", is_number=True),
        Column("p50 ms", is_number=True, left_out=1),
        Column("p95 ms", is_number=True),
        Column("p99 ms", is_number=True, left_out=2),
        Column(scale, is_drawing=True, left_out=3),
    )
    rows: list[tuple[Cell, ...]] = [
        (clean(value), *_figures(group), partial(_drawn, group.latency, low, high))
        for value, group in sorted(groups.items(), key=lambda one: (-one[1].records, one[0]))
    ]
    return Table(columns, rows)


def _figures(group: Group) -> list[str]:
    return [
        f"{group.records:,}",
        f"{group.errors:,}",
        f"{group.error_share:.1%}"[:-1],
        *(_number(one) for one in group.latency.quantiles(0.5, 0.95, 0.99)),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _drawn(latency: Histogram, low: float, high: float, width: int) -> str:
    """Return one block a column: the more values fall into it, the higher; any value shows."""
    if not latency.total:
        return ""
    counts = latency.columns(low, high, min(width, WIDEST_DRAWING))
    most = max(counts)
    return "".join(
        _BLOCKS[max(round(number / most * (len(_BLOCKS) - 1)), int(number > 0))]
        for number in counts
    )


def _bar(share: float, width: int) -> str:
    """Return a bar of *share* (0 to 1) of *width*; any share above 0 shows."""
    whole, rest = divmod(max(round(share * width * 8), int(share > 0)), 8)
    return "█" * whole + (_BARS[rest] if rest else "")


def _over_time(counted: Statistics) -> Table:
    steps = in_steps(counted.minutes, _MOST_ROWS)
    columns = (
        Column("time (UTC)"),
        Column("records", is_number=True),
        Column("throughput", is_drawing=True, left_out=1),
        Column("errors", is_number=True),
        Column("error density", is_drawing=True, is_bad=True, left_out=2),
    )
    most = max((records for _, records, _ in steps), default=0)
    densest = max((errors / records for _, records, errors in steps if records), default=0)
    rows: list[tuple[Cell, ...]] = [
        (
            f"{start:%Y-%m-%d %H:%M}",
            f"{records:,}",
            partial(_bar, records / most if most else 0),
            f"{errors:,}",
            partial(_bar, errors / records / densest if errors else 0),
        )
        for start, records, errors in steps
    ]
    return Table(columns, rows)


def in_steps(minutes: dict[str, list[int]], most: int) -> list[tuple[datetime, int, int]]:
    """Return when each step begins, its records and errors: equal steps, *most* of them.

    Steps are as short as that allows; those in which nothing happened are there too.
    """
    known: list[tuple[int, list[int]]] = []
    for text, figures in sorted(minutes.items()):
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            continue
        known.append((int(moment.timestamp()) // 60, figures))
    if not known:
        return []
    first, last = known[0][0], known[-1][0]
    step = next((one for one in _STEPS_MINUTES if last // one - first // one < most), 0)
    step = step or -(-(last // 1440 - first // 1440 + 1) // most) * 1440
    start = first // step
    sums = [[0, 0] for _ in range(last // step - start + 1)]
    for minute, (records, errors) in known:
        sums[minute // step - start][0] += records
        sums[minute // step - start][1] += errors
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        (epoch + timedelta(minutes=(start + number) * step), records, errors)
        for number, (records, errors) in enumerate(sums)
    ]


def _document(counted: Statistics) -> dict[str, Any]:
    found = counted.found
    return {
        **_told(counted.everything),
        "by": {
            by: {value: _told(group) for value, group in sorted(groups.items())}
            for by, groups in counted.groups.items()
        },
        "minutes": [
            {"minute": minute, "count": records, "errors": errors}
            for minute, (records, errors) in sorted(counted.minutes.items())
        ],
        "read": {
            "files": found.files,
            "torn": found.torn,
            "damaged": found.damaged,
            "unreadable": found.unreadable,
        },
    }


def _told(group: Group) -> dict[str, Any]:
    shares: Sequence[float] = (0.5, 0.95, 0.99)
    names = ("p50_ms", "p95_ms", "p99_ms")
    quantiles = group.latency.quantiles(*shares)
    return {
        "count": group.records,
        "errors": group.errors,
        "error_share": round(group.error_share, 6),
        "timed": group.latency.total,
        **{
            name: None if one is None else round(one, 3)
            for name, one in zip(names, quantiles, strict=True)
        },
    }
