"""An entry as one line of the log: its action is the event, what is known of it are the fields."""

from __future__ import annotations

from typing import Any, Final

from logbraid import pipeline
from logbraid.agent.entry import PLAIN, TraceEntry
from logbraid.level import levels
from logbraid.outcome import CANCELLED, OK
from logbraid.record import INFO, WARNING

LOGGER: Final = "logbraid.agent"
_TOLD: Final = dict.fromkeys(
    """
    operation connector asset_id conversation_id model input_summary output_summary
    error error_class parent_span_id fingerprint metadata
    prompt_tokens completion_tokens total_tokens cached_tokens reasoning_tokens
    bytes_in bytes_out upstream_ms usd_cost status_code
    """.split()
)
"""What a line says of an entry beside its status; the ids are the context's."""

_FINE: Final = frozenset({OK, CANCELLED})
_GATE: Final = levels.gate(LOGGER)


def tell(entry: TraceEntry) -> None:
    """Log *entry*: at info if it went well or was cancelled, at warning if it failed.

    A failed action is no error of the service: the agent may try again. The run says that.
    """
    told = vars(entry)  # what was never set is not there
    status = told.get("status", OK)
    level = INFO if status in _FINE else WARNING
    if level < _GATE.level:
        return
    fields: dict[str, Any] = {"status": status, "duration_ms": entry.duration_ms}
    for name, value in told.items():
        if name in _TOLD and value is not None and (type(value) not in PLAIN or value):
            fields[name] = value  # noqa: PERF403 - a comprehension is a call, and every action pays it
    # The short way is a third faster, where nothing is to be redacted
    if not pipeline.active.fast(level, _GATE, entry.action, fields):
        pipeline.emit(level, LOGGER, entry.action, fields)
