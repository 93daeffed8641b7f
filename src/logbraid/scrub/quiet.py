"""Which words before a ``:`` or ``=`` need no look around, so that most signs cost next to nothing.

A shortcut with the answer of ``PairFinder``, never another; a property test holds both equal. Not
here: what stands around a sign, and what its value is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from logbraid.scrub import keys
from logbraid.scrub.foreign import FOREIGN
from logbraid.scrub.reading import Lookup

_TAILS: Final = re.compile(
    r"(?i)(?:key|keys|token|secret|code|phrase|password|number|string|api|passe|acceso|acesso|"
    r"acc[eè]s|"
    r"accesso|secreta|segreta|privada|priv[ée]e|privata|secr[eè]te|schl[uü]ssel|cookie|pin|id|"
    r"is|ist|est|es|now|lautet|to|was|are|[\u00e9\u00e8]|auf|"
    + "|".join(sorted({name.split()[-1] for name in FOREIGN if " " in name}))
    + r")\Z"
)
_SESSIONS: Final = re.compile(
    r"(?i)(?:j?session_?id|phpsessid|asp\.net_sessionid|connect\.sid|aspsessionid\w{8}|cfid|"
    r"[a-z]{2,16}_session|sessid|__session|sails\.sid|ci_session)\Z"
)
NAMING: Final = frozenset(
    "type|name|key|header|field|variable|param|parameter|k|id|Name|Key|ParameterKey|"
    "ParameterName|Header".split("|")
)
LINK_NAMES: Final = frozenset(
    "code key ticket samlart magic invite invitation confirmation otk nonce t k hash".split()
)


def is_session(name: str) -> bool:
    """Tell whether *name* is that of a web server's session cookie; ``session_id`` is an id."""
    return name != "session_id" and len(name) < 32 and _SESSIONS.match(name) is not None


@lru_cache(maxsize=4096)
def has_tail(name: str) -> bool:
    """Tell whether words before *name* may belong to it; the search takes 4 us."""
    return _TAILS.search(name) is not None


LOUD: Final = 0
BARE: Final = 1
QUIET: Final = 2
NAMES: Final = 3


@lru_cache(maxsize=4096)
def _is_foreign(word: str) -> bool:
    """Tell whether a word may belong to the name of a secret in another language."""
    return not _FOREIGN_WORDS.isdisjoint(keys.words(word))


def speaks_abroad(near: str) -> bool:
    """Tell whether words before a sign are beyond ASCII and may name a secret."""
    return not near.isascii() and any(map(_is_foreign, near.split()))


_FOREIGN_WORDS: Final = frozenset(
    word
    for name in FOREIGN
    for word in keys.words(name)
    if len(word) > len("de") or not word.isascii()
)
"""One of these is in each name."""
_LONGEST_NAME: Final = 64
_MAX_WORDS: Final = 4096
_PLAIN: Final = re.compile(r"[\w./-]*\Z", re.ASCII)
_BY_PLACE: Final = NAMING | LINK_NAMES | {"signature", "hmac", "Signature", "input_value"}
_ONLY_NAMING: Final = NAMING - LINK_NAMES


def quietness(  # noqa: PLR0911 - one exit for each reason
    word: str, lookup: Lookup
) -> int:
    """Tell what a look around finds for a *word* before a sign.

    ``QUIET``: never anything. ``BARE``: nothing, unless a blank and other words stand before it or
    there is something beyond ASCII among them. ``NAMES``: as ``BARE``, but its value may itself be
    the name of a secret. ``LOUD``: unknown. A word is all between two blanks, ``call(name`` too.
    """
    callee, bracket, name = word.rpartition("(")
    if not _PLAIN.match(name) or len(word) > _LONGEST_NAME:
        return LOUD
    if len(name) < 2:
        return QUIET
    if bracket and not callee:
        return LOUD
    name = name.lstrip("-+/.")
    verdict = lookup(name)
    if verdict is not None and (verdict.gate != keys.SLOT or bracket):
        return LOUD
    if verdict is None and not bracket and name in _ONLY_NAMING:
        return NAMES
    if name in _BY_PLACE or is_session(name):
        return LOUD
    return BARE if has_tail(name) else QUIET


_WORDS: Final = bytes(
    c if (chr(c).isalnum() and c < 128) or c in b"_-.~+/%\\(" else 32 for c in range(256)
)
_AROUND: Final = "\"'{[,*`"


def last_word(near: str) -> str:
    """Return the last word of ASCII text that a name could end with; nothing if there is none."""
    words = near.encode().translate(_WORDS).split()
    return words[-1].decode() if words else ""


class QuietWords(dict[str, int]):
    """``quietness`` of the words seen so far, bounded and emptied when full."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self._lookup = lookup

    def __missing__(self, near: str) -> int:
        """Return ``quietness`` of the last word in *near*, which has no blanks."""
        word = last_word(near) if near.isascii() else ""
        if not word:
            return LOUD
        if near.strip(_AROUND) != word:
            return self[word]
        quiet = quietness(word, self._lookup)
        if len(near) <= _LONGEST_NAME:
            if len(self) >= _MAX_WORDS:
                self.clear()
            self[near] = quiet
        return quiet
