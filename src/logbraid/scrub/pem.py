"""Private keys in PEM: whole, cut off before their end, or with their beginning cut away."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub.spans import Span

_BEGIN: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}(?:PRIVATE KEY|KEY FILE)(?: BLOCK)?-----"
)
_END: Final = re.compile(
    r"-----END (?:[A-Z0-9]{1,12} ){0,3}(?:PRIVATE KEY|KEY FILE)(?: BLOCK)?-----"
)
_LEAST_BODY: Final = 16
_MARK: Final = re.compile(r"-----(?=BEGIN |END )")
_BODY: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"


def find_pem(text: str, spans: list[Span]) -> None:
    """Add private keys to *spans*; what follows a key that never ends is taken with it."""
    done = 0
    mark = _MARK.search(text)
    while mark is not None:
        at = after = mark.start()
        begin = _BEGIN.match(text, at)
        end = _END.match(text, at) if begin is None else None
        if begin is not None:
            closing = text.find("-----END", begin.end())
            if closing < 0:
                spans.append(Span(at, len(text), "private_key"))
                return
            end = _END.match(text, closing)
            after = done = end.end() if end is not None else closing
            spans.append(Span(at, done, "private_key"))
        elif end is not None:
            start = done + len(text[done:at].rstrip(_BODY))
            if at - start >= _LEAST_BODY:
                spans.append(Span(start, end.end(), "private_key"))
            after = done = end.end()
        mark = _MARK.search(text, max(after, mark.end()))
