"""Credentials in URLs: user and password before the host, tokens in webhook paths."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub.hosts import find_links, find_logins
from logbraid.scrub.placeholders import is_placeholder
from logbraid.scrub.shapes import is_shaped
from logbraid.scrub.spans import Span

_AUTHORITY_END: Final = re.compile(r"[^\s\"'<>`,;|(){}\\]{1,2048}")
_PATH: Final = re.compile(r"[/?#]")
_PORT_FIRST: Final = re.compile(r"\d{1,5}(?:[/?#]|\Z)")
_NO_PORT: Final = re.compile(r":(?!\d{1,5}(?:\Z|[/?#]))")
_GO_DSN: Final = re.compile(r"@(?:tcp|tcp6|unix|udp)\(")
_ORACLE: Final = re.compile(
    r"(?:jdbc:oracle:\w{2,4}:|sqlplus +(?:-\w+ +)*|expdp +|impdp +|sqlldr +)"
    r"[\w$#]{1,64}/\"?([^@\s\"']{1,256})\"?@"
)
_HOOKS: Final = (
    (
        "slack_webhook",
        "hooks.slack.com/",
        re.compile(r"(?:services|workflows|triggers)/([\w/-]{10,255}+)"),
    ),
    ("discord_webhook", "/api/webhooks/", re.compile(r"\d{5,24}/([\w-]{20,128}+)")),
    ("teams_webhook", ".webhook.office.com/", re.compile(r"webhookb2/([\w@/-]{20,512}+)")),
    ("zapier_webhook", "hooks.zapier.com/hooks/catch/", re.compile(r"([\w/]{8,128}+)")),
    (
        "google_chat_webhook",
        "/v1/spaces/",
        re.compile(r"[\w-]{4,64}/messages\?([\w=&%-]{20,512}+)"),
    ),
)


def find_userinfo(text: str, spans: list[Span]) -> None:
    """Add the passwords of ``scheme://user:password@host`` and secrets that stand as the user."""
    at = text.find("://")
    last_sign = text.rfind("@")
    while 0 <= at < last_sign:
        first = at + 3
        token = _AUTHORITY_END.match(text, first)
        last = first
        if token is not None and "@" in token.group():
            last = _one(text, first, token.end(), spans)
        elif "@" in text[first : first + 256]:
            last = _odd_password(text, first, spans)
        at = text.find("://", max(last, first))


def userinfo_kind(text: str) -> str | None:
    """Return the kind of the first credential that stands before a host in *text*, or ``None``."""
    spans: list[Span] = []
    find_userinfo(text, spans)
    return spans[0].kind if spans else None


def find_other_userinfo(text: str, spans: list[Span]) -> None:
    """Add the passwords of Go's ``user:password@tcp(host)`` and Oracle's ``user/password@host``."""
    find_logins(text, spans)
    if "(" in text:
        for found in _GO_DSN.finditer(text):
            _before(text, found.start(), spans)
    if "/" in text:
        spans.extend(
            Span(found.start(1), found.end(1), "password")
            for found in _ORACLE.finditer(text)
            if not is_placeholder(found.group(1))
        )


def _one(text: str, first: int, end: int, spans: list[Span]) -> int:
    authority = text[first:end]
    path = _PATH.search(authority)
    stop = path.start() if path is not None else len(authority)
    sign = authority.rfind("@", 0, stop)
    if sign < 0:
        # a slash or a hash in the password that was not percent-encoded
        sign = authority.rfind("@")
        colon = authority.find(":")
        if not 0 <= colon < sign or _PORT_FIRST.match(authority, colon + 1):
            return first
        if "/" in authority[:colon] or "?" in authority[:colon]:
            return first
    elif _NO_PORT.search(authority, sign + 1, stop) and authority.rfind("@") > stop:
        sign = authority.rfind("@")  # what looked like a host was the rest of the password
    user, separator, password = authority[:sign].partition(":")
    if separator and _is_example(user, password, authority[sign + 1 :]):
        return first + sign
    if separator and password and password not in {"x-oauth-basic", "x"}:
        if not is_placeholder(password) or _plain_but_real(password):
            start = first + len(user) + 1
            spans.append(Span(start, first + sign, "password"))
        if not is_shaped(user):
            return first + sign
    if len(user) >= 16 and is_shaped(user) and not is_placeholder(user):
        spans.append(Span(first, first + len(user), "userinfo"))
    return first + sign


_EXAMPLE_HOST: Final = re.compile(r"(?i)(?:host|hostname|server|domain|your[-_]?host)(?![\w.-])")


def _is_example(user: str, password: str, host: str) -> bool:
    """Tell whether a manual shows how such an address is built: ``user:password@host``."""
    if password.lower() not in {"pass", "password", "passwd", "pw", "pwd", "passw0rd"}:
        return False
    return password.isupper() or (
        user.lower() in {"user", "username", "login", "name"}
        and _EXAMPLE_HOST.match(host) is not None
    )


def _plain_but_real(password: str) -> bool:
    """Words that mean nothing elsewhere are passwords here: ``postgres:secret@``."""
    return (
        password.isalpha()
        and password.lower() not in {"redacted", "password", "pass", "xxx"}
        and (set(password.lower()) != {"x"})
    )


def _odd_password(text: str, first: int, spans: list[Span]) -> int:
    """Read a password with a comma, a bracket or a semicolon in it."""
    line = re.compile(r"[^\s\"'<>]{1,256}").match(text, first)
    if line is None or "@" not in line.group():
        return first
    authority = line.group()
    colon, sign = authority.find(":"), authority.rfind("@")
    if (
        not 0 <= colon < sign
        or not ("x" + authority[:colon]).replace("-", "").replace("_", "").isalnum()
    ):
        return first
    password = authority[colon + 1 : sign]
    if is_placeholder(password) or "/" in password or "://" in password:
        return first
    spans.append(Span(first + colon + 1, first + sign, "password"))
    return first + sign


def _before(text: str, sign: int, spans: list[Span]) -> None:
    floor = max(0, sign - 256)
    start = max(text.rfind(char, floor, sign) for char in " \"'`=\n\t") + 1
    start = max(start, floor)
    colon = text.find(":", start, sign)
    if colon > start and not is_placeholder(text[colon + 1 : sign]):
        spans.append(Span(colon + 1, sign, "password"))


def find_webhooks(text: str, spans: list[Span]) -> None:
    """Add the secret paths of webhook addresses: who knows one can post there."""
    find_links(text, spans)
    for kind, host, path in _HOOKS:
        at = text.find(host)
        while at >= 0:
            found = path.match(text, at + len(host))
            if found is not None:
                spans.append(Span(found.start(1), found.end(1), kind))
            at = text.find(host, at + len(host))
