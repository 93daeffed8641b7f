"""One open file of one tenant and one day: still the one its path names, and ending in a newline.

Someone may have moved or deleted the file; another process may have died, or found the disk
full, in the middle of a line. Both are looked for at most once a second, and after every failure.

Not here: which file that is, and how it was opened.
"""

from __future__ import annotations

import os
from typing import Final

from logbraid.sinks.descriptor import Descriptor, end_of, is_torn

LOOK_AGAIN_SECONDS: Final = 1.0


class DayFile(Descriptor):
    """The descriptor of ``<root>/<tenant>/<day>.jsonl``; *path* is where it was found."""

    __slots__ = ("_inode", "_torn_end", "look_at", "path")

    def __init__(self, fd: int, path: str, now: float) -> None:
        super().__init__(fd)
        self.path = path
        found = os.fstat(fd)
        self._inode = (found.st_dev, found.st_ino)
        self.look_at = now + LOOK_AGAIN_SECONDS
        self._torn_end: tuple[int, bytes] | None = None
        self._look_at_end()

    def is_current(self, now: float) -> bool:
        """Tell whether the path still names this file, and look at how the file ends."""
        self.look_at = now + LOOK_AGAIN_SECONDS
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - text all the way
        except OSError:
            return False
        self._look_at_end()
        return (found.st_dev, found.st_ino) == self._inode

    def _look_at_end(self) -> None:
        if self._torn_end is not None and end_of(self.fd) == self._torn_end:
            self.torn = True  # as last time: while a disk is full, no second wait for each line
            return
        self.torn = is_torn(self.fd)
        self._torn_end = end_of(self.fd) if self.torn else None

    def look_soon(self) -> None:
        """Ask for a look before the next line: this one failed, here or in another process."""
        self.look_at = 0.0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)
