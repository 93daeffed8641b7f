"""The tracing context as variables of an environment: written for a child, read in one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Final

from logbraid.context import TracingContext, current_context
from logbraid.health import health
from logbraid.integrations.providers import span_layer
from logbraid.record import ID_NAMES
from logbraid.span_ids import new_span_id

TOOL_TRACE_ID: Final = "TOOL_TRACE_ID"
TRACEPARENT: Final = "TRACEPARENT"
CONTEXT: Final = "LOGBRAID_CONTEXT"

# W3C Trace Context, level 1, section 3.2.2: lower case only; a later version may append fields
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_MAX_CONTEXT_CHARS: Final = 8192  # five ids of 128 characters, each escaped, and their names


def child_env(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a copy of *environ* (default: ``os.environ``) that carries the context to a child.

    ``TOOL_TRACE_ID`` is the trace id of now, ``TRACEPARENT`` the same for OpenTelemetry where it
    has 32 hex digits (with the bound span, else a new one), ``LOGBRAID_CONTEXT`` the five ids that
    are set, as JSON. What is not bound now goes on as *environ* has it from the outer process,
    as in the lines of this one; but no id of the outer process beside another tenant.
    """
    made = dict(os.environ if environ is None else environ)
    context = context_here()
    outer = context_from_env(made)
    made.pop(CONTEXT, None)
    ids = _joined({name: outer[name] for name in ID_NAMES if name in outer}, context.tracing_dict)
    if ids:
        made[CONTEXT] = json.dumps(ids)
    trace_id = context.get("trace_id") or outer.get("trace_id")
    if trace_id:
        made[TOOL_TRACE_ID] = trace_id
        _renew_traceparent(made, trace_id, context)
    return made


def context_here() -> TracingContext:
    """Return the context of now, with what its request's slot and OpenTelemetry's span know."""
    context = current_context()
    if context.slot is not None:
        context = context.slot.fill(context)
    span = {} if "span_id" in context else span_layer()
    return context.merged(span) if span else context


def _joined(outer: dict[str, str], ids: dict[str, str]) -> dict[str, str]:
    tenant = ids.get("tenant_id")
    if tenant is not None and outer.get("tenant_id", tenant) != tenant:
        return ids
    return {**outer, **ids}


def _renew_traceparent(made: dict[str, str], trace_id: str, context: TracingContext) -> None:
    """Let ``TRACEPARENT`` name this trace, or nothing where W3C has no word for it."""
    parsed = parse_traceparent(made.get(TRACEPARENT, "").strip())
    if parsed is not None and parsed[0] == trace_id and "span_id" not in context:
        return
    made.pop(TRACEPARENT, None)
    text = traceparent(trace_id, context.get("span_id"))
    if text is not None:
        made[TRACEPARENT] = text


def traceparent(trace_id: object, span_id: object) -> str | None:
    """Return the two as W3C writes them, with a new span where *span_id* is none.

    ``None`` where *trace_id* is not 32 lower-case hex digits: W3C has no word for it.
    """
    if not (isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id)):
        return None
    if not (isinstance(span_id, str) and _SPAN_ID.fullmatch(span_id)):
        span_id = new_span_id()
    return f"00-{trace_id}-{span_id}-01"


def context_from_env(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that *environ* gives the context of a whole process.

    ``TOOL_TRACE_ID``, any text, is the ``trace_id``; else ``TRACEPARENT`` gives it, and with it
    ``parent_span_id``. ``LOGBRAID_CONTEXT`` gives the five ids: a tenant or a user comes from the
    environment only because the parent process put it there with ``child_env()``. What cannot be
    read is told once on standard error and left out.
    """
    fields = _ids_of(environ.get(CONTEXT, ""))
    traceparent = environ.get(TRACEPARENT, "").strip()
    parsed = parse_traceparent(traceparent)
    if traceparent and parsed is None:
        health.tell_once(TRACEPARENT, f"{TRACEPARENT} of the environment is not valid; left out")
    trace_id = environ.get(TOOL_TRACE_ID, "").strip()
    if trace_id:
        fields["trace_id"] = trace_id
    if parsed is not None and trace_id in {"", parsed[0]}:
        fields["trace_id"], fields["parent_span_id"] = parsed
    return fields


def _ids_of(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        values = json.loads(text) if len(text) <= _MAX_CONTEXT_CHARS else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        health.tell_once(CONTEXT, f"{CONTEXT} of the environment is not an object of ids; left out")
        return {}
    found = {name: values.get(name) for name in ID_NAMES}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def parse_traceparent(text: str) -> tuple[str, str] | None:
    """Return the trace id and the parent's span id of a ``traceparent``, or ``None``.

    By W3C Trace Context: version ``ff`` and ids of zeros only are invalid, version ``00`` has four
    fields, a later version may have more.
    """
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    version, trace_id, span_id, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not (_TRACE_ID.fullmatch(trace_id) and _SPAN_ID.fullmatch(span_id)):
        return None
    return trace_id, span_id
