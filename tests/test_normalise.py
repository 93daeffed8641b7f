"""Any object becomes a plain tree: every kind of value, every bound, nothing raised."""

from __future__ import annotations

import argparse
import array
import asyncio
import dataclasses
import io
import ipaddress
import json
import math
import re
import sys
import threading
import time
import types
import uuid
from collections import ChainMap, Counter, OrderedDict, UserString, defaultdict, deque, namedtuple
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock_time
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from unittest.mock import MagicMock, Mock, NonCallableMock

import attrs
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

from logbraid.plain.normalise import LOOK_AHEAD, Normaliser

PLAIN_KINDS = (dict, list, str, int, float, bool, type(None))


def shown(value: object) -> Any:
    return Normaliser().value(value)


def fields(**given_fields: object) -> tuple[dict[str, Any], dict[str, int]]:
    notes: dict[str, int] = {}
    return dict(Normaliser().fields(given_fields, notes)), notes


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max(map(depth_of, tree), default=0)
    return 0


def leaves_of(tree: Any) -> int:
    if isinstance(tree, dict) and tree:
        return sum(map(leaves_of, tree.values()))
    if isinstance(tree, list) and tree:
        return sum(map(leaves_of, tree))
    return 1


def assert_plain(tree: Any) -> None:
    assert type(tree) in PLAIN_KINDS
    if type(tree) is str:
        tree.encode()
        assert "\0" not in tree
    if type(tree) is int:
        assert -(2**63) <= tree < 2**63
    if type(tree) is float:
        assert math.isfinite(tree)
    for key, item in tree.items() if type(tree) is dict else ():
        assert type(key) is str
        assert key
        assert_plain(key)
        assert_plain(item)
    for item in tree if type(tree) is list else ():
        assert_plain(item)


class Colour(Enum):
    RED = 1


class Word(StrEnum):
    YES = "yes"


class OldWord(str, Enum):  # noqa: UP042 - the older way to write it
    NO = "no"


class Number(IntEnum):
    TWO = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    number: int
    token: str = dataclasses.field(repr=False, default="canary")
    lines: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slotted:
    number: int


class Model(pydantic.BaseModel):
    name: str
    password: pydantic.SecretStr = pydantic.SecretStr("canary")
    hidden: str = pydantic.Field(default="canary", repr=False)
    kept: str = pydantic.Field(default="canary", exclude=True)

    @pydantic.field_serializer("name")
    def raises(self, name: str) -> str:
        raise AssertionError(name)


@attrs.define
class Attributes:
    number: int
    secret: str = attrs.field(default="canary", repr=False)
    masked: str = attrs.field(default="canary", repr=lambda _: "***")


class Struct:
    """Has what a msgspec Struct has."""

    __struct_fields__ = ("a", "b")

    def __init__(self) -> None:
        self.a = 1


class Bare:
    pass


class Named:
    def __repr__(self) -> str:
        return f"<Named at {hex(id(self))} is here>"


class OnlyStr:
    def __str__(self) -> str:
        return "only str"


class Raising:
    def __repr__(self) -> str:
        raise RuntimeError("canary")


class Recursing:
    def __repr__(self) -> str:
        return repr(self)


class NoText:
    def __repr__(self) -> str:
        return 7  # type: ignore[return-value]  # what a careless class does


class MaskedText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "MaskedText('***')"


