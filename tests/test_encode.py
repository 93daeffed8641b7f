"""One strict JSON line within its budget, whatever it is given."""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.encode import encode_line, finish
from logbraid.plain.normalise import Normaliser
from logbraid.truncate import truncate_fields

BUDGET = 15_360
FORGING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def strict(line: bytes) -> dict[str, Any]:
    """Parse as the strictest reader: no constants, no duplicates, no empty keys, one line."""

    def constant(name: str) -> Any:
        raise AssertionError(name)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(set(names)) == len(names)
        assert all(names)
        return dict(pairs)

    text = line.decode()
    assert text.endswith("}\n")
    assert not FORGING.search(text[:-1])
    made = json.loads(text, parse_constant=constant, object_pairs_hook=unique)
    assert isinstance(made, dict)
    return made


def encoded(record: dict[str, Any], budget: int = BUDGET) -> tuple[dict[str, Any], dict[str, int]]:
    notes: dict[str, int] = {}
    line = encode_line(record, max_line_bytes=budget, notes=notes)
    assert len(line) <= budget
    return strict(line), notes


HEAD: dict[str, Any] = {
    "timestamp": "2026-11-21T10:30:00.123456Z",
    "level": "info",
    "logger": "app.tools",
    "event": "tool_complete",
    "tenant_id": "acme",
    "request_id": "req-4",
}


def test_small_record_is_what_orjson_writes() -> None:
    record = {**HEAD, "a": [1, 2.5, None, True, {"b": "ü"}]}
    line = encode_line(record, max_line_bytes=BUDGET, notes={})
    assert line == orjson.dumps(record) + b"\n"


def test_clean_line_is_returned_as_the_same_object() -> None:
    for line in (b'{"a":"b"}\n', '{"a":"ü\u2027\u00a0\u202a\U0001f600"}\n'.encode()):
        assert finish(line) == line
    ascii_line = b'{"a":"b\\u001b"}\n'
    assert finish(ascii_line) is ascii_line


@pytest.mark.parametrize("code", [0, 9, 10, 13, 0x1B, 0x7F, 0x80, 0x85, 0x9B, 0x9F, 0x2028, 0x2029])
def test_character_that_forges_lines_is_escaped_in_keys_and_values(code: int) -> None:
    for around in ("", "ü", "\\", '"', "\U0001f600"):
        text = f"a{around}{chr(code)}{around}b"
        made, _ = encoded({text: text, "l": [text]})
        assert made == {text: text, "l": [text]}


