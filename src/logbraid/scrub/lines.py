"""Where a value ends that is bounded by lines: settings, headers, YAML's blocks."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import keys, placeholders, shapes
from logbraid.scrub.keys import Verdict

_MAX_HEADER: Final = 8192
_MAX_BLOCK: Final = 500
_REFERENCES: Final = frozenset(
    "name ref namespace path id arn key optional secretName secretRef".split()
)
_SIGNS: Final = re.compile(r"[:=(\[{]")
_HEADER_STOP: Final = re.compile(
    r",\s(?=['\"]?[\w-]{1,40}['\"]?: )|\s-[A-Za-z]\s|[ \t]{1,64}\Z|,\Z"
)
_NEXT_LINE: Final = re.compile(
    r"[ \t]{0,40}(?:- |export |set |#|//)?[ \t]{0,8}[\"']?[\w.\-\[\]]{1,64}[\"']?"
    r"[ \t]{0,20}[:=]|[ \t]{0,8}[\[#]|\Z"
)


def rest_of_line(text: str, start: int, first: int, end: int) -> int:
    """Return the end of the line where a value of a settings file goes so far, else *end*."""
    stop = text.find("\n", first, first + 1200)
    line_end = stop if stop >= 0 else min(len(text), first + 1200)
    if line_end == end or line_end - first > 1024:
        return end
    begin = text.rfind("\n", max(0, start - 64), start) + 1
    if text[begin:start].strip(" \t+-\"'") not in {"", "export", "set", "ENV"}:
        return end
    rest = text[end:line_end]
    if not rest.strip(" \t\r;,\"'") or "=" in rest or '"' in rest or rest.lstrip().startswith("#"):
        return end
    neighbour = (stop >= 0 and _NEXT_LINE.match(text, stop + 1)) or begin > 0
    if not neighbour or placeholders.is_status(text[first:line_end]) or "(" in rest:
        return end
    comment = rest.find(" #")
    return end + len(rest[:comment] if comment >= 0 else rest.rstrip())


def header_end(text: str, start: int, first: int) -> int:
    """Return where a header ends: with its line, or with the quotes it stands in."""
    stop = min(len(text), first + _MAX_HEADER)
    for mark in ("\n", "\r", "\\n", "\\r"):
        found = text.find(mark, first, stop)
        if found >= 0:
            stop = found
    before = text[start - 1] if start else ""
    marks = before if before and before in "\"'`" else "\"'"
    for mark in marks:
        found = text.find(mark, first, stop)
        if found >= 0 and (before == mark or text[found - 1] != "="):
            stop = found
    if before and before in "([{":
        found = text.find({"(": ")", "[": "]", "{": "}"}[before], first, stop)
        stop = found if found >= 0 else stop
    comma = _HEADER_STOP.search(text, first, stop)
    if comma is not None:
        stop = comma.start()
    return stop


def block(text: str, start: int, stop: int, verdict: Verdict) -> list[tuple[int, int]]:
    """Return the values on the lines below a name at *start* whose own line ends at *stop*."""
    begin = text.rfind("\n", max(0, start - 200), start) + 1
    indent = len(text[begin:start]) - len(text[begin:start].lstrip(" "))
    found: list[tuple[int, int]] = []
    at = text.find("\n", stop)
    for _ in range(_MAX_BLOCK):
        if not 0 <= at < len(text):
            break
        line_end = text.find("\n", at + 1)
        line_end = line_end if line_end >= 0 else len(text)
        line = text[at + 1 : line_end]
        bare = line.lstrip(" -\t")
        if at == stop and _stands_alone(line):
            return [(at + 1, at + 1 + len(line.rstrip()))]
        depth = len(line) - len(line.lstrip(" "))
        if not bare.strip() or depth <= indent - (line.lstrip()[:1] == "-"):
            break
        span = _line_value(line, bare, verdict)
        if span is not None:
            found.append((at + 1 + span[0], at + 1 + span[1]))
        at = line_end
    return found


def _stands_alone(line: str) -> bool:
    """Tell whether *line* is nothing but one value, not indented."""
    bare = line.strip()
    if line[:1] in " \t-" or " " in bare or _SIGNS.search(line):
        return False
    return shapes.is_mixed(bare)


def _line_value(line: str, bare: str, verdict: Verdict) -> tuple[int, int] | None:
    first = len(line) - len(bare)
    if ":" not in bare and "=" not in bare.rstrip("="):
        return first, len(line.rstrip())
    if bare.partition(":")[0].strip("\"'") in _REFERENCES:
        return None  # says which secret, not what it is
    if ": " not in bare or verdict.gate != keys.TEXT or verdict.kind != "secret":
        return None
    first += bare.find(": ") + 2
    value = line[first:].strip()
    if not value or value[0] in "\"'{[|>":
        return None
    return first, len(line.rstrip())
