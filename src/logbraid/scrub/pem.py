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
_PUTTY: Final = "PuTTY-User-Key-File-"
_BODY: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"


def find_pem(text: str, spans: list[Span]) -> None:
    """Add private keys to *spans*; what follows a key that never ends is taken with it."""
    at = text.find("-----")
    done = 0
    while at >= 0:
        begin = _BEGIN.match(text, at)
        if begin is not None:
            closing = text.find("-----END", begin.end())
            if closing < 0:
                spans.append(Span(at, len(text), "private_key"))
                return
            end = _END.match(text, closing)
            done = end.end() if end is not None else closing
            spans.append(Span(at, done, "private_key"))
            at = text.find("-----", done)
            continue
        end = _END.match(text, at)
        if end is not None:
            body = text[done:at].rstrip(_BODY)
            start = done + len(body)
            if at - start >= 16:
                spans.append(Span(start, end.end(), "private_key"))
            done = end.end()
            at = text.find("-----", done)
            continue
        at = text.find("-----", at + 5)
