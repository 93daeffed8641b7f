"""Secrets that are told in words: ``the password is hunter2``, ``Bearer abc``, ``x is my pin``."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final

from logbraid.scrub import codewords, inside, placeholders, shapes, told
from logbraid.scrub.directives import find_directives
from logbraid.scrub.spans import Span

_SCHEME: Final = re.compile(
    r"(?<![A-Za-z0-9])([Bb]earer|BEARER|[Bb]asic|BASIC|[Tt]oken)[ \t]{1,4}(?=[\w+/.~=-])"
)


_SCHEMES: Final = ((b"bearer ", "bearer "), (b"basic ", "basic "), (b"token ", "token"))
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,8192}+")


_NOUNS: Final = (
    (b"passw", 0, "password", ""),
    (b"passp", 0, "password", ""),
    (b"passc", 0, "password", ""),
    (b"pwd ", 0, "password", ""),
    (b"pw ", 0, "password", ""),
    (b"pass ", told.DIRECT_ONLY, "password", ""),
    (b"kennwort", 0, "password", ""),
    (b"mot de passe", 0, "password", ""),
    (b"mdp ", 0, "password", ""),
    (b"senha", 0, "password", ""),
    (b"wachtwoord", 0, "password", ""),
    (b"pin ", told.CODE, "pin", "pin "),
    (b"code ", told.CODE, "code", "code"),
    (b"otp ", told.CODE, "otp", ""),
    (b"cvv ", told.CODE, "cvv", ""),
    (b"ssn ", told.CODE, "ssn", ""),
    (b"key", told.KEY, "api_key", "key"),
    (b"token", told.KEY, "token", "token"),
    (b"secret", told.KEY, "secret", "secret"),
    (b"cred", told.KEY, "secret", "cred"),
)
"""A noun, how sure it makes what follows, the kind, and the stem that must stand near a digit.

