"""logfire with scrubbing on, beside bare and ours, in a process of its own.

logfire sends spans, it writes no JSON lines: what it can do locally is its console, here with the
least it can print (no colours, no fields), to nowhere. Its ids are bound as baggage, which it
puts on every span. OpenTelemetry is imported here, and costs ours what it costs in a service.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import peers
from interleave import interleave
from options import Options
from report import Figure, Mark, Table
from work import IDS

_FASTER = {
    "W1": Mark(34, at_least=True),
    "W2": Mark(20, at_least=True),
    "W3": Mark(45, at_least=True),
}
_NAME = "logfire, scrubbing on"


def table(options: Options) -> Table:
    """Measure logfire against bare, and ours against logfire."""
    made = Table("Beside logfire", "bare = 1")
    if importlib.util.find_spec("logfire") is None:
        made.skipped = "logfire is not installed (pip install -e '.[peers]')"
        return made
    with peers.configured(os.devnull):
        programs = [peers.bare(os.devnull), peers.ours()[0], _logfire()]
        for work in options.works:
            result = interleave(
                [peer.program(work) for peer in programs],
                base=peers.BARE,
                rounds=options.rounds,
                turn_seconds=options.turn_seconds,
            )
            made.figures += [
                Figure.of(name, work.name, ratio) for name, ratio in result.ratios.items()
            ]
            faster = result.against(_NAME, peers.OURS)
            made.figures.append(
                Figure.of(
                    "logbraid faster than logfire by", work.name, faster, _FASTER.get(work.name)
                )
            )
    return made


def _logfire() -> peers.Peer:
    import logfire  # noqa: PLC0415 - only in this process, and only where it is installed

    console = logfire.ConsoleOptions(
        colors="never",
        show_project_link=False,
        output=Path(os.devnull).open("w", encoding="utf-8"),  # noqa: SIM115 - for the process's life
    )
    # Without inspect_arguments it does not read the source of its callers: that is faster
    logger: Any = logfire.configure(
        send_to_logfire=False, console=console, metrics=False, inspect_arguments=False
    )
    context = peers.entered(logfire.set_baggage(**IDS))
    return peers.Peer(_NAME, "keywords", logger.info, context)
