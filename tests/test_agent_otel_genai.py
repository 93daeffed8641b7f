"""Spans of other instrumentations become entries: each once, with its ids, in its run."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import logbraid
from logbraid.agent import ActionTracer, TraceEntry, agent_run

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode

from logbraid.agent import GenAISpanProcessor, TracingContextSpanProcessor

CANARY = "sk-proj-CanaryCanaryCanary0123456789abcdefXYZ"


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """Return the list of what was logged."""
    return []


@pytest.fixture
def tracer(lines: list[dict[str, Any]]) -> ActionTracer:
    logbraid.configure_logging(
        output="stderr", sinks=[lambda line, _: lines.append(json.loads(line))]
    )
    return ActionTracer()


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch, tracer: ActionTracer) -> Iterator[trace.Tracer]:
    """Return the tracer of some instrumentation in a process where ours listens."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(TracingContextSpanProcessor())
    provider.add_span_processor(GenAISpanProcessor(tracer))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield provider.get_tracer("their.instrumentation")
    provider.shutdown()


def of(tracer: ActionTracer, action: str) -> TraceEntry:
    (found,) = [entry for entry in tracer.entries if entry.action == action]
    return found


CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 3,
}
AGNO_LLM: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "scripted",
    "llm.provider": "Scripted",
    "llm.token_count.prompt": 11,
    "llm.token_count.completion": 5,
    "llm.token_count.prompt_details.cache_read": 3,
    "input.value": '{"messages": []}',
    "output.value": "done",
}
AGNO_TOOL: dict[str, Any] = {
    "openinference.span.kind": "TOOL",
    "tool.name": "ok_tool",
    "tool.parameters": '{"x": 2}',
    "input.value": '{"x": 2}',
    "output.value": "4",
}
AGNO_AGENT: dict[str, Any] = {
    "openinference.span.kind": "AGENT",
    "agent.name": "weather_agent",
    "input.value": "hello",
    "output.value": "done",
    "session.id": "s1",
    "user.id": "u1",
}


def test_a_model_call_by_opentelemetrys_names_is_an_entry(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    with other.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=CHAT) as span:
        pass
    entry = of(tracer, "llm_call")
    assert (entry.model, entry.connector) == ("gpt-4o-mini", "openai")
    assert (entry.prompt_tokens, entry.completion_tokens, entry.total_tokens) == (11, 5, 16)
    assert entry.cached_tokens == 3
    assert (entry.status, entry.usd_cost) == ("ok", None)
    assert entry.span_id == format(span.get_span_context().span_id, "016x")
    assert entry.metadata == {"instrumentation": "their.instrumentation"}
    assert 0 <= entry.duration_ms < 1000


