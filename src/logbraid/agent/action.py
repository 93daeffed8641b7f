"""One use of ``ActionTracer.trace()``: a with block, an async with block, or a decorator."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from logbraid.agent.entry import TraceEntry
from logbraid.agent.open_spans import open_span
from logbraid.agent.spans import Frame, current, going_on, innermost
from logbraid.context import SpanContext, TracingContext, bound
from logbraid.drive import AlsoAsync, wrap

_Function = TypeVar("_Function", bound=Callable[..., Any])
_TRACE: Final = "opentelemetry.trace"


class Recorder(Protocol):
    """What an action needs of its tracer."""

    def begin(
        self, told: Mapping[str, Any], metadata: Mapping[str, Any], around: TraceEntry | None
    ) -> TraceEntry:
        """Return an entry of *told* that begins here, inside *around*, with the ids of now."""

    def record(self, entry: TraceEntry) -> None:
        """Take an entry that ended."""


class Action(Frame, AlsoAsync):
    """One action: entered, it yields its ``TraceEntry``; left, the entry is recorded.

    As a decorator it makes a new action for each call, of functions, coroutine functions,
    generator functions and async generator functions; ``current_entry()`` is the entry inside,
    and without an ``operation`` the function's name is one. Blocks of one object may be nested,
    not entered by several threads or tasks at once: call ``trace()`` in each.
    """

    __slots__ = (
        "_again",
        "_around",
        "_has_begun",
        "_inside",
        "_metadata",
        "_recorder",
        "_span",
        "_start",
        "_told",
    )

    def __init__(self, recorder: Recorder, told: dict[str, Any], metadata: dict[str, Any]) -> None:
        self._recorder = recorder
        self._told = told
        self._metadata = metadata
        self._has_begun = self.is_over = False

    def __enter__(self) -> TraceEntry:
        if self._has_begun:
            return self._enter_again()
        self._has_begun = True
        self._again: list[Action] | None = None
        around = current.get()
        self.around = around = innermost() if around is not None and around.is_over else around
        self.entry = entry = self._recorder.begin(
            self._told, self._metadata, None if around is None else around.entry
        )
        self._span = open_span(entry) if _TRACE in sys.modules else None
        self._around = self._inside = bound.get()
        if self._span is None:  # else every line asks OpenTelemetry for the innermost span
            self._inside = SpanContext(self._around, entry.trace_id, entry.span_id)
            bound.set(self._inside)
        current.set(self)
        self._start = perf_counter_ns()
        return entry

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._again:
            self._again.pop().__exit__(kind, error, traceback)
            return
        entry = self.entry
        entry.duration_ms = (perf_counter_ns() - self._start) // 1000 / 1000
        try:
            if error is not None:
                entry.fail(error)
            self._recorder.record(entry)  # still inside: its line carries its span
        finally:
            self._leave()

    def _enter_again(self) -> TraceEntry:
        """Enter a new action of the same words: the first one may be current elsewhere."""
        again = Action(self._recorder, self._told, self._metadata)
        entry = again.__enter__()
        self._again = self._again or []
        self._again.append(again)
        return entry

    def _leave(self) -> None:
        """Put the span and the entry around it in force again.

        Undone is only what is still in force here: another task keeps its own, and what was bound
        inside stays bound.
        """
        self.is_over = True
        if self._span is not None:
            self._span.close(self.entry)
        around, before = self.around, self._around
        if around is not None and around.is_over:  # blocks were left out of order
            around, before = going_on(around), self._ground()
            self.around, self._around = around, before  # or a loop of tasks would keep all of them
        if current.get() is self:
            current.set(around)
        now = bound.get()
        if now is self._inside:
            bound.set(before)
        elif self._span is None and now.get("span_id") == self.entry.span_id:
            ids = ("trace_id", "span_id")
            bound.set(now.merged({name: before.get(name) for name in ids}))

    def _ground(self) -> TracingContext:
        """Return the context to go back to: no action's that ended before this one."""
        before, frame = self._around, self.around
        while isinstance(frame, Action) and frame.is_over and before is frame._inside:  # noqa: SLF001 - another one of us
            before, frame = frame._around, frame.around  # noqa: SLF001 - as above
        return before

    def __call__(self, function: _Function, /) -> _Function:
        """Return *function* so that each call of it is an action."""
        body: Any = function.func if isinstance(function, partial) else function
        name = getattr(body, "__name__", type(body).__name__)
        told = {"operation": name, **self._told}
        return wrap(function, lambda: Action(self._recorder, told, self._metadata))
