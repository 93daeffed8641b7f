"""Spans around actions and runs: names, parents, ids, over tasks, threads and generators."""

from __future__ import annotations

import asyncio
import gc
import http.server
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import logbraid
from logbraid.agent import ActionTracer, TraceEntry, agent_run, current_entry
from logbraid.propagation import in_context

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from logbraid.agent import ScrubbedSpanExporter, TracingContextSpanProcessor

CANARY = "sk-proj-CanaryCanaryCanary0123456789abcdefXYZ"
OTEL_LOGGER = "opentelemetry"


class Spans(InMemorySpanExporter):
    """What a provider exported."""

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all if span.name == name]
        return found


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    yield made
    made.shutdown()


@pytest.fixture
def spans(provider: TracerProvider) -> Spans:
    made = Spans()
    provider.add_span_processor(SimpleSpanProcessor(made))
    return made


@pytest.fixture
def tracer() -> ActionTracer:
    logbraid.configure_logging(output="stderr")
    return ActionTracer(log=False)


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return format(span.context.span_id, "016x")


def parent_of(span: ReadableSpan) -> str:
    return "" if span.parent is None else format(span.parent.span_id, "016x")


def told_by(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_actions_are_spans_with_the_names_kinds_and_attributes_of_the_conventions(
    spans: Spans, tracer: ActionTracer
) -> None:
    with tracer.trace("turn"):
        with tracer.trace("llm_call", connector="openai", conversation_id="c-1") as call:
            call.model, call.prompt_tokens, call.completion_tokens = "gpt-4o", 11, 5
        with tracer.trace("tool_call", operation="get_orders") as tool:
            tool.observe(input={"x": 2}, output="4")
        with tracer.trace("confirm", operation="delete"):
            pass
    chat = spans.named("chat gpt-4o")
    assert chat.kind is SpanKind.CLIENT
    assert told_by(chat) == {
        "logbraid.action": "llm_call",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
    }
    execute = spans.named("execute_tool get_orders")
    assert execute.kind is SpanKind.INTERNAL
    assert told_by(execute)["gen_ai.tool.call.arguments"] == '{"x":2}'
    turn = spans.named("invoke_agent")
    assert turn.kind is SpanKind.INTERNAL
    assert {parent_of(one) for one in (chat, execute, spans.named("confirm"))} == {id_of(turn)}
    assert parent_of(turn) == ""
    assert {one.status.status_code for one in spans.all} == {StatusCode.UNSET}


def test_an_entry_has_the_ids_of_its_span(spans: Spans, tracer: ActionTracer) -> None:
    with trace.get_tracer("app").start_as_current_span("request") as outer:
        with tracer.trace("turn") as entry:
            pass
        now = trace.get_current_span()
    assert now is outer
    span = spans.named("invoke_agent")
    assert entry.span_id == id_of(span)
    assert entry.parent_span_id == format(outer.get_span_context().span_id, "016x")
    assert entry.trace_id == format(outer.get_span_context().trace_id, "032x")


def test_a_span_of_someone_else_inside_has_ours_as_its_parent_and_lines_carry_it(
    spans: Spans, capfd: pytest.CaptureFixture[str]
) -> None:
    logbraid.configure_logging(format="json")
    with ActionTracer().trace("tool_call", operation="t") as entry:
        with trace.get_tracer("http").start_as_current_span("GET"):
            logbraid.get_logger("a").info("inside")
        logbraid.get_logger("a").info("beside")
    inner = spans.named("GET")
    assert parent_of(inner) == entry.span_id
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["span_id"] for line in lines] == [id_of(inner), entry.span_id, entry.span_id]
    assert {line["trace_id"] for line in lines} == {entry.trace_id}


def test_a_failure_is_an_error_with_its_type_and_nothing_raw(
    spans: Spans, tracer: ActionTracer
) -> None:
    with pytest.raises(ValueError, match="refused"), tracer.trace("tool_call", operation="t"):
        raise ValueError(f"refused {CANARY}")
    span = spans.named("execute_tool t")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "refused [REDACTED:openai_key]"
    assert told_by(span)["error.type"] == "ValueError"
    assert span.events == ()


def test_a_timeout_is_an_error_and_a_cancellation_is_none(
    spans: Spans, tracer: ActionTracer
) -> None:
    with pytest.raises(TimeoutError), tracer.trace("tool_call", operation="late"):
        raise TimeoutError
    with pytest.raises(asyncio.CancelledError), tracer.trace("tool_call", operation="gone"):
        raise asyncio.CancelledError
    assert spans.named("execute_tool late").status.status_code is StatusCode.ERROR
    gone = spans.named("execute_tool gone")
    assert gone.status.status_code is StatusCode.UNSET
    assert told_by(gone)["logbraid.status"] == "cancelled"


