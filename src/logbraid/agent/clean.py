"""How everything that this wing keeps is made safe: by the core's own steps, in the core's order.

Any object becomes a plain tree, the tree is scrubbed, then cut, then written as strict JSON. The
rules are those of the configuration in force. Not here: what is kept, and where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

from logbraid import pipeline
from logbraid.clock import Stamper
from logbraid.encode import encode_line
from logbraid.health import health
from logbraid.plain.normalise import Normaliser
from logbraid.record import CONTEXT_ORDER, Plain
from logbraid.truncate import truncate_fields

MAX_LINE_BYTES: Final = 262_144
"""Of a line in a file of ours, which no shipper with a limit reads."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_is_stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").fullmatch

_normaliser: Final = Normaliser()
_stamper: Final = Stamper()


class Cleaner:
    """Cleans fields so that no text in them is longer than *max_summary_chars*.

    Safe in any number of threads. Never raises for an ``Exception``: what cannot be cleaned is
    not shown.
    """

    def __init__(self, max_summary_chars: int) -> None:
        self.max_summary_chars = max(int(max_summary_chars), 0)
        self._normaliser = Normaliser(
            max_summary_chars=self.max_summary_chars, max_text_chars=MAX_LINE_BYTES
        )

    @classmethod
    def of(cls, max_summary_chars: int) -> Self:
        """Return the one cleaner of that limit."""
        return _cleaner(max_summary_chars)  # type: ignore[return-value]  # no one derives from it

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Plain]:
        """Return *fields* clean. What was found and cut stands under ``scrubbed``, ``truncated``.

        The ids keep their own rule: a credential becomes its digest, all else stays.
        """
        active = pipeline.ready()
        counts: dict[str, int] = {}
        notes: dict[str, int] = {}
        told = dict(fields)
        ours = _taken_out(told)
        ids = {name: told.pop(name) for name in CONTEXT_ORDER if isinstance(told.get(name), str)}
        safe_ids, _ = active.ids.split(ids, counts)
        body = self._normaliser.fields(told, notes)
        body = active.scrubber.scrub_fields(body, counts)
        body = truncate_fields(body, notes, max_summary_chars=self.max_summary_chars, limits={})
        for kind, number in counts.items():
            health.scrubbed.add(kind, number)
        clean: dict[str, Plain] = {**ours, **body, **safe_ids}
        if notes:
            clean["truncated"] = dict(notes)
        if counts:
            clean["scrubbed"] = dict(counts)
        return clean

    def line(self, fields: Mapping[str, Any]) -> bytes:
        r"""Return *fields* clean as one strict JSON line with its ``\n``."""
        return encode_line(self.fields(fields), max_line_bytes=MAX_LINE_BYTES, notes={})

    def text(self, text: str) -> str:
        """Return *text* clean."""
        return str(self.fields({"text": text}).get("text", ""))


@lru_cache(maxsize=64)
def _cleaner(max_summary_chars: int) -> Cleaner:
    return Cleaner(max_summary_chars)


def _taken_out(told: dict[str, Any]) -> dict[str, Plain]:
    """Take out of *told* what is ours for sure, and is neither scrubbed nor cut."""
    ours: dict[str, Plain] = {}
    stamp = told.get("timestamp")
    if isinstance(stamp, datetime):
        ours["timestamp"] = _text_of(told.pop("timestamp"))
    elif isinstance(stamp, str) and _is_stamp(stamp):
        ours["timestamp"] = told.pop("timestamp")
    if type(told.get("seq")) is int:
        ours["seq"] = told.pop("seq")
    return ours


def _text_of(moment: datetime) -> str:
    """Return *moment* as every line of ours writes one; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _stamper.stamp((moment - _EPOCH) // _MICROSECOND * 1000)


def plain_value(value: object) -> Plain:
    """Return any object as a plain tree, neither scrubbed nor cut at a summary's length."""
    return _normaliser.value(value)
