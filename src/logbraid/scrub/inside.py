"""The secret inside a value of known build: authorization, cookies, connection strings.

Each function adds spans within ``text[start:end]`` and leaves the harmless part as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from logbraid.scrub.placeholders import is_auth_word, is_masked, is_path, is_placeholder, is_status
from logbraid.scrub.shapes import is_random
from logbraid.scrub.spans import Span, redacted

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{1,30})(?:[ \t]{1,4}|\+|%20)(?=\S)")
_SCHEMES: Final = {
    "bearer": "bearer",
    "basic": "basic",
    "token": "token",
    "digest": "digest",
    "apikey": "api_key",
    "api-key": "api_key",
    "jwt": "jwt",
}
_SURE: Final = re.compile(
    r"(?i)(bearer|basic|token) {1,2}(?=[^ ]{0,64}\d)([A-Za-z0-9._~+/=-]{12,8192}+)"
)
is_bearer: Final = re.compile(r"Bearer (?=[^ \d]{0,64}+\d)[A-Za-z0-9._~+/=-]{12,8192}+").fullmatch
"""Match a text of which ``find_authorization`` makes ``BEARER``; ``None``: unknown."""
BEARER: Final = f"Bearer {redacted('bearer')}"
_SIGNED: Final = re.compile(
    r"(?i)\b(?:credential|signature|response|oauth_token|oauth_signature|oauth_consumer_key|token|"
    r"mac|key|secret|password)=(?:\"([^\"]{1,4096})\"|([^\s,\"/]{1,4096}))"
)
_ATTRIBUTES: Final = frozenset(
    (
        "path domain expires max-age samesite secure httponly priority partitioned version comment"
    ).split()
)
_COOKIE: Final = re.compile(
    r"[ \t,;]{0,16}+([^=;,\s]{1,256}+)[ \t]{0,4}+=[ \t]{0,4}+([^;]{0,8192}+)"
)
_NEXT_COOKIE: Final = re.compile(r",[ \t]{0,4}([^=;,\s]{1,128}+)=([^;]{0,8192}+)")


def find_authorization(text: str, start: int, end: int, spans: list[Span]) -> None:
    """Redact the credentials of an ``Authorization`` value; its scheme stays."""
    sure = _SURE.match(text, start, end)
    if sure is not None and sure.end() == end:
        spans.append(Span(sure.start(2), end, _SCHEMES[sure.group(1).lower()]))
        return
    value = text[start:end]
    if is_placeholder(value) or is_auth_word(value.strip()) or is_status(value):
        return
    scheme = _SCHEME.match(text, start, end)
    if scheme is None:
        spans.append(Span(start, end, "authorization"))
        return
    rest = text[scheme.end() : end]
    if is_placeholder(rest) or is_status(rest):
        return
    if "=" in rest and ("," in rest or '="' in rest):
        signed = [
            Span(*found.span(1 if found.group(1) is not None else 2), "authorization")
            for found in _SIGNED.finditer(text, scheme.end(), end)
        ]
        if signed:
            spans.extend(one for one in signed if not is_placeholder(text[one.start : one.end]))
            return
    kind = _SCHEMES.get(scheme.group(1).lower(), "authorization")
    spans.append(Span(scheme.end(), end, kind))


def find_cookies(text: str, start: int, end: int, spans: list[Span], *, response: bool) -> None:
    """Redact the values of cookies; their names stay, in a response their attributes too."""
    value = text[start:end]
    if is_placeholder(value) or is_status(value):
        return
    if "=" not in value:
        if not (value.isalpha() and len(value) <= 12):
            spans.append(Span(start, end, "cookie"))
        return
    at = start
    while at < end:
        found = _COOKIE.match(text, at, end)
        if found is None:
            following = text.find(";", at, end)
            if following < 0:
                return
            at = following + 1
            continue
        at = found.end() + 1
        name = found.group(1).lower()
        first, last = found.span(2)
        if name in _ATTRIBUTES:
            more = _NEXT_COOKIE.search(text, first, last) if name != "expires" else None
            if more is None or not response:
                continue
            first, last = more.span(2)
        if last > first and not is_masked(text[first:last]):
            spans.append(Span(first, last, "cookie"))


def holds_user_and_password(text: str) -> bool:
    """Tell whether *text* is what follows ``Basic``: base64 of ``user:password``."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain


_SCHEMELESS: Final = re.compile(
    r"[a-z][a-z0-9+.:-]{1,30}:(?://|[\w./])|[\w.-]{1,128}(?::\d{2,5})?(?:/[\w.-]{0,64})?\Z"
)


def is_harmless_dsn(value: str) -> bool:
    """Tell whether a connection string without a secret in it may stay as it is."""
    if "=" in value and (";" in value or " " in value or value.count("=") == 1):
        return True
    if is_random(value):
        return False
    return bool(_SCHEMELESS.match(value)) or is_path(value)