def test_a_run_is_a_span_that_its_actions_stand_in(
    spans: Spans, capfd: pytest.CaptureFixture[str]
) -> None:
    logbraid.configure_logging(format="json")
    tracer = ActionTracer(log=False)
    with logbraid.bound_context(tenant_id="acme"), agent_run("triage") as run, tracer.trace("turn"):
        pass
    span = spans.named("invoke_agent triage")
    assert parent_of(spans.named("invoke_agent")) == id_of(span)
    told = told_by(span)
    assert told["gen_ai.agent.name"] == "triage"
    assert told["agent.run.id"] == run.run_id
    assert told["tenant.id"] == "acme"
    assert told["agent.run.turns"] == 1
    (line,) = [json.loads(one) for one in capfd.readouterr().out.splitlines()]
    assert line["span_id"] == id_of(span)


def test_a_run_that_raised_is_an_error_without_its_secret(
    spans: Spans, capfd: pytest.CaptureFixture[str]
) -> None:
    logbraid.configure_logging(format="json")
    with pytest.raises(ValueError, match="refused"), agent_run("triage"):
        raise ValueError(f"refused {CANARY}")
    span = spans.named("invoke_agent triage")
    assert span.status.status_code is StatusCode.ERROR
    assert told_by(span)["error.type"] == "ValueError"
    assert CANARY not in span.to_json() + capfd.readouterr().out


def test_a_trace_that_the_context_names_goes_on(spans: Spans, tracer: ActionTracer) -> None:
    trace_id, outer = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    with (
        logbraid.bound_context(trace_id=trace_id, parent_span_id=outer),
        tracer.trace("turn") as entry,
    ):
        pass
    assert (entry.trace_id, entry.parent_span_id) == (trace_id, outer)
    assert parent_of(spans.named("invoke_agent")) == outer


def test_a_trace_of_the_parent_process_goes_on(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_id = "5b8efff798038103d269b633813fc60c"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace_id}-eee19b7ec3c1b174-01")
    logbraid.configure_logging(output="stderr")
    with ActionTracer(log=False).trace("turn") as entry:
        pass
    assert entry.trace_id == trace_id
    assert parent_of(spans.named("invoke_agent")) == "eee19b7ec3c1b174"


