"""The short way writes the same bytes as the long way, or nothing at all."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import logbraid
from logbraid.context import EMPTY, TracingContext, bound
from logbraid.fastpath import SPECIAL
from logbraid.health import health
from logbraid.level import levels
from logbraid.pipeline import Pipeline
from logbraid.record import ENVELOPE, FAILURE, ID_NAMES, Record
from logbraid.scrub import Scrubber, inside
from logbraid.settings import ScrubRules, Settings
from logbraid.sinks.memory import MemorySink
from logbraid.testing import capture_logs

NOW = 1_795_257_000_123_456_789
SECRETS = (
    "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ",
    "AKIAIOSFODNN7EXAMPLE",
    "Bearer abcdefghijklmnopqrstuvwxyz0123456789",
    "postgres://user:hunter2secret@db.example/app",
    "https://x.example/?token=abcdef0123456789abcdef",
    "password=hunter2secret",
    '{"api_key": "k3y9f8a7b6c5d4e3f2a1"}',
    "4111 1111 1111 1111",
)


def pipeline_of(**changes: Any) -> Pipeline:
    """Return a pipeline with a clock that stands still and nobody else's context."""
    return Pipeline(Settings(clock=lambda: NOW, **changes), [MemorySink()])


PIPELINES = {
    "default": pipeline_of(),
    "told": pipeline_of(
        service="shop", env="test", version="1", fields={"region": "eu", "items": "fixed"}
    ),
    "tenant": pipeline_of(tenant="fallback"),
    "tight": pipeline_of(max_summary_chars=64, max_line_bytes=1024),
    "rules": pipeline_of(
        scrub=ScrubRules(extra_keys=("tool",), patterns={"order": r"ord-\d+"}, personal_data=True)
    ),
}

plain_names = st.sampled_from(
    "tool status duration_ms count user note name value key header text url items n x y".split()
)
odd_names = st.sampled_from(
    [
        *sorted(ENVELOPE),
        *sorted(FAILURE),
        *ID_NAMES,
        "trace_id",
        "span_id",
        "password",
        "api_key",
        "authorization",
        "auth",
        "token",
        "cookie",
        "session",
        "with space",
        "",
        "ключ",
        "a\u2028b",
        "a\0",
        "a\ud800",
        "x" * 600,
        "region",
        "shop_id",
        "args",
        "message",
        "[REDACTED:x]",
        SECRETS[0],
    ]
)
names = st.one_of(plain_names, plain_names, odd_names, st.text(max_size=8))
texts = st.one_of(
    st.sampled_from(["ok", "get_orders", "order ord-17 paid", "password", "authorization", ""]),
    st.sampled_from(SECRETS),
    st.text(max_size=20),
    st.text(st.characters(), max_size=6),
    st.sampled_from(["a\0b", "\ud800", "\x7f\x9b", "\u2028", "x" * 63, "word " * 30, "y" * 3000]),
    st.sampled_from(["a@example.org", "+49 30 1234567", "10.0.0.1", "[REDACTED:password]"]),
)
numbers = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 4111111111111111]),
    st.floats(),
    st.sampled_from([0.1, -0.0, 1e308, 1e-320, float("nan"), float("inf")]),
)
leaves = st.one_of(texts, numbers, st.booleans(), st.none())
strangers = st.sampled_from([b"bytes", (1, "two"), {3}, 1j, object, range(3)])
values = st.one_of(
    leaves,
    leaves,
    leaves,
    st.recursive(
        st.one_of(leaves, leaves, strangers),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.one_of(names, names, st.integers(0, 3)), inner, max_size=4),
        ),
        max_leaves=12,
    ),
)
records = st.dictionaries(names, values, max_size=6)
contexts = st.one_of(
    st.just({}),
    st.just({"tenant_id": "acme", "run_id": "run-1"}),
    st.dictionaries(
        st.one_of(st.sampled_from([*ID_NAMES, "trace_id"]), names),
        st.one_of(texts, leaves, values),
        max_size=3,
    ),
)
loggers = st.sampled_from(["app", "", "app.tools", "a\nb", "ключ", SECRETS[0], "x" * 300])


