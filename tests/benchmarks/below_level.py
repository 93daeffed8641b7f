"""A call below the level, which most calls are: against structlog's method that does nothing."""

from __future__ import annotations

import os
from contextvars import Context
from functools import partial
from typing import Any

import peers
from interleave import Program, interleave
from options import Options
from report import Figure, Mark, Table
from work import LOGGER, Info

import logbraid


def table(options: Options) -> Table:
    """Measure ``log.debug`` while the level is info."""
    made = Table("A call below the level", "structlog's no-op = 1")
    with peers.configured(os.devnull):
        methods = {
            "structlog": peers.bare_logger(os.devnull).debug,
            "logbraid": logbraid.get_logger(LOGGER).debug,
        }
        result = interleave(
            [
                Program(name, lambda size: [None] * size, partial(_debug, method), Context())
                for name, method in methods.items()
            ],
            base="structlog",
            rounds=options.rounds,
            turn_seconds=options.turn_seconds,
        )
    ratio = result.ratios["logbraid"]
    made.figures.append(Figure.of("logbraid", "log.debug(...)", ratio, Mark(1.0)))
    made.notes.append(f"structlog's takes {result.base_us * 1000:.0f} ns")
    return made


def _debug(debug: Info, batch: list[Any]) -> None:
    for _ in batch:
        debug("tool_complete", tool="get_customer_orders", status="ok", duration_ms=234)
