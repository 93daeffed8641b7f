"""Action traces: what an entry says, who hears of it, and how actions nest, fail and are driven."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import json
import logging
import math
import random
import subprocess
import threading
import urllib.error
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logbraid
from logbraid.agent import (
    ActionTracer,
    TraceEntry,
    agent_run,
    current_entry,
    fingerprint,
    shape_of,
)
from logbraid.agent.action import Action
from logbraid.context import SpanContext, TracingContext
from logbraid.context import bound as variable
from logbraid.outcome import status_code_of, status_of
from logbraid.pipeline import ready
from logbraid.testing import assert_no_secret, capture_logs

SECRET = "sk-proj-Zk3vQ9xR7tB2mN8cL5wY1aD4"


class ClientTimeoutError(Exception):
    """A client library's own time-out, no TimeoutError."""


class ReadTimeout(ClientTimeoutError):  # noqa: N818 - as httpx calls it
    pass


def only(tracer: ActionTracer) -> TraceEntry:
    (entry,) = tracer.entries
    return entry


# What an entry says


def test_a_with_block_yields_its_entry_and_records_it_at_the_end() -> None:
    tracer = ActionTracer()
    with tracer.trace(
        "connector_query",
        connector="sap",
        asset_id="P-101",
        operation="read",
        conversation_id="c-1",
        page=3,
    ) as entry:
        assert tracer.entries == []
        entry.output_summary = "two orders"
    assert only(tracer) is entry
    assert (entry.action, entry.connector, entry.asset_id) == ("connector_query", "sap", "P-101")
    assert (entry.operation, entry.conversation_id) == ("read", "c-1")
    assert entry.metadata == {"page": 3}
    assert (entry.status, entry.success, entry.error) == ("ok", True, "")
    assert entry.duration_ms > 0
    assert entry.timestamp.tzinfo is UTC
    assert entry.ended == entry.timestamp + timedelta(milliseconds=entry.duration_ms)


def test_the_ids_come_from_the_context_and_the_spans_from_what_is_around() -> None:
    tracer = ActionTracer()
    ids = {
        "tenant_id": "acme",
        "user_id": "u-7",
        "session_id": "s-1",
        "run_id": "r-9",
        "request_id": "q-4",
    }
    with logbraid.bound_context(**ids), tracer.trace("turn") as turn:
        with tracer.trace("llm_call") as call:
            assert current_entry() is call
        with tracer.trace("tool_call") as tool:
            pass
        assert current_entry() is turn
    assert current_entry() is None
    for entry in (turn, call, tool):
        assert {name: getattr(entry, name) for name in ids} == ids
        assert len(entry.span_id) == 16
        assert entry.trace_id == turn.trace_id
    assert len(turn.trace_id) == 32
    assert turn.parent_span_id == ""
    assert call.parent_span_id == tool.parent_span_id == turn.span_id
    assert call.span_id != tool.span_id


def test_a_bound_trace_id_is_the_trace_of_the_actions() -> None:
    tracer = ActionTracer()
    with logbraid.bound_context(trace_id="build-77"), tracer.trace("turn") as turn:
        pass
    assert turn.trace_id == "build-77"


def test_ids_are_new_although_the_program_seeds_its_random_numbers() -> None:
    tracer = ActionTracer()
    spans = set()
    for _ in range(3):
        random.seed(42)
        with tracer.trace("turn") as entry:
            spans.add(entry.span_id)
    assert len(spans) == 3


def test_the_tenant_of_the_settings_is_the_tenant_of_an_entry_without_one() -> None:
    with capture_logs(tenant="solo"):
        tracer = ActionTracer()
        with tracer.trace("turn") as entry:
            pass
    assert entry.tenant_id == "solo"


