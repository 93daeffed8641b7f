"""From what people write to what we store: one small parser for each kind of setting.

A parser takes an argument or the text of an environment variable, which follow the same rules,
and returns the stored form; what it returned it takes again. What it cannot use raises
``UnusableError``, whose text is the advice: the second half of ``format is 'jsn'; use auto,
terminal or json``. Which setting has which parser stands in the table of ``settings.py``.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from logbraid.ids import MAX_ID_CHARS, is_usable

Parser = Callable[[object], Any]

SHOWN_CHARS: Final = 80
_LEVEL_NUMBERS: Final = {
    "notset": 0,
    "trace": 5,
    "debug": 10,
    "info": 20,
    "success": 25,
    "warn": 30,
    "warning": 30,
    "error": 40,
    "exception": 40,
    "critical": 50,
    "fatal": 50,
}
_HIGHEST_LEVEL: Final = 1_000_000
_LEVEL_ADVICE: Final = "trace, debug, info, warning, error, critical or a number"
_SWITCH_WORDS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_UNITS: Final = {
    **dict.fromkeys(("", "b"), 1),
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    **dict.fromkeys(("k", "kib"), 1024),
    **dict.fromkeys(("m", "mib"), 1024**2),
    **dict.fromkeys(("g", "gib"), 1024**3),
}
_SIZE: Final = re.compile(r"([0-9]{1,15})\s*([a-z]*)")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_OCTAL: Final = re.compile(r"(?:0o)?([0-7]{1,4})")
_OWNER_READS_AND_WRITES: Final = 0o600
# Whoever swaps two arguments or variables must not find the password in the error
_MAYBE_SECRET: Final = re.compile(
    r"(?i)://|[@=]|[a-z0-9+/_.-]{24}|bearer|basic |passw|secret|token|key"
)


class UnusableError(ValueError):
    """A value that a setting cannot hold; the text says what to use instead."""


def shown(value: object) -> str:
    """Return *value* for a message: at most 80 characters of it, or its type alone.

    Only words and numbers are shown. A text that might be or hold a secret is told by its length,
    and no stranger's ``repr`` is called.
    """
    if value is None or type(value) is bool:
        return repr(value)
    if isinstance(value, str):
        if _MAYBE_SECRET.search(value):
            return f"a text of {len(value)} characters"
        text = repr(str.__str__(value))
        return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 3]}..."
    if type(value) in (int, float):
        return repr(value) if abs(value) < 1e21 else "a number too large to show"  # type: ignore[arg-type]  # narrowed by the exact types above
    name = type(value).__name__[: SHOWN_CHARS - 20]
    return f"an object of type {name}"


def parse_level(value: object) -> int | None:
    """Return the number of the level *value*, a word in any case or a number; else ``None``.

    The words are those of ``logging``, structlog and loguru; numbers may be text, 0 to 1,000,000.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _LEVEL_NUMBERS:
            return _LEVEL_NUMBERS[word]
        if not (word.isascii() and word.isdecimal() and len(word) <= 7):
            return None
        value = int(word)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return int(value) if 0 <= value <= _HIGHEST_LEVEL else None


def level(value: object) -> int:
    """Parse a level that has to be one."""
    number = parse_level(value)
    if number is None:
        raise UnusableError(f"use {_LEVEL_ADVICE}")
    return number


def levels(value: object) -> dict[str, int]:
    """Parse levels by the name of a logger."""
    found = {}
    for name, word in pairs(value, "level").items():
        number = parse_level(word)
        if number is None:
            raise UnusableError(f"the level of {shown(name)} is unknown: use {_LEVEL_ADVICE}")
        found[name] = number
    return found


def fields(value: object) -> dict[str, str]:
    """Parse fields that every line gets: text by name."""
    found = {}
    for name, text in pairs(value, "value").items():
        if not isinstance(text, str):
            raise UnusableError(f"the value of {shown(name)} is {_a_type(text)}: use text")
        found[name] = str.__str__(text)  # of a subclass, its characters
    return found


