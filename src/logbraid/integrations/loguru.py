"""The door from loguru: one handler whose filter does the work and lets nothing through.

A filter gets the record before loguru formats it, before it formats the exception and before it
takes the handler's lock, which is not re-entrant. So a ``__repr__`` or a signal handler that logs
cannot deadlock, and what loguru would format twice is formatted once.

Loguru puts a message together before any handler sees it: braces that do not fit its arguments
raise in the caller there, with us as without (Delgan/loguru#1395).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from logbraid import pipeline
from logbraid.health import health
from logbraid.level import Gate, levels
from logbraid.record import LEVEL_WORDS, Record

if TYPE_CHECKING:
    import loguru

_gates: dict[str, Gate] = {}


def _gate(name: str) -> Gate:
    gate = _gates.get(name)
    if gate is None:
        if len(_gates) >= 4096:
            _gates.clear()
        gate = _gates[name] = levels.gate(name)
    return gate


def hand_over(record: loguru.Record) -> bool:
    """Take *record* (a loguru filter); ``False``: for loguru it ends here."""
    name = record["name"] or "root"
    gate = _gates.get(name) or _gate(name)
    level = record["level"]
    number = level.no
    if number < gate.level:
        return False
    active = pipeline.active
    if (
        record["exception"] is None
        and number in LEVEL_WORDS
        and active.fast(number, gate, record["message"], record["extra"])
    ):
        return False
    try:
        active.emit(to_record(record))
    except Exception as error:  # noqa: BLE001 - a patcher may have put anything into it
        pipeline.mishap(number, name, record["message"], error)
    return False


def to_record(record: loguru.Record) -> Record:
    """Return *record* as a record of ours."""
    exception = record["exception"]
    number = record["level"].no
    return Record(
        number,
        record["name"] or "root",
        record["message"],
        record["extra"],
        error=exception.value if exception is not None else None,
        level_name=None if number in LEVEL_WORDS else record["level"].name,
        callsite=(record["module"], record["function"], record["line"]),
    )


def _write_nothing(_: object) -> None:
    """Stand where loguru wants a sink; the filter lets nothing come here."""


class Takeover:
    """What loguru had before, and our handler in its place.

    Its other handlers are set aside, not removed: a removed handler is dead and could not be put
    back. That uses loguru's own table; where it has another shape they are removed, and told.
    """

    def __init__(self) -> None:
        from loguru import logger  # noqa: PLC0415 - 70 ms, only where loguru is used

        self._logger = logger
        self._aside: dict[int, Any] = {}
        self._id = logger.add(_write_nothing, level=0, filter=hand_over, format="{message}")
        self._swap()
        self.apply()

    def _swap(self) -> None:
        core = _core(self._logger)
        if core is None:
            health.tell_once("loguru", "loguru's handlers were removed: its table has a new shape")
            self._logger.remove()
            self._id = self._logger.add(
                _write_nothing, level=0, filter=hand_over, format="{message}"
            )
            return
        with core.lock:
            handlers = dict(core.handlers)
            ours = handlers.pop(self._id)
            self._aside = {**self._aside, **handlers}
            core.handlers = {self._id: ours}

    def apply(self) -> None:
        """Let loguru itself stop what no level in force wants."""
        core = _core(self._logger)
        if core is None:
            return
        with core.lock:
            ours = core.handlers.get(self._id)
            if ours is None:
                return
            ours._levelno = levels.lowest()  # noqa: SLF001 - compared live by loguru
            core.min_level = min(_levelno(handler) for handler in core.handlers.values())

    @property
    def others(self) -> list[Any]:
        """Handlers that were added since: lines of loguru that bypass us."""
        core: Any = _core(self._logger)
        if core is None:
            return []
        return [handler for key, handler in core.handlers.items() if key != self._id]

    @property
    def is_in_place(self) -> bool:
        """Whether our handler is still there: ``logger.remove()`` takes it away too."""
        core: Any = _core(self._logger)
        return core is None or self._id in core.handlers

    def check(self) -> None:
        """Come back where someone removed us, as ``logger.remove()`` at start-up does."""
        if self.others:
            text = "loguru has sinks that were added after configure_logging(): not scrubbed"
            health.tell_once(text, text)
        if not self.is_in_place:
            self._id = self._logger.add(
                _write_nothing, level=0, filter=hand_over, format="{message}"
            )
            self.apply()

    def restore(self) -> None:
        """Take our handler out and put back those that were there before."""
        core = _core(self._logger)
        if core is None:
            self._logger.remove(self._id)
            return
        with core.lock:
            handlers = dict(core.handlers)
            handlers.pop(self._id, None)
            core.handlers = {**self._aside, **handlers}
            core.min_level = min(map(_levelno, core.handlers.values()), default=math.inf)
            self._aside = {}


def _core(logger: Any) -> Any:
    core: Any = getattr(logger, "_core", None)
    has_shape = all(hasattr(core, name) for name in ("handlers", "lock", "min_level"))
    return core if has_shape and isinstance(core.handlers, dict) else None


def _levelno(handler: Any) -> float:
    return float(getattr(handler, "_levelno", 0))