def both(
    made: Pipeline,
    level: int,
    logger: str,
    event: object,
    fields: dict[str, Any],
    carried: dict[str, Any],
) -> tuple[Any, Any]:
    """Return what the short way writes and what the long way does, each with its counts."""
    health.reset()
    short = made.fastpath.line(level, logger, event, {**carried, **fields})
    short_counts = dict(health.scrubbed.snapshot())
    health.reset()
    full = made.make(Record(level, logger, event, fields, carried, admitted=True))
    assert full is not None
    if short is None:
        return None, None
    return (short, short_counts), (
        (full.text, full.tenant, full.day),
        dict(health.scrubbed.snapshot()),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    made=st.sampled_from(sorted(PIPELINES)),
    level=st.sampled_from([10, 20, 30, 40, 50]),
    logger=loggers,
    event=st.one_of(texts, texts, leaves, st.just("e" * 1500)),
    fields=records,
    carried=st.one_of(st.just({}), records),
    context=contexts,
)
@example("default", 20, "app", "e", {"name": "password", "value": "hunter2secret"}, {}, {})
@example("default", 20, "app", "e", {"key": "x", "value": {"a": 1}}, {}, {"tool": "t"})
@example("default", 20, "app", "e", {"x" * 600: 1}, {"y" * 200: {"z" * 600: 1}}, {})
@example("tight", 20, "app", "e", {"a": [SECRETS[1]] * 3}, {}, {})
@example("tight", 20, "app", "x" * 65, {"note": "y" * 64}, {}, {})
@example("told", 20, "app", "e", {"region": "us"}, {}, {"region": "mars"})
@example("default", 20, "app", "e", {"d": {"": 1, "a": {}}, "l": [[]]}, {}, {})
def test_the_short_way_writes_what_the_long_way_writes_or_nothing(
    made: str,
    level: int,
    logger: str,
    event: object,
    fields: dict[str, Any],
    carried: dict[str, Any],
    context: dict[str, Any],
) -> None:
    token = bound.set(TracingContext(context))
    try:
        for _ in range(2):  # the second time from memory
            short, full = both(PIPELINES[made], level, logger, event, fields, carried)
            assert short == full
    finally:
        bound.reset(token)


@settings(max_examples=100, deadline=None)
@given(
    fields=st.dictionaries(
        plain_names,
        st.recursive(
            st.one_of(st.sampled_from(["ok", "done"]), st.integers(-9, 9), st.booleans()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=9), st.dictionaries(plain_names, inner, max_size=9)
            ),
            max_leaves=130,
        ),
        max_size=4,
    )
)
def test_wide_and_deep_records_are_the_same_both_ways(fields: dict[str, Any]) -> None:
    short, full = both(PIPELINES["default"], 20, "app", "e", fields, {})
    assert short == full


told_names = st.sampled_from(
    "name value key header input content text type id items rows columns auth token password "
    "api_key credentials card_number dsn cookie authorization Authorization pin url limit".split()
)
told_leaves = st.one_of(
    st.sampled_from(SECRETS),
    st.sampled_from(
        ["password", "--token", "-p", "hunter2secret", "ok", "login", "Bearer", "\0", ""]
    ),
    st.sampled_from(["Bearer a1b2c3d4e5f6a7b8", "a\0hunter2secret", "\ud800 password: hunter2x"]),
    st.sampled_from([4111111111111111, 123456, 7, 2**63, True, None, 0.5, float("inf"), (1,)]),
)
told_values = st.recursive(
    told_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.tuples(told_names, inner).map(list), max_size=3),
        st.dictionaries(told_names, inner, max_size=4),
        st.fixed_dictionaries({"name": told_names, "value": inner}),
        st.fixed_dictionaries({"columns": st.lists(told_names), "rows": st.lists(st.lists(inner))}),
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["default", "tight", "rules"]), told_values)
def test_names_and_neighbours_tell_the_same_both_ways(made: str, tree: Any) -> None:
    before = repr(tree)
    for _ in range(2):
        short, full = both(PIPELINES[made], 20, "app", "e", {"tree": tree}, {})
        assert short == full
    assert repr(tree) == before


