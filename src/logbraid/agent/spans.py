"""Which action is going on here, and the ones around it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from logbraid.agent.entry import TraceEntry


class Frame:
    """An action that is going on, and the one *around* it."""

    __slots__ = ("around", "entry", "is_over")

    entry: TraceEntry
    around: Frame | None
    is_over: bool


current: Final[ContextVar[Frame | None]] = ContextVar("logbraid_action", default=None)


def innermost() -> Frame | None:
    """Return the innermost action that is not over: blocks may be left in any order."""
    return going_on(current.get())


def going_on(frame: Frame | None) -> Frame | None:
    """Return *frame*, or of those around it the first that is not over."""
    while frame is not None and frame.is_over:
        frame = frame.around
    return frame


def current_entry() -> TraceEntry | None:
    """Return the entry of the innermost action around this line of code, or ``None``."""
    frame = innermost()
    return None if frame is None else frame.entry
