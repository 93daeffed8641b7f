"""The door from structlog: a bound logger of structlog's own kind that does all work in one call.

``BoundLogger`` is structlog's wrapper class of a configured process. Its ``_processors`` hold one
marker, ``hand_over``; where something else stands there (``structlog.testing.capture_logs``),
that chain runs instead. ``hand_over`` is a processor too: put into the list of loggers that were
bound before configuration, it brings their records here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from structlog import BoundLoggerBase
from structlog import contextvars as structlog_contextvars
from structlog.exceptions import DropEvent
from structlog.typing import Context, EventDict, Processor, WrappedLogger

from logbraid import pipeline
from logbraid.failure import error_of
from logbraid.integrations.caller import call_site, caller_module, stack_text
from logbraid.integrations.interpolate import interpolate
from logbraid.level import Gate, levels
from logbraid.parsing import parse_level
from logbraid.record import (
    CRITICAL,
    DEBUG,
    ERROR,
    INFO,
    LEVEL_WORDS,
    WARNING,
    Record,
    level_name,
    level_word,
)

_METHOD_LEVELS: Final = {
    "debug": DEBUG,
    "info": INFO,
    "msg": INFO,
    "warn": WARNING,
    "warning": WARNING,
    "err": ERROR,
    "error": ERROR,
    "exception": ERROR,
    "failure": ERROR,
    "critical": CRITICAL,
    "fatal": CRITICAL,
}
_STRUCTLOGS_OWN: Final = ("_record", "_from_structlog", "positional_args")


class NamedLogger:
    """What a ``BoundLogger`` wraps: the name of a logger and its gate."""

    __slots__ = ("gate", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = levels.gate(name)

    def __repr__(self) -> str:
        return f"NamedLogger({self.name!r})"

    def __reduce__(self) -> tuple[type[NamedLogger], tuple[str]]:
        return NamedLogger, (self.name,)


class BoundLogger(BoundLoggerBase):
    """A structlog bound logger: ``bind``, ``unbind``, ``try_unbind`` and ``new`` make new ones.

    Every method takes an event and any fields; any word may be a field's name. ``exc_info``,
    ``stack_info`` and ``extra`` (spread into the fields) mean what they mean in ``logging``. No
    method raises, none returns anything. The async twins run in the caller: handing a record to
    an executor would cost more than writing it.
    """

    _gate: Gate

    def __init__(
        self, logger: WrappedLogger, processors: Iterable[Processor], context: Context
    ) -> None:
        steps = processors if isinstance(processors, list) else list(processors)
        super().__init__(logger, steps, context)
        self._steps: list[Processor] = steps
        gate = getattr(logger, "gate", None)
        name = getattr(logger, "name", None)
        self._gate = gate if gate is not None else levels.gate(str(name or caller_module()))

    def __repr__(self) -> str:
        # Names only: what is bound may be a secret, and a repr ends up in tracebacks
        return f"<BoundLogger({self._gate.name!r}, bound={list(self._context)})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundLogger, (self._logger, self._steps, self._context)

    def debug(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at debug."""
        if self._gate.level <= DEBUG:
            self._log(DEBUG, event, args, fields)

    def info(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at info."""
        if self._gate.level <= INFO:
            self._log(INFO, event, args, fields)

    def warning(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at warning."""
        if self._gate.level <= WARNING:
            self._log(WARNING, event, args, fields)

    def error(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at error."""
        if self._gate.level <= ERROR:
            self._log(ERROR, event, args, fields)

    def critical(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at critical."""
        if self._gate.level <= CRITICAL:
            self._log(CRITICAL, event, args, fields)

    def exception(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at error with the exception that is being handled."""
        if self._gate.level <= ERROR:
            self._log(ERROR, event, args, {"exc_info": True, **fields})

    def log(self, level: int | str, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at *level*, a number or a word; an unknown word means info."""
        number = parse_level(level)
        number = INFO if number is None else number
        if self._gate.level <= number:
            self._log(number, event, args, fields)

    msg = info
    warn = warning
    err = error
    fatal = critical
    failure = exception

    async def adebug(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at debug."""
        self.debug(event, *args, **fields)

    async def ainfo(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at info."""
        self.info(event, *args, **fields)

    async def awarning(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at warning."""
        self.warning(event, *args, **fields)

    async def aerror(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at error."""
        self.error(event, *args, **fields)

    async def acritical(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at critical."""
        self.critical(event, *args, **fields)

    async def aexception(self, event: object = None, /, *args: object, **fields: Any) -> None:
        """Log at error with the exception that is being handled."""
        self.exception(event, *args, **fields)

    async def alog(
        self, level: int | str, event: object = None, /, *args: object, **fields: Any
    ) -> None:
        """Log at *level*."""
        self.log(level, event, *args, **fields)

    amsg = ainfo
    awarn = awarning
    afatal = acritical

    def is_enabled_for(self, level: int) -> bool:
        """Tell whether a record of *level* may be written now."""
        return level >= self._gate.level

    def get_effective_level(self) -> int:
        """Return the level that this logger's name has now."""
        return self._gate.own

    isEnabledFor = is_enabled_for  # noqa: N815 - the spelling of logging, which structlog has too
    getEffectiveLevel = get_effective_level  # noqa: N815 - as above

    def _log(
        self, level: int, event: object, args: tuple[object, ...], fields: dict[str, Any]
    ) -> None:
        steps = self._steps
        if not steps or steps[0] is not hand_over:
            self._run(steps, level, event, args, fields)
            return
        bound = self._context
        if args or not pipeline.active.fast(
            level, self._gate, event, {**bound, **fields} if bound else fields
        ):
            try:
                pipeline.active.emit(_record(level, self._gate.name, event, args, bound, fields))
            except Exception as error:  # noqa: BLE001 - arguments of anyone's making
                pipeline.mishap(level, self._gate.name, event, error)

    def _run(
        self,
        steps: list[Processor],
        level: int,
        event: object,
        args: tuple[object, ...],
        fields: dict[str, Any],
    ) -> None:
        """Run someone else's chain, as structlog would."""
        text, _ = interpolate(event, args)
        fields = {name: value for name, value in fields.items() if name != "event"}
        told: Any = {**self._context, **fields, "event": text}
        method = LEVEL_WORDS.get(level, level_word(level))
        try:
            for step in list(steps):
                told = step(self._logger, method, told)
        except DropEvent:
            return
        write = getattr(self._logger, method, None)
        if write is None:  # a chain that someone configured after us, and nobody to write its end
            pipeline.active.emit(
                _record(level, self._gate.name, event, args, self._context, fields)
            )
            return
        if isinstance(told, tuple):
            write(*told[0], **told[1])
        elif isinstance(told, Mapping):
            write(**told)
        else:
            write(told)


def _record(
    level: int,
    logger: str,
    event: object,
    args: tuple[object, ...],
    bound: Mapping[str, Any],
    fields: Mapping[str, Any],
) -> Record:
    """Return the record of a call: take out of *fields* what are words to the method."""
    fields = dict(fields)
    if event is None and "event" in fields:
        event = fields.pop("event")
    error = error_of(fields.pop("exc_info", None))
    stack = fields.pop("stack_info", None)
    fields.pop("stacklevel", None)
    extra = fields.pop("extra", None)
    if isinstance(extra, Mapping):
        fields = {**{str(name): value for name, value in extra.items()}, **fields}
    elif extra is not None:
        fields["extra"] = extra
    text, format_error = interpolate(event, args)
    if format_error is not None:
        fields.setdefault("args", list(args))
    return Record(
        level,
        logger,
        "" if text is None else text,
        fields,
        bound,
        error=error,
        stack=stack if isinstance(stack, str) else (stack_text() if stack else None),
        level_name=level_name(level),
        format_error=format_error,
        callsite=call_site() if pipeline.ready().settings.callsite else None,
    )


def hand_over(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """Take the record of a logger that was bound before configuration (a structlog processor).

    Raises ``DropEvent``: for structlog, the record ends here.
    """
    fields = dict(event_dict)
    args = fields.get("positional_args") or ()
    for name in _STRUCTLOGS_OWN:
        fields.pop(name, None)
    event = fields.pop("event", None)
    if method_name == "exception":
        fields.setdefault("exc_info", True)
    wrapped_name = getattr(logger, "name", None)
    level = _METHOD_LEVELS.get(method_name, INFO)
    pipeline.active.emit(
        _record(level, str(wrapped_name or caller_module()), event, tuple(args), {}, fields)
    )
    raise DropEvent


def make_logger(*args: Any) -> NamedLogger:
    """Make the logger that structlog wraps: of the name given, else of the caller's module."""
    return NamedLogger(str(args[0]) if args and args[0] else caller_module())


processors: Final[list[Processor]] = [hand_over]
"""The chain of every logger of ours: one list, so that what changes it reaches all of them."""


def get_logger(name: str | None = None, /, **fields: Any) -> BoundLogger:
    """Return a bound logger of that *name*, carrying *fields*.

    Without a name it is the caller's module. Before ``configure_logging()`` and after ``close()``
    it writes warnings and above, as scrubbed JSON, to standard error.
    """
    return BoundLogger(NamedLogger(name or caller_module()), processors, dict(fields))


_VARIABLES: Final = getattr(structlog_contextvars, "_CONTEXT_VARS", None)


def is_idle() -> bool:
    """Tell whether nothing was ever bound with ``structlog.contextvars`` in this process."""
    return _VARIABLES is not None and not _VARIABLES


def contextvars_layer() -> Mapping[str, Any]:
    """Return what is bound with ``structlog.contextvars``."""
    return {} if is_idle() else structlog_contextvars.get_contextvars()