None where the secret may have no digit itself.
"""
_CLOSE_LOOKS: Final = 8
_CHARS_A_LOOK: Final = 200
"""So many nouns are looked at closely, and one more for so many characters; all more in haste."""


_WHOLE: Final = frozenset((b"pw ", b"pass ")) | frozenset(
    (b"pin ", b"otp ", b"cvv ", b"ssn ", b"pwd ", b"mdp ", b"senha", b"token", b"secret", b"key")
)


_NOUN_END: Final = re.compile(
    r"(?i)(?:pass ?words?|passwd|passwort|pass(?= )|pass ?phrases?|passcodes?|pwd|pw|kennwort|"
    r"mot de passe|mdp|senha|"
    r"wachtwoord|pin(?: code| number)?|code|otp|cvv|ssn|keys?|tokens?|secret(?:s| access key| "
    r"keys?)?|"
    r"cred(?:ential)?s?)(?![A-Za-z0-9_])"
)


_KEY_WORDS: Final = tuple(
    word + sign
    for word in (
        b"api",
        b"access",
        b"secret",
        b"private",
        b"account",
        b"master",
        b"encryption",
        b"signing",
        b"webhook",
        b"admin",
        b"service",
        b"auth",
        b"deploy",
        b"license",
        b"subscription",
        b"cle",
        b"openai",
        b"stripe",
        b"our",
        b"my",
        b"your",
        b"this",
        b"!s",
        b"new",
        b"old",
    )
    for sign in (b" ", b"!", b"_")
)


_QUALIFIED: Final = {
    b"key": _KEY_WORDS,
    b"code ": tuple(
        word + b" "
        for word in (
            b"verification",
            b"security",
            b"time",
            b"otp",
            b"2fa",
            b"mfa",
            b"sms",
            b"login",
            b"auth",
            b"confirmation",
            b"authentication",
            b"recovery",
            b"backup",
            b"pass",
            b"pin",
            b"factor",
        )
    ),
}


_FROM_TO: Final = re.compile(
    r"(?: \w{1,16}){0,3}? from [\"'`]?([^\s\"'`]{4,64})[\"'`]? to [\"'`]?([^\s\"'`]{4,64})"
    r"(?<![.,;])"
)


_ABROAD: Final = re.compile(
    r"(?i)\b(?:contraseña|clé api|clé secrète|пароль|密码|密碼|パスワード|비밀번호|hasło|"
    r"şifre|lösenord)"
)


def places(low: bytes, stem: bytes) -> Iterator[int]:
    """Yield where *stem* stands in *low*."""
    at = low.find(stem)
    while at >= 0:
        yield at
        at = low.find(stem, at + len(stem))


def find_schemes(text: str, low: bytes, heard: Container[str], spans: list[Span]) -> None:
    """Add what follows ``Bearer``, ``Basic`` and ``Token`` if it is a credential."""
    for stem, sound in _SCHEMES:
        if sound not in heard:
            continue
        for at in places(low, stem):
            found = _SCHEME.match(text, at)
            value = _CREDENTIAL.match(text, found.end()) if found is not None else None
            if value is None:
                continue
            bare = value.group().rstrip(".,")
            scheme = stem[:-1].decode()
            if not placeholders.is_placeholder(bare) and _is_credential(bare, scheme):
                spans.append(Span(value.start(), value.start() + len(bare), scheme))


def _is_credential(value: str, scheme: str) -> bool:
    if scheme == "basic":
        return inside.holds_user_and_password(value)
    digits = any(map(str.isdigit, value))
    if scheme == "token":
        return len(value) >= 16 and digits and shapes.is_shaped(value)
    if placeholders.is_path(value) or codewords.is_code(value):
        return False
    if digits:
        return True
    return len(value) >= 20 and (not value.islower() or "-" not in value)


def find_told(text: str, low: bytes, heard: Container[str], spans: list[Span]) -> None:
    """Add what prose says a password, a code or a key to be; *heard* are the stems it uses."""
    find_directives(text, spans)
    left = _CLOSE_LOOKS + len(text) // _CHARS_A_LOOK
    for stem, strength, kind, sound in _NOUNS:
        if sound and sound not in heard:
            continue
        for at in places(low, stem):
            if stem in _QUALIFIED and not _is_qualified(low, at, stem):
                continue
            if at and stem in _WHOLE and low[at - 1 : at].isalnum():
                continue
            noun = _NOUN_END.match(text, at)
            if noun is None:
                continue
            left -= 1
            spans.extend(
                Span(*span, kind) for span in _behind(text, noun.end(), strength, in_haste=left < 0)
            )


def find_told_abroad(text: str, spans: list[Span]) -> None:
    """Do the same for the words of other languages that ASCII cannot write."""
    left = _CLOSE_LOOKS + len(text) // _CHARS_A_LOOK
    for noun in _ABROAD.finditer(text):
        left -= 1
        span = (told.after_noun if left >= 0 else told.hasty)(text, noun.end(), 0)
        if span is not None:
            spans.append(Span(*span, "password"))


def _behind(text: str, at: int, strength: int, *, in_haste: bool) -> Iterable[tuple[int, int]]:
    """Return where the secrets stand behind the noun that ends at *at*."""
    if in_haste:
        span = told.hasty(text, at, strength)
        return () if span is None else (span,)
    changed = _FROM_TO.match(text, at) if strength == 0 else None
    if changed is not None and all(map(shapes.is_mixed, changed.groups())):
        return changed.span(1), changed.span(2)
    span = told.after_noun(text, at, strength)
    return () if span is None else (span,)


def _is_qualified(low: bytes, at: int, stem: bytes) -> bool:
    return low[max(0, at - 16) : at].endswith(_QUALIFIED[stem])


_REVERSED: Final = re.compile(
    r"(?i) (?:is|was) (?:the |my |your |our |their |a )?(?:new |current |temporary |root |admin "
    r"|db |"
    r"database |wifi )?(?:password|passphrase|passcode|api key|secret key|access token|pin)(?![\w])"
)


def find_reversed(text: str, low: bytes, spans: list[Span]) -> None:
    """Add what stands before ``is my password``."""
    for stem in (b" is ", b" was "):
        for at in places(low, stem):
            if _REVERSED.match(text, at) is None:
                continue
            floor = max(0, at - 128)
            start = max(floor, text.rfind(" ", floor, at) + 1, text.rfind("\n", floor, at) + 1)
            value = text[start:at].strip("\"'`(")
            start = text.find(value, start) if value else at
            if (
                len(value) > 3
                and shapes.is_mixed(value)
                and not placeholders.is_masked(value)
                and not shapes.is_dated(value)
            ):
                spans.append(Span(start, start + len(value), "password"))
