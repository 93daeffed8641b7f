"""Events of an agent framework, whatever class they are of: a type and some data.

Any object with ``.type`` (an Enum or text) and ``.data`` (a mapping or an object) is one, and so
is a mapping with these keys. One that has no ``data`` at all is told by its own fields, one that
has no ``type`` by ``event_type``, else by its class. Reading one never raises, and no name in its
data can be lost: ``args`` and ``message``, which ``logging`` forbids as fields, matter most.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from logbraid import pipeline
from logbraid.agent.told import LOGGER
from logbraid.health import health
from logbraid.record import DEBUG, ERROR, INFO, WARNING

_CHUNKS: Final = frozenset(
    {"llm_text", "thinking", "tool_output", "llm_call_delta", "llm_call_io", "turn_start"}
)
_FAILED: Final = frozenset({"error", "timeout", "failed", "failure"})
_TYPES: Final = ("type", "event_type")
_MISSING: Final = object()


class Event(NamedTuple):
    """An event as it was read: *type* is text, *data* a dict of the framework's own values."""

    type: str
    data: dict[str, Any]


def read_event(event: object) -> Event:
    """Return the type and the data of *event*. Never raises for an ``Exception``.

    What cannot be read of the one is no loss of the other.
    """
    kind = type(event).__name__
    data: dict[str, Any] = {}
    try:
        kind = _type_of(event)
    except Exception as error:  # noqa: BLE001 - an event is anyone's object
        health.complain("agent event", error)
    try:
        data = _told_by(event)
    except Exception as error:  # noqa: BLE001 - as above
        health.complain("agent event", error)
    return Event(kind, data)


def log_event(event: object) -> None:
    """Log *event* as one record ``agent_event``: its ``event_type``, the ids, and its data.

    Errors are logged as errors, failed tools as warnings, streamed chunks at debug. Never raises:
    made to be given as an ``on_event`` callback.
    """
    told = read_event(event)
    try:
        fields = dict(told.data)
        if "event_type" in fields:  # the data's own stays
            fields["event_type_"] = fields.pop("event_type")
        fields["event_type"] = told.type
        pipeline.emit(_level_of(told), LOGGER, "agent_event", fields)
    except Exception as error:  # noqa: BLE001 - it is never worth an agent
        health.complain("agent event", error)


def _part(event: object, name: str) -> Any:
    if isinstance(event, Mapping):
        return event.get(name, _MISSING)
    return getattr(event, name, _MISSING)


def _type_of(event: object) -> str:
    for name in _TYPES:
        kind = _part(event, name)
        if isinstance(kind, Enum):
            kind = kind.value
        if kind is not None and kind is not _MISSING:
            return kind if type(kind) is str else str(kind)
    return type(event).__name__


def _told_by(event: object) -> dict[str, Any]:
    data = _part(event, "data")
    if data is not _MISSING:
        return _data_of(data)
    return {name: value for name, value in _data_of(event).items() if name not in _TYPES}


def _data_of(data: object) -> dict[str, Any]:
    """Return *data* as a dict: of a mapping, a dataclass, a model, any object's attributes."""
    if data is None:
        return {}
    if isinstance(data, Mapping):
        return {_name(key): value for key, value in data.items()}
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {one.name: getattr(data, one.name) for one in dataclasses.fields(data)}
    dump = getattr(data, "model_dump", None)
    if callable(dump):
        return dict(dump())
    attributes = getattr(data, "__dict__", None)
    return dict(attributes) if attributes else {"value": data}


def _name(key: object) -> str:
    return key if type(key) is str else str(key)


def _level_of(event: Event) -> int:
    if event.type == "error" or event.type.endswith("_error"):
        return ERROR
    if event.type in _CHUNKS:
        return DEBUG
    status = event.data.get("status")
    return WARNING if isinstance(status, str) and status in _FAILED else INFO
