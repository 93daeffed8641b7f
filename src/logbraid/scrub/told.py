"""Read the value that a sentence gives after the noun of a secret: ``is hunter2``, ``(hunter2)``.

Knows how sentences go on; which nouns are looked for, and where, stands in ``prose.py``.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import codewords, placeholders, shapes

DIRECT_ONLY: Final = 3
"""The noun only tells what stands right behind it."""
_DESCRIBES: Final = re.compile(
    r"(?i)\b(?:id|ids|name|type|count|length|version|path|prefix|rate|limit|size|file|url|owner|"
    r"policy|expiry|ttl|age|field|format|scope|status|state|manager|hint|rotation)\b"
)
CODE: Final = 1
"""The noun is followed by a few digits."""
_FEWEST_DIGITS: Final = 6
KEY: Final = 2
"""The noun may be one of a key to sort by: only what looks drawn at random is told."""
_LINK_WORDS: Final = re.compile(
    r"(?i)[\"'`*)]{0,3}(?:[ ]{1,3}(?:for|of|to|on|in|from|the|this|our|my|your|user|account|"
    r"admin|root|db|"
    r"database|server|prod|production|staging|wifi|wi-fi|[\w.@'-]{1,32})){0,5}?"
    r"[ ]{1,3}(?:(?:was |is |has been )?(?:set|changed|reset|rotated|updated|switched) to|"
    r"is now|is currently|is set to|is|was|are|were|"
    r"changed to|reset to|set to|should be|will be|=|equals|being|to|as|ist|lautet|est|es|é|è|"
    r"=>|->|\u2192)"
    r"(?: (?:now|currently|set to|still|simply|just))?[ ]{1,3}"
)


_DIRECT: Final = re.compile(r"[ \t]{1,3}(?=[\S])|[ \t]{0,3}[\r\n]{1,2}[ \t]{0,8}(?=\S)")


_VALUE: Final = re.compile(r"[^\s]{1,512}+")


_ASSIGNED: Final = re.compile(r"[\w.-]{1,40}=")
_DESCRIBED: Final = re.compile(r"[a-z](?:ed|ing|able|ible|ly|less|ful|ous|ory|ary)\Z")
"""How words end that say what a password is like."""


_GLUED: Final = re.compile(r"[A-Za-z]{2,32}[_-][A-Za-z]{2,32}\Z")


_OPEN: Final = "\"'`\u201c\u2018\u00ab*"


_CLOSE: Final = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
    "*": "*",
}


_GIVEN: Final = re.compile(
    r"(?i)(?: (?:that )?(?:you|was|were|has been|have))?[ ]{1,3}(?:just )?"
    r"(?:provided|supplied|given|used|entered|received|specified|sent|submitted|passed|presented|tried|configured)"
    r"(?: (?:is|was|here|by \w{1,24}))?[ ]{0,2}[:=(][ ]{0,3}"
)
_SHORT_LINK: Final = 8
"""In a longer link the value itself may stand: ``key k3y9 was rejected``."""
_HASTY: Final = re.compile(
    r"[\"'`*)]{0,3}[ \t:]{1,4}(?:(?:is|was|to|as|=|ist|est|es)[ \t]{1,3})?[\"'`(]{0,2}"
    r"((?=[^\s\"'`]{0,128}\d)[^\s\"'`]{3,512}|(?<=[\"'`])[^\s\"'`]{3,512})"
)


def hasty(text: str, at: int, strength: int = 0) -> tuple[int, int] | None:
    """Return what may be told behind the noun that ends at *at*, in a tenth of the time.

    For texts with so many such nouns that a close look at each would take too long: what has a
    digit or stands in quotes counts as the secret, unless it is masked.
    """
    found = _HASTY.match(text, at)
    if found is None:
        return None
    value = found.group(1).rstrip(".,;:)]}")
    if not value.strip("*#.xX[](") or placeholders.is_common(value):
        return None
    if strength == CODE and not value[:3].isdigit():
        return None
    if strength == KEY and value.isdigit() and len(value) < _FEWEST_DIGITS:
        return None
    return found.start(1), found.start(1) + len(value)


def after_noun(text: str, at: int, strength: int) -> tuple[int, int] | None:
    """Return where the secret stands that is told behind the noun that ends at *at*."""
    if strength != DIRECT_ONLY:
        linked = _LINK_WORDS.match(text, at)
        if linked is not None:
            told = None
            if _DESCRIBES.search(linked.group()) is None:
                told = _told(text, linked.end(), strength, linked=True)
            if told is not None or linked.end() - at <= _SHORT_LINK:
                return told
        given = _GIVEN.match(text, at) if linked is None else None
        if given is not None:
            return _told(text, given.end(), strength, linked=True)
    direct = _DIRECT.match(text, at)
    return _told(text, direct.end(), strength, linked=False) if direct is not None else None


def _told(text: str, at: int, strength: int, *, linked: bool) -> tuple[int, int] | None:
    if at < len(text) and text[at] in _OPEN:
        close = text.find(_CLOSE[text[at]], at + 1, at + 258)
        if close > at + 1:
            value = text[at + 1 : close]
            if _is_told(value, strength, linked=linked, quoted=True, last=True):
                return at + 1, close
            return None
    found = _VALUE.match(text, at)
    if found is None:
        return None
    value = found.group().rstrip(".,;:!?)\"'*`]}")
    end = at + len(value)
    after = text[end : end + 2]
    last = not after.strip(" ") or after[0] in "\n.,;!?)" or end == len(text)
    if not _is_told(value, strength, linked=linked, quoted=False, last=last):
        return None
    return at, end


def _is_told(value: str, strength: int, *, linked: bool, quoted: bool, last: bool) -> bool:  # noqa: PLR0911 - cheap exits first
    if (
        len(value) < 3
        or placeholders.is_placeholder(value)
        or value.startswith(("-", "[", "(", "<", "{", "$"))
    ):
        return False
    if (
        placeholders.is_path(value)
        or codewords.is_code(value)
        or "://" in value
        or placeholders.is_status(value + " x")
    ):
        return False
    if not linked and _ASSIGNED.match(value):
        return False  # dkim=pass header.i=@x.org
    digits = any(map(str.isdigit, value))
    letters = any(map(str.isalpha, value))
    if strength == CODE:
        return 3 <= len(value) <= 11 and value.replace("-", "").isdigit() and len(value) >= 3
    if strength == KEY:
        return shapes.is_shaped(value) or (
            linked and len(value) >= 8 and digits and letters and not shapes.is_dated(value)
        )
    if placeholders.is_common(value) or shapes.is_dated(value):
        return False
    mixed = (digits and letters) or (letters and any(char in "!@#$%^&*?+~" for char in value[:-1]))
    if linked:
        return (
            mixed
            or (digits and len(value) >= 4)
            or (quoted and " " not in value)
            or (quoted and len(value) < 40)
            or (last and value.isalpha() and len(value) >= 5 and not _DESCRIBED.search(value))
            or (last and _GLUED.match(value) is not None and shapes.mixes_case(value))
        )
    return mixed and len(value) >= 6
