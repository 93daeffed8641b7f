"""What goes into a child process and comes out of it: its command, its bytes, what they tell."""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Sequence
from math import inf
from typing import Any, Final, TypeAlias

Command: TypeAlias = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]

_MAX_META_BYTES: Final = 1024 * 1024


class Coding:
    """How the child's bytes become what the caller gets: bytes, or text as ``subprocess`` does."""

    __slots__ = ("encoding", "errors", "is_text")

    def __init__(
        self, text: bool | None, encoding: str | None, errors: str | None, options: dict[str, Any]
    ) -> None:
        options.pop("capture_output", None)
        options.pop("bufsize", None)  # all is read at once, as bytes: 1 would warn
        universal = options.pop("universal_newlines", None)
        self.is_text = bool(text or encoding or errors or universal)
        self.encoding = encoding or locale.getpreferredencoding(False)
        self.errors = errors or "strict"

    def encode(self, data: str | bytes | None) -> bytes | None:
        """Return what is written to the child's standard input."""
        return data.encode(self.encoding, self.errors) if isinstance(data, str) else data

    def decode(self, data: bytes | None, errors: str | None = None) -> Any:
        r"""Return *data* as the caller wants it; text has its line ends as ``\n``."""
        if data is None or not self.is_text:
            return data
        decoded = data.decode(self.encoding, errors or self.errors)
        return decoded.replace("\r\n", "\n").replace("\r", "\n")


def shown(argv: Command) -> Any:
    """Return *argv* as a field: text, or a list of it."""
    if isinstance(argv, bytes | os.PathLike):
        return os.fsdecode(argv)
    if isinstance(argv, str):
        return argv
    return [os.fsdecode(one) if isinstance(one, bytes | os.PathLike) else one for one in argv]


def told_ms(out: bytes | None) -> float | None:
    """Return the duration that a child's JSON response tells of itself, in milliseconds."""
    if not out or len(out) > _MAX_META_BYTES:
        return None
    text = out.strip()
    for part in (text, text.rpartition(b"\n")[2]):
        if not part.startswith(b"{"):
            continue
        try:
            response = json.loads(part)
        except (ValueError, RecursionError):
            continue
        meta = response.get("meta") if isinstance(response, dict) else None
        told = meta.get("duration_ms") if isinstance(meta, dict) else None
        if (type(told) is float or type(told) is int) and 0 <= told < inf:
            return float(told)
    return None
