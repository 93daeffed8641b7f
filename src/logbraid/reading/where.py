"""Conditions on fields: ``duration_ms > 500 and status != ok``.

::

    condition  = all, { "or", all }
    all        = one, { "and", one }
    one        = "not", one | "(", condition, ")" | field, operator, value
    operator   = "=" | "==" | "!=" | "<>" | ">" | ">=" | "<" | "<=" | "~" | "!~"
    value      = number | true | false | null | word | 'text' | "text"

``~`` looks for a regular expression. A field may be nested: ``arguments.customer``. A record
without the field fits no condition on it except ``= null``.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from logbraid.parsing import SHOWN_CHARS
from logbraid.reading.errors import QuestionError
from logbraid.settings import ScrubRules

Test = Callable[[dict[str, Any]], bool]

_token = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>==|!=|<>|>=|<=|!~|[=<>~()])"""
    r"""|(?P<word>[^\s=<>~!()"']+))"""
).match
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_EQUAL: Final = frozenset({"=", "=="})
_UNEQUAL: Final = frozenset({"!=", "<>"})
_SIGNS: Final = frozenset({*_ORDER, *_EQUAL, *_UNEQUAL, "~", "!~"})
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_DEEPEST: Final = 50
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]+").fullmatch  # no quote, no backslash
_ADVICE: Final = "write for example 'duration_ms > 500', 'status != ok', 'event ~ \"^tool_\"'"


@dataclass(frozen=True, slots=True)
class Where:
    """A condition: ``fits`` asks it of a record, ``literals`` stand in the line of all that fit."""

    text: str
    fits: Test
    literals: tuple[bytes, ...] = ()


def literal_of(value: str) -> tuple[bytes, ...]:
    """Return what stands in the line of a record that has the text *value*, if that is sure."""
    if not _PLAIN(value):
        return ()
    # Without its quotes: what looks like a number may stand there as one, and bytes that end in
    # a quote are found in 1.4 times the time, since every field of a line has four
    return (value.encode(),)


def parse_where(text: str) -> Where:
    """Return the condition that *text* says; raises ``QuestionError``."""
    reader = _Reader(text)
    try:
        test, literals = reader.condition(0)
    except RecursionError as error:
        raise reader.wrong("is nested too deep") from error
    if reader.peek():
        raise reader.wrong(f"has {_cited(reader.peek())} too many")
    return Where(text, test, literals)


Parsed = tuple[Test, tuple[bytes, ...]]


