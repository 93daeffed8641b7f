"""Who wins: the call, then its logger, then our context, then whoever else had one.

With one exception. The tenant decides whose file a line goes to, and the arguments of a tool are
written by a model or a client: once the context names a tenant, nothing of the call changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from logbraid.health import health
from logbraid.ids import id_text
from logbraid.record import CONTEXT_ORDER, ENVELOPE, FAILURE

_IDS: Final = frozenset(CONTEXT_ORDER)


def merge(
    layers: Iterable[Mapping[str, Any]], calls: Iterable[Mapping[str, Any]], *, failed: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is context and what are fields of the call.

    *layers* come weakest first; *calls* are the logger's bound fields and then the call's own.
    Names of the envelope get a trailing ``_``; with *failed* those of the failure too.
    """
    context: dict[str, Any] = {}
    for layer in layers:
        context.update((name, value) for name, value in layer.items() if not _is_unset(value))
    for name in _IDS & context.keys():  # others than us may have bound a number, or rubbish
        context[name] = checked_id(context[name])
    fields: dict[str, Any] = {}
    bound_tenant = context.get("tenant_id")
    for call in calls:
        for name, value in call.items():
            if name in _IDS:
                _take_id(context, fields, name, value, bound_tenant)
                continue
            context.pop(name, None)
            fields[_ours(name, failed=failed)] = value
    for name in [name for name in context if name in ENVELOPE or (failed and name in FAILURE)]:
        context[f"{name}_"] = context.pop(name)
    return context, fields


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
        fields["tenant_id_"] = value
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


def renamed(fields: Mapping[str, Any], *, failed: bool) -> dict[str, Any]:
    """Return *fields* with a trailing ``_`` where a name is the envelope's."""
    return {_ours(name, failed=failed): value for name, value in fields.items()}


def _ours(name: str, *, failed: bool) -> str:
    if name in ENVELOPE or (failed and name in FAILURE):
        return f"{name}_"
    return name
