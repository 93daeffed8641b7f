"""Every metric that agents have, in one table: its name, its labels, its buckets, what it counts.

``agent_*`` are always there. The others are OpenTelemetry's GenAI metrics under the names that
Prometheus gives them; ``semconv`` says of which release: ``1.41``, the last one with a release of
its own, ``latest``, the repository that went on from there (2026-09), or ``both``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logbraid.agent.names import LATEST, RELEASE

COUNTER: Final = "counter"
HISTOGRAM: Final = "histogram"

OUR_OWN: Final = "agent"
BOTH: Final = "both"
SEMCONV: Final = (RELEASE, LATEST, BOTH)

# From a tool that answers at once to a turn that takes ten minutes
_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_TOOL_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Those of the conventions
_CALL_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_AGENT_SECONDS: Final = tuple(round(0.1 * 2**power, 1) for power in range(13))
_TOKENS: Final = tuple(float(4**power) for power in range(14))


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. *key* is how the code calls it; *since* says which conventions have it."""

    key: str
    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    since: tuple[str, ...] = (OUR_OWN,)


_MODEL: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

TABLE: Final = (
    Metric("turns", "agent_turns_total", COUNTER, "Turns that ended."),
    Metric(
        "turn_duration",
        "agent_turn_duration_seconds",
        HISTOGRAM,
        "How long a turn took.",
        buckets=_SECONDS,
    ),
    Metric(
        "tool_calls",
        "agent_tool_calls_total",
        COUNTER,
        "Tool calls by tool and status (ok, error, timeout, cancelled).",
        ("tool", "status"),
    ),
    Metric(
        "tool_duration",
        "agent_tool_duration_seconds",
        HISTOGRAM,
        "How long a tool call took.",
        ("tool",),
        _TOOL_SECONDS,
    ),
    Metric(
        "llm_calls",
        "agent_llm_calls_total",
        COUNTER,
        "Model calls by status; what shares of errors are shares of.",
        ("status",),
    ),
    Metric(
        "tokens",
        "agent_llm_tokens_total",
        COUNTER,
        "Tokens by kind: prompt, completion, cached (part of prompt), reasoning (of completion).",
        ("kind",),
    ),
    Metric(
        "llm_errors",
        "agent_llm_errors_total",
        COUNTER,
        "Model calls that failed, by status code (http_503), timeout, or class of error.",
        ("error_type",),
    ),
    Metric(
        "confirms",
        "agent_confirm_requests_total",
        COUNTER,
        "Confirmations by outcome: request (asked), allow, reject, timeout, cancelled.",
        ("outcome",),
    ),
    Metric(
        "max_iterations",
        "agent_max_iterations_total",
        COUNTER,
        "Turns that ended because the limit of iterations was reached.",
    ),
    Metric(
        "gen_ai_operation_duration",
        "gen_ai_client_operation_duration_seconds",
        HISTOGRAM,
        "gen_ai.client.operation.duration",
        (*_MODEL, "error_type"),
        _CALL_SECONDS,
        (RELEASE, LATEST),
    ),
    Metric(
        "gen_ai_token_usage",
        "gen_ai_client_token_usage",
        HISTOGRAM,
        "gen_ai.client.token.usage",
        (*_MODEL, "gen_ai_token_type"),
        _TOKENS,
        (RELEASE,),
    ),
    Metric(
        "gen_ai_input_tokens",
        "gen_ai_client_inference_usage_input_tokens_total",
        COUNTER,
        "gen_ai.client.inference.usage.input_tokens",
        _MODEL,
        since=(LATEST,),
    ),
    Metric(
        "gen_ai_output_tokens",
        "gen_ai_client_inference_usage_output_tokens_total",
        COUNTER,
        "gen_ai.client.inference.usage.output_tokens",
        _MODEL,
        since=(LATEST,),
    ),
    Metric(
        "gen_ai_cached_tokens",
        "gen_ai_client_inference_usage_cache_read_input_tokens_total",
        COUNTER,
        "gen_ai.client.inference.usage.cache_read.input_tokens",
        _MODEL,
        since=(LATEST,),
    ),
    Metric(
        "gen_ai_tool_duration",
        "gen_ai_execute_tool_duration_seconds",
        HISTOGRAM,
        "gen_ai.execute_tool.duration",
        ("gen_ai_tool_name", "error_type"),
        _CALL_SECONDS,
        (LATEST,),
    ),
    Metric(
        "gen_ai_agent_duration",
        "gen_ai_invoke_agent_duration_seconds",
        HISTOGRAM,
        "gen_ai.invoke_agent.duration, one turn each",
        ("error_type",),
        _AGENT_SECONDS,
        (LATEST,),
    ),
)


def rows_of(semconv: str) -> tuple[Metric, ...]:
    """Return the rows that *semconv* asks for. Raises ``ValueError`` with the words there are."""
    if semconv not in SEMCONV:
        words = ", ".join(repr(word) for word in SEMCONV)
        raise ValueError(f"semconv is {semconv!r}: use one of {words}")
    wanted = {OUR_OWN, *((RELEASE, LATEST) if semconv == BOTH else (semconv,))}
    return tuple(row for row in TABLE if not wanted.isdisjoint(row.since))
