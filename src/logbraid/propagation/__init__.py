"""Carry the tracing context where Python does not: threads, callbacks, children, other services.

``asyncio`` tasks and ``asyncio.to_thread`` carry it by themselves. A thread of a pool does not
(``carried.py``), a child process knows what its environment says (``environ.py``,
``children.py``), and a server what stands in the headers (``headers.py``). Each name is imported
when it is first asked for.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from logbraid.propagation.carried import ContextExecutor, in_context
    from logbraid.propagation.children import traced_run, traced_run_async
    from logbraid.propagation.environ import (
        CONTEXT,
        TOOL_TRACE_ID,
        TRACEPARENT,
        child_env,
        context_from_env,
        parse_traceparent,
    )
    from logbraid.propagation.headers import httpx_hook, inject_headers

_HOMES = {
    "carried": "ContextExecutor in_context",
    "children": "traced_run traced_run_async",
    "environ": "CONTEXT TOOL_TRACE_ID TRACEPARENT child_env context_from_env parse_traceparent",
    "headers": "httpx_hook inject_headers",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "CONTEXT",
    "TOOL_TRACE_ID",
    "TRACEPARENT",
    "ContextExecutor",
    "child_env",
    "context_from_env",
    "httpx_hook",
    "in_context",
    "inject_headers",
    "parse_traceparent",
    "traced_run",
    "traced_run_async",
]


def __getattr__(name: str) -> typing.Any:
    """Import the home of *name* at the first question (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'logbraid.propagation' has no attribute {name!r}")
    home = importlib.import_module(f"logbraid.propagation.{_HOME[name]}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
