"""Carrying the context into threads, callbacks and child processes."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logbraid.context import (
    RequestSlot,
    TracingContext,
    bind_context,
    bound,
    bound_context,
    current_context,
)
from logbraid.health import health
from logbraid.propagation import (
    ContextExecutor,
    child_env,
    context_from_env,
    in_context,
    parse_traceparent,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def ids() -> dict[str, Any]:
    return current_context().to_dict()


# in_context


def test_function_runs_in_the_context_of_where_it_was_made() -> None:
    with bound_context(tenant_id="acme"):
        carried = in_context(ids)
    assert carried() == {"tenant_id": "acme"}
    assert ids() == {}


def test_function_carries_other_libraries_variables_too() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    carried = copy_context().run(lambda: (variable.set("x"), in_context(variable.get))[1])
    assert carried() == "x"
    assert variable.get("unset") == "unset"


def test_what_one_call_binds_is_not_there_in_the_next() -> None:
    def work() -> dict[str, Any]:
        before = ids()
        bind_context(tenant_id="globex")
        return before

    carried = in_context(work)
    assert [carried(), carried()] == [{}, {}]


def test_many_threads_may_call_it_at_the_same_time() -> None:
    def work(number: int) -> str:
        bind_context(user_id=f"u-{number}")
        return f"{current_context()['tenant_id']} {current_context()['user_id']}"

    with bound_context(tenant_id="acme"):
        carried = in_context(work)
    with ThreadPoolExecutor(8) as plain:
        assert list(plain.map(carried, range(200))) == [f"acme u-{number}" for number in range(200)]


def test_name_and_arguments_and_failure_are_those_of_the_function() -> None:
    def work(left: int, *, right: int) -> float:
        """Divide."""
        return left / right

    carried = in_context(work)
    assert (carried.__name__, carried.__doc__) == ("work", "Divide.")
    assert carried(1, right=2) == 0.5
    with pytest.raises(ZeroDivisionError):
        carried(1, right=0)


def test_an_object_that_is_called_like_a_coroutine_function_runs_with_it_too() -> None:
    class Tool:
        async def __call__(self) -> dict[str, Any]:
            await asyncio.sleep(0)
            return ids()

    class Made:
        def __init__(self) -> None:
            self.ids = ids()

        async def __call__(self) -> None:
            """Is not what a call of the class runs."""

    with bound_context(tenant_id="acme"):
        tool, made = in_context(Tool()), in_context(Made)
    assert asyncio.run(tool()) == {"tenant_id": "acme"}
    assert made().ids == {"tenant_id": "acme"}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="objects can be marked from 3.12 on")
def test_an_object_that_is_marked_as_a_coroutine_function_runs_with_it_too() -> None:
    class Marked:
        def __call__(self) -> Coroutine[Any, Any, dict[str, Any]]:
            return self._later()

        async def _later(self) -> dict[str, Any]:
            await asyncio.sleep(0)
            return ids()

    marked = Marked()
    mark: Callable[[object], None] = vars(inspect)["markcoroutinefunction"]
    mark(marked)
    with bound_context(tenant_id="acme"):
        carried = in_context(marked)
    assert asyncio.run(carried()) == {"tenant_id": "acme"}


def test_coroutines_and_generators_run_with_the_context_of_where_they_were_made() -> None:
    async def task() -> dict[str, Any]:
        await asyncio.sleep(0)
        return ids()

    def steps() -> Iterator[dict[str, Any]]:
        yield ids()
        yield ids()

    async def later() -> AsyncIterator[dict[str, Any]]:
        yield ids()
        await asyncio.sleep(0)
        yield ids()

    with bound_context(tenant_id="acme"):
        carried = in_context(task), in_context(steps), in_context(later)

    async def main() -> list[dict[str, Any]]:
        bind_context(tenant_id="globex", user_id="u-1")
        seen = [await carried[0](), *carried[1](), *[one async for one in carried[2]()]]
        return [*seen, ids()]

    *seen, after = asyncio.run(main())
    assert seen == [{"tenant_id": "acme"}] * 5
    assert after == {"tenant_id": "globex", "user_id": "u-1"}


# ContextExecutor


def test_executor_carries_the_context_of_who_submitted() -> None:
    with ContextExecutor(1) as workers:
        with bound_context(tenant_id="acme"):
            first = workers.submit(ids)
            mapped = workers.map(lambda _: ids(), range(3))
        nobody = workers.submit(ids)
        assert first.result() == {"tenant_id": "acme"}
        assert list(mapped) == [{"tenant_id": "acme"}] * 3
        assert nobody.result() == {}


def test_executor_leaves_nothing_in_its_worker() -> None:
    with ContextExecutor(1) as workers:
        workers.submit(bind_context, tenant_id="acme").result()
        assert workers.submit(ids).result() == {}
        assert ThreadPoolExecutor.submit(workers, ids).result() == {}


def test_executor_serves_run_in_executor() -> None:
    async def main(workers: ContextExecutor) -> dict[str, Any]:
        with bound_context(tenant_id="acme"):
            return await asyncio.get_running_loop().run_in_executor(workers, ids)

    with ContextExecutor(1) as workers:
        assert asyncio.run(main(workers)) == {"tenant_id": "acme"}


def test_executor_takes_keywords_of_any_name() -> None:
    def work(**fields: int) -> dict[str, int]:
        return fields

    with ContextExecutor(1) as workers:
        assert workers.submit(work, fn=1, self=2, callable=3).result() == {
            "fn": 1,
            "self": 2,
            "callable": 3,
        }


def test_a_thousand_pieces_of_work_of_twenty_tenants_never_mix() -> None:
    def work(tenant: str) -> tuple[str, str]:
        return tenant, current_context()["tenant_id"]

    def submit(number: int, workers: ContextExecutor) -> Any:
        with bound_context(tenant_id=f"t-{number % 20}"):
            return workers.submit(work, f"t-{number % 20}")

    with ContextExecutor(8) as workers:
        done = [future.result() for future in [submit(number, workers) for number in range(1000)]]
    assert not [pair for pair in done if pair[0] != pair[1]]


# Child processes


def test_child_gets_trace_and_ids() -> None:
    with bound_context(tenant_id="acme", run_id="run-9", trace_id=TRACE, span_id=SPAN):
        environ = child_env({"PATH": "/bin"})
    assert environ["PATH"] == "/bin"
    assert environ["TOOL_TRACE_ID"] == TRACE
    assert environ["TRACEPARENT"] == f"00-{TRACE}-{SPAN}-01"
    assert json.loads(environ["LOGBRAID_CONTEXT"]) == {"tenant_id": "acme", "run_id": "run-9"}


def test_child_of_an_unset_span_gets_a_new_one() -> None:
    with bound_context(trace_id=TRACE):
        parsed = parse_traceparent(child_env({})["TRACEPARENT"])
    assert parsed is not None
    assert parsed[0] == TRACE


def test_trace_id_that_is_no_w3c_id_gives_no_traceparent_of_another_trace() -> None:
    with bound_context(trace_id="ticket 7"):
        environ = child_env({"TRACEPARENT": f"00-{TRACE}-{SPAN}-01"})
    assert environ["TOOL_TRACE_ID"] == "ticket 7"
    assert "TRACEPARENT" not in environ


def test_child_of_a_child_gets_what_the_outer_process_gave() -> None:
    outer = {
        "LOGBRAID_CONTEXT": '{"tenant_id": "acme", "user_id": "u-7"}',
        "TRACEPARENT": f"00-{TRACE}-{SPAN}-01",
    }
    with bound_context(run_id="run-9", user_id="u-8"):
        environ = child_env(outer)
    assert json.loads(environ["LOGBRAID_CONTEXT"]) == {
        "tenant_id": "acme",
        "user_id": "u-8",
        "run_id": "run-9",
    }
    assert environ["TRACEPARENT"] == outer["TRACEPARENT"]
    assert environ["TOOL_TRACE_ID"] == TRACE


def test_child_of_another_tenant_gets_no_id_of_the_outer_process() -> None:
    outer = {"LOGBRAID_CONTEXT": '{"tenant_id": "acme", "user_id": "u-7"}'}
    with bound_context(tenant_id="globex"):
        environ = child_env(outer)
    assert json.loads(environ["LOGBRAID_CONTEXT"]) == {"tenant_id": "globex"}


def test_rubbish_of_the_outer_process_goes_no_further() -> None:
    assert child_env({"LOGBRAID_CONTEXT": "rubbish"}) == {}


def test_child_env_starts_from_this_process_and_leaves_it_alone() -> None:
    before = dict(os.environ)
    with bound_context(tenant_id="acme", trace_id="t-1"):
        environ = child_env()
    assert environ["TOOL_TRACE_ID"] == "t-1"
    assert environ["PATH"] == before["PATH"]
    assert dict(os.environ) == before


def test_child_of_a_request_gets_what_a_thread_bound_for_it() -> None:
    def request() -> dict[str, str]:
        context = TracingContext({"request_id": "r-1"})
        context.slot = RequestSlot()
        bound.set(context)
        copy_context().run(bind_context, tenant_id="acme")
        return child_env({})

    environ = copy_context().run(request)
    assert json.loads(environ["LOGBRAID_CONTEXT"]) == {"tenant_id": "acme", "request_id": "r-1"}


def test_real_child_reads_back_what_its_parent_bound() -> None:
    bound_fields = {"tenant_id": "mandant-ü", "user_id": 'u "7"', "trace_id": TRACE}
    with bound_context(**bound_fields):
        environ = child_env()
    script = (
        "import json, os; from logbraid.propagation import context_from_env;"
        "print(json.dumps(context_from_env(os.environ)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert {name: seen[name] for name in bound_fields} == bound_fields
    assert len(seen["parent_span_id"]) == 16


@pytest.mark.parametrize(
    ("environ", "fields"),
    [
        ({}, {}),
        ({"TOOL_TRACE_ID": " ", "TRACEPARENT": "", "LOGBRAID_CONTEXT": ""}, {}),
        ({"TOOL_TRACE_ID": "any text"}, {"trace_id": "any text"}),
        (
            {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01"},
            {"trace_id": TRACE, "parent_span_id": SPAN},
        ),
        (
            {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01", "TOOL_TRACE_ID": TRACE},
            {"trace_id": TRACE, "parent_span_id": SPAN},
        ),
        (
            {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01", "TOOL_TRACE_ID": "other"},
            {"trace_id": "other"},
        ),
        ({"LOGBRAID_CONTEXT": '{"tenant_id": "acme", "x": "y"}'}, {"tenant_id": "acme"}),
        ({"LOGBRAID_CONTEXT": '{"tenant_id": 7, "user_id": "u-7"}'}, {"user_id": "u-7"}),
    ],
)
def test_environment_gives_the_context_of_a_process(
    environ: dict[str, str], fields: dict[str, str]
) -> None:
    assert context_from_env(environ) == fields


@pytest.mark.parametrize(
    "environ",
    [
        {"TRACEPARENT": "rubbish-secret"},
        {"LOGBRAID_CONTEXT": "rubbish-secret"},
        {"LOGBRAID_CONTEXT": '["rubbish-secret"]'},
        {"LOGBRAID_CONTEXT": "[" * 8000},
        {"LOGBRAID_CONTEXT": '{"tenant_id": "' + "rubbish-secret" * 1000 + '"}'},
    ],
)
def test_rubbish_in_the_environment_is_told_without_its_text(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    health.reset()
    assert context_from_env(environ) == {}
    told = capfd.readouterr().err
    assert next(iter(environ)) in told
    assert "secret" not in told


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{30,34}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"))
def test_traceparent_is_valid_or_none(text: str) -> None:
    parsed = parse_traceparent(text)
    assert parsed is None or (len(parsed[0]), len(parsed[1])) == (32, 16)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", True),
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"cc-{TRACE}-{SPAN}-01.more", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-1", False),
        (f"00-{TRACE}-{SPAN}-01\n", False),
        (f"0-{TRACE}-{SPAN}-01", False),
        ("", False),
    ],
)
def test_traceparent_by_the_letter(text: str, valid: bool) -> None:
    assert (parse_traceparent(text) is not None) is valid


def test_child_env_goes_on_in_the_span_of_opentelemetry() -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    ids = trace.SpanContext(0xABC, 0xDEF, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(ids)):
        env = child_env({})
        with bound_context(trace_id="f" * 32):
            other = child_env({})
    assert env["TRACEPARENT"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"
    assert env["TOOL_TRACE_ID"] == f"{0xABC:032x}"
    assert other["TOOL_TRACE_ID"] == "f" * 32
