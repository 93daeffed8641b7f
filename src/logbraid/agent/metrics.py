"""Metrics of agents for Prometheus, counted from the entries of tracers and from events.

Feed one kind of thing from one source: an agent whose tools are traced *and* told as events
would be counted twice. No label says which tenant, user or session it was: that is what the log
is for. Needs the extra ``prometheus``.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from logbraid.agent.entry import TraceEntry
from logbraid.agent.events import Event, read_event
from logbraid.agent.figures import number_of
from logbraid.agent.labels import Labels
from logbraid.agent.metrics_registry import metrics_in
from logbraid.agent.metrics_table import rows_of
from logbraid.agent.names import LATEST
from logbraid.agent.outcome import CANCELLED, ERROR, OK, TIMEOUT
from logbraid.agent.tally import CONFIRM, LLM_CALL, MAX_ITERATIONS, TOOL_CALL, TURN
from logbraid.agent.tracer import ActionTracer
from logbraid.context import current_context
from logbraid.health import health
from logbraid.process import renew_after_fork

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_STATUSES: Final = frozenset({OK, ERROR, CANCELLED, TIMEOUT})
_CODE: Final = re.compile(r"(?:error|status)(?: code)?:? ([45]\d\d)\b", re.IGNORECASE)
_MAX_ERROR_TYPES: Final = 50
_MAX_MODELS: Final = 100
_MAX_OPEN_TURNS: Final = 10_000
_OUTCOMES: Final = {
    "request": "request",
    "requested": "request",
    "allow": "allow",
    "allowed": "allow",
    "approved": "allow",
    "ok": "allow",
    "reject": "reject",
    "rejected": "reject",
    "denied": "reject",
    "deny": "reject",
    "error": "reject",
    "timeout": "timeout",
    "cancelled": "cancelled",
}
_FROM_THE_START: Final = (
    ("llm_calls", (OK, ERROR)),
    ("tokens", ("prompt", "completion")),
    ("confirms", ("request", "allow", "reject", "timeout")),
)
"""Series that are 0 before anything happened: without them a share of them is no number.

Not ``cached``: who never tells of cached tokens is not one who has no hits.
"""


class AgentMetrics:
    """Counts turns, tools, model calls, tokens, confirmations and limits that were hit.

    *registry* is Prometheus's own unless one is given; several objects with one registry share
    its metrics. *semconv* says which GenAI names stand beside the ``agent_*`` ones (``"1.41"``,
    ``"latest"`` or ``"both"``). Beyond *max_tools* different tools the rest is ``_other``. Times
    are in seconds. Nothing here raises into the agent.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None = None,
        semconv: str = LATEST,
        max_tools: int = 200,
    ) -> None:
        self._metrics = metrics_in(registry, rows_of(semconv))
        self._tools = Labels(max_tools)
        self._errors = Labels(_MAX_ERROR_TYPES)
        self._models = Labels(_MAX_MODELS)
        self._providers = Labels(_MAX_MODELS)
        for key, labels in _FROM_THE_START:
            for label in labels:
                self._metrics[key].labels(label)
        self._undo: dict[int, Callable[[], None]] = {}
        self._turns = _OpenTurns()

    def attach(self, tracer: ActionTracer) -> Self:
        """Count the entries of *tracer* from now on; a second time changes nothing."""
        if id(tracer) not in self._undo:
            self._undo[id(tracer)] = tracer.subscribe(self.on_entry)
        return self

    def detach(self) -> None:
        """Count no tracer's entries any more."""
        while self._undo:
            self._undo.popitem()[1]()

    # -- from traces -----------------------------------------------------------------------

    def on_entry(self, entry: TraceEntry) -> None:
        """Count one entry of a tracer."""
        seconds = entry.duration_ms / 1000
        if entry.action == TURN:
            self._turn(seconds, _error_of(entry))
        elif entry.action == TOOL_CALL:
            self._tool(entry.operation, entry.status, seconds, _error_of(entry))
        elif entry.action == LLM_CALL:
            self._call(entry, seconds)
        elif entry.action == CONFIRM:
            default = "allow" if entry.status == OK else entry.status
            self._confirm(entry.metadata.get("outcome", default))
        elif entry.action == MAX_ITERATIONS:
            self._count("max_iterations")

    # -- from events -----------------------------------------------------------------------

    def on_event(self, event: object) -> None:
        """Count one event of an agent framework: any object with ``.type`` and ``.data``.

        Counts ``turn_begin`` and ``turn_end``, ``tool_complete``, ``llm_call_completed``,
        ``tool_confirmation``, ``confirm`` and ``max_iterations``; others are passed over.
        """
        told = read_event(event)
        count = _BY_EVENT.get(told.type)
        if count is None:
            return
        try:
            count(self, told)
        except Exception as error:  # noqa: BLE001 - its data may be anything
            health.complain("agent metrics", error)

    def _turn_begins(self, _: Event) -> None:
        self._turns.begin()

    def _turn_ends(self, event: Event) -> None:
        began = self._turns.end()
        told = event.data.get("duration_ms")
        self._turn(_number(told) / 1000 if told is not None else began, _failure_in(event))
        if event.data.get("incomplete_reason") == MAX_ITERATIONS:
            self._count("max_iterations")

    def _tool_completes(self, event: Event) -> None:
        status = event.data.get("status", OK)
        seconds = _number(event.data.get("duration_ms")) / 1000
        self._tool(event.data.get("tool"), status, seconds, _failure_in(event))

    def _call_completes(self, event: Event) -> None:
        data = event.data
        entry = TraceEntry(action=LLM_CALL, model=str(data.get("model") or ""))
        entry.prompt_tokens = int(_number(data.get("prompt_tokens")))
        entry.completion_tokens = int(_number(data.get("completion_tokens")))
        entry.cached_tokens = int(_number(data.get("cached_tokens", data.get("cache_read_tokens"))))
        entry.reasoning_tokens = int(_number(data.get("reasoning_tokens")))
        entry.status = str(data.get("status") or OK)
        entry.error_type = _failure_in(event)
        entry.status_code = _code_in(data)
        if "cached_tokens" in data or "cache_read_tokens" in data:
            self._add("tokens", 0, "cached")
        self._call(entry, _number(data.get("duration_ms")) / 1000)

    def _confirmation(self, event: Event) -> None:
        self._confirm(event.data.get("outcome", "request"))

    def _limit(self, _: Event) -> None:
        self._count("max_iterations")

    # -- what is counted -------------------------------------------------------------------

    def _turn(self, seconds: float | None, error: str) -> None:
        self._count("turns")
        if seconds is not None:
            self._observe("turn_duration", seconds)
            self._observe("gen_ai_agent_duration", seconds, self._errors.of(error) if error else "")

    def _tool(self, name: object, status: object, seconds: float, error: str) -> None:
        tool = self._tools.of(name)
        word = status if isinstance(status, str) and status in _STATUSES else ERROR
        self._count("tool_calls", tool, word)
        self._observe("tool_duration", seconds, tool)
        self._observe(
            "gen_ai_tool_duration", seconds, tool, self._errors.of(error) if error else ""
        )

    def _call(self, entry: TraceEntry, seconds: float) -> None:
        self._count("llm_calls", entry.status if entry.status in _STATUSES else ERROR)
        error = _error_of(entry)
        if error:
            error = self._errors.of(error)
            self._count("llm_errors", error)
        for kind in ("prompt", "completion", "cached", "reasoning"):
            number = getattr(entry, f"{kind}_tokens")
            if number > 0:
                self._add("tokens", number, kind)
        model = self._models.of(entry.model or "unknown")
        labels = ("chat", self._providers.of(entry.connector or "unknown"), model)
        self._observe("gen_ai_operation_duration", seconds, *labels, error)
        for key, number, kind in (
            ("gen_ai_input_tokens", entry.prompt_tokens, "input"),
            ("gen_ai_output_tokens", entry.completion_tokens, "output"),
        ):
            if number > 0:
                self._add(key, number, *labels)
                self._observe("gen_ai_token_usage", number, *labels, kind)
        if entry.cached_tokens > 0:
            self._add("gen_ai_cached_tokens", entry.cached_tokens, *labels)

    def _confirm(self, outcome: object) -> None:
        self._count("confirms", _OUTCOMES.get(str(outcome).lower(), "_other"))

    def _count(self, key: str, *labels: str) -> None:
        self._add(key, 1, *labels)

    def _add(self, key: str, number: float, *labels: str) -> None:
        metric = self._metrics.get(key)
        if metric is not None:
            (metric.labels(*labels) if labels else metric).inc(number)

    def _observe(self, key: str, value: float, *labels: str) -> None:
        metric = self._metrics.get(key)
        if metric is not None:
            (metric.labels(*labels) if labels else metric).observe(value)


