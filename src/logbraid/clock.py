"""Stamps: a nanosecond count becomes ``2026-11-21T10:30:00.123456Z`` and a UTC day.

Always six digits and ``Z``: Fluent Bit falls back to the time of arrival without a fraction, and
``datetime.isoformat()`` drops it once in a million. Days are UTC days, so no change of clocks in
spring or autumn can split or double a file.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

NANOSECONDS: Final = 1_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = -62_135_596_800  # 0001-01-01T00:00:00Z, the first one a datetime can hold
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one
THREE: Final = tuple(b"%03d" % number for number in range(1000))
"""Numbers below 1000 with three digits: an entry is found faster than one is formatted."""
_THREE: Final = tuple(digits.decode() for digits in THREE)


class Stamper:
    """Turn nanoseconds since the epoch into text, remembering the second it saw last.

    Safe for threads without a lock: the remembered pair is replaced as one object, never changed.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = (0, _second_text(0))

    def stamp(self, time_ns: int) -> str:
        """Return *time_ns* as ISO 8601 in UTC with six digits; what no date can hold is clamped."""
        second, rest = divmod(time_ns, NANOSECONDS)
        known, prefix = self._last
        if second != known:
            prefix = _second_text(second)
            self._last = (second, prefix)
        micro = rest // 1000
        return f"{prefix}{_THREE[micro // 1000]}{_THREE[micro % 1000]}Z"


def _second_text(second: int) -> str:
    moment = _EPOCH + timedelta(seconds=min(max(second, _FIRST_SECOND), _LAST_SECOND))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.".rjust(20, "0")


def day_of(stamp: str) -> str:
    """Return the UTC day of a stamp: ``2026-11-21``."""
    return stamp[:10]
