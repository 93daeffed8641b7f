"""The one table of names: our field, OpenTelemetry's, OpenInference's; written and read alike."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from logbraid.agent import TraceEntry
from logbraid.agent.names import (
    ACTIONS,
    BY_OPERATION,
    INNER_AGENT,
    LATEST,
    RELEASE,
    SEMCONV,
    TABLE,
    names_to_read,
    operation_of,
    rows_of,
    span_name,
)
from logbraid.agent.span_reader import action_of, ids_of, read_span

CANARY = "sk-proj-CanaryCanaryCanary0123456789abcdefXYZ"


def a_call() -> TraceEntry:
    return TraceEntry(
        action="llm_call",
        connector="openai",
        model="gpt-4o",
        conversation_id="c-1",
        prompt_tokens=11,
        completion_tokens=5,
        total_tokens=16,
        cached_tokens=3,
        reasoning_tokens=2,
        usd_cost=0.25,
        tenant_id="acme",
        user_id="u-7",
        session_id="s-1",
        run_id="r-9",
        request_id="q-4",
        input_summary="hello",
        output_summary="done",
        metadata={"cache_write_tokens": 4},
    )


def test_a_model_call_has_opentelemetrys_names() -> None:
    told = a_call().as_otel()
    assert told == {
        "logbraid.action": "llm_call",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_write.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]',
        "gen_ai.output.messages": (
            '[{"role":"assistant","parts":[{"type":"text","content":"done"}]}]'
        ),
        "logbraid.usd_cost": 0.25,
        "logbraid.metadata": '{"cache_write_tokens":4}',
        "tenant.id": "acme",
        "user.id": "u-7",
        "session.id": "s-1",
        "agent.run.id": "r-9",
        "request.id": "q-4",
    }


def test_the_release_and_the_latest_differ_where_the_conventions_do() -> None:
    release, latest = a_call().as_otel(semconv="1.41"), a_call().as_otel(semconv="latest")
    assert release["gen_ai.usage.cache_creation.input_tokens"] == 4
    assert latest["gen_ai.usage.cache_write.input_tokens"] == 4
    assert "gen_ai.usage.cache_write.input_tokens" not in release
    with pytest.raises(ValueError, match=r"use one of '1\.41', 'latest'"):
        a_call().as_otel(semconv="1.36")


def test_a_model_call_has_openinferences_names() -> None:
    told = a_call().as_openinference()
    assert told["openinference.span.kind"] == "LLM"
    assert told["llm.model_name"] == "gpt-4o"
    assert told["llm.provider"] == "openai"
    assert told["llm.token_count.prompt"] == 11
    assert told["llm.token_count.completion"] == 5
    assert told["llm.token_count.total"] == 16
    assert told["llm.token_count.prompt_details.cache_read"] == 3
    assert told["llm.token_count.completion_details.reasoning"] == 2
    assert told["llm.cost.total"] == 0.25
    assert told["session.id"] == "s-1"  # the conversation's only where there is no session
    assert (told["input.value"], told["input.mime_type"]) == ("hello", "text/plain")


def test_a_tool_call_has_both_names() -> None:
    entry = TraceEntry(action="tool_call", operation="get_orders", connector="sap")
    entry.observe(input={"x": 2}, output="4")
    entry.fail(TimeoutError("too slow"))
    otel, other = entry.as_otel(), entry.as_openinference()
    assert otel["gen_ai.operation.name"] == "execute_tool"
    assert otel["gen_ai.tool.name"] == "get_orders"
    assert otel["gen_ai.tool.call.arguments"] == '{"x":2}'
    assert otel["gen_ai.tool.call.result"] == "4"
    assert otel["error.type"] == "TimeoutError"
    assert otel["logbraid.status"] == "timeout"
    assert other["openinference.span.kind"] == "TOOL"
    assert other["tool.name"] == "get_orders"
    assert other["input.mime_type"] == "application/json"


def test_unknown_is_not_written_as_nothing() -> None:
    told = TraceEntry(action="llm_call").as_otel()
    assert told == {"logbraid.action": "llm_call", "gen_ai.operation.name": "chat"}


def test_an_action_of_ones_own_is_a_chain_with_our_names() -> None:
    entry = TraceEntry(action="embed_docs", operation="nightly", asset_id="a-1")
    assert entry.as_otel() == {
        "logbraid.action": "embed_docs",
        "logbraid.operation": "nightly",
        "logbraid.asset_id": "a-1",
    }
    assert entry.as_openinference()["openinference.span.kind"] == "CHAIN"


def test_nothing_secret_is_in_attributes() -> None:
    entry = TraceEntry(action="tool_call", operation=f"t {CANARY}", session_id=CANARY)
    entry.observe(input={"password": "hunter2-canary"}, output=f"key {CANARY}")
    entry.metadata = {"authorization": CANARY, "note": f"see {CANARY}"}
    entry.fail(ValueError(f"refused {CANARY}"))
    for told in (entry.as_otel(), entry.as_openinference()):
        assert CANARY not in json.dumps(told)
        assert "hunter2-canary" not in json.dumps(told)
        assert all(isinstance(value, str | bool | int | float) for value in told.values())


@pytest.mark.parametrize(
    ("action", "operation", "model", "name"),
    [
        ("llm_call", "", "gpt-4o", "chat gpt-4o"),
        ("llm_call", "text_completion", "m", "text_completion m"),
        ("llm_call", "summarise", "m", "chat m"),
        ("llm_call", "", "", "chat"),
        ("tool_call", "get_orders", "", "execute_tool get_orders"),
        ("turn", "", "", "invoke_agent"),
        ("turn", "triage", "", "invoke_agent triage"),
        ("confirm", "delete", "", "confirm"),
        ("max_iterations", "", "", "max_iterations"),
        ("my_step", "x", "", "my_step"),
    ],
)
def test_a_span_is_named_as_the_conventions_say(
    action: str, operation: str, model: str, name: str
) -> None:
    assert span_name(action, operation, model) == name


def test_every_operation_there_is_one_of_ours_and_back() -> None:
    for row in ACTIONS:
        if row.operation and row.action != INNER_AGENT:
            assert BY_OPERATION[row.operation] == row.action
            assert operation_of(row.action, "") == row.operation


@pytest.mark.parametrize("names", SEMCONV)
def test_no_two_fields_of_an_action_share_a_name(names: str) -> None:
    for row in ACTIONS:
        column = [one.latest if names == LATEST else one.release for one in rows_of(row.action)]
        told = [name for name in column if name]
        assert len(told) == len(set(told)), (row.action, names)
    assert {RELEASE, LATEST} == set(SEMCONV)


def test_every_row_names_a_field_of_an_entry_or_of_its_metadata() -> None:
    fields = {*vars(TraceEntry(action="x")), "cache_write_tokens"}
    assert {row.field for row in TABLE} <= fields


# -- reading ------------------------------------------------------------------------------------


def a_span(attributes: dict[str, Any], **more: Any) -> Any:
    status = SimpleNamespace(status_code=SimpleNamespace(value=0), description=None)
    told = {"name": "x", "status": status, "events": (), "start_time": 10**18}
    return SimpleNamespace(attributes=attributes, **{**told, "end_time": 10**18 + 10**9, **more})


@pytest.mark.parametrize("names", ["1.41", "latest", "openinference"])
def test_what_was_written_is_read_back(names: str) -> None:
    entry = a_call()
    attributes: dict[str, Any] = dict(
        entry.as_openinference() if names == "openinference" else entry.as_otel(semconv=names)
    )
    del attributes["logbraid.action"]
    assert action_of(attributes) == "llm_call"
    found = read_span(a_span(attributes), "llm_call")
    for name in ("model", "connector", "prompt_tokens", "completion_tokens", "cached_tokens"):
        assert getattr(found, name) == getattr(entry, name), name
    assert found.reasoning_tokens == 2
    assert found.usd_cost == 0.25
    assert found.metadata["cache_write_tokens"] == 4
    assert ids_of(attributes) == {
        name: getattr(entry, name)
        for name in ("tenant_id", "user_id", "session_id", "run_id", "request_id")
    }


@pytest.mark.parametrize(
    ("attributes", "action"),
    [
        ({"gen_ai.operation.name": "chat"}, "llm_call"),
        ({"gen_ai.operation.name": "generate_content"}, "llm_call"),
        ({"gen_ai.operation.name": "text_completion"}, "llm_call"),
        ({"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, "turn"),
        ({"gen_ai.operation.name": "execute_task"}, ""),
        ({"openinference.span.kind": "LLM"}, "llm_call"),
        ({"openinference.span.kind": "TOOL"}, "tool_call"),
        ({"openinference.span.kind": "AGENT"}, "turn"),
        ({"openinference.span.kind": "CHAIN"}, ""),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "m"}, "llm_call"),
        ({"traceloop.span.kind": "tool"}, "tool_call"),
        ({"http.request.method": "GET"}, ""),
        ({"gen_ai.operation.name": 7}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_span_is_the_action_that_its_attributes_name(
    attributes: dict[str, Any] | None, action: str
) -> None:
    assert action_of(attributes) == action


def test_names_of_older_generations_are_read() -> None:
    told = {
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude",
        "gen_ai.usage.prompt_tokens": 7,
        "gen_ai.usage.completion_tokens": 2,
        "gen_ai.usage.details.reasoning_tokens": 1,
        "operation.cost": 0.5,
    }
    found = read_span(a_span(told), "llm_call")
    assert (found.connector, found.model) == ("anthropic", "claude")
    assert (found.prompt_tokens, found.completion_tokens, found.reasoning_tokens) == (7, 2, 1)
    assert found.usd_cost == 0.5
    assert "gen_ai.usage.prompt_tokens" in names_to_read("prompt_tokens", "llm_call")


def test_the_sums_of_an_agents_span_are_not_read() -> None:
    told = {"gen_ai.usage.input_tokens": 31, "gen_ai.usage.output_tokens": 12}
    assert read_span(a_span(told), "turn").total_tokens == 0


@pytest.mark.parametrize(
    "value", [None, True, -1, 10**400, float("nan"), float("inf"), "many", b"7", [1], {"a": 1}]
)
def test_no_value_of_an_attribute_is_a_harm(value: object) -> None:
    names = {name for row in TABLE for name in (row.release, row.latest, row.openinference)}
    attributes = {name: value for name in names if name}
    for action in ("llm_call", "tool_call", "turn", "embeddings"):
        found = read_span(a_span(attributes, events=None, start_time=None, end_time="x"), action)
        assert 0 <= found.prompt_tokens <= 1
        assert found.usd_cost is None
        assert isinstance(found.model, str)
        json.loads(found.redacting_dump_json())
