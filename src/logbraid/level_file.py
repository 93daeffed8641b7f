"""A file whose text is the level: a mounted ConfigMap, or one that an operator writes to.

Looked at once a second by content, not by time stamp: a ConfigMap is a chain of links that is
swapped whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from logbraid.health import health
from logbraid.parsing import parse_level

INTERVAL_SECONDS: Final = 1.0
_MAX_BYTES: Final = 100


class LevelFile:
    """Watch *path* in a daemon thread and hand each new level to *change*."""

    def __init__(self, path: Path, change: Callable[[int], object]) -> None:
        self._path = path
        self._change = change
        self._seen: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Read the file now; tell of a level that changed. A missing file changes nothing."""
        try:
            text = text_of(self._path)
        except OSError:
            return
        if text == self._seen or not text:
            return
        self._seen = text
        level = parse_level(text)
        if level is None:
            health.complain("level_file", "its text is not a level; the level stays")
            return
        self._change(level)

    def start(self) -> None:
        """Look now, and once a second from now on; in a forked child, start over."""
        if self._thread is not None and self._thread.is_alive():
            return
        self.look()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logbraid-level-file", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def _run(self) -> None:
        stop = self._stop
        while not stop.wait(INTERVAL_SECONDS):
            self.look()


def text_of(path: Path) -> str:
    """Return the text of a level file; raises ``OSError``, also where it is no regular file."""
    if path.exists() and not path.is_file():  # a FIFO would be waited for
        raise OSError(0, "it is not a regular file")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(_MAX_BYTES).strip()
