"""Reading what the sinks write: whose files, which days, what is torn, what is damaged."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import logbraid
from logbraid.reading import (
    Filter,
    Findings,
    QuestionError,
    count,
    find_files,
    parse_when,
    parse_where,
    read_records,
)
from logbraid.reading.blocks import Sieve, blocks
from logbraid.reading.places import LogFile
from logbraid.reading.records import MERGED_FILES

NOW = 1_795_257_000_000_000_000  # 2026-11-21T10:30:00Z


def line(number: int = 0, **fields: Any) -> bytes:
    record = {
        "timestamp": f"2026-11-21T10:{number // 60 % 60:02d}:{number % 60:02d}.000000Z",
        "level": "info",
        "event": f"e{number}",
        **fields,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def write(root: Path, name: str, *lines: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(lines)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def events(root: Path, wanted: Filter | None = None, found: Findings | None = None) -> list[str]:
    rows = read_records(root, wanted or Filter(), found=found)
    return [row.record["event"] for row in rows]


def test_what_logbraid_wrote_is_read_back_for_every_tenant(tmp_path: Path) -> None:
    tenants = ["acme", "Großkunde GmbH", "../../etc", None]
    with logbraid.configure_logging(output="files", log_dir=tmp_path):
        for tenant in tenants:
            with logbraid.bound_context(tenant_id=tenant):
                logbraid.get_logger("t").info("said", to=str(tenant))
    told = {row.record["to"] for row in read_records(tmp_path)}
    assert told == {str(tenant) for tenant in tenants}
    for tenant in tenants[:3]:
        assert tenant is not None
        rows = list(read_records(tmp_path, Filter(ids={"tenant_id": tenant})))
        assert [row.record["to"] for row in rows] == [tenant]


def test_days_instances_and_compressed_files_are_one_stream_in_order(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-20.jsonl.gz", line(0, event="first"))
    write(tmp_path, "acme/2026-11-21.jsonl", line(1, event="second"), line(3, event="fourth"))
    write(tmp_path, "globex/2026-11-21.host-a.jsonl", line(2, event="third"))
    write(tmp_path, "globex/2026-11-21.host-a.4711.jsonl", line(4, event="fifth"))
    assert events(tmp_path) == ["first", "second", "third", "fourth", "fifth"]


def test_files_of_others_and_links_are_left_alone(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.jsonl", line(event="no"))
    root = tmp_path / "logs"
    write(root, "acme/2026-11-21.jsonl", line(event="yes"))
    write(root, "acme/notes.jsonl", line(event="no"))
    write(root, "acme/2026-11-21.jsonl.bak", line(event="no"))
    write(root, "Not A Tenant/2026-11-21.jsonl", line(event="no"))
    (root / "acme" / "2026-11-22.jsonl").symlink_to(outside)
    (root / "link").symlink_to(root / "acme")
    os.mkfifo(root / "acme" / "2026-11-23.jsonl")
    assert events(root) == ["yes"]


def test_only_days_in_question_are_opened(tmp_path: Path) -> None:
    for day in ("2026-11-19", "2026-11-20", "2026-11-21"):
        write(tmp_path, f"acme/{day}.jsonl", line())
    since = parse_when("2026-11-20", NOW)
    until = parse_when("2026-11-20", NOW, is_end=True)
    days = [file.day for file in find_files(tmp_path, since=since, until=until)]
    assert days == ["2026-11-20", "2026-11-21"]  # 'until' is midnight: a day that ends there
    assert find_files(tmp_path, since="2027-01-01T00:00:00.000000Z") == []


def test_torn_last_line_is_skipped_and_counted_once(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-21.jsonl", line(1), line(2)[:-20])
    found = Findings()
    assert events(tmp_path, found=found) == ["e1"]
    assert (found.torn, found.damaged, found.unreadable) == (1, 0, 0)
    assert "last line is torn" in "\n".join(found.told())


@pytest.mark.parametrize("wanted", [Filter(), Filter(text='"event"'), Filter(text="event")])
@pytest.mark.parametrize(
    "damage",
    [b"\0" * 512 + b"\n", b'{"timestamp":"2026-11-2\n', b"[1]\n", b"\xff\xfe\n", b"7\n",
     line(9)[:40] + b"\n", line(9)[:60] + line(9), b"\0" * 512 + line(9)],
)  # fmt: skip
def test_damage_elsewhere_is_told_with_its_place_whatever_was_asked(
    tmp_path: Path, damage: bytes, wanted: Filter
) -> None:
    path = write(tmp_path, "acme/2026-11-21.jsonl", line(1), damage, line(2))
    found = Findings()
    assert events(tmp_path, wanted, found) == ["e1", "e2"]
    assert (found.torn, found.damaged) == (0, 1)
    assert found.places == [f"{path}: damaged line at byte {len(line(1))}"]


def test_an_empty_line_is_no_damage(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-21.jsonl", line(1), b"\n", line(2))
    found = Findings()
    assert events(tmp_path, found=found) == ["e1", "e2"]
    assert not list(found.told())


def test_a_compressed_file_that_ends_early_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "acme/2026-11-20.jsonl.gz", *(line(n, pad=os.urandom(50).hex())
                                                        for n in range(2000)))  # fmt: skip
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = Findings()
    read = events(tmp_path, found=found)
    assert read == [f"e{n}" for n in range(len(read))]
    assert 500 < len(read) < 2000
    assert found.unreadable == 1
    assert "ends too early" in found.places[-1]


def test_a_damaged_compressed_file_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "acme/2026-11-20.jsonl.gz", *map(line, range(100)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    write(tmp_path, "acme/2026-11-21.jsonl", line(7))
    found = Findings()
    assert events(tmp_path, found=found)[-1] == "e7"
    assert found.unreadable == 1


def test_gzip_files_that_follow_each_other_in_one_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "acme" / "2026-11-20.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(line(1)) + gzip.compress(line(2)))
    assert events(tmp_path) == ["e1", "e2"]


def test_plain_and_compressed_of_an_interrupted_run_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-20.jsonl", line(1), line(2))
    write(tmp_path, "acme/2026-11-20.jsonl.gz", line(1), line(2))
    assert events(tmp_path) == ["e1", "e2"]


def test_late_lines_beside_a_compressed_file_are_read_too(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-20.jsonl.gz", line(1), line(2))
    write(tmp_path, "acme/2026-11-20.jsonl", line(3))
    assert events(tmp_path) == ["e1", "e2", "e3"]


def test_a_file_compressed_since_it_was_listed_is_read_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, "acme/2026-11-20.jsonl", line(1))
    rows = read_records(tmp_path)
    write(tmp_path, "acme/2026-11-20.jsonl.gz", line(1))
    path.unlink()
    assert [row.record["event"] for row in rows] == ["e1"]


def test_a_line_longer_than_any_is_damage_and_takes_no_memory(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-21.jsonl", line(1), b"x" * (20 << 20) + b"\n", line(2))
    found = Findings()
    assert events(tmp_path, found=found) == ["e1", "e2"]
    assert found.damaged == 1


def test_more_tenants_than_are_merged_at_once_are_all_read(tmp_path: Path) -> None:
    many = MERGED_FILES + 7
    for number in range(many):
        write(tmp_path, f"t{number}/2026-11-21.jsonl", line(number % 50))
    assert len(events(tmp_path)) == many


def test_no_directory_is_a_question_that_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="give --log-dir or LOG_DIR"):
        read_records(tmp_path / "nowhere")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(QuestionError):
        read_records(file)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-21.jsonl", line(1)).chmod(0)
    found = Findings()
    assert events(tmp_path, found=found) == []
    assert found.unreadable == 1


AS_NOBODY = """
import os, sys
from logbraid.reading import Findings, count, read_records
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
found = Findings()
print(len(list(read_records(sys.argv[1], found=found))), count(sys.argv[1]).everything.records)
print(*found.told(), sep="\\n")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can")
def test_files_and_directories_of_others_are_told_not_passed_over(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    logs = tmp_path / "logs"
    write(logs, "acme/2026-11-21.jsonl", line(1))
    closed = write(logs, "globex/2026-11-21.jsonl", line(2)).parent
    secret = write(logs, "initech/2026-11-21.jsonl", line(3))
    closed.chmod(0o700)
    secret.chmod(0o600)
    above = [one for one in tmp_path.parents if not one.stat().st_mode & 0o005]
    modes = {one: one.stat().st_mode for one in above}
    try:
        for one in above:
            one.chmod(modes[one] | 0o011)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(logs)],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    finally:
        for one in above:
            one.chmod(modes[one])
    assert done.stdout.startswith("1 1\n2 files not read to their end\n")
    assert f"{closed}: cannot be opened: Permission denied" in done.stdout
    assert f"{secret}: cannot be opened: Permission denied" in done.stdout


