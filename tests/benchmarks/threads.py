"""Sixteen threads that log at once: synchronous delivery and queue delivery against bare."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

import peers
from interleave import Program, Result, interleave
from options import Options
from report import Figure, Mark, Table
from work import WORKS

import logbraid

_THREADS = 16
_MARK = Mark(4, at_least=True)


def table(options: Options) -> Table:
    """Measure how many records a second are taken, and how many are written."""
    made = Table(f"{_THREADS} threads, {os.devnull}", "records a second, bare = 1")
    with peers.configured(os.devnull):
        result = _measure(options, [_program(peers.ours()[0])])
        made.figures.append(_rate("sync", result, peers.OURS))
    with peers.configured(os.devnull, delivery="queue") as handle:
        ours = peers.ours()[0]
        result = _measure(options, [_taken(ours, handle), _written(ours, handle)])
        made.figures.append(_rate("queue, until the calls returned", result, "taken", _MARK))
        made.figures.append(_rate("queue, until all lines are written", result, "written", _MARK))
    made.notes.append(f"bare: {1e6 / result.base_us:,.0f} records a second")
    return made


def _measure(options: Options, programs: list[Program]) -> Result:
    return interleave(
        [_program(peers.bare(os.devnull)), *programs],
        base=peers.BARE,
        rounds=options.rounds,
        turn_seconds=10 * options.turn_seconds,
    )


def _rate(row: str, result: Result, name: str, mark: Mark | None = None) -> Figure:
    return Figure.of(row, "W1", result.ratios[name].inverse(), mark)


def _program(
    peer: peers.Peer, name: str = "", after: Callable[[], object] | None = None
) -> Program:
    work = WORKS["W1"]
    loop = partial(work.driver(peer.manner), peer.info)
    return Program(
        name or peer.name,
        partial(work.batch, peer.manner),
        partial(_in_threads, loop, peer.context),
        Context(),
        after=after,
        least=_THREADS * 50,
    )


def _taken(peer: peers.Peer, handle: logbraid.LoggingHandle) -> Program:
    return _program(peer, "taken", after=partial(handle.flush, 10))


def _written(peer: peers.Peer, handle: logbraid.LoggingHandle) -> Program:
    program = _program(peer, "written")

    def run(batch: list[Any]) -> None:
        program.run(batch)
        handle.flush(10)

    return Program("written", program.batch, run, Context(), least=program.least)


def _in_threads(loop: Callable[[list[Any]], None], context: Context, batch: list[Any]) -> None:
    """Share *batch* out among the threads; each runs in its own copy of *context*."""
    threads = [
        threading.Thread(target=context.copy().run, args=(loop, batch[number::_THREADS]))
        for number in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
