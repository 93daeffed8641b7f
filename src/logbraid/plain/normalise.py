"""Any Python object becomes a plain tree: what JSON can hold, bounded in depth, width and length.

The first step after the user's processors, so that everything behind it knows seven types only.
Never raises for an ``Exception`` (what is no ``Exception``, such as ``KeyboardInterrupt``, passes),
never changes the caller's objects, never keeps one. Not here: how an object of a class that JSON
does not know is shown (``shown.py``), secrets (``scrub/``), the final cut (``truncate.py``): what
leaves here is up to 512 characters longer than it may be, so that the scrubber sees what is cut.

::

    level 1   the record's own fields
    level 8   the deepest containers
    below     one text: JSON of up to eight further levels, for the scrubber to read names in

Every child of a container has its leaf reserved before the walk goes into the first of them:
a long list in an early field does not push out the fields behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logbraid.plain.quick import quick_dict
from logbraid.plain.texts import LEFT_OUT, LOOK_AHEAD, clean, unprintable
from logbraid.plain.walk import NO_LIMITS, Rules, Walk
from logbraid.record import Plain

__all__ = ["LOOK_AHEAD", "Normaliser"]


class Normaliser:
    """Turn records and values into plain trees.

    One serves all threads. Of a record's longer texts *max_text_chars* are handed on in all: of
    what comes behind that only the length is told, whatever it would cost to look through.
    """

    __slots__ = ("rules",)

    def __init__(
        self,
        *,
        max_summary_chars: int = 2000,
        max_depth: int = 8,
        max_leaves: int = 200,
        max_text_chars: int = 4 * 15_360,
    ) -> None:
        self.rules = Rules(max_summary_chars, max_depth, max_leaves, max_text_chars)

    def fields(
        self,
        fields: Mapping[str, object],
        notes: dict[str, int],
        *,
        limits: Mapping[str, int] = NO_LIMITS,
        reserved: int = 0,
    ) -> dict[str, Plain]:
        """Return *fields*, the record's first level, as a new plain tree.

        A string longer than its limit and 512 is cut there and *notes* gets its path with its
        length in characters (for bytes: in bytes). *limits* are those of single fields of the first
        level; all others have ``max_summary_chars``. Leaves beyond ``max_leaves``, of which
        *reserved* are wanted for the rest of the line, are left out and counted under ``...``, a
        container left out whole as one.
        """
        room = max(1, self.rules.max_leaves - reserved)
        quick = self._quick(fields, room)
        if quick is not None:
            return quick
        walk = Walk(self.rules, notes, limits)
        walk.left = room
        if type(fields) is not dict:
            fields = self._as_dict(fields)
        walk.open.add(id(fields))
        made = walk.mapping(fields, 1, None)
        if walk.left_out:
            notes[LEFT_OUT] = notes.get(LEFT_OUT, 0) + walk.left_out
        return made

    def value(self, value: object) -> Plain:
        """Return *value* as a plain tree that may stand in a field of a record."""
        return Walk(self.rules, {}, NO_LIMITS).item(value, 2, None, "")

    def text(self, text: str) -> str:
        """Return *text* without U+0000 and lone surrogates."""
        return clean(text)

    def _quick(self, fields: Mapping[str, object], room: int) -> dict[str, Plain] | None:
        """Return what the walk would return, or ``None`` where only the walk knows.

        Plain dicts and lists of short text and numbers under names seen before: a third of the
        walk's time. Everything else goes the long way; a test shows both equal.
        """
        if type(fields) is not dict:
            return None
        try:
            return quick_dict(fields, self.rules.names, 1, self.rules.max_depth, [room])
        except Exception:  # noqa: BLE001 - a name not seen yet, a dict that changes: the walk copes
            return None

    def _as_dict(self, fields: Mapping[str, object]) -> dict[Any, Any]:
        try:
            made = self.rules.way(type(fields))(fields)
        except Exception:  # noqa: BLE001 - a stranger's mapping; the line says so
            made = None
        return made if type(made) is dict else {"fields": unprintable(type(fields))}
