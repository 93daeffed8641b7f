"""The same work into a file on disk and into a pipe that someone reads."""

from __future__ import annotations

import tempfile
from pathlib import Path

import front_ends
import peers
from interleave import interleave
from named_pipe import named_pipe
from options import Options
from report import Figure, Table


def table(options: Options) -> Table:
    """Measure bare and ours where lines are kept or read."""
    made = Table("Outputs", "time per record, bare = 1")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "lines.jsonl")
        path.touch()
        made.figures += _figures(options, str(path), "file on disk")
    with named_pipe() as pipe:
        pipe.read()
        made.figures += _figures(options, pipe.path, "pipe")
    return made


def _figures(options: Options, path: str, output: str) -> list[Figure]:
    figures: list[Figure] = []
    with peers.configured(path):
        programs = [peers.limit(path), peers.bare(path), peers.json_logger(path), *peers.ours()]
        for work in options.works:
            result = interleave(
                [peer.program(work) for peer in programs],
                base=peers.BARE,
                rounds=options.rounds,
                turn_seconds=options.turn_seconds,
            )
            figures += [
                Figure.of(f"{output}: {name}", work.name, ratio, front_ends.mark(name, work.name))
                for name, ratio in result.ratios.items()
            ]
    return figures
