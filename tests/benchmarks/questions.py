"""Questions to a million lines against plain Python and orjson, which parse every line.

One session of twenty thousand, and the 95th percentile of a duration by tool. Each turn asks the
question once, over the same file, which the system has in its memory.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import orjson
from interleave import Program, interleave
from options import Options
from report import Figure, Mark, Table

from logbraid.clock import Stamper
from logbraid.encode import encode_line
from logbraid.reading import Filter, columns, count, read_records
from logbraid.record import Plain

_LINES = 1_000_000
_SHORT_LINES = 20_000
_SESSIONS = 20_000
_SESSION = "s-00777"
_ROUNDS = 5
_TOOLS = ("get_orders", "search", "convert", "write_mail", "query_database", "fetch_page")
_START_NS = 1_795_257_000_000_000_000


def table(options: Options) -> Table:
    """Measure both questions."""
    lines = _SHORT_LINES if options.short else _LINES
    made = Table(f"Questions to {lines:,} lines", "plain Python and orjson = 1")
    if columns.connect() is None:
        made.notes.append("duckdb is not installed: every line is parsed")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "acme", "2026-11-21.jsonl")
        path.parent.mkdir()
        with path.open("wb") as file:
            file.writelines(_made(lines))
        questions: tuple[tuple[str, Callable[[], object], Callable[[], object], Mark], ...] = (
            (
                "one session",
                lambda: list(read_records(directory, Filter(ids={"session_id": _SESSION}))),
                lambda: _session_by_hand(path),
                Mark(0.3),
            ),
            (
                "p95 by tool",
                lambda: _p95(directory),
                lambda: _p95_by_hand(path),
                Mark(0.25),
            ),
        )
        for name, ours, by_hand, mark in questions:
            result = interleave(
                [_program("by hand", by_hand), _program("ours", ours)],
                base="by hand",
                rounds=2 if options.short else _ROUNDS,
                turn_seconds=0.0,
            )
            made.figures.append(Figure.of(name, "time", result.ratios["ours"], mark))
    return made


def _program(name: str, ask: Callable[[], object]) -> Program:
    def run(_: list[Any]) -> None:
        ask()

    return Program(name, lambda size: [None] * size, run, Context(), least=1)


def _p95(directory: str) -> dict[str, float | None]:
    counted = count(directory, by=("tool",), by_minute=False)
    tools = counted.groups["tool"].items()
    return {tool: group.latency.quantiles(0.95)[0] for tool, group in tools}


def _session_by_hand(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        records = (orjson.loads(line) for line in file)
        return [record for record in records if record.get("session_id") == _SESSION]


def _p95_by_hand(path: Path) -> dict[str, float]:
    durations: dict[str, list[float]] = {}
    with path.open("rb") as file:
        for line in file:
            record = orjson.loads(line)
            durations.setdefault(record["tool"], []).append(record["duration_ms"])
    return {tool: sorted(one)[int(len(one) * 0.95)] for tool, one in durations.items()}


def _made(lines: int) -> Iterator[bytes]:
    """Yield the lines of a busy day: 380 bytes each, as the sinks write them."""
    chance = random.Random(7)
    stamper = Stamper()
    for number in range(lines):
        record: dict[str, Plain] = {
            "timestamp": stamper.stamp(_START_NS + number * 50_000_000),
            "level": "info",
            "logger": "app.tools",
            "event": "tool_complete",
            "tenant_id": "acme",
            "user_id": f"u-{number % 50}",
            "session_id": f"s-{chance.randrange(_SESSIONS):05d}",
            "run_id": f"run-{number // 7}",
            "request_id": f"01a1fea1-e5f3-7649-8308-{number:012x}",
            "tool": chance.choice(_TOOLS),
            "status": "ok",
            "duration_ms": round(chance.lognormvariate(5, 1)),
            "arguments": {"customer": number, "limit": 10, "query": "shoes in red and blue"},
            "prompt_tokens": number % 4000,
        }
        yield encode_line(record, max_line_bytes=15_360, notes={})