class Markup(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"Markup({str.__repr__(self)})"


class VaultSecret:
    def __repr__(self) -> str:
        return "VaultSecret('***')"


class MyInt(int):
    def __int__(self) -> int:
        raise AssertionError


class MyFloat(float):
    pass


class MyText(str):
    __slots__ = ()


BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        (float("nan"), None),
        (float("inf"), None),
        (MyFloat("-inf"), None),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, "9223372036854775808"),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**4299, "1" + "0" * 2511),
        (10**5001, f"<int of {(10**5001).bit_length()} bits>"),
        (MyInt(3), 3),
        (MyInt(2**70), str(2**70)),
        (MyFloat(2.5), 2.5),
        (MyText("text"), "text"),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\udcff\udc80", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("é\x85\u2028\x1b[31m", "é\x85\u2028\x1b[31m"),
        (2 + 3j, "(2+3j)"),
        (Colour.RED, "RED"),
        (Word.YES, "yes"),
        (OldWord.NO, "no"),
        (Number.TWO, 2),
        (Right.READ | Right.WRITE, "READ|WRITE"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=BERLIN), "2026-01-02T02:04:05.000006Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001 - naive on purpose
        (datetime.min.replace(tzinfo=BERLIN), "0001-01-01T00:00:00+01:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (clock_time(3, 4), "03:04:00"),
        (timedelta(minutes=1.5), 90.0),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (PurePosixPath("/a/b"), "/a/b"),
        (range(3), "range(0, 3)"),
        (UserString("u"), "u"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset("ba"), ["a", "b"]),
        (deque([1]), [1]),
        (Point(1, 2), {"x": 1, "y": 2}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (Counter("aa"), {"a": 2}),
        (ChainMap({"a": 1}), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.items(), [["a", 1]]),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (argparse.Namespace(a=1), {"a": 1}),
        (b"caf\xc3\xa9", "café"),
        (bytearray(b"ab"), "ab"),
        (memoryview(b"ab"), "ab"),
        (b"\xff\xfe", "<bytes: 2>"),
        (memoryview(array.array("d", [1.0])), "<bytes: 8>"),
        (array.array("d", [1.0, 2.0]), "<array shape=(2,)>"),
        (ValueError("bad"), "ValueError: bad"),
        (KeyError(), "KeyError"),
        (int, "int"),
        (Decimal, "decimal.Decimal"),
        (print, "print"),
        (json.dumps, "json.dumps"),
        (json, "json"),
        (Bare(), f"<{__name__}.Bare object>"),
        (Named(), "<Named is here>"),
        (OnlyStr(), "only str"),
        (Raising(), "<unprintable Raising>"),
        (Recursing(), "<unprintable Recursing>"),
        (NoText(), "<unprintable NoText>"),
        (MaskedText("canary"), "MaskedText('***')"),
        (Markup("<b>"), "<b>"),
        (VaultSecret(), "VaultSecret('***')"),
        (pydantic.SecretStr("canary"), "**********"),
        (pydantic.SecretBytes(b"canary"), "b'**********'"),
        (threading.Lock(), "<lock>"),
        (io.StringIO("canary"), "<StringIO>"),
        (re.compile("a+"), "re.compile('a+')"),
        (Order(1), {"number": 1, "token": "<hidden>", "lines": []}),
        (Slotted(1), {"number": 1}),
        (Attributes(1), {"number": 1, "secret": "<hidden>", "masked": "***"}),
        (Struct(), {"a": 1}),
        (
            Model(name="n"),
            {"name": "n", "password": "**********", "hidden": "<hidden>", "kept": "<hidden>"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_is_shown_as_the_table_says(value: object, expected: object) -> None:
    result = shown(value)

    assert_plain(result)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (1, "1"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), "null"),
        ((1, "a"), "(1, 'a')"),
        (date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "RED"),
        (Word.YES, "yes"),
        (frozenset({2, 1}), "[1, 2]"),
        (b"k", "k"),
        ("", "_"),
        ("\ud800", "\ufffd"),
        ("a\0", "a\ufffd"),
        ("a\nb", "a\nb"),
        ("k" * 600, "<key of 600 chars>"),
        (10**5001, f"<int of {(10**5001).bit_length()} bits>"),
        (Raising(), "<unprintable Raising>"),
        ((Raising(),), "<unprintable tuple>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_key_becomes_text(key: object, expected: str) -> None:
    assert shown({key: 0}) == {expected: 0}


def test_colliding_keys_get_a_number() -> None:
    assert shown({1: "a", "1": "b", "1#2": "c"}) == {"1": "a", "1#2": "b", "1#2#2": "c"}
    assert shown({"": 1, "_": 2}) == {"_": 1, "_#2": 2}
    assert shown({"a\0": 1, "a\ufffd": 2}) == {"a\ufffd": 1, "a\ufffd#2": 2}


def test_str_subclass_as_key_is_plain_text() -> None:
    normaliser = Normaliser()
    for _ in range(2):
        result = normaliser.fields({"a": {MyText("k"): 1}}, {})
        assert_plain(result)
        assert result == {"a": {"k": 1}}


def test_known_names_do_not_turn_equal_numbers_into_each_other() -> None:
    normaliser = Normaliser()
    assert normaliser.value({"1": 0}) == {"1": 0}
    assert normaliser.value({True: 0}) == {"true": 0}
    assert normaliser.value({1: 0}) == {"1": 0}


def test_cycle_is_cut_at_the_repeat_and_the_rest_kept() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = loop
    items: list[Any] = [1]
    items.append({"back": items})

    made, _ = fields(loop=loop, items=items, after=2)

    assert made["loop"] == {"a": 1, "self": "<circular>"}
    assert made["items"] == [1, {"back": "<circular>"}]
    assert made["after"] == 2


def test_cycle_through_a_dataclass_is_cut() -> None:
    order = Order(1)
    order.lines = [order]
    assert shown(order)["lines"] == ["<circular>"]


def test_same_object_twice_is_no_cycle() -> None:
    shared = {"a": [1]}
    made, _ = fields(one=shared, two=shared, three=[shared, shared])
    assert made == {"one": shared, "two": shared, "three": [shared, shared]}


def test_same_object_after_a_failure_in_it_is_no_cycle() -> None:
    class Breaking(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            raise RuntimeError

        def __iter__(self) -> Iterator[str]:
            return iter("a")

        def __len__(self) -> int:
            return 1

    bad = Breaking()
    assert shown([bad, bad]) == ["<unprintable Breaking>"] * 2


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"password": "bottom"}
    for _ in range(levels - 1):
        value = {"k": value}
    return value


def test_eight_levels_stay_and_the_ninth_is_text() -> None:
    made = Normaliser().fields(nested(8), {})
    assert made == nested(8)

    made = Normaliser().fields(nested(9), {})
    assert depth_of(made) == 8
    bottom: Any = made
    for _ in range(8):
        bottom = bottom["k"]
    assert json.loads(bottom) == {"password": "bottom"}


def test_text_below_the_eighth_level_is_bounded_json() -> None:
    wide = {f"key{number}": {"password": "x" * 50} for number in range(100_000)}
    value: Any = wide
    for _ in range(8):
        value = [value]
    notes: dict[str, int] = {}
    made = Normaliser().fields({"v": value}, notes)

    assert depth_of(made) == 8
    text: Any = made["v"]
    while isinstance(text, list):
        text = text[0]
    assert text.startswith('[{"key0": {"password"')
    assert len(text) <= 2000 + LOOK_AHEAD
    assert notes["..."] > 99_000


@pytest.mark.parametrize("kind", [dict, list, tuple])
def test_ten_thousand_levels_are_bounded(kind: type) -> None:
    value: Any = 1
    for _ in range(10_000):
        value = {"k": value} if kind is dict else kind([value])
    made, _ = fields(v=value)
    assert depth_of(made) <= 8
    assert "<deeper>" in json.dumps(made)


def test_leaves_beyond_two_hundred_are_left_out_and_counted() -> None:
    made, notes = fields(items=list(range(1000)), status="ok")
    assert made["items"] == list(range(199))
    assert made["status"] == "ok"
    assert notes == {"...": 801}
    assert leaves_of(made) == 200


def test_two_hundred_leaves_are_all_shown() -> None:
    made, notes = fields(items=list(range(199)), status="ok")
    assert leaves_of(made) == 200
    assert notes == {}


def test_long_early_field_does_not_push_out_a_later_one() -> None:
    made, notes = fields(rows=[{"a": 1, "b": 2}] * 500, last={"x": 1})
    assert made["last"] == {"x": 1}
    assert leaves_of(made) <= 200
    assert notes["..."] > 300


def test_reserved_leaves_stay_free() -> None:
    notes: dict[str, int] = {}
    made = Normaliser().fields({"items": list(range(300))}, notes, reserved=50)
    assert leaves_of(made) == 150
    assert notes == {"...": 150}


def test_set_of_a_million_costs_little_and_is_counted() -> None:
    million = set(range(1_000_000))
    begin = time.perf_counter()
    made, notes = fields(items=million)
    assert time.perf_counter() - begin < 1
    assert len(made["items"]) == 200
    assert notes == {"...": 999_800}


def test_long_text_is_windowed_and_noted_with_its_path() -> None:
    long = "x" * 1_000_000
    made, notes = fields(event=long, arguments={"body": long, "items": [1, {"t": long}]})
    assert len(made["event"]) == 2000 + LOOK_AHEAD
    assert len(made["arguments"]["body"]) == 2000 + LOOK_AHEAD
    assert notes == {
        "event": 1_000_000,
        "arguments.body": 1_000_000,
        "arguments.items.1.t": 1_000_000,
    }


def test_limit_of_one_field_counts_at_the_first_level_only() -> None:
    text = "x" * 3000
    notes: dict[str, int] = {}
    made: Any = Normaliser().fields(
        {"event": text, "a": {"event": text}}, notes, limits={"event": 10}
    )
    assert len(made["event"]) == 10 + LOOK_AHEAD
    assert len(made["a"]["event"]) == 2000 + LOOK_AHEAD


def test_text_within_limit_and_look_ahead_is_whole_and_not_noted() -> None:
    made, notes = fields(a="x" * (2000 + LOOK_AHEAD))
    assert len(made["a"]) == 2000 + LOOK_AHEAD
    assert notes == {}


def test_long_bytes_are_windowed_without_reading_them_all() -> None:
    made, notes = fields(a="é".encode() * 1_000_000, b=b"a" * 100_000 + b"\xff")
    assert made["a"] == "é" * (2000 + LOOK_AHEAD)
    assert notes == {"a": 2_000_000, "b": 100_001}


def test_generators_iterators_and_awaitables_are_not_touched() -> None:
    touched: list[str] = []

    def generate() -> Iterator[int]:
        touched.append("generator")
        yield 1

    async def work() -> None:
        touched.append("coroutine")

    async def stream() -> AsyncIterator[int]:
        touched.append("async generator")
        yield 1

    numbers = iter([1, 2])
    coroutine = work()
    made, _ = fields(a=generate(), b=coroutine, c=stream(), d=numbers, e=map(touched.append, "x"))
    coroutine.close()

    name = "test_generators_iterators_and_awaitables_are_not_touched.<locals>"
    assert made == {
        "a": f"<generator {name}.generate>",
        "b": f"<coroutine {name}.work>",
        "c": f"<async_generator {name}.stream>",
        "d": "<list_iterator>",
        "e": "<map>",
    }
    assert touched == []
    assert next(numbers) == 1


def test_future_and_open_file_are_named_only(tmp_path: Path) -> None:
    async def make() -> Any:
        return shown(asyncio.get_running_loop().create_future())

    assert asyncio.run(make()) == "<Future>"
    with (tmp_path / "f").open("w") as file:
        assert shown(file) == "<TextIOWrapper>"


def foreign(module: str, name: str, **attributes: Any) -> Any:
    """Make an object whose class says it is of *module*, and which breaks when touched."""

    def touched(*_: Any) -> Any:
        raise AssertionError("touched")

    never = dict.fromkeys(("__repr__", "__str__", "__iter__", "__len__", "__getattr__"), touched)
    base = type(name, (), {"__module__": module, **never, **attributes})
    return type(name, (base,), {"__module__": "app.models"})()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("django.db.models.query", "QuerySet"),
        ("django.db.models.base", "User"),
        ("sqlalchemy.orm.query", "Query"),
        ("sqlalchemy.orm.decl_api", "Row"),
        ("peewee", "Model"),
        ("duckdb", "DuckDBPyRelation"),
    ],
)
def test_orm_objects_show_their_class_only(module: str, name: str) -> None:
    assert shown(foreign(module, name)) == f"<{name}>"


@pytest.mark.parametrize(
    "module", ["numpy", "pandas.core.frame", "polars", "torch", "tensorflow", "jaxlib.xla", "dask"]
)
def test_arrays_and_frames_show_class_and_shape(module: str) -> None:
    assert shown(foreign(module, "Frame", shape=(3, 4))) == "<Frame shape=(3, 4)>"
    assert shown(foreign(module, "Series", shape=(3,))) == "<Series shape=(3,)>"
    assert shown(foreign(module, "Lazy", shape=(float("nan"), 4))) == "<Lazy shape=(?, 4)>"
    assert shown(foreign(module, "Odd", shape=None)) == "<Odd>"


def test_mapped_class_is_an_orm_object_wherever_it_stands() -> None:
    mapped = foreign("app", "User", _sa_class_manager=object(), __dataclass_fields__={})
    assert shown(mapped) == "<User>"


def test_numpy_scalar_shows_its_number() -> None:
    generic = type("generic", (), {"__module__": "numpy", "item": lambda _: 5})
    assert shown(type("int64", (generic,), {"__module__": "numpy"})()) == 5


def test_proxies_and_mocks_neither_raise_nor_recurse() -> None:
    def unbound() -> Any:
        raise RuntimeError("outside of a request")

    assert shown(LocalProxy(unbound)) == "<unprintable LocalProxy>"
    assert shown(LocalProxy(lambda: {"a": 1})) == {"a": 1}
    assert shown(LocalProxy(lambda: Order(1)))["number"] == 1
    for mock in (Mock(), NonCallableMock(spec=dict), Mock(spec=Order)):
        assert "Mock" in shown(mock)
    assert "MagicMock" in json.dumps(shown(MagicMock()))


def test_lazy_object_of_django_is_not_evaluated() -> None:
    functional = pytest.importorskip("django.utils.functional")
    calls: list[int] = []
    made = shown(functional.SimpleLazyObject(lambda: calls.append(1)))
    assert "SimpleLazyObject" in made
    assert calls == []
    assert shown(functional.lazystr("hello")) == "hello"


def test_object_that_lies_about_its_class_is_not_asked() -> None:
    class Liar:
        @property  # type: ignore[misc]  # what proxies do
        def __class__(self) -> Any:
            raise AssertionError("asked")

        def __repr__(self) -> str:
            return "liar"

    assert shown(Liar()) == "liar"


class Endless(Mapping[str, int], Sequence[int]):
    def __iter__(self) -> Iterator[Any]:
        number = 0
        while True:
            number += 1
            yield str(number)

    def __getitem__(self, key: Any) -> Any:
        return key

    def __len__(self) -> int:
        raise RuntimeError("no length")


def test_endless_containers_are_bounded() -> None:
    made, notes = fields(a=Endless())
    assert len(made["a"]) == 200
    assert notes["..."] >= 800


def test_what_is_no_exception_passes() -> None:
    class Stop:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shown(Stop())


def test_failing_value_leaves_the_others_alone() -> None:
    made, _ = fields(a=Raising(), b=[Raising(), 1], c={"d": Recursing()}, e=2)
    assert made == {
        "a": "<unprintable Raising>",
        "b": ["<unprintable Raising>", 1],
        "c": {"d": "<unprintable Recursing>"},
        "e": 2,
    }


def test_class_with_a_hostile_name_is_shown() -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]  # as hostile as it looks
            raise RuntimeError

    class Odd(metaclass=Meta):
        def __repr__(self) -> str:
            raise ValueError

    assert shown(Odd()) == "<unprintable object>"
    assert_plain(shown(type("a\n" * 500, (Raising,), {})()))


def test_unhashable_class_is_shown() -> None:
    class Meta(type):
        __hash__ = None  # type: ignore[assignment]  # as hostile as it looks

    class Odd(metaclass=Meta):
        pass

    assert "Odd" in shown(Odd())


def test_near_the_recursion_limit_nothing_is_raised() -> None:
    def deeper(levels: int) -> Any:
        if levels:
            return deeper(levels - 1)
        try:
            return Normaliser().fields({"a": {"b": [Named()]}}, {})
        except RecursionError:
            return "raised at the very edge"

    used = len(__import__("traceback").extract_stack())
    made = deeper(sys.getrecursionlimit() - used - 40)
    assert "a" in made


def test_dict_changed_by_another_thread_is_still_shown() -> None:
    shared: dict[str, Any] = {str(number): number for number in range(50)}
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            shared[f"n{number % 7}"] = number
            shared.pop(f"n{(number + 3) % 7}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        normaliser = Normaliser()
        for _ in range(500):
            made: Any = normaliser.fields({"shared": shared}, {})
            assert made["shared"]["49"] == 49
    finally:
        done.set()
        thread.join()


def test_callers_objects_are_copied_and_not_changed() -> None:
    value = {"a": [1, {"b": "\0"}], "c": (1,)}
    before = repr(value)
    normaliser = Normaliser()
    for _ in range(2):
        made: Any = normaliser.fields({"v": value}, {})
        made["v"]["a"].append(2)
        made["v"]["c"].append(2)
    assert repr(value) == before


def test_caches_stay_bounded() -> None:
    normaliser = Normaliser()
    for number in range(10_000):
        normaliser.value({f"k{number}": 1})
    for _ in range(2000):
        normaliser.value(type("Fresh", (), {})())
    assert len(normaliser.rules.names) <= 4096
    assert len(normaliser.rules.ways) <= 1024


def test_record_may_be_any_mapping() -> None:
    assert Normaliser().fields(types.MappingProxyType({"a": 1}), {}) == {"a": 1}
    assert Normaliser().fields(OrderedDict(a=1), {}) == {"a": 1}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**4290, max_value=10**4310)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=40)
    | st.binary(max_size=20)
    | st.dates()
    | st.datetimes()
    | st.uuids()
    | st.decimals()
    | st.sampled_from([Colour.RED, Word.YES, int, print])
    # By their classes: Hypothesis shows what it chooses from, and these cannot be shown
    | st.sampled_from([Raising, Recursing, Bare, NoText, Struct]).map(lambda made: made())
)
KEYS = (
    st.text(st.characters(exclude_categories=()), max_size=5)
    | st.integers(-3, 3)
    | st.booleans()
    | st.none()
    | st.floats()
    | st.tuples(st.integers(), st.text(max_size=2))
    | st.sampled_from([Colour.RED, "", "_", "\0", "a", "a#2"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(KEYS, inner, max_size=8)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=4)
    ),
    max_leaves=60,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=8))
def test_any_tree_becomes_plain_and_bounded(record: dict[str, Any]) -> None:
    notes: dict[str, int] = {}
    small = Normaliser(max_summary_chars=30, max_leaves=20)
    made = small.fields(record, notes)
    assert_plain(made)
    assert depth_of(made) <= 8
    assert leaves_of(made) <= 20


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=8))
def test_shortcut_and_walk_are_equal(record: dict[str, Any]) -> None:
    normaliser = Normaliser()
    first = normaliser.fields(record, {})
    again = normaliser.fields(record, {})  # now the names are known and the shortcut is taken
    assert json.dumps(first) == json.dumps(again)


def test_old_style_named_tuple_is_a_dict() -> None:
    old = namedtuple("old", "a b")  # noqa: PYI024 - older code has them
    assert shown(old(1, 2)) == {"a": 1, "b": 2}