def test_unknown_cost_is_unknown_and_a_price_table_makes_it_known() -> None:
    table = {"gpt-4o": {"prompt": 2.5, "completion": 10.0, "cached": 1.25}}
    tracer = ActionTracer(prices=table)
    for model in ("gpt-4o-2024-08-06", "llama"):
        with tracer.trace("llm_call") as entry:
            entry.model = model
            entry.prompt_tokens, entry.cached_tokens, entry.completion_tokens = 1000, 400, 100
    known, unknown = tracer.entries
    assert known.usd_cost is not None
    assert math.isclose(known.usd_cost, (600 * 2.5 + 400 * 1.25 + 100 * 10.0) / 1e6)
    assert unknown.usd_cost is None
    assert known.total_tokens == 1100


def test_a_price_function_may_fail_and_the_cost_stays_unknown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(_: TraceEntry) -> float:
        raise KeyError(SECRET)

    tracer = ActionTracer(prices=broken, log=False)
    with tracer.trace("llm_call") as entry:
        entry.model = "m"
    assert entry.usd_cost is None
    assert "prices: KeyError" in capfd.readouterr().err


def test_observe_fills_in_sizes_summaries_and_the_shape_of_the_answer() -> None:
    entry = TraceEntry(action="tool_call")
    entry.observe(input={"q": "é"}, output={"items": [{"id": 1}, {"id": 2}]})
    assert entry.bytes_in == len('{"q":"é"}'.encode())
    assert entry.output_summary == '{"items":[{"id":1},{"id":2}]}'
    assert entry.fingerprint == fingerprint({"items": [{"id": 9}]})
    assert entry.fingerprint != fingerprint({"items": [{"key": 9}]})
    assert entry.fingerprint != fingerprint({"items": [{"id": "9"}]})


def test_a_shape_has_key_paths_and_types_and_no_values() -> None:
    payload = {"user": {"name": "Eve", "tags": ["a", "b"]}, "eve@example.com": 1, "n": None}
    assert shape_of(payload) == ["*: int", "n: null", "user.name: str", "user.tags[]: str"]
    many = {f"customer{number}": 1 for number in range(100)}
    assert shape_of(many) == ["*: int"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_no_payload_breaks_observe(payload: Any) -> None:
    entry = TraceEntry(action="x")
    entry.observe(input=payload, output=payload)
    told = json.loads(entry.redacting_dump_json())
    assert told["action"] == "x"
    if payload is not None:
        assert entry.bytes_in == entry.bytes_out
        assert len(entry.fingerprint) == 16
        assert len(told["input_summary"]) <= 2000


# How it ends


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no"), "error"),
        (TimeoutError(), "timeout"),
        (ReadTimeout("slow"), "timeout"),
        (subprocess.TimeoutExpired("x", 1), "timeout"),
        (concurrent.futures.TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (concurrent.futures.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(3), "error"),
        (SystemExit(0), "ok"),
        (SystemExit(None), "ok"),
    ],
)
def test_status_says_how_an_action_ended(error: BaseException, status: str) -> None:
    tracer = ActionTracer(log=False)
    with pytest.raises(type(error)), tracer.trace("tool_call"):
        raise error
    entry = only(tracer)
    assert entry.status == status
    assert entry.success is (status == "ok")
    assert bool(entry.error) is (status != "ok")


def test_what_an_error_says_is_scrubbed_on_every_way_out() -> None:
    with capture_logs() as records:
        tracer = ActionTracer()
        with suppress(RuntimeError), tracer.trace("tool_call", operation="pay"):
            raise RuntimeError(f"401 for Authorization: Bearer {SECRET}")
        entry = only(tracer)
        assert entry.error_class == "RuntimeError"
        assert_no_secret(records, [SECRET])
        assert_no_secret(tracer.summary(), [SECRET])
        assert SECRET not in entry.redacting_dump_json()
    (line,) = records
    assert (line["level"], line["event"], line["status"]) == ("warning", "tool_call", "error")
    assert line["error_class"] == "RuntimeError"


