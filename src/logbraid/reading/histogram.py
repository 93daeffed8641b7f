"""Latencies in bins: quantiles of any number of values in a bounded number of counts.

A bin is 1.1 % wide and remembers its smallest and largest value, so that few values, and values
that are equal, give exact quantiles, and all others are off by less than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

BINS_A_DOUBLING: Final = 64
NOTHING: Final = -1_000_000
"""The bin of zero and of what is below."""


def bin_of(value: float) -> int:
    """Return the number of the bin that *value* falls into."""
    return math.floor(math.log2(value) * BINS_A_DOUBLING) if value > 0 else NOTHING


@dataclass(slots=True)
class Histogram:
    """Values counted by bin: number, smallest, largest of each."""

    bins: dict[int, list[float]] = field(default_factory=dict)
    total: int = 0

    def add(self, value: float) -> None:
        """Count one finite value."""
        self.add_bin(bin_of(value), 1, value, value)

    def add_bin(self, number: int, count: int, smallest: float, largest: float) -> None:
        """Count *count* values that fall into one bin."""
        self.total += count
        known = self.bins.get(number)
        if known is None:
            self.bins[number] = [count, smallest, largest]
            return
        known[0] += count
        known[1] = min(known[1], smallest)
        known[2] = max(known[2], largest)

    @property
    def smallest(self) -> float:
        """The smallest value."""
        return min(one[1] for one in self.bins.values())

    @property
    def largest(self) -> float:
        """The largest value."""
        return max(one[2] for one in self.bins.values())

    def quantiles(self, *shares: float) -> list[float | None]:
        """Return the values below which *shares* (0 to 1, rising) of all lie; ``None`` of none."""
        if not self.total:
            return [None for _ in shares]
        bins = [self.bins[number] for number in sorted(self.bins)]
        return [_at(bins, share * (self.total - 1)) for share in shares]

    def columns(self, low: float, high: float, width: int) -> list[int]:
        """Return how many values fall into each of *width* columns, equal steps of the logarithm.

        *low* and *high* are positive; what is outside is in the first and the last.
        """
        counts = [0] * width
        span = math.log(high / low) or 1.0
        for number, least, most in self.bins.values():
            middle = max((least + most) / 2, low)
            counts[min(int(math.log(middle / low) / span * width), width - 1)] += int(number)
        return counts


def _at(bins: list[list[float]], rank: float) -> float:
    whole = math.floor(rank)
    value = _ranked(bins, whole)
    if rank == whole:
        return value
    return value + (rank - whole) * (_ranked(bins, whole + 1) - value)


def _ranked(bins: list[list[float]], rank: int) -> float:
    for count, smallest, largest in bins:
        if rank < count:
            return smallest + (largest - smallest) * (rank / (count - 1) if count > 1 else 0)
        rank -= int(count)
    return bins[-1][2]
