"""Tell cheaply that a search would find nothing: what each of the slow ones needs to begin.

A hint may be wrong in one direction only: where it says ``False``, the search that it stands before
has no match. A property test holds that. A regular expression that is tried at each character
costs 10-200 ns there; ``in`` on text half of one, and a lone character a hundredth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from logbraid.scrub.reading import Lookup

_NEAR_BEFORE: Final = 100
_NEAR_AFTER: Final = 60
STEMS: Final = tuple(
    (
        "token|secret|key|code|pin |cred|auth|config|basic |bearer |pwd|pw |vault |senha|"
        "kennwort|setx |setenv |add_user|net use"
    ).split("|")
)
_PASSES: Final = ("pass ", "passp", "passc", "passe", "htpasswd")
"""What one of must stand before or behind a digit for prose or a command to tell a secret."""
_COMMANDS: Final = tuple(
    b"setx |setenv |env |config|rabbitmqctl |htpasswd |net use|authtoken |vault |snyk ".split(b"|")
)
_SOUND_OF_COMMANDS: Final = frozenset(
    ("pass", "config", "setx ", "setenv ", "net use", "vault ", "auth", "add_user")
)
_BY_PLACE: Final = tuple(
    b"set|config|env|passw|wpa_pass|net |net!|auth|login|securestring|add_user|secrets".split(b"|")
)
_REVERSED: Final = (
    b"passw",
    b"passp",
    b"passc",
    b"api key",
    b"secret key",
    b"access token",
    b"pin",
)
_SOUND_OF_REVERSED: Final = frozenset(("pass", "key", "token"))
ALL: Final = frozenset((*STEMS, "pass"))
"""What may be heard."""
_SLASHED: Final = ("/p", "/P", "/rp", "/RP")
_ABROAD: Final = "\u00f1\u00d1\u00e9\u00c9\u0142\u0141\u015f\u015e\u00f6\u00d6"
_ABROAD_STEMS: Final = (b"contrase?a", b"cl? api", b"cl? secr", b"has?o", b"?ifre", b"l?senord")
_ABROAD_WORDS: Final = (
    "\u5bc6\u7801",
    "\u5bc6\u78bc",
    "\u30d1\u30b9\u30ef\u30fc\u30c9",
    "\ube44\ubc00\ubc88\ud638",
)
_SOFT: Final = "\u044c\u042c"
_PAROL: Final = "\u043f\u0430\u0440\u043e\u043b\u044c"
_FOLDED: Final = "\u017f\u212a\u0131\u0130"
"""Letters that case folding takes for ``s``, ``k`` and ``i``."""
_SETTERS: Final = tuple(
    b"password( passwd( phrase( key( secret( token( credential( credentials(".split()
)
_LOGINS: Final = (b"login(", b"auth(", b"cate(", b"log_in(", b"sign_in(", b"signin(", b"credential")
_MANY: Final = 128
"""With more commas than this the search itself is the cheaper way to know."""
_NAME: Final = re.compile(r"[A-Za-z][\w.-]{1,48}\Z")
# A lone character first: such a pattern is looked for at the speed of a search for it
_OPTION: Final = re.compile(r"-(?<![\w-]-)\S")
_OPENING: Final = re.compile(r"'(?:(?<=[ (]')|(?<=[ (][nN]'))")
_PAIRED: Final = re.compile(
    r""",(?:(?<=(["']),)|(?<=(["'])[ ],)|(?<=(["'])[ ]{2},))[ ]{0,2}b?["']"""
)
_TAG: Final = re.compile(r"<([\w.:-]{1,105})")


def has_digit(text: str) -> bool:
    """Tell whether one of ten digits is in *text*: ten searches of a byte, 0.5 us in all."""
    return (
        "0" in text
        or "1" in text
        or "2" in text
        or "3" in text
        or "4" in text
        or "5" in text
        or "6" in text
        or "7" in text
        or "8" in text
        or "9" in text
    )


