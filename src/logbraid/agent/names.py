"""The one table from our names to OpenTelemetry's and OpenInference's, for writing and reading.

OpenTelemetry's GenAI conventions 1.41 are the last with a release of their own; ``latest`` is the
repository that went on from there (open-telemetry/semantic-conventions-genai, 2026-09).
OpenInference is that of openinference-semantic-conventions 0.1. Real libraries mix generations:
``also`` are further names in the field, best first, that are read and never written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from logbraid.record import ID_NAMES

TURN: Final = "turn"
LLM_CALL: Final = "llm_call"
TOOL_CALL: Final = "tool_call"
CONFIRM: Final = "confirm"
MAX_ITERATIONS: Final = "max_iterations"

RELEASE: Final = "1.41"
LATEST: Final = "latest"
OPENINFERENCE: Final = "openinference"
SEMCONV: Final = (RELEASE, LATEST)

OPERATION: Final = "gen_ai.operation.name"
SPAN_KIND: Final = "openinference.span.kind"
ACTION: Final = "logbraid.action"
SCOPE: Final = "logbraid.agent"
"""The instrumentation scope of the spans that our own tracers open."""

EMBEDDINGS: Final = "embeddings"
RETRIEVAL: Final = "retrieval"
INNER_AGENT: Final = "invoke_agent"
"""An agent that another agent called: no turn of its own."""


class Action(NamedTuple):
    """How an action of ours is called there; ``is_remote`` actions are calls of a service."""

    action: str
    operation: str
    kind: str
    is_remote: bool = False
    also: tuple[str, ...] = ()


ACTIONS: Final = (
    Action(LLM_CALL, "chat", "LLM", True, ("generate_content", "text_completion", "completion")),
    Action(TOOL_CALL, "execute_tool", "TOOL"),
    Action(INNER_AGENT, "invoke_agent", "AGENT"),
    Action(TURN, "invoke_agent", "AGENT"),  # read as this one: the later row wins
    Action(EMBEDDINGS, "embeddings", "EMBEDDING", True),
    Action(RETRIEVAL, "retrieval", "RETRIEVER", True),
    Action("create_agent", "create_agent", "CHAIN", True),
    Action("workflow", "invoke_workflow", "CHAIN"),
    Action("plan", "plan", "CHAIN"),
    Action(CONFIRM, "", "CHAIN"),
    Action(MAX_ITERATIONS, "", "CHAIN"),
)
BY_ACTION: Final = {row.action: row for row in ACTIONS}
BY_OPERATION: Final = {
    name: row.action for row in ACTIONS for name in (row.operation, *row.also) if name
}
BY_KIND: Final = {row.kind: row.action for row in ACTIONS if row.kind != "CHAIN"}


class Row(NamedTuple):
    """One field of an entry, of all actions or of *only* these; an empty name: there is none."""

    field: str
    release: str
    latest: str
    openinference: str
    also: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


def _same(
    field: str,
    otel: str,
    openinference: str,
    *also: str,
    only: tuple[str, ...] = (),
) -> Row:
    return Row(field, otel, otel, openinference, also, only)


_MODELS: Final = (LLM_CALL, EMBEDDINGS)
_TEXTS: Final = (LLM_CALL, TURN, INNER_AGENT)

TABLE: Final = (
    # -- who and where ---------------------------------------------------------------------
    _same("tenant_id", "tenant.id", "tenant.id"),
    _same("user_id", "user.id", "user.id"),
    _same("session_id", "session.id", "session.id"),
    _same("run_id", "agent.run.id", "agent.run.id"),
    _same("request_id", "request.id", "request.id"),
    _same("conversation_id", "gen_ai.conversation.id", "session.id"),
    # -- what ------------------------------------------------------------------------------
    _same(
        "operation",
        "gen_ai.tool.name",
        "tool.name",
        "traceloop.entity.name",
        only=(TOOL_CALL,),
    ),
    _same(
        "operation",
        "gen_ai.agent.name",
        "agent.name",
        "agent_name",
        "traceloop.entity.name",
        only=(TURN, INNER_AGENT, "create_agent"),
    ),
    _same("operation", "gen_ai.workflow.name", "", only=("workflow",)),
    _same("asset_id", "gen_ai.data_source.id", "", only=(RETRIEVAL,)),
    _same("connector", "gen_ai.provider.name", "llm.provider", "gen_ai.system", "llm.system",
          only=_MODELS),
    _same("model", "gen_ai.request.model", "llm.model_name", "llm.request.model_name",
          "gen_ai.response.model", "llm.response.model_name", only=(LLM_CALL,)),
    _same("model", "gen_ai.request.model", "embedding.model_name", "gen_ai.response.model",
          only=(EMBEDDINGS,)),
    # -- what it cost ----------------------------------------------------------------------
    _same("prompt_tokens", "gen_ai.usage.input_tokens", "llm.token_count.prompt",
          "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", only=_MODELS),
    _same("completion_tokens", "gen_ai.usage.output_tokens", "llm.token_count.completion",
          "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens", only=_MODELS),
    _same("total_tokens", "", "llm.token_count.total",
          "gen_ai.usage.total_tokens", "llm.usage.total_tokens", only=_MODELS),
    _same("cached_tokens", "gen_ai.usage.cache_read.input_tokens",
          "llm.token_count.prompt_details.cache_read",
          "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.cache_read_input_tokens",
          "llm.token_count.prompt_details.cache_input", only=_MODELS),
    Row("cache_write_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "llm.token_count.prompt_details.cache_write",
        ("gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.cache_creation_input_tokens"),
        _MODELS),
    _same("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens",
          "llm.token_count.completion_details.reasoning",
          "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.reasoning_tokens",
          only=_MODELS),
    _same("usd_cost", "logbraid.usd_cost", "llm.cost.total", "operation.cost",
          "gen_ai.usage.cost", only=_MODELS),
    # -- what went in and out --------------------------------------------------------------
    _same("input_summary", "gen_ai.tool.call.arguments", "input.value", "tool_arguments",
          "tool.parameters", "traceloop.entity.input", only=(TOOL_CALL,)),
    _same("output_summary", "gen_ai.tool.call.result", "output.value", "tool_response",
          "traceloop.entity.output", only=(TOOL_CALL,)),
    _same("input_summary", "gen_ai.input.messages", "input.value", "traceloop.entity.input",
          only=_TEXTS),
    _same("output_summary", "gen_ai.output.messages", "output.value", "final_result",
          "traceloop.entity.output", only=_TEXTS),
    _same("input_summary", "logbraid.input_summary", "input.value"),
    _same("output_summary", "logbraid.output_summary", "output.value"),
    # -- how it ended ----------------------------------------------------------------------
    _same("error_class", "error.type", "error.type"),
    _same("error", "error.message", "error.message"),
    _same("status_code", "http.response.status_code", "http.response.status_code",
          "http.status_code"),
    # -- ours alone ------------------------------------------------------------------------
    _same("status", "logbraid.status", "logbraid.status"),
    _same("operation", "logbraid.operation", "logbraid.operation"),
    _same("connector", "logbraid.connector", "logbraid.connector"),
    _same("asset_id", "logbraid.asset_id", "logbraid.asset_id"),
    _same("usd_cost", "logbraid.usd_cost", "logbraid.usd_cost"),
    _same("prompt_tokens", "logbraid.prompt_tokens", "logbraid.prompt_tokens"),
    _same("completion_tokens", "logbraid.completion_tokens", "logbraid.completion_tokens"),
    _same("bytes_in", "logbraid.bytes_in", "logbraid.bytes_in"),
    _same("bytes_out", "logbraid.bytes_out", "logbraid.bytes_out"),
    _same("upstream_ms", "logbraid.upstream_ms", "logbraid.upstream_ms"),
    _same("fingerprint", "logbraid.fingerprint", "logbraid.fingerprint"),
    _same("metadata", "logbraid.metadata", "metadata"),
)  # fmt: skip
"""The first row that fits an action is the one of a field."""


ID_ATTRIBUTES: Final = {row.field: row.latest for row in TABLE if row.field in ID_NAMES}
"""The five ids as attributes of every span."""


def rows_of(action: str) -> tuple[Row, ...]:
    """Return the rows of *action*, one for each field."""
    # What is not one of ours is any text; not remembered, or every one would be for ever
    return _rows_of(action if action in BY_ACTION else "")


@lru_cache(maxsize=len(BY_ACTION) + 1)
def _rows_of(action: str) -> tuple[Row, ...]:
    found: dict[str, Row] = {}
    for row in TABLE:
        if not row.only or action in row.only:
            found.setdefault(row.field, row)
    return tuple(found.values())


def names_to_read(field: str, action: str) -> tuple[str, ...]:
    """Return every name under which spans say *field* of *action*, best first."""
    return _names_to_read(field, action if action in BY_ACTION else "")


@lru_cache(maxsize=256)
def _names_to_read(field: str, action: str) -> tuple[str, ...]:
    for row in _rows_of(action):
        if row.field == field:
            names = dict.fromkeys((row.latest, row.release, row.openinference, *row.also))
            # OpenInference knows one id for a session and a conversation: read as a session's
            ids = () if field in ID_NAMES else ID_ATTRIBUTES.values()
            return tuple(name for name in names if name and name not in ids)
    return ()


def operation_of(action: str, operation: str) -> str:
    """Return the conventions' word for *action*; *operation* may already be one for it."""
    if BY_OPERATION.get(operation) == action:
        return operation
    row = BY_ACTION.get(action)
    return "" if row is None else row.operation


def span_name(action: str, operation: str, model: str) -> str:
    """Return the name of a span: ``chat {model}``, ``execute_tool {tool}``, or the action."""
    word = operation_of(action, operation)
    if not word:
        return action
    subject = model if action in _MODELS else operation
    return f"{word} {subject}" if subject and subject != word else word