_BY_EVENT: Final[dict[str, Callable[[AgentMetrics, Event], None]]] = {
    "turn_begin": AgentMetrics._turn_begins,  # noqa: SLF001 - its own table
    "turn_end": AgentMetrics._turn_ends,  # noqa: SLF001 - as above
    "tool_complete": AgentMetrics._tool_completes,  # noqa: SLF001 - as above
    "llm_call_completed": AgentMetrics._call_completes,  # noqa: SLF001 - as above
    "tool_confirmation": AgentMetrics._confirmation,  # noqa: SLF001 - as above
    "confirm": AgentMetrics._confirmation,  # noqa: SLF001 - as above
    "max_iterations": AgentMetrics._limit,  # noqa: SLF001 - as above
}


class _OpenTurns:
    """When the turns that were begun by an event began, by the ids of their context."""

    def __init__(self) -> None:
        self._began: OrderedDict[tuple[Any, ...], float] = OrderedDict()
        self.renew()
        renew_after_fork(self.renew)

    def renew(self) -> None:
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self._began[_key()] = monotonic()
            while len(self._began) > _MAX_OPEN_TURNS:
                self._began.popitem(last=False)

    def end(self) -> float | None:
        """Return how many seconds ago the turn of this context began, ``None``: unknown."""
        with self._lock:
            began = self._began.pop(_key(), None)
        return None if began is None else monotonic() - began


def _key() -> tuple[Any, ...]:
    context = current_context()
    return tuple(context.get(name) for name in ("tenant_id", "session_id", "run_id", "request_id"))


def _error_of(entry: TraceEntry) -> str:
    """Return one word for why *entry* failed, nothing if it did not."""
    if entry.status in {OK, CANCELLED}:
        return ""
    if entry.status_code is not None and entry.status_code >= 400:
        return f"http_{entry.status_code}"
    if entry.status == TIMEOUT:
        return TIMEOUT
    return entry.error_type.rpartition(".")[2] or ERROR


def _code_in(data: dict[str, Any]) -> int | None:
    """Return the HTTP status of a failed call: told by itself, or in the error's text."""
    code = data.get("status_code")
    if type(code) is int:
        return code
    found = _CODE.search(str(data.get("error_message") or "")[:500])
    return int(found[1]) if found else None


def _failure_in(event: Event) -> str:
    status = event.data.get("status") or OK
    if isinstance(status, str) and status in {OK, CANCELLED}:
        return ""
    return str(event.data.get("error_class") or event.data.get("error_type") or ERROR)


def _number(value: object) -> float:
    return number_of(value) or 0.0
