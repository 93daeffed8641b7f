"""A bar on standard error for work that takes more than a second, on a terminal only."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from logbraid.cli.output import is_terminal

DELAY_SECONDS: Final = 1.0


class Bar:
    """Counts bytes; shows itself when a second is over. Does nothing where nobody looks."""

    def __init__(self, what: str, total: int, *, delay_seconds: float = DELAY_SECONDS) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._shown: Any = None
        self._timer: threading.Timer | None = None
        if is_terminal(sys.stderr):
            self._timer = threading.Timer(delay_seconds, self._show)
            self._timer.daemon = True
            self._timer.start()

    def advance(self, size: int) -> None:
        """Count *size* more bytes."""
        self._done += size
        shown = self._shown
        if shown is not None:
            shown.update(0, completed=min(self._done, self._total))

    def _show(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only work that takes long pays
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - likewise

        shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with self._lock:
            if self._timer is None:  # it ended meanwhile
                return
            shown.add_task(self._what, total=max(self._total, 1), completed=self._done)
            shown.start()
            self._shown = shown

    def end(self) -> None:
        """Take the bar away. Idempotent."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._shown is not None:
                self._shown.stop()
                self._shown = None


@contextmanager
def bar(what: str, total: int) -> Iterator[Bar]:
    """Show a bar around a block of work on *total* bytes."""
    shown = Bar(what, total)
    try:
        yield shown
    finally:
        shown.end()