def test_an_error_whose_text_fails_is_recorded_all_the_same() -> None:
    class MeanError(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    tracer = ActionTracer()
    with pytest.raises(MeanError), tracer.trace("tool_call"):
        raise MeanError
    assert only(tracer).error == "<unprintable MeanError>"


def test_the_text_of_an_error_is_kept_within_bounds() -> None:
    tracer = ActionTracer(log=False)
    with suppress(ValueError), tracer.trace("tool_call"):
        raise ValueError("x" * 1_000_000)
    assert len(tracer.entries[0].error) == 32_000


def test_success_set_to_false_by_hand_is_a_failure() -> None:
    tracer = ActionTracer(log=False)
    with tracer.trace("tool_call") as entry:
        entry.success = False
        entry.error = "no rows"
    with tracer.trace("tool_call") as other:
        other.status = "timeout"
    assert (entry.status, other.success) == ("error", False)


def test_the_status_code_of_an_http_error_is_kept() -> None:
    class HTTPError(Exception):
        status_code = 503

    tracer = ActionTracer(log=False)
    with suppress(HTTPError), tracer.trace("llm_call"):
        raise HTTPError
    assert only(tracer).status_code == 503


# Tasks, threads, decorators


def test_async_with_and_tasks_keep_their_own_parents() -> None:
    tracer = ActionTracer()

    async def tool(name: str) -> None:
        async with tracer.trace("tool_call", operation=name):
            await asyncio.sleep(0)
            with tracer.trace("step", operation=name):
                await asyncio.sleep(0)

    async def main() -> None:
        async with tracer.trace("turn"):
            await asyncio.gather(*(tool(f"t{number}") for number in range(20)))

    asyncio.run(main())
    by_span = {entry.span_id: entry for entry in tracer.entries}
    for entry in tracer.entries:
        if entry.action == "step":
            parent = by_span[entry.parent_span_id]
            assert (parent.action, parent.operation) == ("tool_call", entry.operation)
        elif entry.action == "tool_call":
            assert by_span[entry.parent_span_id].action == "turn"


def test_a_cancelled_task_is_recorded_as_cancelled_and_stays_cancelled() -> None:
    tracer = ActionTracer()

    async def main() -> None:
        async with asyncio.timeout(0.01), tracer.trace("tool_call"):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert (only(tracer).status, only(tracer).error_class) == (
        "cancelled",
        "asyncio.exceptions.CancelledError",
    )


def test_as_a_decorator_each_call_is_an_action_named_for_its_function() -> None:
    tracer = ActionTracer()

    @tracer.trace("tool_call")
    def add(one: int, two: int) -> int:
        entry = current_entry()
        assert entry is not None
        entry.metadata["one"] = one
        return one + two

    @tracer.trace("tool_call", operation="slow_add")
    async def add_slowly(one: int, two: int) -> int:
        await asyncio.sleep(0)
        return one + two

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(add, range(20), range(20))) == [2 * number for number in range(20)]
    assert asyncio.run(add_slowly(1, 2)) == 3
    assert [entry.operation for entry in tracer.entries] == ["add"] * 20 + ["slow_add"]
    assert sorted(entry.metadata["one"] for entry in tracer.entries[:20]) == list(range(20))
    assert add.__name__ == "add"


def test_a_generator_is_one_action_from_its_first_step_to_its_end() -> None:
    tracer = ActionTracer()

    @tracer.trace("llm_call")
    def stream(number: int) -> Iterator[int]:
        assert current_entry() is not None
        yield from range(number)

    @tracer.trace("llm_call")
    async def async_stream(number: int) -> AsyncIterator[int]:
        for one in range(number):
            yield one

    async def read() -> list[int]:
        return [one async for one in async_stream(3)]

    unread = stream(3)
    assert tracer.entries == []
    assert list(stream(3)) == asyncio.run(read()) == [0, 1, 2]
    assert next(unread) == 0
    assert current_entry() is None
    unread.close()  # type: ignore[attr-defined]  # a generator behind an Iterator
    assert [entry.status for entry in tracer.entries] == ["ok", "ok", "cancelled"]