def pairs(value: object, what: str) -> dict[str, Any]:
    """Parse ``name=what,name=what``, or a mapping with names that are text."""
    advice = f"use name={what},name={what} or a mapping"
    if isinstance(value, str):
        return dict(_written_pairs(value, advice))
    if not isinstance(value, Mapping):
        raise UnusableError(advice)
    found = dict(value)
    if not all(isinstance(name, str) and name.strip() for name in found):
        raise UnusableError(f"{advice}; names are text and not empty")
    return found


def _written_pairs(text: str, advice: str) -> Iterator[tuple[str, str]]:
    items = [item.strip() for item in text.split(",")]
    for position, item in enumerate(items, start=1):
        if not item:
            continue  # a trailing comma, or a line of a compose file left empty
        name, sign, rest = (part.strip() for part in item.partition("="))
        if not (name and sign and rest):
            raise UnusableError(f"{advice}; item {position} has no name, no = or nothing after it")
        yield name, rest


def words(*known: str) -> Parser:
    """Return a parser of one word among *known*, in any case."""

    def parse(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else None
        if word not in known:
            raise UnusableError(f"use {listed(known)}")
        return word

    return parse


def outputs(*known: str) -> Parser:
    """Return a parser of several words among *known*: with commas, or a sequence; each once."""
    one = words(*known)

    def parse(value: object) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, Sequence) or isinstance(items, bytes | bytearray):
            raise UnusableError(f"use {listed(known)}, or several of them")
        try:
            return tuple(dict.fromkeys(one(item) for item in items))
        except UnusableError as error:
            raise UnusableError(f"{error}, several with commas or as a sequence") from None

    return parse


def listed(known: Sequence[str]) -> str:
    """Return ``a, b or c``."""
    return f"{', '.join(known[:-1])} or {known[-1]}" if len(known) > 1 else known[0]


def whole(low: int, high: int) -> Parser:
    """Return a parser of a whole number from *low* to *high*."""
    return _ranged(_whole_number, low, high, "a whole number")


def size(low: int, high: int) -> Parser:
    """Return a parser of bytes, as a number or as text like ``8MiB``, from *low* to *high*."""
    return _ranged(_byte_number, low, high, "a number of bytes, or text such as 64KiB or 8MiB,")


def _ranged(number_of: Callable[[object], int | None], low: int, high: int, what: str) -> Parser:
    def parse(value: object) -> int:
        number = number_of(value)
        if number is None or not low <= number <= high:
            raise UnusableError(f"use {what} from {low} to {high}")
        return number

    return parse


def _whole_number(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        usable = text.isascii() and text.isdecimal() and len(text) <= 18
        return int(text) if usable else None
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _byte_number(value: object) -> int | None:
    if not isinstance(value, str):
        return _whole_number(value)
    match = _SIZE.fullmatch(value.strip().lower())
    if match is None or match[2] not in _UNITS:
        return None
    return int(match[1]) * _UNITS[match[2]]


def switch(value: object) -> bool:
    """Parse on or off."""
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, int) and word in (0, 1):
        return bool(word)
    if isinstance(word, str) and word in _SWITCH_WORDS:
        return _SWITCH_WORDS[word]
    raise UnusableError("use on or off, true or false, yes or no, 1 or 0")


def file_mode(value: object) -> int:
    """Parse a file's mode: octal text, or the number itself (``0o640``)."""
    number = value
    if isinstance(value, str):
        match = _OCTAL.fullmatch(value.strip().lower())
        number = int(match[1], 8) if match else None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 0o777:
        raise UnusableError("use octal text such as '0640', or 0o640")
    if number & _OWNER_READS_AND_WRITES != _OWNER_READS_AND_WRITES:
        raise UnusableError("use a mode with which its owner may read and write, such as '0600'")
    return int(number)


