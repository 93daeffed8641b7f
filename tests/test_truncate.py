"""Cutting after the scrub: the limit is the limit, and no cut shows part of a secret."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.plain.normalise import LOOK_AHEAD, Normaliser
from logbraid.truncate import cut, join_window, truncate_fields, window_text

SECRET = "sk-ant-api03-" + "canary" * 20
MARK = "[REDACTED:anthropic]"


def scrub(text: str) -> str:
    """Stand in for the scrubber: knows the secret only as a whole, as patterns do."""
    return text.replace(SECRET, MARK)


def fitted(fields: dict[str, Any], notes: dict[str, int] | None = None, **limits: int) -> Any:
    notes = {} if notes is None else notes
    return truncate_fields(fields, notes, max_summary_chars=100, limits=limits)


def test_text_within_the_limit_is_the_same_object() -> None:
    text = "x" * 100
    assert cut(text, 100) is text


def test_cut_text_is_as_long_as_the_limit_marker_and_all() -> None:
    assert cut("x" * 101, 100) == "x" * 86 + "...[101 chars]"
    assert len(cut("x" * 101, 100)) == 100


def test_marker_tells_the_original_length() -> None:
    assert cut("x" * 612, 100, original=1_000_000).endswith("...[1000000 chars]")


@pytest.mark.parametrize("limit", range(20))
def test_tiny_limit_is_kept_too(limit: int) -> None:
    assert len(cut("x" * 1000, limit)) <= limit


def test_look_ahead_is_never_shown() -> None:
    text = "shown " + "ahead " * 86  # the scrubber made it shorter than the limit
    result = cut(text, 2000, original=5000, windowed=True)
    assert result == text[: len(text) - LOOK_AHEAD] + "...[5000 chars]"


def test_token_longer_than_the_look_ahead_goes_whole() -> None:
    token = "eyJ" + "abcDEF123." * 90
    result = cut("a text " + token, 2000, original=9000, windowed=True)
    assert result == "a text ...[9000 chars]"


def test_text_that_is_one_token_keeps_its_head() -> None:
    assert cut("x" * 2512, 2000, original=10_000, windowed=True).startswith("x" * 1900)


@pytest.mark.parametrize("offset", range(-2, len(MARK) + 20))
def test_no_cut_goes_through_a_redaction(offset: int) -> None:
    text = "x" * (80 - offset) + MARK + "y" * 200
    result = cut(text, 100)
    assert len(result) <= 100
    assert "[R" not in result.replace(MARK, "")


def test_bracket_that_is_no_redaction_is_cut_as_any_text() -> None:
    assert cut("[" * 200, 100) == "[" * 86 + "...[200 chars]"


@pytest.mark.parametrize("offset", [*range(-140, 20, 7), -1, 0, 1])
def test_secret_straddling_the_cut_is_gone(offset: int) -> None:
    text = "word " * 400 + " " * 200
    text = text[: 2000 + offset] + SECRET + " more" * 1000
    notes: dict[str, int] = {}
    made: Any = Normaliser().fields({"a": text}, notes)
    made = {"a": scrub(made["a"])}
    result = truncate_fields(made, notes, max_summary_chars=2000, limits={})["a"]
    assert isinstance(result, str)
    assert "canary" not in result
    assert len(result) <= 2000


@pytest.mark.parametrize("offset", range(2400, 2520, 7))
def test_secret_straddling_the_window_is_gone_even_if_others_shrank_the_text(offset: int) -> None:
    text = (SECRET + " ") * 10
    text = (text + "word " * 400)[:offset] + SECRET + " more" * 1000
    notes: dict[str, int] = {}
    made: Any = Normaliser().fields({"a": text}, notes)
    result = truncate_fields({"a": scrub(made["a"])}, notes, max_summary_chars=2000, limits={})
    assert "canary" not in str(result).replace(MARK, "")


def test_nothing_to_cut_returns_the_same_object() -> None:
    fields = {"a": "x" * 100, "b": {"c": ["x" * 100, 1, None, True, 1.5]}}
    assert fitted(fields) is fields
    assert fitted(fields, {"...": 3, "exception": 9000}) is fields


def test_what_is_cut_is_copied_and_the_rest_shared() -> None:
    untouched = {"x": ["y"]}
    fields: dict[str, Any] = {"a": "x" * 200, "b": {"c": ["x" * 200, "y"]}, "u": untouched}
    before = repr(fields)
    result = fitted(fields)
    assert repr(fields) == before
    assert result["u"] is untouched
    assert result["b"]["c"][0] == "x" * 86 + "...[200 chars]"


def test_path_and_length_are_noted_and_what_was_noted_is_kept() -> None:
    notes = {"a": 1_000_000, "...": 5, "exception": 9000}
    fields: dict[str, Any] = {"a": "x" * 612, "b": {"c": [1, "x" * 200]}}
    result = fitted(fields, notes)
    assert notes == {"a": 1_000_000, "...": 5, "exception": 9000, "b.c.1": 200}
    assert result["a"].endswith("...[1000000 chars]")


def test_limit_of_one_field_counts_at_the_first_level_only() -> None:
    fields: dict[str, Any] = {"event": "x" * 60, "a": {"event": "x" * 60}, "b": "x" * 60}
    result = fitted(fields, event=50)
    assert len(result["event"]) == 50
    assert result["a"] == {"event": "x" * 60}
    assert result["b"] == "x" * 60


def test_larger_limit_of_one_field_counts_too() -> None:
    assert fitted({"a": "x" * 150}, a=200) == {"a": "x" * 150}


def test_note_under_a_redacted_key_does_not_echo_it() -> None:
    notes: dict[str, int] = {}
    made: Any = Normaliser(max_summary_chars=100).fields({"a": {SECRET: "word " * 400}}, notes)
    assert SECRET in next(iter(notes))
    scrubbed = {"a": {MARK: scrub(made["a"][SECRET])}}
    result = fitted(scrubbed, notes)
    assert "canary" not in str(notes)
    assert len(result["a"][MARK]) <= 100
    assert result["a"][MARK].endswith("chars]")


def test_short_text_is_one_window() -> None:
    window = window_text("x" * 9000, 8000)
    assert (window.head, window.tail, window.original) == ("x" * 9000, "", 9000)
    assert join_window("short", "", 8000, 5) == "short"


def test_long_exception_keeps_a_fifth_of_head_and_its_tail() -> None:
    lines = [f"line {number:06d} of the traceback\n" for number in range(5000)]
    text = "".join([*lines, "ValueError: the cause"])
    window = window_text(text, 8000)
    joined = join_window(window.head, window.tail, 8000, window.original)

    assert 7900 < len(joined) <= 8000
    assert joined.startswith(lines[0])
    assert joined.endswith("ValueError: the cause")
    head, tail = joined.split(f"\n...[{len(text)} chars]\n")
    assert 0.18 < len(head) / len(joined) < 0.21
    assert len(tail) > len(head) * 3
    assert text.startswith(head)
    assert text.endswith(tail)


def test_text_seen_whole_is_cut_in_its_middle() -> None:
    text = "h" * 4000 + "t" * 5000
    joined = join_window(text, "", 8000, 9000)
    assert len(joined) <= 8000
    assert joined.startswith("h" * 1500)
    assert joined.endswith("t" * 5000)
    assert "...[9000 chars]" in joined


@pytest.mark.parametrize("offset", range(-700, 700, 23))
@pytest.mark.parametrize("edge", [1600, -6400])
def test_secret_at_an_edge_of_an_exception_is_gone(edge: int, offset: int) -> None:
    text = "some words\n" * 4000
    at = edge + offset if edge > 0 else len(text) + edge + offset
    text = text[:at] + SECRET + text[at:]
    window = window_text(text, 8000)
    joined = join_window(scrub(window.head), scrub(window.tail), 8000, window.original)
    assert "canary" not in joined
    assert len(joined) <= 8000


def test_long_token_at_an_edge_of_an_exception_is_gone() -> None:
    token = "eyJ" + "abcDEF123." * 150
    text = "words\n" * 4000
    for at in (1000, 1500, 1599, len(text) - 7500, len(text) - 8200):
        broken = text[:at] + " " + token + " " + text[at:]
        window = window_text(broken, 8000)
        joined = join_window(window.head, window.tail, 8000, window.original)
        assert "DEF" not in joined or token in joined


def test_tail_that_begins_in_a_private_key_begins_behind_it() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "canary+/\n" * 400 + "-----END PRIVATE KEY-----\n"
    text = "words\n" * 4000 + key + "after\n" * 900
    window = window_text(text, 8000)
    assert "-----BEGIN" not in window.tail
    joined = join_window(window.head, window.tail, 8000, window.original)
    assert "canary" not in joined
    assert joined.endswith("after\n" * 900)


@pytest.mark.parametrize("limit", range(0, 60, 3))
def test_tiny_limit_of_an_exception_is_kept_too(limit: int) -> None:
    window = window_text("x y" * 5000, limit)
    assert len(join_window(window.head, window.tail, limit, window.original)) <= limit


def test_text_of_many_megabytes_costs_little() -> None:
    text = "x" * 20_000_000
    begin = time.perf_counter()
    window = window_text(text, 8000)
    join_window(window.head, window.tail, 8000, window.original)
    assert time.perf_counter() - begin < 1


PIECES = st.lists(
    st.sampled_from(
        [MARK, "[REDACTED:", "[SCRUB_ERROR]", "[", "]", " ", "\n", "x" * 50, "é", "\U0001f600"]
    ),
    max_size=60,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(PIECES, st.integers(0, 300), st.booleans())
def test_any_cut_fits(text: str, limit: int, windowed: bool) -> None:
    assert len(cut(text, limit, windowed=windowed)) <= limit


@settings(max_examples=200, deadline=None)
@given(PIECES, PIECES, st.integers(0, 300))
def test_any_join_fits(head: str, tail: str, limit: int) -> None:
    assert len(join_window(head, tail, limit, 5000)) <= limit
