"""Numbers as others tell them: counts, money, milliseconds. What cannot be one is none.

Nor is one that nothing real can be: a sum that it got into would stay useless for ever.
"""

from __future__ import annotations

from typing import Any, Final

_MOST: Final = 2.0**53


def number_of(value: Any) -> float | None:
    """Return *value* as a number from 0 to 2**53, or ``None``."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= _MOST else None


def count_of(value: Any) -> int:
    """Return *value* as a count; 0 where it is none."""
    return int(number_of(value) or 0)


def money_of(value: Any) -> float | None:
    """Return *value* in US dollars; ``None`` where it is unknown."""
    return number_of(value)