def test_a_file_that_grew_after_an_interrupted_compress_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-20.jsonl.gz", gzip.compress(line(1)))
    write(tmp_path, "acme/2026-11-20.jsonl", line(1), line(2))
    assert events(tmp_path) == ["e1", "e2"]


@pytest.mark.parametrize("end", ["zst", "xz", "bz2"])
def test_a_file_compressed_in_another_way_is_told(tmp_path: Path, end: str) -> None:
    path = write(tmp_path, f"acme/2026-11-20.jsonl.{end}", b"x")
    write(tmp_path, "acme/2026-11-21.jsonl", line(1))
    found = Findings()
    assert events(tmp_path, found=found) == ["e1"]
    assert found.places == [f"{path}: compressed in another way than with gzip"]
    assert count(tmp_path).found.unreadable == 1


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter(ids={"session_id": "s-1"}), [1]),
        (Filter(ids={"session_id": "s"}), []),
        (Filter(ids={"user_id": "7"}), [2]),
        (Filter(level=30), [3]),
        (Filter(since="2026-11-21T10:00:02.000000Z"), [2, 3]),
        (Filter(until="2026-11-21T10:00:02.000000Z"), [1]),
        (Filter(text="Straße"), [2]),
        (Filter(text='say "hi"'), [3]),
        (Filter(text="STRASSE", ignore_case=True), [2]),
        (Filter(text="a/b"), [1]),
        (Filter(where=(parse_where("duration_ms > 500"),)), [3]),
    ],
)
def test_filters_let_through_what_fits(tmp_path: Path, wanted: Filter, fits: list[int]) -> None:
    write(
        tmp_path,
        "acme/2026-11-21.jsonl",
        line(1, session_id="s-1", path="a/b"),
        line(2, session_id="s-10", user_id=7, place="Straße"),
        line(3, level="error", note='say "hi"', duration_ms=501),
    )
    assert events(tmp_path, wanted) == [f"e{number}" for number in fits]


