"""Spans of OpenTelemetry around actions and runs. Imported where a program imported its API.

Nothing is detached: a token used in another task logs "Failed to detach context". What was in
force before is attached again, and only where our span is still the innermost one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
)

from logbraid import pipeline
from logbraid.agent.attributes import Attribute, id_attributes, otel_attributes
from logbraid.agent.clean import Cleaner
from logbraid.agent.entry import MAX_SUMMARY_CHARS, TraceEntry
from logbraid.agent.names import (
    ACTION,
    BY_ACTION,
    OPERATION,
    SCOPE,
    TOOL_CALL,
    TURN,
    operation_of,
    span_name,
)
from logbraid.health import health
from logbraid.outcome import ERROR, TIMEOUT

_FAILED: Final = frozenset({ERROR, TIMEOUT})
# Cleaning ids that are new with each span would only fill the cache of known ones
_SAID_BY_THE_SPAN: Final = frozenset(
    {"timestamp", "duration_ms", "trace_id", "span_id", "parent_span_id", "success"}
)
_OPEN: Final = contexts.create_key("logbraid-span")
_MAX_DEPTH: Final = 64
_HEX: Final = frozenset("0123456789abcdef")


class OpenSpan:
    """A span that is the current one until it is closed."""

    __slots__ = (
        "_around",
        "_inside",
        "_is_left",
        "_span",
        "parent_span_id",
        "span_id",
        "trace_id",
    )

    def __init__(self, span: Span, around: Context, parent_span_id: str) -> None:
        self._span = span
        self._around = around
        self._inside = contexts.set_value(_OPEN, self, trace.set_span_in_context(span, around))
        self._is_left = False
        contexts.attach(self._inside)
        ids = span.get_span_context()
        self.trace_id = format(ids.trace_id, "032x")
        self.span_id = format(ids.span_id, "016x")
        self.parent_span_id = parent_span_id

    def close(self, entry: TraceEntry, *, ended: datetime | None = None) -> None:
        """End the span, now or when it *ended*, with what *entry* says. Never raises."""
        try:
            if self._span.is_recording():
                told = {
                    name: value
                    for name, value in entry.known().items()
                    if value and name not in _SAID_BY_THE_SPAN
                }
                clean = Cleaner.of(MAX_SUMMARY_CHARS).fields(told)
                operation, model = str(clean.get("operation", "")), str(clean.get("model", ""))
                self._span.update_name(span_name(_safe(entry.action), operation, model))
                self._describe(otel_attributes(clean), entry.status, str(clean.get("error", "")))
        except Exception as error:  # noqa: BLE001 - a span is never worth an agent
            health.complain("opentelemetry span", error)
        self.end(ended)

    def close_run(self, attributes: Mapping[str, Attribute], status: str, description: str) -> None:
        """End the span with *attributes*, which are clean already. Never raises."""
        try:
            if self._span.is_recording():
                self._describe(attributes, status, description)
        except Exception as error:  # noqa: BLE001 - as above
            health.complain("opentelemetry span", error)
        self.end()

    def _describe(self, attributes: Mapping[str, Attribute], status: str, description: str) -> None:
        self._span.set_attributes(attributes)
        if status in _FAILED:
            self._span.set_status(Status(StatusCode.ERROR, description or None))

    def end(self, ended: datetime | None = None) -> None:
        """Put what was current before in force again, and end the span. Never raises."""
        try:
            self._leave()
            self._span.end(_nanoseconds(ended))  # someone's processors run here
        except Exception as error:  # noqa: BLE001 - as above
            health.complain("opentelemetry span", error)

    def _leave(self) -> None:
        self._is_left = True
        now = contexts.get_current()
        if now is self._inside:
            contexts.attach(_standing(self._around))
        elif trace.get_current_span(now) is self._span:  # something else was attached inside
            before = trace.get_current_span(_standing(self._around))
            contexts.attach(trace.set_span_in_context(before, now))


def _standing(context: Context) -> Context:
    """Return *context*, or what was around it if the span in it was left before its inner one."""
    for _ in range(_MAX_DEPTH):
        opened = contexts.get_value(_OPEN, context)
        if not isinstance(opened, OpenSpan):
            break
        if not opened._is_left or trace.get_current_span(context) is not opened._span:  # noqa: SLF001 - another one of us
            break
        context = opened._around  # noqa: SLF001 - as above
    return context


def open_action(entry: TraceEntry, *, started: datetime | None = None) -> OpenSpan | None:
    """Open a span for *entry*, which takes its ids; ``None`` where no provider is set."""
    tracer = _tracers.current()
    if tracer is None:
        return None
    action = _safe(entry.action)
    operation = _safe(entry.operation)
    attributes: dict[str, Attribute] = {ACTION: action}
    word = operation_of(action, operation)
    if word:
        attributes[OPERATION] = word
    if operation and action in _SUBJECTS:
        attributes[_SUBJECTS[action]] = operation
    row = BY_ACTION.get(action)
    kind = SpanKind.CLIENT if row is not None and row.is_remote else SpanKind.INTERNAL
    opened = _open(tracer, span_name(action, operation, ""), kind, attributes, started)
    if opened is not None:
        entry.trace_id = opened.trace_id
        entry.span_id = opened.span_id
        entry.parent_span_id = opened.parent_span_id
    return opened


def span_of(entry: TraceEntry) -> None:
    """Make a span of *entry*, which ended before anyone opened one: recorded by hand."""
    opened = open_action(entry, started=entry.timestamp)
    if opened is not None:
        opened.close(entry, ended=entry.ended)


def open_run(name: str | None) -> OpenSpan | None:
    """Open a span ``invoke_agent {name}`` for a run; ``None`` where no provider is set."""
    tracer = _tracers.current()
    if tracer is None:
        return None
    agent = _safe(name or "")
    attributes: dict[str, Attribute] = {ACTION: "agent_run", OPERATION: operation_of(TURN, "")}
    attributes.update(id_attributes())
    if agent:
        attributes[_SUBJECTS[TURN]] = agent
    return _open(tracer, span_name(TURN, agent, ""), SpanKind.INTERNAL, attributes)


def _open(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: dict[str, Attribute],
    started: datetime | None = None,
) -> OpenSpan | None:
    around = contexts.get_current()
    parent = trace.get_current_span(around).get_span_context()
    told = format(parent.span_id, "016x") if parent.is_valid else ""
    under = around
    if not parent.is_valid:
        outer, told = _outer()
        under = around if outer is None else trace.set_span_in_context(outer, around)
    span = tracer.start_span(name, under, kind, attributes, start_time=_nanoseconds(started))
    if span is INVALID_SPAN or not span.get_span_context().is_valid:
        return None
    return OpenSpan(span, around, told)


def _outer() -> tuple[NonRecordingSpan | None, str]:
    """Return what our own context says of the trace around (a request's, a parent process's).

    A trace without a span in it gets one that nobody opened: so the trace stays one.
    """
    ids, others = pipeline.ready().context_parts({})
    trace_id = ids.get("trace_id", "")
    if not _is_hex(trace_id, 32):
        return None, ""
    span_id = ids.get("span_id") or others.get("parent_span_id")
    told = span_id if isinstance(span_id, str) and _is_hex(span_id, 16) else ""
    number = int(told, 16) if told else secrets.randbits(64) or 1
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return NonRecordingSpan(SpanContext(int(trace_id, 16), number, True, flags)), told


def _nanoseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1e9)


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text) and text.strip("0") != ""


def _safe(text: str) -> str:
    """Return a short text as it may be written before the action has ended."""
    return pipeline.ready().name(text, {}) if text else ""


class _Tracers:
    """The tracer of the provider that is set. A provider set later, or another one, is found."""

    def __init__(self) -> None:
        self._known: tuple[object, Tracer] | None = None

    def current(self) -> Tracer | None:
        provider = trace.get_tracer_provider()
        known = self._known
        if known is not None and known[0] is provider:
            return known[1]
        if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return None
        tracer = provider.get_tracer(SCOPE)
        self._known = (provider, tracer)
        return tracer


_SUBJECTS: Final = {TOOL_CALL: "gen_ai.tool.name", TURN: "gen_ai.agent.name"}
_tracers: Final = _Tracers()
