"""A question's filter: which records fit, and what must stand in their lines.

Every part narrows. Not here: finding files (``places.py``) and reading them (``records.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from logbraid.parsing import parse_level
from logbraid.reading.when import normal_stamp
from logbraid.reading.where import Where, literal_of
from logbraid.record import level_word

_plain_text = re.compile(r"[ !#-\[\]-~]+").fullmatch  # no quote, no backslash
_RANKS: Final[dict[object, int]] = {}
_MOST_RANKS: Final = 1000


def level_rank(value: object) -> int | None:
    """Return the number of a line's level, a word or a number; ``None`` if it is none."""
    if not isinstance(value, str | int):
        return None
    rank = _RANKS.get(value)
    if rank is None:
        rank = parse_level(value)
        if rank is not None and len(_RANKS) < _MOST_RANKS:
            _RANKS[value] = rank
    return rank


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are asked for; an empty one lets all through.

    ``ids`` are fields with their exact text (``tenant_id`` may also stand in the directory's
    name alone), ``level`` is the lowest, ``since`` (from it on) and ``until`` (before it) are
    stamps, ``text`` stands anywhere in the line, ``where`` are conditions that all hold.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    level: int | None = None
    since: str = ""
    until: str = ""
    text: str = ""
    ignore_case: bool = False
    where: tuple[Where, ...] = ()

    @property
    def is_simple(self) -> bool:
        """Whether only level and time are asked for: what columns can answer."""
        return not (self.ids or self.text or self.where)

    @property
    def literals(self) -> tuple[bytes, ...]:
        """What stands in every line that fits, as bytes."""
        found = [
            one
            for name, value in self.ids.items()
            if name != "tenant_id"
            for one in literal_of(value)
        ]
        if self.text and not self.ignore_case and _plain_text(self.text):
            found.append(self.text.encode())
        found += [one for condition in self.where for one in condition.literals]
        return tuple(dict.fromkeys(found))

    @property
    def level_words(self) -> tuple[str, ...]:
        """The words of the levels that fit, empty for all."""
        if self.level is None:
            return ()
        words = (level_word(number) for number in range(10, 60, 10) if number >= self.level)
        return tuple(words)

    def fits(self, record: dict[str, Any], line: bytes, tenant: str = "") -> bool:
        """Tell whether *record*, which *line* says and the directory *tenant* holds, is one."""
        if self.level is not None:
            rank = level_rank(record.get("level"))
            if rank is None or rank < self.level:
                return False
        return (
            all(self._has_id(record, name, value, tenant) for name, value in self.ids.items())
            and self._is_in_time(record)
            and (not self.text or self._has_text(record, line))
            and all(one.fits(record) for one in self.where)
        )

    def _has_id(self, record: dict[str, Any], name: str, value: str, tenant: str) -> bool:
        found = record.get(name)
        if found is None:
            return name == "tenant_id" and tenant == value
        return found == value or (not isinstance(found, str | bool) and str(found) == value)

    def _is_in_time(self, record: dict[str, Any]) -> bool:
        if not self.since and not self.until:
            return True
        stamp = normal_stamp(record.get("timestamp"))
        return stamp is not None and stamp >= self.since and (not self.until or stamp < self.until)

    def _has_text(self, record: dict[str, Any], line: bytes) -> bool:
        if self.ignore_case:
            wanted = self.text.casefold()
            return wanted in line.decode("utf-8", "replace").casefold() or _holds(
                record, lambda text: wanted in text.casefold()
            )
        if self.text.encode("utf-8", "surrogatepass") in line:
            return True
        return not _plain_text(self.text) and _holds(record, lambda text: self.text in text)


def _holds(record: dict[str, Any], test: Callable[[str], bool]) -> bool:
    """Tell whether *test* holds for a text of *record*, a field's name or value at any depth."""
    left: list[Any] = [record]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if test(value):
                return True
        elif isinstance(value, dict):
            left += value.keys()
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False
