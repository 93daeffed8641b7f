"""An action of an agent: ``trace()`` against a W1 log call, with its line and without."""

from __future__ import annotations

import os
from typing import Any, Final

import peers
from interleave import Program, interleave
from options import Options
from report import Figure, Mark, Table
from work import WORKS, call_ids

from logbraid.agent import ActionTracer

_WORDS: Final = {
    "an action and its line": Mark(3.0),
    "one that says all it can": None,
    "one inside another, each": None,
    "an action without a line": None,
}


def table(options: Options) -> Table:
    """Measure ``with tracer.trace(...)`` while the tracer keeps its last 1000 entries."""
    made = Table("Actions of an agent", "time per action, a W1 log call = 1")
    with peers.configured(os.devnull):
        ours = peers.ours()[0]
        tracer, silent = ActionTracer(), ActionTracer(log=False)
        runs = (_plain, _told, _nested, _plain)
        tracers = (tracer, tracer, tracer, silent)
        programs = [
            Program(name, call_ids, _with(run, one), peers.bound_by_us())
            for name, run, one in zip(_WORDS, runs, tracers, strict=True)
        ]
        result = interleave(
            [ours.program(WORKS["W1"]), *programs],
            base=ours.name,
            rounds=options.rounds,
            turn_seconds=options.turn_seconds,
        )
    for name, reach in _WORDS.items():
        made.figures.append(Figure.of(name, "trace()", result.ratios[name], reach))
    made.notes.append(f"a W1 log call takes {result.base_us:.2f} us")
    return made


def _with(run: Any, tracer: ActionTracer) -> Any:
    return lambda batch: run(tracer, batch)


def _plain(tracer: ActionTracer, batch: list[str]) -> None:
    for _ in batch:
        with tracer.trace("tool_call", operation="get_customer_orders"):
            pass


def _told(tracer: ActionTracer, batch: list[str]) -> None:
    for call_id in batch:
        with tracer.trace("llm_call", connector="openai", call_id=call_id) as entry:
            entry.model = "gpt-4o"
            entry.prompt_tokens, entry.completion_tokens = 812, 64
            entry.input_summary = "orders of customer c-1881"
            entry.output_summary = call_id


def _nested(tracer: ActionTracer, batch: list[str]) -> None:
    for _ in batch[::2]:
        with tracer.trace("turn"), tracer.trace("tool_call", operation="get_customer_orders"):
            pass
