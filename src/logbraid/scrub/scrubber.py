"""The one Scrubber: walks a record, judges names, scans texts, remembers what is clean.

What a name means stands in ``keys.py``, what a text hides in ``text.py``. Here is only the walk:
nothing is copied until something changes, nothing is ever raised, every cache is bounded.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.health import health
from logbraid.ids import digest16
from logbraid.record import Plain
from logbraid.scrub import cards, embedded, gates, inside, keys, shell, values
from logbraid.scrub.keys import NameRules, Verdict
from logbraid.scrub.spans import Span, redacted, without
from logbraid.scrub.text import TextScanner
from logbraid.settings import ScrubRules

SCRUB_ERROR: Final = "[SCRUB_ERROR]"
_MAX_NAMES: Final = 4096
_MAX_TEXTS: Final = 8192
_MAX_CLEAN: Final = 64
_MAX_NAME: Final = 128
_LEVELS: Final = 3
_SCHEMA_TYPES: Final = frozenset(
    (
        "string integer number boolean array object null secret password text STRING "
        "INTEGER OBJECT ARRAY BOOLEAN"
    ).split()
)
_SCHEMA_WORDS: Final = frozenset(
    (
        "description format minLength maxLength required title properties items pattern "
        "writeOnly enum default example examples nullable anyOf oneOf allOf in name"
    ).split()
)


class Scrubber:
    """Redacts the secrets of records. Safe in any number of threads; made once, used always.

    ``plain_names`` and ``clean_texts`` are what was found harmless so far; whoever is in a hurry
    reads them. Both are bounded and emptied when full.
    """

    def __init__(self, rules: ScrubRules = ScrubRules(), *, window: int = 2512) -> None:  # noqa: B008 - frozen
        self.plain_names: dict[str, bool] = {}
        self.clean_texts: set[str] = set()
        self._verdicts: dict[str, Verdict | None] = {}
        self._names = NameRules(rules.extra_keys, rules.safe_keys)
        patterns = {
            kind: re.compile(pattern) if isinstance(pattern, str) else pattern
            for kind, pattern in rules.patterns.items()
        }
        self._scanner = TextScanner(
            self.verdict, patterns, personal_data=rules.personal_data, window=window
        )

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
        """Tell whether ``scrub_text`` leaves *text* as it is."""
        if text in self.clean_texts:
            return True
        return self._scan(text, {}, _LEVELS) is text

    def scrub_text(self, text: str, counts: dict[str, int]) -> str:
        """Return *text* without its secrets, the same object if it has none. Never raises."""
        try:
            return self._scan(text, counts, _LEVELS)
        except Exception as error:  # noqa: BLE001 - fails closed: never the value, always a complaint
            return self._failed(error, counts)

    def scrub_id(self, text: str) -> tuple[str, str | None]:
        """Return *text*, or a digest in its place and the kind if it is a credential by its form."""
        try:
            kind = values.credential_kind(text)
        except Exception as error:  # noqa: BLE001 - fails closed, as above
            health.complain("scrub", error)
            kind = "scrub_error"
        if kind is None:
            return text, None
        return f"{kind}~{digest16(text)}", kind

    def scrub_fields(self, fields: dict[str, Plain], counts: dict[str, int]) -> dict[str, Plain]:
        """Return *fields* without secrets: the same object, or a copy where something changed.

        What was redacted is added to *counts* by kind. A value that cannot be scrubbed becomes
        ``[SCRUB_ERROR]``. Never raises.
        """
        changed: dict[str, Plain] | None = None
        plain_names = self.plain_names
        clean = self.clean_texts
        for name, value in fields.items():
            kind = type(value)
            if kind is str and value in clean and plain_names.get(name):
                continue
            if (kind is int or kind is float) and plain_names.get(name):
                continue
            if value is None or kind is bool:
                if plain_names.get(name) or self.name_is_clean(name):
                    continue
            new_name = name
            try:
                if not plain_names.get(name) and not self.name_is_plain(name):
                    new_name = self._key(name, counts)
                new = self._value(self.verdict(name), value, fields, counts)
            except Exception as error:  # noqa: BLE001 - fails closed: never the value, always a complaint
                new = self._failed(error, counts)
            if new is not value or new_name != name:
                if changed is None:
                    changed = dict(fields)
                if new_name == name:
                    changed[name] = new
                else:
                    changed = _renamed(changed, name, new_name, new)
        return fields if changed is None else changed

    def name_is_clean(self, name: str) -> bool:
        """Tell whether the text of *name* itself holds no secret."""
        return self.name_is_plain(name) or self.text_is_clean(name)

    def _failed(self, error: Exception, counts: dict[str, int]) -> str:
        counts["scrub_error"] = counts.get("scrub_error", 0) + 1
        health.complain("scrub", error)
        return SCRUB_ERROR

    def _key(self, name: str, counts: dict[str, int]) -> str:
        return self._scan(name, counts, 1)

    def _scan(self, text: str, counts: dict[str, int], levels: int) -> str:
        if text in self.clean_texts:
            return text
        if len(text) < 4:
            return text
        if levels and text[0] in embedded.OPENERS:
            new = embedded.scrub(text, lambda tree: self._walk(tree, counts, levels - 1))
            if new is not None:
                return new
        new = self._scanner.scrub(text, counts)
        if new is text and len(text) <= _MAX_CLEAN:
            if len(self.clean_texts) >= _MAX_TEXTS:
                self.clean_texts.clear()
            self.clean_texts.add(text)
        return new

    def _walk(self, value: Plain, counts: dict[str, int], levels: int = _LEVELS) -> Plain:
        kind = type(value)
        if kind is str:
            return self._scan(value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is dict:
            return self._dict(value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is list:
            return self._list(value, counts, levels)  # type: ignore[arg-type]  # type() told
        return value

    def _dict(self, tree: dict[str, Plain], counts: dict[str, int], levels: int) -> Plain:
        changed: dict[str, Plain] | None = None
        plain_names = self.plain_names
        clean = self.clean_texts
        for name, value in tree.items():
            plain = plain_names.get(name)
            if plain:
                kind = type(value)
                if kind is str:
                    if value in clean:
                        continue
                elif kind is not dict and kind is not list:
                    continue
                new = self._walk(value, counts, levels)
                new_name = name
            else:
                new_name = (
                    name if plain is None and self.name_is_plain(name) else self._key(name, counts)
                )
                new = self._value(self.verdict(name), value, tree, counts, levels)
            if new is not value or new_name != name:
                if changed is None:
                    changed = dict(tree)
                if new_name == name:
                    changed[name] = new
                else:
                    changed = _renamed(changed, name, new_name, new)
        return tree if changed is None else changed

    def _list(self, items: list[Plain], counts: dict[str, int], levels: int) -> Plain:
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
                new = self._scan(item, counts, levels)  # type: ignore[arg-type]  # type() told
            elif kind is dict:
                new = self._dict(item, counts, levels)  # type: ignore[arg-type]  # type() told
            elif kind is list:
                pairs += 1
                new = self._list(item, counts, levels)  # type: ignore[arg-type]  # type() told
            else:
                continue
            if new is not item:
                if changed is None:
                    changed = list(items)
                changed[at] = new
        now = items if changed is None else changed
        if texts > 1 and texts == len(items):
            now = self._row(now, items, options, counts)
        if pairs:
            now = self._pairs(now, items, counts, levels)
        return now

    def _row(
        self, now: list[Plain], items: list[Plain], options: int, counts: dict[str, int]
    ) -> list[Plain]:
        """A list of texts: a command line, or a name followed by its value."""
        texts: list[str] = [item for item in items if type(item) is str]
        if options:
            for at, span in shell.argument_secrets(texts, self.verdict):
                if now[at] is not items[at]:
                    continue
                if now is items:
                    now = list(items)
                now[at] = without(texts[at], [span], counts)
        for at in range(len(texts) - 1):
            name = texts[at]
            if (
                len(name) > 40
                or not _BARE_NAME.match(name)
                or now[at + 1] is not items[at + 1]
                or self.plain_names.get(name)
            ):
                continue
            verdict = self.verdict(name)
            if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
                continue
            following = texts[at + 1]
            if (
                (verdict.gate == keys.AUTH and " " in following)
                or gates.is_mixed(following)
                or (verdict.gate == keys.COOKIE and "=" in following)
            ):
                new = self._text(verdict, following, counts, _LEVELS)
                if new is not following:
                    if now is items:
                        now = list(items)
                    now[at + 1] = new
        return now

    def _pairs(
        self, now: list[Plain], items: list[Plain], counts: dict[str, int], levels: int
    ) -> list[Plain]:
        """``[[name, value], ...]``: headers as most servers hand them on."""
        for at, item in enumerate(items):
            if type(item) is not list or len(item) != 2 or type(item[0]) is not str:
                continue
            verdict = self.verdict(item[0])
            if verdict is None or verdict.gate == keys.SLOT:
                continue
            old = now[at]
            if type(old) is not list:
                continue
            new = self._value(verdict, item[1] if old[1] is item[1] else old[1], {}, counts, levels)
            if new is not old[1]:
                if now is items:
                    now = list(items)
                now[at] = [old[0], new]
        return now

    def _value(
        self,
        verdict: Verdict | None,
        value: Plain,
        tree: dict[str, Plain],
        counts: dict[str, int],
        levels: int = _LEVELS,
    ) -> Plain:
        """Scrub *value* under a name of that *verdict*, with its neighbours in *tree*."""
        if verdict is None:
            return self._walk(value, counts, levels)
        if verdict.gate == keys.SLOT:
            if type(value) is list and value and type(value[0]) is list:
                return self._rows(value, tree, counts, levels)
            named = self._named(tree)
            if named is None or value is tree.get("name"):
                return self._walk(value, counts, levels)
            verdict = named
        kind = type(value)
        if kind is str:
            return self._text(verdict, value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is int:
            return self._number(verdict, value, counts)  # type: ignore[arg-type]  # type() told
        if kind is dict or kind is list:
            if verdict.gate == keys.AUTH_PAIR and kind is list:
                return self._user_and_password(value, counts, levels)  # type: ignore[arg-type]  # type() told
            if verdict.gate in (keys.AUTH_PAIR, keys.CARD, keys.DSN, keys.RANDOM, keys.SHAPED):
                return self._walk(value, counts, levels)
            return self._below(verdict, value, counts, levels)
        return value

    def _user_and_password(self, items: list[Plain], counts: dict[str, int], levels: int) -> Plain:
        """``auth: [user, password]``, as HTTP clients take it."""
        new = self._list(items, counts, levels)
        if (
            len(items) != 2
            or new is not items
            or type(items[0]) is not str
            or type(items[1]) is not str
        ):
            return new
        if gates.is_auth_word(items[1]) or gates.is_placeholder(items[1]):
            return new
        return [items[0], _marker("password", counts)]

    def _rows(
        self, rows: list[Plain], tree: dict[str, Plain], counts: dict[str, int], levels: int
    ) -> Plain:
        """``{"columns": [...], "rows": [[...], ...]}``: what a database gave back."""
        new = self._list(rows, counts, levels)
        columns = next((tree[name] for name in _COLUMNS if type(tree.get(name)) is list), None)
        if type(columns) is not list or type(new) is not list:
            return new
        names = [one.get("name") if type(one) is dict else one for one in columns]
        verdicts = [self.verdict(name) if type(name) is str else None for name in names]
        if not any(verdicts):
            return new
        done: list[Plain] = []
        for row in new:
            if type(row) is list and len(row) == len(verdicts):
                cells = [
                    cell if one is None else self._value(one, cell, {}, counts, levels)
                    for one, cell in zip(verdicts, row, strict=True)
                ]
                row = row if all(map(_same, row, cells)) else cells  # noqa: PLW2901 - copy on write
            done.append(row)
        return new if all(map(_same, new, done)) else done

    def _named(self, tree: dict[str, Plain]) -> Verdict | None:
        """The verdict of the name that stands beside a value in the same dict."""
        for slot in keys.SLOT_NAMES:
            name = tree.get(slot)
            if type(name) is list and name and type(name[-1]) is str:
                name = name[-1]
            if type(name) is str and len(name) <= 64:
                verdict = self.verdict(_FIELD.sub("", name))
                if verdict is not None and verdict.gate != keys.SLOT:
                    return verdict
        return None

    def _number(self, verdict: Verdict, value: int, counts: dict[str, int]) -> Plain:
        if verdict.gate == keys.CARD:
            if not cards.is_card(str(value)):
                return value
        elif verdict.gate != keys.NUMBERS_TOO or not gates.is_secret_number(
            str(value), verdict.kind
        ):
            return value
        return _marker(verdict.kind, counts)

    def _below(self, verdict: Verdict, value: Plain, counts: dict[str, int], levels: int) -> Plain:
        """Redact each leaf below a secret name."""
        kind = type(value)
        if kind is str:
            return self._text(verdict, value, counts, levels)  # type: ignore[arg-type]  # type() told
        if kind is list:
            items: list[Plain] = value  # type: ignore[assignment]  # type() told
            new_items = [self._below(verdict, item, counts, levels) for item in items]
            return items if all(map(_same, items, new_items)) else new_items
        if kind is not dict:
            return value
        tree: dict[str, Plain] = value  # type: ignore[assignment]  # type() told
        if (
            _is_schema_type(tree.get("type"))
            and len(tree) > 1
            and not _SCHEMA_WORDS.isdisjoint(tree)
        ):
            return self._schema(verdict, tree, counts, levels)
        if _REFERENCE_NAMES.issuperset(tree):
            return self._dict(tree, counts, levels)  # says which secret, not what it is
        new: dict[str, Plain] = {}
        same = True
        for name, item in tree.items():
            own = self.verdict(name)
            if own is None or own.gate in (keys.SLOT, keys.CARD, keys.SHAPED, keys.RANDOM):
                own = verdict
            if type(item) is str and name in _TYPING:
                changed: Plain = self._scan(item, counts, levels)
            elif type(item) is int:
                changed = self._number(own, item, counts)
            else:
                changed = self._below(own, item, counts, levels)
            new_name = name if self.name_is_clean(name) else self._key(name, counts)
            same = same and changed is item and new_name == name
            new[new_name if new_name == name else _free(new_name, tree)] = changed
        return tree if same else new

    def _schema(
        self, verdict: Verdict, tree: dict[str, Plain], counts: dict[str, int], levels: int
    ) -> Plain:
        """A JSON schema describes a secret; only its examples may be one."""
        new = self._dict(tree, counts, levels)
        for name in ("default", "const", "example", "examples", "value"):
            if name in tree and type(new) is dict:
                changed = self._below(verdict, new[name], counts, levels)
                if changed is not new[name]:
                    new = {**new, name: changed}
        return new

    def _text(self, verdict: Verdict, text: str, counts: dict[str, int], levels: int) -> str:
        """Scrub a text under a name of that *verdict*."""
        gate = verdict.gate
        if (
            gate <= keys.SHAPED
            or gate == keys.TOKEN
            or gate == keys.AUTH_PAIR
            or gate == keys.RANDOM
        ):
            if gates.is_secret(text, verdict):
                return _marker(verdict.kind, counts)
            return self._scan(text, counts, levels)
        spans: list[Span] = []
        if gate == keys.AUTH:
            inside.find_authorization(text, 0, len(text), spans)
        elif gate == keys.COOKIE or gate == keys.SET_COOKIE:
            inside.find_cookies(text, 0, len(text), spans, response=gate == keys.SET_COOKIE)
        elif gate == keys.CARD:
            plain = text.replace(" ", "").replace("-", "")
            if plain.isdigit() and cards.is_card(plain):
                return _marker("card", counts)
        elif gate == keys.DSN:
            new = self._scan(text, counts, levels)
            if new is not text or gates.is_placeholder(text) or gates.is_status(text):
                return new
            return text if inside.is_harmless_dsn(text) else _marker("dsn", counts)
        if spans:
            return without(text, spans, counts)
        return self._scan(text, counts, levels)


_BARE_NAME: Final = re.compile(r"[A-Za-z][\w.-]*\Z")
_FIELD: Final = re.compile(r"(?i)[ _-]*(?:field|input|box|textbox|text box)[\"'\])]*\Z")
_REFERENCE_NAMES: Final = frozenset(
    "name|ref|namespace|optional|arn|path|id|valueFrom|secretName|secret_name|secretRef|items|"
    "defaultMode|mountPath|readOnly|expirationSeconds|audience".split("|")
)
_COLUMNS: Final = (
    "columns",
    "fields",
    "header",
    "headers",
    "schema",
    "names",
    "column_names",
    "cols",
)
_TYPING: Final = frozenset(
    (
        "type token_type auth_type kind algorithm alg created_at updated_at expires_at "
        "expires expiration last_used_at rotated_at issued_at status state provider "
        "method"
    ).split()
)


def _marker(kind: str, counts: dict[str, int]) -> str:
    counts[kind] = counts.get(kind, 0) + 1
    return redacted(kind)


def _is_schema_type(kind: Plain) -> bool:
    if type(kind) is list:
        return bool(kind) and all(type(one) is str and one in _SCHEMA_TYPES for one in kind)
    return type(kind) is str and kind in _SCHEMA_TYPES


def _same(one: object, other: object) -> bool:
    return one is other


def _free(name: str, taken: dict[str, Plain]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _renamed(tree: dict[str, Plain], old: str, new: str, value: Plain) -> dict[str, Plain]:
    """Return *tree* with *old* called *new* at the same place; names stay unique."""
    name = _free(new, tree)
    return {
        name if key == old else key: value if key == old else item for key, item in tree.items()
    }
