"""Metrics of agents for Prometheus, counted from the entries of tracers and from events.

Feed one kind of thing from one source: an agent whose tools are traced *and* told as events
would be counted twice. No label says which tenant, user or session it was: that is what the log
is for. Needs the extra ``prometheus``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Self

from logbraid.agent.entry import TraceEntry
from logbraid.agent.event_entries import EventEntries
from logbraid.agent.events import read_event
from logbraid.agent.figures import count_of, number_of
from logbraid.agent.labels import Labels
from logbraid.agent.metrics_registry import metrics_in
from logbraid.agent.metrics_table import rows_of
from logbraid.agent.names import CONFIRM, LATEST, LLM_CALL, MAX_ITERATIONS, TOOL_CALL, TURN
from logbraid.agent.tracer import ActionTracer
from logbraid.health import health
from logbraid.outcome import CANCELLED, ERROR, OK, STATUSES, TIMEOUT

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_MAX_ERROR_TYPES: Final = 50
_MAX_MODELS: Final = 100
_FIELDS: Final = len(TraceEntry.__dataclass_fields__)
_OUTCOMES: Final = {
    word: outcome
    for outcome, words in (
        ("request", "request requested asked"),
        ("allow", "allow allowed approve approved accept accepted ok yes true"),
        ("reject", "reject rejected deny denied decline declined error no false"),
        ("timeout", "timeout timed_out"),
        ("cancelled", "cancelled canceled"),
    )
    for word in words.split()
}
_FROM_THE_START: Final = (
    ("llm_calls", (OK, ERROR)),
    ("tokens", ("prompt", "completion")),
    ("confirms", ("request", "allow", "reject", "timeout")),
)
"""Series that are 0 before anything happened: without them a share of them is no number.

