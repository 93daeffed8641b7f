"""Benchmarks: ``python tests/benchmarks [--short] [--only NAME ...] [--markdown] [--json FILE]``.

Each table is measured in a process of its own, so that nothing one of them imports, configures or
leaves in a cache is in another. Figures are ratios (``interleave.py``) and mean something on an
idle machine; ``--short`` only shows that everything works. What is slow does not fail, what breaks
does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from options import Options
from report import Table, as_markdown, as_text, machine
from work import WORKS

TABLES: Final = {
    "front_ends": "front_ends",
    "logfire": "beside_logfire",
    "outputs": "outputs",
    "actions": "actions",
    "level": "below_level",
    "tenants": "tenants",
    "threads": "threads",
    "loop": "loop_lag",
    "memory": "memory_growth",
    "questions": "questions",
    "import": "import_time",
    "audit": "audit_log",
}
"""The name of each table, and the module that measures it."""

_WORKS: Final = {name.lower(): name for name in WORKS}


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for and print it."""
    asked = _parser().parse_args(argv)
    only = [name.lower() for name in asked.only]
    works = tuple(_WORKS[name] for name in only if name in _WORKS) or tuple(WORKS)
    options = Options(short=asked.short, work_names=works)
    if asked.table:
        module = importlib.import_module(TABLES[asked.table])
        print(json.dumps(module.table(options).to_dict()))
        return 0

    names = [name for name in TABLES if name in only]
    if any(name in _WORKS for name in only) and not {"front_ends", "logfire", "outputs"} & {*names}:
        names.insert(0, "front_ends")
    begun = time.perf_counter()
    tables = [_in_a_process(name, options) for name in names or TABLES]
    seconds = time.perf_counter() - begun
    print(f"Measured in {seconds:.0f} s{', too short to trust' if asked.short else ''}.")
    print(machine(), end="\n\n")
    print("Median of the rounds (quartiles), below it what is to be reached.", end="\n\n")
    print(as_markdown(tables) if asked.markdown else as_text(tables))
    if asked.json:
        told = {
            "machine": machine(),
            "seconds": round(seconds, 1),
            "short": asked.short,
            "tables": [table.to_dict() for table in tables],
        }
        Path(asked.json).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return int(any(table.failed for table in tables))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="everything, but too little of it")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=[*TABLES, *_WORKS],
        type=str.lower,
        metavar="NAME",
        help=f"tables ({', '.join(TABLES)}) or works ({', '.join(_WORKS)})",
    )
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE, too")
    parser.add_argument("--table", choices=TABLES, help=argparse.SUPPRESS)
    return parser


def _in_a_process(name: str, options: Options) -> Table:
    """Measure one table in a new process; what it has to say goes to standard error."""
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, str(Path(__file__).parent), "--table", name]
    command += ["--only", *(work.lower() for work in options.work_names)]
    if options.short:
        command.append("--short")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        why = f"its process ended with {done.returncode}"
        return Table(name, "", skipped=why, failed=True)
    return Table.from_dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
