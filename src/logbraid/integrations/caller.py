"""Who called: the first frame on the stack that belongs neither to us nor to a logging library."""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Final

_INSIDE: Final = ("logbraid", "structlog", "logging")


def _caller() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a frame
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _INSIDE:
            return frame
        frame = frame.f_back
    return None


def caller_module() -> str:
    """Return the name of the calling module; ``root`` where there is none."""
    frame = _caller()
    return "root" if frame is None else str(frame.f_globals.get("__name__") or "root")


def call_site() -> tuple[str, str, int] | None:
    """Return module, function and line of the call."""
    frame = _caller()
    if frame is None:
        return None
    return str(frame.f_globals.get("__name__", "")), frame.f_code.co_name, frame.f_lineno


def stack_text() -> str:
    """Return the stack of the call as text, without local variables."""
    frame = _caller()
    lines = traceback.format_stack(frame) if frame is not None else []
    return "Stack (most recent call last):\n" + "".join(lines).rstrip("\n")
