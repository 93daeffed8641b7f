"""A span processor that records the GenAI spans of other instrumentations in a tracer.

So pydantic-ai, Agno, LangChain, OpenAI's client and whatever else writes OpenTelemetry's or
OpenInference's names feeds the same log, archive, metrics and runs. Needs the extra ``otel``.
Not here: what such a span says (``span_reader.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import Context as Variables
from contextvars import copy_context
from typing import Final

from logbraid.agent.entry import TraceEntry
from logbraid.agent.here import ids_here
from logbraid.agent.names import EMBEDDINGS, INNER_AGENT, LLM_CALL, SCOPE, TOOL_CALL, TURN
from logbraid.agent.span_reader import action_of, ids_of, read_span, tool_of
from logbraid.agent.spans import current_entry
from logbraid.agent.tracer import ActionTracer
from logbraid.context import bound
from logbraid.health import health
from logbraid.process import renew_after_fork
from logbraid.record import ID_NAMES

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
    from opentelemetry.trace import NonRecordingSpan, SpanContext
except ImportError as error:
    raise ImportError(
        "span processors need OpenTelemetry's SDK: pip install 'logbraid[otel]'"
    ) from error

_MAX_OPEN: Final = 10_000
_MAX_DEPTH: Final = 64
_FILLED: Final = (
    "model",
    "connector",
    "conversation_id",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "usd_cost",
    "input_summary",
    "output_summary",
    "bytes_in",
    "bytes_out",
    "fingerprint",
)

_Key = tuple[int, int]


class _Begun:
    """A span that began: where, and inside of which other one."""

    __slots__ = ("around", "span", "variables")

    def __init__(self, span: Span, around: _Begun | None) -> None:
        self.span = span
        self.around = around
        self.variables = copy_context()

    def outer(self) -> Iterator[_Begun]:
        """Yield the spans around this one, the nearest first."""
        one = self.around
        for _ in range(_MAX_DEPTH):
            if one is None:
                return
            yield one
            one = one.around


class GenAISpanProcessor(SpanProcessor):
    """Record in *tracer* each model call, tool call and agent run that a span tells of.

    ``provider.add_span_processor(GenAISpanProcessor(tracer))``. An entry has the ids of the
    context in which its span began, which what the span itself says fills up, and counts in the
    run it began in, wherever it ends. Nothing is counted twice: not the spans of our own tracers,
    not a model call inside a model call (the outer one counts; an open action of ours takes what
    it does not know itself), not the sums that an agent's span repeats. An agent inside an agent
    is an ``invoke_agent``, no further turn. Spans that were sampled out are not seen. Safe for
    threads; never raises.
    """

    def __init__(self, tracer: ActionTracer) -> None:
        self._tracer = tracer
        self._open: dict[_Key, _Begun] = {}
        self._renew()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    # -- what the SDK calls ----------------------------------------------------------------

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the span knows its parent
        """Remember where *span* begins."""
        try:
            parent = span.parent
            with self._lock:
                around = None if parent is None else self._open.get(_key(parent))
                self._open[_key(span.get_span_context())] = _Begun(span, around)
                if len(self._open) > _MAX_OPEN:  # spans that nobody ends
                    del self._open[next(iter(self._open))]
        except Exception as error:  # noqa: BLE001 - it would reach whoever opened the span
            health.complain("genai span processor", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Record what *span* says, if it is one of an agent's."""
        try:
            ids = span.get_span_context()
            if ids is None:
                return
            with self._lock:
                begun = self._open.pop(_key(ids), None)
            scope = span.instrumentation_scope
            action = action_of(span.attributes)
            if not action or (scope is not None and scope.name == SCOPE):
                return
            # Not here: this may be another thread, another task, another tenant
            variables = Variables() if begun is None else begun.variables
            variables.run(self._take, span, ids, action, begun)
        except Exception as error:  # noqa: BLE001 - it would replace the user's own exception
            health.complain("genai span processor", error)

    def shutdown(self) -> None:
        """Forget the spans that are open."""
        with self._lock:
            self._open.clear()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        """Return at once: entries are recorded when their spans end."""
        return True

    # -- what is done in the context in which the span began -------------------------------

    def _take(
        self, span: ReadableSpan, ids: SpanContext, action: str, begun: _Begun | None
    ) -> None:
        outer = [] if begun is None else list(begun.outer())
        doubled = _doubled(span, action, outer)
        if doubled is not None:
            _fill_open_action(doubled, read_span(span, action))
            return
        if action == TURN and any(action_of(one.span.attributes) == TURN for one in outer):
            action = INNER_AGENT
        _bind_what_is_missing(span, outer)
        contexts.attach(trace.set_span_in_context(NonRecordingSpan(ids)))  # its line has its ids
        entry = read_span(span, TURN if action == INNER_AGENT else action)
        entry.action = action
        for name, value in ids_here().items():
            if name in ID_NAMES:
                setattr(entry, name, value)
        entry.trace_id = format(ids.trace_id, "032x")
        entry.span_id = format(ids.span_id, "016x")
        if span.parent is not None:
            entry.parent_span_id = format(span.parent.span_id, "016x")
        scope = span.instrumentation_scope
        if scope is not None and scope.name:
            entry.metadata["instrumentation"] = scope.name
        self._tracer.record(entry)


def _key(ids: SpanContext) -> _Key:
    return ids.trace_id, ids.span_id


def _doubled(span: ReadableSpan, action: str, outer: list[_Begun]) -> _Begun | None:
    """Return the span around that tells of the same call already."""
    for one in outer:
        around = action_of(one.span.attributes)
        if not around:
            continue
        if around != action:
            return None
        if action in {LLM_CALL, EMBEDDINGS}:
            return one
        is_same = action == TOOL_CALL and tool_of(span.attributes or {}) == tool_of(
            one.span.attributes or {}
        )
        return one if is_same else None
    return None


def _fill_open_action(around: _Begun, found: TraceEntry) -> None:
    """Let an action of ours that is still open have what it does not know itself."""
    entry = current_entry()
    ids = around.span.get_span_context()
    if entry is None or around.span.end_time is not None:
        return
    if entry.span_id != format(ids.span_id, "016x"):
        return
    for name in _FILLED:
        if getattr(entry, name) in (None, "", 0):
            setattr(entry, name, getattr(found, name))


def _bind_what_is_missing(span: ReadableSpan, outer: list[_Begun]) -> None:
    """Bind the ids that the span, or one around it, says and the context does not."""
    known = ids_here()
    missing: dict[str, str] = {}
    for attributes in (span.attributes, *(one.span.attributes for one in outer)):
        for name, value in ids_of(attributes).items():
            if name not in known:
                missing.setdefault(name, value)
    if missing:
        bound.set(bound.get().merged(missing))
