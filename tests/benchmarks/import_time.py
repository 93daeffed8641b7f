"""What ``import logbraid`` takes, against the two libraries that it stands on."""

from __future__ import annotations

import random
import subprocess
import sys

from interleave import Result
from options import Options
from report import Figure, Mark, Table

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_BASE = "structlog, orjson"


def table(options: Options) -> Table:
    """Measure the import in new processes, in turn."""
    made = Table("Import", f"import {_BASE} = 1")
    times: dict[str, list[float]] = {_BASE: [], "logbraid": []}
    for round_number in range(options.rounds + 1):
        for modules in random.sample(list(times), 2):
            seconds = _seconds(modules)
            if round_number:  # the first one may still compile
                times[modules].append(seconds)
    result = Result(times, _BASE)
    made.figures.append(Figure.of("import logbraid", "time", result.ratios["logbraid"], Mark(1.3)))
    made.notes.append(f"import {_BASE} takes {result.base_us / 1000:.0f} ms")
    return made


def _seconds(modules: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(modules)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