def test_a_generator_that_nobody_ends_is_recorded_when_it_is_collected() -> None:
    tracer = ActionTracer()

    @tracer.trace("llm_call")
    def stream() -> Iterator[int]:
        yield 1
        yield 2

    one = stream()
    next(one)
    del one
    gc.collect()
    assert only(tracer).status == "cancelled"


def test_an_error_inside_a_generator_is_the_actions() -> None:
    tracer = ActionTracer(log=False)

    @tracer.trace("llm_call")
    async def stream() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def read() -> None:
        async for _ in stream():
            pass

    with pytest.raises(ConnectionError):
        asyncio.run(read())
    assert only(tracer).status == "error"


def test_a_block_left_in_another_task_leaves_that_ones_context_alone() -> None:
    tracer = ActionTracer()

    async def main() -> None:
        action = tracer.trace("turn")
        entry = await asyncio.create_task(action.__aenter__())
        with logbraid.bound_context(tenant_id="other"), tracer.trace("tool_call") as inner:
            await action.__aexit__(None, None, None)
            assert current_entry() is inner
            assert logbraid.current_context()["tenant_id"] == "other"
        assert entry.status == "ok"

    asyncio.run(main())


def test_blocks_left_out_of_order_leave_nothing_behind() -> None:
    tracer = ActionTracer(log=False)
    outer, inner = tracer.trace("turn"), tracer.trace("tool_call")
    outer.__enter__()
    entry = inner.__enter__()
    outer.__exit__(None, None, None)
    assert current_entry() is entry
    inner.__exit__(None, None, None)
    assert current_entry() is None
    assert dict(logbraid.current_context()) == {}


def test_a_loop_that_goes_on_inside_its_own_action_keeps_nothing_of_the_ones_before() -> None:
    tracer = ActionTracer(max_entries=0, log=False)

    async def tick(left: int, done: asyncio.Future[dict[str, Any]], *, overlaps: bool) -> None:
        with tracer.trace("poll"):
            if not left:
                logbraid.bind_context(tenant_id="acme")
                done.set_result(dict(logbraid.current_context()))
                return
            after = asyncio.create_task(tick(left - 1, done, overlaps=overlaps))
            if overlaps:
                await asyncio.sleep(0)
        del after

    async def main(*, overlaps: bool) -> dict[str, Any]:
        done = asyncio.get_running_loop().create_future()
        await tick(1500, done, overlaps=overlaps)
        bound = await asyncio.wait_for(done, 10)
        assert kept() < before + 50
        return dict(bound)

    def kept() -> int:
        return sum(isinstance(one, Action | SpanContext) for one in gc.get_objects())

    before = kept()
    for overlaps in (False, True):
        assert set(asyncio.run(main(overlaps=overlaps))) == {"tenant_id", "trace_id", "span_id"}


def test_a_task_that_outlives_its_action_stays_in_its_trace() -> None:
    tracer = ActionTracer(log=False)

    async def late(over: asyncio.Event) -> TraceEntry:
        await over.wait()
        with tracer.trace("tool_call") as entry:
            return entry

    async def main() -> None:
        over = asyncio.Event()
        with logbraid.bound_context(tenant_id="acme"), tracer.trace("turn") as turn:
            task = asyncio.create_task(late(over))
            await asyncio.sleep(0)
        over.set()
        entry = await task
        assert (entry.trace_id, entry.parent_span_id) == (turn.trace_id, "")
        assert entry.tenant_id == "acme"

    asyncio.run(main())


