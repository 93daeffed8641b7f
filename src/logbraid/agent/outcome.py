"""How an action ended, in four words that metrics, logs and spans share."""

from __future__ import annotations

from typing import Final

OK: Final = "ok"
ERROR: Final = "error"
CANCELLED: Final = "cancelled"
TIMEOUT: Final = "timeout"

_CANCELLED: Final = frozenset({"CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt"})


def status_of(error: BaseException) -> str:
    """Return the word for an action that *error* ended.

    A time-out is known by its class or its name, since every client library has its own
    (``httpx.ReadTimeout``, ``subprocess.TimeoutExpired``); a cancellation likewise (asyncio,
    ``concurrent.futures``, trio). ``sys.exit()`` and ``sys.exit(0)`` are no failures.
    """
    if isinstance(error, SystemExit):
        return OK if error.code in {None, 0} else ERROR
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names.isdisjoint(_CANCELLED):
        return CANCELLED
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return TIMEOUT
    return ERROR
