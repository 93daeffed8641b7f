"""README's section on the audit log does what it says, line by line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")
pytest.importorskip("cryptography", reason="the audit log needs the extra audit")

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## Audit\n")[2].partition("\n## ")[0]


def test_example_is_written_verified_and_its_tampering_told(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stderr == ""
    (head,) = done.stdout.splitlines()
    assert '"event":"audit_head"' in head
    (tmp_path / "witness.jsonl").write_text(done.stdout)

    told = re.findall(r"^\$ logbraid (audit verify .*)\n(.*\n(?:  .*\n)*)", SECTION, re.MULTILINE)
    assert len(told) == 2
    (path,) = tmp_path.glob("audit/acme/data_modified.*.jsonl")
    for (command, output), code in zip(told, (0, 1), strict=True):
        done = run(command, tmp_path)
        assert done.returncode == code, done.stderr
        assert masked(done.stdout) == masked(output)
        path.write_text(path.read_text().replace("o-8", "o-9"))
    for more in ("--anchor witness.jsonl", "--through yesterday --expect acme/data_modified"):
        assert more.split()[0] in SECTION
        assert run(f"{told[0][0]} {more}", tmp_path).returncode == 1
        path.write_text(path.read_text().replace("o-9", "o-8"))
        assert run(f"{told[0][0]} {more}", tmp_path).returncode == 0
        path.write_text(path.read_text().replace("o-8", "o-9"))


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from logbraid.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", program, *command.split()],
                          check=False, cwd=folder, capture_output=True, text=True)  # fmt: skip


def masked(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d\.[0-9a-f]{16}", "DAY.WRITER", text).strip()
