"""How an object that JSON does not know is shown: one step down to a plain Python value.

Decides by the object's *class* alone, never by ``isinstance``: asking a proxy for its class runs
a stranger's code (a lazy user object asks the database). What is found for a class can be kept.
Not here: walking into what a step returned, limits and cycles; ``normalise.py`` does that.

What is never touched: query sets and objects of an ORM (``repr`` runs SQL), arrays and tensors
(``repr`` waits for a GPU; only their shape is read), iterators, awaitables, files and locks.
"""

from __future__ import annotations

import io
import re
import types
from array import array
from collections import UserString, deque
from collections.abc import ItemsView, Iterable, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import islice
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from logbraid.plain.stored import MOST_ITEMS, Way, fields_way
from logbraid.plain.texts import class_name

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]{1,16}")
_UNTOUCHED: Final = frozenset(
    {"sqlalchemy", "peewee", "tortoise", "pony", "mongoengine", "duckdb", "pyspark", "ibis"}
)
_SHAPED: Final = frozenset(
    {"numpy", "pandas", "polars", "torch", "tensorflow", "jax", "jaxlib", "pyarrow", "dask"}
    | {"xarray", "scipy", "cupy", "cudf", "mxnet", "modin", "geopandas"}
)
_AS_STR: Final = frozenset(
    {
        ("pydantic.types", "SecretStr"),
        ("pydantic.types", "SecretBytes"),
        ("pydantic.types", "Secret"),
        ("pydantic.types", "_SecretBase"),
        ("pydantic.v1.types", "SecretStr"),
        ("pydantic.v1.types", "SecretBytes"),
        ("django.utils.functional", "Promise"),
        ("ipaddress", "_IPAddressBase"),
        ("zoneinfo", "ZoneInfo"),
    }
)
_AS_REPR: Final = frozenset({"dtype", "device", "Device", "DataType"})
_LOCKS: Final = ("_thread", "threading", "multiprocessing.synchronize", "asyncio.locks")


def way_of(cls: type) -> Way:
    """Return how objects of *cls* are shown."""
    for find in (_text_or_number, _named_thing, _moment_or_id, _builtin_container):
        way = find(cls)
        if way is not None:
            return way
    bases = [(str(base.__module__), base.__name__) for base in cls.__mro__[:-1]]
    return _known_by_name(cls, bases) or _abstract(cls, bases) or shown


def _text_or_number(cls: type) -> Way | None:  # noqa: PLR0911 - a table of classes
    if issubclass(cls, str):
        if issubclass(cls, Enum) or (cls.__repr__, cls.__str__) == (str.__repr__, str.__str__):
            return str.__str__
        return _text_that_may_hide
    if issubclass(cls, int):
        return int.__int__
    if issubclass(cls, float):
        return float.__float__
    if issubclass(cls, Enum):
        return _member_name
    if issubclass(cls, complex | UserString | range):
        return str
    return None


def _text_that_may_hide(value: str) -> str:
    # A subclass of str that masks itself in repr or str stays masked; Markup("x") does not
    text, inside = str.__str__(value), str.__repr__(value)[1:-1]
    for show in (repr, str):
        said = show(value)
        if inside not in said and text not in said:
            return said
    return text


def _member_name(value: Enum) -> str:
    return value._name_ or shown(value)


def _named_thing(cls: type) -> Way | None:
    if issubclass(cls, BaseException):
        return _error_text
    if issubclass(cls, types.ModuleType):
        return _module_name
    callables = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    if issubclass(cls, (type, *callables)):
        return _qualified_name
    return None


def _error_text(error: BaseException) -> str:
    message = str(error)
    name = class_name(type(error))
    return f"{name}: {message}" if message else name


def _module_name(value: types.ModuleType) -> str:
    return str(value.__name__)


def _qualified_name(value: Any) -> str:
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module == "builtins":
        return str(value.__qualname__)
    return f"{module}.{value.__qualname__}"


def _moment_or_id(cls: type) -> Way | None:
    if issubclass(cls, datetime):
        return _utc_text
    if issubclass(cls, date | time):
        return _iso_text
    if issubclass(cls, timedelta):
        return timedelta.total_seconds
    if issubclass(cls, UUID | Decimal | Fraction | PurePath):
        return str
    return None


def _utc_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        return moment.isoformat()
    try:
        text = moment.astimezone(UTC).isoformat()
    except (OverflowError, ValueError):  # within a day of year 1 or 9999
        return moment.isoformat()
    return text.replace("+00:00", "Z")


