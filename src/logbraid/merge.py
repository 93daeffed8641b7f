"""Who wins: the call, then its logger, then our context, then whoever else had one.

With one exception. The tenant decides whose file a line goes to, and the arguments of a tool are
written by a model or a client: once the context names a tenant, nothing of the call changes it.

And which name a value gets: one that is the line's own gives way, and no value is lost by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from logbraid.health import health
from logbraid.ids import id_text
from logbraid.plain.texts import unique_name
from logbraid.record import CONTEXT_ORDER, ENVELOPE, FAILURE, NOTHING

_Value = TypeVar("_Value")
_IDS: Final = frozenset(CONTEXT_ORDER)
MAX_NAMES: Final = 1000
"""So many names of one source are looked at: a line has room for 200 leaves."""

_FENCES: Final = (ENVELOPE, ENVELOPE | frozenset(FAILURE))
"""Names that no context may have: where nothing failed, and where something did."""
_FENCES_OF_FIELDS: Final = (_FENCES[False] | _IDS, _FENCES[True] | _IDS)


def merge(
    layers: Iterable[Mapping[str, Any]],
    calls: Iterable[Mapping[str, Any]],
    *,
    failed: bool,
    defaults: Mapping[str, Any] = NOTHING,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is context and what are fields of the call.

    *layers* come weakest first; *calls* are the logger's bound fields and then the call's own;
    *defaults* are fields where neither has one of that name. Names of the envelope get a trailing
    ``_``; with *failed* those of the failure too. See ``excess`` for more than 1000 names.
    """
    context: dict[str, Any] = {}
    for layer in layers:
        context.update((name, value) for name, value in _first(layer) if not _is_unset(value))
    for name in _IDS & context.keys():  # others than us may have bound a number, or rubbish
        context[name] = checked_id(context[name])
    fields = {name: value for name, value in defaults.items() if name not in context}
    bound_tenant = context.get("tenant_id")
    for call in calls:
        for name, value in _first(call):
            if name in _IDS:
                _take_id(context, fields, name, value, bound_tenant)
                continue
            context.pop(name, None)
            fields[name] = value
    return keep_apart(context, fields, failed=failed)


def _first(source: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return source.items() if len(source) <= MAX_NAMES else islice(source.items(), MAX_NAMES)


def excess(*sources: Mapping[str, Any]) -> int:
    """Return how many names of *sources* ``merge`` leaves out: those beyond 1000 of each."""
    return sum(max(len(source) - MAX_NAMES, 0) for source in sources)


def keep_apart(
    context: dict[str, Any], fields: dict[str, Any], *, failed: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both without names that are ours, every value under a name of its own.

    Context may have ids, fields may not.
    """
    if _FENCES[failed].isdisjoint(context) and _FENCES_OF_FIELDS[failed].isdisjoint(fields):
        return context, fields
    taken: dict[str, object] = {**context, **fields}
    fields = _renamed(fields, _FENCES_OF_FIELDS[failed], taken)
    return _renamed(context, _FENCES[failed], taken), fields


def fenced(fields: dict[str, _Value], *, failed: bool) -> dict[str, _Value]:
    """Return *fields* without a name that is ours: the same object if it has none."""
    fence = _FENCES_OF_FIELDS[failed]
    return fields if fence.isdisjoint(fields) else _renamed(fields, fence, dict(fields))


def _renamed(
    fields: dict[str, _Value], fence: frozenset[str], taken: dict[str, Any]
) -> dict[str, _Value]:
    """Return *fields* with ``_`` behind a name in *fence*; *taken* learns the new names.

    Who gave ``level_`` keeps it: then ``level`` becomes ``level_#2``.
    """
    renamed: dict[str, _Value] = {}
    for name, value in fields.items():
        new = name
        if name in fence:
            new = unique_name(f"{name}_", taken)
            taken[new] = value
        renamed[new] = value
    return renamed


def _is_unset(value: object) -> bool:
    return value is None or (type(value) is str and not value)


def _take_id(
    context: dict[str, Any],
    fields: dict[str, Any],
    name: str,
    value: object,
    bound_tenant: str | None,
) -> None:
    text = checked_id(value)
    if text is None:
        return
    if name != "tenant_id" or bound_tenant is None:
        context[name] = text
    elif text != bound_tenant:
        fields[name] = value  # a field may not be called so: it becomes ``tenant_id_``
        health.tenant_conflicts.advance()


def checked_id(value: object) -> str | None:
    """Return *value* as the text of an id, or ``None`` where it is not set."""
    if _is_unset(value):
        return None
    try:
        text, replaced = id_text(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__; counted as an invalid id
        text, replaced = f"invalid-{type(value).__name__}", True
    if replaced:
        health.invalid_ids.advance()
    return text or None
