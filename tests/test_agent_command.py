"""The meta object of a command-line tool's response, joined to its log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import Any

import pytest

import logbraid
from logbraid.agent import command_meta
from logbraid.context import bound_context, clear_context
from logbraid.testing import capture_logs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
VARIABLES = ("TOOL_TRACE_ID", "TRACEPARENT", "LOGBRAID_CONTEXT")

TOOL = """
import json, logbraid
from logbraid.agent import command_meta
logbraid.configure_logging(output="stderr", format="json")
first = command_meta("orders list", "1.2.3")
logbraid.get_logger("tool").info("done")
print(json.dumps({"data": [], "meta": command_meta("orders list", "1.2.3")}))
assert first["request_id"] == command_meta("x", "1")["request_id"]
"""


@pytest.fixture(autouse=True)
def _no_outer_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def tool(**environ: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the meta of a tool's response, and its log line."""
    done = subprocess.run(
        [sys.executable, "-c", TOOL],
        env={**os.environ, **environ},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)["meta"], json.loads(done.stderr)


def test_it_has_the_six_fields_in_their_forms() -> None:
    with capture_logs(), bound_context(request_id="req-4", trace_id=TRACE):
        meta = command_meta("orders list", "1.2.3")
    assert list(meta) == [
        "request_id",
        "trace_id",
        "duration_ms",
        "timestamp",
        "command",
        "version",
    ]
    assert (meta["request_id"], meta["trace_id"]) == ("req-4", TRACE)
    assert (meta["command"], meta["version"]) == ("orders list", "1.2.3")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", meta["timestamp"])
    assert json.loads(json.dumps(meta)) == meta


def test_new_ids_are_bound_so_that_lines_and_later_calls_have_them() -> None:
    def inside() -> None:
        clear_context()
        with capture_logs() as logs:
            meta = command_meta("x", "1")
            logbraid.get_logger("x").info("line")
            assert command_meta("x", "1")["request_id"] == meta["request_id"]
        assert UUID7.fullmatch(meta["request_id"])
        assert re.fullmatch("[0-9a-f]{32}", meta["trace_id"])
        assert (logs[0]["request_id"], logs[0]["trace_id"]) == (
            meta["request_id"],
            meta["trace_id"],
        )

    import contextvars  # noqa: PLC0415 - one use

    contextvars.copy_context().run(inside)


def test_ids_of_the_environment_are_in_the_response_and_on_the_lines_of_a_real_tool() -> None:
    meta, line = tool(TOOL_TRACE_ID="run 7 of the outer tool")
    assert meta["trace_id"] == line["trace_id"] == "run 7 of the outer tool"
    meta, line = tool(TRACEPARENT=f"00-{TRACE}-{SPAN}-01")
    assert meta["trace_id"] == line["trace_id"] == TRACE
    assert line["parent_span_id"] == SPAN
    assert meta["request_id"] == line["request_id"]
    meta, line = tool(LOGBRAID_CONTEXT=json.dumps({"request_id": "req-4", "tenant_id": "acme"}))
    assert meta["request_id"] == line["request_id"] == "req-4"


def test_a_tool_without_any_ids_makes_the_same_for_response_and_lines() -> None:
    meta, line = tool()
    assert (meta["request_id"], meta["trace_id"]) == (line["request_id"], line["trace_id"])


def test_the_environment_is_read_also_before_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import contextvars  # noqa: PLC0415 - one use

    monkeypatch.setenv("TOOL_TRACE_ID", "outer")
    meta = contextvars.copy_context().run(command_meta, "x", "1")
    assert meta["trace_id"] == "outer"


def test_duration_counts_from_what_is_given_else_from_the_start_of_the_process() -> None:
    with capture_logs(), bound_context(request_id="r", trace_id=TRACE):
        given = command_meta("x", "1", started=time.perf_counter() - 2)["duration_ms"]
        assert 2000 <= given < 3000
        assert command_meta("x", "1", started=time.perf_counter() + 9)["duration_ms"] == 0
    began = time.perf_counter()
    meta, _ = tool()
    whole = (time.perf_counter() - began) * 1000
    assert 1 < meta["duration_ms"] <= whole + 20


def test_secrets_in_the_command_are_scrubbed_and_a_credential_as_id_is_its_digest() -> None:
    token = "ghp_" + "a1B2" * 9
    with capture_logs() as logs, bound_context(request_id=token, trace_id=TRACE):
        meta = command_meta("login --password hunter2-canary", "1")
        logbraid.get_logger("x").info("line")
    assert "hunter2" not in meta["command"]
    assert token not in json.dumps(meta)
    assert meta["request_id"] == logs[0]["request_id"]
