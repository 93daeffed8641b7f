"""Walk a tree of plain values: judge names, scan texts, copy only what changes.

The hot path of scrubbing. What stands beside a value, in pairs, rows or on a command line, is
looked at in ``neighbours.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from logbraid.record import Plain
from logbraid.scrub import cards, embedded, gates, inside, keys, neighbours, placeholders
from logbraid.scrub.embedded import LEVELS
from logbraid.scrub.glance import looking, never
from logbraid.scrub.keys import NameRules, Verdict
from logbraid.scrub.spans import Span, marker, without
from logbraid.scrub.text import TextScanner

_MAX_NAMES: Final = 4096
_MAX_TEXTS: Final = 8192
_MAX_CLEAN: Final = 64
_MAX_NAME: Final = 128
_MAX_TAGS: Final = 8
_MAX_KNOWN: Final = 512
_MIN_TEXT: Final = 4
_MAX_REDACTED: Final = 1024
_KEY: Final = os.urandom(32)
_MAX_ROWS: Final = 1024


class Walker:
    """Walks trees with the rules of one Scrubber and remembers what it found clean."""

    __slots__ = (
        "_names",
        "_redacted",
        "_verdicts",
        "clean_rows",
        "clean_texts",
        "looks_clean",
        "plain_names",
        "scanner",
    )

    def __init__(
        self, names: NameRules, patterns: Mapping[str, re.Pattern[str]], *, personal_data: bool
    ) -> None:
        self.plain_names: dict[str, bool] = {}
        self.clean_texts: set[str] = set()
        self._verdicts: dict[str, Verdict | None] = {}
        self.clean_rows: set[tuple[Any, ...]] = set()
        self._redacted: dict[tuple[int, bytes], tuple[str, tuple[tuple[str, int], ...]]] = {}
        self._names = names
        self.scanner = TextScanner(self.verdict, patterns, personal_data=personal_data)
        # What is proven clean by the built-in rules may not be so by rules of the user
        is_own = personal_data or bool(patterns)
        self.looks_clean = never if is_own else looking(self.clean_texts, _MAX_TEXTS)

    def verdict(self, name: str) -> Verdict | None:
        """Return what *name* says of its value, from the cache if it was asked before."""
        try:
            return self._verdicts[name]
        except KeyError:
            return self._judge(name)

    def _judge(self, name: str) -> Verdict | None:
        verdict = self._names(name)
        if len(name) <= _MAX_NAME:
            if len(self._verdicts) >= _MAX_NAMES:
                self._verdicts.clear()
            self._verdicts[name] = verdict
        return verdict

    def name_is_plain(self, name: str) -> bool:
        """Tell whether only the value of a field *name* can make it secret."""
        known = self.plain_names.get(name)
        if known is not None:
            return known
        plain = self.verdict(name) is None and self.text_is_clean(name)
        if len(name) <= _MAX_NAME:
            if len(self.plain_names) >= _MAX_NAMES:
                self.plain_names.clear()
            self.plain_names[name] = plain
        return plain

    def text_is_clean(self, text: str) -> bool:
        """Tell whether ``scrub_text`` leaves *text* as it is. Never raises."""
        try:
            return self.scan(text, {}, LEVELS) is text
        except Exception:  # noqa: BLE001 - fails closed: ``scrub_text`` meets it again and tells
            return False

    def scan(self, text: str, counts: dict[str, int], levels: int) -> str:
        """Return *text* without its secrets, looking into JSON for so many *levels*."""
        if len(text) <= _MAX_KNOWN and (text in self.clean_texts or self.looks_clean(text)):
            return text
        return self.search(text, counts, levels)

    def search(self, text: str, counts: dict[str, int], levels: int) -> str:
        """Return *text*, which is not clean at a glance, without its secrets."""
        size = len(text)
        if size > _MAX_KNOWN:
            return self._scan_anew(text, counts, levels)
        return self._scan_known(text, counts, levels) if size >= _MIN_TEXT else text

    def _scan_known(self, text: str, counts: dict[str, int], levels: int) -> str:
        """Return *text* without its secrets, from memory if it was redacted before.

        The same header comes with every request, and a whole search takes 50 us. The secret itself
        is not remembered, only its keyed digest (2^-128 to be another's), and what became of it.
        """
        raw = text.encode("utf-8", "surrogatepass")
        digest = (levels, blake2b(raw, digest_size=16, key=_KEY).digest())
        known = self._redacted.get(digest)
        if known is None:
            found: dict[str, int] = {}
            new = self._scan_anew(text, found, levels)
            if new is text:
                return text
            known = (new, tuple(found.items()))
            if len(self._redacted) >= _MAX_REDACTED:
                self._redacted.clear()
            self._redacted[digest] = known
        for kind, number in known[1]:
            counts[kind] = counts.get(kind, 0) + number
        return known[0]

    def _scan_anew(self, text: str, counts: dict[str, int], levels: int) -> str:
        if levels and text[0] in embedded.OPENERS:
            new = embedded.scrub(text, lambda tree: self.walk(tree, counts, levels - 1))
            if new is not None:
                return new
        new = self.scanner.scrub(text, counts)
        if new is text and len(text) <= _MAX_CLEAN:
            if len(self.clean_texts) >= _MAX_TEXTS:
                self.clean_texts.clear()
            self.clean_texts.add(text)
        return new

    def walk(self, value: Plain, counts: dict[str, int], levels: int = LEVELS) -> Plain:
        """Scrub any *value* whose name says nothing."""
        kind = type(value)
        if kind is str:
            return self.scan(value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is dict:
            return self.fields(value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is list:
            return self.items(value, counts, levels)  # type: ignore[arg-type]  # type() told
        return value

    def fields(  # noqa: C901, PLR0912 - the hot loop, as below
        self, tree: dict[str, Plain], counts: dict[str, int], levels: int
    ) -> Plain:
        """Scrub a dict: the same object, or a copy where something changed."""
        changed: dict[str, Plain] | None = None
        plain_names = self.plain_names
        clean = self.clean_texts
        for name, value in tree.items():
            plain = plain_names.get(name)
            kind = type(value)
            new_name = name
            new: Plain
            if plain:
                if kind is str:
                    if value in clean:
                        continue
                    new = self.scan(value, counts, levels)  # type: ignore[arg-type]  # type() told
                elif kind is dict:
                    new = self.fields(value, counts, levels)  # type: ignore[arg-type]  # type() told
                elif kind is list:
                    new = self.items(value, counts, levels)  # type: ignore[arg-type]  # type() told
                else:
                    continue
            else:
                if name not in clean and (plain is not None or not self.name_is_plain(name)):
                    new_name = self.scan(name, counts, 1)
                new = self.value(self.verdict(name), value, tree, counts, levels)
            if new is not value or new_name != name:
                if changed is None:
                    changed = dict(tree)
                if new_name == name:
                    changed[name] = new
                else:
                    changed = neighbours.renamed(changed, name, new_name, new)
        return tree if changed is None else changed

    def items(  # noqa: C901 - the hot loop: one call an item would double its cost
        self, items: list[Plain], counts: dict[str, int], levels: int
    ) -> Plain:
        """Scrub a list: the same object, or a copy where something changed."""
        changed: list[Plain] | None = None
        texts = options = pairs = 0
        clean = self.clean_texts
        for at, item in enumerate(items):
            kind = type(item)
            new: Plain
            if kind is str:
                texts += 1
                if item[:1] == "-":  # type: ignore[index]  # type() told
                    options += 1
                if item in clean:
                    continue
                new = self.scan(item, counts, levels)  # type: ignore[arg-type]  # type() told
            elif kind is dict:
                new = self.fields(item, counts, levels)  # type: ignore[arg-type]  # type() told
            elif kind is list:
                pairs += 1
                new = self.items(item, counts, levels)  # type: ignore[arg-type]  # type() told
            else:
                continue
            if new is not item:
                if changed is None:
                    changed = list(items)
                changed[at] = new
        now = items if changed is None else changed
        if texts > 1 and texts == len(items):
            now = self.row(now, items, options, counts)
        if pairs:
            now = neighbours.scrub_pairs(self, now, items, counts, levels)
        return now

    def row(
        self, now: list[Plain], items: list[Plain], options: int, counts: dict[str, int]
    ) -> list[Plain]:
        """Scrub a list of texts, which may belong together; short rows found clean are known."""
        row: tuple[Any, ...] = tuple(items) if len(items) <= _MAX_TAGS else ()
        if row in self.clean_rows:
            return now
        new = neighbours.scrub_row(self, now, items, options, counts)
        if row and new is items and sum(map(len, row)) <= _MAX_KNOWN:
            if len(self.clean_rows) >= _MAX_ROWS:
                self.clean_rows.clear()
            self.clean_rows.add(row)
        return new

    def value(  # noqa: PLR0911 - one exit for each type
        self,
        verdict: Verdict | None,
        value: Plain,
        tree: dict[str, Plain],
        counts: dict[str, int],
        levels: int = LEVELS,
    ) -> Plain:
        """Scrub *value* under a name of that *verdict*, with its neighbours in *tree*."""
        if verdict is None:
            return self.walk(value, counts, levels)
        if verdict.gate == keys.SLOT:
            if type(value) is list and value and type(value[0]) is list:
                return neighbours.scrub_rows(self, value, tree, counts, levels)
            named = neighbours.name_beside(self, tree)
            if named is None or value is tree.get("name"):
                return self.walk(value, counts, levels)
            verdict = named
        kind = type(value)
        if kind is str:
            return self.text(verdict, value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is int:
            return self.number(verdict, value, counts)  # type: ignore[arg-type]  # type() told
        if kind is dict or kind is list:
            if verdict.gate == keys.AUTH_PAIR and kind is list:
                return neighbours.scrub_login(self, value, counts, levels)  # type: ignore[arg-type]  # type() told
            if verdict.gate in (keys.AUTH_PAIR, keys.CARD, keys.DSN, keys.RANDOM, keys.SHAPED):
                return self.walk(value, counts, levels)
            return neighbours.scrub_below(self, verdict, value, counts, levels)
        return value

    def text(  # noqa: PLR0911 - one exit for each gate
        self, verdict: Verdict, text: str, counts: dict[str, int], levels: int
    ) -> str:
        """Scrub a text under a name of that *verdict*."""
        gate = verdict.gate
        if gate <= keys.SHAPED or gate in (keys.TOKEN, keys.AUTH_PAIR, keys.RANDOM):
            if gates.is_secret(text, verdict):
                return marker(verdict.kind, counts)
            return self.scan(text, counts, levels)
        spans: list[Span] = []
        if gate == keys.AUTH:
            inside.find_authorization(text, 0, len(text), spans)
        elif gate in (keys.COOKIE, keys.SET_COOKIE):
            inside.find_cookies(text, 0, len(text), spans, response=gate == keys.SET_COOKIE)
        elif gate == keys.CARD:
            plain = text.replace(" ", "").replace("-", "")
            if plain.isdigit() and cards.is_card(plain):
                return marker("card", counts)
        elif gate == keys.DSN:
            new = self.scan(text, counts, levels)
            if new is not text or placeholders.is_placeholder(text) or placeholders.is_status(text):
                return new
            return text if inside.is_harmless_dsn(text) else marker("dsn", counts)
        if spans:
            return without(text, spans, counts)
        return self.scan(text, counts, levels)

    def number(self, verdict: Verdict, value: int, counts: dict[str, int]) -> Plain:
        """Scrub a number under a name of that *verdict*."""
        if verdict.gate == keys.CARD:
            if not cards.is_card(str(value)):
                return value
        elif verdict.gate != keys.NUMBERS_TOO or not gates.is_secret_number(
            str(value), verdict.kind
        ):
            return value
        return marker(verdict.kind, counts)
