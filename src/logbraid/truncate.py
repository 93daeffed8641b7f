"""Cut what is too long, after it was scrubbed: the limit is the limit, marker and all.

Works on plain trees and on text, never on what was not scrubbed yet. What was longer than the
scrubber could see ends in 512 characters of look-ahead (``LOOK_AHEAD``): they are never
shown, since the beginning of a secret that runs on beyond them is not recognised. A cut never
goes through a ``[REDACTED:kind]``. The line's own budget in bytes is ``encode.py``'s.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from logbraid.plain.texts import LEFT_OUT, LOOK_AHEAD, Trail, path_of
from logbraid.record import FAILURE, Plain

HEAD_SHARE: Final = 0.2
"""How much of a cut exception is its head; the rest is its tail, where the cause stands."""

_MARKS: Final = ("[REDACTED:", "[SCRUB_ERROR]")
_LONGEST_MARK: Final = 128
_LONGEST_RUN: Final = 4096
# Letters of tokens: a run of them that fills the whole look-ahead may be a secret that was cut
_TOKEN_LETTERS: Final = string.ascii_letters + string.digits + "+/_=.~-"


def marker(original: int) -> str:
    """Return what stands at a cut: ``...[12345 chars]``, the length of the whole."""
    return f"...[{original} chars]"


def whole_marks(text: str, end: int) -> int:
    """Return *end*, or less if the cut would go through a marker of the scrubber."""
    start = text.rfind("[", max(0, end - _LONGEST_MARK), end)
    if start >= 0 and text.startswith(_MARKS, start) and text.find("]", start, end) < 0:
        return start
    return end


def cut(text: str, limit: int, *, original: int | None = None, windowed: bool = False) -> str:
    """Return scrubbed *text* in at most *limit* characters, a marker at its end if it was cut.

    *original* is the length before anything was cut or scrubbed. *windowed* says that *text* is
    only the beginning, its last 512 characters being look-ahead: it is cut in any case.
    """
    if not windowed and len(text) <= limit:
        return text
    sign = marker(len(text) if original is None else original)
    room = limit - len(sign)
    if room < 0:
        return "..."[: max(limit, 0)]
    known = _seen_whole(text) if windowed else len(text)
    return text[: whole_marks(text, min(room, known))] + sign


def _seen_whole(text: str) -> int:
    # How much of a window may be shown: all but the look-ahead. A token that fills the look-ahead
    # and began before it may be a secret longer than 512 and goes whole, unless it is everything
    end = max(len(text) - LOOK_AHEAD, 0)
    near = text[-_LONGEST_RUN:]
    start = len(text) - len(near) + len(near.rstrip(_TOKEN_LETTERS))
    return start if len(text) - len(near) < start < end else end


def truncate_fields(
    fields: dict[str, Plain],
    notes: dict[str, int],
    *,
    max_summary_chars: int,
    limits: Mapping[str, int],
) -> dict[str, Plain]:
    """Return *fields* with every string within its limit; the same object if nothing was cut.

    *limits* are those of single fields of the first level, all others have *max_summary_chars*.
    *notes* comes from the normaliser and gets the path and length of every string cut here. Paths
    that are no longer there (the scrubber changed a key) are taken out: they may hold the secret.
    """
    if not notes and all_short(fields.values(), min((max_summary_chars, *limits.values()))):
        return fields
    # What was noted about the failure is not among the fields, and stays
    windows = {path for path in notes if path in fields or path not in FAILURE} - {LEFT_OUT}
    cutter = _Cutter(notes, windows, max_summary_chars, limits)
    done = cutter.mapping(fields, None)
    for path in windows - cutter.met:
        del notes[path]
    return done


def all_short(values: Iterable[Plain], most: int) -> bool:
    """Tell whether every string in *values* has *most* characters at most."""
    # What nearly every record is: a fifth of the time of a walk that knows its way
    for item in values:
        kind = type(item)
        if kind is str:
            if len(item) > most:  # type: ignore[arg-type]  # the kind is known
                return False
        elif kind is dict:
            if not all_short(item.values(), most):  # type: ignore[union-attr]  # likewise
                return False
        elif kind is list and not all_short(item, most):  # type: ignore[arg-type]  # likewise
            return False
    return True


class _Cutter:
    """One pass over one record."""

    __slots__ = ("limit", "limits", "met", "notes", "windows")

    def __init__(
        self, notes: dict[str, int], windows: set[str], limit: int, limits: Mapping[str, int]
    ) -> None:
        self.notes = notes
        self.windows = windows
        self.limit = limit
        self.limits = limits
        self.met: set[str] = set()

    def mapping(self, value: dict[str, Plain], trail: Trail) -> dict[str, Plain]:
        """Return *value* cut, a copy as soon as something was."""
        copy: dict[str, Plain] | None = None
        for name, item in value.items():
            kind = type(item)
            if kind is str or kind is dict or kind is list:
                new = self.item(item, trail, name)
                if new is not item:
                    copy = dict(value) if copy is None else copy
                    copy[name] = new
        return value if copy is None else copy

    def sequence(self, value: list[Plain], trail: Trail) -> list[Plain]:
        """Return *value* cut, a copy as soon as something was."""
        copy: list[Plain] | None = None
        for position, item in enumerate(value):
            kind = type(item)
            if kind is str or kind is dict or kind is list:
                new = self.item(item, trail, str(position))
                if new is not item:
                    copy = list(value) if copy is None else copy
                    copy[position] = new
        return value if copy is None else copy

    def item(self, item: Plain, trail: Trail, name: str) -> Plain:
        """Return *item*, which stands under *name* below *trail*."""
        if isinstance(item, str):
            return self.text(item, trail, name)
        if isinstance(item, dict):
            return self.mapping(item, (trail, name))
        return self.sequence(item, (trail, name)) if isinstance(item, list) else item

    def text(self, text: str, trail: Trail, name: str) -> str:
        """Return *text* cut, and note how long it was."""
        limit = self.limit if trail is not None else self.limits.get(name, self.limit)
        if not self.windows and len(text) <= limit:
            return text
        path = path_of(trail, name)
        # Under a key that the scrubber changed the path is another; then better too little
        windowed = path in self.windows or (bool(self.windows) and _MARKS[0] in path)
        if not windowed and len(text) <= limit:
            return text
        self.met.add(path)
        original = self.notes.setdefault(path, len(text))
        return cut(text, limit, original=original, windowed=windowed)


@dataclass(frozen=True, slots=True)
class Window:
    """What the scrubber gets to see of a long exception or stack: both ends, each by itself.

    ``tail`` is empty where the text was short enough to be seen whole, as ``head``. ``original``
    is the length of the text in characters.
    """

    head: str
    tail: str
    original: int


def window_text(text: str, limit: int, head_share: float = HEAD_SHARE) -> Window:
    """Return the two ends of *text* that matter for *limit*, each with 512 characters to spare.

    The caller scrubs ``head`` and ``tail`` and hands both to ``join_window``. A tail that begins
    inside a PEM block begins behind it instead: without its first line no rule knows it.
    """
    head_chars = int(limit * head_share) + LOOK_AHEAD
    tail_chars = limit - int(limit * head_share) + LOOK_AHEAD
    if len(text) <= head_chars + tail_chars:
        return Window(text, "", len(text))
    return Window(text[:head_chars], _behind_pem(text[-tail_chars:]), len(text))


def _behind_pem(tail: str) -> str:
    end = tail.find("-----END ")
    if end < 0 or 0 <= tail.find("-----BEGIN ") < end:
        return tail
    # What stood before it counts as look-behind already spent: keep 512 of nothing in its place
    behind = tail.find("-----", end + len("-----END "))
    rest = tail[behind + len("-----") :] if behind >= 0 else ""
    return " " * LOOK_AHEAD + rest


def join_window(
    head: str, tail: str, limit: int, original: int, head_share: float = HEAD_SHARE
) -> str:
    """Return the scrubbed ends as one text of at most *limit* characters.

    Without a *tail*, *head* is the whole text and is cut in its middle if it is too long. The
    spare characters of two ends are dropped: a secret across a window's edge is only half seen.
    """
    if not tail and len(head) <= limit:
        return head
    sign = f"\n{marker(original)}\n"
    room = limit - len(sign)
    if room < 0:
        return cut("", limit, original=original, windowed=True)
    head_room = int(room * head_share)
    tail_room = room - head_room
    first = head if not tail else head[: _seen_whole(head)]
    last = head if not tail else tail[_seen_from(tail) :]
    shown_head = first[: whole_marks(first, head_room)] if len(first) > head_room else first
    return shown_head + sign + last_chars(last, tail_room)


def _seen_from(tail: str) -> int:
    # The mirror of _seen_whole: where the part begins that the scrubber has seen what is before
    start = min(LOOK_AHEAD, len(tail))
    run = len(tail[:_LONGEST_RUN]) - len(tail[:_LONGEST_RUN].lstrip(_TOKEN_LETTERS))
    return run if start < run < min(_LONGEST_RUN, len(tail)) else start


def last_chars(text: str, room: int) -> str:
    """Return the last *room* characters of *text*, less if that would show half a marker."""
    if len(text) <= room:
        return text
    start = len(text) - room
    opened = whole_marks(text, start)
    if opened < start:  # inside a marker: begin behind it
        start = text.find("]", start) + 1 or start
    return text[start:]
