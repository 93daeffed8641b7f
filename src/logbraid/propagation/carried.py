"""Functions and executors that run in the tracing context of whoever made or called them.

Everything here hands on a copy: what a worker binds never reaches back, and a worker thread that
is used again starts with nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from functools import partial, update_wrapper
from typing import Any, Final, ParamSpec, TypeVar, cast

from logbraid.context import TracingContext, bound, current_context
from logbraid.drive import body_of, wrap

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def in_context(function: _Function, /) -> _Function:
    """Return *function* so that every call of it runs in the context that is current now.

    A plain function runs in a copy of the whole context (other libraries' variables too), a new
    copy for each call, so threads may call it at the same time. Coroutine functions, generator
    functions and async generator functions, and objects whose ``__call__`` is one, run with the
    tracing context of now.
    """
    body = body_of(function)
    if any(is_driven(body) for is_driven in _DRIVEN):
        return _with_tracing_context(function)
    context = copy_context()

    def call(*args: Any, **kwargs: Any) -> Any:
        # A context can be entered once at a time; a copy costs 50 ns
        return context.copy().run(function, *args, **kwargs)

    return cast("_Function", update_wrapper(call, function))


_DRIVEN: Final = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)
"""Calling one of these runs nothing of it yet."""


def _with_tracing_context(function: _Function) -> _Function:
    context = current_context()
    return wrap(function, lambda: _Bound(context))


class _Bound(AbstractContextManager[None]):
    """Bind one whole tracing context for a block."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: TracingContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = bound.set(self._context)

    def __exit__(self, *_: object) -> None:
        # Torn down in another task it leaves that one's context alone
        with suppress(ValueError):
            bound.reset(self._token)


class ContextExecutor(ThreadPoolExecutor):
    """A ``ThreadPoolExecutor`` whose work runs in the context of who submitted it.

    ``submit`` and ``map`` take a copy of the context at the call. The worker's own context stays
    as it was, so nothing is left for the next piece of work. Serves ``loop.run_in_executor`` too.
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Schedule ``fn(*args, **kwargs)`` in a copy of the context of now."""
        return super().submit(partial(copy_context().run, fn, *args, **kwargs))
