"""The steps of the pipeline as structlog processors, for those who keep a chain of their own.

Put them in this order behind ``add_log_level`` and before whatever writes::

    structlog.configure(processors=[
        structlog.processors.add_log_level,
        logbraid.processors.merge_tracing_context,
        logbraid.processors.scrub_secrets,
        logbraid.processors.truncate_summaries,
        logbraid.processors.render_json_line,
    ])

Each takes and returns an event dict (the last one returns text) and follows the settings in force.
They never change the caller's objects. The whole way in one call is three times faster:
``configure_logging()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structlog.typing import EventDict, WrappedLogger

from logbraid import pipeline
from logbraid.context import bound
from logbraid.encode import encode_line
from logbraid.failure import error_of, failure_fields
from logbraid.health import health
from logbraid.merge import merge
from logbraid.record import CONTEXT_ORDER, HEAD, Plain
from logbraid.truncate import truncate_fields


def merge_tracing_context(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Add the bound context; the call wins, except that it cannot change a bound ``tenant_id``."""
    head: dict[str, Any] = {name: event_dict[name] for name in HEAD if name in event_dict}
    rest = {name: value for name, value in event_dict.items() if name not in head}
    failure: dict[str, Any] = {
        name: rest.pop(name) for name in ("exception", "stack") if name in rest
    }
    context, fields = merge((bound.get(),), (rest,), failed=False)
    return {**head, **context, **fields, **failure}


def scrub_secrets(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Redact secrets in every field; an ``exc_info`` becomes its scrubbed fields.

    What was found is counted in ``scrubbed`` and in ``stats()``.
    """
    active = pipeline.ready()
    told: dict[str, Any] = dict(event_dict)
    error = error_of(told.pop("exc_info", None))
    notes: dict[str, int] = {}
    counts: dict[str, int] = {}
    failure = failure_fields(
        error,
        None,
        limits=(active.settings.max_summary_chars, active.settings.max_exception_chars),
        notes=notes,
        scrub=lambda text: active.scrubber.scrub_text(text, counts),
    )
    limits = {**active.limits, "exception": active.settings.max_exception_chars}
    plain = active.normaliser.fields(told, notes, limits=limits)
    ids = {name: plain.pop(name) for name in CONTEXT_ORDER if isinstance(plain.get(name), str)}
    plain = active.scrubber.scrub_fields(plain, counts)
    for name, value in ids.items():
        plain[name] = active.ids.safe(str(value))[0]
    for kind, number in counts.items():
        health.scrubbed.add(kind, number)
    return {**plain, **failure, **({"scrubbed": counts} if counts else {})}


def truncate_summaries(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Cut every text at its limit; ``truncated`` says what was cut, with the original length."""
    active = pipeline.ready()
    notes: dict[str, int] = {}
    limits = {**active.limits, "exception": active.settings.max_exception_chars}
    plain = active.normaliser.fields(event_dict, notes, limits=limits)
    cut = truncate_fields(
        plain, notes, max_summary_chars=active.settings.max_summary_chars, limits=limits
    )
    before = event_dict.get("truncated")
    noted = {**(before if isinstance(before, Mapping) else {}), **notes}
    return {**cut, **({"truncated": noted} if noted else {})}


def render_json_line(_: WrappedLogger, __: str, event_dict: EventDict) -> str:
    """Return the event dict as one strict JSON line within its budget, without its line end.

    ``timestamp``, ``level``, ``logger`` and ``event`` come first; a missing stamp is added.
    """
    active = pipeline.ready()
    plain = active.normaliser.fields(event_dict, {})
    head: dict[str, Plain] = {"timestamp": active.stamper.stamp(active.now())}
    head.update({name: plain.pop(name) for name in HEAD if name in plain})
    line = encode_line({**head, **plain}, max_line_bytes=active.settings.max_line_bytes, notes={})
    return line[:-1].decode()
