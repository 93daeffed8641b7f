"""What a field's name says of its value. Knows names only; values are judged in ``gates.py``.

A name is cut into words, and word sequences are looked up: ``compass`` is not ``pass``,
``prompt_tokens`` is not ``token``. English names end in the noun that counts, so a sequence must
stand at the end, after words are taken off that change nothing (``password_2``, ``api_key_prod``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logbraid.scrub import foreign
from logbraid.scrub import words as table

# What a name asks of the value before it is redacted.
NUMBERS_TOO: Final = 0  # also a number is the secret: password, pin, cvv
TEXT: Final = 1  # any text
SHAPED: Final = 2  # only text that looks drawn at random: ``STRIPE_KEY``
TOKEN: Final = 3  # a lone ``token``: anything but the short words of a language model's stream
AUTH: Final = 4  # a header: the scheme stays
COOKIE: Final = 5  # names of cookies stay
SET_COOKIE: Final = 6  # so do the attributes
DSN: Final = 7  # only the secret inside, if it can be told
CARD: Final = 8  # a bare run of digits is a card number here
SLOT: Final = 9  # the name stands beside, under another key
AUTH_PAIR: Final = 10  # ``auth``: text only
RANDOM: Final = 11  # an unknown ``... key``: only text that is clearly drawn at random


@dataclass(frozen=True, slots=True)
class Verdict:
    """A name that is not plain: the *kind* of its redaction, and what the value must be."""

    kind: str
    gate: int


_CASE_CUT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"[^\W_]+")
_TRAILING_NUMBER: Final = re.compile(r"\d{1,3}\Z")
_TYPE_NAME: Final = re.compile(r"[A-Z]\w*(?:::[A-Z]\w*)+\Z")
_MAX_NAME: Final = 200


_STROKES: Final = str.maketrans("\u0142\u00f8\u0111\u0131", "lodi")


def fold(text: str) -> str:
    """Return *text* after NFKC, without format characters and accents, casefolded."""
    shown = "".join(
        char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf"
    )
    loose = unicodedata.normalize("NFKD", shown.casefold().translate(_STROKES))
    return "".join(char for char in loose if unicodedata.category(char) != "Mn")


def words(name: str) -> list[str]:
    """Cut *name* into folded words at case changes and at all that is no letter or digit."""
    if not name.isascii():
        name = "".join(
            char
            for char in unicodedata.normalize("NFKC", name)
            if unicodedata.category(char) != "Cf"
        )
    cut = _CASE_CUT.sub(" ", name)
    folded = cut.lower() if cut.isascii() else fold(cut)
    return _unglued(_WORD.findall(folded))


def _unglued(found: list[str]) -> list[str]:
    done: list[str] = []
    for word in found:
        if word.isdigit() or word.isalpha():
            stem = word
        else:
            bare = _TRAILING_NUMBER.sub("", word)
            stem = bare if bare in _STEMS or bare.endswith(_SUFFIXES) else word
        if len(stem) > 5 and stem.endswith(_SUFFIXES):
            for suffix in _SUFFIXES:
                if stem.endswith(suffix):
                    rest = stem[: -len(suffix)]
                    if rest:
                        done.append(rest)
                    done.extend(table.GLUED.get(suffix, suffix).split())
                    break
            continue
        done.extend(table.GLUED.get(stem, stem).split())
    return done


def _sequences() -> dict[tuple[str, ...], Verdict]:
    found: dict[tuple[str, ...], Verdict] = {}

    def enter(names: str, verdict: Verdict) -> None:
        for name in names.split("|"):
            found.setdefault(tuple(name.split()), verdict)

    for key in table.KEYS.split("|"):
        gate = SHAPED if key in table.SHAPED_KEYS else TEXT
        kind = {"private": "private_key", "secret": "secret_key"}.get(key, "api_key")
        enter(f"{key} key", Verdict(kind, gate))
        enter(f"{key} keys", Verdict(kind, SHAPED if gate == SHAPED else TEXT))
    for vendor in table.VENDORS:
        enter(f"{vendor} key", Verdict("api_key", SHAPED))
        enter(f"{vendor} pass", Verdict("password", TEXT))
    enter(table.PASSWORDS, Verdict("password", NUMBERS_TOO))
    enter("pass", Verdict("password", TEXT))
    enter(table.CODES, Verdict("otp", NUMBERS_TOO))
    enter(table.PINS, Verdict("pin", NUMBERS_TOO))
    enter(table.CARD_SECRETS, Verdict("cvv", NUMBERS_TOO))
    enter(table.PEOPLE_SECRETS, Verdict("ssn", NUMBERS_TOO))
    enter(table.PHRASES, Verdict("seed_phrase", TEXT))
    enter("encryption customer key|side encryption customer key", Verdict("encryption_key", TEXT))
    enter("pat", Verdict("token", SHAPED))
    enter(table.SECRETS, Verdict("secret", TEXT))
    enter(
        "authorization|proxy authorization|authorisation|authorization header",
        Verdict("authorization", AUTH),
    )
    enter("authentication|auth header|x auth", Verdict("authorization", AUTH))
    enter("auth", Verdict("auth", AUTH_PAIR))
    enter("cookie|cookies|cookie jar|cookie header", Verdict("cookie", COOKIE))
    enter("set cookie|set cookies", Verdict("cookie", SET_COOKIE))
    enter(
        "dsn|connection string|connection strings|conn string|conn str|connect string",
        Verdict("dsn", DSN),
    )
    enter(
        "sig|sas|amz signature|goog signature|sas token|signature key", Verdict("signature", SHAPED)
    )
    enter(table.SIGNATURES, Verdict("signature", SHAPED))
    enter("amz credential|goog credential", Verdict("credential", TEXT))
    enter(
        "access tokens|refresh tokens|auth tokens|api tokens|bearer tokens|session tokens",
        Verdict("token", TEXT),
    )
    return found


_SUFFIXES: Final = tuple(sorted(table.SUFFIXES, key=len, reverse=True))
_SECRET: Final = _sequences()
_FOREIGN: Final = {
    tuple(words(name)): Verdict(kind, NUMBERS_TOO if kind == "password" else TEXT)
    for name, kind in foreign.FOREIGN.items()
}
_SAFE: Final = frozenset(tuple(one.split()) for one in table.SAFE)
_CARDS: Final = frozenset(tuple(one.split()) for one in table.CARD_WORDS)
_SLOTS: Final = frozenset(tuple(one.split()) for one in table.SLOTS)
_STEMS: Final = frozenset(word for sequence in _SECRET for word in sequence) | {"token", "key"}
_LONE_TOKEN: Final = Verdict("token", TOKEN)
_TOKEN: Final = Verdict("token", TEXT)
_ANY_KEY: Final = Verdict("api_key", RANDOM)
_CARD: Final = Verdict("card", CARD)
SLOT_NAMES: Final = table.SLOT_NAMES
SLOT_VERDICT: Final = Verdict("value", SLOT)


def built_in(name: str) -> Verdict | None:
    """Return what the built-in rules say of *name*; ``None`` means that it is plain."""
    if len(name) > _MAX_NAME:
        name = name[-_MAX_NAME:]
    if "::" in name and _TYPE_NAME.match(name):
        return None
    found = words(name)
    if not found:
        return None
    if tuple(found) in _SLOTS:
        return SLOT_VERDICT
    if tuple(found) in _SECRET and not (found[-1] == "token" or tuple(found) in _SAFE):
        return _SECRET[tuple(found)]
    return _english(found) or _foreign(found) or _card(found)


def _english(found: list[str]) -> Verdict | None:
    if len(found) > 1 and found[0] in table.ASKING:
        return None
    end = len(found)
    while end > 1 and (found[end - 1] in _TAKEN_OFF or _NUMBERED.match(found[end - 1])):
        verdict = _ending(found[:end], whole=end == len(found))
        if verdict is not None:
            return verdict
        end -= 1
    return _ending(found[:end], whole=end == len(found))


_NUMBERED: Final = re.compile(r"v?\d{1,4}\Z")
_TAKEN_OFF: Final = table.NEUTRAL | table.VENDORS


def _ending(found: list[str], *, whole: bool) -> Verdict | None:  # noqa: PLR0911 - cheap exits first
    for size in (4, 3, 2, 1):
        if size > len(found):
            continue
        sequence = tuple(found[-size:])
        if sequence in _SAFE:
            return None
        verdict = _SECRET.get(sequence)
        if verdict is None:
            continue
        if size == 1 and not _alone_enough(found, whole=whole):
            return None
        if found[0] in table.SAFE_FIRST and verdict.kind in {"api_key", "secret"}:
            return None
        return verdict
    last = found[-1]
    if last == "token":
        return _LONE_TOKEN if len(found) == 1 else _TOKEN
    if last == "key" and len(found) > 1:
        return _ANY_KEY
    return None


def _alone_enough(found: list[str], *, whole: bool) -> bool:
    """Words that name a secret only as a whole name or only where nothing follows."""
    last = found[-1]
    if last in {"pin", "csc", "social"}:
        return len(found) == 1 and whole
    if last in {"pass", "auth", "cookie", "cookies", "authentication", "jwt", "bearer"}:
        return whole
    return True


def _foreign(found: list[str]) -> Verdict | None:
    for start in range(len(found)):
        for size in (3, 2, 1):
            verdict = _FOREIGN.get(tuple(found[start : start + size]))
            if verdict is not None:
                rest = found[start + size :]
                if any(word in foreign.FOREIGN_DESCRIPTORS for word in rest):
                    return None
                return verdict
    return None


def _card(found: list[str]) -> Verdict | None:
    for size in (3, 2, 1):
        if tuple(found[-size:]) in _CARDS:
            return _CARD
    return None


@lru_cache(maxsize=64)
def as_words(name: str) -> tuple[str, ...]:
    """Return *name* as the sequence that user rules are compared by."""
    return tuple(words(name))


class NameRules:
    """The built-in rules with the user's own names on top."""

    def __init__(self, extra: tuple[str, ...] = (), safe: tuple[str, ...] = ()) -> None:
        self._extra = {as_words(name): Verdict("custom_key", NUMBERS_TOO) for name in extra}
        self._safe = frozenset(as_words(name) for name in safe)
        self._own = bool(extra or safe)

    def __call__(self, name: str) -> Verdict | None:
        """Return what *name* says; ``None`` means that only the value itself can tell."""
        if self._own:
            found = tuple(words(name[-_MAX_NAME:]))
            for size in range(len(found), 0, -1):
                sequence = found[-size:]
                if sequence in self._safe:
                    return None
                if sequence in self._extra:
                    return self._extra[sequence]
        return built_in(name)


@lru_cache(maxsize=512)
def known(text: str) -> bool:
    """Tell whether *text* is itself a name of a secret."""
    verdict = built_in(text)
    return verdict is not None and verdict.gate not in (SLOT, CARD, RANDOM)