Not ``cached``: who never tells of cached tokens is not one who has no hits, as is one who tells
of none.
"""


class AgentMetrics:
    """Counts turns, tools, model calls, tokens, confirmations and limits that were hit.

    *registry* is Prometheus's own unless one is given; several objects with one registry share
    its metrics. *semconv* says which GenAI names stand beside the ``agent_*`` ones (``"1.41"``,
    ``"latest"`` or ``"both"``). Beyond *max_tools* different tools the rest is ``_other``, and so
    is a name that was made up for one call (``call_7f3a9c01``): it takes no place. Times are in
    seconds. Nothing here raises into the agent.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None = None,
        semconv: str = LATEST,
        max_tools: int = 200,
    ) -> None:
        self._metrics = metrics_in(registry, rows_of(semconv))
        self._tools = Labels(max_tools, ids=False)
        self._errors = Labels(_MAX_ERROR_TYPES)
        self._models = Labels(_MAX_MODELS)
        self._providers = Labels(_MAX_MODELS)
        for key, labels in _FROM_THE_START:
            for label in labels:
                self._metrics[key].labels(label)
        self._undo: dict[int, Callable[[], None]] = {}
        self._entries = EventEntries()

    def attach(self, tracer: ActionTracer) -> Self:
        """Count the entries of *tracer* from now on; a second time changes nothing."""
        if id(tracer) not in self._undo:
            self._undo[id(tracer)] = tracer.subscribe(self.on_entry)
        return self

    def detach(self) -> None:
        """Count no tracer's entries any more."""
        while self._undo:
            self._undo.popitem()[1]()

    # -- what comes in ---------------------------------------------------------------------

    def on_entry(self, entry: TraceEntry) -> None:
        """Count one entry of a tracer. A duration or a count that is no number is not observed."""
        milliseconds = number_of(entry.duration_ms)
        seconds = None if milliseconds is None else milliseconds / 1000
        if entry.action == TURN:
            self._turn(entry, seconds)
        elif entry.action == TOOL_CALL:
            self._tool(entry, seconds)
        elif entry.action == LLM_CALL:
            self._call(entry, seconds)
        elif entry.action == CONFIRM:
            self._confirm(entry)
        elif entry.action == MAX_ITERATIONS:
            self._add("max_iterations", 1)

    def on_event(self, event: object) -> None:
        """Count one event of an agent framework: any object with ``.type`` and ``.data``.

        Counts ``turn_begin`` and ``turn_end``, ``tool_complete``, ``llm_call_completed``,
        ``tool_confirmation``, ``confirm`` and ``max_iterations``; others are passed over.
        """
        told = read_event(event)
        try:
            for entry in self._entries.of(told):
                self.on_entry(entry)
        except Exception as error:  # noqa: BLE001 - its data may be anything
            health.complain("agent metrics", error)

    # -- what is counted -------------------------------------------------------------------

    def _turn(self, entry: TraceEntry, seconds: float | None) -> None:
        self._add("turns", 1)
        self._observe("turn_duration", seconds)
        self._observe("gen_ai_agent_duration", seconds, self._error_of(entry))

    def _tool(self, entry: TraceEntry, seconds: float | None) -> None:
        tool = self._tools.of(entry.operation)
        self._add("tool_calls", 1, tool, _status_of(entry))
        self._observe("tool_duration", seconds, tool)
        self._observe("gen_ai_tool_duration", seconds, tool, self._error_of(entry))

    def _call(self, entry: TraceEntry, seconds: float | None) -> None:
        self._add("llm_calls", 1, _status_of(entry))
        error = self._error_of(entry)
        if error:
            self._add("llm_errors", 1, error)
        prompt, completion = count_of(entry.prompt_tokens), count_of(entry.completion_tokens)
        cached = count_of(entry.cached_tokens)
        if _tells_of_cached(entry):
            self._add("tokens", cached, "cached")
        for kind, number in (
            ("prompt", prompt),
            ("completion", completion),
            ("reasoning", count_of(entry.reasoning_tokens)),
        ):
            self._add_some("tokens", number, kind)
        model = self._models.of(entry.model or "unknown")
        labels = ("chat", self._providers.of(entry.connector or "unknown"), model)
        self._observe("gen_ai_operation_duration", seconds, *labels, error)
        self._observe("gen_ai_token_usage", prompt or None, *labels, "input")
        self._observe("gen_ai_token_usage", completion or None, *labels, "output")
        self._add_some("gen_ai_input_tokens", prompt, *labels)
        self._add_some("gen_ai_output_tokens", completion, *labels)
        self._add_some("gen_ai_cached_tokens", cached, *labels)

    def _confirm(self, entry: TraceEntry) -> None:
        outcome = "allow" if entry.status == OK else entry.status
        if isinstance(entry.metadata, Mapping):
            outcome = entry.metadata.get("outcome", outcome)
        self._add("confirms", 1, _OUTCOMES.get(str(outcome).lower(), "_other"))

    def _error_of(self, entry: TraceEntry) -> str:
        """Return one word for why *entry* failed, nothing if it did not."""
        status = _status_of(entry)
        if status in {OK, CANCELLED}:
            return ""
        code = entry.status_code
        if type(code) is int and 400 <= code <= 599:
            return f"http_{code}"  # alerts ask for these: no other word takes their place
        if status == TIMEOUT:
            return TIMEOUT
        return self._errors.of(str(entry.error_class).rpartition(".")[2] or ERROR)

    def _add_some(self, key: str, number: int, *labels: str) -> None:
        if number:  # a series of nothing but zeros says that someone counts it
            self._add(key, number, *labels)

    def _add(self, key: str, number: int, *labels: str) -> None:
        metric = self._metrics.get(key)
        if metric is not None:
            (metric.labels(*labels) if labels else metric).inc(number)

    def _observe(self, key: str, value: float | None, *labels: str) -> None:
        metric = self._metrics.get(key)
        if metric is not None and value is not None:
            (metric.labels(*labels) if labels else metric).observe(value)


def _tells_of_cached(entry: TraceEntry) -> bool:
    """Tell whether *entry* says how many tokens were cached, be it none.

    Of an entry that was made by its constructor, which sets every field, nobody knows.
    """
    told = vars(entry)
    return "cached_tokens" in told and (len(told) < _FIELDS or bool(told["cached_tokens"]))


def _status_of(entry: TraceEntry) -> str:
    status = str(entry.status)
    return status if status in STATUSES else ERROR
