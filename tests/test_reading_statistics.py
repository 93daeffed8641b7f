"""Counting: the same figures by columns and line by line, quantiles, damage, memory."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logbraid.reading import Filter, Statistics, columns, count, parse_where
from logbraid.reading.histogram import Histogram
from logbraid.reading.statistics import has_failed
from logbraid.tenant import directory_name

LEVELS = ["debug", "info", "warning", "error", "critical"]


def record(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-11-21T{number // 60 % 24:02d}:{number % 60:02d}:00.000000Z",
        "level": LEVELS[number % 5],
        "event": "e",
        "tool": ("search", 'get\'s "orders"', None)[number % 3],
        "status": ("ok", "error", 200, 503, None)[number % 5],
        "duration_ms": (number * 37 % 400 / 4, 0, -1, None)[number % 4],
        **fields,
    }


def write(path: Path, *records: dict[str, Any], end: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({name: value for name, value in one.items() if value is not None},
                   separators=(",", ":"))
        for one in records
    ]  # fmt: skip
    path.write_bytes("".join(f"{line}\n" for line in lines).encode() + end)
    return path


def by_lines(root: Path, wanted: Filter, by: tuple[str, ...]) -> Statistics:
    """Count without DuckDB: a condition that always holds sends every record the long way."""
    always = parse_where("no_such_field = null")
    slow = Filter(level=wanted.level, since=wanted.since, until=wanted.until, where=(always,))
    return count(root, slow, by=by)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "acme" / "2026-11-21.jsonl", *map(record, range(500)))
    write(tmp_path / "it's" / "2026-11-21.jsonl", record(1))  # no directory of ours: not read
    write(
        tmp_path / directory_name("Globex") / "2026-11-21.jsonl",
        *(record(number, tenant_id="Globex") for number in range(100)),
    )
    return tmp_path


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(level=30),
        Filter(level=35),
        Filter(since="2026-11-21T02:00:00.000000Z", until="2026-11-21T04:30:00.000000Z"),
    ],
)
def test_columns_and_lines_count_the_same(root: Path, wanted: Filter) -> None:
    by = ("tool", "tenant", "status", "no such field")
    fast = count(root, wanted, by=by)
    slow = by_lines(root, wanted, by)
    assert fast == slow
    assert fast.everything.records > 0
    assert fast.groups["tool"].keys() == {"search", 'get\'s "orders"'}


@pytest.mark.parametrize(
    "by",
    ["timestamp", "level", "status", "duration_ms", "TOOL", "Level", "tenant_id", "ms", "bin",
     "key0", "is_odd", "failed", "line", "select", '"', "a'b", "*", " ", "\0minutes"],
)  # fmt: skip
def test_any_field_may_be_counted_by(tmp_path: Path, by: str) -> None:
    path = tmp_path / "acme" / "2026-11-21.jsonl"
    write(path, *(record(n, **{by: f"v{n % 2}"} if n > 4 and by != "timestamp" else {})
                  for n in range(9)))  # fmt: skip
    counted = count(tmp_path, by=(by,))
    assert counted == by_lines(tmp_path, Filter(), (by,))
    assert counted.everything.records == 9


def test_columns_were_asked_in_the_test_above(root: Path) -> None:
    engine = columns.connect()
    plan = columns.Plan(("tool",), True, (), "", "", ("error",))
    from logbraid.reading import find_files  # noqa: PLC0415 - beside its use

    assert all(columns.aggregate(engine, file, plan) is not None for file in find_files(root))


def test_tenants_are_told_by_their_id_or_their_directory(root: Path) -> None:
    groups = count(root, by=("tenant",)).groups["tenant"]
    assert {name: group.records for name, group in groups.items()} == {"acme": 500, "Globex": 100}


@pytest.mark.parametrize(
    "end", [b'{"timestamp":"2026', b"\0\0\0\n", b'{"tool":"search","duration_ms":"slow"}\n',
            b'{"timestamp":"2026-11-21 10:00","tool":"search","duration_ms":7}\n']
)  # fmt: skip
def test_what_columns_cannot_read_is_counted_line_by_line(tmp_path: Path, end: bytes) -> None:
    write(tmp_path / "acme" / "2026-11-21.jsonl", *map(record, range(50)), end=end)
    fast = count(tmp_path, by=("tool",))
    assert fast == by_lines(tmp_path, Filter(), ("tool",))
    assert fast.everything.records + fast.found.torn + fast.found.damaged == 51


@pytest.mark.parametrize("name", ["lo[g]s", "lo*gs", "it's {logs}", "läger?"])
def test_a_directory_of_any_name_is_counted(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "acme" / "2026-11-21.jsonl", *map(record, range(10)))
    assert count(tmp_path / name).everything.records == 10


def test_filters_that_columns_do_not_know_are_heeded(root: Path) -> None:
    counted = count(root, Filter(ids={"tenant_id": "Globex"}, text="search"))
    assert counted.everything.records == 34


def test_nested_fields_group(tmp_path: Path) -> None:
    write(tmp_path / "a" / "2026-11-21.jsonl", record(1, http={"code": 200}), record(2, http=7))
    assert list(count(tmp_path, by=("http.code",)).groups["http.code"]) == ["200"]


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ({"level": "error"}, True),
        ({"level": "critical"}, True),
        ({"level": "info", "status": "error"}, True),
        ({"status": "timeout"}, True),
        ({"status": 503}, True),
        ({"status": 404}, False),
        ({"level": "warning", "status": "ok"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_an_error(told: dict[str, Any], failed: bool) -> None:
    assert has_failed(told) is failed


@given(st.lists(st.floats(0.001, 1e7), min_size=2, max_size=300))
def test_quantiles_are_off_by_little_more_than_one_percent(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = statistics.quantiles(values, n=100, method="inclusive")
    for share, told in zip((50, 95, 99), histogram.quantiles(0.5, 0.95, 0.99), strict=True):
        assert told == pytest.approx(exact[share - 1], rel=0.011, abs=1e-9)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_quantiles_of_few_values_are_exact(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(float(value))
    assert histogram.quantiles(0.0, 1.0) == [min(values), max(values)]
    assert histogram.quantiles(0.5) == [statistics.median(values)]


def test_memory_is_by_groups_not_by_records() -> None:
    histogram = Histogram()
    for number in range(200_000):
        histogram.add(1 + number * 0.005)
    assert len(histogram.bins) < 700
    assert histogram.total == 200_000
