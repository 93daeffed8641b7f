"""The first table: every program, every work, to nowhere."""

from __future__ import annotations

import os

import peers
from interleave import Result, interleave
from options import Options
from report import Figure, Mark, Table

MARKS = {
    (peers.OURS, "W1"): Mark(0.55, 0.40),
    (peers.OURS, "W2"): Mark(1.4, 1.0),
    (peers.OURS, "W3"): Mark(1.8, 1.0),
    (peers.OURS, "unique"): Mark(2.2, 1.5),
    ("logbraid, logging", "W1"): Mark(1.5),
    ("logbraid, loguru", "W1"): Mark(2.0),
}
_FORMATTER = "the same formatter, against python-json-logger's"


def mark(row: str, work: str) -> Mark | None:
    """Return what *row* has to reach in *work*."""
    return MARKS.get((row, work))


def table(options: Options) -> Table:
    """Measure all front ends and all peers but logfire."""
    made = Table(f"Front ends, {os.devnull}", "time per record, bare = 1")
    with peers.configured(os.devnull):
        programs = [peers.limit(os.devnull), peers.bare(os.devnull), *peers.ours()]
        programs += [peers.our_formatter(os.devnull), *peers.others(os.devnull)]
        for work in options.works:
            result = interleave(
                [peer.program(work) for peer in programs],
                base=peers.BARE,
                rounds=options.rounds,
                turn_seconds=options.turn_seconds,
            )
            made.notes.append(f"{work.name}: bare takes {result.base_us:.2f} us")
            made.figures += _figures(work.name, result)
    return made


def _figures(work: str, result: Result) -> list[Figure]:
    figures = [
        Figure.of(name, work, ratio, mark(name, work)) for name, ratio in result.ratios.items()
    ]
    formatters = result.against(peers.OUR_FORMATTER, peers.JSON_LOGGER)
    reach = Mark(1.2) if work == "W1" else None
    return [*figures, Figure.of(_FORMATTER, work, formatters, reach)]
