"""Logins before a host without a scheme (``bob:x@10.0.0.1``) and secrets in the paths of links."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import placeholders, shapes
from logbraid.scrub.spans import Span

_HOST: Final = re.compile(
    r"(?:(\d{1,3}(?:\.\d{1,3}){3}|localhost|\[[0-9a-fA-F:]{2,40}\])|"
    r"(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,5}[A-Za-z]{2,24}|[A-Za-z][\w-]{0,62}(?=:\d{2,5}\b))"
    r"(?![\w@])(:\d{2,5}\b|/)?"
)
_USER: Final = re.compile(r"[A-Za-z][\w.-]{0,32}(?:[/\\][\w.-]{1,32})?\Z")
_PASSWORD: Final = re.compile(r"[^\s:@/\"'<>]{4,128}\Z")
_NO_MAIL: Final = re.compile(r"[!#$%&*?^~=]")
_BEFORE_USER: Final = " \"'`=\n\t<>(,;|"
_LABELS: Final = frozenset(
    (
        "mail email e-mail mailto contact to from cc bcc user username login reply-to author "
        "owner assignee by acct sip sips xmpp npm file workspace link image account sender "
        "recipient support kontakt correo courriel id ref git pkg patch"
    ).split()
)
_CONNECTS: Final = re.compile(
    r"(?i)\b(?:ssh|scp|sftp|ftp|rsync|connect\w{0,6}|telnet|psql|proxy|psexec|wmiexec|"
    r"secretsdump|evil-winrm|mount|curl|smb\w{0,8}|sqlplus|mysql|mongo\w{0,3}|redis)\b[^\n]*\Z"
)
_SIGN: Final = re.compile(r"@(?<=[^\s:@/\"'<>]@)(?=[A-Za-z0-9\[])")
_BARE_HOST: Final = re.compile(r"(?i)(?!(?:sha\d|md5|v?\d))[a-z][\w-]{1,62}(?![\w@.:/-])")
_USER_LABELS: Final = frozenset(("user", "username", "login", "account", "acct"))
"""Before a colon a label, or the user's name itself, where what follows is clearly no name."""
_MAIL_LABELS: Final = _LABELS - _USER_LABELS
_ADMINS: Final = frozenset(
    (
        "admin administrator root sa sys system superuser postgres mysql oracle mongo redis guest "
        "deploy service svc ubuntu debian centos ec2-user pi operator backup"
    ).split()
)
_NAMED: Final = re.compile(r"[A-Za-z][A-Za-z._-]*+\d{0,8}\Z")
"""A person, a machine, a version: letters, then at most a number."""
_SLASHED: Final = re.compile(
    r" / (?<=[\w\"'`] / )([\"'`]?)(?=\S{0,64}\d)([^\s\"'`|/]{4,64})\1([ ]\(pass\w{0,8}\))?"
)
_LOGS_IN: Final = re.compile(
    r"(?i)\b(?:(?:log|sign)(?:s|ged|ed|ging|ing)?[ -]?(?:in|on)|authenticat\w{1,4}|creds?|"
    r"credentials?|connect\w{0,4} (?:as|with)|user(?:name)? (?:and|&|/|or) pass\w{0,8})\b"
    r"[^\n/]{0,32}[ :=][\"'`]?[\w.@-]{2,32}[\"'`]?\Z"
)
_LINK: Final = re.compile(
    r"/(?:(reset|reset[_-]?password|password[_-]?resets?|set[_-]password|magic|magic[_-]?links?|"
    r"one[_-]time[_-]login|forgot[_-]password|login[_-]?link|signin[_-]?link|passwordless)|"
    r"(?:invites?|invitations?|confirm|confirmation|activate|activation|verify|verify[_-]email|"
    r"email[_-]verification|join|accept[_-]invite|unsubscribe))/(?:[\w-]{1,16}/)?"
    r"([\w.~-]{20,512}+)(?![\w/=&%@-])"
)


def find_logins(text: str, spans: list[Span]) -> None:
    """Add the passwords of ``user:password@host`` where nothing says the scheme."""
    for found in _SIGN.finditer(text, 6):
        sign = found.start()
        host = _HOST.match(text, sign + 1) or _BARE_HOST.match(text, sign + 1)
        if host is not None:
            _login(text, sign, host, spans)


def _login(text: str, sign: int, host: re.Match[str], spans: list[Span]) -> None:
    colon = text.rfind(":", max(0, sign - 129), sign)
    if colon < 1 or _PASSWORD.match(text[colon + 1 : sign]) is None:
        return
    floor = max(0, colon - 67)
    start = max(max(text.rfind(char, floor, colon) for char in _BEFORE_USER) + 1, floor)
    user, password = text[start:colon], text[colon + 1 : sign]
    bare = host.re is _BARE_HOST
    if _USER.match(user) is None or user.lower() in (_MAIL_LABELS if bare else _LABELS):
        return
    if (
        not shapes.is_mixed(password)
        or placeholders.is_placeholder(password)
        or shapes.is_dated(password)
    ):
        return
    if bare:
        is_clear = shapes.is_shaped(password) or user.lower() in _ADMINS
        if is_clear and _NAMED.match(password) is None:
            spans.append(Span(colon + 1, sign, "password"))
        return
    sure = host.group(1) is not None or host.group(2) is not None or _NO_MAIL.search(password)
    if sure or _CONNECTS.search(text, max(0, start - 40), start):
        spans.append(Span(colon + 1, sign, "password"))


def find_slashed(text: str, spans: list[Span]) -> None:
    """Add the passwords of ``log in as root / x`` and ``root / x (password)``."""
    for found in _SLASHED.finditer(text):
        value = found.group(2).rstrip(".,;:!?)")
        if (
            not shapes.is_mixed(value)
            or placeholders.is_placeholder(value)
            or shapes.is_dated(value)
        ):
            continue
        start = found.start()
        logs_in = _LOGS_IN.search(text, max(0, start - 80), start) and not _NAMED.match(value)
        if found.group(3) or logs_in:
            spans.append(Span(found.start(2), found.start(2) + len(value), "password"))


def find_links(text: str, spans: list[Span]) -> None:
    """Add the tokens in the paths of links that reset a password or log somebody in."""
    for found in _LINK.finditer(text):
        value = found.group(2).rstrip(".")
        if shapes.is_random(value) or (found.group(1) is not None and shapes.is_shaped(value)):
            spans.append(Span(found.start(2), found.start(2) + len(value), "link_token"))
