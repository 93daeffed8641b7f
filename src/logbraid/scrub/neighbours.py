"""Secrets told by their neighbours: pairs, rows, names beside a value, leaves below a name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from logbraid.record import Plain
from logbraid.scrub import keys, placeholders, programs, shapes, shell
from logbraid.scrub.embedded import LEVELS
from logbraid.scrub.keys import Verdict
from logbraid.scrub.spans import marker, without

if TYPE_CHECKING:
    from logbraid.scrub.tree import Walker

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
        "method secretName secret_name secretArn secret_arn keyId key_id kid arn"
    ).split()
)


def scrub_row(  # noqa: C901 - one guard for each of the ways two texts belong together
    walker: Walker, now: list[Plain], items: list[Plain], options: int, counts: dict[str, int]
) -> list[Plain]:
    """Scrub a list of texts: a command line, or a name followed by its value."""
    texts: list[str] = [item for item in items if type(item) is str]
    if options or texts[0].rpartition("/")[2] in programs.PLACES:
        for at, span in shell.argument_secrets(texts, walker.verdict):
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
            or walker.plain_names.get(name)
        ):
            continue
        verdict = walker.verdict(name)
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            continue
        following = texts[at + 1]
        if (
            (verdict.gate == keys.AUTH and " " in following)
            or shapes.is_mixed(following)
            or (verdict.gate == keys.COOKIE and "=" in following)
        ):
            new = walker.text(verdict, following, counts, LEVELS)
            if new is not following:
                if now is items:
                    now = list(items)
                now[at + 1] = new
    return now


def scrub_pairs(
    walker: Walker, now: list[Plain], items: list[Plain], counts: dict[str, int], levels: int
) -> list[Plain]:
    """``[[name, value], ...]``: headers as most servers hand them on."""
    for at, item in enumerate(items):
        if type(item) is not list or len(item) != 2 or type(item[0]) is not str:
            continue
        verdict = walker.verdict(item[0])
        if verdict is None or verdict.gate == keys.SLOT:
            continue
        old = now[at]
        if type(old) is not list:
            continue
        new = walker.value(verdict, item[1] if old[1] is item[1] else old[1], {}, counts, levels)
        if new is not old[1]:
            if now is items:
                now = list(items)
            now[at] = [old[0], new]
    return now


def scrub_rows(
    walker: Walker, rows: list[Plain], tree: dict[str, Plain], counts: dict[str, int], levels: int
) -> Plain:
    """``{"columns": [...], "rows": [[...], ...]}``: what a database gave back."""
    new = walker.items(rows, counts, levels)
    columns = next((tree[name] for name in _COLUMNS if type(tree.get(name)) is list), None)
    if type(columns) is not list or type(new) is not list:
        return new
    names = [one.get("name") if type(one) is dict else one for one in columns]
    verdicts = [walker.verdict(name) if type(name) is str else None for name in names]
    if not any(verdicts):
        return new
    done: list[Plain] = []
    for row in new:
        if type(row) is list and len(row) == len(verdicts):
            cells = [
                cell if one is None else walker.value(one, cell, {}, counts, levels)
                for one, cell in zip(verdicts, row, strict=True)
            ]
            row = row if all(map(_same, row, cells)) else cells  # noqa: PLW2901 - copy on write
        done.append(row)
    return new if all(map(_same, new, done)) else done


def scrub_login(walker: Walker, items: list[Plain], counts: dict[str, int], levels: int) -> Plain:
    """``auth: [user, password]``, as HTTP clients take it."""
    new = walker.items(items, counts, levels)
    if (
        len(items) != 2
        or new is not items
        or type(items[0]) is not str
        or type(items[1]) is not str
    ):
        return new
    if placeholders.is_auth_word(items[1]) or placeholders.is_placeholder(items[1]):
        return new
    return [items[0], marker("password", counts)]


_SLOT_NAMES: Final = frozenset(keys.SLOT_NAMES)


@lru_cache(maxsize=512)
def _without_field(name: str) -> str:
    """Return *name* without what says where it stands: ``password field``."""
    return _FIELD.sub("", name)


def name_beside(walker: Walker, tree: dict[str, Plain]) -> Verdict | None:
    """Return the verdict of the name that stands beside a value in the same dict."""
    found = _SLOT_NAMES.intersection(tree)
    if not found:
        return None
    # Of several the first in our order that tells wins
    for slot in found if len(found) == 1 else [one for one in keys.SLOT_NAMES if one in found]:
        name = tree.get(slot)
        if type(name) is list and name and type(name[-1]) is str:
            name = name[-1]
        if type(name) is str and len(name) <= 64:
            verdict = walker.verdict(_without_field(name))
            if verdict is not None and verdict.gate != keys.SLOT:
                return verdict
    return None


def scrub_below(
    walker: Walker, verdict: Verdict, value: Plain, counts: dict[str, int], levels: int
) -> Plain:
    """Redact each leaf below a secret name."""
    kind = type(value)
    if kind is str:
        return walker.text(verdict, value, counts, levels)  # type: ignore[arg-type]  # type() told
    if kind is list:
        items: list[Plain] = value  # type: ignore[assignment]  # type() told
        new_items = [scrub_below(walker, verdict, item, counts, levels) for item in items]
        return items if all(map(_same, items, new_items)) else new_items
    if kind is not dict:
        return value
    tree: dict[str, Plain] = value  # type: ignore[assignment]  # type() told
    if _is_schema_type(tree.get("type")) and len(tree) > 1 and not _SCHEMA_WORDS.isdisjoint(tree):
        return _schema(walker, verdict, tree, counts, levels)
    if _REFERENCE_NAMES.issuperset(tree):
        return walker.fields(tree, counts, levels)  # says which secret, not what it is
    new: dict[str, Plain] = {}
    same = True
    for name, item in tree.items():
        own = walker.verdict(name)
        if own is None or own.gate in (keys.SLOT, keys.CARD, keys.SHAPED, keys.RANDOM):
            own = verdict
        if type(item) is str and name in _TYPING:
            changed: Plain = walker.scan(item, counts, levels)
        elif type(item) is int:
            changed = walker.number(own, item, counts)
        else:
            changed = scrub_below(walker, own, item, counts, levels)
        new_name = name if walker.text_is_clean(name) else walker.scan(name, counts, 1)
        same = same and changed is item and new_name == name
        new[new_name if new_name == name else _free(new_name, tree)] = changed
    return tree if same else new


def _schema(
    walker: Walker, verdict: Verdict, tree: dict[str, Plain], counts: dict[str, int], levels: int
) -> Plain:
    """Scrub a JSON schema: it describes a secret, only its examples may be one."""
    new = walker.fields(tree, counts, levels)
    for name in ("default", "const", "example", "examples", "value"):
        if name in tree and type(new) is dict:
            changed = scrub_below(walker, verdict, new[name], counts, levels)
            if changed is not new[name]:
                new = {**new, name: changed}
    return new


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


def renamed(tree: dict[str, Plain], old: str, new: str, value: Plain) -> dict[str, Plain]:
    """Return *tree* with *old* called *new* at the same place; names stay unique."""
    name = _free(new, tree)
    return {
        name if key == old else key: value if key == old else item for key, item in tree.items()
    }