def _iso_text(value: date | time) -> str:
    return value.isoformat()


def _builtin_container(cls: type) -> Way | None:
    if issubclass(cls, dict):
        return _dict_of
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        return _named_tuple
    if issubclass(cls, set | frozenset):
        return _set_items
    if issubclass(cls, list | tuple | deque):
        return _items
    return None


def _dict_of(value: dict[Any, Any]) -> dict[Any, Any]:
    # The dict's own items, past whatever a subclass made of items() and __getitem__
    return dict(islice(dict.items(value), MOST_ITEMS))


def _named_tuple(value: tuple[Any, ...]) -> dict[Any, Any]:
    names: Any = type(value)._fields  # type: ignore[attr-defined]  # tested by way_of
    return dict(zip(names, tuple.__iter__(value), strict=False))


def _items(value: Iterable[Any]) -> list[Any]:
    return list(islice(value, MOST_ITEMS))


def _set_items(value: Iterable[Any]) -> list[Any]:
    items = _items(value)
    try:
        return sorted(items)
    except Exception:  # noqa: BLE001 - not comparable, which is no fault; shown as they come
        return items


def _known_by_name(  # noqa: PLR0911 - a table of classes
    cls: type, bases: list[tuple[str, str]]
) -> Way | None:
    if not _AS_STR.isdisjoint(bases):
        return str
    if ("werkzeug.local", "LocalProxy") in bases:
        return _proxied
    if ("numpy", "generic") in bases:
        return _numpy_scalar
    if any(name in _AS_REPR for _, name in bases):
        return shown
    roots = {module.partition(".")[0] for module, _ in bases}
    if not _SHAPED.isdisjoint(roots) and ("pydantic.main", "BaseModel") not in bases:
        return _shape
    is_orm = any(module.startswith("django.db") for module, _ in bases)
    if is_orm or not _UNTOUCHED.isdisjoint(roots) or hasattr(cls, "_sa_class_manager"):
        return _bare
    if any(module in _LOCKS for module, _ in bases):
        return _bare
    if "secret" in cls.__name__.lower() and _shows_itself(cls):
        return shown
    return fields_way(cls, bases)


def _shows_itself(cls: Any) -> bool:
    return cls.__repr__ is not object.__repr__


def _proxied(value: Any) -> Any:
    return value._get_current_object()  # noqa: SLF001 - werkzeug's documented way to the object


def _numpy_scalar(value: Any) -> Any:
    item = value.item()
    return str(value) if type(item) is type(value) else item


def _bare(value: object) -> str:
    return f"<{class_name(type(value))}>"


def _shape(value: Any) -> str:
    shape: Any = getattr(value, "shape", None)
    try:
        sizes = tuple(str(size) if type(size) is int else "?" for size in islice(shape, 32))
    except TypeError:  # no shape, or one that is a method
        return _bare(value)
    inside = ", ".join(sizes) + ("," if len(sizes) == 1 else "")
    return f"<{class_name(type(value))} shape=({inside})>"


def _abstract(  # noqa: PLR0911 - a table of classes
    cls: type, bases: list[tuple[str, str]]
) -> Way | None:
    if hasattr(cls, "__next__") or hasattr(cls, "__await__") or hasattr(cls, "__anext__"):
        return _name_of_iterator
    if issubclass(cls, io.IOBase) or any(module == "tempfile" for module, _ in bases):
        return _bare
    if issubclass(cls, array):
        return _array_shape
    if issubclass(cls, Mapping):
        return _mapping_pairs
    if issubclass(cls, ItemsView | ValuesView | Sequence):
        return _items
    if issubclass(cls, AbstractSet):
        return _set_items
    return None


def _name_of_iterator(value: Any) -> str:
    kind = class_name(type(value))
    if type(value) in (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType):
        return f"<{kind} {value.__qualname__}>"
    return f"<{kind}>"


def _array_shape(value: array[Any]) -> str:
    return f"<array shape=({len(value)},)>"


def _mapping_pairs(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value[key] for key in islice(iter(value), MOST_ITEMS)}


def shown(value: object) -> str:
    """Return *value* as it shows itself, without addresses: they differ in every line."""
    cls = type(value)
    if _shows_itself(cls):
        text = repr(value)
    elif cls.__str__ is not object.__str__:
        text = str(value)
    else:
        return f"<{cls.__module__}.{cls.__qualname__} object>"
    return _ADDRESS.sub("", text)
