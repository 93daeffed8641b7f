"""One table of hazardous records, run through every front end: the same strict line from each."""

from __future__ import annotations

import decimal
import enum
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import loguru
import pytest
import structlog

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.json_logger import TracingJsonFormatter
from logbraid.integrations.stdlib import BraidHandler
from logbraid.testing import capture_logs

SECRET = "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ"
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ"
    ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
_BLANK = logging.LogRecord("", 0, "", 0, "", None, None)
_CLASHES = frozenset(_BLANK.__dict__) | {"message", "asctime", "taskName"}


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Colour(enum.Enum):
    RED = "red"


class Plainly(enum.IntEnum):
    ONE = 1


@dataclass
class Point:
    x: int
    secret_key: str


@dataclass
class Case:
    """One log call; ``expect`` must be among the fields of its line."""

    event: str = "it happened"
    args: tuple[Any, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    level: int = 20
    error: BaseException | None = None
    stack: bool = False
    expect: dict[str, Any] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    loguru_too: bool = True


def _raised(text: str) -> BaseException:
    error = ValueError(text)
    try:
        raise error from KeyError("inner")
    except ValueError:
        return error


def _circular() -> dict[str, Any]:
    tree: dict[str, Any] = {"kept": 1}
    tree["me"] = tree
    return tree


def _nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"leaf": 1}
    for _ in range(depth):
        tree = {"d": tree}
    return tree


CASES = {
    "plain": Case(fields={"a": 1, "b": "two", "c": 1.5, "d": None, "e": True}, expect={"c": 1.5}),
    "no_fields": Case(expect={"event": "it happened"}),
    "empty_event": Case(event="", fields={"a": 1}, expect={"event": ""}),
    "percent_args": Case("paid %s to %s", (3, "bob"), expect={"event": "paid 3 to bob"}),
    "percent_alone": Case("100% of %s and {braces}", expect={"event": "100% of %s and {braces}"}),
    "bad_percent": Case("n %d", ("x",), loguru_too=False, expect={"event": "n %d", "args": ["x"]}),
    "reserved_of_logging": Case(
        fields={"args": 1, "message": "m", "name": "n", "module": "o", "msg": 5}
    ),
    "envelope": Case(
        fields={
            "level": "evil",
            "event": "forged",
            "timestamp": 0,
            "logger": "l",
            "service": "s",
            "truncated": 1,
            "scrubbed": 2,
        },
        expect={"level": "info", "level_": "evil", "event_": "forged", "timestamp_": 0},
    ),
    "failure_names": Case(fields={"exception": "x", "error_type": "mine"}),
    "exception": Case(
        level=40, error=_raised("went wrong"), expect={"error_message": "went wrong"}
    ),
    "exception_with_secret": Case(
        level=40,
        error=_raised(f"bad key {SECRET}"),
        fields={"error_type": "forged"},
        expect={"error_type": "ValueError", "error_type_": "forged"},
        never=(SECRET,),
    ),
    "stack": Case(stack=True, loguru_too=False),
    "nan": Case(
        fields={"a": float("nan"), "b": [float("inf")], "c": {"d": float("-inf")}},
        expect={"a": None, "b": [None], "c": {"d": None}},
    ),
    "circular": Case(fields={"c": _circular()}, expect={"c": {"kept": 1, "me": "<circular>"}}),
    "bytes": Case(fields={"a": b"text", "b": b"\xff\xfe"}, expect={"a": "text", "b": "<bytes: 2>"}),
    "surrogates": Case(
        "half \ud800", fields={"a": "\udc80", "b\udc00": 1}, expect={"event": "half \ufffd"}
    ),
    "nul": Case("a\0b", fields={"x": "c\0d"}, expect={"event": "a\ufffdb", "x": "c\ufffdd"}),
    "controls": Case(
        "a\nb\r\x1b[31mred\x7f\x85\u2028\u2029",
        fields={"x": "\x9b1m\x07", "k\ny": "\u2028", "\x1b": 2},
    ),
    "datetime": Case(
        fields={"at": datetime(2026, 11, 21, 10, 30, tzinfo=UTC)},
    ),
    "strangers": Case(
        fields={"c": Colour.RED, "o": Plainly.ONE, "d": decimal.Decimal("1.10"), "t": (1, 2)},
        expect={"c": "RED", "o": 1, "d": "1.10", "t": [1, 2]},
    ),
    "dataclass": Case(fields={"p": Point(1, SECRET)}, never=(SECRET,)),
    "odd_keys": Case(fields={"m": {(1, 2): "a", 3: "b", "3": "c", None: "d"}}, expect={}),
    "secret_in_message": Case(f"token is {SECRET} ok", never=(SECRET,)),
    "secret_in_args": Case("jwt %s", (JWT,), never=(JWT,)),
    "secret_in_field": Case(
        fields={"password": "hunter2secret", "note": f"Bearer {JWT}"},
        expect={"password": "[REDACTED:password]"},
        never=("hunter2secret", JWT),
    ),
    "secret_nested": Case(
        fields={"a": {"b": [{"api_key": SECRET, "ok": 1}]}},
        never=(SECRET,),
    ),
    "secret_in_a_name": Case(fields={f"k {SECRET}": 1}, never=(SECRET,)),
    "long_text": Case(fields={"t": "x y " * 2000}),
    "long_event": Case("word " * 1000),
    "long_line": Case(fields={f"t{n}": "word " * 380 for n in range(12)}),
    "many_fields": Case(fields={f"f{n}": n for n in range(300)}),
    "deep": Case(fields={"n": _nested(40)}),
    "custom_level": Case(level=25, expect={"level": "info"}),
    "high_level": Case(level=60, expect={"level": "critical"}),
    "unprintable": Case(fields={"u": Unprintable(), "kept": 1}, expect={"kept": 1}),
    "huge_int": Case(
        fields={"a": 2**70, "b": 10**5000, "c": -(2**63)},
        expect={"a": str(2**70), "c": -(2**63)},
    ),
    "forged_tenant": Case(
        fields={"tenant_id": "evil", "user_id": "u-9"},
        expect={"tenant_id": "acme", "tenant_id_": "evil", "user_id": "u-9"},
    ),
    "bad_id": Case(fields={"run_id": "a\nb", "session_id": "x" * 200}),
    "unset_ids": Case(fields={"run_id": None, "session_id": ""}),
    "unicode": Case("Grüße 東京 🎉", fields={"ключ": "значение"}, expect={"ключ": "значение"}),
}


