"""What is taken over of ``logging``: its standard-stream handlers, its levels, its records.

Handlers that write elsewhere stay, untouched, and are named once: what they get is not scrubbed.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, Final

from logbraid import pipeline
from logbraid.health import health
from logbraid.integrations.stdlib import BraidHandler, applied, make_record
from logbraid.level import NOISY, levels
from logbraid.record import DEBUG, INFO

_STANDARD: Final = (1, 2)
_MOST_TOLD: Final = 20


def is_ours(handler: logging.Handler) -> bool:
    """Tell whether *handler* is ours, writes nothing, or only listens for a test."""
    if isinstance(handler, BraidHandler | logging.NullHandler):
        return True
    return type(handler).__module__.startswith("_pytest")


def foreign_loggers() -> dict[str, list[logging.Handler]]:
    """Return the loggers that have handlers of their own which are not ours (root is ``root``)."""
    found = {}
    for logger in known_loggers():
        handlers = [handler for handler in logger.handlers if not is_ours(handler)]
        if handlers:
            found[logger.name] = handlers
    return found


def bypassing_loggers() -> dict[str, list[logging.Handler]]:
    """Return the loggers with handlers whose output no one scrubs: not ``handlers.py``'s."""
    found = {}
    for name, handlers in foreign_loggers().items():
        bypassing = [one for one in handlers if not (_is_made_here(one) or _is_formatted_here(one))]
        if bypassing:
            found[name] = bypassing
    return found


def _is_made_here(one: object) -> bool:
    return any(kind.__module__.partition(".")[0] == "logbraid" for kind in type(one).__mro__)


def _is_formatted_here(handler: logging.Handler) -> bool:
    return _is_made_here(handler.formatter)


def known_loggers() -> list[logging.Logger]:
    """Return root and every logger that exists."""
    root = logging.getLogger()
    others = [
        one for one in list(root.manager.loggerDict.values()) if isinstance(one, logging.Logger)
    ]
    return [root, *others]


class LevelKeeper:
    """Give ``logging`` the levels that are in force, and back what it had before.

    A logger that someone gave a level keeps it, except where it is named in our levels.
    """

    def __init__(self) -> None:
        self._root_before = logging.getLogger().level
        self._root_given = self._root_before
        self._before: dict[str, int] = {}
        self._given: dict[str, int] = {}

    def apply(self) -> None:
        """Bring every level in line with ``levels``."""
        root = logging.getLogger()
        foreign = foreign_loggers()
        if levels.is_buffering and foreign:
            text = f"debug_buffer keeps nothing of {', '.join(sorted(foreign))}: strangers listen"
            health.tell_once(text, text)
        self._root_given = levels.root
        if levels.is_open and "root" not in foreign:
            self._root_given = min(levels.root, DEBUG)
        pinned = {*foreign} - {"root"} if self._root_given != levels.root else set()
        quiet = set(NOISY) if self._root_given < INFO else set()
        wanted = {*levels.named, *quiet, *pinned}
        for name in [name for name in self._before if name not in wanted]:
            self._put_back(name)
        applied.clear()
        for name in sorted(wanted):
            logger = logging.getLogger(name)
            is_unset = logger.level in (logging.NOTSET, self._given.get(name))
            if name in levels.named or is_unset:
                self._before.setdefault(name, logger.level)
                applied.add(name)
                own = levels.effective(name)
                is_open = levels.is_open and name not in foreign and "root" not in foreign
                self._given[name] = min(own, DEBUG) if is_open and name in levels.named else own
                logger.setLevel(self._given[name])
        root.setLevel(self._root_given)

    def _put_back(self, name: str) -> None:
        """Give the logger *name* its level from before, unless someone changed it since."""
        logger = logging.getLogger(name)
        before, given = self._before.pop(name), self._given.pop(name)
        if logger.level == given:
            logger.setLevel(before)

    def restore(self) -> None:
        """Put back the levels that are still as we set them."""
        root = logging.getLogger()
        if root.level == self._root_given:
            root.setLevel(self._root_before)
        for name in list(self._before):
            self._put_back(name)
        applied.clear()


