"""Secrets in columns: SQL's ``INSERT``, comma-separated lines, Markdown tables.

The name stands in the first line and the value in another, at the same place.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import Final

from logbraid.scrub import gates, keys, shapes
from logbraid.scrub.keys import Verdict
from logbraid.scrub.pairs import Lookup
from logbraid.scrub.spans import Span

_INSERT: Final = re.compile(
    r"(?i)\b(?:insert|replace)\s{1,8}(?:ignore\s{1,8})?into\s{1,8}[^\s(]{1,128}\s{0,8}\(([^()"
    r"]{1,1024}+)\)\s{0,8}(?:output[^()]{0,64})?values?\s{0,8}"
)
_INSERT_ALL: Final = re.compile(
    r"(?i)\b(?:insert|replace)\s{1,8}(?:ignore\s{1,8})?into\s{1,8}[^\s(]{1,128}\s{1,8}values?\s{0,8}(?=\()"
)
_TUPLE: Final = re.compile(r"\s{0,8},?\s{0,8}\(")
_CELL: Final = re.compile(
    r"\s{0,8}(?:[nNbBeE]?'((?:[^'\\]|''|\\.){0,1024}+)'|\"((?:[^\"\\]|\\.){0,1024}+)\"|([^,()"
    r"'\"]{0,256}+(?:\([^()]{0,128}\))?))\s{0,8}([,)]?)"
)
_MAX_LINES: Final = 2000
_UNNAMED: Final = Verdict("password", keys.TEXT)


def find_inserts(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the values that an ``INSERT`` puts into columns with a secret name."""
    for found in _INSERT.finditer(text):
        names = [name.strip(' `"[]\r\n\t') for name in found.group(1).split(",")]
        wanted = _wanted(names, lookup)
        if wanted:
            _rows(text, found.end(), wanted, spans)
    for found in _INSERT_ALL.finditer(text):
        _rows(text, found.end(), None, spans)


def _rows(text: str, at: int, wanted: dict[int, Verdict] | None, spans: list[Span]) -> None:
    row = _TUPLE.match(text, at)
    while row is not None:
        row = _TUPLE.match(text, _row(text, row.end(), wanted, spans))


def _wanted(names: list[str], lookup: Lookup) -> dict[int, Verdict]:
    wanted: dict[int, Verdict] = {}
    for at, name in enumerate(names):
        verdict = lookup(name) if 1 < len(name) <= 64 else None
        if verdict is not None and verdict.gate not in (keys.SLOT, keys.RANDOM):
            wanted[at] = verdict
    return wanted


def _row(text: str, at: int, wanted: dict[int, Verdict] | None, spans: list[Span]) -> int:
    """Read one tuple of values from *at*; return where it ends.

    Without names, ``None``, a value has to look like a password itself.
    """
    column = 0
    while True:
        cell = _CELL.match(text, at)
        if cell is None:
            return len(text)
        verdict = _UNNAMED if wanted is None else wanted.get(column)
        if verdict is not None:
            for group in (1, 2, 3):
                value = cell.group(group)
                if value and _is_secret(value, verdict, quoted=group < 3):
                    spans.append(Span(cell.start(group), cell.end(group), verdict.kind))
        at = cell.end()
        column += 1
        if cell.group(4) != ",":
            return at


def _is_secret(value: str, verdict: Verdict, *, quoted: bool) -> bool:
    if verdict is _UNNAMED:
        return quoted and shapes.is_strong(value)
    if quoted:
        return gates.is_secret(value, verdict)
    if value.strip().isdigit():
        return gates.is_secret_number(value.strip()[:30], verdict.kind)
    return False


_HEAD: Final = re.compile(
    r"\n[ \"'\r`*]{0,16}+(?:(?=(\|))|[^\W\d][\w .-]{0,40}+[ \"'\r`*]{0,40}+([|\t,;]))"
)
"""How a line may begin that names columns; the first sign is the one that divides."""
_MOST_HEADS: Final = 50


def find_columns(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the cells below a secret name in lines that a comma, tab, semicolon or bar divides."""
    first = _HEAD.match("\n" + text[:128])
    later = _HEAD.finditer(text)
    heads = ((-1, first),) if first is not None else ()
    for at, head in chain(heads, ((one.start(), one) for one in islice(later, _MOST_HEADS))):
        head_end = text.find("\n", at + 1)
        if head_end < 0:
            return
        if _table(text, at + 1, head_end, head.group(head.lastindex or 0), lookup, spans):
            return


_NAME: Final = re.compile(r"[^\W\d][\w .-]{0,40}\Z")


def _is_edge(names: list[str], at: int) -> bool:
    """Tell whether nothing is to stand there: before the first bar and behind the last."""
    return not names[0] and at in {0, len(names) - 1}


def _table(
    text: str, start: int, head_end: int, sign: str, lookup: Lookup, spans: list[Span]
) -> bool:
    names = text[start:head_end].split(sign)
    for at, name in enumerate(names):  # prose leaves at its first clause
        names[at] = bare = name.strip(" \"'\r`*")
        if not _NAME.match(bare) and not (sign == "|" and _is_edge(names, at)):
            return False
    if len(names) < (2 if names[0] or sign != "|" else 4):
        return False
    wanted = _wanted(names, lookup)
    if not wanted:
        return False
    at = head_end + 1
    for _ in range(_MAX_LINES):
        if at >= len(text):
            break
        end = text.find("\n", at)
        end = end if end >= 0 else len(text)
        _line(text, at, end, sign, len(names), wanted, spans)
        at = end + 1
    return True


def _line(
    text: str,
    at: int,
    end: int,
    sign: str,
    columns: int,
    wanted: dict[int, Verdict],
    spans: list[Span],
) -> None:
    cells = text[at:end].split(sign)
    if len(cells) != columns:
        return
    for column, cell in enumerate(cells):
        verdict = wanted.get(column)
        value = cell.strip(" \"'\r`")
        if verdict is not None and value and value.strip("-:") and gates.is_secret(value, verdict):
            first = at + cell.find(value)
            spans.append(Span(first, first + len(value), verdict.kind))
        at += len(cell) + 1


_BAR_ROW: Final = re.compile(
    r"\|[ \t]{0,8}[*`]{0,2}([A-Za-z][\w .-]{1,40}?)[*`]{0,2}[ \t]{0,8}\|[ \t]{0,8}`?("
    r"[^|\s`]{3,256})`?[ \t]{0,8}\|"
)


def find_bar_rows(text: str, lookup: Lookup, spans: list[Span]) -> None:
    """Add the value in ``| password | x |``."""
    for found in _BAR_ROW.finditer(text):
        verdict = lookup(found.group(1))
        if verdict is None or verdict.gate in (keys.SLOT, keys.RANDOM, keys.CARD):
            continue
        value = found.group(2)
        if value.strip("-:") and any(map(str.isdigit, value)) and gates.is_secret(value, verdict):
            spans.append(Span(found.start(2), found.end(2), verdict.kind))
