"""Events of an agent framework as entries, so that both are counted in one way.

``turn_begin`` and ``turn_end``, ``tool_complete``, ``llm_call_completed``, ``tool_confirmation``,
``confirm`` and ``max_iterations``, with the names that agentao gives their data. Not here: how an
event is read (``events.py``), what is counted (``metrics.py``).
"""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from time import monotonic
from typing import Any, Final

from logbraid.agent.entry import TraceEntry
from logbraid.agent.events import Event
from logbraid.agent.figures import count_of, number_of
from logbraid.agent.names import CONFIRM, LLM_CALL, MAX_ITERATIONS, TOOL_CALL, TURN
from logbraid.context import current_context
from logbraid.outcome import CANCELLED, ERROR, OK, TIMEOUT
from logbraid.process import renew_after_fork

_BEGIN: Final = "turn_begin"
_ACTIONS: Final = {
    "turn_end": TURN,
    "tool_complete": TOOL_CALL,
    "llm_call_completed": LLM_CALL,
    "tool_confirmation": CONFIRM,
    "confirm": CONFIRM,
    "max_iterations": MAX_ITERATIONS,
}
_STATUSES: Final = {
    word: status
    for status, words in (
        (OK, "ok success succeeded completed done"),
        (CANCELLED, "cancelled canceled aborted"),
        (TIMEOUT, "timeout timed_out"),
    )
    for word in words.split()
}
"""How frameworks call it; every other word is an error."""

_CODE: Final = re.compile(r"(?:error|status)(?: code)?:? ([45]\d\d)\b", re.IGNORECASE)
_COUNTS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_LONGEST_MESSAGE: Final = 500
_MAX_OPEN_TURNS: Final = 10_000


class EventEntries:
    """Reads events one by one; remembers when turns began. Safe for threads and after a fork.

    The entries are for counting: they say what the event says, and neither ids nor times.
    """

    def __init__(self) -> None:
        self._began: OrderedDict[tuple[Any, ...], float] = OrderedDict()
        self._renew()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def of(self, event: Event) -> list[TraceEntry]:
        """Return the entries that *event* tells of; none for one that only begins something.

        ``duration_ms`` is not a number where nobody knows it.
        """
        if event.type == _BEGIN:
            self._begin()
        action = _ACTIONS.get(event.type)
        if action is None:
            return []
        entry = _entry_of(action, event.data)
        if action != TURN:
            return [entry]
        elapsed = self._end()
        if math.isnan(entry.duration_ms):
            entry.duration_ms = elapsed * 1000
        if event.data.get("incomplete_reason") == MAX_ITERATIONS:
            return [entry, TraceEntry.began({"action": MAX_ITERATIONS})]
        return [entry]

    def _begin(self) -> None:
        with self._lock:
            self._began[_turn()] = monotonic()
            while len(self._began) > _MAX_OPEN_TURNS:
                self._began.popitem(last=False)

    def _end(self) -> float:
        """Return how many seconds ago the turn of this context began."""
        with self._lock:
            return monotonic() - self._began.pop(_turn(), math.nan)


def _turn() -> tuple[Any, ...]:
    context = current_context()
    return tuple(context.get(name) for name in ("tenant_id", "session_id", "run_id", "request_id"))


def _entry_of(action: str, data: dict[str, Any]) -> TraceEntry:
    milliseconds = number_of(data.get("duration_ms"))
    status = _status_in(data)
    told: dict[str, Any] = {
        "action": action,
        "operation": _text(data.get("tool")),
        "model": _text(data.get("model")),
        "duration_ms": math.nan if milliseconds is None else milliseconds,
        "metadata": {"outcome": data.get("outcome", "request")},
        "status": status,
    }
    told.update({name: count_of(data[name]) for name in _COUNTS if name in data})
    if "cache_read_tokens" in data:
        told.setdefault("cached_tokens", count_of(data["cache_read_tokens"]))
    if status not in {OK, CANCELLED}:
        told["error_class"] = _text(data.get("error_class") or data.get("error_type"))
        told["status_code"] = _code_in(data)
    return TraceEntry.began(told)


def _status_in(data: dict[str, Any]) -> str:
    """Return one of our four words; without a status, an error or a lack of success is one."""
    told = data.get("status")
    if told is None:
        return ERROR if data.get("error") or data.get("success") is False else OK
    return _STATUSES.get(str(told).lower(), ERROR)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _code_in(data: dict[str, Any]) -> int | None:
    """Return the HTTP status of a failed call: told by itself, or in the error's text."""
    code = data.get("status_code")
    if type(code) is int:
        return code
    found = _CODE.search(str(data.get("error_message") or "")[:_LONGEST_MESSAGE])
    return int(found[1]) if found else None
