"""Whatever the lines hold: questions are answered as a plain reading in Python answers them."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.reading import Filter, Findings, Statistics, columns, count, parse_where, read_records

NAMES = ["tool", "session_id", "select", "a.b", 'q"uote', "sp ace", "order", "n", "and"]
WORDS = st.sampled_from(["", "a", "ab", "A", "500", "5", "-0.5", "true", "null", "x y", "'", '"',
                         "\\", "é", "a/b", "\u2028", "1e3"])  # fmt: skip
SCALARS = WORDS | st.integers(-600, 600) | st.booleans() | st.none() | st.just(2**63)
VALUES = SCALARS | st.floats(-1e3, 1e3, width=16) | st.lists(SCALARS, max_size=2)
LEVELS = st.sampled_from(["debug", "info", "warning", "error", "critical"])
STAMPS = st.integers(0, 59).map(lambda second: f"2026-11-21T10:00:{second:02d}.000000Z")
RECORDS = st.builds(
    lambda stamp, level, event, fields: {
        "timestamp": stamp, "level": level, "event": event, **fields},
    STAMPS, LEVELS, WORDS, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
)  # fmt: skip


def write(root: Path, records: list[dict[str, Any]], *, plainly: bool) -> Path:
    """Write *records* as our sinks would (``plainly``), or as other encoders may."""
    path = root / "acme" / "2026-11-21.jsonl"
    path.parent.mkdir(exist_ok=True)
    separators = (",", ":") if plainly else (", ", ": ")
    path.write_text(
        "".join(
            json.dumps(one, ensure_ascii=not plainly, separators=separators) + "\n"
            for one in records
        ),
        encoding="utf-8",
    )
    return root


ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


def number(value: Any) -> float | None:
    """Return what counts as a number: numbers, and text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def holds(record: dict[str, Any], name: str, sign: str, value: Any) -> bool:
    """Say what the help says, in the plainest way."""
    found = record.get(name)
    if sign == "=":
        if isinstance(found, int | float) and not isinstance(found, bool | float):
            return bool(str(found) == value)
        return isinstance(found, str) and found == value
    if found is None:
        return False
    if sign == "!=":
        return not holds(record, name, "=", value)
    if number(found) is not None and number(value) is not None:
        return bool(ORDER[sign](number(found), number(value)))
    return isinstance(found, str) and bool(ORDER[sign](found, value))


@settings(max_examples=60)
@given(
    st.lists(RECORDS, max_size=10),
    st.sampled_from(NAMES),
    st.sampled_from(["=", "!=", *ORDER]),
    WORDS,
    st.booleans(),
)
def test_a_condition_holds_where_a_plain_reading_says_so(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    name: str,
    sign: str,
    value: str,
    plainly: bool,
) -> None:
    root = write(tmp_path_factory.mktemp("logs"), records, plainly=plainly)
    quoted = [f"{json.dumps(one, ensure_ascii=False)}" for one in (name, value)]
    wanted = Filter(where=(parse_where(f"{quoted[0]} {sign} {quoted[1]}"),))
    expected = [one for one in records if holds(one, name, sign, value)]
    assert [row.record for row in read_records(root, wanted)] == expected


@settings(max_examples=60)
@given(
    st.lists(RECORDS, max_size=10), WORDS, WORDS, STAMPS | st.just(""), STAMPS | st.just(""),
    st.sampled_from([None, 10, 30, 50]), st.booleans(),
)  # fmt: skip
def test_ids_text_time_and_level_fit_where_a_plain_reading_says_so(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    session: str,
    text: str,
    since: str,
    until: str,
    level: int | None,
    plainly: bool,
) -> None:
    root = write(tmp_path_factory.mktemp("logs"), records, plainly=plainly)
    ids = {"session_id": session} if session else {}
    wanted = Filter(ids=ids, text=text, since=since, until=until, level=level)
    ranks = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
    texts = (root / "acme" / "2026-11-21.jsonl").read_text(encoding="utf-8").split("\n")
    expected = [
        one
        for one, line in zip(records, texts, strict=False)
        if (not session or one.get("session_id") == session
            or (isinstance(one.get("session_id"), int | float)
                and str(one["session_id"]) == session and one["session_id"] is not True))
        and (not text or text in line or text in texts_of(one))
        and one["timestamp"] >= since and (not until or one["timestamp"] < until)
        and ranks[one["level"]] >= (level or 0)
    ]  # fmt: skip
    assert [row.record for row in read_records(root, wanted)] == expected


