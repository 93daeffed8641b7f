"""Secrets that are told in words: ``the password is hunter2``, ``Bearer abc``, ``x is my pin``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from logbraid.scrub import gates, inside
from logbraid.scrub.directives import find_directives
from logbraid.scrub.spans import Span

_SCHEME: Final = re.compile(
    r"(?<![A-Za-z0-9])([Bb]earer|BEARER|[Bb]asic|BASIC|[Tt]oken)[ \t]{1,4}(?=[\w+/.~=-])"
)


_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,8192}+")


_DIRECT_ONLY: Final = 3
_DESCRIBES: Final = re.compile(
    r"(?i)\b(?:id|ids|name|type|count|length|version|path|prefix|rate|limit|size|file|url|owner|"
    r"policy|expiry|ttl|age|field|format|scope|status|state|manager|hint|rotation)\b"
)
_NOUNS: Final = (
    (b"passw", 0, "password"),
    (b"passp", 0, "password"),
    (b"passc", 0, "password"),
    (b"pwd ", 0, "password"),
    (b"pw ", 0, "password"),
    (b"pass ", _DIRECT_ONLY, "password"),
    (b"kennwort", 0, "password"),
    (b"mot de passe", 0, "password"),
    (b"mdp ", 0, "password"),
    (b"senha", 0, "password"),
    (b"wachtwoord", 0, "password"),
    (b"pin ", 1, "pin"),
    (b"code ", 1, "code"),
    (b"otp ", 1, "otp"),
    (b"cvv ", 1, "cvv"),
    (b"ssn ", 1, "ssn"),
    (b"key", 2, "api_key"),
    (b"token", 2, "token"),
    (b"secret", 2, "secret"),
    (b"cred", 2, "secret"),
)


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


def places(low: bytes, stem: bytes) -> Iterator[int]:
    """Yield where *stem* stands in *low*."""
    at = low.find(stem)
    while at >= 0:
        yield at
        at = low.find(stem, at + len(stem))


def find_schemes(text: str, low: bytes, spans: list[Span]) -> None:
    """Add what follows ``Bearer``, ``Basic`` and ``Token`` if it is a credential."""
    for stem in (b"bearer ", b"basic ", b"token "):
        for at in places(low, stem):
            found = _SCHEME.match(text, at)
            value = _CREDENTIAL.match(text, found.end()) if found is not None else None
            if value is None:
                continue
            bare = value.group().rstrip(".,")
            scheme = stem[:-1].decode()
            if not gates.is_placeholder(bare) and _is_credential(bare, scheme):
                spans.append(Span(value.start(), value.start() + len(bare), scheme))


def _is_credential(value: str, scheme: str) -> bool:
    if scheme == "basic":
        return inside.holds_user_and_password(value)
    digits = any(map(str.isdigit, value))
    if scheme == "token":
        return len(value) >= 16 and digits and gates.is_shaped(value)
    if gates.is_path(value) or gates.is_code(value):
        return False
    if digits:
        return True
    return len(value) >= 20 and (not value.islower() or "-" not in value)


def find_told(text: str, low: bytes, spans: list[Span]) -> None:
    """Add what prose says a password, a code or a key to be."""
    find_directives(text, spans)
    for stem, strength, kind in _NOUNS:
        for at in places(low, stem):
            noun = _NOUN_END.match(text, at)
            if noun is None or (stem in _QUALIFIED and not _is_qualified(low, at, stem)):
                continue
            if at and stem in _WHOLE and low[at - 1 : at].isalnum():
                continue
            changed = _FROM_TO.match(text, noun.end()) if strength == 0 else None
            if changed is not None and all(map(gates.is_mixed, changed.groups())):
                spans.extend(Span(*changed.span(one), kind) for one in (1, 2))
                continue
            span = _after_noun(text, noun.end(), strength)
            if span is not None:
                spans.append(Span(*span, kind))


def find_told_abroad(text: str, spans: list[Span]) -> None:
    """Do the same for the words of other languages that ASCII cannot write."""
    for noun in _ABROAD.finditer(text):
        span = _after_noun(text, noun.end(), 0)
        if span is not None:
            spans.append(Span(*span, "password"))


def _is_qualified(low: bytes, at: int, stem: bytes) -> bool:
    return low[max(0, at - 16) : at].endswith(_QUALIFIED[stem])


def _after_noun(text: str, at: int, strength: int) -> tuple[int, int] | None:
    linked = _LINK_WORDS.match(text, at) if strength != _DIRECT_ONLY else None
    if linked is not None:
        if _DESCRIBES.search(linked.group()):
            return None
        return _told(text, linked.end(), strength, linked=True)
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
        or gates.is_placeholder(value)
        or value.startswith(("-", "[", "(", "<", "{", "$"))
    ):
        return False
    if (
        gates.is_path(value)
        or gates.is_code(value)
        or "://" in value
        or gates.is_status(value + " x")
    ):
        return False
    if not linked and _ASSIGNED.match(value):
        return False  # dkim=pass header.i=@x.org
    digits = any(map(str.isdigit, value))
    letters = any(map(str.isalpha, value))
    if strength == 1:
        return 3 <= len(value) <= 11 and value.replace("-", "").isdigit() and len(value) >= 3
    if strength == 2:
        return gates.is_shaped(value) or (
            linked and len(value) >= 8 and digits and letters and not gates.is_dated(value)
        )
    if gates.is_common(value) or gates.is_dated(value):
        return False
    mixed = (digits and letters) or (letters and any(char in "!@#$%^&*?+~" for char in value[:-1]))
    if linked:
        return (
            mixed
            or (digits and len(value) >= 4)
            or (quoted and " " not in value)
            or (quoted and len(value) < 40)
            or (last and value.isalpha() and len(value) >= 5 and not _DESCRIBED.search(value))
            or (last and _GLUED.match(value) is not None and gates.mixes_case(value))
        )
    return (mixed and len(value) >= 6) or (
        quoted and (mixed or len(value) >= 6) and " " not in value and False
    )


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
            start = max(at - 128, text.rfind(" ", 0, at) + 1, text.rfind("\n", 0, at) + 1)
            value = text[start:at].strip("\"'`(")
            start = text.find(value, start) if value else at
            if (
                len(value) > 3
                and gates.is_mixed(value)
                and not gates.is_masked(value)
                and not gates.is_dated(value)
            ):
                spans.append(Span(start, start + len(value), "password"))
