"""The programs that are compared, each as its own documentation sets it up.

What makes them neighbours without disturbing each other in one process:

* Each binds the five ids in its own ``contextvars.Context``, in its library's own way.
* structlog's context variables are bound in the Contexts of the programs that use them; then the
  list that structlog keeps of all names ever bound is emptied. ``merge_contextvars`` does not
  read that list, so those programs do all their work. logbraid does read it, and so finds a
  process in which nobody bound anything with structlog, as in a service that uses its own.
* Loggers of the peers stand apart from ``logging``'s tree and from loguru's global logger, with
  ``makeRecord`` as ``logging`` has it: what logbraid takes over, they do not pay for.
* All write one line per record to the same file, opened once for each, without a buffer.

logfire imports OpenTelemetry, which would cost every other program something: its comparison
runs in a process of its own (``beside_logfire.py``).
"""

from __future__ import annotations

import atexit
import contextvars
import datetime as dt
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import by_hand
import loguru
import orjson
import structlog
from interleave import Program
from loguru._logger import Core
from loguru._logger import Logger as LoguruLogger
from pythonjsonlogger.orjson import OrjsonFormatter
from structlog.stdlib import ProcessorFormatter
from work import IDS, LOGGER, Info, Work

import logbraid
from logbraid.integrations.json_logger import TracingJsonFormatter

BARE: Final = "bare structlog"
OURS: Final = "logbraid, structlog"
JSON_LOGGER: Final = "python-json-logger, orjson"
OUR_FORMATTER: Final = "logbraid, python-json-logger formatter"

_make_record = logging.Logger.makeRecord  # before logbraid puts its own in place


@dataclass(frozen=True, slots=True)
class Peer:
    """One logger: what is called, in which manner, and the Context in which its ids are bound."""

    name: str
    manner: str
    info: Info
    context: Context

    def program(self, work: Work, *, least: int = 5) -> Program:
        """Return the program that does *work* with this logger."""
        return Program(
            self.name,
            partial(work.batch, self.manner),
            partial(work.driver(self.manner), self.info),
            self.context,
            least=least,
        )


@contextmanager
def configured(path: str, **changes: Any) -> Iterator[logbraid.LoggingHandle]:
    """Configure logbraid with *path* as its standard output."""
    stream = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    before, sys.stdout = sys.stdout, stream
    try:
        handle = logbraid.configure_logging(**{"format": "json", "level": "info", **changes})
    finally:
        sys.stdout = before
    # The first record looks around: before there are handlers that it would speak about
    logbraid.get_logger(LOGGER).info("ready")
    try:
        yield handle
    finally:
        handle.close()
        stream.close()


def bound(bind: Callable[[], object]) -> Context:
    """Return a new Context in which *bind* was called, and nothing else."""
    context = Context()
    context.run(bind)
    registry = getattr(structlog.contextvars, "_CONTEXT_VARS", None)
    if registry is not None:
        registry.clear()
    return context


def entered(manager: AbstractContextManager[object]) -> Context:
    """Return a new Context in which *manager* was entered; it is left when the process ends."""
    context = bound(manager.__enter__)
    atexit.register(context.run, manager.__exit__, None, None, None)
    return context


def bound_by_structlog() -> Context:
    """Return a Context with the ids bound as structlog's documentation does it."""
    return bound(lambda: structlog.contextvars.bind_contextvars(**IDS))


def bound_by_us() -> Context:
    """Return a Context with the ids bound by logbraid."""
    return bound(lambda: logbraid.bind_context(**IDS))


# -- ours ----------------------------------------------------------------------------------


def ours() -> list[Peer]:
    """Return logbraid behind its front ends, which write where it was configured to."""
    return [
        Peer(OURS, "keywords", logbraid.get_logger(LOGGER).info, bound_by_us()),
        Peer("logbraid, logging", "extra", logging.getLogger(LOGGER).info, bound_by_us()),
        Peer("logbraid, loguru", "keywords", loguru.logger.info, bound_by_us()),
    ]


def our_formatter(path: str) -> Peer:
    """Return our formatter in a handler that is not ours."""
    logger = _apart(DescriptorHandler(path, TracingJsonFormatter()))
    return Peer(OUR_FORMATTER, "extra", logger.info, bound_by_us())


# -- the others ----------------------------------------------------------------------------


def limit(path: str) -> Peer:
    """Return what nothing can be faster than: a ready dict, encoded and written."""
    fd = _opened(path)

    def write(fields: dict[str, Any]) -> None:
        os.write(fd, orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE))

    return Peer("limit", "ready", write, Context())


