"""Spans scrubbed on their way out, whoever made them.

Frameworks put prompts, results of tools and whole tracebacks on their spans, and a span cannot be
changed once it has ended. So the exporter is wrapped. Needs the extra ``otel``. The spans of our
own tracers are clean without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from logbraid.agent.clean import Cleaner
from logbraid.health import health

try:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Link, Status
except ImportError as error:
    raise ImportError(
        "span exporters need OpenTelemetry's SDK: pip install 'logbraid[otel]'"
    ) from error

_MAX_CHARS: Final = 32_000
_AT_ONCE: Final = 100  # a line holds 200 values, a span of a long conversation more
_NOTES: Final = ("scrubbed", "truncated")


class ScrubbedSpanExporter(SpanExporter):
    """Hand spans to *exporter* with all their texts scrubbed.

    Name, attributes, events, links, status and the resource (which may hold a command line):
    ``BatchSpanProcessor(ScrubbedSpanExporter(OTLPSpanExporter()))``. Texts are cut at 32,000
    characters. A span that cannot be scrubbed is not exported; it is told on standard error.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export *spans* scrubbed."""
        clean = []
        for span in spans:
            try:
                clean.append(_scrubbed(span))
            except Exception as error:  # noqa: BLE001 - fails closed: what is not clean stays here
                health.complain("span scrubber", error)
        return self._exporter.export(clean) if clean else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


def _scrubbed(span: ReadableSpan) -> ReadableSpan:
    cleaner = Cleaner.of(_MAX_CHARS)
    description = span.status.description
    resource = span.resource
    return ReadableSpan(
        name=cleaner.text(span.name),
        context=span.context,
        parent=span.parent,
        resource=Resource(_attributes(cleaner, resource.attributes), resource.schema_url),
        attributes=_attributes(cleaner, span.attributes),
        events=[
            Event(cleaner.text(one.name), _attributes(cleaner, one.attributes), one.timestamp)
            for one in span.events
        ],
        links=[Link(one.context, _attributes(cleaner, one.attributes)) for one in span.links],
        kind=span.kind,
        status=Status(span.status.status_code, description and cleaner.text(description)),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(cleaner: Cleaner, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    items = list((attributes or {}).items())
    clean: dict[str, Any] = {}
    for start in range(0, len(items), _AT_ONCE):
        part = dict(items[start : start + _AT_ONCE])
        told = cleaner.fields(part)
        clean.update((name, told[name]) for name in told if name in part or name not in _NOTES)
    return clean
