"""What is taken over of structlog: its configuration, and the chain that was in force."""

from __future__ import annotations

from typing import Any

import structlog

from logbraid.integrations.structlog import BoundLogger, hand_over, make_logger, processors


class Takeover:
    """structlog's configuration before, and ours in its place.

    The list of processors that was in force is emptied in place and gets ``hand_over``: loggers
    that were bound before hold that very list, so their records reach us too.
    """

    def __init__(self) -> None:
        self._was_configured = structlog.is_configured()
        self._before: dict[str, Any] = structlog.get_config()
        steps = self._before["processors"]
        self._emptied: list[Any] | None = steps if isinstance(steps, list) else None
        self._steps = list(steps)
        if self._emptied is not None:
            self._emptied[:] = [hand_over]
        processors[:] = [hand_over]
        structlog.configure(
            processors=processors,
            wrapper_class=BoundLogger,
            context_class=dict,
            logger_factory=make_logger,
            cache_logger_on_first_use=True,
        )

    @property
    def is_in_place(self) -> bool:
        """Whether structlog is still configured as we did it."""
        return structlog.get_config()["wrapper_class"] is BoundLogger

    def restore(self) -> None:
        """Put back the chain, and the configuration unless someone changed it since."""
        if self._emptied is not None and self._emptied[:] == [hand_over]:
            self._emptied[:] = self._steps
        if not self.is_in_place:
            return
        structlog.configure(**self._before)
        if not self._was_configured:
            structlog.reset_defaults()
