"""What users plug into the way of a record: more context, and processors. All of it guarded.

It runs before the scrubber, so whatever it adds is scrubbed too. It cannot change what a record's
level, stamp, logger and tenant are: where a line goes is not its to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from structlog.exceptions import DropEvent

from logbraid.health import health
from logbraid.merge import checked_id, keep_apart
from logbraid.record import CONTEXT_ORDER, Record, level_word

Layer = Callable[[], Mapping[str, Any]]
"""Asked at each record for context that is not ours; weaker than what ``bind_context`` bound."""

_FIXED: Final = frozenset({"timestamp", "level", "logger", "exc_info"})


def ask(layer: Layer) -> Mapping[str, Any]:
    """Return what *layer* knows; one that fails knows nothing, and is told."""
    try:
        return layer()
    except Exception as error:  # noqa: BLE001 - a provider is anyone's callable
        health.complain("context provider", error)
        return {}


def process(
    processors: Sequence[Callable[[Any, str, dict[str, Any]], Any]],
    record: Record,
    stamp: str,
    context: dict[str, Any],
    fields: dict[str, Any],
) -> tuple[object, dict[str, Any], dict[str, Any]]:
    """Run *processors* in structlog's manner; return event, context and fields as they left them.

    A processor that raises is told and passed over. Raises ``DropEvent`` if one of them does.
    """
    word = level_word(record.level)
    told: Any = {"timestamp": stamp, "level": word, "logger": record.logger}
    told = {**told, "event": record.event, **context, **fields}
    if record.error is not None:
        told["exc_info"] = record.error
    for processor in processors:
        try:
            changed = processor(None, word, dict(told))
        except DropEvent:
            raise
        except Exception as error:  # noqa: BLE001 - a processor is anyone's callable
            health.complain("processor", error)
            continue
        if isinstance(changed, Mapping):
            told = changed
    told = {name: value for name, value in told.items() if name not in _FIXED}
    event = told.pop("event", record.event)
    kept = {name: told.pop(name) for name in context if name in told}
    for name in CONTEXT_ORDER:
        value = checked_id(kept.pop(name, told.get(name)))
        if name == "tenant_id":
            value = context.get(name)  # where a line goes is not theirs to say
        elif name in told:
            del told[name]
        if value is not None:
            kept[name] = value
    return event, *keep_apart(kept, told, failed=record.error is not None)
