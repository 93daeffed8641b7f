"""What agents do: action traces, event archives with replay, metrics, OpenTelemetry, runs."""

from logbraid.agent.entry import TraceEntry
from logbraid.agent.events import log_event
from logbraid.agent.run import agent_run
from logbraid.agent.shape import fingerprint, shape_of
from logbraid.agent.spans import current_entry
from logbraid.agent.tracer import ActionTracer

__all__ = [
    "ActionTracer",
    "TraceEntry",
    "agent_run",
    "current_entry",
    "fingerprint",
    "log_event",
    "shape_of",
]
