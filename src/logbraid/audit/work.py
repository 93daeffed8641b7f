"""``audited``: one record about a piece of work, written when it is over, however it ended.

Success, failure, cancellation and time-out alike. Of an exception only the class is kept: its
text may be the payload.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from logbraid.drive import body_of, wrap
from logbraid.health import health
from logbraid.outcome import OK, status_of

if TYPE_CHECKING:
    from logbraid.audit.log import AuditLog

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Work:
    """What is known of the work so far: set what the record is to say.

    ``outcome`` is ``ok``, ``error``, ``cancelled`` or ``timeout`` by itself where it is ``None``.
    """

    __slots__ = (
        "began",
        "metadata",
        "mutating",
        "outcome",
        "payload",
        "resource_id",
        "resource_type",
        "status_code",
    )

    def __init__(self, fields: dict[str, Any]) -> None:
        self.resource_type: str | None = fields.get("resource_type")
        self.resource_id: str | None = fields.get("resource_id")
        self.outcome: str | None = fields.get("outcome")
        self.status_code: int | None = fields.get("status_code")
        self.mutating: bool | None = fields.get("mutating")
        self.metadata: dict[str, Any] = dict(fields.get("metadata") or {})
        self.payload: Any = fields.get("payload")
        self.began = time.monotonic()

    def fields(self, action: str, error: BaseException | None) -> dict[str, Any]:
        """Return the fields of the record, now that the work is over."""
        metadata = dict(self.metadata)
        if error is not None:
            metadata["error_type"] = type(error).__name__
        return {
            "action": action,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "outcome": self.outcome or outcome_of(error),
            "status_code": self.status_code,
            "duration_ms": round((time.monotonic() - self.began) * 1000, 3),
            "mutating": self.mutating,
            "metadata": metadata or None,
        }


def outcome_of(error: BaseException | None) -> str:
    """Return the word for how work ended; a generator that was closed early is no failure."""
    return OK if error is None or isinstance(error, GeneratorExit) else status_of(error)


class Audited:
    """A context manager (plain and async) and decorator; made by ``AuditLog.audited``.

    ::

        with log.audited("order.refund", resource_id="o-7") as work:
            work.metadata["amount"] = 30

        @log.audited(event_class="data_modified")
        async def delete_account(user): ...

    Decorates functions, coroutine functions, generator functions and async generator functions;
    without an action its name is theirs. The work's own exception goes on; that the record could
    not be written is raised in its place only where the work itself succeeded, else it is noted.
    """

    def __init__(
        self, log: AuditLog, action: str | None, event_class: str, fields: dict[str, Any]
    ) -> None:
        unknown = sorted(set(fields) - _FIELDS)
        if unknown:
            raise TypeError(f"audited() has no field {', '.join(unknown)}")
        self._log = log
        self._action = action
        self._class = event_class
        self._fields = fields
        self._open: list[tuple[object, Work]] = []

    def __enter__(self) -> Work:
        work = Work(self._fields)
        self._open.append((_who(), work))
        return work

    def _taken(self) -> Work:
        """Return the work that this thread or task began last, whoever else is at work."""
        who = _who()
        mine = [place for place, (one, _) in enumerate(self._open) if one == who]
        return self._open.pop(mine[-1] if mine else -1)[1]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write(self._taken(), error)

    async def __aenter__(self) -> Work:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._awrite(self._taken(), error)

    def _write(self, work: Work, error: BaseException | None) -> None:
        try:
            self._log.write(work.fields(self._action or "work", error), work.payload, self._class)
        except Exception as failure:
            if error is None:
                raise
            _note(error, failure)

    async def _awrite(self, work: Work, error: BaseException | None) -> None:
        fields = work.fields(self._action or "work", error)
        try:
            await self._log.awrite(fields, work.payload, self._class)
        except Exception as failure:
            if error is None:
                raise
            _note(error, failure)

    def _again(self, function: Callable[..., Any]) -> Audited:
        named = getattr(function, "__qualname__", body_of(function).__qualname__)
        action = self._action or named.replace("<locals>.", "")
        return Audited(self._log, action, self._class, self._fields)

    def __call__(self, function: _Function, /) -> _Function:
        """Return *function* so that each call of it is recorded."""
        body = body_of(function)
        if inspect.isasyncgenfunction(body):
            made = self._async_generator(function)
        elif inspect.iscoroutinefunction(body):
            made = self._coroutine(function)
        else:
            return wrap(function, lambda: self._again(function))
        return cast("_Function", functools.update_wrapper(made, function))

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with self._again(function):  # the loop goes on while the disk works
                return await function(*args, **kwargs)

        return call

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            async with self._again(function):
                inner = function(*args, **kwargs)
                try:
                    step = inner.asend(None)
                    while True:
                        try:
                            item = await step
                        except StopAsyncIteration:
                            return
                        try:
                            step = inner.asend((yield item))
                        except GeneratorExit:
                            raise
                        except BaseException as error:  # noqa: BLE001 - whatever is thrown in goes in
                            step = inner.athrow(error)
                finally:
                    await inner.aclose()

        return call


def _who() -> tuple[int, int]:
    """Return what tells threads and tasks apart."""
    task = None
    with suppress(RuntimeError):
        task = asyncio.current_task()
    return threading.get_ident(), id(task)


def _note(error: BaseException, failure: BaseException) -> None:
    # Who catches the work's own exception must not hide that its record is missing
    error.add_note(f"and its audit record was not written: {failure}")
    health.complain("audit", failure)


_FIELDS = {name for name in Work.__slots__ if name != "began"}


def audited(log: AuditLog, action: str | None = None, **fields: Any) -> Audited:
    """Return ``log.audited(action, ...)``: a decorator and context manager."""
    return log.audited(action, **fields)
