"""One run in one line: what it adds up, how it nests, and a thousand of them at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import logbraid
from logbraid.agent import ActionTracer, EventArchive, TraceEntry, agent_run
from logbraid.testing import capture_logs


def test_a_run_binds_its_id_and_sums_up_what_any_tracer_recorded() -> None:
    one, other = ActionTracer(log=False), ActionTracer(log=False)
    with capture_logs() as records, agent_run("triage", run_id="r-1") as run:
        assert logbraid.current_context()["run_id"] == run.run_id == "r-1"
        with one.trace("turn"):
            with one.trace("llm_call") as call:
                call.prompt_tokens, call.cached_tokens, call.completion_tokens = 100, 25, 10
                call.usd_cost = 0.5
            with other.trace("tool_call", operation="search") as tool:
                pass
            with suppress(ValueError), other.trace("tool_call", operation="pay"):
                raise ValueError
        other.record(TraceEntry(action="tool_call", operation="slow", duration_ms=5000.0))
    (line,) = records
    assert (line["event"], line["level"], line["name"], line["status"]) == (
        "agent_run",
        "info",
        "triage",
        "ok",
    )
    assert line["tools"] == {"ok": 2, "error": 1}
    assert (line["turns"], line["llm_calls"], line["errors"]) == (1, 1, 1)
    assert (line["tokens"], line["cached_ratio"], line["usd_cost"]) == (110, 0.25, 0.5)
    assert line["slowest_step"]["operation"] == "slow"
    assert tool.run_id == "r-1"
    assert "run_id" not in logbraid.current_context()


def test_a_run_that_raises_is_an_error_with_its_traceback_and_the_error_goes_on() -> None:
    with capture_logs() as records, pytest.raises(ZeroDivisionError), agent_run():
        _ = 1 / 0
    (line,) = records
    assert (line["level"], line["status"], line["error_type"]) == (
        "error",
        "error",
        "ZeroDivisionError",
    )


def test_a_run_inside_a_run_counts_in_both_and_names_the_outer_one() -> None:
    tracer = ActionTracer(log=False)
    with capture_logs() as records, agent_run("outer") as outer, agent_run("inner"):
        tracer.record(TraceEntry(action="turn"))
    inner_line, outer_line = records
    assert inner_line["parent_run_id"] == outer.run_id == outer_line["run_id"]
    assert inner_line["turns"] == outer_line["turns"] == 1


def test_tokens_of_a_turn_that_repeats_its_calls_are_not_counted_twice() -> None:
    tracer = ActionTracer(log=False)
    with capture_logs() as records, agent_run():
        tracer.record(TraceEntry(action="llm_call", prompt_tokens=10, usd_cost=1.0))
        tracer.record(TraceEntry(action="turn", prompt_tokens=10, usd_cost=1.0))
    assert (records[0]["tokens"], records[0]["usd_cost"]) == (10, 1.0)


def test_one_object_may_be_entered_again_and_leaves_nothing_behind() -> None:
    run = agent_run("again")
    with capture_logs() as records:
        with run, run:
            pass
        with run:
            pass
    assert "run_id" not in logbraid.current_context()
    assert len({line["run_id"] for line in records}) == 3


def test_tasks_that_share_one_object_end_their_own_runs() -> None:
    shared = agent_run("shared")
    tracer = ActionTracer(log=False)

    async def work(turns: int, seconds: float) -> None:
        async with shared:
            for _ in range(turns):
                with tracer.trace("turn"):
                    await asyncio.sleep(seconds)
            assert "run_id" in logbraid.current_context()
        assert "run_id" not in logbraid.current_context()

    async def main() -> None:
        await asyncio.gather(work(1, 0.02), work(2, 0.001), work(3, 0.005))

    with capture_logs() as records:
        asyncio.run(main())
    assert sorted(line["turns"] for line in records) == [1, 2, 3]
    assert len({line["run_id"] for line in records}) == 3


def test_as_a_decorator_each_call_is_a_run() -> None:
    @agent_run("job")
    async def job() -> str:
        await asyncio.sleep(0)
        return str(logbraid.current_context()["run_id"])

    with capture_logs() as records:
        ids = [asyncio.run(job()), asyncio.run(job())]
    assert [line["run_id"] for line in records] == ids
    assert len(set(ids)) == 2


def test_a_thousand_runs_at_once_put_no_id_into_a_foreign_record(tmp_path: Path) -> None:
    archive = EventArchive(tmp_path)
    tracer = ActionTracer(max_entries=10_000)
    log = logbraid.get_logger("app")

    async def one(number: int) -> None:
        name = f"n{number}"
        with logbraid.bound_context(tenant_id=f"t{number % 7}", session_id=name):
            async with agent_run(run_id=f"r-{name}"), tracer.trace("turn", me=name):
                await asyncio.sleep(0)
                log.info("mine", me=name)
                archive.on_event({"type": "mine", "data": {"me": name}})
                async with tracer.trace("tool_call", operation="x", me=name):
                    await asyncio.sleep(0)

    def in_thread(number: int) -> None:
        asyncio.run(one(number))

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(1000)))

    with capture_logs() as records:
        asyncio.run(main())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(in_thread, range(1000, 1100)))
    for entry in tracer.entries:
        assert entry.run_id == f"r-{entry.metadata['me']}"
        assert entry.session_id == entry.metadata["me"]
    for line in records:
        me = line.get("me") or (line.get("metadata") or {}).get("me")
        assert me is None or (line["run_id"], line["session_id"]) == (f"r-{me}", me)
    assert len(tracer.entries) == 2200
    for number in (0, 500, 1050):
        (event,) = archive.replay(f"n{number}", tenant_id=f"t{number % 7}")
        assert event.data["me"] == f"n{number}"
    archive.close()


def test_without_its_brackets_the_decorator_refuses_the_function() -> None:
    with pytest.raises(TypeError, match=r"write @agent_run\(\)"):

        @agent_run  # type: ignore[arg-type]  # the mistake
        def triage() -> None:
            """Never run."""
