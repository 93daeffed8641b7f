"""The terminal's format: for people, and nobody's text forges a line in it."""

from __future__ import annotations

import io
import os
import pty
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logbraid.health import Health
from logbraid.sinks.terminal import TerminalSink, wants_colors

DAY = "2026-11-21"
BASE = {
    "timestamp": "2026-11-21T10:30:00.123456Z",
    "level": "info",
    "logger": "app.tools",
    "event": "tool_complete",
}


def drawn(record: dict[str, Any], *, colors: bool = False) -> str:
    stream = io.StringIO()
    sink = TerminalSink(stream, colors=colors, health=Health())
    sink.write(orjson.dumps(BASE | record) + b"\n", None, DAY)
    return stream.getvalue()


def test_line_shows_time_level_event_logger_and_fields() -> None:
    text = drawn({"tool": "get_orders", "duration_ms": 234})
    pattern = (
        r"\d\d:\d\d:00\.123 \[info +\] tool_complete +\[app\.tools\]"
        r" tool=get_orders duration_ms=234\n"
    )
    assert re.fullmatch(pattern, text)


def test_fields_keep_their_order() -> None:
    assert drawn({"z": 1, "a": 2}).endswith(" z=1 a=2\n")


def test_values_that_need_it_are_quoted_once() -> None:
    text = drawn({"path": "C:\\new", "said": "it's fine", "empty": "", "nested": {"a": [1, "x"]}})
    assert r"path='C:\\new'" in text
    assert 'said="it\'s fine"' in text
    assert "empty=''" in text
    assert "nested={'a': [1, 'x']}" in text


def test_long_ids_are_short_and_names_stay() -> None:
    request_id = "01936b2e-7d4c-7e8a-9b1c-3f2a9c1d5e6f"
    text = drawn({"request_id": request_id, "tenant_id": "a-very-long-tenant-name", "user_id": "u"})
    assert "request_id=..9c1d5e6f" in text
    assert "tenant_id=a-very-long-tenant-name" in text
    assert "user_id=u" in text


def test_traceback_stands_below_and_is_indented() -> None:
    text = drawn({"exception": "Traceback:\n  File x\nValueError: no", "error_type": "ValueError"})
    assert text.endswith(
        "error_type=ValueError\n    Traceback:\n      File x\n    ValueError: no\n"
    )


def test_field_named_like_an_argument_of_the_renderer_is_shown_as_a_field() -> None:
    text = drawn({"exc_info": True, "logger_name": "evil", "stack": 5})
    assert "exc_info_=True" in text
    assert "logger_name_=evil" in text
    assert "stack_=5" in text


def test_unknown_level_and_stamp_are_shown_all_the_same() -> None:
    text = drawn({"level": "shouting", "timestamp": "later\n"})
    assert text.startswith("later\\n [")


HAZARDS = "\n\r\x1b\x00\x7f\x85\x9b\u2028\u2029\u202e\ue000"


@pytest.mark.parametrize("place", ["event", "logger", "field", "tenant_id", "nested", "timestamp"])
def test_no_value_forges_a_line_or_a_colour(place: str) -> None:
    evil = f"ok{HAZARDS}\x1b[31mfake"
    record: dict[str, Any] = {"nested": {evil: [evil]}} if place == "nested" else {place: evil}
    text = drawn(record)
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_no_key_forges_a_line() -> None:
    assert drawn({"a\nb\x1b[0m": 1})[:-1].isprintable()


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=4))
def test_every_record_is_one_printable_line(record: dict[str, str]) -> None:
    record.pop("exception", None)
    record.pop("stack", None)
    text = drawn(record)
    assert text[:-1].isprintable()
    assert text[-1] == "\n"


def test_every_line_of_a_traceback_is_clean_and_indented() -> None:
    text = drawn({"exception": f"one\n{HAZARDS}two", "stack": "a\rb\n2026-11-21 [error] fake"})
    first, *below = text[:-1].split("\n")
    assert first.isprintable()
    assert all(row.isprintable() for row in below)
    assert all(row.startswith("    ") for row in below if row.strip(" ="))


def test_colours_are_the_renderers_only() -> None:
    text = drawn({"tool": "x\x1b[31m"}, colors=True)
    assert "\x1b[" in text
    without = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert without[:-1].isprintable()


def test_colours_on_a_terminal_only_and_as_the_environment_says() -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as people:
        assert wants_colors(people, {})
        assert not wants_colors(people, {"NO_COLOR": "1"})
        assert wants_colors(people, {"NO_COLOR": ""})
        assert not wants_colors(people, {"TERM": "dumb"})
    os.close(controller)
    assert not wants_colors(io.StringIO(), {})
    assert wants_colors(io.StringIO(), {"FORCE_COLOR": "1"})
    assert not wants_colors(io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert not wants_colors(None, {})
    closed = io.StringIO()
    closed.close()
    assert not wants_colors(closed, {})


def test_text_goes_out_in_one_write(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        sink = TerminalSink(stream, colors=False, health=Health())
        sink.write(orjson.dumps(BASE | {"exception": "a\nb"}) + b"\n", None, DAY)
        got = os.read(controller, 10_000)
    os.close(controller)
    assert got.count(b"\r\n") == 3


def test_many_lines_are_drawn_in_order(tmp_path: Path) -> None:
    items = [(orjson.dumps(BASE | {"n": n}) + b"\n", None, DAY) for n in range(50)]
    with (tmp_path / "out").open("w") as stream:
        sink = TerminalSink(stream, colors=False, health=Health())
        assert sink.write_many(items) == []
    text = (tmp_path / "out").read_text()
    assert re.findall(r"n=(\d+)", text) == [str(n) for n in range(50)]


def test_renderer_is_imported_at_the_first_line_only() -> None:
    sink = TerminalSink(io.StringIO(), health=Health())
    assert sink._renderer is None
    assert sink.flush()
    sink.reopen()
    sink.close()