def test_an_agno_run_by_openinferences_names_is_a_turn_with_its_calls(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    start = other.start_as_current_span
    with agent_run("r") as run, start("weather_agent.run", attributes=AGNO_AGENT) as agent:
        agent.set_status(Status(StatusCode.OK))
        with start("Scripted.invoke", attributes=AGNO_LLM):
            pass
        with start("ok_tool", attributes=AGNO_TOOL):
            pass
    call, tool, turn = of(tracer, "llm_call"), of(tracer, "tool_call"), of(tracer, "turn")
    assert (call.prompt_tokens, call.total_tokens, call.model) == (11, 16, "scripted")
    assert (tool.operation, tool.input_summary, tool.output_summary) == ("ok_tool", '{"x": 2}', "4")
    assert (turn.operation, turn.total_tokens) == ("weather_agent", 0)
    assert call.parent_span_id == tool.parent_span_id == turn.span_id
    # said by the agent's span alone, and true for what is in it
    assert {entry.session_id for entry in (call, tool, turn)} == {"s1"}
    assert {entry.user_id for entry in (call, tool, turn)} == {"u1"}
    told = run.tally.told()
    assert (told["turns"], told["llm_calls"], told["tokens"]) == (1, 1, 16)
    assert told["tools"] == {"ok": 1, "error": 0}


def test_langchains_chains_are_no_entries(other: trace.Tracer, tracer: ActionTracer) -> None:
    for kind in ("CHAIN", "PROMPT", "UNKNOWN"):
        with other.start_as_current_span("x", attributes={"openinference.span.kind": kind}):
            pass
    with other.start_as_current_span("GET", attributes={"http.request.method": "GET"}):
        pass
    assert tracer.entries == []


def test_attributes_may_be_set_at_any_time(other: trace.Tracer, tracer: ActionTracer) -> None:
    with other.start_as_current_span("late") as span:
        span.set_attributes(CHAT)
    assert of(tracer, "llm_call").prompt_tokens == 11


# -- how it ended -------------------------------------------------------------------------------


def test_an_error_is_told_by_its_attribute_or_its_exception_or_the_status_alone(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    start = other.start_as_current_span
    with start("chat", attributes={**CHAT, "error.type": "RateLimitError"}) as span:
        span.set_status(Status(StatusCode.ERROR, "Error code: 429 - rate"))
    assert tracer.entries[-1].error_class == "RateLimitError"
    assert tracer.entries[-1].error == "Error code: 429 - rate"

    with pytest.raises(ValueError, match="boom"), start("t", attributes=AGNO_TOOL):
        raise ValueError("boom")
    assert tracer.entries[-1].error_class == "ValueError"
    assert tracer.entries[-1].error == "boom"

    failed = {**AGNO_TOOL, "output.value": "boom secret"}
    with start("ok_tool", attributes=failed) as span:  # Agno's: no type, no event
        span.set_status(Status(StatusCode.ERROR, "boom secret"))
    assert tracer.entries[-1].error == "boom secret"
    assert {entry.status for entry in tracer.entries} == {"error"}
    assert not any(entry.success for entry in tracer.entries)


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ("TimeoutError", "timeout", None),
        ("httpx.ReadTimeout", "timeout", None),
        ("asyncio.CancelledError", "cancelled", None),
        ("503", "error", 503),
        ("_OTHER", "error", None),
    ],
)
def test_how_it_ended_is_read_of_the_errors_name(
    other: trace.Tracer, tracer: ActionTracer, told: str, status: str, code: int | None
) -> None:
    with other.start_as_current_span("chat", attributes={**CHAT, "error.type": told}) as span:
        span.set_status(Status(StatusCode.ERROR))
    assert (of(tracer, "llm_call").status, of(tracer, "llm_call").status_code) == (status, code)


# -- each once ----------------------------------------------------------------------------------


