"""Which action is going on here: its entry, and its ids on every line logged inside it."""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import Final

from logbraid.agent.entry import TraceEntry
from logbraid.process import renew_after_fork


class Frame:
    """An action that is going on, and the one *around* it."""

    __slots__ = ("around", "entry", "is_over")

    def __init__(self, entry: TraceEntry, around: Frame | None) -> None:
        self.entry = entry
        self.around = around
        self.is_over = False


current: Final[ContextVar[Frame | None]] = ContextVar("logbraid_action", default=None)

# Its own: programs seed the shared one, and two runs would have the same ids
_random: Final = random.Random()  # noqa: S311 - ids, no secrets
renew_after_fork(_random.seed)


def innermost() -> Frame | None:
    """Return the innermost action that is not over: blocks may be left in any order."""
    frame = current.get()
    while frame is not None and frame.is_over:
        frame = frame.around
    return frame


def current_entry() -> TraceEntry | None:
    """Return the entry of the innermost action around this line of code, or ``None``."""
    frame = innermost()
    return None if frame is None else frame.entry


def new_span_id() -> str:
    """Return 16 hex digits, not all zero."""
    return f"{_random.getrandbits(64) or 1:016x}"


def new_trace_id() -> str:
    """Return 32 hex digits, not all zero."""
    return f"{_random.getrandbits(128) or 1:032x}"