def _by_logbraid(case: Case) -> None:
    _by_structlog(case, logbraid.get_logger("conformance"))


def _by_structlog(case: Case, log: Any = None) -> None:
    log = structlog.get_logger("conformance") if log is None else log
    special: dict[str, Any] = {}
    if case.error is not None:
        special["exc_info"] = case.error
    if case.stack:
        special["stack_info"] = True
    log.log(case.level, case.event, *case.args, **case.fields, **special)


def _by_logging(case: Case) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    # pytest's own handlers raise where a text does not fit its arguments
    root.handlers[:] = [one for one in before if isinstance(one, BraidHandler)]
    try:
        _call_logging(logging.getLogger("conformance"), case)
    finally:
        root.handlers[:] = before


def _call_logging(logger: logging.Logger, case: Case) -> None:
    logger.log(
        case.level,
        case.event,
        *case.args,
        extra=case.fields,
        exc_info=case.error,
        stack_info=case.stack,
    )


def _loguru() -> Any:
    return loguru.logger.patch(lambda record: record.__setitem__("name", "conformance"))


def _by_loguru_bind(case: Case) -> None:
    log = _loguru().bind(**case.fields)
    if case.error is not None:
        log = log.opt(exception=case.error)
    event = case.event.replace("%s", "{}") if case.args else case.event
    log.log(_loguru_level(case.level), event, *case.args)


def _by_loguru_keywords(case: Case) -> None:
    log = _loguru().opt(exception=case.error) if case.error is not None else _loguru()
    event = case.event.replace("%s", "{}") if case.args else case.event
    if case.fields and not case.args:  # with keywords loguru formats: braces are doubled
        event = event.replace("{", "{{").replace("}", "}}")
    fields = {name: value for name, value in case.fields.items() if name.isidentifier()}
    log.bind(**{n: v for n, v in case.fields.items() if n not in fields}).log(
        _loguru_level(case.level), event, *case.args, **fields
    )


