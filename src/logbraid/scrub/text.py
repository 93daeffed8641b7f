"""Scan one text for all that a text can hide. Decides what is looked for, and in which order.

Most texts hold nothing, so each search is begun only where a cheap test at the speed of C says
that there may be something: a long run of token characters, a sign, a stem of a word.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

from logbraid.scrub import cards, hints, hosts, notation, pem, prose, shell, tables, urls, values
from logbraid.scrub.pairs import Lookup, PairFinder
from logbraid.scrub.placeholders import MARK
from logbraid.scrub.quiet import QuietWords
from logbraid.scrub.spans import Span, without


def _table(token: str, signs: str) -> bytes:
    chars = bytearray(b" " * 256)
    for char in token:
        chars[ord(char)] = ord("a")
    for char in signs:
        chars[ord(char)] = ord("=")
    return bytes(chars)


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MARKS: Final = _table(_LETTERS + "_-.~+/%\\", ":=")
_RUN: Final = b"a" * 20
_BLANK: Final = ord(" ")
_SIGN: Final = ord("=")


def _as_spoken(char: int) -> int:
    """Return how a sign sounds in prose: no case, ``0`` for digits, ``!`` for what divides."""
    if chr(char) in "0123456789":
        return ord("0")
    if chr(char) in "\t\r":
        return ord(" ")
    if chr(char) in "-@<%|'\"\n\\/":
        return ord("!")
    return ord(chr(char).lower()) if char < 128 else char


_LOWER: Final = bytes(map(_as_spoken, range(256)))
_MAX_ROUNDS: Final = 3
_MANY_SPANS: Final = 32
"""After so many one second look has to do, and after twice as many the first."""
_COLON_FOLLOWED: Final = re.compile(r":[*56/A]")
_PASSWORD: Final = re.compile(b"passw")
# Twice as fast as ``find``, which is slow with what is longer than one byte
_ESCAPES: Final = tuple(
    (escape, sign.rjust(len(escape), filling))
    for escape, sign, filling in (
        ("\\u0022", '"', "\\"),
        ("\\u0027", "'", "\\"),
        ("&quot;", '"', "\\"),
        ("%22", '"', "\\"),
        ("%3A", ":", " "),
        ("%3a", ":", " "),
    )
)
"""Quotes and signs in other clothes, each as long as what it is read as."""
_ESCAPED: Final = re.compile(r"\\{1,8}u([0-9a-fA-F]{4})")
_FILLING: Final = "\u2060"
"""Stands behind a letter that was written as an escape: names are read without it."""
_WIDE: Final = (("\uff1a", ":"), ("\uff1d", "="), ("\u3000", " "), ("\xa0", " "))
_MARKER: Final = re.compile(r"\[REDACTED:[^\[\]\s]{1,64}\]")


class TextScanner:
    """Finds the secrets in a text by its built-in rules and the user's patterns."""

    def __init__(
        self,
        lookup: Lookup,
        patterns: Mapping[str, re.Pattern[str]],
        *,
        personal_data: bool,
    ) -> None:
        self._lookup = lookup
        self._quiet = QuietWords(lookup)
        self._patterns = tuple(patterns.items())
        self._personal_data = personal_data

    def scrub(self, text: str, counts: dict[str, int]) -> str:
        """Return *text* with its secrets redacted; the same object if there are none."""
        spans = self.spans(text)
        rounds = 0
        most = _MAX_ROUNDS if len(spans) <= _MANY_SPANS else len(spans) <= 2 * _MANY_SPANS
        while spans and rounds <= most:
            # a marker may change how its neighbours read: look again until nothing is found
            text = without(text, spans, counts)
            rounds += 1
            spans = self.spans(text) if rounds <= most else []
        return text

    def spans(self, text: str) -> list[Span]:  # noqa: C901, PLR0912 - a list of cheap tests
        """Return where the secrets of *text* stand, in no order, possibly overlapping.

        A third of the time of a clean text goes into showing its long runs and whether it says
        ``password``. All else begins where a lone character is found, which costs next to nothing.
        """
        spans: list[Span] = []
        original = text
        ascii_only = text.isascii()
        if not ascii_only:
            for wide, same in _WIDE:
                text = text.replace(wide, same)
        marked = "[" in text and MARK in text
        if marked:
            text = _MARKER.sub(_hidden, text)
        if "\\" in text or "%" in text or "&" in text:
            text = _with_plain_quotes(text)
            ascii_only = text.isascii()
        raw = text.encode("ascii", "replace")
        marks = raw.translate(_MARKS)
        first = marks.find(_RUN)
        if first >= 0:
            self._runs(text, raw, marks, first, spans)
        if len(text) >= 200:
            self._last_run(text, marks, spans)
        has_digit = hints.has_digit(text)
        if ":" in text or "=" in text:
            self._signs(text, raw, marks, has_digit, spans)
        low = raw.translate(_LOWER) if has_digit or not ascii_only else raw.lower()
        self._quotes(text, raw, spans)
        self._punctuation(text, raw, spans)
        if has_digit:
            self._digits(text, low, spans)
        is_told = _PASSWORD.search(low) is not None or (not ascii_only and _FILLING in text)
        heard = hints.ALL if is_told else has_digit and hints.heard(low)
        if heard:
            self._told(text, low if has_digit else raw.translate(_LOWER), heard, spans)
        if not ascii_only and hints.tells_abroad(text, low):
            prose.find_told_abroad(text, spans)
        for kind, pattern in self._patterns:
            spans.extend(
                Span(found.start(), found.end(), kind)
                for found in pattern.finditer(text)
                if found.end() > found.start()
            )
        if self._personal_data:
            cards.find_personal(text, spans)
        if spans and marked:
            spans = _outside_markers(original, spans)
        return spans

    def _runs(self, text: str, raw: bytes, marks: bytes, at: int, spans: list[Span]) -> None:
        while at >= 0:
            end = _run_end(marks, at)
            values.find_in_run(text, raw, at, end, spans)
            at = marks.find(_RUN, end)

    def _last_run(self, text: str, marks: bytes, spans: list[Span]) -> None:
        last = marks.rfind(_BLANK) + 1
        last = max(last, marks.rfind(_SIGN, last) + 1)
        if len(text) - last >= 7:
            values.find_cut(text, last, spans)

    def _signs(
        self, text: str, raw: bytes, marks: bytes, has_digit: bool, spans: list[Span]
    ) -> None:
        if "@" in text:
            urls.find_userinfo(text, spans)
        if (has_digit or "/" in text or "*" in text) and _COLON_FOLLOWED.search(text):
            if ":*:" in text or ":543" in text or ":643" in text:
                notation.find_pgpass(text, spans)
            if "://" in text:
                urls.find_webhooks(text, spans)
            if ":AA" in text:
                values.find_telegram(text, raw, spans)
        PairFinder(text, marks, self._lookup, spans).find(self._quiet)

    def _digits(self, text: str, low: bytes, spans: list[Span]) -> None:
        at = low.find(b"0000")
        if at < 0:
            return
        if low.find(b"0000 0000", at) >= 0 or low.find(b"0000!0000", at) >= 0:
            cards.find_grouped_cards(text, low.replace(b"!", b" "), spans)
        if low.find(b"0000000000000", at) >= 0:
            cards.find_bare_cards(text, low, spans)

    def _quotes(self, text: str, raw: bytes, spans: list[Span]) -> None:
        lookup = self._lookup
        single = "'" in text
        if not single and '"' not in text:
            return
        if single and hints.quotes_behind_blank(text):
            low = raw.translate(_LOWER)
            notation.find_sql(text, low, spans)
            if low.find(b"values") >= 0 and low.find(b"into") >= 0:
                tables.find_inserts(text, lookup, spans)
        if ('",' in text or "'," in text) and hints.has_pair(text, raw, lookup):
            notation.find_quoted_pairs(text, lookup, spans)
        if "(" in text and ('("' in text or "('" in text) and hints.sets_by_call(raw):
            notation.find_calls(text, spans)

    def _punctuation(self, text: str, raw: bytes, spans: list[Span]) -> None:
        lookup = self._lookup
        if "@" in text:
            urls.find_other_userinfo(text, spans)
        if "<" in text:
            self._tags(text, spans)
        if "-" in text:
            self._dashes(text, raw, spans)
        if "/" in text:
            self._slashes(text, spans)
        if "%" in text and "%3" in text:
            notation.find_encoded(text, lookup, spans)
        if "|" in text:
            tables.find_bar_rows(text, lookup, spans)
            if hints.echoes(text):
                shell.find_piped(text, spans)
        if "\n" in text and ("," in text or "|" in text or "\t" in text or ";" in text):
            tables.find_columns(text, lookup, spans)

    def _slashes(self, text: str, spans: list[Span]) -> None:
        if " / " in text:
            hosts.find_slashed(text, spans)
        if "/p:" in text and not hints.has_dash(text):
            shell.find_programs(text, self._lookup, spans)

    def _tags(self, text: str, spans: list[Span]) -> None:
        if ">" in text and hints.has_tag(text, self._lookup):
            notation.find_elements(text, self._lookup, spans)
            notation.find_tags(text, self._lookup, spans)
        if "<<<" in text:
            shell.find_here(text, spans)

    def _dashes(self, text: str, raw: bytes, spans: list[Span]) -> None:
        if "-----" in text:
            pem.find_pem(text, spans)
        if not hints.has_dash(text):
            return
        if hints.has_option(text):
            shell.find_options(text, self._lookup, spans)
            shell.find_programs(text, self._lookup, spans)
        elif hints.takes_by_place(text, raw.translate(_LOWER)):
            shell.find_programs(text, self._lookup, spans)

    def _told(self, text: str, low: bytes, heard: frozenset[str], spans: list[Span]) -> None:
        prose.find_schemes(text, low, heard, spans)
        prose.find_told(text, low, heard, spans)
        if hints.has_command(low, heard):
            shell.find_programs(text, self._lookup, spans)
        if hints.tells_reversed(low, heard):
            prose.find_reversed(text, low, spans)


