"""The walk through one record: which leaves there is room for, what is open, what was noted.

Used by ``normalise.py`` alone, which says what the result is. Recursive, but never deeper than
the levels a record may have and as many once more for the text below them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from math import isfinite
from typing import Any, Final

from logbraid.plain.quick import INT_MAX, INT_MIN
from logbraid.plain.shown import shown, way_of
from logbraid.plain.stored import Way
from logbraid.plain.texts import (
    CIRCULAR,
    DEEPER,
    LOOK_AHEAD,
    MAX_KEY_CHARS,
    Trail,
    bytes_text,
    clean,
    int_text,
    path_of,
    unique_name,
    unprintable,
)
from logbraid.record import Plain

_KEPT_NAMES: Final = 4096
_KEPT_WAYS: Final = 1024
_STEPS: Final = 4  # a proxy of an enum of ...: then it shows itself or not at all
NO_LIMITS: Final[Mapping[str, int]] = {}


class Rules:
    """The bounds of a record, and what was learnt about names and classes.

    Both memories (clean names, ways to show a class) are bounded, emptied when full, and only ever
    written by single steps of a dict: one object serves all threads.
    """

    __slots__ = ("max_chars", "max_depth", "max_leaves", "max_text_chars", "names", "ways")

    def __init__(
        self, max_chars: int, max_depth: int, max_leaves: int, max_text_chars: int
    ) -> None:
        self.max_chars = max_chars
        self.max_text_chars = max_text_chars
        self.max_depth = max_depth
        self.max_leaves = max_leaves
        self.names: dict[str, str] = {}
        self.ways: dict[type, Way] = {}

    def name(self, key: object) -> str:
        """Return the text that *key* has in JSON; not empty, and not yet unique."""
        if type(key) is not str:
            return self._fit(self._key_text(key))
        name = self._fit(key)
        if len(key) <= 64 and name == key:
            if len(self.names) >= _KEPT_NAMES:
                self.names.clear()
            self.names[key] = name
        return name

    def way(self, cls: type) -> Way:
        """Return how objects of *cls* are shown, from memory where possible."""
        way = self.ways.get(cls)
        if way is None:
            way = way_of(cls)
            if len(self.ways) >= _KEPT_WAYS:
                self.ways.clear()
            self.ways[cls] = way
        return way

    def _fit(self, text: str) -> str:
        if len(text) > MAX_KEY_CHARS:
            return f"<key of {len(text)} chars>"
        return clean(text) or "_"

    def _key_text(self, key: object) -> str:
        if type(key) is tuple:
            try:
                return shown(key)
            except Exception:  # noqa: BLE001 - a stranger's __repr__; the line says so
                return unprintable(tuple)
        value = Walk(self, {}, NO_LIMITS).item(key, 2, None, "")
        return value if type(value) is str else json.dumps(value, ensure_ascii=False)


class Walk:
    """One walk through one record: what is still free, what is open, what was noted."""

    __slots__ = (
        "chars",
        "inner",
        "left",
        "left_out",
        "limits",
        "max_chars",
        "notes",
        "open",
        "rules",
    )

    def __init__(self, rules: Rules, notes: dict[str, int], limits: Mapping[str, int]) -> None:
        self.rules = rules
        self.max_chars = rules.max_chars
        self.left = rules.max_leaves
        self.chars = rules.max_text_chars
        self.left_out = 0
        self.limits = limits
        self.notes = notes
        self.open: set[int] = set()
        self.inner = False

    def mapping(
        self, value: Mapping[Any, Any], level: int, trail: Trail, size: int = 0
    ) -> dict[str, Plain]:
        """Return *value* with plain names and values; *size* is told where *value* is a part."""
        made: dict[str, Plain] = {}
        names = self.rules.names
        for key, item in self.taken(value.items(), max(size, len(value))):
            name = names.get(key) if type(key) is str else None
            if name is None:
                name = self.rules.name(key)
            if name in made:
                name = unique_name(name, made)
            kind = type(item)
            # The common leaves in this loop: a call each would cost half as much again
            if (
                (kind is str and len(item) <= LOOK_AHEAD and item.isascii() and "\0" not in item)
                or (kind is int and INT_MIN <= item <= INT_MAX)
                or kind is bool
                or item is None
            ):
                made[name] = item
            else:
                made[name] = self.item(item, level + 1, trail, name)
        return made

    def sequence(self, value: Iterable[Any], level: int, trail: Trail, size: int) -> list[Plain]:
        """Return the items of *value* as a plain list."""
        return [
            self.item(item, level + 1, trail, str(position))
            for position, item in enumerate(self.taken(value, size))
        ]

    def taken(self, items: Iterable[Any], size: int) -> list[Any]:
        """Reserve a leaf for each of *items*, as far as there are any, and return those.

        One step of C, so a thread that changes the container cannot break the walk.
        """
        room = self.left
        if size <= room:
            self.left = room - size
            return list(items)
        self.left = 0
        self.left_out += size - room
        return list(islice(items, room))

    def item(  # noqa: PLR0911 - one exit per type, the common ones first
        self, value: Any, level: int, trail: Trail, name: str
    ) -> Plain:
        """Return *value*, which stands under *name* below *trail*; a container is at *level*."""
        kind = type(value)
        if kind is str:
            return self.text(value, trail, name)
        if value is None or kind is bool:
            return value  # type: ignore[no-any-return]  # None or bool
        if kind is int:
            return value if INT_MIN <= value <= INT_MAX else self.text(int_text(value), trail, name)
        if kind is float:
            return value if isfinite(value) else None
        if kind is dict or kind is list or kind is tuple:
            return self.container(value, level, (trail, name), value)
        try:
            return self.stranger(value, level, trail, name)
        except Exception:  # noqa: BLE001 - a stranger's code; the line says so, the call goes on
            return clean(unprintable(kind))

    def container(self, parts: Any, level: int, trail: tuple[Trail, str], whole: Any) -> Plain:
        """Return the dict, list or tuple *parts*, which is *whole* or all we took of it."""
        mark = id(whole)
        if mark in self.open:
            return CIRCULAR
        if level > self.rules.max_depth:
            return DEEPER if self.inner else self.below(parts, trail, mark)
        if not parts:
            return {} if type(parts) is dict else []
        self.left += 1  # reserved for it as for a leaf
        size = len(parts) if parts is whole else _size(whole, len(parts))
        self.open.add(mark)
        try:
            if type(parts) is dict:
                return self.mapping(parts, level, trail, size)
            return self.sequence(parts, level, trail, size)
        finally:
            self.open.discard(mark)

    def below(self, parts: Any, trail: tuple[Trail, str], mark: int) -> str:
        """Return what stands too deep as JSON text, itself bounded like a record."""
        inner = Walk(self.rules, {}, NO_LIMITS)
        inner.open = self.open | {mark}
        inner.inner = True
        walk: Any = inner.mapping if type(parts) is dict else inner.sequence
        tree = walk(parts, 1, None, len(parts))
        self.left_out += inner.left_out
        return self.text(json.dumps(tree, ensure_ascii=False), trail[0], trail[1])

    def text(self, text: str, trail: Trail, name: str, original: int = 0) -> str:
        """Return *text* clean, and not longer than its limit and the look-ahead."""
        limit = self.max_chars if trail is not None else self.limits.get(name, self.max_chars)
        most = limit + LOOK_AHEAD
        if len(text) > most or original > most:
            self.notes[path_of(trail, name)] = max(original, len(text))
            text = text[:most]
        self.chars -= len(text)
        if self.chars < 0:  # more than a line can hold: only its length is told
            self.notes.setdefault(path_of(trail, name), max(original, len(text)))
            return ""
        return clean(text)

    def stranger(self, value: Any, level: int, trail: Trail, name: str) -> Plain:
        """Return an object of a class that JSON does not know, step by step simpler."""
        if issubclass(type(value), bytes | bytearray | memoryview):
            return self.binary(value, trail, name)
        mark = id(value)
        if mark in self.open:
            return CIRCULAR
        simple = value
        for _ in range(_STEPS):
            simple = self.rules.way(type(simple))(simple)
            kind = type(simple)
            if kind is dict or kind is list:
                return self.container(simple, level, (trail, name), value)
            if kind is str or kind is int or kind is float or kind is bool or simple is None:
                return self.item(simple, level, trail, name)
        return clean(unprintable(type(value)))

    def binary(self, value: bytes | bytearray | memoryview, trail: Trail, name: str) -> str:
        """Return bytes as text if they are UTF-8, as far as the limit lets one see."""
        size = value.nbytes if isinstance(value, memoryview) else len(value)
        most = 4 * (max(self.max_chars, self.limits.get(name, 0)) + LOOK_AHEAD)
        text = bytes_text(value, size, most)
        return self.text(text, trail, name, size if size > most else 0)


def _size(whole: Any, at_least: int) -> int:
    try:
        return max(len(whole), at_least)
    except Exception:  # noqa: BLE001 - a stranger's __len__; only the number left out suffers
        return at_least
