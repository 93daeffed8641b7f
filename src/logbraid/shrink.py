"""Bring a record that is over its budget in bytes under it; the line stays valid JSON.

What goes first: the longest strings, down to 200 bytes each, then to less, then to nothing; then
whole leaves, from the largest field; then all but the envelope and the ids, which are kept or left
out but never cut (half an id is another's). Lengths are those of the encoded text, escapes and
all. Rare: most records never come here.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from itertools import islice
from typing import Final, TypeAlias

from logbraid.plain.texts import LEFT_OUT
from logbraid.record import CONTEXT_ORDER, Plain
from logbraid.truncate import HEAD_SHARE, last_chars, marker, whole_marks

Write: TypeAlias = Callable[[Plain], bytes]
"""Encode a tree as a line, its newline included."""

_Holder: TypeAlias = "dict[str, Plain] | list[Plain]"

MAX_LEAVES: Final = 200
MIN_NOTES: Final = 8
"""So many fields are named under ``truncated`` in any case; a cut text tells its length itself."""

_FLOORS: Final = (200, 100, 50, 0)
_KEPT: Final = frozenset(("timestamp", "level", "logger", "truncated", *CONTEXT_ORDER))
_BOTH_ENDS: Final = ("exception", "stack")
_LONGEST_ESCAPE: Final = 6
_LAST_BYTES: Final = 96
_COUNT_DIGITS: Final = 20
_FIRST: Final = ("timestamp", "level")
_SHORTENED: Final = ("logger", "event")


def shrink(
    record: dict[str, Plain], max_line_bytes: int, notes: dict[str, int], write: Write
) -> bytes:
    """Return the line of *record* in at most *max_line_bytes*, and add to *notes* what was cut."""
    draft = _Draft(record, write)
    line = write(draft.fields)
    for floor in _FLOORS:
        draft.cut_strings(len(line) - max_line_bytes, floor)
        line = draft.line()
        if len(line) <= max_line_bytes:
            break
    else:
        draft.leave_out(max_line_bytes)
        line = draft.line()
    if len(line) > max_line_bytes:
        line = draft.last_resort(max_line_bytes)
    notes.update(draft.noted)
    return line


def thinned(record: dict[str, Plain], notes: dict[str, int]) -> dict[str, Plain]:
    """Return *record* with so many of *notes* under ``truncated`` as 200 leaves leave room for."""
    rest = sum(_leaves(value) for name, value in record.items() if name != "truncated")
    room = max(MAX_LEAVES - rest, MIN_NOTES)
    if len(notes) > room:
        kept = dict(islice(notes.items(), room))
        if LEFT_OUT in notes and LEFT_OUT not in kept:
            kept.popitem()
            kept[LEFT_OUT] = notes[LEFT_OUT]
        notes = kept
    return {**record, "truncated": dict(notes)}


class _Draft:
    """A copy of one record that may be cut, and what was noted about it."""

    def __init__(self, record: dict[str, Plain], write: Write) -> None:
        self.fields: dict[str, Plain] = {name: _copy(value) for name, value in record.items()}
        self.write = write
        known = record.get("truncated")
        self.noted: dict[str, int] = {}
        if isinstance(known, dict):
            self.noted = {path: size for path, size in known.items() if isinstance(size, int)}

    def line(self) -> bytes:
        """Return the draft as a line, with its notes."""
        if self.noted:
            self.fields = thinned(self.fields, self.noted)
        return self.write(self.fields)

    def cut_strings(self, excess: int, floor: int) -> None:
        """Cut the longest string, then the next, until *excess* bytes are gone."""
        found: list[tuple[int, str, _Holder, str | int]] = []
        for name, value in self.fields.items():
            if name not in _KEPT:
                self._collect(value, name, self.fields, name, found)
        found.sort(key=lambda entry: -entry[0])
        for size, path, holder, key in found:
            if excess <= 0 or size <= floor:
                return
            keep = max(size - excess, floor)
            excess -= self._cut_one(size, path, holder, key, keep)

    def _collect(
        self,
        value: Plain,
        path: str,
        holder: _Holder,
        key: str | int,
        found: list[tuple[int, str, _Holder, str | int]],
    ) -> None:
        if isinstance(value, str):
            found.append((len(self.write(value)), path, holder, key))
        elif isinstance(value, dict):
            for name, item in value.items():
                self._collect(item, f"{path}.{name}", value, name, found)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                self._collect(item, f"{path}.{position}", value, position, found)

    def _cut_one(self, size: int, path: str, holder: _Holder, key: str | int, most: int) -> int:
        """Cut one string to *most* bytes, note and all, if that gains any; return the gain."""
        text = str(holder[key])  # type: ignore[index]  # a name or a position
        original = self.noted.get(path, len(text))
        sign = marker(original)
        note = 0 if path in self.noted else len(self.write({path: original}))
        note += 0 if self.noted else len('"truncated":,')
        keep = max(most - 3 - note - len(sign), 0)
        if keep + len(sign) + 3 + note >= size:
            return 0
        new = self._shortened(text.removesuffix(sign), keep, sign, both_ends=path in _BOTH_ENDS)
        holder[key] = new  # type: ignore[index]  # a name or a position
        self.noted[path] = original
        return size - note - len(self.write(new))

    def _shortened(self, text: str, keep: int, sign: str, *, both_ends: bool) -> str:
        encoded = self.write(text)[1:-2]
        if not both_ends:
            return text[: whole_marks(text, _chars_before(encoded, keep))] + sign
        at_head = int(keep * HEAD_SHARE)
        head = text[: whole_marks(text, _chars_before(encoded, at_head))]
        return head + sign + last_chars(text, _chars_behind(encoded, keep - at_head))

    def leave_out(self, max_line_bytes: int) -> None:
        """Leave out half of the largest field, then of what is largest then, ``event`` last."""
        self._thin_notes(max_line_bytes // 4)
        self.noted.setdefault(LEFT_OUT, 0)
        excess = len(self.line()) + _COUNT_DIGITS - max_line_bytes
        names = [name for name in self.fields if name not in _KEPT]
        heap = [(name == "event", -self._size(name), name) for name in names]
        heapq.heapify(heap)
        while excess > 0 and heap:
            is_event, size, name = heapq.heappop(heap)
            left_out, rest = _halved(self.fields[name])
            self.noted[LEFT_OUT] += left_out
            excess += size
            if rest is None:
                del self.fields[name]
                continue
            self.fields[name] = rest
            size = -self._size(name)
            excess -= size
            heapq.heappush(heap, (is_event, size, name))

    def _size(self, name: str) -> int:
        # As in the line: with a comma, without the braces and the newline of its own
        return len(self.write({name: self.fields[name]})) - 2

    def _thin_notes(self, most: int) -> None:
        """Keep of the notes what fits into *most* bytes; they too are part of the line."""
        kept: dict[str, int] = {}
        for path, size in self.noted.items():
            most -= len(self.write({path: size}))
            if most >= 0 or path == LEFT_OUT:
                kept[path] = size
        self.noted = kept

    def last_resort(self, max_line_bytes: int) -> bytes:
        """Return what fits of the envelope, the ids and the event, one after the other."""
        kept: dict[str, Plain] = {}
        line = self.write(kept)
        left_out: dict[str, Plain] = {LEFT_OUT: max(self.noted.get(LEFT_OUT, 0), 1)}
        for name in (*_FIRST, *CONTEXT_ORDER, "logger", "event", "truncated"):
            value: Plain = left_out if name == "truncated" else self.fields.get(name)
            if name in _SHORTENED and isinstance(value, str):
                value = self._shortened(value, _LAST_BYTES, "", both_ends=False)
            if value is None:
                continue
            longer = self.write({**kept, name: value})
            if len(longer) <= max_line_bytes:
                kept[name], line = value, longer
        self.noted.setdefault(LEFT_OUT, 1)
        return line


def _copy(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _halved(value: Plain) -> tuple[int, Plain]:
    """Return how many leaves are left out of *value*, and the rest of it or ``None``."""
    if isinstance(value, dict) and value:
        names = list(value)
        if len(names) == 1:
            left_out, rest = _halved(value[names[0]])
            return left_out, None if rest is None else {names[0]: rest}
        half = (len(names) + 1) // 2
        gone = sum(_leaves(value[name]) for name in names[half:])
        return gone, {name: value[name] for name in names[:half]}
    if isinstance(value, list) and value:
        if len(value) == 1:
            left_out, rest = _halved(value[0])
            return left_out, None if rest is None else [rest]
        half = (len(value) + 1) // 2
        return sum(_leaves(item) for item in value[half:]), value[:half]
    return 1, None


def _leaves(value: Plain) -> int:
    if isinstance(value, dict) and value:
        return sum(_leaves(item) for item in value.values())
    if isinstance(value, list) and value:
        return sum(_leaves(item) for item in value)
    return 1


def _chars_before(encoded: bytes, end: int) -> int:
    """Return how many characters the first *end* bytes of an encoded string hold whole."""
    for back in range(_LONGEST_ESCAPE + 1):
        if end - back <= 0:
            break
        chars = _chars_of(encoded[: end - back])
        if chars is not None:
            return chars
    return 0


def _chars_behind(encoded: bytes, room: int) -> int:
    """Return how many characters the last *room* bytes of an encoded string hold whole."""
    for back in range(_LONGEST_ESCAPE + 1):
        if room - back <= 0:
            break
        chars = _chars_of(encoded[len(encoded) - room + back :])
        if chars is not None:
            return chars
    return 0


def _chars_of(encoded: bytes) -> int | None:
    # A piece that begins or ends within an escape or a character is no JSON string
    try:
        return len(json.loads(b'"%b"' % encoded))
    except ValueError:
        return None
