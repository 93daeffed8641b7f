"""The shortcut through normalising: records that are plain already, as most are.

Copies exact dicts, lists and tuples of short text, numbers, booleans and ``None`` under
names that were seen and found clean before. Whatever else it meets makes it raise, and
``normalise.py`` walks the record from the start: this module knows no rule but when to
give up. Fast code in one place: twice the plain walk's speed or more, checked equal to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from logbraid.plain.texts import LOOK_AHEAD, clean
from logbraid.record import Plain

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)


class GiveUpError(Exception):
    """Something that only the walk knows; raised without a word, for nobody reads it."""


def quick_dict(  # noqa: C901, PLR0912 - one branch per type, no call for a leaf
    value: dict[Any, Any], names: dict[str, str], level: int, depth: int, room: list[int]
) -> dict[str, Plain]:
    """Return a plain copy of *value*, which stands at *level* of *depth*.

    *names* maps clean names to themselves; a key not among them raises ``KeyError``. *room* holds
    one number, the children that may still come.
    """
    room[0] -= len(value)
    if level > depth or room[0] < 0:
        raise GiveUpError
    made: dict[str, Plain] = {}
    for key, item in value.items():
        kind = type(item)
        if kind is str:
            if len(item) > LOOK_AHEAD or "\0" in item:
                raise GiveUpError
            if not item.isascii():
                item = clean(item)  # noqa: PLW2901 - itself, but for lone surrogates
        elif kind is int:
            if not INT_MIN <= item <= INT_MAX:
                raise GiveUpError
        elif kind is dict:
            item = quick_dict(item, names, level + 1, depth, room)  # noqa: PLW2901 - its copy
        elif kind is list or kind is tuple:
            item = quick_list(item, names, level + 1, depth, room)  # noqa: PLW2901 - its copy
        elif kind is float:
            if item - item != 0.0:  # not finite
                raise GiveUpError
        elif kind is not bool and item is not None:
            raise GiveUpError
        made[names[key]] = item
    if len(made) != len(value):
        raise GiveUpError
    return made


def quick_list(  # noqa: C901 - as above
    value: Sequence[Any], names: dict[str, str], level: int, depth: int, room: list[int]
) -> list[Plain]:
    """Return a plain copy of *value*, a list or tuple, as ``quick_dict`` does."""
    room[0] -= len(value)
    if level > depth or room[0] < 0:
        raise GiveUpError
    made: list[Plain] = []
    for item in value:
        kind = type(item)
        if kind is str:
            if len(item) > LOOK_AHEAD or "\0" in item:
                raise GiveUpError
            if not item.isascii():
                item = clean(item)  # noqa: PLW2901 - itself, but for lone surrogates
        elif kind is dict:
            item = quick_dict(item, names, level + 1, depth, room)  # noqa: PLW2901 - its copy
        elif kind is list or kind is tuple:
            item = quick_list(item, names, level + 1, depth, room)  # noqa: PLW2901 - its copy
        elif kind is int:
            if not INT_MIN <= item <= INT_MAX:
                raise GiveUpError
        elif kind is float:
            if item - item != 0.0:  # not finite
                raise GiveUpError
        elif kind is not bool and item is not None:
            raise GiveUpError
        made.append(item)
    return made
