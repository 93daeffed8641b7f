"""Values of metric labels: few, short, and never what someone typed.

A model invents names of tools, a user's prompt may make it do so, and every new value is a time
series that lives until the process ends. So the number of values is capped, and what is not a
plain name, or hides a secret, is ``_other`` like the rest and takes no place.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid import pipeline

OTHER: Final = "_other"
# Eight hex digits in a row, or five decimal ones, but for a date: web_search_20250305
_has_id = re.compile(
    r"(?!(?:19|20)\d\d[01]\d[0-3]\d(?!\d))(?<!\d)(?:(?=[a-f]*\d)[0-9a-f]{8}|\d{5})", re.IGNORECASE
).search
_is_plain = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}").fullmatch


class Labels:
    """The values of one label: the first *most* different ones as they are, then ``_other``.

    Without *ids*, a name that has one in it was made up for one call, and is ``_other`` too.
    """

    def __init__(self, most: int, *, ids: bool = True) -> None:
        self._most = most
        self._takes_ids = ids
        self._known: dict[str, str] = {}

    def of(self, text: object) -> str:
        """Return *text* as a label's value."""
        known = self._known.get(text) if type(text) is str else None
        return self._judge(text) if known is None else known

    def _judge(self, text: object) -> str:
        if not isinstance(text, str) or len(self._known) >= self._most:
            return OTHER
        if not _is_plain(text) or (_has_id(text) and not self._takes_ids):
            return OTHER  # not remembered: there may be any number of these
        if pipeline.ready().scrubber.scrub_text(text, {}) != text:
            return OTHER
        self._known[text] = text
        return text
