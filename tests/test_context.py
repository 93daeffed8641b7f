"""The tracing context: whose it is in tasks, threads, generators, and in teardown elsewhere."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import inspect
import pickle
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, ParamSpec, TypeVar

import pytest

import logbraid
from logbraid.context import (
    RequestSlot,
    TracingContext,
    bind_context,
    bound,
    bound_context,
    clear_context,
    current_context,
    unbind_context,
)
from logbraid.testing import capture_logs

P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    clear_context()
    yield
    clear_context()


def tenant() -> str | None:
    return current_context().get("tenant_id")


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args, **kwargs).result()


# Binding


def test_bind_adds_unbind_takes_away_and_clear_empties() -> None:
    bind_context(tenant_id="acme", user_id="u", shop=7)
    bind_context(user_id="v")
    assert current_context() == {"tenant_id": "acme", "user_id": "v", "shop": 7}
    unbind_context("user_id", "never_there")
    assert current_context() == {"tenant_id": "acme", "shop": 7}
    clear_context()
    assert current_context() == {}


def test_none_and_empty_text_mean_not_set() -> None:
    bind_context(tenant_id="acme", user_id="", shop=None, note="")
    assert current_context() == {"tenant_id": "acme"}
    bind_context(tenant_id=None)
    assert current_context() == {}


def test_false_zero_and_empty_lists_are_values() -> None:
    bind_context(a=False, b=0, c=[])
    assert current_context() == {"a": False, "b": 0, "c": []}


def test_ids_stand_first_in_their_order_then_others_as_bound() -> None:
    bind_context(zeta=1, request_id="r", alpha=2, tenant_id="t", trace_id="x", user_id="u")
    order = ["tenant_id", "user_id", "request_id", "trace_id", "zeta", "alpha"]
    assert list(current_context()) == order


def test_a_context_taken_earlier_does_not_change() -> None:
    bind_context(tenant_id="acme")
    taken = current_context()
    bind_context(tenant_id="globex", more=1)
    clear_context()
    assert taken == {"tenant_id": "acme"}


def test_context_is_a_mapping_that_round_trips() -> None:
    made = TracingContext({"tenant_id": "t", "user_id": "u", "x": [1]})
    assert TracingContext.from_dict(made.to_dict()) == made
    assert made.tracing_dict == {"tenant_id": "t", "user_id": "u"}
    assert ("x" in made, made["x"], made.get("y"), len(made)) == (True, [1], None, 3)


def test_context_travels_to_another_process_without_what_was_made_of_it() -> None:
    made = TracingContext({"tenant_id": "t", "x": [1]})
    made.made = (threading.Lock(), b"...")
    made.slot = RequestSlot()
    for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert other == made
        assert (other.made, other.slot) == (None, None)


def test_to_dict_is_a_copy() -> None:
    made = TracingContext({"tenant_id": "t"})
    made.to_dict()["tenant_id"] = made.tracing_dict["tenant_id"] = "other"
    assert made["tenant_id"] == "t"


def test_with_tracing_changes_clears_and_keeps() -> None:
    made = TracingContext({"tenant_id": "t", "user_id": "u", "run_id": "r"})
    changed = made.with_tracing(user_id="v", run_id=None)
    assert changed == {"tenant_id": "t", "user_id": "v"}
    assert made == {"tenant_id": "t", "user_id": "u", "run_id": "r"}


def test_repr_shows_ids_and_only_counts_the_rest() -> None:
    made = TracingContext({"tenant_id": "t", "password": "hunter2"})
    assert repr(made) == "TracingContext(tenant_id='t', and 1 more)"


def test_repr_shows_no_more_of_an_id_than_a_line_does() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    made = TracingContext({"session_id": token, "user_id": "u-7"})
    with capture_logs() as logs:
        logbraid.get_logger("app").info("e", **made)
    assert logs[0]["session_id"].startswith("jwt~")
    assert repr(made) == f"TracingContext(user_id='u-7', session_id={logs[0]['session_id']!r})"
    assert made["session_id"] == token
    assert made.to_dict()["session_id"] == token


# The block


def test_block_binds_and_restores_in_nesting() -> None:
    with bound_context(tenant_id="a", x=1) as outer:
        assert outer == current_context()
        with bound_context(tenant_id="b", x=None):
            assert current_context() == {"tenant_id": "b"}
        assert current_context() == {"tenant_id": "a", "x": 1}
    assert current_context() == {}


def test_block_restores_when_its_body_raises() -> None:
    with pytest.raises(ZeroDivisionError), bound_context(tenant_id="a"):
        raise ZeroDivisionError
    assert current_context() == {}


def test_bind_inside_a_block_ends_with_the_block() -> None:
    with bound_context(tenant_id="a"):
        bind_context(user_id="u")
    assert current_context() == {}


def test_one_object_may_be_entered_again_inside_itself() -> None:
    again = bound_context(tenant_id="a")
    with again:
        bind_context(tenant_id="b")
        with again:
            assert tenant() == "a"
        assert tenant() == "b"
    assert tenant() is None


def test_blocks_left_out_of_order_end_with_nothing_of_theirs() -> None:
    first, second = bound_context(tenant_id="a"), bound_context(user_id="u")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current_context() == {}


def test_clear_inside_a_block_ends_with_the_block() -> None:
    bind_context(tenant_id="outer")
    with bound_context(user_id="u"):
        clear_context()
        assert current_context() == {}
    assert current_context() == {"tenant_id": "outer"}


def test_async_with_does_the_same() -> None:
    async def run() -> tuple[str | None, str | None]:
        async with bound_context(tenant_id="a"):
            inside = tenant()
        return inside, tenant()

    assert asyncio.run(run()) == ("a", None)


# Tasks and threads


def test_tasks_see_their_parents_context_and_keep_their_own() -> None:
    async def child(name: str) -> tuple[str | None, str | None]:
        before = tenant()
        bind_context(tenant_id=name)
        await asyncio.sleep(0)
        return before, tenant()

    async def run() -> None:
        bind_context(tenant_id="parent")
        found = await asyncio.gather(*(child(f"t{i}") for i in range(50)))
        assert found == [("parent", f"t{i}") for i in range(50)]
        assert tenant() == "parent"

    asyncio.run(run())


def test_new_thread_starts_empty_and_to_thread_takes_the_context_along() -> None:
    async def run() -> None:
        with bound_context(tenant_id="a"):
            assert await asyncio.to_thread(tenant) == "a"
            await asyncio.to_thread(bind_context, tenant_id="b")
            assert tenant() == "a"
            copied = contextvars.Context().run(in_thread, tenant)
            assert copied is None

    asyncio.run(run())


def test_one_block_object_serves_many_tasks_at_once() -> None:
    shared = bound_context(tenant_id="shared")

    async def worker(number: int) -> None:
        bind_context(tenant_id=f"own-{number}")
        for _ in range(3):
            with shared:
                assert tenant() == "shared"
                await asyncio.sleep(0)
                with shared:
                    await asyncio.sleep(0)
                assert tenant() == "shared"
            assert tenant() == f"own-{number}"
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(*(worker(number) for number in range(100)))
        assert tenant() is None

    asyncio.run(run())
    assert not shared._entered


def test_leaving_a_block_shared_by_a_thousand_tasks_looks_at_none_of_the_others() -> None:
    looked: list[object] = []

    class Counting(bound_context):
        def _leave(self, block: object) -> bool:
            looked.append(block)
            return super()._leave(block)

    shared = Counting(tenant_id="shared")

    async def worker() -> None:
        with shared:
            bind_context(user_id="u")
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(*(worker() for _ in range(1000)))

    asyncio.run(run())
    assert len(looked) == 1000


def test_one_block_object_serves_many_threads_at_once() -> None:
    shared = bound_context(tenant_id="shared")
    wrong: list[object] = []

    def worker(number: int) -> None:
        bind_context(tenant_id=f"own-{number}")
        try:
            for _ in range(500):
                with shared:
                    if tenant() != "shared":
                        wrong.append(tenant())
                if tenant() != f"own-{number}":
                    wrong.append(tenant())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            wrong.append(error)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places between any two steps
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert not shared._entered


# Teardown elsewhere


def test_block_left_in_another_task_leaves_that_task_alone() -> None:
    async def run() -> None:
        block = bound_context(tenant_id="a")

        async def enter() -> None:
            block.__enter__()

        async def leave() -> str | None:
            bind_context(tenant_id="b")
            block.__exit__(None, None, None)
            return tenant()

        await asyncio.create_task(enter())
        assert await asyncio.create_task(leave()) == "b"

    asyncio.run(run())


def test_block_left_in_another_thread_leaves_that_thread_alone() -> None:
    block = bound_context(tenant_id="a")
    block.__enter__()

    def leave() -> str | None:
        bind_context(tenant_id="b")
        block.__exit__(None, None, None)
        return tenant()

    assert contextvars.Context().run(in_thread, leave) == "b"
    assert tenant() == "a"


def test_leaving_a_block_that_was_never_entered_does_nothing() -> None:
    bind_context(tenant_id="a")
    bound_context(tenant_id="b").__exit__(None, None, None)
    assert tenant() == "a"


def test_generator_with_a_block_closed_from_another_task_leaves_it_alone() -> None:
    def numbers() -> Generator[int, None, None]:
        with bound_context(tenant_id="a"):
            yield 1

    async def run() -> None:
        made = numbers()

        async def start() -> None:
            next(made)

        async def finish() -> str | None:
            bind_context(tenant_id="b")
            made.close()
            return tenant()

        await asyncio.create_task(start())
        assert await asyncio.create_task(finish()) == "b"

    asyncio.run(run())


def test_async_generator_torn_down_in_another_task_leaves_it_alone() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        with bound_context(tenant_id="a"):
            yield 1

    async def run() -> None:
        made = numbers()

        async def finish() -> str | None:
            bind_context(tenant_id="b")
            await made.aclose()
            return tenant()

        await asyncio.create_task(anext_of(made))
        assert await asyncio.create_task(finish()) == "b"

    asyncio.run(run())


def test_abandoned_async_generator_gives_its_tenant_to_nobody() -> None:
    @bound_context(tenant_id="a")
    async def numbers() -> AsyncGenerator[int, None]:
        with bound_context(user_id="u"):
            yield 1
            yield 2

    async def run() -> None:
        bind_context(tenant_id="b")
        async for _ in numbers():
            break  # the collector closes it, in whatever task
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
            assert current_context() == {"tenant_id": "b"}

    asyncio.run(run())


async def anext_of(made: AsyncIterator[T]) -> T:
    return await anext(made)


# Decorators


def test_decorated_function_runs_with_the_fields_and_gives_back_its_value() -> None:
    @bound_context(tenant_id="a")
    def add(one: int, *, other: int) -> tuple[int, str | None]:
        """Add."""
        return one + other, tenant()

    assert add(1, other=2) == (3, "a")
    assert tenant() is None
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert list(inspect.signature(add).parameters) == ["one", "other"]


def test_decorated_function_may_call_itself() -> None:
    @bound_context(tenant_id="a")
    def count(number: int) -> list[str | None]:
        return [tenant(), *count(number - 1)] if number else [tenant()]

    assert count(3) == ["a"] * 4
    assert tenant() is None


def test_each_kind_of_function_stays_of_its_kind() -> None:
    def plain() -> None: ...
    async def coroutine() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    tests = (
        inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction
    )  # fmt: skip
    for function in (plain, coroutine, generator, async_generator):
        wrapped = bound_context(tenant_id="a")(function)
        assert [test(wrapped) for test in tests] == [test(function) for test in tests]


def test_decorated_method_gets_its_object() -> None:
    class Shop:
        @bound_context(tenant_id="a")
        def name(self) -> tuple[str, str | None]:
            return type(self).__name__, tenant()

    assert Shop().name() == ("Shop", "a")


def test_decorated_coroutine_keeps_the_fields_over_awaits_and_many_at_once() -> None:
    @bound_context(tenant_id="a")
    async def work(number: int) -> tuple[int, str | None]:
        bind_context(user_id=f"u{number}")
        await asyncio.sleep(0)
        assert current_context() == {"tenant_id": "a", "user_id": f"u{number}"}
        return number, tenant()

    async def run() -> None:
        bind_context(tenant_id="outer")
        assert await work(7) == (7, "a")
        assert current_context() == {"tenant_id": "outer"}
        assert await asyncio.gather(*map(work, range(50))) == [(n, "a") for n in range(50)]

    asyncio.run(run())


def test_decorated_coroutine_that_is_cancelled_restores() -> None:
    @bound_context(tenant_id="a")
    async def work() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        bind_context(tenant_id="outer")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await work()
        assert tenant() == "outer"

    asyncio.run(run())


@bound_context(tenant_id="a")
def talk() -> Generator[Any, Any, str]:
    """Say what it sees, hears and is thrown, until it is told to stop."""
    heard: Any = tenant()
    while heard != "stop":
        try:
            heard = yield heard, tenant()
        except ZeroDivisionError as error:
            heard = error
    return f"done in {tenant()}"


def test_decorated_generator_passes_send_throw_and_return_on() -> None:
    bind_context(tenant_id="outer")
    made = talk()
    assert next(made) == ("a", "a")
    assert tenant() == "outer"
    assert made.send(5) == (5, "a")
    error = ZeroDivisionError()
    assert made.throw(error) == (error, "a")
    with pytest.raises(StopIteration) as stopped:
        made.send("stop")
    assert stopped.value.value == "done in a"
    assert tenant() == "outer"


def test_decorated_generator_works_with_yield_from() -> None:
    def outer() -> Generator[Any, Any, str]:
        said = yield from talk()
        return said.upper()

    made = outer()
    next(made)
    with pytest.raises(StopIteration) as stopped:
        made.send("stop")
    assert stopped.value.value == "DONE IN A"


def test_exception_thrown_into_a_decorated_generator_comes_out() -> None:
    made = talk()
    next(made)
    with pytest.raises(KeyError):
        made.throw(KeyError("x"))
    assert list(made) == []


def test_what_a_decorated_generator_binds_stays_inside_and_lasts() -> None:
    @bound_context(tenant_id="a")
    def numbers() -> Iterator[dict[str, Any]]:
        bind_context(user_id="inner")
        yield current_context().to_dict()
        yield current_context().to_dict()

    found = []
    for context in numbers():
        bind_context(user_id="outer")
        found.append(context)
    assert found == [{"tenant_id": "a", "user_id": "inner"}] * 2
    assert current_context() == {"user_id": "outer"}


def test_closed_decorated_generator_cleans_up_in_its_own_context() -> None:
    seen: list[str | None] = []

    @bound_context(tenant_id="a")
    def numbers() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            seen.append(tenant())

    async def run() -> None:
        made = numbers()

        async def start() -> None:
            next(made)

        async def finish() -> str | None:
            bind_context(tenant_id="b")
            made.close()
            return tenant()

        await asyncio.create_task(start())
        assert await asyncio.create_task(finish()) == "b"

    asyncio.run(run())
    assert seen == ["a"]


def test_two_decorated_generators_stepped_in_turns_do_not_mix() -> None:
    def numbers(name: str) -> Iterator[str | None]:
        def steps() -> Iterator[str | None]:
            for _ in range(3):
                yield tenant()

        return bound_context(tenant_id=name)(steps)()

    pairs = zip(numbers("a"), numbers("b"), strict=True)
    assert list(pairs) == [("a", "b")] * 3


@bound_context(tenant_id="a")
async def atalk() -> AsyncGenerator[Any, Any]:
    """Do as ``talk`` does."""
    heard: Any = tenant()
    while heard != "stop":
        try:
            await asyncio.sleep(0)
            heard = yield heard, tenant()
        except ZeroDivisionError as error:
            heard = error


def test_decorated_async_generator_passes_asend_and_athrow_on() -> None:
    async def run() -> None:
        bind_context(tenant_id="outer")
        made = atalk()
        assert await anext(made) == ("a", "a")
        assert tenant() == "outer"
        assert await made.asend(5) == (5, "a")
        error = ZeroDivisionError()
        assert await made.athrow(error) == (error, "a")
        with pytest.raises(StopAsyncIteration):
            await made.asend("stop")
        assert tenant() == "outer"

    asyncio.run(run())


def test_exception_thrown_into_a_decorated_async_generator_comes_out() -> None:
    async def run() -> None:
        made = atalk()
        await anext(made)
        with pytest.raises(KeyError):
            await made.athrow(KeyError("x"))
        assert [item async for item in made] == []

    asyncio.run(run())


def test_decorated_async_generator_closed_in_another_task_cleans_up_in_its_own_context() -> None:
    seen: list[str | None] = []

    @bound_context(tenant_id="a")
    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            seen.append(tenant())

    async def run() -> None:
        made = numbers()

        async def finish() -> str | None:
            bind_context(tenant_id="b")
            await made.aclose()
            return tenant()

        await asyncio.create_task(anext_of(made))
        assert await asyncio.create_task(finish()) == "b"

    asyncio.run(run())
    assert seen == ["a"]


def test_decorated_async_generator_iterated_from_two_tasks_keeps_its_context() -> None:
    @bound_context(tenant_id="a")
    async def numbers() -> AsyncGenerator[str | None, None]:
        while True:
            await asyncio.sleep(0)
            yield tenant()

    async def run() -> None:
        async with aclosing(numbers()) as made:
            for _ in range(3):
                assert await asyncio.create_task(anext_of(made)) == "a"

    asyncio.run(run())


def test_cancelled_step_of_a_decorated_async_generator_is_cancelled_inside() -> None:
    seen: list[str | None] = []

    @bound_context(tenant_id="a")
    async def numbers() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(tenant())
            raise
        yield 1

    async def run() -> None:
        step = asyncio.create_task(anext_of(numbers()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    asyncio.run(run())
    assert seen == ["a"]


def test_context_managers_can_be_made_of_decorated_generators() -> None:
    @contextmanager
    @bound_context(tenant_id="a")
    def plain() -> Iterator[str | None]:
        yield tenant()

    @asynccontextmanager
    @bound_context(tenant_id="a")
    async def asynchronous() -> AsyncIterator[str | None]:
        yield tenant()

    async def run() -> None:
        with plain() as one:
            async with asynchronous() as other:
                assert (one, other, tenant()) == ("a", "a", None)
        with pytest.raises(ZeroDivisionError):
            async with asynchronous():
                raise ZeroDivisionError

    asyncio.run(run())


def test_fields_of_a_decorator_are_bound_on_top_of_each_callers_context() -> None:
    @bound_context(run_id="r")
    def see() -> dict[str, Any]:
        return current_context().to_dict()

    bind_context(tenant_id="one")
    assert see() == {"tenant_id": "one", "run_id": "r"}
    bind_context(tenant_id="two")
    assert see() == {"tenant_id": "two", "run_id": "r"}


# The slot of a request


def begin_request() -> RequestSlot:
    context = TracingContext()
    context.slot = RequestSlot()
    bound.set(context)
    return context.slot


def test_what_a_copy_of_the_context_bound_fills_the_access_line() -> None:
    async def run() -> None:
        slot = begin_request()
        await asyncio.to_thread(bind_context, tenant_id="acme", user_id="u")
        assert current_context() == {}
        assert slot.fill(current_context()) == {"tenant_id": "acme", "user_id": "u"}

    asyncio.run(run())


def test_two_tenants_in_one_request_name_none() -> None:
    async def run() -> None:
        slot = begin_request()
        await asyncio.to_thread(bind_context, tenant_id="acme", user_id="u")
        await asyncio.to_thread(bind_context, tenant_id="globex")
        assert slot.fill(current_context()) == {"user_id": "u"}

    asyncio.run(run())


def test_what_is_bound_in_the_request_itself_beats_its_slot() -> None:
    slot = begin_request()
    bind_context(user_id="mine")
    slot.note({"user_id": "other", "shop": 1})
    assert slot.fill(current_context()) == {"user_id": "mine", "shop": 1}


def test_clearing_the_context_clears_what_the_slot_would_fill_in() -> None:
    slot = begin_request()
    bind_context(tenant_id="acme", user_id="u")
    clear_context()
    assert slot.fill(current_context()) == {}
    assert current_context().slot is slot


def test_unbound_in_a_copy_is_not_filled_in() -> None:
    slot = begin_request()
    bind_context(user_id="u")
    contextvars.copy_context().run(unbind_context, "user_id")
    assert slot.fill(TracingContext()) == {}
