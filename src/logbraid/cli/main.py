"""Start the command and end it well: exit codes, no traceback, quiet when a reader goes away.

Exit codes: 0 done; 1 the answer is bad news (``check``, ``audit verify``), or something failed on
the way; 2 bad input; 130 interrupted.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from typing import Any, Final

from logbraid.cli.notices import complain
from logbraid.errors import LogbraidError

DONE: Final = 0
BAD_NEWS: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
_NEEDED: Final = ("typer", "rich")
_RECURSION: Final = 10_000  # what orjson reads, 1024 levels, can then also be shown


def main(arguments: list[str] | None = None) -> int:
    """Run the command with *arguments*, or those of the process; return its exit code."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        complain(f"{' and '.join(missing)} not installed: pip install 'logbraid[cli]'")
        return BAD_INPUT
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        code = _run(arguments)
        _flush()
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("LOGBRAID_TRACEBACK"):
            raise
        return _failed(error)
    finally:
        sys.setrecursionlimit(before)
    return code


def _failed(error: Exception) -> int:
    """Tell what went wrong, never as a traceback; return the exit code."""
    if isinstance(error, LogbraidError):
        complain(str(error))
        # What was given cannot be used, or something that could be used failed
        return BAD_INPUT if isinstance(error, ValueError | LookupError) else BAD_NEWS
    if isinstance(error, OSError):
        complain(_told(error))
        _drop_output()  # a full disk would fail once more at exit, with code 120
    else:  # a mistake of ours: its text may hold what stood in a line
        complain(f"something went wrong in logbraid itself: {type(error).__name__}")
    return BAD_NEWS


def _run(arguments: list[str] | None) -> int:
    from logbraid.cli.app import app  # noqa: PLC0415 - typer may be missing
    from logbraid.cli.output import ReaderLeftError  # noqa: PLC0415 - likewise

    try:
        done: Any = app(arguments, prog_name="logbraid", standalone_mode=False)
    except (OSError, LogbraidError):
        raise
    except ReaderLeftError as error:
        raise BrokenPipeError from error
    except Exception as error:
        # Typer's own complaints know how to show themselves; their classes are not public
        show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if callable(show) and isinstance(code, int):
            show()
            return code
        if type(error).__name__ == "Abort":
            return INTERRUPTED
        raise
    return done if isinstance(done, int) else DONE


def _told(error: OSError) -> str:
    what = f"{error.filename}: " if error.filename else ""
    return f"{what}{error.strerror or error}"


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _reader_left() -> int:
    """End quietly: what was asked for was enough."""
    _drop_output()
    return DONE


def _drop_output() -> None:
    """Let nothing be left to be flushed at exit, if that fails again."""
    try:
        _flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
