"""OpenTelemetry spans that open and close with actions and runs, where a TracerProvider is set.

A program in which nobody imported OpenTelemetry pays one look-up, and needs no extra.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from logbraid.agent.entry import TraceEntry
from logbraid.health import health

if TYPE_CHECKING:
    from logbraid.agent.otel_spans import OpenSpan

_TRACE: Final = "opentelemetry.trace"


def open_span(entry: TraceEntry) -> OpenSpan | None:
    """Open a span for *entry*, whose ids become the span's; ``None`` where nobody traces."""
    if sys.modules.get(_TRACE) is None:
        return None
    try:
        from logbraid.agent.otel_spans import open_action  # noqa: PLC0415 - an extra

        return open_action(entry)
    except Exception as error:  # noqa: BLE001 - samplers and processors are anyone's
        health.complain("opentelemetry span", error)
        return None


def span_of(entry: TraceEntry) -> None:
    """Make a span of an *entry* that was made by hand; nothing where nobody traces."""
    if sys.modules.get(_TRACE) is None:
        return
    try:
        from logbraid.agent.otel_spans import span_of as make  # noqa: PLC0415 - an extra

        make(entry)
    except Exception as error:  # noqa: BLE001 - as above
        health.complain("opentelemetry span", error)


def open_run_span(name: str | None) -> OpenSpan | None:
    """Open a span for a run of an agent; ``None`` where nobody traces."""
    if sys.modules.get(_TRACE) is None:
        return None
    try:
        from logbraid.agent.otel_spans import open_run  # noqa: PLC0415 - as above

        return open_run(name)
    except Exception as error:  # noqa: BLE001 - as above
        health.complain("opentelemetry span", error)
        return None
