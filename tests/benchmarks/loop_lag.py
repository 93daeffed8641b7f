"""How late an asyncio loop is while it logs 20,000 records a second in queue delivery.

One task sleeps a millisecond at a time and notes how late it wakes; another logs what is due each
millisecond. "none" is the same without the log call. While standard output stalls (a pipe that
nobody reads) a loop may not wait: ``queue_policy="drop_oldest"`` is for that, and ``block`` holds
as long as the queue has room.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import peers
from interleave import spread
from named_pipe import named_pipe
from options import Options
from report import Figure, Mark, Table
from work import LOGGER, Info, call_ids

import logbraid

_PER_SECOND = 20_000
_TICK_SECONDS = 0.001
_ROOM = 128 * 1024 * 1024
_COLUMN = "p99 lag"


def table(options: Options) -> Table:
    """Measure the lag without logging, with it, and while standard output stalls."""
    rounds, seconds = (3, 0.3) if options.short else (9, 1.0)
    made = Table(f"Lag of an asyncio loop, {_PER_SECOND:,} records a second, queue", "milliseconds")
    with peers.configured(os.devnull, delivery="queue"):
        none, queue = _rounds(rounds, seconds, [_nothing, logbraid.get_logger(LOGGER).info])
    made.figures += _figures("no logging", none)
    made.figures += _figures("queue delivery", queue)
    pairs = zip(queue, none, strict=True)
    ratio = spread([one.p99_ms / by.p99_ms for one, by in pairs])
    made.figures.append(Figure.of("queue delivery, no logging = 1", _COLUMN, ratio, Mark(1.5)))
    for policy in ("drop_oldest", "block"):
        changes = {"queue_bytes": _ROOM} if policy == "block" else {}
        with (
            named_pipe() as pipe,
            peers.configured(pipe.path, delivery="queue", queue_policy=policy, **changes),
        ):
            (stalled,) = _rounds(rounds, seconds, [logbraid.get_logger(LOGGER).info])
            pipe.read()
        made.figures += _figures(f"standard output stalls, {policy}", stalled, Mark(3.0))
    made.notes.append(f"block: with room for {_ROOM >> 20} MiB, so that it never fills")
    return made


class _Run(NamedTuple):
    """The lag of one loop, and how many records a second it came to log."""

    p99_ms: float
    rate: float


def _figures(row: str, runs: list[_Run], mark: Mark | None = None) -> list[Figure]:
    return [
        Figure.of(row, _COLUMN, spread([run.p99_ms for run in runs]), mark),
        Figure(row, "records a second", statistics.median(run.rate for run in runs)),
    ]


def _rounds(rounds: int, seconds: float, programs: list[Info]) -> list[list[_Run]]:
    """Return what came of each program in each round; the first round warms up."""
    runs: list[list[_Run]] = [[] for _ in programs]
    context = peers.bound_by_us()
    for _ in range(rounds + 1):
        for number in random.sample(range(len(programs)), len(programs)):
            runs[number].append(context.run(_run, programs[number], seconds))
    return [own[1:] for own in runs]


def _nothing(*_: object, **__: object) -> None:
    """Log nothing."""


def _run(info: Info, seconds: float) -> _Run:
    lags, logged = asyncio.run(_loop(info, seconds))
    p99 = statistics.quantiles(lags, n=100, method="inclusive")[98]
    return _Run(p99 * 1000, logged / seconds)


async def _loop(info: Info, seconds: float) -> tuple[list[float], int]:
    end = time.perf_counter() + seconds
    logging = asyncio.create_task(_log(info, end, int(seconds * _PER_SECOND)))
    lags = []
    while (now := time.perf_counter()) < end:
        await asyncio.sleep(_TICK_SECONDS)
        lags.append(time.perf_counter() - now - _TICK_SECONDS)
    return lags, await logging


async def _log(info: Info, end: float, total: int) -> int:
    """Log what is due, every millisecond; what a late loop missed is not made up for at once."""
    ids: Iterator[str] = iter(call_ids(2 * total))
    before, logged = time.perf_counter(), 0
    while (now := time.perf_counter()) < end:
        due = min(int((now - before) * _PER_SECOND), 3 * _PER_SECOND // 1000)
        before = now if due else before
        for _ in range(due):
            info(
                "tool_complete",
                tool="get_customer_orders",
                status="ok",
                duration_ms=234,
                call_id=next(ids),
                tokens=812,
            )
        logged += due
        await asyncio.sleep(_TICK_SECONDS)
    return logged
