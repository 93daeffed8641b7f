"""``audited_command``: one line for every run of a command, whatever became of it.

For tools that people and agents call: ``$XDG_DATA_HOME/<tool>/audit.jsonl``, append-only, one JSON
object a run, on disk before the tool ends. Placed under the command's own decorator (click, typer)
or around a ``main``. The file is opened before the command runs: a command that could not be
recorded does not begin.

Not tamper-evident: a tool's user owns the file. ``AuditLog`` is for services.
"""

from __future__ import annotations

import asyncio
import functools
import getpass
import inspect
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar, cast

from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import MODE, sync_data
from logbraid.clock import Stamper
from logbraid.context import bound_context, current_context
from logbraid.encode import encode_line
from logbraid.health import health
from logbraid.ids import new_id
from logbraid.plain.normalise import LOOK_AHEAD, Normaliser
from logbraid.propagation import context_from_env
from logbraid.record import CONTEXT_ORDER
from logbraid.sinks.descriptor import Descriptor, is_torn
from logbraid.sinks.opening import open_file
from logbraid.truncate import truncate_fields

FILE: Final = "audit.jsonl"
MAX_CHARS: Final = 2000
MAX_BYTES: Final = 15_360
_INTERRUPTED: Final = 130
_TOOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def data_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``$XDG_DATA_HOME``, or ``~/.local/share`` where it is not an absolute path."""
    given = environ.get("XDG_DATA_HOME", "")
    return Path(given) if os.path.isabs(given) else Path.home() / ".local" / "share"  # noqa: PTH117 - text


def audited_command(
    tool: str,
    *,
    path: str | os.PathLike[str] | None = None,
    clock: Callable[[], int] = time.time_ns,
    on_error: str = "raise",
) -> Callable[[_Function], _Function]:
    """Return a decorator that records every run of a command of *tool*.

    The line has ``timestamp``, ``tool``, ``command``, ``args``, ``exit_code``, ``duration_ms``,
    ``operator``, ``trace_id``, ``request_id``, and what other ids are bound. Arguments are
    scrubbed as log lines are. While the command runs, ``trace_id`` and ``request_id`` are bound.
    *path* replaces the file in ``$XDG_DATA_HOME``. *on_error*: ``raise`` an ``AuditError``, or
    ``degrade`` to a complaint on standard error.

    ::

        @app.command()
        @audited_command("shopctl")
        def refund(order: str, amount: int = 0) -> None: ...
    """
    if not _TOOL.fullmatch(tool):
        raise AuditInputError(f"the tool's name {tool[:80]!r} cannot be a directory's")
    if on_error not in ("raise", "degrade"):
        raise AuditInputError(f"on_error is {on_error[:80]!r}; use raise or degrade")
    given = None if path is None else Path(path)

    def decorate(function: _Function) -> _Function:
        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Run:
            return _Run(tool, function, args, kwargs, given, clock, on_error)

        if inspect.iscoroutinefunction(function):

            async def acall(*args: Any, **kwargs: Any) -> Any:
                with run(args, kwargs) as one:
                    return one.ended(await function(*args, **kwargs))

            return cast("_Function", functools.update_wrapper(acall, function))

        def call(*args: Any, **kwargs: Any) -> Any:
            with run(args, kwargs) as one:
                return one.ended(function(*args, **kwargs))

        return cast("_Function", functools.update_wrapper(call, function))

    return decorate


class _Run:
    """One run of a command."""

    def __init__(
        self,
        tool: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        path: Path | None,
        clock: Callable[[], int],
        on_error: str,
    ) -> None:
        self._tool = tool
        self._path = data_home() / tool / FILE if path is None else path.absolute()
        self._clock = clock
        self._on_error = on_error
        self._code = 0
        context = _click_context()
        self._in_click = context is not None
        self._command = tool if context is None else str(context.command_path)
        self._args = _arguments(function, args, kwargs)

    def __enter__(self) -> Self:
        context, outer = current_context(), context_from_env(os.environ)
        self._ids = {**outer, **context.to_dict()}
        self._ids.setdefault("request_id", new_id())
        self._ids.setdefault("trace_id", new_id())
        self._began = self._clock()
        self._started = time.monotonic()
        self._guarded(lambda: os.close(self._opened()))
        self._taken_over = _handled(self._killed)
        self._bound = bound_context(
            trace_id=self._ids["trace_id"], request_id=self._ids["request_id"]
        )
        self._bound.__enter__()
        return self

    def ended(self, result: Any) -> Any:
        """Note what the function returned: the exit code where a ``main`` says it."""
        if type(result) is int and not self._in_click:
            self._code = result
        return result

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bound.__exit__(None, None, None)
        for number in self._taken_over:
            signal.signal(number, signal.SIG_DFL)
        try:
            self._record(0 if error is None else exit_code_of(error), error)
        except AuditError as failure:
            if error is None or (isinstance(error, SystemExit) and not error.code):
                raise
            error.add_note(f"and the audit line of this run was not written: {failure}")

    def _killed(self, number: int, _: FrameType | None) -> None:
        """Write the line of a run that a signal ends, and let it end the run."""
        try:
            self._record(128 + number, None)
        finally:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _record(self, code: int, error: BaseException | None) -> None:
        self._guarded(lambda: self._write(self._line(code or self._code, error)))

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            if self._on_error == "degrade":
                health.complain("audit of commands", error)
                return
            raise AuditError(
                f"the run cannot be recorded: {type(error).__name__} (errno {error.errno})"
            ) from error

    def _line(self, code: int, error: BaseException | None) -> bytes:
        from logbraid.scrub import Scrubber  # noqa: PLC0415 - its patterns cost an import 60 ms

        told: dict[str, Any] = {
            "timestamp": Stamper().stamp(self._began),
            "tool": self._tool,
            "command": self._command,
            "args": self._args,
            "exit_code": code & 0xFF,
            "duration_ms": round((time.monotonic() - self._started) * 1000, 3),
            "operator": _operator(),
        }
        ids = [name for name in ("trace_id", *CONTEXT_ORDER) if name in self._ids]
        told |= {name: self._ids[name] for name in ids}
        if error is not None and not isinstance(error, SystemExit):
            told["error_type"] = type(error).__name__
        counts: dict[str, int] = {}
        notes: dict[str, int] = {}
        plain = Normaliser(max_summary_chars=MAX_CHARS).fields(told, notes)
        plain = Scrubber(window=MAX_CHARS + LOOK_AHEAD).scrub_fields(plain, counts)
        plain = truncate_fields(plain, notes, max_summary_chars=MAX_CHARS, limits={})
        record: dict[str, Any] = dict(plain)
        if notes:
            record["truncated"] = notes
        if counts:
            record["scrubbed"] = counts
        return encode_line(record, max_line_bytes=MAX_BYTES, notes=notes)

    def _opened(self) -> int:
        folder = self._path.parent
        return open_file(str(folder.parent), folder.name, self._path.name, MODE)

    def _write(self, line: bytes) -> None:
        fd = self._opened()
        try:
            descriptor = Descriptor(fd)
            descriptor.torn = is_torn(fd)
            descriptor.write(line)
            sync_data(fd)
        finally:
            os.close(fd)


def exit_code_of(error: BaseException) -> int:
    """Return the code with which *error* ends a command: as Python, click and typer do it."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        return int(error.code) if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        command = getattr(_click_context(), "command", None)
        # click ends with 1 where everybody else, typer too, ends with 130
        return 1 if type(command).__module__.startswith("click.") else _INTERRUPTED
    code = getattr(error, "exit_code", 1)  # click's and typer's own
    return code if type(code) is int else 1