def test_an_entry_that_does_not_settle_still_counts_for_its_run() -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise ValueError("ask something else")

        def __eq__(self, other: object) -> bool:
            raise ValueError("not to be compared")

        __hash__ = object.__hash__

    tracer = ActionTracer(log=False, prices={})
    got: list[TraceEntry] = []
    tracer.subscribe(got.append, action="tool_call")
    with capture_logs() as records, agent_run("r"):
        with tracer.trace("tool_call") as entry:
            entry.model = Odd()  # type: ignore[assignment]  # what frameworks hand over
        with tracer.trace("tool_call") as other:
            other.action = Odd()  # type: ignore[assignment]  # as above
    assert len(got) == 1
    assert records[-1]["tools"] == {"ok": 1, "error": 0}


def test_what_is_bound_inside_an_action_stays_bound_without_its_span() -> None:
    tracer = ActionTracer(log=False)
    with logbraid.bound_context(request_id="q"):
        with tracer.trace("turn"):
            logbraid.bind_context(tenant_id="acme")
        assert dict(logbraid.current_context()) == {"tenant_id": "acme", "request_id": "q"}


# Lines


def test_lines_inside_an_action_carry_its_span_and_its_own_line_too() -> None:
    with capture_logs() as records:
        log = logbraid.get_logger("app")
        tracer = ActionTracer()
        with logbraid.bound_context(tenant_id="acme", run_id="r"):
            log.info("before")
            with tracer.trace("turn") as turn:
                log.info("inside")
                logging.getLogger("lib").warning("inside too")
                with tracer.trace("tool_call", operation="pay") as tool:
                    log.info("deeper")
                log.info("inside again")
            log.info("after")
    spans = [(line["event"], line.get("span_id"), line.get("trace_id")) for line in records]
    assert spans == [
        ("before", None, None),
        ("inside", turn.span_id, turn.trace_id),
        ("inside too", turn.span_id, turn.trace_id),
        ("deeper", tool.span_id, turn.trace_id),
        ("tool_call", tool.span_id, turn.trace_id),
        ("inside again", turn.span_id, turn.trace_id),
        ("turn", turn.span_id, turn.trace_id),
        ("after", None, None),
    ]
    assert records[4]["parent_span_id"] == turn.span_id
    assert all(line["run_id"] == "r" for line in records)


@given(
    st.dictionaries(
        st.sampled_from(["tenant_id", "user_id", "run_id", "trace_id", "span_id", "shop"]),
        st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9),
    ),
    st.booleans(),
)
def test_the_short_cut_into_a_span_writes_the_bytes_of_the_long_way(
    bound: dict[str, str], is_warm: bool
) -> None:
    with capture_logs():
        fast = ready().fastpath
        fast._idle = lambda: True  # whatever another test once bound with structlog
        context = TracingContext(bound)
        token = variable.set(context)
        try:
            if is_warm:
                fast.line(20, "app", "warm", {})
            trace_id = bound.get("trace_id", "ab" * 16)
            inside = SpanContext(context, trace_id, "cd" * 8)
            plain = TracingContext({**bound, "trace_id": trace_id, "span_id": "cd" * 8})
            assert dict(inside) == dict(plain)
            lines = []
            for one in (inside, plain):
                variable.set(one)
                lines.append(fast.line(20, "app", "event", {"a": 1}))
        finally:
            variable.reset(token)
    first, second = (line[0].split(b'"level"')[1] for line in lines if line is not None)
    assert first == second


def test_log_false_writes_no_line() -> None:
    with capture_logs() as records, ActionTracer(log=False).trace("turn"):
        pass
    assert records == []


# Who hears of it


def test_a_failing_subscriber_is_isolated_counted_and_told_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    tracer = ActionTracer(log=False)
    heard: list[str] = []

    def broken(entry: TraceEntry) -> None:
        raise ValueError(SECRET)

    tracer.subscribe(broken)
    tracer.subscribe(lambda entry: heard.append(entry.action))
    for _ in range(5):
        with tracer.trace("turn"):
            pass
    assert heard == ["turn"] * 5
    assert tracer.subscriber_errors == 5
    told = capfd.readouterr().err
    assert told.count("trace subscriber") == 1
    assert SECRET not in told


