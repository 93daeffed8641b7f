"""The benchmarks run and print ratios. What they print is for people: nothing here looks at it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).parent / "benchmarks"


_ONE_LINE_EACH = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import peers, work
for number, make in enumerate((
    *(lambda path, index=index: peers.ours()[index] for index in range(3)),
    peers.our_formatter, peers.limit, peers.bare, peers.json_logger, peers.loguru_orjson,
    peers.processor_formatter, peers.loguru_serialize, peers.scrubbed_by_hand,
)):
    path = Path(sys.argv[2], str(number))
    path.touch()
    with peers.configured(str(path)):
        peer = make(str(path))
        size = path.stat().st_size
        program = peer.program(work.WORKS["W2"])
        program.context.run(program.run, program.batch(1))
        print(json.dumps([peer.name, path.read_text()[size:]]))
"""


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(_BENCHMARKS), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_short_run_of_one_work_prints_ratios_and_marks(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"

    printed = _run("--short", "--only", "w1", "--json", str(figures))

    assert re.search(r"bare structlog +1\.00 \(1\.00-1\.00\)", printed)
    assert re.search(
        r"logbraid, structlog +[\d.]+ \([\d.]+-[\d.]+\)\n +to reach +<= 0\.55", printed
    )
    (table,) = json.loads(figures.read_text())["tables"]
    assert not table["skipped"]
    assert all(figure["value"] > 0 for figure in table["figures"])


def test_markdown_has_a_table_with_a_head(tmp_path: Path) -> None:
    printed = _run("--short", "--only", "level", "--markdown")

    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| structlog's no-op = 1 |")
    assert rows[1] == "| --- | --- |"


def test_every_table_has_a_module_and_every_module_of_a_table_a_name() -> None:
    listed = subprocess.run(
        [sys.executable, str(_BENCHMARKS), "--help"], check=True, capture_output=True, text=True
    ).stdout
    with_table = [
        path.stem for path in _BENCHMARKS.glob("*.py") if "\ndef table(" in path.read_text()
    ]

    names = re.search(r"tables\s+\(([^)]*)\)", listed)

    assert names is not None
    assert len(names.group(1).split(",")) == len(with_table)


def test_each_program_writes_one_json_line_with_the_ids_and_the_fields(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _ONE_LINE_EACH, str(_BENCHMARKS), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = dict(json.loads(line) for line in told.stdout.splitlines())

    assert len(lines) == 11
    assert not told.stderr
    for name, text in lines.items():
        assert text.count("\n") == 1, name
        told_by_loguru = json.loads(text).get("record", {}).get("extra")
        fields = told_by_loguru or json.loads(text)
        for expected in ("tenant_id", "user_id", "session_id", "run_id", "request_id"):
            assert expected in fields, name
        assert fields["tokens"] == 812, name
        assert fields["arguments"]["limit"] == 10, name
        assert ("battery" in text) != ("logbraid" in name or "hand" in name), name
