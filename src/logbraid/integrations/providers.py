"""Context that someone else keeps: a mapping or a callable, and the span that is current.

A registry of ``contextvars-extras`` is both a mapping and a callable: it is read as a mapping,
without its ContextVars that are not set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from logbraid.context import bound

_OPENTELEMETRY: Final = "opentelemetry.trace"


def layer_of(provider: Mapping[str, Any] | Callable[[], Any]) -> Callable[[], Mapping[str, Any]]:
    """Return a function that reads *provider* now."""
    if isinstance(provider, Mapping):
        return lambda: dict(provider)

    def ask() -> Mapping[str, Any]:
        answer = provider()
        return answer if isinstance(answer, Mapping) else {}

    return ask


def span_layer() -> Mapping[str, Any]:
    """Return ``trace_id`` and ``span_id`` of OpenTelemetry's current span, where there is one.

    Nothing is imported: a program in which no one imported OpenTelemetry has no span. A trace
    that our own context names stays; then the span counts only if it is part of it.
    """
    trace = sys.modules.get(_OPENTELEMETRY)
    if trace is None:
        return {}
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    trace_id = format(span.trace_id, "032x")
    if bound.get().get("trace_id", trace_id) != trace_id:
        return {}
    return {"trace_id": trace_id, "span_id": format(span.span_id, "016x")}


def has_span() -> bool:
    """Tell whether a span is current."""
    trace = sys.modules.get(_OPENTELEMETRY)
    return trace is not None and trace.get_current_span() is not trace.INVALID_SPAN
