"""An exception as fields: its class, its message, its traceback. Never its local variables.

Locals in tracebacks are how keys and prompts get out (Delgan/loguru#954, hynek/structlog#715).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Final

from logbraid.plain.texts import LOOK_AHEAD, clean
from logbraid.truncate import cut, join_window, window_text

_MAX_FRAMES: Final = 200


def error_of(exc_info: object) -> BaseException | None:
    """Return the exception that *exc_info* means, in any form that a log call may be given it.

    ``True`` is the one being handled; an exception, or a tuple with one, is that; all else, such
    as ``(None, None, None)`` or ``True`` outside of an ``except`` block, is none.
    """
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return next((item for item in exc_info if isinstance(item, BaseException)), None)
    return sys.exc_info()[1] if exc_info else None


def error_type(error: BaseException) -> str:
    """Return the class of *error* with its module, builtins without."""
    kind = type(error)
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def error_message(error: BaseException) -> str:
    """Return the text of *error*, or what can be said of one whose text fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a stranger's __str__
        return f"<unprintable {type(error).__name__}>"


def traceback_text(error: BaseException) -> str:
    """Return the traceback of *error* with its causes and groups, without local variables."""
    try:
        told = traceback.TracebackException(
            type(error), error, error.__traceback__, limit=-_MAX_FRAMES, compact=True
        )
        return "".join(told.format()).rstrip("\n")
    except Exception:  # noqa: BLE001 - a stranger's __str__, __notes__ or a source file that broke
        return f"{error_type(error)}: {error_message(error)}"


def failure_fields(
    error: BaseException | None,
    stack: str | None,
    *,
    limits: tuple[int, int],
    notes: dict[str, int],
    scrub: Callable[[str], str],
) -> dict[str, str]:
    """Return what a line says of *error* and *stack*, scrubbed by *scrub* and within *limits*.

    *limits* are the characters of a summary and of a traceback. *notes* gets the original length
    of what was cut.
    """
    summary, most = limits
    told: dict[str, str] = {}
    if error is not None:
        told["error_type"] = _short("error_type", error_type(error), summary, notes, scrub)
        told["error_message"] = _short("error_message", error_message(error), summary, notes, scrub)
        told["exception"] = _long("exception", traceback_text(error), most, notes, scrub)
    if stack:
        told["stack"] = _long("stack", stack, most, notes, scrub)
    return told


def _short(
    name: str, text: str, limit: int, notes: dict[str, int], scrub: Callable[[str], str]
) -> str:
    is_windowed = len(text) > limit + LOOK_AHEAD
    scrubbed = scrub(clean(text[: limit + LOOK_AHEAD]))
    if not is_windowed and len(scrubbed) <= limit:
        return scrubbed
    notes[name] = len(text)
    return cut(scrubbed, limit, original=len(text), windowed=is_windowed)


def _long(
    name: str, text: str, limit: int, notes: dict[str, int], scrub: Callable[[str], str]
) -> str:
    """Cut *text* in its middle, most of it kept at the end: there the cause stands."""
    window = window_text(clean(text), limit)
    head = scrub(window.head)
    tail = scrub(window.tail) if window.tail else ""
    if tail or len(head) > limit:
        notes[name] = window.original
    return join_window(head, tail, limit, window.original)
