"""What people are told beside the answer: on standard error, safe for a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress

from logbraid.reading import Findings
from logbraid.sinks.terminal import clean


def complain(text: str) -> None:
    """Tell people on standard error, each line made safe for a terminal."""
    with suppress(OSError, ValueError, AttributeError):
        lines = "\n".join(clean(line) for line in text.splitlines())
        sys.stderr.write(f"logbraid: {lines}\n".encode("ascii", "backslashreplace").decode())
        sys.stderr.flush()


def tell(found: Findings) -> None:
    """Tell on standard error what could not be read."""
    lines = list(found.told())
    if lines:
        complain("\n".join(lines))
