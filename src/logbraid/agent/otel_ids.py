"""A span processor that puts the ids of the context on every span of the process.

Needs the extra ``otel`` (OpenTelemetry's SDK).
"""

from __future__ import annotations

from logbraid.agent.attributes import id_attributes
from logbraid.health import health

try:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
except ImportError as error:
    raise ImportError(
        "span processors need OpenTelemetry's SDK: pip install 'logbraid[otel]'"
    ) from error


class TracingContextSpanProcessor(SpanProcessor):
    """Write ``tenant.id``, ``user.id``, ``session.id``, ``agent.run.id``, ``request.id``.

    Those that are bound where a span starts, as the lines of the log say them: a session id that
    is a credential becomes its digest. Add it to the provider before the processors that export:
    ``provider.add_span_processor(TracingContextSpanProcessor())``. Never raises.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - ours is the context, not OpenTelemetry's
        """Write the ids on *span*."""
        try:
            span.set_attributes(id_attributes())
        except Exception as error:  # noqa: BLE001 - it would reach whoever opened the span
            health.complain("opentelemetry span processor", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Do nothing: a span that ended cannot be changed."""

    def shutdown(self) -> None:
        """Do nothing: nothing is kept."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        """Return at once: nothing is kept."""
        return True