def test_parents_are_right_in_a_hundred_tasks_at_once(
    spans: Spans, tracer: ActionTracer, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(number: int) -> tuple[str, str]:
        async with tracer.trace("turn", operation=f"a{number}") as turn:
            await asyncio.sleep(0)

            async def call() -> TraceEntry:
                async with tracer.trace("llm_call") as entry:
                    await asyncio.sleep(0)
                    return entry

            entries = await asyncio.gather(call(), call())
            assert {one.parent_span_id for one in entries} == {turn.span_id}
            assert {one.trace_id for one in entries} == {turn.trace_id}
        return turn.span_id, turn.trace_id

    async def main() -> list[tuple[str, str]]:
        return await asyncio.gather(*(work(number) for number in range(100)))

    turns = asyncio.run(main())
    assert len({trace_id for _, trace_id in turns}) == 100
    by_id = {id_of(span): span for span in spans.all}
    assert len(by_id) == 300
    for span in spans.all:
        if parent_of(span):
            parent = by_id[parent_of(span)].context
            assert parent is not None
            assert span.context is not None
            assert parent.trace_id == span.context.trace_id
    assert not [one for one in caplog.records if one.name.startswith(OTEL_LOGGER)]


def test_a_thread_with_the_context_goes_on_in_the_span(spans: Spans, tracer: ActionTracer) -> None:
    def work() -> None:
        with tracer.trace("tool_call", operation="t"):
            pass

    with tracer.trace("turn") as turn:
        thread = threading.Thread(target=in_context(work))
        thread.start()
        thread.join()
    assert parent_of(spans.named("execute_tool t")) == turn.span_id


def test_a_block_left_in_another_task_says_nothing_and_leaves_that_one_alone(
    spans: Spans, tracer: ActionTracer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, OTEL_LOGGER)

    async def stream() -> AsyncIterator[int]:
        with tracer.trace("llm_call"):
            yield 1
            yield 2

    async def main() -> None:
        steps = stream()

        async def first() -> None:
            await anext(steps)

        async def last() -> str:
            with tracer.trace("turn", operation="other") as other:
                await steps.aclose()  # type: ignore[attr-defined]  # it is a generator
                inside = trace.get_current_span().get_span_context().span_id
                assert format(inside, "016x") == other.span_id
            return other.parent_span_id

        await asyncio.create_task(first())
        assert await asyncio.create_task(last()) == ""

    asyncio.run(main())
    assert {span.name for span in spans.all} == {"chat", "invoke_agent other"}
    assert not [one for one in caplog.records if one.name.startswith(OTEL_LOGGER)]


def test_generators_keep_their_span_to_themselves(
    spans: Spans, tracer: ActionTracer, caplog: pytest.LogCaptureFixture
) -> None:
    @tracer.trace("llm_call")
    def stream() -> Iterator[str]:
        entry = current_entry()
        assert entry is not None
        yield format(trace.get_current_span().get_span_context().span_id, "016x")
        yield entry.span_id

    with tracer.trace("turn") as turn:
        steps = stream()
        inside = next(steps)
        between = trace.get_current_span().get_span_context().span_id
        assert format(between, "016x") == turn.span_id
        assert next(steps) == inside
        del steps
        gc.collect()
    assert parent_of(spans.named("chat")) == turn.span_id
    assert not [one for one in caplog.records if one.name.startswith(OTEL_LOGGER)]


def test_after_blocks_left_out_of_order_nothing_stays_behind(
    spans: Spans, tracer: ActionTracer
) -> None:
    outer, inner = tracer.trace("turn"), tracer.trace("tool_call", operation="t")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    assert len(spans.all) == 2
    assert not trace.get_current_span().get_span_context().is_valid


def test_no_provider_no_span_and_a_provider_set_later_is_found(
    monkeypatch: pytest.MonkeyPatch, tracer: ActionTracer
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    with tracer.trace("turn") as before:
        assert not trace.get_current_span().get_span_context().is_valid
    assert len(before.span_id) == 16
    spans = Spans()
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    with tracer.trace("turn") as after:
        pass
    assert id_of(spans.named("invoke_agent")) == after.span_id


def test_a_provider_that_does_nothing_leaves_the_ids_to_us(
    monkeypatch: pytest.MonkeyPatch, tracer: ActionTracer
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())
    with tracer.trace("turn") as entry:
        pass
    assert int(entry.trace_id, 16)
    assert int(entry.span_id, 16)


def test_what_is_sampled_out_has_ids_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tracer: ActionTracer
) -> None:
    spans = Spans()
    made = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    with tracer.trace("turn") as turn, tracer.trace("llm_call") as call:
        pass
    assert call.parent_span_id == turn.span_id
    assert spans.all == ()


def test_a_processor_that_raises_never_reaches_the_agent(
    provider: TracerProvider, tracer: ActionTracer, capfd: pytest.CaptureFixture[str]
) -> None:
    class Bad(SimpleSpanProcessor):
        def on_start(self, *_: Any, **__: Any) -> None:
            raise RuntimeError(CANARY)

        def on_end(self, *_: Any) -> None:
            raise RuntimeError(CANARY)

    provider.add_span_processor(Bad(Spans()))
    with tracer.trace("turn") as entry, agent_run("x"):
        pass
    assert entry.status == "ok"
    told = capfd.readouterr().err
    assert "opentelemetry span: RuntimeError" in told
    assert CANARY not in told


def test_the_ids_stand_on_every_span_of_the_process(provider: TracerProvider) -> None:
    spans = Spans()
    provider.add_span_processor(TracingContextSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    logbraid.configure_logging(output="stderr")
    ids = {"tenant_id": "acme", "user_id": "u", "session_id": "s", "run_id": "r", "request_id": "q"}
    with logbraid.bound_context(**ids), trace.get_tracer("db").start_as_current_span("SELECT"):
        pass
    with trace.get_tracer("db").start_as_current_span("outside"):
        pass
    assert told_by(spans.named("SELECT")) == {
        "tenant.id": "acme",
        "user.id": "u",
        "session.id": "s",
        "agent.run.id": "r",
        "request.id": "q",
    }
    assert told_by(spans.named("outside")) == {}


def test_an_id_that_is_a_credential_is_its_digest_on_spans_as_in_lines(
    provider: TracerProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    spans = Spans()
    provider.add_span_processor(TracingContextSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    logbraid.configure_logging(format="json")
    with (
        logbraid.bound_context(session_id=CANARY),
        trace.get_tracer("db").start_as_current_span("SELECT"),
    ):
        logbraid.get_logger("a").info("x")
    line = json.loads(capfd.readouterr().out)
    assert told_by(spans.named("SELECT"))["session.id"] == line["session_id"] != CANARY


def test_spans_of_others_leave_scrubbed(provider: TracerProvider) -> None:
    spans = Spans()
    provider.add_span_processor(SimpleSpanProcessor(ScrubbedSpanExporter(spans)))
    logbraid.configure_logging(output="stderr")
    attributes: dict[str, Any] = {
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.input.messages": json.dumps([{"content": f"my key is {CANARY}"}]),
        "api_key": "hunter2-canary",
        "tags": (f"a {CANARY}", "b"),
        **{f"llm.input_messages.{n}.message.content": f"{n}" for n in range(110)},
    }
    with pytest.raises(ValueError, match="refused"):  # noqa: SIM117 - the error passes the span
        with trace.get_tracer("f").start_as_current_span(f"run {CANARY}", attributes=attributes):
            raise ValueError(f"refused {CANARY}")
    (span,) = spans.all
    assert CANARY not in span.to_json()
    assert "hunter2-canary" not in span.to_json()
    told = told_by(span)
    assert told["gen_ai.usage.input_tokens"] == 11
    assert told["gen_ai.request.max_tokens"] == 100
    assert told["llm.input_messages.107.message.content"] == "107"
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].name == "exception"


def test_no_name_link_or_resource_of_a_span_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = Spans()
    told = {"process.command_args": ["serve", "--token", CANARY], "service.name": "shop"}
    made = TracerProvider(resource=Resource(told), shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(ScrubbedSpanExporter(spans)))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    logbraid.configure_logging(output="stderr")
    linked = trace.SpanContext(1, 2, is_remote=True)
    with trace.get_tracer("f").start_as_current_span(
        "run", links=[trace.Link(linked, {"why": CANARY})], attributes={CANARY: 1}
    ) as span:
        span.add_event(f"used {CANARY}", {CANARY: "x"})
    made.shutdown()
    (kept,) = spans.all
    assert CANARY not in kept.to_json()
    assert kept.resource.attributes["service.name"] == "shop"
    assert kept.events[0].name.startswith("used [REDACTED")


def test_without_opentelemetry_everything_but_its_own_names_works() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
sys.modules["prometheus_client"] = None
import logbraid, logbraid.agent
from logbraid.agent import ActionTracer, agent_run
logbraid.configure_logging(output="stderr")
with agent_run("x"), ActionTracer().trace("turn") as entry:
    pass
print(entry.as_otel()["gen_ai.operation.name"])
try:
    logbraid.agent.GenAISpanProcessor
except ImportError as error:
    print(error)
assert not [name for name in sys.modules if name.startswith("opentelemetry.")]
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[0] == "invoke_agent"
    assert "pip install 'logbraid[otel]'" in done.stdout


def test_spans_and_lines_arrive_at_one_receiver_joined_by_their_ids(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporters = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    got: dict[str, list[bytes]] = {"/v1/logs": [], "/v1/traces": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got[self.path].append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    try:
        exporter = exporters.OTLPSpanExporter(timeout=5)
        provider.add_span_processor(TracingContextSpanProcessor())
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        handle = logbraid.configure_logging(output="otlp")
        tracer = ActionTracer()
        with logbraid.bound_context(tenant_id="acme"), agent_run("triage"), tracer.trace("turn"):
            with tracer.trace("llm_call") as call:
                call.model = "m"
                call.observe(input=f"key {CANARY}", output={"password": CANARY})
            with pytest.raises(ValueError, match="boom"), tracer.trace("tool_call", operation="t"):
                raise ValueError(f"boom {CANARY}")
        assert handle.flush()
        provider.shutdown()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert not [body for bodies in got.values() for body in bodies if CANARY.encode() in body]
    spans = {
        span.name: span
        for body in got["/v1/traces"]
        for resource in trace_service_pb2.ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    records = {
        record.body.string_value: record
        for body in got["/v1/logs"]
        for resource in logs_service_pb2.ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    }
    parents = {
        "chat m": "invoke_agent",
        "execute_tool t": "invoke_agent",
        "invoke_agent": "invoke_agent triage",
    }
    for name, parent in parents.items():
        assert spans[name].parent_span_id == spans[parent].span_id
    assert spans["invoke_agent triage"].parent_span_id == b""
    events = {
        "llm_call": "chat m",
        "tool_call": "execute_tool t",
        "turn": "invoke_agent",
        "agent_run": "invoke_agent triage",
    }
    for event, name in events.items():
        assert records[event].span_id == spans[name].span_id
        assert records[event].trace_id == spans[name].trace_id
        told = {item.key: item.value.string_value for item in spans[name].attributes}
        assert told["tenant.id"] == "acme"
