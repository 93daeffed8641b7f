"""The door from ``logging``: a handler that hands records over, and records that cannot clash."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from logbraid import pipeline
from logbraid.context import EMPTY
from logbraid.failure import error_of
from logbraid.health import health
from logbraid.integrations.interpolate import told
from logbraid.integrations.light_record import LightRecord
from logbraid.level import Gate, levels
from logbraid.plain.texts import unique_name
from logbraid.record import ERROR, LEVEL_WORDS, Record

_BLANK: Final = logging.LogRecord("", 0, "", 0, "", None, None)
_OWN: Final = frozenset(_BLANK.__dict__) | {"message", "asctime", "taskName"}
"""Attributes that every record has: computed from a blank one, since Python adds some."""

_OWN_COUNT: Final = len(_BLANK.__dict__)
_NOT_FIELDS: Final = _OWN | {"color_message"}  # uvicorn's text once more, with ANSI sequences
_SECOND_NS: Final = 1_000_000_000

_gates: dict[str, Gate] = {}


class BraidHandler(logging.Handler):
    """The one handler on the root logger of a configured process.

    It takes no lock and changes no record: other handlers see what they saw before.
    """

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)

    def createLock(self) -> None:  # noqa: N802 - the spelling of logging
        """Make no lock: a fork would copy it while another thread holds it."""
        self.lock = None

    def close(self) -> None:
        """Let the next record look around: ``dictConfig`` and ``basicConfig(force=True)`` close."""
        super().close()
        pipeline.active.detour = True

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand *record* over, unless a filter on this handler says no."""
        if self.filters:
            verdict = self.filter(record)
            if not verdict:
                return False
            if isinstance(verdict, logging.LogRecord):
                record = verdict
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Hand *record* over to the active pipeline; never raises."""
        try:
            self._hand_over(record)
        except Exception as error:  # noqa: BLE001 - a record of anyone's making
            told = record.__dict__
            level = told.get("levelno")
            pipeline.mishap(
                level if type(level) is int else ERROR,
                str(told.get("name", "")),
                told.get("msg"),
                error,
            )

    def _hand_over(self, record: logging.LogRecord) -> None:
        active = pipeline.active
        if type(record) is LightRecord:
            name, text, fields = record.told()
            known = _gates.get(name) or _gate(name)
            if text is not None and active.fast(record.levelno, known, text, fields):
                return
            record.complete()
        elif not record.exc_info and not record.stack_info and record.levelno in LEVEL_WORDS:
            plain = record.msg
            event = plain if type(plain) is str and not record.args else text_of(record)
            gate = _gates.get(record.name) or _gate(record.name)
            if (
                event is not None
                and record.name != "asyncio"
                and time.time() - record.created < 1.0  # else it waited: it keeps its own time
                and active.fast(record.levelno, gate, event, extras(record))
            ):
                return
        active.emit(to_record(record))


def _gate(name: str) -> Gate:
    if len(_gates) >= 4096:
        _gates.clear()
    gate = _gates[name] = levels.gate(name)
    return gate


def text_of(record: logging.LogRecord) -> str | None:
    """Return the text of *record*, or `None` where only the long way can tell it."""
    if type(record.msg) is not str:
        return None
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit; the long way tells of it
        return None


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return what ``extra=`` put on *record*."""
    attributes = record.__dict__
    if len(attributes) == _OWN_COUNT:
        return {}
    # what __init__ sets comes first, so what was added is the tail; a subclass may differ
    first = _OWN_COUNT if type(record) is logging.LogRecord else 0
    added = dict(islice(attributes.items(), first, None))
    if _NOT_FIELDS.isdisjoint(added):
        return added
    return {name: value for name, value in added.items() if name not in _NOT_FIELDS}


def to_record(record: logging.LogRecord, *, admitted: bool = False) -> Record:
    """Return *record* as a record of ours."""
    fields = extras(record)
    format_error = None
    event: object
    try:
        if type(record.msg) is dict and not record.args:
            told_fields = {str(name): value for name, value in record.msg.items()}
            event = told_fields.pop("event", None) or told_fields.pop("message", "")
            fields = {**told_fields, **fields}
        else:
            event = record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit, a stranger's __str__
        event, format_error = record.msg, told(error)
        fields.setdefault(
            "args", record.args if isinstance(record.args, Mapping) else [*(record.args or ())]
        )
    is_collectors = record.name == "asyncio" and record.funcName == "default_exception_handler"
    # makeLogRecord() has none
    level: Any = record.levelno
    if not isinstance(level, int):
        level = ERROR
    return Record(
        level,
        record.name or "",
        event,
        fields,
        error=error_of(record.exc_info),
        stack=record.stack_info or _stale_traceback(record),
        context=EMPTY if is_collectors else None,
        time_ns=_time_ns(record),
        level_name=None if level in LEVEL_WORDS else str(record.levelname),
        format_error=format_error,
        admitted=admitted or (level < _gate(record.name or "").own and _own_level_let_in(record)),
        callsite=(record.module, record.funcName or "", record.lineno),
    )


