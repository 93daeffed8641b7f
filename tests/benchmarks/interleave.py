"""Programs in turn, in one process: A B C, B C A, ... and the ratio of each to the base per round.

Machines are shared and noisy, so no figure here is a time: what slows one turn slows its
neighbours, and the median over the rounds of ratios within a round tells what stays. The order is
shuffled in every round, turns last about equally long, garbage collection is as usual.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NamedTuple

_LARGEST_TURN = 20_000


@dataclass(frozen=True, slots=True)
class Program:
    """What is measured: *batch* makes the items of one turn, *run* is timed with them.

    *run* runs in *context*, so that what one program bound is not seen by another. *after* is
    called after each turn and not timed.
    """

    name: str
    batch: Callable[[int], list[Any]]
    run: Callable[[list[Any]], object]
    context: Context
    after: Callable[[], object] | None = None
    least: int = 5


class Spread(NamedTuple):
    """The median of the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float

    def inverse(self) -> Spread:
        """Return the spread of one over each ratio: a rate instead of a time."""
        return Spread(1 / self.median, 1 / self.high, 1 / self.low)


@dataclass(frozen=True, slots=True)
class Result:
    """The seconds per item of each program in each round."""

    times: dict[str, list[float]]
    base: str

    def against(self, name: str, base: str) -> Spread:
        """Return the spread of the ratios, round by round, of *name* to *base*."""
        return spread(
            [one / by for one, by in zip(self.times[name], self.times[base], strict=True)]
        )

    @property
    def ratios(self) -> dict[str, Spread]:
        """The spread of each program's ratio to the base."""
        return {name: self.against(name, self.base) for name in self.times}

    @property
    def base_us(self) -> float:
        """The median of the base itself, in microseconds an item."""
        return statistics.median(self.times[self.base]) * 1e6


def interleave(
    programs: Sequence[Program], *, base: str, rounds: int, turn_seconds: float
) -> Result:
    """Run *programs* in turn, after a warm-up."""
    sizes = {program.name: _size(program, turn_seconds) for program in programs}
    for program in programs:
        _turn(program, sizes[program.name])
    times: dict[str, list[float]] = {program.name: [] for program in programs}
    for _ in range(rounds):
        for program in random.sample(list(programs), len(programs)):
            times[program.name].append(_turn(program, sizes[program.name]))
    return Result(times, base)


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles of *values*, at least two."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def _size(program: Program, turn_seconds: float) -> int:
    """Return how many items fill a turn; warms *program* up meanwhile."""
    size = program.least
    while True:
        each = _turn(program, size)
        wanted = int(turn_seconds / max(each, 1e-9))
        if wanted < 2 * size or size >= _LARGEST_TURN:
            return max(program.least, min(wanted, _LARGEST_TURN))
        size = min(wanted, 8 * size, _LARGEST_TURN)


def _turn(program: Program, size: int) -> float:
    """Return the seconds per item of one turn."""
    batch = program.batch(size)
    seconds = program.context.run(_timed, program.run, batch)
    if program.after is not None:
        program.after()
    return seconds / size


def _timed(run: Callable[[list[Any]], object], batch: list[Any]) -> float:
    begun = time.perf_counter()
    run(batch)
    return time.perf_counter() - begun