def test_records_without_a_time_are_in_no_span_of_time(tmp_path: Path) -> None:
    write(tmp_path, "acme/2026-11-21.jsonl", b'{"event":"e1"}\n', line(2))
    assert events(tmp_path, Filter(since="2020-01-01T00:00:00.000000Z")) == ["e2"]
    assert events(tmp_path) == ["e1", "e2"]


WORDS = st.text(max_size=12)
RECORDS = st.dictionaries(
    st.sampled_from(["tool", "note", "session_id", "n"]), WORDS | st.integers(-5, 5), max_size=4
)


@given(st.lists(RECORDS, max_size=8), WORDS, st.sampled_from(["tool", "session_id", "n"]))
def test_looking_for_bytes_first_finds_what_parsing_everything_finds(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], word: str, name: str
) -> None:
    root = tmp_path_factory.mktemp("logs")
    raw = [logbraid.encode.encode_line(dict(one), max_line_bytes=9999, notes={})
           for one in records]  # fmt: skip
    path = write(root, "acme/2026-11-21.jsonl", *raw)
    wanted = Filter(ids={name: word}) if word else Filter(text="a")
    file = LogFile(str(path), "acme", "2026-11-21", False, 0)
    slow = [
        record
        for block in blocks(file, Findings())
        for text, record in Sieve(file, (), Findings()).records(block)
        if wanted.fits(record, text, "acme")
    ]
    assert [row.record for row in read_records(root, wanted)] == slow


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("90s", "2026-11-21T10:28:30.000000Z"),
        ("1h", "2026-11-21T09:30:00.000000Z"),
        ("1h30m", "2026-11-21T09:00:00.000000Z"),
        ("1.5h", "2026-11-21T09:00:00.000000Z"),
        ("2d", "2026-11-19T10:30:00.000000Z"),
        ("1w", "2026-11-14T10:30:00.000000Z"),
        ("now", "2026-11-21T10:30:00.000000Z"),
        ("Today", "2026-11-21T00:00:00.000000Z"),
        ("yesterday", "2026-11-20T00:00:00.000000Z"),
        ("2026-11-21", "2026-11-21T00:00:00.000000Z"),
        ("2026-11-21T10:30", "2026-11-21T10:30:00.000000Z"),
        ("2026-11-21T10:30:00+02:00", "2026-11-21T08:30:00.000000Z"),
        ("2026-11-21T10:30:00.5Z", "2026-11-21T10:30:00.500000Z"),
    ],
)
def test_times_are_read_as_people_write_them(text: str, stamp: str) -> None:
    assert parse_when(text, NOW) == stamp


