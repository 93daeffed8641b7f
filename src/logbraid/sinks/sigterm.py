"""SIGTERM where nobody else handles it: drain the queue, then die of the signal as before.

Servers (uvicorn, gunicorn, Celery) handle SIGTERM themselves and end normally, which drains at
exit. A plain script is killed by it on the spot, queue and all.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

DRAIN_SECONDS: Final = 2.0


class SigtermDrain:
    """A handler that calls *drain* with a number of seconds, then sends the signal again."""

    def __init__(self, drain: Callable[[float], object]) -> None:
        self._drain = drain

    def install(self) -> bool:
        """Handle SIGTERM if nobody does; tell whether it is handled here now."""
        if threading.current_thread() is not threading.main_thread():
            return False
        if signal.getsignal(signal.SIGTERM) == self._handle:
            return True
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return False
        signal.signal(signal.SIGTERM, self._handle)
        return True

    def remove(self) -> None:
        """Restore the system's own handling, unless someone has set another handler since."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's
        self._drain(DRAIN_SECONDS)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
