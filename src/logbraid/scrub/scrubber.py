"""The one Scrubber: what the rest of the package knows of scrubbing.

What a name means stands in ``keys.py``, what a text hides in ``text.py``, the walk in ``tree.py``.
Here is the promise: nothing is ever raised, the caller's objects are never changed, and what
cannot be scrubbed is not written.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.health import health
from logbraid.ids import digest16
from logbraid.record import Plain
from logbraid.scrub import neighbours, urls, values
from logbraid.scrub.embedded import LEVELS
from logbraid.scrub.keys import NameRules
from logbraid.scrub.ordinary import OrdinaryWalk
from logbraid.scrub.tree import Walker
from logbraid.settings import ScrubRules

SCRUB_ERROR: Final = "[SCRUB_ERROR]"


class Scrubber:
    """Redacts the secrets of records. Safe in any number of threads; made once, used always.

    ``plain_names`` and ``clean_texts`` are what was found harmless so far; whoever is in a hurry
    reads them. Both are bounded and emptied when full. ``looks_clean`` adds to them: ``False``
    means unknown, and ``text_is_clean`` knows. *window* is how much of a text callers
    hand over at most; longer texts are scanned whole all the same.
    """

    def __init__(self, rules: ScrubRules = ScrubRules(), *, window: int = 2512) -> None:  # noqa: B008 - frozen
        self.window = window
        patterns = {
            kind: re.compile(pattern) if isinstance(pattern, str) else pattern
            for kind, pattern in rules.patterns.items()
        }
        self._walker = Walker(
            NameRules(rules.extra_keys, rules.safe_keys),
            patterns,
            personal_data=rules.personal_data,
        )
        self.plain_names = self._walker.plain_names
        self.clean_texts = self._walker.clean_texts
        self.name_is_plain = self._walker.name_is_plain
        self.text_is_clean = self._walker.text_is_clean
        self.looks_clean = self._walker.looks_clean

    def ordinary_walk(self, names: dict[str, str], most: int) -> OrdinaryWalk:
        """Return a walk that scrubs what is ordinary and raises at what is not.

        *names* maps names to themselves that nobody needs to clean, *most* is the limit of a text.
        """
        return OrdinaryWalk(self._walker, names, most)

    def scrub_text(self, text: str, counts: dict[str, int]) -> str:
        """Return *text* without its secrets, the same object if it has none. Never raises."""
        try:
            return self._walker.scan(text, counts, LEVELS)
        except Exception as error:  # noqa: BLE001 - fails closed
            return self._failed(error, counts)

    def scrub_id(self, text: str) -> tuple[str, str | None]:
        """Return *text*, or a digest in its place and the kind if its form is a credential's."""
        try:
            kind = values.credential_kind(text) or urls.userinfo_kind(text)
        except Exception as error:  # noqa: BLE001 - fails closed, as above
            health.complain("scrub", error)
            kind = "scrub_error"
        if kind is None:
            return text, None
        return f"{kind}~{digest16(text)}", kind

    def scrub_fields(self, fields: dict[str, Plain], counts: dict[str, int]) -> dict[str, Plain]:
        """Return *fields* without secrets: the same object, or a copy where something changed.

        What was redacted is added to *counts* by kind. A value that cannot be scrubbed becomes
        ``[SCRUB_ERROR]``. Never raises.
        """
        changed: dict[str, Plain] | None = None
        walker = self._walker
        plain_names = walker.plain_names
        clean = walker.clean_texts
        for name, value in fields.items():
            if plain_names.get(name):
                kind = type(value)
                if kind is str:
                    if value in clean:
                        continue
                elif kind is not dict and kind is not list:
                    continue
            new_name = name
            new: Plain
            try:
                if not walker.name_is_plain(name):
                    new_name = walker.scan(name, counts, 1)
                new = walker.value(walker.verdict(name), value, fields, counts)
            except Exception as error:  # noqa: BLE001 - fails closed
                new = self._failed(error, counts)
            if new is value and new_name == name:
                continue
            changed = dict(fields) if changed is None else changed
            if new_name == name:
                changed[name] = new
            else:
                changed = neighbours.renamed(changed, name, new_name, new)
        return fields if changed is None else changed

    def _failed(self, error: Exception, counts: dict[str, int]) -> str:
        counts["scrub_error"] = counts.get("scrub_error", 0) + 1
        health.complain("scrub", error)
        return SCRUB_ERROR
