"""Tell at a glance that a short text hides nothing: names, ids, paths, plain sentences.

A shortcut with the answer of ``TextScanner.spans``, never another: where these few tests do not
prove that no rule could begin anywhere, the whole search decides. A property test holds both
equal. Not here: what a secret looks like.

Every test runs at the speed of C: on ``str``, since ``in`` on ``bytes`` costs five times as much
(it raises and clears an exception inside).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from logbraid.scrub.formats import FORMATS
from logbraid.scrub.values import STARTS

MAX_CHARS: Final = 199
"""From 200 on a text may have been cut, and its end is looked at by itself."""

_REMEMBERED_CHARS: Final = 64
_SHORTEST_RUN: Final = 20
_SIGNS: Final = b":=@<%|'\"\n\\&"


def _class_of(char: int) -> int:
    if char in _SIGNS or char < 32 or char > 126:
        return ord("!")
    if 48 <= char <= 57:
        return ord("0")
    if char == ord("/"):
        return ord(" ")
    return ord(chr(char).lower())


_CLASSES: Final = bytes(map(_class_of, range(256)))
_PIECES: Final = bytes(char if char < 128 and chr(char).isalnum() else 32 for char in range(256))
STEMS: Final = (
    "bearer |basic |token|secret|passp|passc|passe|pass |key|code|pin |kennwort|senha|pwd|pw |"
    "cred|setx |setenv |config|add_user|htpasswd|net use|auth|vault "
)
"""What one of must stand before or behind a digit for prose or a command to tell a secret."""
_A_STEM: Final = re.compile(STEMS)
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _pieces(*, glued: bool) -> frozenset[bytes]:
    """Return the first pieces of the heads of formats: those with a sign behind them, or not."""
    heads = {head for row in FORMATS for head in row.heads}
    return frozenset(
        re.split(r"[^A-Za-z0-9]", head)[0].encode() for head in heads if head.isalnum() == glued
    )


_WHOLE: Final = _pieces(glued=False)
_GLUED: Final = {piece[:3] for piece in _pieces(glued=True)} | (
    STARTS - {piece[:3] for piece in _WHOLE}
)


def _may_begin(word: bytes) -> bool:
    """Tell whether the head or the sign of a format may be in *word*."""
    for piece in word.translate(_PIECES).split():
        start = piece[:3]
        if start in STARTS and (piece in _WHOLE or start in _GLUED):
            return True
    return word.count(b".") > 1 or word.find(b"-us") >= 0 or word.find(b"Q~") >= 0


def looking(seen: set[str], most: int) -> Callable[[str], bool]:  # noqa: C901 - as below
    """Return a function that tells at a glance that a text is clean; ``False``: unknown.

    It remembers in *seen*, emptied at *most*, what may come again: not long ids with digits, which
    would flush it. One call for most texts: a tenth of the time of the whole search.
    """

    def looks_clean(text: str) -> bool:  # noqa: C901, PLR0911, PLR0912 - one test by one
        size = len(text)
        if size > MAX_CHARS:
            return False
        if text in seen:
            return True
        if not text.isascii():
            return False
        raw = text.encode()
        low = raw.translate(_CLASSES).decode()
        has_digit = "0" in low
        if raw.isalnum():  # one word: only a format or a number could be in it
            if size >= _SHORTEST_RUN and raw[:3] in STARTS and _may_begin(raw):
                return False
            if has_digit and "0000000000000" in low:
                return False
        else:
            if "!" in low or "passw" in low:
                return False
            if "-" in low and (" -" in low or "--" in low or low[0] == "-"):
                return False
            if size >= _SHORTEST_RUN:
                for word in raw.split():
                    if len(word) < _SHORTEST_RUN or is_uuid(word):
                        continue
                    if (word[:3] in STARTS or not word.isalnum()) and _may_begin(word):
                        return False
            if has_digit and (
                "0000000000000" in low
                or ("0000-0000" in low and ("0000-0000-0" in low or "0000-000000" in low))
                or (" " in low and ("0000 0000" in low or "   " in low or _has_stem(low)))
            ):
                return False
        if has_digit and size > _SHORTEST_RUN:
            return True
        if size <= _REMEMBERED_CHARS:
            if len(seen) >= most:
                seen.clear()
            seen.add(text)
        return True

    is_uuid = _UUID.fullmatch
    return looks_clean


def _has_stem(low: str) -> bool:
    """Tell whether a word for a secret is in *low*: each holds one of these two letters."""
    return (
        ("k" in low and "ke" in low)
        or ("p" in low and ("pi" in low or "pw" in low))
        or ("s" in low and ("as" in low or "se" in low))
        or "co" in low
        or "cr" in low
        or "au" in low
        or "be" in low
    ) and _A_STEM.search(low) is not None


def never(_: str) -> bool:
    """Tell nothing: what stands in where the user has rules of his own."""
    return False
