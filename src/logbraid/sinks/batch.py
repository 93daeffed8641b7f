"""Many lines to one sink at once: what the writer thread of a queue does.

A thread that gives up the interpreter's lock for each line gets it back some milliseconds later
when others are busy: two hundred lines a second. So sinks that can take many lines in one call of
the system are given many; every line is still counted by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat, starmap
from typing import Final, Protocol, TypeAlias, runtime_checkable

from logbraid import inside
from logbraid.health import health
from logbraid.sinks.sink import Sink, lost, runs_foreign_code

Item: TypeAlias = "tuple[bytes, str | None, str]"
"""A line, its tenant and its day, as ``Sink.write`` takes them."""

_MAX_BATCH_BYTES: Final = 2 * 1024 * 1024


@runtime_checkable
class TakesMany(Protocol):
    """A sink that can write many lines for the price of one."""

    def write_many(self, items: Sequence[Item]) -> Sequence[Item]:
        """Write *items* and return those that were not written, without raising for them.

        The caller writes these one by one with ``write``, to learn what is wrong.
        """


class Outlet:
    """One sink behind a queue: delivers batches to it and counts each line in its figures."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.is_foreign = runs_foreign_code(sink)
        self._many = sink if isinstance(sink, TakesMany) else None
        self.batch_bytes: int = getattr(sink, "batch_bytes", _MAX_BATCH_BYTES)

    def deliver(self, items: Sequence[Item]) -> None:
        """Write *items*; a failure is counted and told as for a sink without a queue."""
        rest = items
        if self._many is not None and len(items) > 1:
            rest = self._write_many(self._many, items)
            advance = health.figures(self.sink.name).written.advance
            # each one is counted, and no Python runs that other threads would wait for
            deque(starmap(advance, repeat((), len(items) - len(rest))), maxlen=0)
        for item in rest:
            self._deliver_one(item)

    def _write_many(self, sink: TakesMany, items: Sequence[Item]) -> Sequence[Item]:
        try:
            return sink.write_many(items)
        except Exception as error:  # noqa: BLE001 - one by one, each guarded: a line twice, none lost
            health.complain(f"sink {self.sink.name}", error)
            return items

    def _deliver_one(self, item: Item) -> None:
        if not self.is_foreign:
            self._write_one(item)
            return
        inside.enter()  # what the callable logs now was logged by logging
        try:
            self._write_one(item)
        finally:
            inside.leave()

    def _write_one(self, item: Item) -> None:
        try:
            self.sink.write(*item)
        except Exception as error:  # noqa: BLE001 - a sink may be anyone's callable
            lost(self.sink, error)
            return
        health.figures(self.sink.name).written.advance()
