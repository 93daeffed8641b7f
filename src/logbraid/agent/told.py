"""An entry as one line of the log: its action is the event, what is known of it are the fields."""

from __future__ import annotations

from typing import Any, Final

from logbraid import pipeline
from logbraid.agent.entry import TraceEntry, says
from logbraid.agent.outcome import CANCELLED, OK
from logbraid.level import levels
from logbraid.record import INFO, WARNING

LOGGER: Final = "logbraid.agent"
_TOLD: Final = dict.fromkeys(
    """
    operation connector asset_id conversation_id model input_summary output_summary error
    parent_span_id fingerprint metadata prompt_tokens completion_tokens total_tokens
    cached_tokens reasoning_tokens bytes_in bytes_out upstream_ms usd_cost status_code
    """.split()
)
"""What a line says of an entry beside its status; the ids are the context's."""

_GATE: Final = levels.gate(LOGGER)


def tell(entry: TraceEntry) -> None:
    """Log *entry*: at info if it went well or was cancelled, at warning if it failed.

    A failed action is no error of the service: the agent may try again. The run says that.
    """
    level = INFO if entry.status in {OK, CANCELLED} else WARNING
    if level < _GATE.level:
        return
    fields = _fields(entry)
    # The short way is a third faster, where nothing is to be redacted
    if not pipeline.active.fast(level, _GATE, entry.action, fields):
        pipeline.emit(level, LOGGER, entry.action, fields)


def _fields(entry: TraceEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {"status": entry.status, "duration_ms": entry.duration_ms}
    set_ones = vars(entry).items()  # what was never set is not there
    fields.update({name: value for name, value in set_ones if name in _TOLD and says(value)})
    if entry.error_class:
        fields["error_class"] = entry.error_class
    return fields