def bare(path: str) -> Peer:
    """Return structlog as its documentation recommends for production."""
    return Peer(BARE, "keywords", bare_logger(path).info, bound_by_structlog())


def bare_logger(path: str) -> Any:
    """Return bare's own logger."""
    return _chain(path, [structlog.processors.format_exc_info])


def scrubbed_by_hand(path: str) -> Peer:
    """Return bare with one more processor: patterns that someone collected."""
    logger = _chain(path, [structlog.processors.format_exc_info, by_hand.scrub])
    return Peer("structlog, scrub by hand", "keywords", logger.info, bound_by_structlog())


def _chain(path: str, steps: list[Any]) -> Any:
    stream = Path(path).open("ab", buffering=0)  # noqa: SIM115 - open as long as the process lives
    return structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *steps,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
    ).bind(logger=LOGGER)


def processor_formatter(path: str) -> Peer:
    """Return structlog whose records go through ``logging`` and are rendered there."""
    formatter = ProcessorFormatter(
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(
                serializer=lambda fields, **_: orjson.dumps(fields).decode()
            ),
        ]
    )
    logger = structlog.wrap_logger(
        _apart(DescriptorHandler(path, formatter)),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
    ).bind()
    return Peer("structlog, ProcessorFormatter", "keywords", logger.info, bound_by_structlog())


def json_logger(path: str) -> Peer:
    """Return python-json-logger with its own orjson formatter."""
    formatter = OrjsonFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger", "message": "event"},
        timestamp=True,
    )
    handler = DescriptorHandler(path, formatter)
    handler.addFilter(_add_ids)
    logger = _apart(handler)
    return Peer(JSON_LOGGER, "extra", logger.info, bound(lambda: _ids.set(IDS)))


def loguru_orjson(path: str) -> Peer:
    """Return loguru with a sink of one's own that encodes by orjson."""
    fd = _opened(path)

    def sink(message: Any) -> None:
        record = message.record
        fields = {
            "timestamp": record["time"].astimezone(dt.UTC).isoformat(),
            "level": record["level"].name.lower(),
            "logger": record["name"],
            "event": record["message"],
            **record["extra"],
        }
        os.write(fd, orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE))

    return _loguru_peer("loguru, own orjson sink", sink, format="{message}")


def loguru_serialize(path: str) -> Peer:
    """Return loguru with ``serialize=True``."""
    stream = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    return _loguru_peer("loguru, serialize", stream, serialize=True)


def _loguru_peer(name: str, sink: Any, **options: Any) -> Peer:
    # As loguru makes its own, whose core logbraid takes over
    core_of_its_own: Any = Core
    make: Any = LoguruLogger
    logger = make(
        core=core_of_its_own(),
        exception=None,
        depth=0,
        record=False,
        lazy=False,
        colors=False,
        raw=False,
        capture=True,
        patchers=[],
        extra={},
    )
    logger.add(sink, level="INFO", **options)
    return Peer(name, "keywords", logger.info, entered(logger.contextualize(**IDS)))


_ids: ContextVar[dict[str, str]] = contextvars.ContextVar("ids")


def _add_ids(record: logging.LogRecord) -> bool:
    record.__dict__.update(_ids.get())
    return True


class DescriptorHandler(logging.Handler):
    """A handler of ``logging`` that writes each line straight to a descriptor."""

    def __init__(self, path: str, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._fd = _opened(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of *record*."""
        try:
            os.write(self._fd, (self.format(record) + "\n").encode())
        except Exception:  # noqa: BLE001 - every handler of logging does so
            self.handleError(record)


class _Apart(logging.Logger):
    """A logger outside of ``logging``'s tree, as if logbraid were not there."""

    makeRecord = _make_record  # noqa: N815 - the spelling of logging


def _apart(handler: logging.Handler) -> logging.Logger:
    """Return a logger two levels below a root of its own that has *handler*."""
    root, middle, logger = (_Apart(name, logging.NOTSET) for name in ("root", "app", LOGGER))
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    middle.parent, logger.parent = root, middle
    return logger


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND)


def others(path: str) -> list[Peer]:
    """Return everybody else but the limit, bare and logfire."""
    makers = (
        json_logger,
        loguru_orjson,
        processor_formatter,
        loguru_serialize,
        scrubbed_by_hand,
    )
    return [make(path) for make in makers]
