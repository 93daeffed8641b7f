"""logbraid: one safe JSON line from structlog, logging, loguru and python-json-logger.

The public names. Each is imported when it is first asked for, so that a program which only has
logbraid among its dependencies does not pay for it.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from logbraid import handlers as handlers
    from logbraid import processors as processors
    from logbraid import propagation as propagation
    from logbraid import testing as testing
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

_HOMES = {
    "configure": "LoggingHandle configure_logging debug_for get_level set_level",
    "context": "TracingContext bind_context bound_context clear_context current_context "
    "unbind_context",
    "doctor": "Report check",
    "errors": "ConfigError LogbraidError",
    "health": "Stats stats",
    "integrations.structlog": "BoundLogger get_logger",
    "middleware.asgi": "TracingMiddleware",
    "middleware.request": "response_metadata",
    "middleware.wsgi": "TracingWSGIMiddleware",
    "settings": "ScrubRules Settings",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}
_MODULES = ("handlers", "processors", "propagation", "testing")

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


def __getattr__(name: str) -> typing.Any:
    """Import the home of *name* at the first question (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"logbraid.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'logbraid' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"logbraid.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
