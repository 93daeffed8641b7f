"""``logbraid level get`` and ``set``: the level of a running process, through its level file."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from logbraid.cli import options
from logbraid.cli.options import bad_input
from logbraid.cli.output import print_text
from logbraid.level_file import text_of
from logbraid.parsing import parse_level, shown
from logbraid.record import LEVEL_WORDS
from logbraid.settings import Settings


def get(file: options.LevelFile = None) -> None:
    """Show the level that the file says.

    \b
    LOG_LEVEL_FILE=/run/app/level logbraid level get
    """
    path = file_of(file)
    try:
        text = text_of(path)
    except OSError as error:
        raise bad_input(f"cannot read {path}: {error.strerror}") from error
    number = parse_level(text)
    if number is None:
        raise bad_input(f"{path} says {shown(text)}, which is not a level: the process ignores it")
    print_text(LEVEL_WORDS.get(number, str(number)))


def put(
    level: options.LevelArgument,
    file: options.LevelFile = None,
) -> None:
    """Write the level to the file; the running process follows within a second.

    \b
    LOG_LEVEL_FILE=/run/app/level logbraid level set debug
    logbraid level set warning --file /run/app/level

    The process must have been started with the same LOG_LEVEL_FILE.
    """
    number = parse_level(level)
    if number is None:
        raise bad_input(
            f"{shown(level)} is not a level: use debug, info, warning, error, critical or a number"
        )
    path = file_of(file)
    word = LEVEL_WORDS.get(number, str(number))
    try:
        _replace(path.resolve(), f"{word}\n")
    except OSError as error:
        raise bad_input(f"cannot write {path}: {error.strerror}") from error
    print_text(word)


def file_of(given: Path | None) -> Path:
    """Return the level file: as given, else as the settings of the environment have it."""
    path = Settings.from_env().level_file if given is None else given
    if path is None:
        raise bad_input("which file? give --file, or set LOG_LEVEL_FILE as the process has it")
    return path


def _replace(path: Path, text: str) -> None:
    """Write *text* so that whoever reads sees the old one or the new one whole."""
    if path.exists() and not path.is_file():
        raise OSError(0, "it is not a regular file")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    fd, name = tempfile.mkstemp(prefix=".level-", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