def _with_plain_quotes(text: str) -> str:
    """Return *text*, as long as before, with escaped quotes, colons and letters as plain ones."""
    for escape, same in _ESCAPES:
        if escape in text:
            text = text.replace(escape, same)
    return _ESCAPED.sub(_as_letter, text) if "\\u" in text else text


def _as_letter(found: re.Match[str]) -> str:
    escape = found.group()
    letter = chr(int(found.group(1), 16))
    return letter.ljust(len(escape), _FILLING) if letter.isalnum() or letter == "_" else escape


def _hidden(found: re.Match[str]) -> str:
    """Return as many signs as the marker has: what is redacted says nothing of its neighbours."""
    return "#" * len(found.group())


def _run_end(marks: bytes, at: int) -> int:
    end = marks.find(b" ", at)
    sign = marks.find(b"=", at, end if end >= 0 else len(marks))
    if sign >= 0:
        return sign
    return end if end >= 0 else len(marks)


def _outside_markers(text: str, spans: list[Span]) -> list[Span]:
    """Leave out what would redact again what is redacted."""
    taken = [found.span() for found in _MARKER.finditer(text)]
    starts = [first for first, _ in taken]
    kept: list[Span] = []
    for span in spans:
        at = bisect_left(starts, span.end) - 1
        if at < 0 or taken[at][1] <= span.start:
            kept.append(span)
    return kept