@pytest.mark.parametrize(
    ("tree", "counts"),
    [
        ({"headers": {"Authorization": "Bearer a1b2c3d4e5f6a7b8"}}, {"bearer": 1}),
        ({"auth": {"api_key": "k3y9f8a7b6c5d4e3f2"}, "limit": 3}, {"api_key": 1}),
        (
            {"credentials": {"user": "ann", "password": "hunter2secret"}},
            {"secret": 1, "password": 1},
        ),
        (
            [{"name": "password", "value": "hunter2secret"}, {"name": "q", "value": "x"}],
            {"password": 1},
        ),
        ([["authorization", "Bearer a1b2c3d4e5f6a7b8"], ["accept", "text/html"]], {"bearer": 1}),
        (["curl", "--token", "hunter2secret"], {"token": 1}),
        ({"name": "search", "input": {"text": "all orders", "limit": 5}}, {}),
        ({"columns": ["id", "password"], "rows": [[1, "hunter2secret"]]}, {"password": 1}),
        ({"url": "https://app:hunter2secret@db.example/x", "pin": 4711}, {"password": 1, "pin": 1}),
        ([[1, 2.5], [True, None]], {}),
    ],
)
def test_a_nested_secret_takes_the_short_way_the_second_time(
    tree: Any, counts: dict[str, int]
) -> None:
    both(PIPELINES["default"], 20, "app", "e", {"tree": tree}, {})
    short, full = both(PIPELINES["default"], 20, "app", "e", {"tree": tree}, {})
    assert short == full
    assert short is not None
    assert short[1] == counts


@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        str.__add__,
        st.sampled_from(["Bearer ", "Bearer  ", "bearer ", "Basic ", "Bearer\t", " Bearer ", ""]),
        st.one_of(
            st.from_regex(r"[A-Za-z0-9._~+/=-]{10,90}", fullmatch=True),
            st.from_regex(r"[A-Za-z._-]{60,70}[0-9]?", fullmatch=True),
            texts,
        ),
    )
)
@example("Bearer a1b2c3d4e5f6a7b8")
def test_what_is_a_bearer_at_a_glance_is_one_to_the_whole_search(text: str) -> None:
    counts: dict[str, int] = {}
    full = Scrubber().scrub_fields({"authorization": text}, counts)["authorization"]
    assert inside.is_bearer(text) is None or (full, counts) == (inside.BEARER, {"bearer": 1})


def test_a_text_with_a_secret_in_a_plain_field_takes_the_short_way() -> None:
    fields = {"note": "sent with password=hunter2secret", "n": 1}
    short, full = both(PIPELINES["default"], 20, "app", "e", fields, {})
    assert short == full
    assert short is not None
    assert short[1] == {"password": 1}


@pytest.mark.parametrize("depth", range(1, 12))
def test_nesting_is_the_same_both_ways_at_every_depth(depth: int) -> None:
    tree: Any = {"leaf": "hunter2"}
    for number in range(depth):
        tree = {"d": tree} if number % 2 else [tree]
    short, full = both(PIPELINES["default"], 20, "app", "e", {"tree": tree}, {})
    assert short == full


@pytest.mark.parametrize("count", [80, 99, 100, 101, 150, 178, 200, 250])
def test_many_fields_are_the_same_both_ways(count: int) -> None:
    fields = {f"f{number}": number for number in range(count)}
    short, full = both(PIPELINES["default"], 20, "app", "e", fields, {})
    assert short == full


@pytest.mark.parametrize("length", [1, 63, 64, 65, 999, 1000, 1001, 1999, 2000, 2001, 5000])
def test_texts_around_their_limits_are_the_same_both_ways(length: int) -> None:
    for word in ("word ", "x", "é"):
        text = (word * length)[:length]
        for made in ("default", "tight"):
            short, full = both(PIPELINES[made], 20, "app", text, {"a": text, "b": [text]}, {})
            assert short == full


def test_lines_around_their_budget_are_the_same_both_ways() -> None:
    for size in range(850, 1100, 3):
        fields = {f"f{n}": "word " * 12 for n in range(10)} | {"z": "y" * (size % 60)}
        short, full = both(PIPELINES["tight"], 20, "app", "e", fields, {})
        assert short == full


