"""logbraid: one safe JSON line from structlog, logging, loguru and python-json-logger."""

from logbraid.configure import LoggingHandle, configure_logging, debug_for, get_level, set_level
from logbraid.context import (
    TracingContext,
    bind_context,
    bound_context,
    clear_context,
    current_context,
    unbind_context,
)
from logbraid.doctor import Report, check
from logbraid.errors import ConfigError, LogbraidError
from logbraid.health import Stats, stats
from logbraid.integrations.structlog import BoundLogger, get_logger
from logbraid.middleware.asgi import TracingMiddleware
from logbraid.middleware.request import response_metadata
from logbraid.middleware.wsgi import TracingWSGIMiddleware
from logbraid.settings import ScrubRules, Settings

__all__ = [
    "BoundLogger",
    "ConfigError",
    "LogbraidError",
    "LoggingHandle",
    "Report",
    "ScrubRules",
    "Settings",
    "Stats",
    "TracingContext",
    "TracingMiddleware",
    "TracingWSGIMiddleware",
    "bind_context",
    "bound_context",
    "check",
    "clear_context",
    "configure_logging",
    "current_context",
    "debug_for",
    "get_level",
    "get_logger",
    "response_metadata",
    "set_level",
    "stats",
    "unbind_context",
]
