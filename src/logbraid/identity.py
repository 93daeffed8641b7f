"""Ids as a line may say them: a session id that is a credential becomes a digest of itself.

Ids know no key rule, no card rule and no rule for personal data. Equal ids stay equal and
different ones different, so files, labels and questions work as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from logbraid.context import TracingContext
from logbraid.health import health
from logbraid.record import CONTEXT_ORDER

if TYPE_CHECKING:
    from logbraid.scrub import Scrubber

_MAX_REMEMBERED: Final = 4096


class SafeIds:
    """Make ids safe, remembering the ones seen. Safe for threads: only single steps of a dict."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrub_id = scrubber.scrub_id
        self._known: dict[str, tuple[str, str | None]] = {}

    def safe(self, text: str) -> tuple[str, str | None]:
        """Return *text* as it may be written, and the kind of credential that it was."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            known = self._known[text] = self._scrub_id(text)
        return known

    def split(
        self, context: Mapping[str, Any], counts: dict[str, int]
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the ids of *context*, safe and in the order of a line, and what else it has."""
        ids = {}
        for name in CONTEXT_ORDER:
            value = context.get(name)
            if not isinstance(value, str):
                continue
            ids[name], kind = self.safe(value)
            if kind is not None:
                counts[kind] = counts.get(kind, 0) + 1
                text = f"{name} holds a credential ({kind}); its digest is written instead"
                health.tell_once(text, text)
        return ids, {name: value for name, value in context.items() if name not in ids}


@cache
def _known_forms() -> SafeIds:
    from logbraid.scrub import Scrubber  # noqa: PLC0415 - its patterns cost an import 60 ms

    return SafeIds(Scrubber())


def _shown(text: str) -> str:
    return _known_forms().safe(text)[0]


# A repr ends up in tracebacks and in other people's logs: it shows no more than a line would
TracingContext._shown_id = _shown  # noqa: SLF001 - context.py stands below what knows credentials