def test_an_ordinary_record_takes_the_short_way() -> None:
    fields: dict[str, Any] = {"tool": "get_orders", "status": "ok", "ms": 234, "x": None}
    nested: dict[str, Any] = {"arguments": {"customer": {"id": 1}, "tags": ["a"], "limit": 10.5}}
    bound.set(TracingContext({"tenant_id": "acme", "run_id": "r", "shop": "x", "n": 3}))
    for made in ("default", "told", "tenant"):
        for carried, told in itertools.product(({}, {"b": 1}), (fields, nested)):
            short, _ = both(PIPELINES[made], 20, "app", "done", told, carried)
            assert short is not None


def test_a_secret_below_an_ordinary_name_takes_the_short_way_and_is_redacted() -> None:
    fields = {"arguments": {"password": "hunter2secret", "limit": 1}}
    short, full = both(PIPELINES["default"], 20, "app", "done", fields, {})
    assert short == full
    assert b"hunter2secret" not in short[0][0]
    assert short[1] == {"password": 1}


@pytest.mark.parametrize("name", sorted(SPECIAL | ENVELOPE | {*FAILURE, *ID_NAMES}))
def test_words_that_mean_something_never_take_the_short_way(name: str) -> None:
    assert PIPELINES["default"].fastpath.line(20, "app", "e", {name: "x"}) is None


def test_settings_that_need_the_long_way_close_the_short_one() -> None:
    def step(_: Any, __: str, told: dict[str, Any]) -> dict[str, Any]:
        return told

    for made in (pipeline_of(processors=(step,)), pipeline_of(callsite=True)):
        assert made.fastpath.line(20, "app", "e", {}) is None


def test_a_context_of_someone_else_closes_the_short_way_while_it_is_there() -> None:
    idle = [True]
    made = Pipeline(
        Settings(clock=lambda: NOW),
        [MemorySink()],
        layers=[lambda: {"span_id": "s"}],
        layers_are_idle=lambda: idle[0],
    )
    bound.set(EMPTY)
    idle[0] = False
    assert made.fastpath.line(20, "app", "e", {}) is None


def test_a_context_seen_by_one_pipeline_is_made_anew_by_the_next() -> None:
    bound.set(TracingContext({"tenant_id": "acme"}))
    one = PIPELINES["default"].fastpath.line(20, "app", "e", {})
    other = PIPELINES["told"].fastpath.line(20, "app", "e", {})
    again = PIPELINES["default"].fastpath.line(20, "app", "e", {})
    assert one == again
    assert one is not None
    assert other is not None
    assert b'"service":"shop"' in other[0]
    assert b"service" not in one[0]


def test_caches_that_are_full_are_emptied_and_the_lines_stay_the_same() -> None:
    made = pipeline_of()
    first = made.fastpath.line(20, "app", "e", {"a": 1})
    for number in range(5000):
        made.fastpath.line(20, f"logger{number}", f"event {number}", {f"name{number}": 1})
    assert made.fastpath.line(20, "app", "e", {"a": 1}) == first
    assert len(made.fastpath._heads) <= 4096
    assert len(made.fastpath._told) <= 4096
    assert len(made.fastpath._ordinary) <= 4096


@pytest.fixture
def written() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as captured:
        logbraid.get_logger().info("the first one looks around")
        captured.clear()
        yield captured


def test_a_name_that_is_no_text_does_not_raise(written: list[dict[str, Any]]) -> None:
    odd: Any = {1: "one", None: "two", "three": 3}
    logging.getLogger("odd").info("odd names", extra=odd)
    assert written[0] | {"1": "one", "null": "two", "three": 3} == written[0]


def test_a_dict_that_another_thread_changes_does_not_raise(
    written: list[dict[str, Any]],
) -> None:
    tree: dict[str, int] = {}
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for number in range(50):
                tree[f"k{number}"] = number
            tree.clear()

    thread = threading.Thread(target=change)
    thread.start()
    log = logbraid.get_logger("busy")
    try:
        for number in range(2000):
            log.info("busy", number=number, tree=tree, again=[tree])
    finally:
        done.set()
        thread.join()
    assert [one["number"] for one in written] == list(range(2000))


def test_a_level_below_the_gates_own_never_takes_the_short_way() -> None:
    with capture_logs(level="info"):
        made = logbraid.pipeline.active
        made.settle()
        gate = levels.gate("gated")
        with logbraid.debug_for(seconds=60, tenant_id="acme"):
            assert gate.level == 10
            assert made.fast(10, gate, "no", {}) is False
