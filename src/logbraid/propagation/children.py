"""Child processes that carry the context, are measured, and leave one record each.

Not here: what the environment of a child says (``environ.py``), and how argv and output are made
safe: they are fields of a record as any other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from math import inf
from time import monotonic, perf_counter_ns
from typing import Any, Final

from logbraid import pipeline
from logbraid.context import bound_context
from logbraid.failure import error_message, error_type
from logbraid.propagation.environ import (
    CONTEXT,
    TOOL_TRACE_ID,
    TRACEPARENT,
    child_env,
)
from logbraid.propagation.output import Coding, Command, shown, told_ms
from logbraid.record import INFO, WARNING
from logbraid.span_ids import new_span_id, new_trace_id

LOGGER: Final = "logbraid.propagation"
_DRAIN_SECONDS: Final = 1.0
_SLICE_SECONDS: Final = 0.5  # between looks whether the task was cancelled meanwhile
_MAX_SHOWN_BYTES: Final = 8 * 1024 * 1024  # more than a summary and the look-ahead can ever need


def traced_run(
    argv: Command,
    *,
    operation: str,
    timeout: float | None = None,
    input: str | bytes | None = None,  # noqa: A002 - the word of subprocess.run
    check: bool = False,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run *argv* as ``subprocess.run`` does, with its output captured, and log one record of it.

    The child gets ``TOOL_TRACE_ID``, ``TRACEPARENT`` and the five ids (``child_env()``, over
    *env* or ``os.environ``): one that uses logbraid has them on its lines without doing anything.
    Where no trace is bound one begins here, and the record carries it too.

    The record ``child_process`` says ``operation``, ``argv``, ``status`` (``ok``, ``error``,
    ``timeout``, ``cancelled``), ``exit_code``, ``duration_ms`` (the whole call), ``upstream_ms``
    (the child's own time: what its JSON on standard output says in ``meta.duration_ms``, as
    ``command_meta()`` gives it, else from its start to its end as seen from here), ``bytes_in``,
    ``bytes_out``, ``bytes_err``, ``output_summary`` and ``stderr_summary``. It is a warning
    unless the exit code is 0. argv and output are scrubbed and cut in it; an exception that is
    raised holds both as they are, as in the standard library.

    *timeout* is in seconds. The child leads a session of its own, so that it never waits for a
    terminal, and at a time-out, or when the wait for it is interrupted, all of its group is
    killed (not with ``start_new_session=False`` or on Windows: there the child alone) and what it
    had written is kept. Other *options* are those of ``subprocess.Popen``.

    Raises, each after the record: ``TimeoutExpired``; ``CalledProcessError`` with *check*; what
    ``Popen`` raises, such as ``FileNotFoundError``; ``UnicodeDecodeError`` where text is none.
    """
    coding = Coding(text, encoding, errors, options)
    result = _Child(argv, operation, options).run(coding, input, env, timeout)
    if check:
        result.check_returncode()
    return result


