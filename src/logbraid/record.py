"""The words of a record: its levels, its envelope and the order of its fields.

Plain facts that every other module shares. Nothing here has state and nothing here does work.

A record is one log call on its way to one line. Its fields stand in this order: the envelope
(``timestamp level logger event service env version``), the context (five ids, the trace, then
what else was bound), the call's own fields, the failure (``error_type error_message exception
stack``) and notes about the line itself (``truncated scrubbed level_name ...``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
"""What JSON can hold. Integers fit 64 bits, floats are finite, text has no lone surrogates."""

TRACE: Final = 5
DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50

LEVEL_WORDS: Final = {
    DEBUG: "debug",
    INFO: "info",
    WARNING: "warning",
    ERROR: "error",
    CRITICAL: "critical",
}
"""The five words a line's ``level`` may say: Loki, Vector and CloudWatch know no others."""

ID_NAMES: Final = ("tenant_id", "user_id", "session_id", "run_id", "request_id")
"""The five ids, in the order in which a line shows them."""

CONTEXT_ORDER: Final = (*ID_NAMES, "trace_id", "span_id")

HEAD: Final = ("timestamp", "level", "logger", "event", "service", "env", "version")
FAILURE: Final = ("error_type", "error_message", "exception", "stack")
NOTES: Final = ("truncated", "scrubbed", "level_name", "format_error", "reentrant", "buffered")

ENVELOPE: Final = frozenset((*HEAD, "exception", "stack", *NOTES))
"""Names that are ours: a caller's field of that name is written with a trailing ``_``."""


def level_name(level: int) -> str | None:
    """Return the own name of *level* where it is none of the five: ``trace``, ``level 25``."""
    if level in LEVEL_WORDS:
        return None
    return "trace" if level == TRACE else logging.getLevelName(level)


def level_word(level: int) -> str:
    """Return the word at or below *level*; below 10 it is ``debug``, 50 and above ``critical``."""
    word = LEVEL_WORDS.get(level)
    if word is not None:
        return word
    return LEVEL_WORDS[max(DEBUG, min(CRITICAL, level // 10 * 10))]


NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(slots=True)
class Record:
    """One log call as a door hands it over, whatever library it came from.

    ``event`` is the text (any object is shown), ``fields`` the call's own, ``bound`` what the
    logger carries, ``error`` the exception whose traceback is told, ``stack`` a formatted stack.
    ``context`` replaces the current context where a line must not have it. ``time_ns`` counts
    from the epoch (``None``: now). ``level_name`` is the level's own name where it is not one of
    the five words; ``format_error`` says why the text could not be put together. ``admitted``:
    its library's own level let it in, ours is not asked. ``callsite``: module, function, line.
    """

    level: int
    logger: str
    event: object
    fields: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    bound: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    error: BaseException | None = None
    stack: str | None = None
    context: Mapping[str, Any] | None = None
    time_ns: int | None = None
    level_name: str | None = None
    format_error: str | None = None
    admitted: bool = False
    callsite: tuple[str, str, int] | None = None