def texts_of(value: Any) -> str:
    """Return everything in *value* that is text, in one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\0".join([*value, *(texts_of(one) for one in value.values())])
    return "\0".join(map(texts_of, value)) if isinstance(value, list) else ""


FIELDS = st.fixed_dictionaries(
    {"timestamp": STAMPS | st.sampled_from(["2026-11-21T10:00:00Z", "later", "2026-11-21"])},
    optional={
        "level": LEVELS | st.sampled_from(["WARNING", 40, None, "loud"]),
        "status": st.sampled_from(["ok", "error", "500", 500, 599, 600, 503.0, True, ["error"]]),
        "duration_ms": st.floats(-1e3, 1e3) | st.integers(-5, 2000) | SCALARS,
        "tool": VALUES | st.dictionaries(WORDS, SCALARS, max_size=2),
        "tenant_id": SCALARS,
        'q"uote': SCALARS,
    },
)


@settings(max_examples=60)
@given(st.lists(FIELDS, max_size=8), st.sampled_from([None, 30]), st.booleans())
def test_columns_count_what_lines_count(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    level: int | None,
    plainly: bool,
) -> None:
    if columns.connect() is None:
        pytest.skip("duckdb is not installed")
    root = write(tmp_path_factory.mktemp("logs"), records, plainly=plainly)
    by = ("tool", "tenant", 'q"uote')
    always = parse_where("no_such_field = null")
    for since in ("", "2026-11-21T10:00:30.000000Z"):
        fast = count(root, Filter(level=level, since=since), by=by)
        slow = count(root, Filter(level=level, since=since, where=(always,)), by=by)
        assert told(fast) == told(slow)


def test_what_stands_twice_or_is_no_json_counts_alike(tmp_path: Path) -> None:
    path = tmp_path / "acme" / "2026-11-21.jsonl"
    path.parent.mkdir()
    stamp = b'{"timestamp":"2026-11-21T10:00:00.000000Z",'
    path.write_bytes(
        stamp + b'"tool":"a","tool":"b","duration_ms":1,"duration_ms":9}\n'
        + stamp + b'"tool":"c","duration_ms":NaN}\n'
        + stamp + b'"tool":"d\xff"}\n'
        + stamp + b'"tool":"e\x1b"}\n'
        + stamp + b'"tool":"f"} {"x":1}\n'
        + stamp + b"'tool':'g'}\n"
        + stamp + b'"tool":"h",}\n'
        + stamp + b'"tool":"i\\ud800"}\n'
        + stamp + b'"tool":"k\\u0000l"}\n'
        + stamp + b'"tool":"ok","duration_ms":1e400}\n'
    )  # fmt: skip
    always = parse_where("no_such_field = null")
    assert told(count(tmp_path)) == told(count(tmp_path, Filter(where=(always,))))


def told(counted: Statistics) -> tuple[Any, ...]:
    groups = {
        by: {value: (one.records, one.errors, one.latency.total, one.latency.quantiles(0.5, 1.0))
             for value, one in groups.items()}
        for by, groups in counted.groups.items()
    }  # fmt: skip
    everything = counted.everything
    found: Findings = counted.found
    return (everything.records, everything.errors, everything.latency.quantiles(0.0, 0.5, 1.0),
            groups, counted.minutes, found.torn, found.damaged)  # fmt: skip