def test_every_character_survives() -> None:
    text = "".join(map(chr, range(0x3000)))
    made, _ = encoded({"a": text}, budget=100_000)
    assert made["a"] == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", "a\ufffdb"),
        (2**64, "18446744073709551616"),
        (10**5000, f"<int of {(10**5000).bit_length()} bits>"),
        (math.nan, None),
        (math.inf, None),
        ((1, 2), [1, 2]),
        (object(), "<object>"),
        ({1: 2, "1": 3, "": 4, None: 5}, {"1": 2, "1#2": 3, "_": 4, "None": 5}),
        ({"\ud800": 1}, {"\ufffd": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tree_that_is_not_plain_is_mended(value: Any, expected: Any) -> None:
    made, _ = encoded({**HEAD, "v": value, "w": [{"x": value}]})
    assert made["v"] == expected
    assert made["w"] == [{"x": expected}]


def test_cycle_and_depth_that_no_encoder_takes_are_mended() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    deep: Any = 1
    for _ in range(2000):
        deep = [deep]
    made, _ = encoded({**HEAD, "a": loop, "b": deep})
    assert made["event"] == "tool_complete"


def test_longest_text_is_cut_first_and_the_next_left_alone() -> None:
    made, notes = encoded({**HEAD, "a": "x" * 9000, "b": "y" * 10_000, "c": "z" * 5000})
    assert made["a"] == "x" * 9000
    assert made["c"] == "z" * 5000
    assert made["b"].startswith("y")
    assert made["b"].endswith("...[10000 chars]")
    assert notes == made["truncated"] == {"b": 10_000}


def test_budget_is_used_and_not_only_kept() -> None:
    for text in ("x" * 30_000, "é" * 30_000, "\n" * 30_000, "\U0001f600" * 30_000, "\x7f" * 30_000):
        line = encode_line({**HEAD, "a": text}, max_line_bytes=BUDGET, notes={})
        assert BUDGET - 40 < len(line) <= BUDGET
        assert strict(line)["a"].endswith("...[30000 chars]")


def test_next_text_is_cut_when_the_longest_does_not_suffice() -> None:
    made, notes = encoded({**HEAD, "a": "x" * 20_000, "b": "y" * 19_000, "c": "z" * 50})
    assert notes == {"a": 20_000, "b": 19_000}
    assert made["c"] == "z" * 50


def test_many_long_texts_each_keep_something() -> None:
    made, _ = encoded({**HEAD, **{f"f{number}": "x" * 2000 for number in range(100)}})
    assert all(made[f"f{number}"].startswith("x") for number in range(100))


def test_nested_text_is_cut_and_noted_with_its_path() -> None:
    made, notes = encoded({**HEAD, "a": {"items": ["s", "x" * 20_000]}})
    assert made["a"]["items"][0] == "s"
    assert notes == {"a.items.1": 20_000}


def test_earlier_note_is_kept_with_the_first_length() -> None:
    text = "x" * 19_985 + "...[99999 chars]"
    notes = {"a": 99_999}
    record = {**HEAD, "a": text, "truncated": {"a": 99_999}}
    made = strict(encode_line(record, max_line_bytes=BUDGET, notes=notes))
    assert made["a"].endswith("x...[99999 chars]")
    assert made["truncated"] == {"a": 99_999}


def test_exception_keeps_its_tail() -> None:
    text = "".join(f"line {number}\n" for number in range(4000)) + "the cause"
    made, _ = encoded({**HEAD, "exception": text})
    assert made["exception"].startswith("line 0\n")
    assert made["exception"].endswith("the cause")
    assert f"...[{len(text)} chars]" in made["exception"]


def test_cut_does_not_go_through_a_redaction() -> None:
    mark = "[REDACTED:password]"
    for offset in range(40):
        made, _ = encoded({"a": "x" * offset + mark * 60}, budget=600)
        assert "[R" not in made["a"].replace(mark, "")


def test_record_is_not_changed() -> None:
    record = {**HEAD, "a": {"b": ["x" * 20_000]}, "truncated": {"c": 1}}
    before = json.dumps(record)
    encode_line(record, max_line_bytes=600, notes={})
    assert json.dumps(record) == before


def test_many_numbers_are_left_out_and_counted() -> None:
    made, notes = encoded({**HEAD, **{f"key{number}": number for number in range(5000)}})
    left = [name for name in made if name.startswith("key")]
    assert made["truncated"]["..."] == 5000 - len(left) == notes["..."]
    assert len(left) > 700
    assert {name: made[name] for name in HEAD} == HEAD


def test_large_container_is_halved_before_small_fields_go() -> None:
    made, _ = encoded({**HEAD, "rows": [[1, 2]] * 5000, "status": "ok"})
    assert made["status"] == "ok"
    assert len(made["rows"]) > 1000
    assert made["truncated"]["..."] == (5000 - len(made["rows"])) * 2


def test_envelope_and_ids_are_kept_to_the_last() -> None:
    record = {**HEAD, "k" * 300: 1, **{f"{number}" * 100: 1 for number in range(200)}}
    made, _ = encoded(record, budget=512)
    assert {name: made[name] for name in HEAD} == HEAD


def test_ids_are_never_cut() -> None:
    record = {**HEAD, "tenant_id": "é" * 128, "user_id": "u" * 128, "run_id": "é" * 128}
    made, _ = encoded({**record, "a": "x" * 20_000}, budget=512)
    for name in ("tenant_id", "user_id", "run_id", "request_id"):
        assert made.get(name) in (record[name], None)
    assert made["timestamp"] == HEAD["timestamp"]


@pytest.mark.parametrize("budget", [512, 600, 1000, 4096])
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\n", "\u2028", '"', "\\", "\x7f"])
def test_everything_too_long_still_fits(letter: str, budget: int) -> None:
    long = letter * 50_000
    record = dict.fromkeys((*HEAD, "a", "exception", "trace_id"), long)
    made, _ = encoded({**record, long: long, "truncated": {long: 3}}, budget=budget)
    assert made


def test_many_notes_do_not_make_more_than_two_hundred_leaves() -> None:
    fields: dict[str, Any] = {f"f{number}": "x" * 3000 for number in range(180)}
    notes: dict[str, int] = {}
    body = Normaliser(max_summary_chars=20).fields(fields, notes)
    body = truncate_fields(body, notes, max_summary_chars=20, limits={})
    record = {**HEAD, **body, "truncated": dict(notes)}
    made = strict(encode_line(record, max_line_bytes=BUDGET, notes=notes))
    assert len(made) - 1 + len(made["truncated"]) <= 200
    assert made["truncated"]


def test_few_notes_are_all_kept() -> None:
    notes = {f"f{number}": 3000 for number in range(50)}
    record = {**HEAD, "truncated": dict(notes)}
    made = strict(encode_line(record, max_line_bytes=BUDGET, notes=notes))
    assert made["truncated"] == notes


def test_long_texts_cost_little() -> None:
    record = {**HEAD, "a": "\n" * 1_000_000, "b": {"c": ["é" * 100_000] * 10}}
    begin = time.perf_counter()
    encoded(record)
    assert time.perf_counter() - begin < 1


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=80)
    | st.sampled_from(["x" * 3000, "é" * 500, "\n" * 900, "\u2028" * 200, "[REDACTED:a]" * 90]),
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=()), min_size=1, max_size=9), inner, max_size=9
        )
    ),
    max_leaves=25,
)
OURS = [*HEAD, "exception", "stack", "truncated", "a", "b"]
NAMES = st.sampled_from(OURS) | st.text(min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, ANY, max_size=20), st.integers(512, 6000))
def test_any_tree_is_one_strict_line_in_its_budget(record: dict[str, Any], budget: int) -> None:
    told, _ = encoded(record, budget)  # strict, and within the budget
    assert isinstance(told, dict)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, ANY, max_size=20), st.integers(512, 6000))
def test_the_three_steps_together_make_one_strict_line(record: dict[str, Any], budget: int) -> None:
    notes: dict[str, int] = {}
    body = Normaliser(max_summary_chars=300).fields(record, notes)
    body = truncate_fields(body, notes, max_summary_chars=300, limits={"event": 100})
    if notes:
        body["truncated"] = dict(notes)
    line = encode_line(body, max_line_bytes=budget, notes=notes)
    assert len(line) <= budget
    assert isinstance(strict(line), dict)
