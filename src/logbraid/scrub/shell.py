"""Secrets on command lines, as one text or as a list of arguments.

Long options are judged by their name; a letter only after a program that is known to take a
secret with it (``programs.py``).
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import gates, inside, keys, placeholders, programs, shapes
from logbraid.scrub.pairs import Lookup
from logbraid.scrub.spans import Span

_PROGRAM: Final = re.compile(
    r"(?<![\w.-])(" + "|".join(sorted(map(re.escape, programs.FLAGS), key=len, reverse=True)) + r")"
    r"(?:\.exe)?(?=[ \t\"'\\])"
)
_WORDS: Final = bytes(
    c if (chr(c).isalnum() and c < 128) or c in b"_-." else 32 for c in range(256)
)
_NAMES: Final = frozenset(name.encode() + end for name in programs.FLAGS for end in (b"", b".exe"))
# A lone character first: such a pattern is looked for at the speed of a search for it
_LONG: Final = re.compile(
    r"-(?<![\w-]-)-?([A-Za-z][\w.-]{1,63})(?:[ \t]{1,8}|\\{0,3}[\"'],?[ \t]{1,4})"
)
_ARGUMENT: Final = re.compile(
    r"(\\{1,3}[\"'])((?:[^\"'\\]){0,512}+)\1|()\"((?:[^\"\\]|\\.){0,512}+)\"|()'([^']{0,512}+)'|"
    r"()([^\s\"';|&]{1,512}+)"
)
_COMMAND_END: Final = re.compile(r"[\n;]|\|(?!\w)|&&")
_PORTS: Final = re.compile(r"\d{1,5}(?::\d{1,5})?(?:/\w{3})?\Z|[\d.]{7,15}:\d")
_ECHO: Final = re.compile(
    r"(?:echo|printf)[ \t]+(?:-\w+[ \t]+)?(?:'%s(?:\\n)?'[ \t]+)?(?:\"([^\"\n]{1,256}+)\"|"
    r"'([^'\n]{1,256}+)'|([^\s|\"']{1,256}+))[ \t]*\|"
    r"[^|\n]{0,128}?(--password-stdin|--with-token|sudo -S|chpasswd|passwd|cryptsetup|"
    r"--passphrase-fd|base64|gh auth)"
)
_HERE: Final = re.compile(
    r"(?:sudo|--password-stdin|--passphrase-fd|passwd)[^\n<]{0,128}<<<[ ]{0,4}([\"']?)"
    r"([^\s\"']{1,256})\1"
)
_METAVARS: Final = frozenset(
    (
        "TEXT STRING STR FILE PATH VALUE NAME KEY TOKEN PASSWORD SECRET USER ID URL INTEGER INT "
        "ENV VAR ARG PASS PASSPHRASE CREDENTIALS FILENAME"
    ).split()
)
_MOUNT: Final = re.compile(r"(?:id|src|source|type|env|name|target)=")
_MAX_COMMAND: Final = 2048


def find_options(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the values of options that carry a secret."""
    for found in _LONG.finditer(text):
        _long_option(text, found, lookup, spans)


