"""What a payload looks like, without a value of it: its size, and a fingerprint of its shape.

A provider that renames a field breaks whoever reads it. Its fingerprint changes that day, and
not with every answer: only key paths and types count. Keys that are data (an e-mail address, a
number, one of many) are not told apart, so none of them shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import orjson

from logbraid.agent.clean import plain_value

_MAX_PATHS: Final = 500
_MAX_DEPTH: Final = 12
_MAX_ITEMS: Final = 100
_MAX_VISITS: Final = 5000
_MAX_KEYS: Final = 64
MAX_TEXT: Final = 32_000
"""Characters of a text that an entry keeps in memory."""


def shape_of(payload: object) -> list[str]:
    """Return the sorted key paths of *payload* with their types: ``['items[].id: int', ...]``."""
    paths: set[str] = set()
    _walk(payload, "", paths, _MAX_DEPTH, [_MAX_VISITS])
    return sorted(paths)


def fingerprint(payload: object) -> str:
    """Return 16 hex digits that are equal for payloads of one shape. Never raises."""
    try:
        told = "\n".join(shape_of(payload))
    except Exception:  # noqa: BLE001 - a stranger's mapping; a shape is never worth an agent
        return ""
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _walk(value: object, path: str, paths: set[str], depth: int, left: list[int]) -> None:
    left[0] -= 1
    if len(paths) >= _MAX_PATHS or left[0] < 0:
        return
    if depth == 0 or not isinstance(value, Mapping | list | tuple) or not value:
        paths.add(f"{path or '.'}: {_type_of(value)}")
        return
    if isinstance(value, Mapping):
        is_map = len(value) > _MAX_KEYS
        for key, item in islice(value.items(), _MAX_VISITS):
            name = key if isinstance(key, str) and key.isidentifier() and not is_map else "*"
            _walk(item, f"{path}.{name}" if path else name, paths, depth - 1, left)
        return
    for item in value[:_MAX_ITEMS]:  # rows of one kind look alike
        _walk(item, f"{path}[]", paths, depth - 1, left)


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list | tuple):
        return "array"
    return type(value).__name__


def text_of(payload: object) -> str:
    """Return *payload* as the text of a summary: text as it is, all else as JSON. Never raises.

    Not more than 32,000 characters of it: an entry is kept in memory.
    """
    if isinstance(payload, str):
        return payload[:MAX_TEXT]
    if not isinstance(payload, bytes | bytearray):
        payload = _json(payload)
    return bytes(payload[:MAX_TEXT]).decode("utf-8", "replace")


def size_of(payload: object) -> int:
    """Return how many bytes *payload* has, as UTF-8 or as JSON. Never raises."""
    if isinstance(payload, str):
        return len(payload.encode("utf-8", "surrogatepass"))
    if isinstance(payload, bytes | bytearray):
        return len(payload)
    return len(_json(payload))


def _json(payload: Any) -> bytes:
    try:
        return orjson.dumps(payload)
    except Exception:  # noqa: BLE001 - what orjson does not know, the core shows
        return orjson.dumps(plain_value(payload))
