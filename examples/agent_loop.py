"""An agent that is seen whole: its log, its archive, its metrics and its spans, with one run_id.

Run it: ``python examples/agent_loop.py`` (needs ``pip install 'logbraid[agent]'``). A scripted
model stands in for a real one, so nothing leaves this machine: it asks for tools, one of which
fails; a person confirms what is dangerous and once does not answer in time; a third run goes
round in circles until its limit. Two tenants' agents run at the same time.

Standard output has the log. At the end standard error says where each run can be found again.
Everything goes to ``LOG_DIR``, else to a temporary directory.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, generate_latest

import logbraid
from logbraid.agent import (
    ActionTracer,
    AgentMetrics,
    EventArchive,
    JSONLExporter,
    TracingContextSpanProcessor,
    agent_run,
)

LOG_DIR = Path(os.environ.get("LOG_DIR") or tempfile.mkdtemp(prefix="agent-loop-"))
MAX_ITERATIONS: Final = 4
PRICES: Final = {"scripted-1": {"prompt": 2.5, "completion": 10.0, "cached": 1.25}}

log = logbraid.get_logger("agent_loop")


# A model and tools, as an application would have them


@dataclass
class Reply:
    """What the model says: text at the end, or a tool it wants to be called."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


class ScriptedModel:
    """Answers from a list; counts tokens like a real one."""

    name = "scripted-1"

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)

    async def complete(self, messages: list[str]) -> tuple[Reply, dict[str, int]]:
        """Return the next reply and what it cost; the last one again and again."""
        await asyncio.sleep(0.002)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        prompt = 400 + sum(map(len, messages)) // 4
        return reply, {"prompt": prompt, "cached": 380, "completion": 12 + len(reply.text) // 4}


async def get_orders(customer: str, api_key: str) -> dict[str, Any]:
    """Return a customer's orders; the key is a secret that must not come out."""
    await asyncio.sleep(0.001)
    return {"customer": customer, "orders": [{"id": 1881, "open": True}], "key_was": api_key[:0]}


async def refund(order: int) -> dict[str, Any]:
    """Pay back an order. Dangerous: a person confirms it."""
    if order == 1882:
        raise ConnectionError("postgres://billing:hunter2secret@db/refunds refused")
    return {"order": order, "refunded": True}


TOOLS: Final = {"get_orders": get_orders, "refund": refund}
DANGEROUS: Final = {"refund"}


# The loop, and what is told of it


@dataclass
class Agent:
    """One agent: a model, and who hears what it does."""

    model: ScriptedModel
    tracer: ActionTracer
    archive: EventArchive
    answers_in_time: bool = True

    def tell(self, kind: str, **data: Any) -> None:
        """Hand an event to whoever listens; frameworks call this ``on_event``."""
        self.archive.on_event({"type": kind, "data": data})

    async def turn(self, prompt: str) -> str:
        """Answer *prompt*, calling tools until the model has an answer."""
        messages = [prompt]
        self.tell("turn_begin", user_message=prompt)
        async with self.tracer.trace("turn") as entry:
            entry.input_summary = prompt
            for _ in range(MAX_ITERATIONS):
                reply = await self.ask(messages)
                if not reply.tool:
                    entry.output_summary = reply.text
                    self.tell("turn_end", final_text=reply.text, status="ok")
                    return reply.text
                messages.append(await self.call(reply))
            with self.tracer.trace("max_iterations"):
                log.warning("gave_up", iterations=MAX_ITERATIONS)
            self.tell("turn_end", status="error", incomplete_reason="max_iterations")
            return "I could not find out."

    async def ask(self, messages: list[str]) -> Reply:
        """Ask the model."""
        async with self.tracer.trace("llm_call", connector="scripted") as entry:
            entry.model = self.model.name
            reply, usage = await self.model.complete(messages)
            entry.prompt_tokens, entry.completion_tokens = usage["prompt"], usage["completion"]
            entry.cached_tokens = usage["cached"]
            entry.observe(input=messages, output=reply.text or reply.tool)
        return reply

    async def call(self, reply: Reply) -> str:
        """Call the tool that the model wants, if it may; return what the model is told."""
        self.tell("tool_start", tool=reply.tool, args=reply.arguments)
        if reply.tool in DANGEROUS and not await self.confirm(reply):
            return "the user did not answer"
        try:
            async with self.tracer.trace("tool_call", operation=reply.tool) as entry:
                result = await TOOLS[reply.tool](**reply.arguments)  # type: ignore[operator]  # tools differ
                entry.observe(input=reply.arguments, output=result)
        except ConnectionError as error:
            self.tell("tool_complete", tool=reply.tool, status="error", error=str(error))
            return "the tool failed"
        self.tell("tool_complete", tool=reply.tool, status="ok", duration_ms=entry.duration_ms)
        return str(result)

    async def confirm(self, reply: Reply) -> bool:
        """Ask a person; no answer within half a second is none."""
        answer = asyncio.sleep(0.001 if self.answers_in_time else 60.0, True)
        try:
            async with self.tracer.trace("confirm", operation=reply.tool) as entry:
                entry.metadata["outcome"] = "timeout"
                allowed = await asyncio.wait_for(answer, 0.5)
                entry.metadata["outcome"] = "allow" if allowed else "reject"
        except TimeoutError:
            return False
        return allowed


WANTS_ORDERS: Final = Reply(
    tool="get_orders", arguments={"customer": "c-7", "api_key": "sk-live-93hd82hsj2kq01mz"}
)
REFUND: Final = Reply(tool="refund", arguments={"order": 1881})
BROKEN_REFUND: Final = Reply(tool="refund", arguments={"order": 1882})


class Case(NamedTuple):
    """One run: whose it is, what is asked, what the model says, whether a person answers."""

    tenant_id: str
    prompt: str
    replies: tuple[Reply, ...]
    answers_in_time: bool = True


CASES: Final = (
    Case("acme", "refund my order", (WANTS_ORDERS, REFUND, Reply("Done."))),
    Case("acme", "and the other one", (BROKEN_REFUND, Reply("It failed, I am sorry."))),
    Case("globex", "refund it", (REFUND, Reply("You did not answer.")), answers_in_time=False),
    Case("globex", "where is it?", (WANTS_ORDERS,)),
)


class Collector(ThreadingHTTPServer):
    """Stands in for an OpenTelemetry collector: takes spans by OTLP over HTTP, on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Intake)
        self.spans_of: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        """Count the spans of one request by their run."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    told = {one.key: one.value.string_value for one in span.attributes}
                    self.spans_of[told.get("agent.run.id", "none")] += 1


class _Intake(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.take(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: what it would say is not about the agents."""


async def run(number: int, tracer: ActionTracer, archive: EventArchive) -> str:
    """Run one agent for its tenant; return its run_id."""
    case = CASES[number]
    agent = Agent(ScriptedModel(*case.replies), tracer, archive, case.answers_in_time)
    with logbraid.bound_context(tenant_id=case.tenant_id, user_id="u-7", session_id=f"s-{number}"):
        async with agent_run("support") as this:
            await agent.turn(case.prompt)
        return this.run_id


async def main() -> None:
    """Run all agents at once, then ask log, archive, metrics and spans for the same runs."""
    collector = Collector()
    endpoint = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    provider = TracerProvider()
    provider.add_span_processor(TracingContextSpanProcessor())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    trace.set_tracer_provider(provider)

    logbraid.configure_logging(output="stdout,files", log_dir=LOG_DIR / "logs", service="support")
    registry = CollectorRegistry()
    tracer = ActionTracer(prices=PRICES)
    AgentMetrics(registry=registry).attach(tracer)
    JSONLExporter(LOG_DIR / "traces").attach(tracer)
    with EventArchive(LOG_DIR / "events") as archive:
        ids = await asyncio.gather(*(run(number, tracer, archive) for number in range(len(CASES))))

        provider.shutdown()
        say = sys.stderr.write
        for number, run_id in enumerate(ids):
            tenant = CASES[number].tenant_id
            found = collector.spans_of[run_id]
            say(f"\nrun {run_id} of {tenant}: {found} spans; its session again:\n")
            say(archive.timeline(f"s-{number}", tenant_id=tenant))
    say("\n/metrics:\n")
    for line in generate_latest(registry).decode().splitlines():
        if line.startswith("agent_") and "_bucket" not in line and "_created" not in line:
            say(f"  {line}\n")
    say(f"\nlogs, traces and events lie in {LOG_DIR}\n")


if __name__ == "__main__":
    asyncio.run(main())