def find_programs(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add what known programs take as a secret: by a letter, by its place, from a pipe."""
    done = 0
    for at in _programs(text):
        program = _PROGRAM.match(text, at) if at >= done else None
        if program is None:
            continue
        limit = program.end() + _MAX_COMMAND
        stop = _COMMAND_END.search(text, program.end(), limit)
        end = stop.start() if stop is not None else min(limit, len(text))
        done = _command(text, program.end(), end, program.group(1), lookup, spans)


def _programs(text: str) -> list[int]:
    """Return where the names of programs begin: a tenth of what a search for all of them costs."""
    words = set(text.encode("ascii", "replace").translate(_WORDS).split())
    found: set[int] = set()  # one name may begin with another
    for name in words & _NAMES:
        stem = name.decode()
        at = text.find(stem)
        while at >= 0:
            found.add(at)
            at = text.find(stem, at + 1)
    return sorted(found)


def find_piped(text: str, spans: list[Span]) -> None:
    """Add what ``echo`` hands through a pipe to a program that reads a password."""
    for found in _ECHO.finditer(text):
        _piped(found, spans)


def find_here(text: str, spans: list[Span]) -> None:
    """Add what ``sudo -S <<< x`` reads."""
    spans.extend(
        Span(found.start(2), found.end(2), "password")
        for found in _HERE.finditer(text)
        if not placeholders.is_masked(found.group(2))
    )


def _piped(found: re.Match[str], spans: list[Span]) -> None:
    group = found.lastindex if found.lastindex and found.lastindex < 4 else 0
    group = next((number for number in (1, 2, 3) if found.group(number)), group)
    value = found.group(group)
    to = found.group(4)
    if placeholders.is_placeholder(value) or (to == "base64" and ":" not in value):
        return
    colon = value.find(":") if to in {"chpasswd", "base64"} else -1
    spans.append(Span(found.start(group) + colon + 1, found.end(group), "password"))


def _command(text: str, start: int, end: int, name: str, lookup: Lookup, spans: list[Span]) -> int:
    arguments = _arguments(text, start, end)
    items = [name, *(text[first:last] for first, last in arguments)]
    for at, span in argument_secrets(items, lookup):
        if at:
            first = arguments[at - 1][0]
            spans.append(Span(first + span.start, first + span.end, span.kind))
    return max(arguments[-1][1], start) if arguments else max(end, start)


def _arguments(text: str, at: int, end: int) -> list[tuple[int, int]]:
    """Return where the arguments between *at* and *end* stand, without their quotes."""
    found: list[tuple[int, int]] = []
    while at < end and len(found) < 128:
        if text[at] in " \t\"',\\[]()":
            if text[at] in "\"'" and at + 1 < end and text[at + 1] in ", \t])":
                at += 1  # the quote that closes a program's name in a list
                continue
            if text[at] not in "\"'\\":
                at += 1
                continue
        argument = _ARGUMENT.match(text, at, end)
        if argument is None:
            at += 1
            continue
        first, last = argument.span(argument.lastindex or 0)
        at = max(argument.end(), at + 1)
        if last == argument.end() and at < end and text[at] in "\"'" and text[first] == "-":
            glued = _ARGUMENT.match(text, at, end)  # -p'x': the quotes are in the middle
            if glued is not None:
                last = at = glued.end()
        found.append((first, last))
    return found


def _long_option(text: str, found: re.Match[str], lookup: Lookup, spans: list[Span]) -> None:
    verdict = lookup(found.group(1))
    if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM, keys.DSN):
        return
    value = _ARGUMENT.match(text, found.end())
    if value is None:
        return
    first, end = value.span(value.lastindex or 0)
    end = first + len(text[first:end].rstrip(",)]"))
    if option_is_secret(text[first:end], verdict):
        _add(text, first, end, verdict, spans)


def _add(text: str, first: int, end: int, verdict: keys.Verdict, spans: list[Span]) -> None:
    if verdict.gate in (keys.COOKIE, keys.SET_COOKIE):
        inside.find_cookies(text, first, end, spans, response=False)
    elif verdict.gate == keys.AUTH:
        inside.find_authorization(text, first, end, spans)
    else:
        spans.append(Span(first, end, verdict.kind))


def option_is_secret(value: str, verdict: keys.Verdict) -> bool:
    """Tell whether *value* after an option of that *verdict* is its secret."""
    if value.startswith(("-", "|", ">", "<", "&", ";")) or placeholders.is_masked(value):
        return False
    if value in _METAVARS or _MOUNT.match(value):
        return False
    if verdict.gate in (keys.COOKIE, keys.SET_COOKIE):
        return "=" in value
    if verdict.gate in (keys.AUTH, keys.AUTH_PAIR, keys.TOKEN):
        return (
            any(map(str.isdigit, value))
            and not placeholders.is_auth_word(value)
            and not placeholders.is_path(value)
        )
    if value.isdigit():
        return gates.is_secret_number(value[:30], verdict.kind)
    return not placeholders.is_common(value) and gates.is_secret(value, verdict)


def argument_secrets(items: list[str], lookup: Lookup) -> list[tuple[int, Span]]:
    """Return which part of which argument of a command line in a list is a secret."""
    found: list[tuple[int, Span]] = []
    program = ""
    for at, item in enumerate(items):
        name = item.rpartition("/")[2].removesuffix(".exe")
        if name in programs.FLAGS:
            program = name
            _by_place(items, at, name, lookup, found)
        elif item[:1] in {"-", "/"}:
            following = items[at + 1] if at + 1 < len(items) else ""
            _argument(items, at, following, program, lookup, found)
    return found


def _by_place(
    items: list[str], at: int, name: str, lookup: Lookup, found: list[tuple[int, Span]]
) -> None:
    """Find a secret that stands at a known place after words: ``rabbitmqctl add_user bob x``."""
    if name == "net" and items[at + 1 : at + 2] == ["use"]:
        _share(items, at + 2, found)
    for place in programs.PLACES.get(name, ()):
        words = [one for one in items[at + 1 :] if one[:1] != "-"]
        if tuple(words[: len(place.words)]) != place.words or len(words) <= place.at:
            continue
        value = words[place.at]
        if place.named:
            verdict = lookup(words[place.at - 1]) if "=" not in words[place.at - 1] else None
            if verdict is None or verdict.gate == keys.SLOT or not option_is_secret(value, verdict):
                continue
        if not placeholders.is_masked(value):
            where = items.index(value, at + 1)
            found.append((where, Span(0, len(value), "password")))


def _share(items: list[str], at: int, found: list[tuple[int, Span]]) -> None:
    """Find the password of ``net use``: the bare word after the name of the share."""
    shared = False
    for place, item in enumerate(items[at:], at):
        if item.startswith("\\"):
            shared = True
        elif shared and item[:1] not in "/-*" and not placeholders.is_masked(item):
            found.append((place, Span(0, len(item), "password")))
            return


def _argument(
    items: list[str],
    at: int,
    following: str,
    program: str,
    lookup: Lookup,
    found: list[tuple[int, Span]],
) -> None:
    item = items[at]
    for flag in programs.FLAGS.get(program, ()):
        span = _flagged(flag, item, following, items)
        if span is not None:
            found.append((at + span[0], span[1]))
            return
        if flag.glued and item.startswith(flag.name) and not item.startswith("--"):
            return
    if "=" not in item and len(item) > 2 and item[0] == "-" and following and "[" not in item:
        verdict = lookup(item.lstrip("-"))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD, keys.RANDOM, keys.DSN):
            return
        if option_is_secret(following, verdict):
            added: list[Span] = []
            _add(following, 0, len(following), verdict, added)
            found.extend((at + 1, span) for span in added)


def _flagged(  # noqa: PLR0911 - cheap exits first
    flag: programs.Flag, item: str, following: str, items: list[str]
) -> tuple[int, Span] | None:
    """Return how far on, and where in that argument, the secret of *flag* stands."""
    if flag.only_with and flag.only_with not in items:
        return None
    value = following
    offset = 0
    if item != flag.name:
        if not flag.glued or not item.startswith(flag.name) or item.startswith("--"):
            return None
        offset = len(flag.name)
        value = item[offset:].lstrip("=\"'")
        offset = len(item) - len(value)
        value = value.rstrip("\"'")
    elif flag.glued == "only":
        return None
    step = 0 if item != flag.name else 1
    if not value or value.startswith("-") or placeholders.is_masked(value):
        return None
    if flag.form == "cookie":
        added: list[Span] = []
        if "=" in value:
            inside.find_cookies(value, 0, len(value), added, response=False)
        return (step, Span(added[0].start, len(value), "cookie")) if added else None
    if flag.form == "pair":
        span = password_of(value, offset)
        return (step, span) if span is not None else None
    if _PORTS.match(value) and len(value) < 6 + 6 * (":" in value):
        return None
    return step, Span(offset, offset + len(value), "password")


def password_of(value: str, start: int) -> Span | None:
    """Return where the password stands in ``user:password`` or ``user%password``."""
    if placeholders.MARK in value:
        return None
    for sign in ":%,":
        at = value.find(sign)
        if at >= 0:
            password = value[at + 1 :]
            if password and not placeholders.is_masked(password):
                return Span(start + at + 1, start + len(value), "password")
            if at >= 12 and shapes.is_shaped(value[:at]):
                return Span(start, start + at, "password")
            return None
    return None
