"""Run a function, a coroutine or a generator with something entered around it; kinds of blocks.

Functions and coroutines run inside the block. Generators cannot: between two of their steps the
caller's code runs, and the last step may come from another task. So each runs in a copy of the
context of its own, in which the block is entered once and left at its end.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Self, TypeVar, cast

_Entered = TypeVar("_Entered")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Closing(ABC):
    """Something that a ``with`` block closes at its end."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AlsoAsync:
    """A block for ``async with`` too: nothing in it waits."""

    __slots__ = ()

    async def __aenter__(self: AbstractContextManager[_Entered]) -> _Entered:
        return self.__enter__()

    async def __aexit__(
        self: AbstractContextManager[Any],
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def wrap(function: _Function, block: Callable[[], AbstractContextManager[Any]]) -> _Function:
    """Return *function* so that each call of it runs inside a new *block*."""
    body = body_of(function)
    if inspect.isasyncgenfunction(body):
        wrapped: Callable[..., Any] = _async_generator(function, block)
    elif inspect.isgeneratorfunction(body):
        wrapped = _generator(function, block)
    elif inspect.iscoroutinefunction(body):
        wrapped = _coroutine(function, block)
    else:
        wrapped = _plain(function, block)
    return cast("_Function", functools.update_wrapper(wrapped, function))


def body_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a call of *function* runs: of a partial its function, of an object its method."""
    if inspect.iscoroutinefunction(function):
        return function  # an object may be marked as one, with a plain method
    while isinstance(function, functools.partial):
        function = function.func
    is_object = not (inspect.isroutine(function) or isinstance(function, type))
    return type(function).__call__ if is_object else function


def _plain(
    function: Callable[..., Any], block: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return call


def _coroutine(
    function: Callable[..., Awaitable[Any]], block: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await function(*args, **kwargs)

    return call


class _Room:
    """A copy of the context with a block entered in it."""

    __slots__ = ("_block", "context")

    def __init__(self, block: AbstractContextManager[Any]) -> None:
        self.context = copy_context()
        self._block = block
        self.context.run(block.__enter__)

    def leave(self, error: BaseException | None = None) -> None:
        """Leave the block, because of *error* if there is one."""
        kind = None if error is None else type(error)
        traceback = None if error is None else error.__traceback__
        self.context.run(self._block.__exit__, kind, error, traceback)


def _generator(
    function: Callable[..., Generator[Any, Any, Any]],
    block: Callable[[], AbstractContextManager[Any]],
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        room = _Room(block())
        try:
            inner = room.context.run(function, *args, **kwargs)
            result = yield from _steps(room.context, inner)
        except BaseException as error:
            room.leave(error)
            raise
        room.leave()
        return result

    return call


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]],
    block: Callable[[], AbstractContextManager[Any]],
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        room = _Room(block())
        context = room.context
        try:
            inner = context.run(function, *args, **kwargs)
            step: Awaitable[Any] = inner.asend(None)
            try:
                while True:
                    try:
                        item = await _Driven(context, step)
                    except StopAsyncIteration:
                        break
                    try:
                        step = inner.asend((yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - whatever is thrown in goes in
                        step = inner.athrow(error)
            finally:
                await _Driven(context, inner.aclose())
        except BaseException as error:
            room.leave(error)
            raise
        room.leave()

    return call


def _steps(context: Context, inner: Any) -> Generator[Any, Any, Any]:
    """Drive what has ``send``, ``throw`` and ``close`` so that each step runs in *context*."""
    try:
        item = context.run(inner.send, None)
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                context.run(inner.close)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in goes in
                item = context.run(inner.throw, error)
            else:
                item = context.run(inner.send, sent)
    except StopIteration as stop:
        return stop.value


class _Driven:
    """Await one step of an async generator in a context of its own."""

    __slots__ = ("_context", "_step")

    def __init__(self, context: Context, step: Any) -> None:
        self._context = context
        self._step = step

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self._context, self._step.__await__())