def _loguru_level(level: int) -> int | str:
    return {20: "INFO", 40: "ERROR"}.get(level, level)


FRONTS: dict[str, Callable[[Case], None]] = {
    "logbraid": _by_logbraid,
    "structlog": _by_structlog,
    "logging": _by_logging,
    "loguru": _by_loguru_bind,
    "loguru_keywords": _by_loguru_keywords,
}


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """Everything that is written, as bytes, with a tenant bound."""
    written: list[bytes] = []
    with (
        capture_logs(sinks=[lambda line, _: written.append(line)]),
        bound_context(tenant_id="acme", run_id="run-1"),
    ):
        yield written


def strictly(line: bytes) -> dict[str, Any]:
    """Decode *line* as the strictest of readers would."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        assert len(set(names)) == len(names), "a name stands twice"
        assert all(names), "an empty name"
        return dict(items)

    def constant(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    assert len(line) <= 15_360
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    text = line.decode("utf-8")[:-1]
    assert text.isprintable() or all(
        char.isprintable() or char in "\u00a0\u3000" for char in text
    ), "a raw control character"
    told: dict[str, Any] = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    return told


def by_json_logger(case: Case) -> bytes:
    """Log *case* through python-json-logger's seam on a handler that is not ours."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TracingJsonFormatter())
    logger = logging.getLogger("conformance")
    logger.handlers[:], logger.propagate = [handler], False
    logger.setLevel(1)
    try:
        _call_logging(logger, case)
    finally:
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    return stream.getvalue().encode()


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    """Return *told* without what may differ: the stamp and the frames."""
    told = {n: v for n, v in told.items() if n != "timestamp"}
    if "stack" in told:
        told["stack"] = bool(told["stack"])
    if isinstance(told.get("truncated"), dict):
        told["truncated"] = {n: v for n, v in told["truncated"].items() if n != "stack"}
    return told


def as_logging_says(fields: dict[str, Any], case: Case) -> dict[str, Any]:
    """Return *fields* with the names that ``logging`` keeps for itself."""
    return {f"{n}_" if n in _CLASHES and n in case.fields else n: v for n, v in fields.items()}


@pytest.mark.parametrize(
    ("name", "front"),
    [
        (name, front)
        for name, case in CASES.items()
        for front in FRONTS
        if case.loguru_too or not front.startswith("loguru")  # loguru has no such call
    ],
)
def test_every_front_end_gives_one_strict_line_with_what_was_logged(
    name: str, front: str, lines: list[bytes]
) -> None:
    case = CASES[name]
    FRONTS[front](case)
    assert len(lines) == 1
    told = strictly(lines[0])
    expected = as_logging_says(case.expect, case) if front == "logging" else case.expect
    assert {key: told.get(key, "missing") for key in expected} == expected
    for secret in case.never:
        assert secret.encode() not in lines[0]
    if case.never:
        assert sum(told["scrubbed"].values()) >= 1


@pytest.mark.parametrize("name", CASES)
def test_all_front_ends_say_the_same(name: str, lines: list[bytes]) -> None:
    case = CASES[name]
    told = {}
    for front, call in FRONTS.items():
        if front.startswith("loguru") and not case.loguru_too:
            continue
        lines.clear()
        call(case)
        told[front] = comparable(strictly(lines[0]))
    told["json_logger"] = comparable(strictly(by_json_logger(case)))
    wanted = told.pop("logbraid")
    for front, found in told.items():
        if front in {"logging", "json_logger"}:
            assert found == as_logging_says(wanted, case), front
        else:
            assert found == wanted, front


@pytest.mark.parametrize("name", CASES)
def test_the_formatter_gives_one_strict_line_without_its_end(name: str) -> None:
    with capture_logs(), bound_context(tenant_id="acme"):
        line = by_json_logger(CASES[name])
    told = strictly(line)
    assert list(told)[:4] == ["timestamp", "level", "logger", "event"]
    assert told["tenant_id"] == "acme"