def path(value: object) -> Path:
    """Parse a path, make it absolute and put the home directory for a leading ``~``."""
    if not isinstance(value, str | os.PathLike):
        raise UnusableError("use a path")
    text = os.fspath(value)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise UnusableError("use a path that is text, not empty and without NUL")
    try:
        found = Path(text).expanduser()
    except RuntimeError:
        raise UnusableError("there is no such home directory: use an absolute path") from None
    try:
        return found.absolute()
    except OSError:
        return found  # the working directory is gone: nobody who writes no files needs to care


def text(value: object) -> str:
    """Parse text that is not empty and has no characters that could hide or forge."""
    if not isinstance(value, str) or not value.strip() or not is_usable(value):
        raise UnusableError("use text that is not empty and has no control characters")
    return value.strip()


def tenant(value: object) -> str:
    """Parse text that can be an id."""
    found = text(value)
    if len(found) > MAX_ID_CHARS:
        raise UnusableError(f"use at most {MAX_ID_CHARS} characters")
    return found


def instance(value: object) -> str:
    """Parse what stands in a file's name between the day and ``.jsonl``."""
    if not isinstance(value, str) or not _INSTANCE.fullmatch(value.strip()):
        raise UnusableError("use 1 to 64 letters, digits, _ or -")
    return value.strip()


def optional(parse: Parser) -> Parser:
    """Return *parse*, which then takes ``None`` too."""
    return lambda value: None if value is None else parse(value)


def function(value: object) -> Callable[..., Any]:
    """Parse a callable that answers at once."""
    if not callable(value):
        raise UnusableError("use a callable")
    if inspect.iscoroutinefunction(value):
        raise UnusableError("use a plain function: nobody awaits an async one here")
    return value


def provider(value: object) -> object:
    """Parse a context provider; a mapping comes first, since a registry is callable too."""
    return value if isinstance(value, Mapping) else function(value)


def several(parse: Parser, what: str) -> Parser:
    """Return a parser of a sequence of what *parse* takes, called *what* in messages."""

    def parse_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
            raise UnusableError(f"use a sequence of {what}")
        found = []
        for position, item in enumerate(value):
            try:
                found.append(parse(item))
            except UnusableError as error:
                raise UnusableError(f"item {position} is {_a_type(item)}: {error}") from None
        return tuple(found)

    return parse_all


def flag(what: str, value: object) -> bool:
    """Parse ``True`` or ``False`` themselves; *what* is said of a problem."""
    if not isinstance(value, bool):
        raise UnusableError(f"{what}: use True or False")
    return value


def names(what: str, value: object) -> tuple[str, ...]:
    """Parse names of fields, as a sequence or a set; *what* is said of a problem."""
    if not isinstance(value, Sequence | AbstractSet) or isinstance(value, str | bytes | bytearray):
        raise UnusableError(f"{what}: use a sequence of names")
    if not all(isinstance(name, str) and name.strip() for name in value):
        raise UnusableError(f"{what}: use names that are text and not empty")
    return tuple(value)


def patterns(value: object) -> dict[str, str | re.Pattern[str]]:
    """Parse patterns by the kind of secret they find; none is ever shown."""
    if not isinstance(value, Mapping):
        raise UnusableError("patterns: use a mapping of a kind to a pattern")
    for kind, pattern in value.items():
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise UnusableError("patterns: use kinds of letters, digits and _, such as order_code")
        problem = _pattern_problem(pattern)
        if problem is not None:
            raise UnusableError(f"patterns: the one of {shown(kind)} {problem}; use another")
    return dict(value)


def _pattern_problem(pattern: object) -> str | None:
    if isinstance(pattern, str):
        try:
            pattern = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            return f"does not compile ({type(error).__name__})"
    if not isinstance(pattern, re.Pattern) or not isinstance(pattern.pattern, str):
        return f"is {_a_type(pattern)}, neither text nor a compiled pattern of text"
    if pattern.search("") is not None:
        return "matches the empty text, and so everywhere"
    return None


def _a_type(value: object) -> str:
    return f"an object of type {type(value).__name__}"