def heard(low: bytes) -> frozenset[str]:
    """Return which words for a secret stand before or behind one of the digits of a text."""
    near: list[bytes] = []
    done = 0
    at = low.find(b"0")
    while at >= 0:
        start = max(done, at - _NEAR_BEFORE)
        if start > done:
            near.append(b"!")
        near.append(low[start : at + _NEAR_AFTER])
        done = at + _NEAR_AFTER
        at = low.find(b"0", done)
    around = b"".join(near).decode("ascii", "replace")
    found = [stem for stem in STEMS if stem in around]
    if "pass" in around and any(stem in around for stem in _PASSES):
        found.append("pass")
    return frozenset(found)


def has_command(low: bytes, heard_stems: frozenset[str]) -> bool:
    """Tell whether a command that takes a secret by its place may be in a text."""
    if heard_stems.isdisjoint(_SOUND_OF_COMMANDS):
        return low.find(b"env ") >= 0
    return any(low.find(stem) >= 0 for stem in _COMMANDS)


def has_dash(text: str) -> bool:
    """Tell whether a dash stands where one of an option may stand."""
    return "--" in text or " -" in text or "'-" in text or '"-' in text or text[0] == "-"


def has_option(text: str) -> bool:
    """Tell whether a dash begins a word; in prose it joins two, or stands between blanks."""
    return _OPTION.search(text) is not None


def tells_reversed(low: bytes, heard_stems: frozenset[str]) -> bool:
    """Tell whether there is a word that ``x is my password`` may end with."""
    if heard_stems.isdisjoint(_SOUND_OF_REVERSED):
        return low.find(b"pin") >= 0
    return any(low.find(stem) >= 0 for stem in _REVERSED)


def takes_by_place(text: str, low: bytes) -> bool:
    """Tell whether a program may take a secret by its place, or behind a slash, without a dash."""
    if "/" in text and any(map(text.__contains__, _SLASHED)):
        return True
    return any(low.find(stem) >= 0 for stem in _BY_PLACE)


def quotes_behind_blank(text: str) -> bool:
    """Tell whether a single quote opens, as in SQL; in ``it's`` it does not."""
    return _OPENING.search(text) is not None


def sets_by_call(raw: bytes) -> bool:
    """Tell whether a call may set a secret: ``setPassword("x")``."""
    low = raw.lower()
    return any(low.find(stem) >= 0 for stem in _SETTERS)


def has_pair(text: str, raw: bytes, lookup: Lookup) -> bool:
    """Tell whether the name of a secret stands in quotes before a comma, or a call logs in."""
    if text.count(",") > _MANY or any(lookup(name) is not None for name in _paired_names(text)):
        return True
    if "(" not in text:
        return False
    low = raw.lower()
    return any(low.find(stem) >= 0 for stem in _LOGINS)


def _paired_names(text: str) -> Iterator[str]:
    """Yield each word in quotes before a comma and another quote, as in ``("password", "x")``."""
    for found in _PAIRED.finditer(text):
        stop = found.start()
        stop = text.rfind(found.group(1) or found.group(2) or found.group(3), 0, stop)
        name = text[text.rfind(text[stop], max(0, stop - 50), stop) + 1 : stop]
        if _NAME.match(name):
            yield name


def has_tag(text: str, lookup: Lookup) -> bool:
    """Tell whether a tag of a text has the name of a secret, or is one of a property list."""
    return any(name == "key" or lookup(name) is not None for name in set(_TAG.findall(text)))


def echoes(text: str) -> bool:
    """Tell whether something is handed to a program through a pipe."""
    return "echo" in text or "printf" in text


def tells_abroad(text: str, low: bytes) -> bool:
    """Tell whether a word for a secret that ASCII cannot write may be in *text*."""
    if any(map(text.__contains__, _ABROAD)) and (
        any(low.find(stem) >= 0 for stem in _ABROAD_STEMS) or any(map(text.__contains__, _FOLDED))
    ):
        return True
    if any(map(text.__contains__, _ABROAD_WORDS)):
        return True
    return any(map(text.__contains__, _SOFT)) and _PAROL in text.lower()