@pytest.mark.parametrize("text", ["", "soon", "1x", "-1h", "2026-13-01", "99999999999d", "1h ago",
                                  "9999-12-31T23:59:59-14:00"])  # fmt: skip
def test_a_time_that_nobody_can_read_is_said(text: str) -> None:
    with pytest.raises(QuestionError, match="is not a time"):
        parse_when(text, NOW)


RECORD = {
    "tool": "get_orders",
    "status": "ok",
    "duration_ms": 501.5,
    "retried": False,
    "code": "404",
    "status_code": 500,
    "arguments": {"customer": 7, "tags": ["a", "b"], "list": [{}] * 7 + [{"x": 1}]},
    "a.b": 1,
}


@pytest.mark.parametrize(
    "text",
    [
        "duration_ms > 500",
        "duration_ms>500 and tool=get_orders",
        "tool = 'get_orders'",
        'tool == "get_orders"',
        "tool ~ ^get_",
        "tool !~ '^put_'",
        "status != error",
        "retried = false",
        "code = 404",
        "code >= 400",
        "status_code = '500'",
        "arguments.list.7.x = 1",
        "arguments.customer = 7",
        "arguments.tags.1 = b",
        "a.b = 1",
        "missing = null",
        "status = error or (tool = get_orders and not duration_ms < 100)",
        "status = ok AND NOT status = error",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    assert parse_where(text).fits(RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "duration_ms > 502",
        "tool > 5",
        "missing > 0",
        "missing != 1",
        "missing ~ .",
        "retried = 0",
        "status = null",
        "tool = get_orders and status = error",
    ],
)
def test_conditions_that_do_not_hold(text: str) -> None:
    assert not parse_where(text).fits(RECORD)


@pytest.mark.parametrize(
    "text",
    ["", "tool", "tool =", "= 5", "tool = a b", "tool ~ (", "tool ~ '('", "(tool = a", "a = 'b",
     "tool => 5", "a = 1 and", "not", "a ! 1", "(" * 200 + "a = 1" + ")" * 200],
)  # fmt: skip
def test_conditions_that_nobody_can_read_are_said_with_an_example(text: str) -> None:
    with pytest.raises(QuestionError, match="write for example"):
        parse_where(text)


def test_a_condition_in_a_message_is_cited_without_its_secrets() -> None:
    with pytest.raises(QuestionError, match="'path = /a\\?b=c' has '=' too many"):
        parse_where("path = /a?b=c")
    with pytest.raises(QuestionError) as told:
        parse_where("password = hunter2k93hd and >")
    assert "hunter2" not in str(told.value)


def test_a_record_as_deep_as_can_be_read_is_a_record(tmp_path: Path) -> None:
    deep = b'{"event":"deep","tool":' + b"[" * 1000 + b'"Needle"' + b"]" * 1000 + b"}\n"
    write(tmp_path, "acme/2026-11-21.jsonl", deep)
    for wanted in (Filter(text="needle", ignore_case=True), Filter(text="Needle"), Filter()):
        assert events(tmp_path, wanted) == ["deep"]
    assert events(tmp_path, Filter(where=(parse_where("tool ~ x"),))) == []


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_question_error(text: str) -> None:
    with suppress(QuestionError):
        assert parse_where(text).fits({}) in {True, False}
