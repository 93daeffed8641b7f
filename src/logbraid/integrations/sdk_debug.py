"""The debug mode of other SDKs, switched with our level.

Each switch is a callable that is told ``True`` when the level is debug or below and ``False``
when it is not: at configuration, and whenever that changes. Agno's is built in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

from logbraid.health import health
from logbraid.level import levels
from logbraid.record import DEBUG

_AGNO_VARIABLE: Final = "AGNO_DEBUG"


class AgnoSwitch:
    """Follow the level with Agno's debug mode.

    Agno reads ``AGNO_DEBUG`` when an agent is made; its loggers' level is set too where its
    logging is imported already. What the variable said before comes back with the level.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._before = environ.get(_AGNO_VARIABLE)
        self._is_on = False

    def __call__(self, debug: bool) -> None:
        """Switch Agno's debug mode on, or back to what it was."""
        if debug == self._is_on:
            return
        self._is_on = debug
        if debug:
            self._environ[_AGNO_VARIABLE] = "true"
        elif self._before is None:
            self._environ.pop(_AGNO_VARIABLE, None)
        else:
            self._environ[_AGNO_VARIABLE] = self._before
        log: Any = sys.modules.get("agno.utils.log")
        setter = getattr(log, f"set_log_level_to_{'debug' if debug else 'info'}", None)
        if callable(setter):
            setter()


class DebugSwitches:
    """Tell every switch what the level means for it, once for each change."""

    def __init__(self, switches: Sequence[Callable[[bool], object]]) -> None:
        self._switches = tuple(switches)
        self._told: bool | None = None

    def apply(self) -> None:
        """Tell the switches if debug went on or off since they were told last."""
        debug = levels.root <= DEBUG
        if debug == self._told:
            return
        self._told = debug
        self._tell(debug)

    def restore(self) -> None:
        """Tell them that debug is off, if they were told that it is on."""
        if self._told:
            self._tell(False)
        self._told = None

    def _tell(self, debug: bool) -> None:
        for switch in self._switches:
            try:
                switch(debug)
            except Exception as error:  # noqa: BLE001 - a switch is anyone's callable
                health.complain("sdk debug switch", error)
