"""An entry as attributes of a span: by the names of the table, of types that a span can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from logbraid.agent.here import ids_here, safe_id
from logbraid.agent.names import (
    ACTION,
    BY_ACTION,
    ID_ATTRIBUTES,
    LATEST,
    OPENINFERENCE,
    OPERATION,
    SEMCONV,
    SPAN_KIND,
    operation_of,
    rows_of,
)
from logbraid.outcome import OK

if TYPE_CHECKING:
    from logbraid.record import Plain

Attribute = str | bool | int | float
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_MESSAGES: Final = {"gen_ai.input.messages": "user", "gen_ai.output.messages": "assistant"}


def otel_attributes(clean: Mapping[str, Plain], semconv: str = LATEST) -> dict[str, Attribute]:
    """Return an entry's *clean* fields under the names of *semconv*.

    Raises ``ValueError`` for a *semconv* that is none.
    """
    if semconv not in SEMCONV:
        words = ", ".join(repr(word) for word in SEMCONV)
        raise ValueError(f"semconv is {semconv!r}: use one of {words}")
    action = str(clean.get("action", ""))
    told: dict[str, Attribute] = {ACTION: action}
    word = operation_of(action, str(clean.get("operation", "")))
    if word:
        told[OPERATION] = word
    _named(clean, action, semconv, told)
    for name, role in _MESSAGES.items():
        if name in told:
            told[name] = _message(role, told[name])
    return told


def openinference_attributes(clean: Mapping[str, Plain]) -> dict[str, Attribute]:
    """Return an entry's *clean* fields under OpenInference's names."""
    action = str(clean.get("action", ""))
    row = BY_ACTION.get(action)
    told: dict[str, Attribute] = {SPAN_KIND: "CHAIN" if row is None else row.kind, ACTION: action}
    _named(clean, action, OPENINFERENCE, told)
    for side in ("input", "output"):
        text = told.get(f"{side}.value")
        if isinstance(text, str):
            told[f"{side}.mime_type"] = _JSON if _is_json(text) else _TEXT
    return told


def id_attributes() -> dict[str, str]:
    """Return the five ids of here and now as a span may say them: credentials as digests."""
    ids = ids_here()
    found = {name: safe_id(ids.get(field)) for field, name in ID_ATTRIBUTES.items()}
    return {name: text for name, text in found.items() if text}


def _named(clean: Mapping[str, Plain], action: str, names: str, told: dict[str, Attribute]) -> None:
    metadata = clean.get("metadata")
    for row in rows_of(action):
        name = {OPENINFERENCE: row.openinference, LATEST: row.latest}.get(names, row.release)
        value: Any = clean.get(row.field)
        if row.field == "cache_write_tokens" and isinstance(metadata, dict):
            value = metadata.get(row.field)
        if (
            not name
            or name in told
            or value in (None, "", 0, {})
            or _says_nothing(row.field, value)
        ):
            continue
        told[name] = value if isinstance(value, str | bool | int | float) else _json(value)


def _says_nothing(field: str, value: object) -> bool:
    return field == "status" and value == OK


def _message(role: str, text: Attribute) -> str:
    """Return *text* as the conventions write a conversation: a list of messages of parts."""
    return _json([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_json(text: str) -> bool:
    if text[:1] not in {"{", "["}:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
