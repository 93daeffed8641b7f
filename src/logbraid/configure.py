"""The calls that configure a process. What they put together stands in ``assembly.py``."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Unpack

from logbraid.drive import Closing
from logbraid.integrations.stdlib_takeover import foreign_loggers
from logbraid.level import DebugWindow, levels
from logbraid.parsing import parse_level, shown
from logbraid.settings import Settings, SettingsChanges, resolve

if TYPE_CHECKING:
    from logbraid.assembly import Assembly


def configure_logging(
    settings: Settings | None = None, /, **changes: Unpack[SettingsChanges]
) -> LoggingHandle:
    """Take over structlog, ``logging``, loguru, warnings and uncaught exceptions of this process.

    Each argument beats ``LOGBRAID_X``, which beats ``LOG_X`` of the environment, which beats the
    default; the README lists them. A second call replaces the first. Call it once per process, at
    import of the application's module; in a spawned child again, in a forked one not.

    Raises ``ConfigError`` with all problems of the arguments at once. A variable of the
    environment that cannot be used is told once on standard error and the default is used.
    """
    from logbraid.assembly import assemble, sinks_of  # noqa: PLC0415 - imports every part

    resolved = resolve(settings, changes, os.environ)
    return LoggingHandle(assemble(resolved, sinks_of(resolved.settings)))


class LoggingHandle(Closing):
    """A configuration at work; a context manager that ends it."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._assembly.resolved.settings

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until every line is out; tell whether that is so."""
        return self._assembly.pipeline.flush(timeout_seconds)

    def reopen(self) -> None:
        """Open files anew, after someone moved them away. Idempotent, safe from any thread."""
        for sink in self._assembly.pipeline.sinks:
            sink.reopen()

    def close(self) -> None:
        """End this configuration and put back what was taken over. Idempotent.

        Does nothing if another call of ``configure_logging()`` replaced it.
        """
        self._assembly.close()


def set_level(level: str | int | None, *, logger: str | None = None) -> None:
    """Set the level of *logger* and its children, or of everything, in all four libraries.

    It counts at once, for loggers made before too. ``None`` takes a logger's own level back; for
    everything it means info. Raises ``ValueError`` where *level* is not a level.
    """
    number = None
    if level is not None:
        number = parse_level(level)
        if number is None:
            raise ValueError(f"level is {shown(level)}; use a word such as 'debug', or a number")
    levels.set(number, None if logger in ("", "root") else logger)


def get_level(logger: str | None = None) -> int:
    """Return the level that *logger*, or everything, has now, as a number (20 is info)."""
    return levels.root if logger in (None, "", "root") else levels.effective(str(logger))


def debug_for(*, seconds: float, **match: object) -> DebugWindow:
    """Write records from debug up for *seconds*, but only those whose context has *match*.

    ``debug_for(seconds=600, tenant_id="acme")`` shows what happens for one tenant and nothing
    more of the others. Ends by itself or by ``cancel()``. Loggers of ``logging`` that handlers
    hear which are not ours keep their level; they are named in ``.skipped``.
    """
    if type(seconds) not in {int, float} or not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds!r:.40}; use a number above 0 that ends one day")
    wanted = {name: str(value) for name, value in match.items()}
    return levels.open(float(seconds), wanted, tuple(sorted(foreign_loggers())))
