"""What agents do: action traces, event archives with replay, metrics, OpenTelemetry, runs.

What needs an extra is imported when it is first asked for.
"""

import importlib
import typing

from logbraid.agent.archive import EventArchive
from logbraid.agent.command import command_meta
from logbraid.agent.entry import TraceEntry
from logbraid.agent.events import log_event
from logbraid.agent.exporter import JSONLExporter
from logbraid.agent.replay import (
    ArchivedEvent,
    ArchivedSession,
    Replay,
    SessionNotFoundError,
    list_sessions,
    replay_session,
)
from logbraid.agent.run import agent_run
from logbraid.agent.shape import fingerprint, shape_of
from logbraid.agent.spans import current_entry
from logbraid.agent.timeline import session_timeline
from logbraid.agent.tracer import ActionTracer

if typing.TYPE_CHECKING:
    from logbraid.agent.metrics import AgentMetrics
    from logbraid.agent.metrics_registry import metrics_app
    from logbraid.agent.otel_genai import GenAISpanProcessor
    from logbraid.agent.otel_ids import TracingContextSpanProcessor
    from logbraid.agent.otel_scrub import ScrubbedSpanExporter

_HOMES = {
    "AgentMetrics": "metrics",
    "GenAISpanProcessor": "otel_genai",
    "ScrubbedSpanExporter": "otel_scrub",
    "TracingContextSpanProcessor": "otel_ids",
    "metrics_app": "metrics_registry",
}

__all__ = [
    "ActionTracer",
    "AgentMetrics",
    "ArchivedEvent",
    "ArchivedSession",
    "EventArchive",
    "GenAISpanProcessor",
    "JSONLExporter",
    "Replay",
    "ScrubbedSpanExporter",
    "SessionNotFoundError",
    "TraceEntry",
    "TracingContextSpanProcessor",
    "agent_run",
    "command_meta",
    "current_entry",
    "fingerprint",
    "list_sessions",
    "log_event",
    "metrics_app",
    "replay_session",
    "session_timeline",
    "shape_of",
]


def __getattr__(name: str) -> typing.Any:
    """Import the home of *name* at the first question (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'logbraid.agent' has no attribute {name!r}")
    home = importlib.import_module(f"logbraid.agent.{_HOMES[name]}")
    value = globals()[name] = getattr(home, name)
    return value
