"""The ids of here and now: those that a line logged at this point would carry."""

from __future__ import annotations

from collections.abc import Mapping

from logbraid import pipeline
from logbraid.ids import id_text


def ids_here() -> Mapping[str, str]:
    """Return the ids of the context, without that of a span."""
    return pipeline.active.fastpath.ids_here()


def safe_id(name: str | None) -> str | None:
    """Return an id as a line would say it; ``None`` for none.

    What cannot be one is replaced by its digest, and so is a credential.
    """
    return pipeline.ready().ids.safe(id_text(name)[0])[0] if name else None