async def traced_run_async(
    argv: Command,
    *,
    operation: str,
    timeout: float | None = None,  # noqa: ASYNC109 - the same contract as traced_run's
    input: str | bytes | None = None,  # noqa: A002 - as above
    check: bool = False,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Do what ``traced_run`` does without holding up the event loop.

    Waits in a thread of its own: children may wait for one another, and the loop's executor, which
    looks up host names too, has few. When the task is cancelled the child's group is
    killed, the record (``cancelled``) is written, and then ``CancelledError`` goes on.
    """
    coding = Coding(text, encoding, errors, options)
    child = _Child(argv, operation, options, slice_seconds=_SLICE_SECONDS)
    run = partial(copy_context().run, child.run, coding, input, env, timeout)
    thread = ThreadPoolExecutor(1, "logbraid-child")
    waiting = asyncio.get_running_loop().run_in_executor(thread, run)
    thread.shutdown(wait=False)  # it ends with the child
    try:
        result = await asyncio.shield(waiting)
    except asyncio.CancelledError:
        child.cancel()
        with suppress(Exception):  # how it ended stands in its record
            await asyncio.shield(waiting)
        raise
    if check:
        result.check_returncode()
    return result


class _Child:
    """One child process, from its start to its record."""

    def __init__(
        self, argv: Command, operation: str, options: dict[str, Any], *, slice_seconds: float = inf
    ) -> None:
        self._argv = argv
        self._operation = operation
        self._options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "start_new_session": True,
            **options,
        }
        self._leads_group = os.name != "nt" and bool(
            self._options["start_new_session"] or self._options.get("process_group") == 0
        )
        self._slice_seconds = slice_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False
        self._began = self._started = self._ended = perf_counter_ns()

    def run(
        self,
        coding: Coding,
        input: str | bytes | None,  # noqa: A002 - as above
        env: Mapping[str, str] | None,
        timeout: float | None,
    ) -> subprocess.CompletedProcess[Any]:
        """Run it, log its record, and return or raise what ``subprocess.run`` would."""
        with bound_context(**_trace()):
            told: dict[str, Any] = {}
            try:
                given = coding.encode(input)
                if given is not None:
                    told["bytes_in"] = len(given)
                out, err = self._communicate(given, _environment(env), timeout)
            except subprocess.TimeoutExpired as expired:
                self._tell("timeout", told, expired.output, expired.stderr)
                expired.output = coding.decode(expired.output, "replace")
                expired.stderr = coding.decode(expired.stderr, "replace")
                raise
            except BaseException as error:
                told.update(error_class=error_type(error), error=error_message(error))
                self._tell("error" if isinstance(error, Exception) else "cancelled", told)
                raise
            code = self._exit_code() or 0
            status = "cancelled" if self._is_cancelled else "error" if code else "ok"
            self._tell(status, told, out, err)
        args: Any = self._argv
        return subprocess.CompletedProcess(args, code, coding.decode(out), coding.decode(err))

    def cancel(self) -> None:
        """Kill it, from any thread; it need not have started."""
        self._is_cancelled = True
        self._kill()

    def _communicate(
        self, given: bytes | None, env: dict[str, str], timeout: float | None
    ) -> tuple[bytes | None, bytes | None]:
        """Start it, feed it, and return its output; nothing of it is left when this returns."""
        options = dict(self._options)
        if given is not None:
            if options.get("stdin") is not None:
                raise ValueError("stdin and input are both given; use one of them")
            options["stdin"] = subprocess.PIPE
        self._started = perf_counter_ns()
        process = self._process = subprocess.Popen(self._argv, env=env, **options)  # noqa: S603 - what the caller wants run
        with process:
            try:
                return self._waited(process, given, timeout)
            except BaseException:
                self._kill()
                raise
            finally:
                self._ended = perf_counter_ns()

    def _waited(
        self, process: subprocess.Popen[bytes], given: bytes | None, timeout: float | None
    ) -> tuple[bytes | None, bytes | None]:
        ends = inf if timeout is None else monotonic() + timeout
        while not self._is_cancelled:
            wait = min(ends - monotonic(), self._slice_seconds)
            try:
                return process.communicate(given, None if wait == inf else max(wait, 0))
            except subprocess.TimeoutExpired:
                given = None
                if timeout is not None and monotonic() >= ends:
                    self._kill()
                    out, err = self._rest(process)
                    raise subprocess.TimeoutExpired(process.args, timeout, out, err) from None
        self._kill()
        return self._rest(process)

    @staticmethod
    def _rest(process: subprocess.Popen[bytes]) -> tuple[bytes | None, bytes | None]:
        """Return what a killed child had written; a grandchild that got away is not waited for."""
        try:
            return process.communicate(timeout=_DRAIN_SECONDS)
        except subprocess.TimeoutExpired as expired:
            return expired.output, expired.stderr

    def _kill(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._leads_group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()

    def _exit_code(self) -> int | None:
        return None if self._process is None else self._process.returncode

    def _tell(
        self,
        status: str,
        told: dict[str, Any],
        out: bytes | None = None,
        err: bytes | None = None,
    ) -> None:
        """Log the record."""
        fields: dict[str, Any] = {
            "operation": self._operation,
            "status": status,
            "argv": shown(self._argv),
        }
        if self._process is not None:
            fields["exit_code"] = self._exit_code()
            own = told_ms(out)
            fields["upstream_ms"] = _ms(self._ended - self._started) if own is None else own
        fields["duration_ms"] = _ms(perf_counter_ns() - self._began)
        fields.update(told)
        for name, size, data in (
            ("output_summary", "bytes_out", out),
            ("stderr_summary", "bytes_err", err),
        ):
            if data is not None:
                fields[size] = len(data)
            if data:
                fields[name] = data[:_MAX_SHOWN_BYTES].decode("utf-8", "replace")
        pipeline.emit(INFO if status == "ok" else WARNING, LOGGER, "child_process", fields)


def _trace() -> dict[str, str]:
    """Return the trace and the span of this call: those around it, new ones where there is none.

    The child's lines name that span as their ``parent_span_id``, and so does the record.
    """
    ids = pipeline.ready().context_parts({})[0]
    trace_id = ids.get("trace_id") or new_trace_id()
    return {"trace_id": trace_id, "span_id": ids.get("span_id") or new_span_id()}


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """Return *env* with the context, also where the context came from our own environment."""
    if env is None:
        return child_env()
    names = (TOOL_TRACE_ID, TRACEPARENT, CONTEXT)
    outer = {name: os.environ[name] for name in names if name in os.environ}
    return child_env({**outer, **env})


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
