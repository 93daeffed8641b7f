"""Ids: what makes a text usable as one, and how a new one is made.

An id is never repaired by taking characters out of it: two tenants would become one. One that
cannot be used is replaced whole by a digest of itself, so that different stays different.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import unicodedata
from typing import Final

MAX_ID_CHARS: Final = 128
_UNUSABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def digest16(text: str) -> str:
    """Return 16 hex digits of SHA-256 over the raw UTF-8 of *text* (lone surrogates included)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def id_text(value: object) -> tuple[str, bool]:
    """Return *value* as the text of an id, and whether it had to be replaced.

    Replaced by ``invalid-`` and 16 hex digits is what is longer than 128 characters or holds a
    control, format, separator or surrogate character. Raises what ``str(value)`` raises.
    """
    text = value if type(value) is str else str(value)
    if len(text) <= MAX_ID_CHARS and ((text.isascii() and text.isprintable()) or is_usable(text)):
        return text, False
    return f"invalid-{digest16(text)}", True


def is_usable(text: str) -> bool:
    """Tell whether no character of *text* could hide, forge a line or break an encoder."""
    return all(unicodedata.category(char) not in _UNUSABLE for char in text)


class _Uuid7:
    """RFC 9562 version 7 with a 12-bit counter: sorted by time, also within a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may need an id in the middle of one
        self._last = 0

    def renew(self) -> None:
        """Replace the lock: a fork may have copied it while another thread held it."""
        self._lock = threading.RLock()

    def __call__(self) -> str:
        ticks = (time.time_ns() << 12) // 1_000_000  # 48 bits of milliseconds, 12 of fraction
        with self._lock:
            self._last = ticks = max(ticks, self._last + 1)
        number = (
            ((ticks >> 12) & 0xFFFF_FFFF_FFFF) << 80
            | 0x7 << 76
            | (ticks & 0xFFF) << 64
            | 0b10 << 62
            | (int.from_bytes(os.urandom(8), "big") >> 2)
        )
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


new_id = _Uuid7()
"""Return a new UUIDv7 as text; unique over threads and forks (62 random bits each)."""
