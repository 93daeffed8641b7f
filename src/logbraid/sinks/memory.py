"""Lines in memory: what a test looks at. Not for production: nothing here is ever written out."""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson


class MemorySink:
    """Keep the last *max_lines* lines. Safe for threads; a forked child has its own copy."""

    def __init__(self, name: str = "memory", max_lines: int = 10_000) -> None:
        self.name = name
        self._lines: deque[bytes] = deque(maxlen=max_lines)

    @property
    def lines(self) -> list[bytes]:
        r"""The lines as they would have been written, each with its ``\n``, oldest first."""
        return list(self._lines)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The same lines, decoded anew at each access."""
        return [orjson.loads(line) for line in self._lines.copy()]

    def write(self, line: bytes, tenant: str | None, day: str) -> None:  # noqa: ARG002 - Sink's
        """Keep *line*."""
        self._lines.append(line)

    def clear(self) -> None:
        """Forget all lines."""
        self._lines.clear()

    def flush(self, timeout_seconds: float = 2.0) -> bool:  # noqa: ARG002 - Sink's
        """Return True: there is nothing to wait for."""
        return True

    def reopen(self) -> None:
        """Do nothing: there is nothing to open."""

    def close(self) -> None:
        """Do nothing: the lines stay, a test reads them after the end."""
