"""Carry the tracing context where Python does not: threads, callbacks, children, other services.

``asyncio`` tasks and ``asyncio.to_thread`` carry it by themselves. A thread of a pool does not
(``carried.py``), a child process knows what its environment says (``environ.py``,
``children.py``), and a server what stands in the headers (``headers.py``).
"""

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
