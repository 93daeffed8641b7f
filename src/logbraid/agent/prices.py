"""What a model call cost: by a table of prices or by anyone's function. Unknown stays unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from logbraid.agent.entry import TraceEntry
from logbraid.agent.figures import money_of
from logbraid.health import health

Price = Mapping[str, float]
"""US dollars per million tokens: ``{"prompt": 2.5, "completion": 10.0, "cached": 1.25}``."""

Prices = Mapping[str, Price] | Callable[[TraceEntry], float | None]
"""A table from model name to its price, or a function of the entry (``None``: unknown).

A model that is not in the table by its whole name counts by the longest name that it begins
with: ``gpt-4o-2024-08-06`` by ``gpt-4o``.
"""

_MILLION: Final = 1_000_000


def cost_of(entry: TraceEntry, prices: Prices) -> float | None:
    """Return what *entry* cost in US dollars, ``None`` if that is not known. Never raises."""
    try:
        if callable(prices):
            return money_of(prices(entry))
        return _by_table(entry, prices)
    except Exception as error:  # noqa: BLE001 - a price function is anyone's callable
        health.complain("prices", error)
        return None


def _by_table(entry: TraceEntry, prices: Mapping[str, Price]) -> float | None:
    name = entry.model
    if name not in prices:
        name = max((one for one in prices if name.startswith(one)), key=len, default="")
    price = prices.get(name)
    if price is None or not entry.total_tokens:
        return None
    cached = min(entry.cached_tokens, entry.prompt_tokens) if "cached" in price else 0
    fresh = entry.prompt_tokens - cached
    dollars = fresh * price["prompt"] + entry.completion_tokens * price["completion"]
    return (dollars + cached * price.get("cached", 0.0)) / _MILLION