def _stale_traceback(record: logging.LogRecord) -> str | None:
    """Return the text of an exception that came without the exception: sent by another process."""
    return record.exc_text if record.exc_text and not record.exc_info else None


def _time_ns(record: logging.LogRecord) -> int | None:
    """Return when a record was made that waited in a queue; ``None``: just now."""
    clock = pipeline.ready().settings.clock
    if not isinstance(record.created, int | float):  # anyone may have set it
        return None
    made = int(record.created * _SECOND_NS)
    return made if clock is time.time_ns and clock() - made > _SECOND_NS else None


def _own_level_let_in(record: logging.LogRecord) -> bool:
    """Tell whether a level that someone else gave to a logger let *record* in."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.parent is not None:
        if logger.level:
            return logger.name not in applied
        logger = logger.parent
    return False


applied: Final[set[str]] = set()
"""Names of loggers whose level is ours."""

_Logger: Final = logging.Logger
_make_record: Final = _Logger.makeRecord
_handle: Final = _Logger.handle
_call_handlers: Final = _Logger.callHandlers
_ARE_LOGGINGS_OWN: Final = all(
    getattr(one, "__globals__", None) is vars(logging)
    for one in (_make_record, _handle, _call_handlers)
)
"""Whether nobody had wrapped these before us, who would look for whole records in them."""


def make_record(
    self: logging.Logger,
    name: str,
    level: int,
    fn: str,
    lno: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    extra: Mapping[str, object] | None = None,
    sinfo: str | None = None,
) -> logging.LogRecord:
    """Make a record in which names of ``extra`` that clash get a trailing ``_``.

    ``logging`` itself raises ``KeyError`` on them, into the application. A record factory cannot
    help: the names are tested after it (getsentry/sentry#60890). Where only we listen the record
    is a light one.
    """
    if pipeline.active.detour:  # someone configured ``logging`` after us, or this is a new child
        pipeline.active.settle()
    if extra and not _NOT_FIELDS.isdisjoint(extra):
        extra = _apart(extra)
    elif (
        exc_info is None
        and sinfo is None
        and type(msg) is str
        and (extra is None or type(extra) is dict)
        and level in LEVEL_WORDS
        and name != "asyncio"
        and _only_we_listen(self)
    ):
        return LightRecord(name, level, fn, lno, msg, args, func, extra)
    try:
        return _make_record(self, name, level, fn, lno, msg, args, exc_info, func, extra, sinfo)
    except Exception as error:  # noqa: BLE001 - a LogRecord looks at what class its argument has
        health.complain("logging record", error)
        record = logging.LogRecord(name, level, fn, lno, msg, None, exc_info, func, sinfo)
        record.__dict__.update(extra or {})
        return record


def _apart(extra: Mapping[str, object]) -> dict[str, object]:
    """Return *extra* with a trailing ``_`` behind names of a record's own; nothing is lost."""
    apart = {name: value for name, value in extra.items() if name not in _OWN}
    for name in extra:
        if name in _OWN:
            apart[unique_name(f"{name}_", apart)] = extra[name]
    return apart


def _only_we_listen(logger: logging.Logger) -> bool:
    """Tell whether a record of *logger* meets no filter, handler, factory or wrapper but ours."""
    kind = type(logger)
    if (kind is not _Logger and kind is not logging.RootLogger) or logger.filters:
        return False
    is_wrapped = _Logger.callHandlers is not _call_handlers or _Logger.handle is not _handle
    if is_wrapped or _Logger.makeRecord is not make_record or not _ARE_LOGGINGS_OWN:
        return False
    if logging.getLogRecordFactory() is not logging.LogRecord:
        return False
    above: logging.Logger | None = logger
    while above is not None:
        for handler in above.handlers:
            if type(handler) is not BraidHandler or handler.filters:
                return False
        above = above.parent if above.propagate else None
    return True
