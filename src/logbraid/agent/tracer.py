"""The tracer: keeps the last entries, and hands each to whoever asked for it.

Not here: what one action is (``action.py``), what an entry says (``entry.py``), where entries go
(``exporter.py``, ``metrics.py``, ``told.py`` for the log).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from logbraid import pipeline
from logbraid.agent.action import Action
from logbraid.agent.entry import TraceEntry
from logbraid.agent.open_spans import span_of
from logbraid.agent.prices import Prices, cost_of
from logbraid.agent.spans import current_entry
from logbraid.agent.tally import count, current_tally
from logbraid.agent.told import tell
from logbraid.health import health
from logbraid.record import Plain
from logbraid.span_ids import new_span_id, new_trace_id

Subscriber = Callable[[TraceEntry], object]


class ActionTracer:
    """Records what an agent does. Safe for threads and tasks.

    ``turn``, ``llm_call``, ``tool_call`` (the tool's name is the ``operation``), ``confirm`` and
    ``max_iterations`` are the actions that metrics and ``agent_run`` know; any other text is one
    too. The last *max_entries* are kept (0: none). *prices* make ``usd_cost`` of token counts,
    see ``Prices``. Each entry is logged as one line, unless *log* is false.
    """

    def __init__(
        self, *, max_entries: int = 1000, prices: Prices | None = None, log: bool = True
    ) -> None:
        if max_entries < 0:
            raise ValueError(f"max_entries is {max_entries}: use 0 to keep none, or more")
        self._entries: deque[TraceEntry] = deque(maxlen=max_entries)
        self._subscribers: tuple[tuple[str | None, Subscriber], ...] = ()
        self._prices = prices
        self._is_logged = log
        self.subscriber_errors = 0
        """How often a subscriber raised. Each is told on stderr once a minute at most."""

    # -- actions ---------------------------------------------------------------------------

    def trace(
        self,
        action: str,
        *,
        connector: str = "",
        asset_id: str = "",
        operation: str = "",
        conversation_id: str = "",
        **metadata: Any,
    ) -> Action:
        """Return *action* for ``with``, ``async with`` or as a decorator; it yields its entry.

        The entry is recorded at the end, however it ends; what the block raises goes on.
        """
        if callable(action):
            raise TypeError("trace() needs its brackets and an action: @tracer.trace('tool_call')")
        told: dict[str, Any] = {"action": action}
        if connector:
            told["connector"] = connector
        if asset_id:
            told["asset_id"] = asset_id
        if operation:
            told["operation"] = operation
        if conversation_id:
            told["conversation_id"] = conversation_id
        return Action(self, told, metadata)

    def begin(
        self, told: Mapping[str, Any], metadata: Mapping[str, Any], around: TraceEntry | None
    ) -> TraceEntry:
        """Return an entry of *told* that begins here, inside *around*, with the ids of now."""
        fields = {
            **pipeline.active.fastpath.ids_here(),
            **told,
            "metadata": {**metadata},
            "timestamp": datetime.now(UTC),
            "span_id": new_span_id(),
        }
        if around is not None:
            fields["parent_span_id"] = around.span_id
            if "trace_id" not in fields:
                fields["trace_id"] = around.trace_id
        elif "trace_id" not in fields:
            fields["trace_id"] = new_trace_id()
        return TraceEntry.began(fields)

    def _adopt(self, entry: TraceEntry) -> None:
        """Fill in what an entry made by hand does not say of its ids."""
        for name, value in vars(self.begin({}, {}, current_entry())).items():
            if name != "timestamp" and not getattr(entry, name):
                setattr(entry, name, value)

    def record(self, entry: TraceEntry) -> None:
        """Take *entry*, which ended: one of ``trace()``, or one made by hand.

        Never raises: a subscriber that fails is counted and told, the others get the entry.
        """
        self._entries.append(entry)
        try:
            entry.settle()
            if not entry.span_id:
                self._adopt(entry)
                span_of(entry)
            if self._prices is not None and entry.usd_cost is None and entry.model:
                entry.usd_cost = cost_of(entry, self._prices)
        except Exception as error:  # noqa: BLE001 - an entry's fields may hold anything
            health.complain("trace entry", error)
        if current_tally.get() is not None:
            self._hand_on(count, entry)
        if self._subscribers:
            self._hand_on(self._tell_subscribers, entry)
        if self._is_logged:
            try:  # what most tracers do: a call less
                tell(entry)
            except Exception as error:  # noqa: BLE001 - as above
                health.complain("trace entry", error)

    def _hand_on(self, step: Subscriber, entry: TraceEntry) -> None:
        try:
            step(entry)
        except Exception as error:  # noqa: BLE001 - as above
            health.complain("trace entry", error)

    def _tell_subscribers(self, entry: TraceEntry) -> None:
        for action, subscriber in self._subscribers:
            if action is None or action == entry.action:
                self._hand(subscriber, entry)

    def _hand(self, subscriber: Subscriber, entry: TraceEntry) -> None:
        try:
            subscriber(entry)
        except Exception as error:  # noqa: BLE001 - a subscriber is anyone's callable
            self.subscriber_errors += 1
            health.complain(f"trace subscriber {_name_of(subscriber)}", error)

    # -- who listens -----------------------------------------------------------------------

    def subscribe(self, callback: Subscriber, *, action: str | None = None) -> Callable[[], None]:
        """Call *callback* with each entry (or those of one *action*) as it is recorded.

        Returns the function that undoes it. A callback runs in the thread of the action.
        """
        one = (action, callback)
        self._subscribers = (*self._subscribers, one)

        def undo() -> None:
            self._subscribers = tuple(each for each in self._subscribers if each is not one)

        return undo

    # -- what is kept ----------------------------------------------------------------------

    @property
    def entries(self) -> list[TraceEntry]:
        """The entries that are kept, oldest first, as a new list. Their texts are not redacted."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def summary(self) -> list[dict[str, Plain]]:
        """Return the entries that are kept as dicts of JSON types, scrubbed and cut."""
        return [entry.to_dict() for entry in self.entries]


def _name_of(subscriber: Subscriber) -> str:
    return getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
