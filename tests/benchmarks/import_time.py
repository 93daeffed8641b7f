"""What ``import logbraid`` takes, against the two libraries that it stands on.

An import that only puts off its work would be measured as fast, so what every program does next
stands beside it: the names it uses, and its first line.
"""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Final

from interleave import Result
from options import Options
from report import Figure, Mark, Table

_TIMED = "import time; t = time.perf_counter(); {}; t = time.perf_counter() - t; print(t)"
_BASE: Final = "import structlog, orjson"
_NAMES: Final = "from logbraid import bound_context, configure_logging, get_logger"
_FIRST_LINE: Final = (
    f"{_NAMES}; configure_logging(output='stderr', format='json'); get_logger('a').info('b')"
)
_ROWS: Final = {
    "import logbraid": ("import logbraid", Mark(1.3)),
    "from logbraid import configure_logging, ...": (_NAMES, Mark(1.3)),
    "the same, configured, first line written": (_FIRST_LINE, None),
}


def table(options: Options) -> Table:
    """Measure the import in new processes, in turn."""
    made = Table("Import", f"{_BASE} = 1")
    programs = {_BASE: _BASE, **{name: code for name, (code, _) in _ROWS.items()}}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for round_number in range(options.rounds + 1):
        for name in random.sample(list(programs), len(programs)):
            seconds = _seconds(programs[name])
            if round_number:  # the first one may still compile
                times[name].append(seconds)
    result = Result(times, _BASE)
    for name, (_, mark) in _ROWS.items():
        made.figures.append(Figure.of(name, "time", result.ratios[name], mark))
    made.notes.append(f"{_BASE} takes {result.base_us / 1000:.0f} ms")
    return made


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(code)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
