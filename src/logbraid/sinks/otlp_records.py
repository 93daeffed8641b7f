"""Finished lines as log records of OTLP: what stands in them, in OpenTelemetry's message.

The time, the level, the event (the body) and the ids of trace and span have places of their own;
all else of a line is an attribute under its own name. ``service``, ``env`` and ``version`` are
the resource's. Not here: how the message is sent (``otlp_post.py``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from logbraid.health import health
from logbraid.settings import Settings

SCOPE: Final = "logbraid"
_RESOURCE: Final = "OTEL_RESOURCE_ATTRIBUTES"
_SEVERITIES: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_IN_RESOURCE: Final = ("service", "env", "version")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# W3C Trace Context: lower case, and zeros only are no id
_is_trace_id: Final = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_is_span_id: Final = re.compile(r"(?!0{16})[0-9a-f]{16}").fullmatch


def resource_of(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of the process: of the settings, else ``OTEL_RESOURCE_ATTRIBUTES``."""
    found = {"service.name": "unknown_service", **_written(environ.get(_RESOURCE, ""))}
    ours = {
        "service.name": settings.service,
        "service.version": settings.version,
        "deployment.environment.name": settings.env,
    }
    found.update((name, value) for name, value in ours.items() if value)
    return found


def _written(text: str) -> dict[str, str]:
    """Parse ``key=value,key=value``, percent-encoded, as the specification of resources says."""
    found: dict[str, str] = {}
    for item in text.split(","):
        name, sign, value = (part.strip() for part in item.partition("="))
        if name and sign:
            found[unquote(name)] = unquote(value)
        elif item.strip():
            health.tell_once(_RESOURCE, f"{_RESOURCE} has an item that is not key=value; left out")
    return found


def request_of(lines: Iterable[bytes], resource: Mapping[str, str]) -> bytes:
    """Return *lines* as one ``ExportLogsServiceRequest``."""
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    for name, value in resource.items():
        logs.resource.attributes.add(key=name).value.string_value = value
    scope = logs.scope_logs.add()
    scope.scope.name = SCOPE
    now = time.time_ns()
    for line in lines:
        record = scope.log_records.add()
        record.observed_time_unix_nano = now
        _fill(record, orjson.loads(line))
    return bytes(request.SerializeToString())


def rejected_in(body: bytes) -> int:
    """Return how many records a receiver that took the message says it did not take."""
    try:
        reply = ExportLogsServiceResponse.FromString(body)
    except Exception:  # noqa: BLE001 - protobuf's own class of error; many reply with JSON or text
        return 0
    return max(int(reply.partial_success.rejected_log_records), 0)


def _fill(record: LogRecord, fields: dict[str, Any]) -> None:
    record.time_unix_nano = _nanoseconds(fields.pop("timestamp", ""))
    level = fields.pop("level", "")
    record.severity_text = level
    record.severity_number = _SEVERITIES.get(level, 0)  # type: ignore[assignment]  # an enum's number is an int
    _set(record.body, fields.pop("event", ""))
    trace_id, span_id = fields.get("trace_id"), fields.get("span_id")
    if isinstance(trace_id, str) and _is_trace_id(trace_id):
        record.trace_id = bytes.fromhex(fields.pop("trace_id"))
        if isinstance(span_id, str) and _is_span_id(span_id):
            record.span_id = bytes.fromhex(fields.pop("span_id"))
    for name in _IN_RESOURCE:
        fields.pop(name, None)
    for name, value in fields.items():
        _set(record.attributes.add(key=name).value, value)


def _nanoseconds(stamp: str) -> int:
    try:
        return max((datetime.fromisoformat(stamp) - _EPOCH) // _MICROSECOND * 1000, 0)
    except ValueError:
        return 0  # by the protocol: unknown


def _set(target: AnyValue, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            _set(target.array_value.values.add(), item)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        for name, item in value.items():
            _set(target.kvlist_value.values.add(key=name).value, item)
