"""Objects that are made of named fields, read as they are stored: no serialiser of theirs runs.

Dataclasses, pydantic models of both versions, attrs classes, structs, plain namespaces. Knows
them by their class alone, without importing any of their libraries.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

Way: TypeAlias = Callable[[Any], Any]
"""One step down: from an object to something simpler, which may be shown in its turn."""

HIDDEN: Final = "<hidden>"
"""Stands for a field that its class keeps out of its own ``repr``: most often a secret."""

MOST_ITEMS: Final = 1000
"""So many items are taken from an object that is not a plain list, tuple or dict."""


def fields_way(cls: type, bases: list[tuple[str, str]]) -> Way | None:
    """Return how to read the fields of *cls*, *bases* being its ``(module, name)`` pairs."""
    if ("pydantic.main", "BaseModel") in bases or ("pydantic.v1.main", "BaseModel") in bases:
        return _model_fields
    if dataclasses.is_dataclass(cls):
        return _dataclass_fields
    if hasattr(cls, "__attrs_attrs__"):
        return _attrs_fields
    if isinstance(getattr(cls, "__struct_fields__", None), tuple):
        return _struct_fields
    if issubclass(cls, types.SimpleNamespace) or ("argparse", "Namespace") in bases:
        return _own_dict
    return None


def _model_fields(value: Any) -> dict[str, Any]:
    # Read as they are stored: model_dump() runs the model's own serialisers
    cls = type(value)
    known: Any = None
    for name in ("__pydantic_fields__", "model_fields", "__fields__"):
        known = getattr(cls, name, None)
        if isinstance(known, dict):
            break
    values = dict(_own_dict(value), **(getattr(value, "__pydantic_extra__", None) or {}))
    return {name: HIDDEN if _model_hides(known.get(name)) else values[name] for name in values}


def _model_hides(field: Any) -> bool:
    info = getattr(field, "field_info", field)  # version 1 wraps it
    return getattr(info, "repr", True) is False or getattr(info, "exclude", None) is True


def _dataclass_fields(value: Any) -> dict[str, Any]:
    fields = {field.name: field.repr for field in dataclasses.fields(value)}
    return _read(value, fields)


def _attrs_fields(value: Any) -> dict[str, Any]:
    fields = {field.name: field.repr for field in type(value).__attrs_attrs__}
    return _read(value, fields)


def _struct_fields(value: Any) -> dict[str, Any]:
    return _read(value, dict.fromkeys(type(value).__struct_fields__, True))


def _read(value: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, show in islice(fields.items(), MOST_ITEMS):
        if show is False:
            read[name] = HIDDEN
            continue
        try:
            item = getattr(value, name)
        except AttributeError:  # declared and not yet set
            continue
        read[name] = item if show is True else show(item)  # attrs: a repr for this field alone
    return read


def _own_dict(value: Any) -> dict[str, Any]:
    own: dict[str, Any] = object.__getattribute__(value, "__dict__")
    return dict(own)
