"""A hundred tenants' files against one.

Each record comes from one of a hundred contexts, chosen at random; in the base all of them are
of the same tenant, so the difference is the files alone.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextvars import Context
from functools import partial
from typing import Any

import peers
from interleave import Program, interleave
from options import Options
from report import Figure, Mark, Table
from work import IDS, LOGGER, Info, call_ids

import logbraid

_TENANTS = 100
_MARK = Mark(1.4)


def table(options: Options) -> Table:
    """Measure with the default number of open files, and with enough of them."""
    made = Table(f"{_TENANTS} tenants' files", "one tenant's file = 1")
    default = logbraid.Settings().max_open_files
    for most in (default, 2 * _TENANTS):
        with (
            tempfile.TemporaryDirectory() as directory,
            peers.configured(os.devnull, output="files", log_dir=directory, max_open_files=most),
        ):
            info = logbraid.get_logger(LOGGER).info
            result = interleave(
                [_program("one", info, 1), _program("many", info, _TENANTS)],
                base="one",
                rounds=options.rounds,
                turn_seconds=options.turn_seconds,
            )
        name = f"at most {most} open" + (", the default" if most == default else "")
        made.figures.append(Figure.of(name, "time per record", result.ratios["many"], _MARK))
    return made


def _program(name: str, info: Info, tenants: int) -> Program:
    contexts = [
        peers.bound(
            partial(logbraid.bind_context, **{**IDS, "tenant_id": f"tenant-{number % tenants}"})
        )
        for number in range(_TENANTS)
    ]

    def batch(size: int) -> list[Any]:
        return list(zip(random.choices(contexts, k=size), call_ids(size), strict=True))

    return Program(name, batch, partial(_write, info), Context(), least=2 * _TENANTS)


def _write(info: Info, batch: list[tuple[Context, str]]) -> None:
    for context, call_id in batch:
        context.run(
            info,
            "tool_complete",
            tool="get_customer_orders",
            status="ok",
            duration_ms=234,
            call_id=call_id,
            tokens=812,
        )
