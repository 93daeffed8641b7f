"""The steps as structlog processors, in a chain that its owner keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from logbraid.context import bound_context
from logbraid.processors import (
    merge_tracing_context,
    render_json_line,
    scrub_secrets,
    truncate_summaries,
)
from logbraid.testing import capture_logs

SECRET = "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ"


@pytest.fixture
def written() -> Iterator[list[str]]:
    """A chain of one's own that ends in our renderer, and what it wrote."""
    lines: list[str] = []

    class Writer:
        def msg(self, text: str) -> None:
            lines.append(text)

        debug = info = warning = error = critical = exception = msg

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            merge_tracing_context,
            scrub_secrets,
            truncate_summaries,
            render_json_line,
        ],
        logger_factory=lambda *_: Writer(),
        cache_logger_on_first_use=False,
    )
    yield lines
    structlog.reset_defaults()


def test_a_chain_of_ones_own_writes_our_line(written: list[str]) -> None:
    with bound_context(tenant_id="acme", shop=7):
        structlog.get_logger().info("paid", amount=3, password="hunter2secret", tenant_id="evil")
    told = json.loads(written[0])
    assert list(told)[:3] == ["timestamp", "level", "event"]
    assert told["level"] == "info"
    assert (told["tenant_id"], told["tenant_id_"], told["shop"]) == ("acme", "evil", 7)
    assert told["password"] == "[REDACTED:password]"
    assert told["scrubbed"] == {"password": 1}
    assert not written[0].endswith("\n")


def test_an_exception_becomes_its_scrubbed_fields(written: list[str]) -> None:
    structlog.get_logger().error("failed", exc_info=ValueError(f"key {SECRET}"))
    told = json.loads(written[0])
    assert told["error_type"] == "ValueError"
    assert SECRET not in written[0]
    assert "exc_info" not in told


def test_a_traceback_is_never_cut_into_a_secret() -> None:
    for before in range(7940, 8010, 5):
        error = ValueError("word " * (before // 5) + SECRET + " tail" * 100)
        told = scrub_secrets(None, "error", {"event": "e", "exc_info": error})
        told = truncate_summaries(None, "error", told)
        assert SECRET[:14] not in str(told)
        assert len(told["exception"]) <= 8000


def test_long_texts_are_cut_after_they_were_scrubbed(written: list[str]) -> None:
    for before in range(1940, 2010, 7):
        written.clear()
        structlog.get_logger().info("e", text="word " * (before // 5) + f" {SECRET} " + "x " * 500)
        told = json.loads(written[0])
        assert len(told["text"]) <= 2000
        assert told["truncated"]["text"] > 2000
        assert SECRET[:12] not in written[0]


def test_no_processor_changes_what_it_is_given() -> None:
    tree: dict[str, Any] = {"event": "e", "nested": {"password": "hunter2secret", "t": "w" * 5000}}
    before = json.dumps(tree)
    for step in (merge_tracing_context, scrub_secrets, truncate_summaries, render_json_line):
        step(None, "info", tree)
        assert json.dumps(tree) == before


def test_rendering_alone_gives_one_strict_line_of_anything() -> None:
    odd: dict[str, Any] = {"event": "a\nb", "n": float("nan"), "o": object(), "t": "x" * 100_000}
    line = render_json_line(None, "info", odd)
    assert "\n" not in line
    assert len(line.encode()) < 15_360
    told = json.loads(line)
    assert told["n"] is None
    assert told["timestamp"].endswith("Z")


def test_a_stamp_and_a_logger_that_are_there_stay() -> None:
    told = json.loads(
        render_json_line(None, "info", {"a": 1, "event": "e", "logger": "l", "timestamp": "then"})
    )
    assert list(told.items())[:3] == [("timestamp", "then"), ("logger", "l"), ("event", "e")]


def test_they_follow_the_settings_in_force() -> None:
    with capture_logs(max_summary_chars=100):
        told = truncate_summaries(None, "info", {"event": "e", "t": "x" * 500})
    assert len(told["t"]) == 100
    assert told["truncated"] == {"t": 500}


def test_ids_are_kept_and_a_credential_as_an_id_becomes_its_digest() -> None:
    told = scrub_secrets(None, "info", {"event": "e", "session_id": "s-1", "user_id": SECRET})
    assert told["session_id"] == "s-1"
    assert told["user_id"].startswith("openai_key~")


def test_an_event_is_no_longer_than_a_summary_may_be() -> None:
    with capture_logs(max_summary_chars=100):
        told = truncate_summaries(None, "info", {"event": "word " * 100})
    assert len(told["event"]) == 100
    assert told["truncated"] == {"event": 500}
    told = truncate_summaries(None, "info", {"event": "word " * 300})
    assert len(told["event"]) == 1000
