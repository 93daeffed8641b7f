"""What the actions of one run add up to. Every tracer adds its entries to the run around them.

Not here: where a run begins and ends, and how it is told (``run.py``).
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any, Final

from logbraid.agent.entry import TraceEntry
from logbraid.agent.names import CONFIRM, LLM_CALL, MAX_ITERATIONS, TOOL_CALL, TURN
from logbraid.outcome import OK
from logbraid.process import renew_after_fork


class _Lock:
    """One for all tallies: adding takes a microsecond. Fresh in a forked child."""

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self.renew)

    def renew(self) -> None:
        self.lock = threading.Lock()


_lock: Final = _Lock()


class Tokens:
    """Token counts that were added up."""

    __slots__ = ("cached", "completion", "prompt", "reasoning", "total")

    def __init__(self) -> None:
        self.prompt = self.completion = self.cached = self.reasoning = self.total = 0

    def add(self, entry: TraceEntry) -> None:
        """Add those of *entry*."""
        self.prompt += entry.prompt_tokens
        self.completion += entry.completion_tokens
        self.cached += entry.cached_tokens
        self.reasoning += entry.reasoning_tokens
        self.total += entry.total_tokens


class Tally:
    """The figures of one run. Adding is safe for threads; *around* is the run that this is in."""

    def __init__(self, around: Tally | None = None) -> None:
        self.around = around
        self.actions: dict[str, int] = {}
        self.tools = {"ok": 0, "error": 0}
        self.errors = 0
        self.unpriced = 0
        self.slowest: TraceEntry | None = None
        self._of_calls = Tokens()
        self._of_others = Tokens()
        self._cost_of_calls: float | None = None
        self._cost_of_others: float | None = None

    def add(self, entry: TraceEntry) -> None:
        """Count *entry* here and in every run around."""
        tally: Tally | None = self
        with _lock.lock:
            while tally is not None:
                tally._add(entry)  # noqa: SLF001 - another one of us
                tally = tally.around

    def _add(self, entry: TraceEntry) -> None:
        self.actions[entry.action] = self.actions.get(entry.action, 0) + 1
        is_ok = entry.status == OK
        if entry.action == TOOL_CALL:
            self.tools["ok" if is_ok else "error"] += 1
        if not is_ok:
            self.errors += 1
        if entry.action != TURN and (
            self.slowest is None or entry.duration_ms > self.slowest.duration_ms
        ):
            self.slowest = entry
        if entry.action == LLM_CALL:
            self._of_calls.add(entry)
            self._cost_of_calls = _sum(self._cost_of_calls, entry.usd_cost)
        else:
            self._of_others.add(entry)
            self._cost_of_others = _sum(self._cost_of_others, entry.usd_cost)
        if entry.total_tokens and entry.usd_cost is None:
            self.unpriced += 1

    @property
    def turns(self) -> int:
        """How many turns ended."""
        return self.actions.get(TURN, 0)

    @property
    def tokens(self) -> Tokens:
        """The tokens of the model calls; of other actions where no model call told any.

        A turn that repeats the sum of its calls is not counted twice.
        """
        return self._of_calls if self._of_calls.total else self._of_others

    @property
    def usd_cost(self) -> float | None:
        """What is known of the cost; ``None`` if nothing is."""
        return self._cost_of_others if self._cost_of_calls is None else self._cost_of_calls

    def told(self) -> dict[str, Any]:
        """Return the figures as the fields of a record."""
        tokens = self.tokens
        fields: dict[str, Any] = {
            "turns": self.turns,
            "llm_calls": self.actions.get(LLM_CALL, 0),
            "tools": dict(self.tools),
            "tokens": tokens.total,
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "cached_ratio": round(tokens.cached / tokens.prompt, 4) if tokens.prompt else None,
            "usd_cost": None if self.usd_cost is None else round(self.usd_cost, 6),
            "errors": self.errors,
            "slowest_step": _step(self.slowest),
        }
        if self.unpriced:
            fields["calls_without_price"] = self.unpriced
        for name in (CONFIRM, MAX_ITERATIONS):
            if name in self.actions:
                fields[name] = self.actions[name]
        return fields


def _sum(known: float | None, cost: float | None) -> float | None:
    return known if cost is None else (known or 0.0) + cost


def _step(entry: TraceEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    step: dict[str, Any] = {"action": entry.action, "duration_ms": entry.duration_ms}
    return {**step, "operation": entry.operation} if entry.operation else step


current_tally: Final[ContextVar[Tally | None]] = ContextVar("logbraid_run", default=None)


def count(entry: TraceEntry) -> None:
    """Count *entry* in the run around this line of code, if there is one."""
    tally = current_tally.get()
    if tally is not None:
        tally.add(entry)