def test_subscribe_returns_its_undo_and_may_ask_for_one_action() -> None:
    tracer = ActionTracer(log=False)
    heard: list[str] = []
    undo = tracer.subscribe(lambda entry: heard.append(entry.action), action="tool_call")
    for action in ("turn", "tool_call"):
        with tracer.trace(action):
            pass
    undo()
    undo()
    with tracer.trace("tool_call"):
        pass
    assert heard == ["tool_call"]


def test_zero_keeps_none_and_a_number_keeps_the_last() -> None:
    none, two = ActionTracer(max_entries=0, log=False), ActionTracer(max_entries=2, log=False)
    heard: list[TraceEntry] = []
    none.subscribe(heard.append)
    for number in range(5):
        for tracer in (none, two):
            with tracer.trace("turn", number=number):
                pass
    assert none.entries == []
    assert len(heard) == 5
    assert [entry.metadata["number"] for entry in two.entries] == [3, 4]
    two.clear()
    assert two.entries == []
    with pytest.raises(ValueError, match="max_entries is -1"):
        ActionTracer(max_entries=-1)


def test_an_entry_made_by_hand_gets_the_ids_of_where_it_is_recorded() -> None:
    tracer = ActionTracer(log=False)
    with logbraid.bound_context(tenant_id="acme", run_id="r"), tracer.trace("turn") as turn:
        tracer.record(TraceEntry(action="llm_call", model="m", prompt_tokens=3, run_id="mine"))
    entry = tracer.entries[0]
    assert (entry.tenant_id, entry.run_id) == ("acme", "mine")
    assert entry.parent_span_id == turn.span_id
    assert entry.total_tokens == 3


def test_many_threads_lose_no_entry() -> None:
    tracer = ActionTracer(max_entries=100_000, log=False)
    heard: list[str] = []
    tracer.subscribe(lambda entry: heard.append(entry.span_id))

    def work() -> None:
        for _ in range(500):
            with tracer.trace("tool_call"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tracer.entries) == len(set(heard)) == 4000


# Ways out and in


def test_a_dump_is_one_line_of_json_in_which_no_text_is_over_the_limit() -> None:
    entry = TraceEntry(
        action="llm_call",
        input_summary="x" * 5000,
        metadata={"max_tokens": 512, "api_key": SECRET, "nested": {"password": "hunter2-42"}},
    )
    text = entry.redacting_dump_json(max_summary_chars=100)
    assert "\n" not in text
    told = json.loads(text)
    assert len(told["input_summary"]) <= 100
    assert told["truncated"] == {"input_summary": 5000}
    assert told["metadata"]["max_tokens"] == 512
    assert SECRET not in text
    assert "hunter2-42" not in text
    assert told["timestamp"].endswith("Z")
    assert told["usd_cost"] is None


def test_an_unknown_type_in_metadata_loses_nothing() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    entry = TraceEntry(
        action="x", metadata={"odd": Odd(), "nan": math.nan, "big": 2**80, "set": {1}, "b": b"\xff"}
    )
    told = json.loads(entry.redacting_dump_json())
    assert set(told["metadata"]) == {"odd", "nan", "big", "set", "b"}


def test_from_machina_reads_a_dump_and_a_cost_of_zero_is_unknown() -> None:
    dumped = {
        "timestamp": "2026-04-20T10:00:00Z",
        "action": "llm_call",
        "operation": "complete",
        "duration_ms": 12.5,
        "success": False,
        "error": "boom",
        "metadata": {"a": 1},
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "usd_cost": 0.0,
        "model": "gpt-4o",
        "later_field": 1,
    }
    entry = TraceEntry.from_machina(dumped)
    assert entry.timestamp == datetime(2026, 4, 20, 10, tzinfo=UTC)
    assert (entry.status, entry.success, entry.usd_cost) == ("error", False, None)
    assert entry.total_tokens == 15
    assert entry.metadata == {"a": 1, "later_field": 1}
    for wrong in ({}, {"action": "x"}, {"action": 1, "timestamp": "2026-04-20T10:00:00Z"}):
        with pytest.raises(ValueError, match="a trace entry needs"):
            TraceEntry.from_machina(wrong)


