"""Scan one text for all that a text can hide. Decides what is looked for, and in which order.

Most texts hold nothing, so each search is begun only where a cheap test at the speed of C says
that there may be something: a long run of token characters, a sign, a stem of a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from logbraid.scrub import cards, pem, prose, shell, urls, values
from logbraid.scrub.pairs import Lookup, PairFinder
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
_LOWER: Final = bytes(
    48 if 48 <= c <= 57 else c + 32 if 65 <= c <= 90 else 32 if c in b"-\t\n\r" else c
    for c in range(256)
)
_STEMS: Final = re.compile(rb"bearer |basic |token |identified |secret|passw|passp|passc")
_WIDE: Final = {0xFF1A: ":", 0xFF1D: "=", 0x3000: " ", 0xA0: " "}
_MARKER: Final = re.compile(r"\[REDACTED:[^\[\]\s]{1,64}\]")


class TextScanner:
    """Finds the secrets in a text by its built-in rules and the user's patterns."""

    def __init__(
        self,
        lookup: Lookup,
        patterns: Mapping[str, re.Pattern[str]],
        *,
        personal_data: bool,
        window: int,
    ) -> None:
        self._lookup = lookup
        self._patterns = tuple(patterns.items())
        self._personal_data = personal_data
        self._window = window

    def scrub(self, text: str, counts: dict[str, int]) -> str:
        """Return *text* with its secrets redacted; the same object if there are none."""
        spans = self.spans(text)
        return without(text, spans, counts) if spans else text

    def spans(self, text: str) -> list[Span]:
        """Return where the secrets of *text* stand, in no order, possibly overlapping."""
        spans: list[Span] = []
        if not text.isascii():
            text = text.translate(_WIDE)
        raw = text.encode("ascii", "replace")
        marks = raw.translate(_MARKS)
        if len(text) >= 8:
            self._runs(text, raw, marks, spans)
        low = raw.translate(_LOWER)
        if b"=" in marks:
            if b"://" in raw:
                urls.find_userinfo(text, spans)
                urls.find_webhooks(text, spans)
            if text.isascii():
                PairFinder(text, marks, self._lookup, spans).find()
            else:
                PairFinder(text, _wide_marks(text), self._lookup, spans).find()
        self._words(text, raw, low, spans)
        for kind, pattern in self._patterns:
            spans.extend(
                Span(found.start(), found.end(), kind)
                for found in pattern.finditer(text)
                if found.end() > found.start()
            )
        if self._personal_data:
            cards.find_personal(text, spans)
        if spans and "[REDACTED:" in text:
            spans = _outside_markers(text, spans)
        return spans

    def _runs(self, text: str, raw: bytes, marks: bytes, spans: list[Span]) -> None:
        at = marks.find(_RUN)
        while at >= 0:
            end = _run_end(marks, at)
            values.find_in_run(text, raw, at, end, spans)
            at = marks.find(_RUN, end)
        if b":AA" in raw:
            values.find_telegram(text, raw, spans)
        if b"-----" in raw:
            pem.find_pem(text, spans)
        if len(text) >= 200:
            last = max(marks.rfind(b" "), marks.rfind(b"=")) + 1
            if len(text) - last >= 7:
                values.find_cut(text, last, spans)

    def _words(self, text: str, raw: bytes, low: bytes, spans: list[Span]) -> None:
        if b"0000 00" in low:
            cards.find_grouped_cards(text, low, spans)
        if b"0000000000000" in low:
            cards.find_bare_cards(text, low, spans)
        if _STEMS.search(low):
            prose.find_schemes(text, spans)
            prose.find_told(text, spans)
            prose.find_sql(text, spans)
        if b"</" in raw:
            prose.find_elements(text, self._lookup, spans)
        if b" -" in raw or raw[:1] == b"-":
            shell.find_options(text, self._lookup, spans)


def _run_end(marks: bytes, at: int) -> int:
    end = marks.find(b" ", at)
    sign = marks.find(b"=", at, end if end >= 0 else len(marks))
    if sign >= 0:
        return sign
    return end if end >= 0 else len(marks)


def _wide_marks(text: str) -> bytes:
    """The marks of a text beyond ASCII, where letters of all scripts belong to names."""
    return bytes(
        61
        if char in ":="
        else 97
        if char.isalnum() or char in "_-.~+/%\\" or char in "\u200b\u200c\u200d\u2060\ufeff\u00ad"
        else 32
        for char in text
    )


def _outside_markers(text: str, spans: list[Span]) -> list[Span]:
    """Leave out what would redact again what is redacted."""
    taken = [found.span() for found in _MARKER.finditer(text)]
    return [
        span
        for span in spans
        if not any(first < span.end and span.start < end for first, end in taken)
    ]