def _handled(handler: Callable[[int, FrameType | None], None]) -> list[int]:
    """Handle the signals that end a process unasked, where nobody else does; return which."""
    if threading.current_thread() is not threading.main_thread():
        return []
    names = ("SIGTERM", "SIGHUP")
    free = [number for name in names if (number := getattr(signal, name, None)) is not None
            and signal.getsignal(number) is signal.SIG_DFL]  # fmt: skip
    for number in free:
        signal.signal(number, handler)
    return free


def _click_context() -> Any:
    """Return click's context of this command, or of the copy of click that typer may carry."""
    for name in ("click", "typer._click.globals"):
        module: Any = sys.modules.get(name)
        current = getattr(module, "get_current_context", None)
        context = None if current is None else current(silent=True)
        if context is not None:
            return context
    return None


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | Sequence[str]:
    """Return the parameters by name, or the command line where a ``main`` reads it itself."""
    if not kwargs and (not args or args == (None,)):
        names = inspect.signature(function).parameters
        return sys.argv[1:] if _click_context() is None and set(names) <= {"argv", "args"} else {}
    if not kwargs and len(args) == 1 and isinstance(args[0], list | tuple):
        return [str(one) for one in args[0]]
    try:
        given = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except TypeError:
        given = {**{str(place): one for place, one in enumerate(args)}, **kwargs}
    context = _click_context()
    return {name: one for name, one in given.items() if one is not context or context is None}


def _operator() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""
