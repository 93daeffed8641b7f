"""Secrets on command lines, as one text or as a list of arguments.

Long options are judged by their name; one letter only after a program that is known to take a
secret with it.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import gates, keys
from logbraid.scrub.pairs import Lookup
from logbraid.scrub.spans import Span

_PROGRAMS: Final = {
    "mysql": "-p+",
    "mysqldump": "-p+",
    "mysqladmin": "-p+",
    "mysqlimport": "-p+",
    "mariadb": "-p+",
    "mariadb-dump": "-p+",
    "sshpass": "-p",
    "redis-cli": "-a",
    "mongo": "-p",
    "mongosh": "-p",
    "mongodump": "-p",
    "mongorestore": "-p",
    "mongoexport": "-p",
    "sqlcmd": "-P",
    "bcp": "-P",
    "isql": "-P",
    "ldapsearch": "-w",
    "ldapadd": "-w",
    "ldapmodify": "-w",
    "ldapwhoami": "-w",
    "docker": "-p",
    "podman": "-p",
    "nerdctl": "-p",
    "helm": "-p",
    "az": "-p",
    "oc": "-p",
    "zip": "-P",
    "unzip": "-P",
    "7z": "-p+",
    "7za": "-p+",
    "mosquitto_pub": "-P",
    "mosquitto_sub": "-P",
    "ipmitool": "-P",
    "snmpwalk": "-A",
    "cqlsh": "-p",
    "clickhouse-client": "-p",
    "plink": "-pw",
    "pscp": "-pw",
    "psftp": "-pw",
    "keytool": "-storepass",
    "impala-shell": "-p",
    "beeline": "-p",
    "expect": "-p",
    "winexe": "-P",
    "evil-winrm": "-p",
    "crackmapexec": "-p",
    "netexec": "-p",
    "nxc": "-p",
    "hydra": "-p",
    "rclone": "-p",
    "sonar-scanner": "-p",
    "kinit": "-p",
    "openfortivpn": "-p",
}
_PAIRED: Final = {
    "curl": ("-u", "--user", "-U", "--proxy-user", "--oauth2-bearer"),
    "wget": (),
    "http": ("-a", "--auth"),
    "https": ("-a", "--auth"),
    "smbclient": ("-U",),
    "xh": ("-a",),
    "lftp": ("-u",),
    "rpcclient": ("-U",),
    "net": ("-U",),
    "yt-dlp": ("-p",),
}
_PROGRAM: Final = re.compile(
    r"(?<![\w.-])(?:[\w./-]{0,64}/)?("
    + "|".join(sorted(map(re.escape, [*_PROGRAMS, *_PAIRED]), key=len, reverse=True))
    + r")(?:\.exe)?(?=[ \t])"
)
_LONG: Final = re.compile(
    r"(?<![\w-])--?([A-Za-z][\w.-]{1,63})(?:[ \t]{1,8}|\\?[\"'],?[ \t]{1,4})(\\?[\"'])?"
)
_ARGUMENT: Final = re.compile(
    r"(?:\\\"((?:[^\"\\]){0,512}+)\\\"|\"((?:[^\"\\]|\\.){0,512}+)\"|'([^']{0,512}+)'|([^\s\"';|&]{1,512}+))"
)
_COMMAND_END: Final = re.compile(r"[\n;|]|&&")
_NO_VALUE: Final = ("-", "|", ">", "<", "&", ";")
_TWO: Final = re.compile(
    r"(?i)(?<![\w-])(?:setx|setenv|ENV|ARG|fish_set|set -gx|set -x|rabbitmqctl (?:add_user|change_password)|htpasswd -\w{1,4} \S{1,128}|net user|vault kv put \S{1,128}|git config(?: --\w+)?|npm config set|aws configure set|config set|SET) +([\w.:/@-]{1,64}) +(?=\S)"
)


def find_options(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the values of options that carry a secret."""
    for found in _LONG.finditer(text):
        _long_option(text, found, lookup, spans)
    for program in _PROGRAM.finditer(text):
        stop = _COMMAND_END.search(text, program.end())
        end = stop.start() if stop is not None else len(text)
        end = min(end, program.end() + 2048)
        name = program.group(1)
        if name in _PROGRAMS:
            _letter(text, program.end(), end, _PROGRAMS[name], spans)
        for option in _PAIRED.get(name, ()):
            _user(text, program.end(), end, option, spans)


