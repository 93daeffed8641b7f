"""What people are told beside the answer: on standard error, safe for a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from logbraid.reading import Findings
from logbraid.sinks.terminal import clean


def complain(text: str) -> None:
    """Tell people on standard error, each line made safe for a terminal."""
    with suppress(OSError, ValueError, AttributeError):
        lines = "\n".join(clean(line) for line in text.splitlines())
        encoding = getattr(sys.stderr, "encoding", None) or "ascii"
        told = f"logbraid: {lines}\n".encode(encoding, "backslashreplace")
        sys.stderr.write(told.decode(encoding))
        sys.stderr.flush()


def tell(found: Findings, root: Path | None = None) -> None:
    """Tell what could not be read, or that there was no file below *root* to be read."""
    lines = list(found.told())
    if lines:
        complain("\n".join(lines))
    elif root is not None and not found.files:
        complain(f"{root} has no log files of that time and tenant")
