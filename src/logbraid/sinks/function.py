"""The user's own callable as a sink: it gets each line and the record decoded from it.

The record comes from the finished line, so a callable sees what was scrubbed and cut, and
nothing that was not. What it raises is counted and told by ``deliver``, never felt by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from logbraid.sinks.sink import SinkClosedError


class FunctionSink:
    """Call *function* with ``(line, record)`` for every line, in the thread that logs.

    The record is a dict of its own for each call. Decoding costs about a microsecond a line.
    Without *name* the callable's own name is taken.
    """

    runs_foreign_code = True
    """The callable may log itself: such a record must not come back to it for ever."""

    def __init__(
        self, function: Callable[[bytes, dict[str, Any]], object], name: str | None = None
    ) -> None:
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        self._function = function
        self._closed = False

    def write(self, line: bytes, tenant: str | None, day: str) -> None:  # noqa: ARG002 - Sink's
        """Call the function; whatever it raises comes through."""
        if self._closed:
            raise SinkClosedError
        self._function(line, orjson.loads(line))

    def flush(self, timeout_seconds: float = 2.0) -> bool:  # noqa: ARG002 - Sink's
        """Return True: the function has returned, what it keeps is its own."""
        return True

    def reopen(self) -> None:
        """Do nothing: what the function opened is its own."""

    def close(self) -> None:
        """Let no further line through."""
        self._closed = True
