"""A pipe with a name: nobody reads it, until a process is started that does."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_READER = "import os\nwhile os.read(0, 1 << 20): pass"


class NamedPipe:
    """A FIFO at *path*, held open at both ends so that opening it waits for nobody."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)
        self._reader: subprocess.Popen[bytes] | None = None

    def read(self) -> None:
        """Start a process that reads all that comes, as fast as it can."""
        self._reader = subprocess.Popen([sys.executable, "-c", _READER], stdin=self._fd)

    def close(self) -> None:
        """End the reader and the pipe."""
        if self._reader is not None:
            self._reader.kill()
            self._reader.wait()
        os.close(self._fd)


@contextmanager
def named_pipe() -> Iterator[NamedPipe]:
    """Make a pipe for the length of a block."""
    with tempfile.TemporaryDirectory() as directory:
        pipe = NamedPipe(str(Path(directory, "pipe")))
        try:
            yield pipe
        finally:
            pipe.close()
