"""The words of a record."""

from __future__ import annotations

import pytest

from logbraid.record import CONTEXT_ORDER, ENVELOPE, HEAD, ID_NAMES, LEVEL_WORDS, level_word


@pytest.mark.parametrize(
    ("level", "word"),
    [(-5, "debug"), (0, "debug"), (5, "debug"), (9, "debug"), (10, "debug"), (19, "debug"),
     (20, "info"), (25, "info"), (29, "info"), (30, "warning"), (39, "warning"), (40, "error"),
     (49, "error"), (50, "critical"), (60, "critical"), (10**6, "critical")],
)  # fmt: skip
def test_level_has_the_word_at_or_below_it(level: int, word: str) -> None:
    assert level_word(level) == word


def test_aggregators_know_every_word() -> None:
    known = {"debug", "info", "warning", "error", "critical"}
    assert {level_word(level) for level in range(-20, 200)} == known == set(LEVEL_WORDS.values())


def test_line_begins_with_when_how_bad_where_and_what() -> None:
    assert HEAD[:4] == ("timestamp", "level", "logger", "event")


def test_context_begins_with_the_five_ids() -> None:
    assert CONTEXT_ORDER[:5] == ID_NAMES
    assert ID_NAMES == ("tenant_id", "user_id", "session_id", "run_id", "request_id")


def test_no_id_is_a_name_of_the_envelope() -> None:
    assert ENVELOPE.isdisjoint(CONTEXT_ORDER)
    assert {"timestamp", "level", "logger", "event", "service", "exception", "stack", "truncated",
            "scrubbed"} <= ENVELOPE  # fmt: skip