def test_a_program_written_for_machina_runs_with_its_import_changed() -> None:
    tracer = ActionTracer(max_entries=3)
    seen: list[TraceEntry] = []
    tracer.subscribe(seen.append)
    with tracer.trace("llm_call", operation="complete") as span:
        span.output_summary = "hello"[:100]
        span.usd_cost = 0.25
    entry = TraceEntry(action="connector_query", connector="cmms", metadata={"token": "t0ken-77"})
    tracer.record(entry)
    assert entry.success
    assert entry.usd_cost is None
    assert seen == tracer.entries
    assert [one["action"] for one in tracer.summary()] == ["llm_call", "connector_query"]
    assert tracer.summary()[0]["usd_cost"] == 0.25
    assert "t0ken-77" not in str(tracer.summary())


def test_a_dump_like_machinas_is_redacted_and_makes_an_equal_entry() -> None:
    entry = TraceEntry(action="tool_call", metadata={"api_key": "hunter2-77", "n": 1}, usd_cost=0.5)
    dumped = entry.model_dump()
    assert dumped["metadata"] == {"api_key": "[REDACTED:api_key]", "n": 1}
    assert (dumped["timestamp"], dumped["usd_cost"]) == (entry.timestamp, 0.5)
    again = TraceEntry(**dumped)
    assert again.model_dump() == dumped
    assert json.loads(entry.model_dump_json()) == entry.to_dict()
    assert TraceEntry(action="x").model_dump()["usd_cost"] is None


def test_the_repr_of_an_entry_is_redacted_and_says_only_what_is_known() -> None:
    entry = TraceEntry(action="tool_call", input_summary="password=hunter2-77", prompt_tokens=3)
    shown = repr(entry)
    assert "hunter2-77" not in shown
    assert shown.startswith("TraceEntry(timestamp='20")
    assert "action='tool_call'" in shown
    assert "prompt_tokens=3" in shown
    assert "model" not in shown


def test_a_misspelt_field_is_told_once_with_the_right_name(
    capfd: pytest.CaptureFixture[str],
) -> None:
    tracer = ActionTracer(log=False)
    for _ in range(3):
        with tracer.trace("llm_call") as entry:
            entry.output_sumary = "lost"  # type: ignore[attr-defined]  # the mistake
            entry._mine = 1  # type: ignore[attr-defined]
    told = capfd.readouterr().err
    assert (
        told.count("TraceEntry has no field 'output_sumary'; did you mean 'output_summary'?") == 1
    )
    assert "_mine" not in told
    assert "lost" not in told


