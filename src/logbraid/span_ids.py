"""New ids of traces and spans, as W3C Trace Context writes them."""

from __future__ import annotations

import random
from typing import Final

from logbraid.process import renew_after_fork

# Its own: programs seed the shared one, and two runs would have the same ids
_random: Final = random.Random()  # noqa: S311 - ids, no secrets
renew_after_fork(_random.seed)


def new_span_id() -> str:
    """Return 16 hex digits, not all zero."""
    return (_random.getrandbits(64) or 1).to_bytes(8, "big").hex()


def new_trace_id() -> str:
    """Return 32 hex digits, not all zero."""
    return (_random.getrandbits(128) or 1).to_bytes(16, "big").hex()
