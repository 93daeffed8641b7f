"""How work ended, in four words that logs, metrics, spans and audit records share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OK: Final = "ok"
ERROR: Final = "error"
CANCELLED: Final = "cancelled"
TIMEOUT: Final = "timeout"
STATUSES: Final = frozenset({OK, ERROR, CANCELLED, TIMEOUT})

_CANCELLED: Final = frozenset({"CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt"})


def status_of(error: BaseException) -> str:
    """Return the word for an action that *error* ended.

    A time-out is known by its class or its name, since every client library has its own
    (``httpx.ReadTimeout``, ``subprocess.TimeoutExpired``); a cancellation likewise (asyncio,
    ``concurrent.futures``, trio). ``sys.exit()`` and ``sys.exit(0)`` are no failures. A group of
    errors that all ended alike (task groups raise them) ended as they did.
    """
    if isinstance(error, SystemExit):
        return OK if error.code in {None, 0} else ERROR
    if isinstance(error, BaseExceptionGroup):
        words = {status_of(one) for one in error.exceptions}
        return words.pop() if len(words) == 1 else ERROR
    return _word_for(kind.__name__ for kind in type(error).__mro__)


def status_named(error_class: str) -> str:
    """Return the word for an action that an error of that class ended, of which no more is known.

    A class may be told with its module in front.
    """
    return _word_for([error_class.rpartition(".")[2]])


def _word_for(classes: Iterable[str]) -> str:
    names = set(classes)
    if not names.isdisjoint(_CANCELLED):
        return CANCELLED
    return TIMEOUT if any("timeout" in name.lower() for name in names) else ERROR


def status_code_of(error: BaseException) -> int | None:
    """Return the HTTP status that *error* tells of, where client libraries keep it.

    ``.status_code`` (openai), ``.response.status_code`` (httpx, requests), ``.code`` (urllib),
    ``.status`` (aiohttp, urllib3).
    """
    if isinstance(error, SystemExit):
        return None  # its code is the process's
    for owner in (error, getattr(error, "response", None)):
        for name in ("status_code", "code", "status"):
            try:
                code = getattr(owner, name, None)
            except Exception:  # noqa: BLE001, S112 - a property of anyone's; the next may know
                continue
            if type(code) is int and 100 <= code <= 599:
                return code
    return None
