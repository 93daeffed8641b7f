"""Which action is going on here: its entry, and its ids on every line logged inside it."""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import Final

from logbraid.agent.entry import TraceEntry
from logbraid.process import renew_after_fork

current: Final[ContextVar[TraceEntry | None]] = ContextVar("logbraid_action", default=None)

# Its own: programs seed the shared one, and two runs would have the same ids
_random: Final = random.Random()  # noqa: S311 - ids, no secrets
renew_after_fork(_random.seed)


def current_entry() -> TraceEntry | None:
    """Return the entry of the innermost action around this line of code, or ``None``."""
    return current.get()


def new_span_id() -> str:
    """Return 16 hex digits, not all zero."""
    return f"{_random.getrandbits(64) or 1:016x}"


def new_trace_id() -> str:
    """Return 32 hex digits, not all zero."""
    return f"{_random.getrandbits(128) or 1:032x}"