class _Reader:
    """Reads one condition, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            found = _token(text, at)
            if found is None:
                raise self.wrong(f"cannot be read from {_cited(text[at : at + 20])} on")
            self._tokens.append((found.lastgroup or "", found.group(found.lastgroup or 0)))
            at = found.end()
        self._at = 0

    def wrong(self, why: str) -> QuestionError:
        from logbraid.scrub import Scrubber  # noqa: PLC0415 - 200 ms that only a mistake pays

        told = f"the condition {_cited(self._text)} {why}; {_ADVICE}"
        return QuestionError(Scrubber(ScrubRules()).scrub_text(told, {}))

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _is_word(self, word: str) -> bool:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            return kind == "word" and text.lower() == word
        return False

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self.wrong("ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def condition(self, depth: int) -> Parsed:
        parts = [self._all(depth)]
        while self._is_word("or"):
            self._at += 1
            parts.append(self._all(depth))
        if len(parts) == 1:
            return parts[0]
        tests = [test for test, _ in parts]
        return (lambda record: any(test(record) for test in tests)), ()

    def _all(self, depth: int) -> Parsed:
        parts = [self._one(depth)]
        while self._is_word("and"):
            self._at += 1
            parts.append(self._one(depth))
        if len(parts) == 1:
            return parts[0]
        tests = [test for test, _ in parts]
        literals = tuple(one for _, found in parts for one in found)
        return (lambda record: all(test(record) for test in tests)), literals

    def _one(self, depth: int) -> Parsed:
        if depth > _DEEPEST:
            raise self.wrong("is nested too deep")
        if self._is_word("not"):
            self._at += 1
            test, _ = self._one(depth + 1)
            return (lambda record: not test(record)), ()
        if self.peek() == "(":
            self._at += 1
            inner = self.condition(depth + 1)
            if self._next() != ("sign", ")"):
                raise self.wrong("lacks a closing parenthesis")
            return inner
        return self._comparison()

    def _comparison(self) -> Parsed:
        kind, name = self._next()
        if kind == "sign":
            raise self.wrong(f"has {_cited(name)} where a field's name should be")
        name = _unquoted(name) if kind == "text" else name
        sign_kind, sign = self._next()
        if sign_kind != "sign" or sign not in _SIGNS:
            raise self.wrong(f"has {_cited(sign)} where =, !=, <, >, ~ should be")
        value_kind, word = self._next()
        if value_kind == "sign":
            raise self.wrong(f"has {_cited(word)} where a value should be")
        value = _unquoted(word) if value_kind == "text" else _value(word)
        if sign in {"~", "!~"}:
            return self._pattern(name, str(value if value_kind == "text" else word), sign)
        return _compared(name, sign, value)

    def _pattern(self, name: str, pattern: str, sign: str) -> Parsed:
        try:
            search = re.compile(pattern).search
        except (re.error, RecursionError, OverflowError) as error:
            raise self.wrong(f"has a regular expression that is none ({error})") from error
        wanted = sign == "~"

        def test(record: dict[str, Any]) -> bool:
            found = field_of(record, name)
            return found is not None and (search(text_of(found)) is not None) == wanted

        return test, _name_in_line(name)


def _cited(text: str) -> str:
    """Return what someone typed for a message; secrets in it are the scrubber's."""
    cited = repr(text)
    return cited if len(cited) <= SHOWN_CHARS else f"{cited[: SHOWN_CHARS - 3]}..."


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _value(word: str) -> Any:
    if word.lower() in _CONSTANTS:
        return _CONSTANTS[word.lower()]
    return _number(word) if _number(word) is not None else word


def _number(value: object) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= 40:
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return None


def field_of(record: dict[str, Any], name: str) -> Any:
    """Return the value of *name*, which may be a path with dots; ``None`` if it is not there."""
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return None
    return value


def _name_in_line(name: str) -> tuple[bytes, ...]:
    """Return what stands in the line of a record that has the field: places in lists do not."""
    words = [part for part in name.split(".") if not part.isdecimal()]
    return literal_of(words[-1]) if words else ()


def text_of(value: Any) -> str:
    """Return *value* as text: a text itself, everything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:  # deeper than anything of ours
        return ""


def _compared(name: str, sign: str, value: Any) -> Parsed:
    names = _name_in_line(name)
    if sign in _EQUAL:
        # Whatever the field is called inside, a text stands in the line as it is
        literals = names + literal_of(value) if isinstance(value, str) else names
        literals = () if value is None else literals
        return (lambda record: _equal(field_of(record, name), value)), literals
    if sign in _UNEQUAL:

        def differs(record: dict[str, Any]) -> bool:
            found = field_of(record, name)
            return found is not None and not _equal(found, value)

        return differs, names
    compare, limit = _ORDER[sign], _number(value)

    def in_order(record: dict[str, Any]) -> bool:
        found = field_of(record, name)
        number = None if limit is None else _number(found)
        if number is not None:
            return bool(compare(number, limit))
        return isinstance(found, str) and isinstance(value, str) and compare(found, value)

    return in_order, names


def _equal(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool) or found is None or value is None:
        return found is value
    if isinstance(found, str) and isinstance(value, str):
        return found == value
    if isinstance(found, str):  # an id of digits is text in the line and a number in the question
        return bool(_number(found) == value)
    if isinstance(value, str):  # and a number in the line is told by the digits it stands there as
        return isinstance(found, int) and str(found) == value
    return bool(found == value)
