"""Numbers as others tell them: counts, money, milliseconds. What cannot be one is none."""

from __future__ import annotations

import math
from typing import Any


def number_of(value: Any) -> float | None:
    """Return *value* as a finite number of at least 0, or ``None``."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < math.inf else None


def count_of(value: Any) -> int:
    """Return *value* as a count; 0 where it is none."""
    return int(number_of(value) or 0)


def money_of(value: Any) -> float | None:
    """Return *value* in US dollars; ``None`` where it is unknown."""
    return number_of(value)
