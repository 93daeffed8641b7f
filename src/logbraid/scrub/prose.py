"""Secrets that are told in words: ``the password is hunter2``, ``Bearer abc``, SQL, XML, netrc."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import gates, inside, keys
from logbraid.scrub.pairs import Lookup
from logbraid.scrub.spans import Span

_SCHEME: Final = re.compile(
    r"(?<![A-Za-z0-9])([Bb]earer|BEARER|[Bb]asic|BASIC|[Tt]oken)[ \t]{1,4}(?=[\w+/.~=-])"
)
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,8192}+")
_NOUN: Final = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:(pass ?words?|passwd|pass ?phrases?|passcodes?|pass code|pwd|passwort|"
    r"kennwort|mot de passe|mdp|contrase[nñ]a|senha|clave|wachtwoord)|(pin(?: code| number)?|otp|"
    r"one[- ]time (?:code|password|passcode)|verification code|security code|cvv|cvc|ssn)|"
    r"(api[ -]?keys?|access[ -]keys?|secret[ -]keys?|secret access key|private keys?|client[ -]secrets?|"
    r"(?:access|auth|api|bearer|refresh|session|bot|deploy|personal access)[ -]tokens?|secrets?|tokens?|"
    r"credentials?|account key|master key|encryption key|signing (?:key|secret)|webhook secret|"
    r"cl[eé] api|chave api|clave api|api-schl[uü]ssel))(?![A-Za-z0-9_])"
)
_LINK_WORDS: Final = re.compile(
    r"(?i)[\"'`*)]{0,3}(?:[ ]{1,3}(?:for|of|to|on|in|from|the|this|our|my|your|user|account|admin|root|db|"
    r"database|server|prod|production|staging|wifi|wi-fi|[\w.@'-]{1,32})){0,5}?"
    r"[ ]{1,3}(?:is now|is currently|is set to|is|was|are|were|has been set to|has been changed to|"
    r"changed to|reset to|set to|should be|will be|=|equals|being|to|as|ist|lautet|est|es|é|è|=>|->)"
    r"(?: (?:now|currently|set to|still|simply|just))?[ ]{1,3}"
)
_DIRECT: Final = re.compile(r"[ \t]{1,3}(?=[\S])|[ \t]{0,3}[\r\n]{1,2}[ \t]{0,8}(?=\S)")
_VALUE: Final = re.compile(r"[^\s]{1,512}+")
_OPEN: Final = "\"'`“‘«*"
_CLOSE: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "*": "*"}
_SQL: Final = re.compile(
    r"(?i)(?:identified[ ]{1,4}(?:with[ ]{1,4}[\w'\"]{1,40}[ ]{1,4})?(?:by|as)(?:[ ]{1,4}password)?|"
    r"(?:encrypted[ ]{1,4}|unencrypted[ ]{1,4}|with[ ]{1,4})?password(?:[ ]{0,4}\()?|"
    r"secret|like|credentials?|key_?string)[ (]{1,6}[nN]?'((?:[^'\\]|''|\\.){1,512}+)'"
)
_XML: Final = re.compile(r"<((?:[\w-]{1,40}:)?[\w.-]{1,64})(?:\s[^<>]{0,256})?>([^<>]{1,4096})</")
_NETRC: Final = re.compile(r"(?i)\b(?:password|passwd|account)[ \t\r\n]{1,8}(\S{1,256})")


def find_schemes(text: str, spans: list[Span]) -> None:
    """Add what follows ``Bearer``, ``Basic`` and ``Token`` if it is a credential."""
    for found in _SCHEME.finditer(text):
        value = _CREDENTIAL.match(text, found.end())
        if value is None:
            continue
        first, end = value.span()
        bare = value.group().rstrip(".,")
        end = first + len(bare)
        scheme = found.group(1).lower()
        if gates.is_placeholder(bare) or not _is_credential(bare, scheme):
            continue
        spans.append(Span(first, end, scheme))


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


def find_told(text: str, spans: list[Span]) -> None:
    """Add what prose says a password, a code or a key to be."""
    for found in _NOUN.finditer(text):
        strength = 0 if found.group(1) else 1 if found.group(2) else 2
        at = found.end()
        linked = _LINK_WORDS.match(text, at)
        if linked is not None:
            span = _told(text, linked.end(), strength, linked=True)
        else:
            direct = _DIRECT.match(text, at)
            span = _told(text, direct.end(), strength, linked=False) if direct else None
        if span is not None:
            kind = ("password", "code", "secret")[strength]
            if strength == 2:
                noun = found.group(3).lower()
                kind = "api_key" if "key" in noun else "token" if "token" in noun else "secret"
            spans.append(Span(*span, kind))


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


def _is_told(value: str, strength: int, *, linked: bool, quoted: bool, last: bool) -> bool:
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
    mixed = (digits and letters) or any(char in "!@#$%^&*?+~" for char in value[:-1])
    if linked:
        return (
            mixed
            or (digits and len(value) >= 4)
            or (quoted and " " not in value)
            or (quoted and len(value) < 40)
            or (last and value.isalpha() and len(value) >= 5)
        )
    return (mixed and len(value) >= 6) or (
        quoted and (mixed or len(value) >= 6) and " " not in value and False
    )


def find_sql(text: str, spans: list[Span]) -> None:
    """Add passwords of SQL statements: ``IDENTIFIED BY '...'``, ``PASSWORD '...'``."""
    for found in _SQL.finditer(text):
        if not gates.is_placeholder(found.group(1)) and not found.group().lower().startswith(
            "like"
        ):
            spans.append(Span(found.start(1), found.end(1), "password"))


def find_elements(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the text of elements whose name is secret: ``<password>x</password>``."""
    for found in _XML.finditer(text):
        verdict = lookup(found.group(1))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            continue
        value = found.group(2)
        bare = value.strip()
        if bare and gates.is_secret(bare, verdict):
            start = found.start(2) + len(value) - len(value.lstrip())
            spans.append(Span(start, start + len(bare), verdict.kind))
