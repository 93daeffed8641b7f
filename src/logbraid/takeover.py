"""What was there, and what is ours: every library taken over, and everything put back.

Each library has its part in ``integrations/``; this is their order, and who looks again when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from logbraid.integrations import celery, hooks, stdlib_takeover, structlog_takeover
from logbraid.integrations.on_import import Waiting
from logbraid.level import levels

if TYPE_CHECKING:
    from logbraid.integrations.loguru import Takeover as LoguruTakeover


class Takeover:
    """All libraries of this process, taken over until ``restore()``."""

    def __init__(self) -> None:
        self.structlog = structlog_takeover.Takeover()
        self.stdlib = stdlib_takeover.Takeover()
        self.hooks = hooks.Takeover()
        self.loguru: LoguruTakeover | None = None
        self._undo: list[Callable[[], None]] = [levels.listen(self._apply)]
        self._waiting = [
            Waiting("loguru", self._take_loguru),
            Waiting("celery", celery.keep_out),
        ]

    def _take_loguru(self) -> None:
        from logbraid.integrations.loguru import Takeover as Loguru  # noqa: PLC0415 - imports it

        self.loguru = Loguru()

    def _apply(self) -> None:
        self.stdlib.apply()
        if self.loguru is not None:
            self.loguru.apply()

    def check(self) -> None:
        """Take over again what someone took back: a server configured after us, a fork."""
        self.stdlib.check()
        if self.loguru is not None:
            self.loguru.check()

    def restore(self) -> None:
        """Put back everything that is still ours to put back."""
        for undo in self._undo:
            undo()
        for waiting in self._waiting:
            waiting.cancel()
        if self.loguru is not None:
            self.loguru.restore()
        self.hooks.restore()
        self.stdlib.restore()
        self.structlog.restore()
