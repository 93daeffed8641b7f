"""The ids of here and now: those that a line logged at this point would carry."""

from __future__ import annotations

from typing import Final

from logbraid import pipeline
from logbraid.context import bound
from logbraid.ids import id_text
from logbraid.record import ID_NAMES

_OF_CONTEXT: Final = frozenset((*ID_NAMES, "trace_id"))


def ids_here() -> dict[str, str]:
    """Return the ids of the context, as they were bound, without that of a span."""
    active = pipeline.ready()
    if not active.layers_are_idle():
        ids = active.context_parts({})[0]
        ids.pop("span_id", None)
        return ids
    fields = bound.get().fields
    ids = {name: value for name, value in fields.items() if name in _OF_CONTEXT}
    ground = active.ground_ids
    if ground:
        ids = {**ground, **ids}
        ids.pop("span_id", None)
    return ids


def safe_id(name: str | None) -> str | None:
    """Return an id as a line would say it; ``None`` for none.

    What cannot be one is replaced by its digest, and so is a credential.
    """
    return pipeline.ready().ids.safe(id_text(name)[0])[0] if name else None
