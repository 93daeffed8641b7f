"""Points in time as people write them: ``1h``, ``2d12h``, ``yesterday``, ``2026-11-21T10:30``.

All become stamps as they stand in the lines, so that comparing is comparing text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

from logbraid.clock import NANOSECONDS, Stamper
from logbraid.parsing import shown
from logbraid.reading.errors import QuestionError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_span = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[smhdw])+").fullmatch
_spans = re.compile(r"(\d+(?:\.\d+)?)([smhdw])").findall
_is_day = re.compile(r"\d{4}-\d{2}-\d{2}").fullmatch
_stamper: Final = Stamper()
_ADVICE: Final = (
    "use how long ago (90s, 15m, 1h, 2d, 1w, 1h30m), now, today, yesterday, or a UTC time such as"
    " 2026-11-21 or 2026-11-21T10:30"
)


def parse_when(text: str, now_ns: int, *, is_end: bool = False) -> str:
    """Return the stamp that *text* means at *now_ns*; raises ``QuestionError``.

    Times without a zone are UTC, as those in the lines are. *is_end*: a whole day ends at its
    end.
    """
    word = text.strip().lower()
    if _span(word):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _spans(word))
        return _stamper.stamp(now_ns - int(seconds * NANOSECONDS))
    if word == "now":
        return _stamper.stamp(now_ns)
    now = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC)
    days = {"today": now.date(), "yesterday": now.date() - timedelta(days=1)}
    try:
        day = days.get(word)
        if day is None and _is_day(word):
            day = datetime.fromisoformat(word).date()
        if day is not None:
            moment = datetime.combine(day, time(), UTC) + timedelta(days=int(is_end))
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise QuestionError(f"{shown(text)} is not a time: {_ADVICE}") from error
    return stamp_of(moment)


def stamp_of(moment: datetime) -> str:
    """Return an aware *moment* as a line writes it."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micro = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return _stamper.stamp(micro * 1000)


def normal_stamp(value: object) -> str | None:
    """Return the stamp of a record in our form, whatever form it has; ``None`` if it has none."""
    if not isinstance(value, str):
        return None
    if len(value) == 27 and value.endswith("Z") and value[10] == "T":
        return value
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return stamp_of(moment)
