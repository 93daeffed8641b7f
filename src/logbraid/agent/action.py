"""One use of ``ActionTracer.trace()``: a with block, an async with block, or a decorator."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Protocol, TypeVar

from logbraid.agent.entry import TraceEntry
from logbraid.agent.open_spans import open_span
from logbraid.agent.spans import Frame, current, innermost
from logbraid.context import TracingContext, bound
from logbraid.drive import wrap
from logbraid.pipeline import in_span

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Recorder(Protocol):
    """What an action needs of its tracer."""

    def begin(self, told: dict[str, Any], around: TraceEntry | None) -> TraceEntry:
        """Return an entry of *told* that begins here, inside *around*, with the ids of now."""

    def record(self, entry: TraceEntry) -> None:
        """Take an entry that ended."""


class Action:
    """One action: entered, it yields its ``TraceEntry``; left, the entry is recorded.

    As a decorator it makes a new action for each call, of functions, coroutine functions,
    generator functions and async generator functions; ``current_entry()`` is the entry inside,
    and without an ``operation`` the function's name is one. Blocks of one object may be nested,
    not entered by several threads or tasks at once: call ``trace()`` in each.
    """

    __slots__ = ("_open", "_recorder", "_told")

    def __init__(self, recorder: Recorder, told: dict[str, Any]) -> None:
        self._recorder = recorder
        self._told = told
        self._open: list[_Open] = []

    def __enter__(self) -> TraceEntry:
        told = self._told
        around = innermost()
        entry = self._recorder.begin(
            {**told, "metadata": {**told["metadata"]}}, None if around is None else around.entry
        )
        self._open.append(_Open(entry, around))
        return entry

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened = self._open.pop()
        entry = opened.end(error)
        try:
            self._recorder.record(entry)  # still inside: its line carries its span
        finally:
            opened.leave()

    async def __aenter__(self) -> TraceEntry:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _Function, /) -> _Function:
        """Return *function* so that each call of it is an action."""
        name = getattr(function, "__name__", "")
        told = {"operation": name, **self._told}
        return wrap(function, lambda: Action(self._recorder, told))


_TRACE = "opentelemetry.trace"


class _Open(Frame):
    """An action that began: what has to be undone when it ends.

    Undone is only what is still in force where it ends: another task keeps its own, and what was
    bound inside stays bound.
    """

    __slots__ = ("_span", "_start", "before", "inside")

    def __init__(self, entry: TraceEntry, around: Frame | None) -> None:
        super().__init__(entry, around)
        self._span = open_span(entry) if _TRACE in sys.modules else None
        self.before = self.inside = bound.get()
        if self._span is None:  # else every line asks OpenTelemetry for the innermost span
            self.inside = in_span(self.before, entry.trace_id, entry.span_id)
            bound.set(self.inside)
        current.set(self)
        self._start = perf_counter_ns()

    def end(self, error: BaseException | None) -> TraceEntry:
        """Return the entry with how long it took and how it ended."""
        entry = self.entry
        entry.duration_ms = round((perf_counter_ns() - self._start) / 1e6, 3)
        if error is not None:
            entry.fail(error)
        return entry

    def leave(self) -> None:
        """Put the span and the entry around it in force again."""
        self.is_over = True
        if self._span is not None:
            self._span.close(self.entry)
        around, before = self.around, self.before
        if around is not None and around.is_over:  # blocks were left out of order
            around, before = innermost(), self._ground()
        if current.get() is self:
            current.set(around)
        now = bound.get()
        if now is self.inside:
            bound.set(before)
        elif self._span is None and now.get("span_id") == self.entry.span_id:
            ids = ("trace_id", "span_id")
            bound.set(now.merged({name: before.get(name) for name in ids}))

    def _ground(self) -> TracingContext:
        """Return the context to go back to: no action's that ended before this one."""
        before, around = self.before, self.around
        while isinstance(around, _Open) and around.is_over and before is around.inside:
            before, around = around.before, around.around
        return before
