"""Warnings and exceptions that nobody caught, as records.

A hook that someone else had set is called too; Python's own is not: it would print the traceback
a second time, unscrubbed. What a finaliser throws is written without context, because the
garbage collector runs it in whatever task comes along.
"""

from __future__ import annotations

import sys
import threading
import warnings
from types import TracebackType
from typing import Any, TextIO

from logbraid import pipeline
from logbraid.context import EMPTY
from logbraid.record import CRITICAL, ERROR, WARNING

_LOGGER = "logbraid.uncaught"


class Takeover:
    """The four hooks before, and ours in their place."""

    def __init__(self) -> None:
        self._warning = warnings.showwarning
        self._exception = sys.excepthook
        self._thread = threading.excepthook
        self._unraisable = sys.unraisablehook
        self._ours: dict[str, Any] = {
            "warning": self._on_warning,
            "exception": self._on_exception,
            "thread": self._on_thread,
            "unraisable": self._on_unraisable,
        }
        warnings.showwarning = self._ours["warning"]
        sys.excepthook = self._ours["exception"]
        threading.excepthook = self._ours["thread"]
        sys.unraisablehook = self._ours["unraisable"]

    def restore(self) -> None:
        """Put back the hooks that are still ours."""
        if warnings.showwarning is self._ours["warning"]:
            warnings.showwarning = self._warning
        if sys.excepthook is self._ours["exception"]:
            sys.excepthook = self._exception
        if threading.excepthook is self._ours["thread"]:
            threading.excepthook = self._thread
        if sys.unraisablehook is self._ours["unraisable"]:
            sys.unraisablehook = self._unraisable

    def _on_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:  # someone wants it there
            self._warning(message, category, filename, lineno, file, line)
            return
        pipeline.emit(
            WARNING,
            "py.warnings",
            str(message),
            {"category": category.__name__, "filename": filename, "lineno": lineno},
            # a ResourceWarning is a finaliser's
            context=EMPTY if issubclass(category, ResourceWarning) else None,
        )

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, tb: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            # without what it interrupted: that may hold anything, and is printed unscrubbed
            self._exception(kind, KeyboardInterrupt().with_traceback(tb), tb)
            return
        pipeline.emit(CRITICAL, _LOGGER, "uncaught exception", error=error)
        pipeline.ready().flush()
        if self._exception is not sys.__excepthook__:
            self._exception(kind, error, tb)

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else ""
        pipeline.emit(
            ERROR, _LOGGER, "uncaught exception in thread", {"thread": name}, error=args.exc_value
        )
        if self._thread is not threading.__excepthook__:
            self._thread(args)

    def _on_unraisable(self, args: sys.UnraisableHookArgs) -> None:
        where = getattr(args.object, "__qualname__", type(args.object).__name__)
        pipeline.emit(
            ERROR,
            _LOGGER,
            args.err_msg or "exception that could not be raised",
            {"where": where},
            error=args.exc_value,
            context=EMPTY,
        )
        if self._unraisable is not sys.__unraisablehook__:
            self._unraisable(args)
