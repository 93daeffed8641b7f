"""Resident memory over a million records whose names and values are all new."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import peers
from options import Options
from report import Figure, Mark, Table
from work import LOGGER, call_ids

import logbraid

_MEBIBYTE = 1 << 20
_FLAT = Mark(4.0)
_WARM_UP = 25_000
"""Records after which every cache was full once: the largest holds 20,000 entries."""


def table(options: Options) -> Table:
    """Measure at the start, when the caches are full, and at the end."""
    total = 50_000 if options.short else 1_000_000
    made = Table(f"Memory over {total:,} records with unique names and values", "MiB")
    with peers.configured(os.devnull):
        start = _resident()
        _log(0, _WARM_UP)
        full = _resident()
        _log(_WARM_UP, total)
        end = _resident()
    column = "resident"
    made.figures = [
        Figure("at the start", column, start),
        Figure(f"after {_WARM_UP:,} records, caches full", column, full),
        Figure("at the end", column, end),
        Figure("grown since the caches were full", column, end - full, mark=_FLAT),
    ]
    return made


def _log(first: int, last: int) -> None:
    info = logbraid.get_logger(LOGGER).info
    for start in range(first, last, 1000):
        for number, call_id in enumerate(call_ids(1000), start):
            logbraid.bind_context(request_id=f"req-{number}", tenant_id=f"tenant-{number}")
            fields = {f"name_{number}": f"value {number}", f"x_{call_id}": {f"y_{number}": number}}
            info(f"event {number}", call_id=call_id, **fields)


def _resident() -> float:
    """Return the resident memory in MiB; where only the peak is known, the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (_MEBIBYTE if sys.platform == "darwin" else 1024)
    return pages * resource.getpagesize() / _MEBIBYTE
