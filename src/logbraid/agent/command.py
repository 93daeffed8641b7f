"""What a command-line tool says of itself in its JSON response, joined to its log by the ids."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypedDict

from logbraid import pipeline
from logbraid.agent.clean import Cleaner
from logbraid.context import bind_context
from logbraid.ids import new_id
from logbraid.propagation.environ import context_from_env
from logbraid.span_ids import new_trace_id

_IMPORTED: Final = time.perf_counter()
_MAX_CHARS: Final = 200
_STAT: Final = Path("/proc/self/stat")


class CommandMeta(TypedDict):
    """The ``meta`` object of a response."""

    request_id: str
    trace_id: str
    duration_ms: float
    timestamp: str
    command: str
    version: str


def command_meta(command: str, version: str, *, started: float | None = None) -> CommandMeta:
    """Return the ``meta`` of a tool's JSON response: six fields, made to be shown to anyone.

    ``request_id`` and ``trace_id`` are those that a line logged now carries, from the context or
    from the environment (``TOOL_TRACE_ID``, ``TRACEPARENT``, ``LOGBRAID_CONTEXT``). Where there
    is none a new one is made and bound, so that every later line, child process and call of this
    function has the same: call it first at the start for lines before the response to have it.
    ``duration_ms`` counts from *started*, a value of ``time.perf_counter()``; without one from
    the start of the process (on Linux as the kernel knows it, to 10 ms; elsewhere from the
    import of this module). ``timestamp`` is now, UTC. *command* and *version* are scrubbed.
    """
    clean = Cleaner.of(_MAX_CHARS)
    active = pipeline.ready()
    return {
        "request_id": _id("request_id", new_id),
        "trace_id": _id("trace_id", new_trace_id),
        "duration_ms": round(max(_seconds_since(started), 0.0) * 1000, 3),
        "timestamp": active.stamper.stamp(active.now()),
        "command": clean.text(str(command)),
        "version": clean.text(str(version)),
    }


def _id(name: str, make: Callable[[], str]) -> str:
    """Return the id that lines carry, after binding one where they carry none."""
    known = pipeline.ready().context_parts({})[0].get(name)
    if known:
        return known
    bind_context(**{name: context_from_env(os.environ).get(name) or make()})
    return pipeline.ready().context_parts({})[0][name]


def _seconds_since(started: float | None) -> float:
    if started is not None:
        return time.perf_counter() - started
    with suppress(OSError, ValueError, IndexError):
        if sys.platform == "linux":
            # proc(5): field 22, in ticks since boot; the name in brackets may hold anything
            ticks = int(_STAT.read_bytes().rpartition(b")")[2].split()[19])
            began = ticks / os.sysconf("SC_CLK_TCK")
            return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return time.perf_counter() - _IMPORTED