def test_the_spans_of_our_own_tracers_are_not_recorded_again(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    with agent_run("r") as run, tracer.trace("turn"), tracer.trace("llm_call") as call:
        call.prompt_tokens = 7
    assert [entry.action for entry in tracer.entries] == ["llm_call", "turn"]
    assert run.tally.told()["tokens"] == 7


def test_a_model_call_told_by_two_instrumentations_counts_once(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    start = other.start_as_current_span
    with start("chat", attributes=CHAT), start("http"), start("chat again", attributes=CHAT):
        pass
    assert of(tracer, "llm_call").prompt_tokens == 11


def test_an_open_action_of_ours_takes_what_it_does_not_know_itself(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    start = other.start_as_current_span
    with (
        agent_run("r") as run,
        tracer.trace("llm_call", connector="mine") as call,
        start("chat", attributes=CHAT),
    ):
        pass
    assert tracer.entries == [call]
    assert (call.connector, call.model, call.prompt_tokens) == ("mine", "gpt-4o-mini", 11)
    assert run.tally.told()["tokens"] == 16


def test_a_tool_that_runs_an_agent_whose_tools_run_counts_every_one(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    start = other.start_as_current_span
    with (
        agent_run("r") as run,
        start("outer", attributes=AGNO_AGENT),
        tracer.trace("tool_call", operation="ask_expert"),
        start("inner", attributes={**AGNO_AGENT, "agent.name": "expert"}),
        start("ok_tool", attributes=AGNO_TOOL),
    ):
        pass
    told = run.tally.told()
    assert (told["turns"], told["tools"]) == (1, {"ok": 2, "error": 0})
    assert of(tracer, "invoke_agent").operation == "expert"


def test_the_sums_of_an_agent_are_not_added_to_its_calls(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    agent: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": 31,
    }
    with agent_run("r") as run, other.start_as_current_span("invoke_agent a", attributes=agent):
        for _ in range(2):
            with other.start_as_current_span("chat", attributes=CHAT):
                pass
    assert run.tally.told()["prompt_tokens"] == 22
    assert of(tracer, "turn").operation == "a"


# -- whose it is --------------------------------------------------------------------------------


def test_an_entry_has_the_ids_of_the_context_in_which_its_span_began(
    other: trace.Tracer, tracer: ActionTracer, lines: list[dict[str, Any]]
) -> None:
    with logbraid.bound_context(tenant_id="acme", session_id="s"), agent_run("r") as run:
        span = other.start_span("chat", attributes={**CHAT, "session.id": "theirs"})

    def end() -> None:
        with logbraid.bound_context(tenant_id="globex", run_id="foreign"):
            span.end()

    thread = threading.Thread(target=contextvars.Context().run, args=(end,))
    thread.start()
    thread.join()
    entry = of(tracer, "llm_call")
    assert (entry.tenant_id, entry.session_id, entry.run_id) == ("acme", "s", run.run_id)
    assert run.tally.told()["llm_calls"] == 1
    (line,) = [line for line in lines if line["event"] == "llm_call"]
    assert (line["tenant_id"], line["run_id"]) == ("acme", run.run_id)
    assert (line["trace_id"], line["span_id"]) == (entry.trace_id, entry.span_id)


def test_what_the_span_says_fills_what_the_context_does_not(
    other: trace.Tracer, tracer: ActionTracer, lines: list[dict[str, Any]]
) -> None:
    told = {**CHAT, "tenant.id": "from-the-span", "session.id": "s-1", "request.id": "q-1"}
    with logbraid.bound_context(tenant_id="acme"), other.start_as_current_span("chat") as span:
        span.set_attributes(told)
    entry = of(tracer, "llm_call")
    assert (entry.tenant_id, entry.session_id, entry.request_id) == ("acme", "s-1", "q-1")
    (line,) = lines
    assert (line["tenant_id"], line["session_id"]) == ("acme", "s-1")
    assert dict(logbraid.current_context()) == {}


def test_a_thousand_runs_at_once_have_no_foreign_id(
    other: trace.Tracer, tracer: ActionTracer
) -> None:
    async def one(number: int) -> tuple[str, dict[str, Any]]:
        with (
            logbraid.bound_context(tenant_id=f"t{number}"),
            agent_run("r") as run,
            other.start_as_current_span("a", attributes=AGNO_AGENT),
        ):
            await asyncio.sleep(0)
            with other.start_as_current_span("chat", attributes=CHAT):
                await asyncio.sleep(0)
        return run.run_id, run.tally.told()

    async def main() -> list[tuple[str, dict[str, Any]]]:
        return await asyncio.gather(*(one(number) for number in range(1000)))

    logbraid.configure_logging(output="stderr", level="critical")
    entries: list[TraceEntry] = []
    tracer.subscribe(entries.append)
    runs = asyncio.run(main())
    assert all((told["turns"], told["llm_calls"]) == (1, 1) for _, told in runs)
    tenants = {run_id: f"t{number}" for number, (run_id, _) in enumerate(runs)}
    assert len(entries) == 2000
    assert all(entry.tenant_id == tenants[entry.run_id] for entry in entries)


def test_a_span_whose_start_was_not_seen_has_no_foreign_ids(tracer: ActionTracer) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("x").start_span("chat", attributes=CHAT)
    provider.add_span_processor(GenAISpanProcessor(tracer))
    with logbraid.bound_context(tenant_id="globex"):
        span.end()
    assert of(tracer, "llm_call").tenant_id == ""


def test_spans_that_nobody_ends_do_not_pile_up(
    tracer: ActionTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logbraid.agent.otel_genai._MAX_OPEN", 10)
    processor = GenAISpanProcessor(tracer)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    spans = [provider.get_tracer("x").start_span("chat", attributes=CHAT) for _ in range(50)]
    assert len(processor._open) == 10
    for span in spans:
        span.end()
    assert len(tracer.entries) == 50
    assert processor._open == {}


# -- no harm ------------------------------------------------------------------------------------


def test_a_fault_in_the_processor_never_reaches_the_user(
    other: trace.Tracer,
    tracer: ActionTracer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("logbraid.agent.otel_genai.action_of", broken)
    with pytest.raises(ValueError, match="the user's own"):  # noqa: SIM117 - it passes the span
        with other.start_as_current_span("chat", attributes=CHAT):
            raise ValueError("the user's own")
    told = capfd.readouterr().err
    assert "genai span processor: RuntimeError" in told
    assert CANARY not in told


def test_nothing_secret_is_in_the_lines_of_foreign_spans(
    other: trace.Tracer, tracer: ActionTracer, lines: list[dict[str, Any]]
) -> None:
    attributes = {
        **CHAT,
        "gen_ai.input.messages": json.dumps([{"parts": [{"content": f"key {CANARY}"}]}]),
        "gen_ai.output.messages": f"it is {CANARY}",
        "session.id": CANARY,
    }
    with pytest.raises(ValueError, match="refused"):  # noqa: SIM117 - as above
        with other.start_as_current_span("chat", attributes=attributes):
            raise ValueError(f"refused {CANARY}")
    assert lines
    assert CANARY not in json.dumps(lines)
    assert CANARY not in json.dumps(tracer.summary())


# -- a framework, run for real ------------------------------------------------------------------


def an_agent(*, fails: bool) -> Any:
    pydantic_ai = pytest.importorskip("pydantic_ai", reason="pydantic-ai does not install here")
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart  # noqa: PLC0415 - it may not be there
    from pydantic_ai.models.function import FunctionModel  # noqa: PLC0415 - as above
    from pydantic_ai.usage import RequestUsage  # noqa: PLC0415 - as above

    def scripted(messages: list[Any], info: Any) -> Any:
        if len(messages) == 1:
            usage = RequestUsage(input_tokens=11, output_tokens=5, cache_read_tokens=3)
            return ModelResponse(parts=[ToolCallPart("get_orders", {"x": 2})], usage=usage)
        usage = RequestUsage(input_tokens=20, output_tokens=7)
        return ModelResponse(parts=[TextPart("done")], usage=usage)

    agent = pydantic_ai.Agent(FunctionModel(scripted, model_name="scripted"), name="weather")
    agent.instrument = True

    @agent.tool_plain  # type: ignore[untyped-decorator]  # the library is not imported above
    def get_orders(x: int) -> int:
        if fails:
            raise ValueError(f"refused {CANARY}")
        return x * 2

    return agent


def test_a_pydantic_ai_run_feeds_log_tracer_and_run(
    other: trace.Tracer, tracer: ActionTracer, lines: list[dict[str, Any]]
) -> None:
    agent = an_agent(fails=False)
    with logbraid.bound_context(tenant_id="acme"), agent_run("triage") as run:
        assert asyncio.run(agent.run("hello")).output == "done"
    told = run.tally.told()
    assert (told["turns"], told["llm_calls"], told["errors"]) == (1, 2, 0)
    assert told["tools"] == {"ok": 1, "error": 0}
    assert (told["prompt_tokens"], told["completion_tokens"], told["tokens"]) == (31, 12, 43)
    turn, tool = of(tracer, "turn"), of(tracer, "tool_call")
    assert (turn.operation, tool.operation) == ("weather", "get_orders")
    assert (tool.input_summary, tool.output_summary) == ('{"x":2}', "4")
    assert {one.parent_span_id for one in tracer.entries[:-1]} == {turn.span_id}
    events = ["llm_call", "tool_call", "llm_call", "turn", "agent_run"]
    assert [line["event"] for line in lines] == events
    assert {line["run_id"] for line in lines} == {run.run_id}
    assert {line["tenant_id"] for line in lines} == {"acme"}
    assert len({line["trace_id"] for line in lines}) == 1


def test_a_pydantic_ai_run_whose_tool_fails_is_told_as_that(
    other: trace.Tracer, tracer: ActionTracer, lines: list[dict[str, Any]]
) -> None:
    agent = an_agent(fails=True)
    with pytest.raises(ValueError, match="refused"), agent_run("triage") as run:
        asyncio.run(agent.run(f"hello {CANARY}"))
    tool, turn = of(tracer, "tool_call"), of(tracer, "turn")
    assert (tool.status, tool.error_class) == ("error", "ValueError")
    assert turn.status == "error"
    assert run.tally.told()["tools"] == {"ok": 0, "error": 1}
    assert CANARY not in json.dumps(lines)
