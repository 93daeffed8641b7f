"""One run of an agent: a ``run_id`` on all its lines, and one line at its end that sums it up."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from logbraid import pipeline
from logbraid.agent.clean import Cleaner
from logbraid.agent.entry import MAX_SUMMARY_CHARS
from logbraid.agent.open_spans import open_run_span
from logbraid.agent.tally import Tally, current_tally
from logbraid.agent.told import LOGGER
from logbraid.context import bound_context, current_context
from logbraid.debug_buffer import begin, forget
from logbraid.drive import AlsoAsync, wrap
from logbraid.failure import error_message, error_type
from logbraid.ids import new_id
from logbraid.outcome import CANCELLED, OK, status_of
from logbraid.record import ERROR, INFO

if TYPE_CHECKING:
    from logbraid.agent.otel_spans import OpenSpan

_Function = TypeVar("_Function", bound=Callable[..., Any])


class agent_run(AlsoAsync):  # noqa: N801 - reads as a function: with agent_run("triage") as run
    """Bind a ``run_id`` for a with block, or around each call of a function, and sum it up.

    At the end one record ``agent_run`` says ``turns``, ``tools`` (``{"ok": 3, "error": 1}``),
    ``tokens``, ``cached_ratio`` (cached of the prompt's), ``usd_cost`` (``None``: unknown),
    ``slowest_step``, ``errors`` and the rest of what any tracer recorded in this context. It is
    an error if the block raised, with the traceback. A run inside a run has an id of its own and
    says ``parent_run_id``; its figures count in both. ``async with`` does the same.
    """

    def __init__(self, name: str | None = None, *, run_id: str | None = None) -> None:
        if callable(name):  # it would swallow the function, and a call of it would run nothing
            raise TypeError(
                "agent_run needs its brackets: write @agent_run() or @agent_run('name')"
            )
        self.name = name
        self._wanted = run_id
        self._open: list[_Running] = []
        self.run_id = ""
        """The id that is bound while it runs; of the last one that began."""
        self.tally = Tally()
        """The figures so far, of the same."""

    def __enter__(self) -> Self:
        running = _Running(self.name, self._wanted)
        self._open.append(running)
        self.run_id, self.tally = running.run_id, running.tally
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        now = current_tally.get()  # tasks may share one object: each ends its own
        mine = [one for one in self._open if one.tally is now] or self._open
        running = mine[-1]
        self._open.remove(running)
        running.end(error)

    def __call__(self, function: _Function, /) -> _Function:
        """Return *function* so that each call of it is a run."""
        name = self.name or getattr(function, "__name__", None)
        return wrap(function, lambda: agent_run(name, run_id=self._wanted))


class _Running:
    """A run that began: what is bound for it, and what it says at its end."""

    def __init__(self, name: str | None, wanted: str | None) -> None:
        self.name = name
        around = current_tally.get()
        parent = current_context().get("run_id")
        self._block = bound_context(run_id=wanted or new_id())
        self.run_id = self._block.__enter__()["run_id"]
        begin(self.run_id)
        self._parent = parent if parent != self.run_id else None
        self.tally = Tally(around)
        current_tally.set(self.tally)
        self._span = open_run_span(name)
        self._start = perf_counter_ns()

    def end(self, error: BaseException | None) -> None:
        """Write the run's line, and put in force again what was before."""
        try:
            self._tell(error)
        finally:
            if self._span is not None:
                self._close_span(self._span, error)
            forget(self.run_id)
            if current_tally.get() is self.tally:
                current_tally.set(self.tally.around)
            self._block.__exit__(None, None, None)

    def _close_span(self, span: OpenSpan, error: BaseException | None) -> None:
        status = OK if error is None else status_of(error)
        told: dict[str, Any] = {
            f"agent.run.{name}": value
            for name, value in self.tally.told().items()
            if isinstance(value, int | float)
        }
        description = ""
        if error is not None and status != OK:
            told["error.type"] = error_type(error)
            description = Cleaner.of(MAX_SUMMARY_CHARS).text(error_message(error))
        span.close_run(told, status, description)

    def _tell(self, error: BaseException | None) -> None:
        status = OK if error is None else status_of(error)
        fields: dict[str, Any] = {"name": self.name} if self.name else {}
        fields["status"] = status
        fields["duration_ms"] = round((perf_counter_ns() - self._start) / 1e6, 3)
        fields.update(self.tally.told())
        if self._parent:
            fields["parent_run_id"] = self._parent
        failed = status not in {OK, CANCELLED}
        pipeline.emit(
            ERROR if failed else INFO, LOGGER, "agent_run", fields, error=error if failed else None
        )
