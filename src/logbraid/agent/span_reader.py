"""Reading GenAI spans that others made: what they say becomes an entry.

By OpenTelemetry's names, old and new, and by OpenInference's, in whatever mixture an
instrumentation writes them. The values are anyone's: what has the wrong type is not there. Not
here: when a span is read, and which ones count (``otel_genai.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from logbraid.agent.entry import TraceEntry
from logbraid.agent.names import (
    ACTION,
    BY_KIND,
    BY_OPERATION,
    EMBEDDINGS,
    LLM_CALL,
    OPERATION,
    SPAN_KIND,
    TOOL_CALL,
    TURN,
    names_to_read,
    operation_of,
)
from logbraid.agent.shape import fingerprint, size_of, text_of
from logbraid.ids import id_text
from logbraid.outcome import ERROR, OK, status_named
from logbraid.record import ID_NAMES

_MAX_CHARS: Final = 32_000
_MAX_NUMBER: Final = 2**53
_MAX_COST: Final = 1e9
_ERROR_CODE: Final = 2  # StatusCode.ERROR
_COUNTS: Final = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
)
_UNKNOWN: Final = frozenset({"unknown", "_OTHER"})


class EndedSpan(Protocol):
    """What is read of a span that ended (OpenTelemetry's ``ReadableSpan``)."""

    @property
    def name(self) -> Any:
        """Its name."""

    @property
    def attributes(self) -> Any:
        """A mapping, or nothing."""

    @property
    def status(self) -> Any:
        """What has a ``status_code`` and a ``description``."""

    @property
    def events(self) -> Any:
        """A sequence of what has a ``name`` and ``attributes``."""

    @property
    def start_time(self) -> Any:
        """Nanoseconds since the epoch."""

    @property
    def end_time(self) -> Any:
        """Likewise."""


def action_of(attributes: Mapping[str, Any] | None) -> str:
    """Return the action that a span with *attributes* is; nothing if it is none of an agent's."""
    if not attributes:
        return ""
    own = attributes.get(ACTION)
    if isinstance(own, str) and own:
        return own
    operation = attributes.get(OPERATION)
    if isinstance(operation, str) and operation:
        return BY_OPERATION.get(operation, "")
    kind = attributes.get(SPAN_KIND)
    if isinstance(kind, str):
        return BY_KIND.get(kind.upper(), "")
    return _by_older_names(attributes)


def _by_older_names(attributes: Mapping[str, Any]) -> str:
    if attributes.get("traceloop.span.kind") == "tool":
        return TOOL_CALL
    is_call = "gen_ai.request.model" in attributes and "gen_ai.system" in attributes
    return LLM_CALL if is_call or "llm.request.type" in attributes else ""


def read_span(span: EndedSpan, action: str) -> TraceEntry:
    """Return what *span* says as an entry of *action*, without its ids."""
    attributes: Mapping[str, Any] = span.attributes or {}
    began = _nanoseconds(span.start_time)
    ended = _nanoseconds(span.end_time) or began
    entry = TraceEntry(
        action=action,
        timestamp=datetime.fromtimestamp(began / 1e9, UTC),
        duration_ms=round(max(ended - began, 0) / 1e6, 3),
        conversation_id=_text(attributes, "conversation_id", action),
        operation=_operation(span, attributes, action),
        connector=_text(attributes, "connector", action),
        asset_id=_text(attributes, "asset_id", action),
    )
    _read_figures(entry, attributes)
    _read_payloads(entry, attributes)
    _read_end(entry, span, attributes)
    return entry


def ids_of(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    """Return those of the five ids that *attributes* say."""
    found: dict[str, str] = {}
    for name in ID_NAMES:
        value = (attributes or {}).get(names_to_read(name, "")[0])
        if isinstance(value, str) and value:
            found[name] = id_text(value)[0]
    return found


def tool_of(attributes: Mapping[str, Any]) -> str:
    """Return the name of the tool that a span is a call of."""
    return _text(attributes, "operation", TOOL_CALL)


def _operation(span: EndedSpan, attributes: Mapping[str, Any], action: str) -> str:
    word = attributes.get(OPERATION)
    if action in {LLM_CALL, EMBEDDINGS}:
        return word if isinstance(word, str) else operation_of(action, "")
    told = _text(attributes, "operation", action)
    if told:
        return told
    name = span.name if isinstance(span.name, str) else ""
    shown = name.removeprefix(operation_of(action, "")).strip()
    return "" if action == TURN and shown == "agent run" else shown[:200]


def _read_figures(entry: TraceEntry, attributes: Mapping[str, Any]) -> None:
    if entry.action not in {LLM_CALL, EMBEDDINGS}:
        return  # an agent repeats the sums of its calls: they were counted there
    model = _text(attributes, "model", entry.action)
    entry.model = "" if model in _UNKNOWN else model
    for field in _COUNTS:
        setattr(entry, field, _count(attributes, field, entry.action))
    entry.usd_cost = _cost(attributes, entry.action)
    written = _count(attributes, "cache_write_tokens", entry.action)
    if written:
        entry.metadata["cache_write_tokens"] = written


def _read_payloads(entry: TraceEntry, attributes: Mapping[str, Any]) -> None:
    told = _first(attributes, "input_summary", entry.action)
    if told is not None:
        entry.input_summary = _shown(told)
        entry.bytes_in = size_of(told)
    told = _first(attributes, "output_summary", entry.action)
    if told is not None:
        entry.output_summary = _shown(told)
        entry.bytes_out = size_of(told)
        entry.fingerprint = fingerprint(_parsed(told))


def _read_end(entry: TraceEntry, span: EndedSpan, attributes: Mapping[str, Any]) -> None:
    status = span.status
    code = getattr(getattr(status, "status_code", None), "value", None)
    raised = _raised(span.events)
    told = attributes.get("error.type")
    kind = told if isinstance(told, str) and told else raised.get("exception.type", "")
    if code != _ERROR_CODE and not (isinstance(told, str) and told):
        return
    number = _status_code(attributes, kind)
    entry.status_code = number
    entry.error_class = "" if kind in _UNKNOWN else kind[:200]
    entry.status = status_named(kind) if kind else ERROR
    if entry.status == OK:
        entry.status = ERROR
    entry.success = False
    description = getattr(status, "description", None)
    message = raised.get("exception.message") or (
        description if isinstance(description, str) else ""
    )
    if not message and entry.action == TOOL_CALL:
        message = entry.output_summary  # Agno's tools: the message stands there
    entry.error = message[:_MAX_CHARS] or kind or ERROR


def _raised(events: Any) -> dict[str, str]:
    """Return the attributes of the last exception that a span tells, those that are text."""
    for event in reversed(events if isinstance(events, Sequence) else ()):
        if getattr(event, "name", None) == "exception":
            told = getattr(event, "attributes", None) or {}
            return {name: value for name, value in told.items() if isinstance(value, str)}
    return {}


def _status_code(attributes: Mapping[str, Any], kind: str) -> int | None:
    for value in (*_all(attributes, "status_code", ""), kind):
        text = value if isinstance(value, str) else ""
        number = int(text) if text.isascii() and text.isdecimal() and len(text) == 3 else value
        if type(number) is int and 100 <= number <= 599:
            return number
    return None


def _all(attributes: Mapping[str, Any], field: str, action: str) -> list[Any]:
    names = names_to_read(field, action)
    return [attributes[name] for name in names if attributes.get(name) not in (None, "")]


def _first(attributes: Mapping[str, Any], field: str, action: str) -> Any:
    return next(iter(_all(attributes, field, action)), None)


def _text(attributes: Mapping[str, Any], field: str, action: str) -> str:
    for value in _all(attributes, field, action):
        if isinstance(value, str):
            return value[:_MAX_CHARS]
    return ""


def _count(attributes: Mapping[str, Any], field: str, action: str) -> int:
    for value in _all(attributes, field, action):
        number = value
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
            number = int(value)
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if 0 <= number <= _MAX_NUMBER:  # not a number, which no comparison holds for, is not
            return int(number)
    return 0


def _cost(attributes: Mapping[str, Any], action: str) -> float | None:
    for value in _all(attributes, "usd_cost", action):
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value) if abs(value) < _MAX_COST else -1.0
            if 0 <= number < _MAX_COST:
                return number
    return None


def _shown(value: Any) -> str:
    """Return a payload as the text of a summary: bounded, since entries are kept."""
    return text_of(value)[:_MAX_CHARS]


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in {"{", "["} or len(value) > _MAX_CHARS:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _nanoseconds(value: Any) -> int:
    is_usable = type(value) is int and 0 <= value < 2**62
    return value if is_usable else 0
