"""Notations without a sign between name and value: SQL, XML, calls, pgpass, encoded pairs."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import gates, inside, keys, placeholders, shapes
from logbraid.scrub.pairs import Lookup
from logbraid.scrub.prose import places
from logbraid.scrub.spans import Span

_SQL: Final = re.compile(
    r"(?i)(?:(?:identified[ ]{1,4}(?:with[ ]{1,4}[\w'\"]{1,40}[ ]{1,4})?(?:by|as)(?:"
    r"[ ]{1,4}password)?|"
    r"crypt\([^()']{0,128},|password(?:[ ]{0,4}\()?)[ (]{1,6}|"
    r"(?:secret|credentials?)[ ]{1,6})[nN]?'((?:[^'\\]|''|\\.){1,512}+)'"
)


_OF_USER: Final = re.compile(rb"user|login|role|grant|create|alter")


_XML: Final = re.compile(
    r"<((?:[\w-]{1,40}:)?[\w.-]{1,64})(?:\s[^<>]{0,256})?>(?:<!\[CDATA\[([^<>\]]{1,4096})\]\]>|"
    r"([^<>]{1,4096}))</"
)


_TAGGED: Final = re.compile(
    r"<([\w.:-]{1,64})\s(?:[^<>]{0,256}?\s)?(?:value|val)=[\"']([^\"'<>]{1,4096})[\"']"
)


_PLIST: Final = re.compile(r"<key>([\w .-]{1,64})</key>\s{0,40}<string>([^<>]{1,4096})</string>")


_LOGIN: Final = re.compile(
    r"(?:login|auth|authenticate|log_in|sign_in|signIn|logIn|set_auth|basic_auth|setAuth|"
    r"HTTPBasicAuth|HTTPDigestAuth|BasicAuth|HTTPProxyAuth|NTLMAuth|HttpNtlmAuth|SetBasicAuth|[Cc]redentials?)\("
    r"\s{0,8}[\"'][^\"'\n]{0,128}[\"'],\s{0,8}[\"']([^\"'\n]{4,256})[\"']"
)


_CALL: Final = re.compile(
    r"(?i)(?:(?:set|with|use)_?|(\.))(?:password|passwd|passphrase|api_?key|secret(?:_?key)?|"
    r"(?:access|auth|bearer|api)?_?token|client_?secret|credentials?)\([ ]{0,4}[\"']"
    r"([^\"'\n]{4,512})[\"'][ ]{0,4}\)"
)


def find_calls(text: str, spans: list[Span]) -> None:
    """Add what a call sets: ``setPassword("x")``, ``.api_key("x")``."""
    for found in _CALL.finditer(text):
        value = found.group(2)
        if (
            placeholders.is_placeholder(value)
            or placeholders.is_path(value)
            or placeholders.is_label(value)
        ):
            continue
        if shapes.is_shaped(value) if found.group(1) else shapes.is_mixed(value):
            spans.append(Span(found.start(2), found.end(2), "password"))


def find_sql(text: str, low: bytes, spans: list[Span]) -> None:
    """Add passwords of SQL statements: ``IDENTIFIED BY '...'``, ``PASSWORD '...'``."""
    for stem in (b"identified ", b"crypt(", b"password", b"secret", b"credential"):
        for at in places(low, stem):
            found = _SQL.match(text, at)
            if found is None or placeholders.is_placeholder(found.group(1)):
                continue
            if (
                stem[:1] != b"i"
                or shapes.is_mixed(found.group(1))
                or _OF_USER.search(low, max(0, at - 200), at)
            ):
                spans.append(Span(found.start(1), found.end(1), "password"))


def find_elements(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the text of elements whose name is secret: ``<password>x</password>``."""
    for found in _XML.finditer(text):
        verdict = lookup(found.group(1))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            continue
        group = 2 if found.group(2) else 3
        value = found.group(group)
        bare = value.strip()
        if bare and gates.is_secret(bare, verdict):
            start = found.start(group) + len(value) - len(value.lstrip())
            spans.append(Span(start, start + len(bare), verdict.kind))


_QUOTED_PAIR: Final = re.compile(
    r"(?<=([\"']))([A-Za-z][\w.-]{1,48})\1[ ]{0,2},[ ]{0,2}b?([\"'])((?:(?!\3)[^\\\n]|\\.){3,"
    r"2048}?)\3"
)


def find_quoted_pairs(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the second of ``("password", "x")``: a call, a tuple, a header of a web server."""
    spans.extend(
        Span(found.start(1), found.end(1), "password")
        for found in _LOGIN.finditer(text)
        if shapes.is_mixed(found.group(1)) and not placeholders.is_masked(found.group(1))
    )
    for found in _QUOTED_PAIR.finditer(text):
        verdict = lookup(found.group(2))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM, keys.DSN):
            continue
        value = found.group(4)
        first, end = found.span(4)
        if verdict.gate == keys.AUTH and " " in value:
            inside.find_authorization(text, first, end, spans)
        elif verdict.gate in (keys.COOKIE, keys.SET_COOKIE) and "=" in value:
            inside.find_cookies(text, first, end, spans, response=verdict.gate == keys.SET_COOKIE)
        elif shapes.is_mixed(value) and not keys.known(value) and gates.is_secret(value, verdict):
            spans.append(Span(first, end, verdict.kind))


_PGPASS: Final = re.compile(
    r"(?<![^\n])[^:\s]{1,255}:(?:\d{2,5}|\*):[^:\s]{1,64}:[^:\s]{1,64}:([^\s:]{1,256})(?![^\s])"
)


_ENCODED: Final = re.compile(
    r"(?<![\w.-])([\w.-]{2,64}+)%3[dD]((?:[\w.~!*'()+-]|%(?!26)[0-9A-Fa-f]{2}){1,2048}+)"
)


def find_pgpass(text: str, spans: list[Span]) -> None:
    """Add the passwords of PostgreSQL's ``host:port:database:user:password`` lines."""
    spans.extend(
        Span(found.start(1), found.end(1), "password")
        for found in _PGPASS.finditer(text)
        if not placeholders.is_masked(found.group(1))
    )


def find_encoded(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the values of pairs whose ``=`` is written ``%3D``."""
    for found in _ENCODED.finditer(text):
        name = found.group(1)
        verdict = lookup(name) or lookup(name[2:])
        if verdict is not None and gates.is_secret(found.group(2), verdict):
            spans.append(Span(found.start(2), found.end(2), verdict.kind))


def find_tags(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add ``<secret value="x"/>`` and the pairs of a property list."""
    for pattern in (_TAGGED, _PLIST):
        for found in pattern.finditer(text):
            verdict = lookup(found.group(1))
            if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM):
                continue
            if gates.is_secret(found.group(2), verdict):
                spans.append(Span(found.start(2), found.end(2), verdict.kind))
