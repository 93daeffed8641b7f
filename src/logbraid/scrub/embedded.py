"""JSON inside a text: parsed, walked like a record, and only what changed is written anew."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from logbraid.record import Plain

LEVELS: Final = 3
"""So many times JSON may stand inside a text that stands in JSON."""
OPENERS: Final = frozenset('{["')
_MAX: Final = 1_000_000
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(r"[^\s,\]}]{1,4096}+")
_BLANK: Final = re.compile(r"[ \t\r\n]*+")


class _TwiceError(ValueError):
    """An object names a key twice: a parsed tree would hide one of its values."""


def _unique(pairs: list[tuple[str, Plain]]) -> dict[str, Plain]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise _TwiceError
    return tree


_decode = json.JSONDecoder(object_pairs_hook=_unique).decode


def scrub(text: str, walk: Callable[[Plain], Plain]) -> str | None:
    """Return *text* with what *walk* changed in its tree; ``None`` if it is no JSON to walk."""
    if len(text) > _MAX or text.rstrip()[-1:] not in ']}"':
        return None
    try:
        tree: Plain = _decode(text)
    except (ValueError, RecursionError):
        return None
    new = walk(tree)
    if new is tree:
        return text
    writer = _Writer(text)
    writer.value(_blank(text, 0), tree, new)
    return writer.done()


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found is not None else at


class _Writer:
    """Copies the text of a tree, putting new scalars and names where they changed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts: list[str] = []
        self._copied = 0

    def done(self) -> str:
        self._parts.append(self._text[self._copied :])
        return "".join(self._parts)

    def value(self, at: int, old: Plain, new: Plain) -> int:
        """Write the value at *at*; return where it ends."""
        if type(old) is dict and type(new) is dict:
            return self._object(at, old, new)
        if type(old) is list and type(new) is list:
            return self._array(at, old, new)
        pattern = _STRING if self._text[at] == '"' else _SCALAR
        found = pattern.match(self._text, at)
        if found is None:
            raise ValueError(at)
        if old is not new:
            self._put(at, found.end(), json.dumps(new, ensure_ascii=self._text.isascii()))
        return found.end()

    def _put(self, start: int, end: int, new: str) -> None:
        self._parts.append(self._text[self._copied : start])
        self._parts.append(new)
        self._copied = end

    def _object(self, at: int, old: dict[str, Plain], new: dict[str, Plain]) -> int:
        text = self._text
        at = _blank(text, at + 1)
        for (name, value), (new_name, new_value) in zip(old.items(), new.items(), strict=True):
            found = _STRING.match(text, at)
            if found is None:
                raise ValueError(at)
            if new_name != name:
                self._put(at, found.end(), json.dumps(new_name))
            at = _blank(text, _blank(text, found.end()) + 1)
            at = _blank(text, self.value(at, value, new_value))
            if text[at] == ",":
                at = _blank(text, at + 1)
        return at + 1

    def _array(self, at: int, old: list[Plain], new: list[Plain]) -> int:
        text = self._text
        at = _blank(text, at + 1)
        for value, new_value in zip(old, new, strict=True):
            at = _blank(text, self.value(at, value, new_value))
            if text[at] == ",":
                at = _blank(text, at + 1)
        return at + 1