def _long_option(text: str, found: re.Match[str], lookup: Lookup, spans: list[Span]) -> None:
    verdict = lookup(found.group(1))
    if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM):
        return
    quote = found.group(2)
    first = found.end()
    if quote is not None:
        end = text.find(quote, first, first + 1024)
        end = end if end >= 0 else len(text)
    else:
        value = _ARGUMENT.match(text, first)
        if value is None:
            return
        end = first + len(value.group().rstrip(",)]"))
    value_text = text[first:end]
    if value_text.startswith(_NO_VALUE) or gates.is_status(value_text + " x"):
        return
    if verdict.gate in (keys.AUTH, keys.AUTH_PAIR, keys.COOKIE, keys.SET_COOKIE, keys.DSN):
        if gates.is_auth_word(value_text) or gates.is_placeholder(value_text):
            return
        if verdict.gate == keys.DSN or not any(map(str.isdigit, value_text)):
            return
    elif not gates.is_secret(value_text, verdict):
        return
    spans.append(Span(first, end, verdict.kind))


def _letter(text: str, start: int, end: int, option: str, spans: list[Span]) -> None:
    glued = option.endswith("+")
    flag = option.rstrip("+")
    at = text.find(f" {flag}", start, end)
    while at >= 0:
        first = at + 1 + len(flag)
        if not glued:
            first = _after_blank(text, first, end)
        value = _ARGUMENT.match(text, first, end) if first > 0 else None
        if value is not None and value.start() < value.end():
            group = value.lastindex or 0
            inner = value.group(group)
            if (
                not inner.startswith(_NO_VALUE)
                and not gates.is_placeholder(inner)
                and (not inner.isdigit() or len(inner) > 5)
                and not re.match(r"\d+:\d+", inner)
            ):
                spans.append(Span(value.start(group), value.end(group), "password"))
        at = text.find(f" {flag}", at + 2, end)


def _after_blank(text: str, first: int, end: int) -> int:
    at = first
    while at < end and text[at] in " \t=":
        at += 1
    return at if at > first else -1


def _user(text: str, start: int, end: int, option: str, spans: list[Span]) -> None:
    at = text.find(f" {option}", start, end)
    while at >= 0:
        first = at + 1 + len(option)
        while first < end and text[first] in " \t=":
            first += 1
        value = _ARGUMENT.match(text, first, end)
        if value is not None and value.lastindex is not None:
            span = _password_of(value.group(value.lastindex), value.start(value.lastindex))
            if span is not None:
                spans.append(span)
        at = text.find(f" {option}", at + 2, end)


def _password_of(value: str, start: int) -> Span | None:
    """The password in ``user:password`` or ``user%password``."""
    for sign in ":%,":
        at = value.find(sign)
        if at >= 0:
            password = value[at + 1 :]
            if password and not gates.is_placeholder(password):
                return Span(start + at + 1, start + len(value), "password")
            if at >= 12 and gates.is_shaped(value[:at]):
                return Span(start, start + at, "password")
            return None
    return None


def argument_secrets(items: list[str], lookup: Lookup) -> list[tuple[int, Span]]:
    """Return which part of which argument of a command line in a list is a secret."""
    found: list[tuple[int, Span]] = []
    program = ""
    for at, item in enumerate(items):
        name = item.rpartition("/")[2].removesuffix(".exe")
        if name in _PROGRAMS or name in _PAIRED:
            program = name
            continue
        if not item.startswith("-"):
            continue
        following = items[at + 1] if at + 1 < len(items) else ""
        _argument(at, item, following, program, lookup, found)
    return found


def _argument(
    at: int, item: str, following: str, program: str, lookup: Lookup, found: list[tuple[int, Span]]
) -> None:
    option = _PROGRAMS.get(program, "")
    flag = option.rstrip("+")
    if (
        flag
        and item == flag
        and not option.endswith("+")
        and following
        and not gates.is_placeholder(following)
    ):
        found.append((at + 1, Span(0, len(following), "password")))
    elif (
        option.endswith("+")
        and item.startswith(flag)
        and len(item) > len(flag)
        and not item.startswith("--")
    ):
        found.append((at, Span(len(flag), len(item), "password")))
    elif item in _PAIRED.get(program, ()):
        span = _password_of(following, 0)
        if span is not None:
            found.append((at + 1, span))
    elif "=" not in item and len(item) > 2:
        verdict = lookup(item.lstrip("-"))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM):
            return
        if following.startswith("-") or verdict.gate in (keys.COOKIE, keys.DSN, keys.SET_COOKIE):
            return
        if gates.is_secret(following, verdict) or (
            following.isdigit() and gates.is_secret_number(following[:30], verdict.kind)
        ):
            found.append((at + 1, Span(0, len(following), verdict.kind)))