class Grumpy:
    """An object that answers no question."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __eq__(self, other: object) -> bool:
        raise ValueError("incomparable")

    __hash__ = None  # type: ignore[assignment]  # as numpy's arrays


def test_no_value_of_a_field_raises_into_the_agent() -> None:
    tracer = ActionTracer(prices={"m": {"prompt": 1, "completion": 1}})
    heard: list[TraceEntry] = []
    tracer.subscribe(heard.append)
    with capture_logs() as records:
        for name in ("prompt_tokens", "output_summary", "status_code", "operation", "model"):
            with tracer.trace("llm_call") as entry:
                setattr(entry, name, Grumpy())
        with tracer.trace("llm_call") as entry:
            entry.prompt_tokens = None  # type: ignore[assignment]  # a provider that told none
            entry.completion_tokens = 5
    assert entry.total_tokens == 5
    assert len(records) >= 3
    assert len(tracer.entries) == 6


def test_counts_and_costs_that_are_none_text_or_rubbish_lose_nothing_else() -> None:
    tracer = ActionTracer(prices={"m": {"prompt": 1000, "completion": 1000}}, log=False)
    told: list[tuple[Any, Any, Any]] = [(None, 50, 50), ("10", 5, 15), (math.nan, 5, 5), (-3, 5, 5)]
    for prompt, completion, total in told:
        with tracer.trace("llm_call") as entry:
            entry.model = "m"
            entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens = (
                prompt,
                completion,
                None,  # type: ignore[assignment]  # as usage details have it
            )
        assert (entry.total_tokens, entry.cached_tokens) == (total, 0)
        assert entry.usd_cost == pytest.approx(total / 1000)
    odd = ActionTracer(prices=lambda _: -1.0, log=False)
    with odd.trace("llm_call") as entry:
        entry.model = "m"
    assert entry.usd_cost is None


def test_the_status_code_of_each_client_library_is_found() -> None:
    request = httpx.Request("GET", "http://x/")
    errors = [
        httpx.HTTPStatusError("no", request=request, response=httpx.Response(503, request=request)),
        urllib.error.HTTPError("http://x/", 503, "no", None, None),  # type: ignore[arg-type]  # none needed
    ]
    tracer = ActionTracer(log=False)
    for error in errors:
        with suppress(type(error)), tracer.trace("llm_call"):
            raise error
    errors[1].close()  # type: ignore[attr-defined]  # it is a file too
    assert [entry.status_code for entry in tracer.entries] == [503, 503]


def test_observe_looks_at_so_much_and_no_more() -> None:
    entry = TraceEntry(action="tool_call")
    row = [{"a": 1}] * 3000
    entry.observe(input="x" * 1_000_000, output=[row] * 300)
    assert len(entry.input_summary) == 32_000
    assert entry.bytes_in == 1_000_000
    assert entry.fingerprint == fingerprint([[{"a": 2}]])


@pytest.mark.parametrize("value", ["super-secret", "my-secret", "supersecret", "test-key"])
def test_what_testers_take_for_a_secret_is_redacted_under_a_secret_name(value: str) -> None:
    entry = TraceEntry(action="t", metadata={"api_key": value, "client_secret": value, "a": 1})
    assert value not in entry.redacting_dump_json()


class _Tool:
    async def __call__(self) -> int:
        await asyncio.sleep(0.05)
        return 1


@pytest.mark.parametrize("tool", [_Tool(), functools.partial(_Tool())], ids=["object", "partial"])
def test_an_async_callable_object_is_timed_to_its_end_and_named(tool: Any) -> None:
    tracer = ActionTracer(log=False)
    assert asyncio.run(tracer.trace("tool_call")(tool)()) == 1
    (entry,) = tracer.entries
    assert entry.duration_ms >= 45
    assert entry.operation == "_Tool"


def test_an_exit_code_is_no_http_status() -> None:
    assert status_code_of(SystemExit(130)) is None


def test_a_group_of_one_kind_ended_as_that_kind() -> None:
    assert status_of(BaseExceptionGroup("g", [asyncio.CancelledError()])) == "cancelled"
    assert status_of(ExceptionGroup("g", [TimeoutError(), TimeoutError()])) == "timeout"
    assert status_of(ExceptionGroup("g", [TimeoutError(), ValueError()])) == "error"


def test_the_decorator_without_its_brackets_says_so() -> None:
    with pytest.raises(TypeError, match="brackets"):

        @ActionTracer().trace  # type: ignore[arg-type]  # what is shown
        def tool() -> None: ...


def test_one_action_object_entered_again_and_again_makes_an_entry_each_time() -> None:
    tracer = ActionTracer(log=False)
    action = tracer.trace("turn", step=1)
    with action as outer, action as inner:
        inner.metadata["step"] = 2
    with action as later:
        pass
    assert tracer.entries == [inner, outer, later]
    assert inner.parent_span_id == outer.span_id
    assert (outer.metadata, later.metadata) == ({"step": 1}, {"step": 1})
    assert current_entry() is None