_add_handler: Final = logging.Logger.addHandler


def add_handler(self: logging.Logger, hdlr: logging.Handler) -> None:
    """Add a handler; a stranger's must not hear the debug records that are kept until an error."""
    _add_handler(self, hdlr)
    if levels.is_buffering and not is_ours(hdlr):
        levels.look_again()


class Takeover:
    """What ``logging`` had before, and our handler in its place."""

    def __init__(self) -> None:
        self._handler = BraidHandler()
        self._removed: list[tuple[logging.Logger, logging.Handler]] = []
        self._propagated: list[logging.Logger] = []
        self.mended: list[str] = []
        """Handlers that came after us and were taken off, as ``logger (class)``."""
        self._levels = LevelKeeper()
        self._class_method = logging.Logger.makeRecord
        logging.Logger.makeRecord = make_record  # type: ignore[method-assign]  # see make_record
        logging.Logger.addHandler = add_handler  # type: ignore[method-assign]  # see add_handler
        # Warnings of loggers that someone muted would go to stderr by it, unscrubbed
        self._last_resort = logging.lastResort
        self._in_its_place = BraidHandler()
        self._in_its_place.setLevel(logging.WARNING)
        logging.lastResort = self._in_its_place
        self.check()
        self.mended.clear()

    def check(self) -> None:
        """Take over what came since: a server that configured ``logging`` after us."""
        root = logging.getLogger()
        for logger in known_loggers():
            self._take(logger)
        if self._handler not in root.handlers:
            root.addHandler(self._handler)
        self.apply()
        shown = pipeline.ready().name
        names = [
            f"{shown(name, {})} ({', '.join(type(handler).__name__ for handler in handlers)})"
            for name, handlers in bypassing_loggers().items()
        ]
        if names:
            text = f"unscrubbed handlers: {'; '.join(names)}; what they write is not ours"
            health.tell_once(text, text)

    def _take(self, logger: logging.Logger) -> None:
        ours = [handler for handler in logger.handlers if writes_to_standard_stream(handler)]
        for handler in ours:
            logger.removeHandler(handler)
            self._removed.append((logger, handler))
            if len(self.mended) < _MOST_TOLD:
                self.mended.append(f"{logger.name} ({type(handler).__name__})")
        if not logger.propagate and ours:
            logger.propagate = True
            self._propagated.append(logger)

    def apply(self) -> None:
        """Give ``logging`` the levels in force."""
        self._levels.apply()

    @property
    def is_in_place(self) -> bool:
        """Whether our handler is still on the root logger."""
        return self._handler in logging.getLogger().handlers

    def restore(self) -> None:
        """Put back what is still ours to put back."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        for logger in self._propagated:
            logger.propagate = False
        for logger, handler in self._removed:
            if handler not in logger.handlers:
                logger.addHandler(handler)
        self._levels.restore()
        if logging.lastResort is self._in_its_place:
            logging.lastResort = self._last_resort
        if logging.Logger.makeRecord is make_record:
            logging.Logger.makeRecord = self._class_method  # type: ignore[method-assign]  # as it was
        if logging.Logger.addHandler is add_handler:
            logging.Logger.addHandler = _add_handler  # type: ignore[method-assign]  # as it was


def writes_to_standard_stream(handler: logging.Handler) -> bool:
    """Tell whether *handler* writes to standard output or standard error of this process."""
    if is_ours(handler):
        return False
    with contextlib.suppress(Exception):  # a handler and a stream of anyone's; then not ours
        stream: Any = getattr(handler, "stream", None)
        if stream is None:  # rich's handler writes to a console of its own
            stream = getattr(getattr(handler, "console", None), "file", None)
        standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        if stream is None or any(stream is one for one in standard):
            return stream is not None
        return stream.fileno() in _STANDARD
    return False
