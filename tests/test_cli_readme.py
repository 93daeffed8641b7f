"""README, "Asking questions": its commands run one after the other and print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

import logbraid

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Asking questions") : README.index("## Settings")]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LOG")}


def run(command: str) -> str:
    words = command.split()
    assert words[0] == "logbraid"
    return subprocess.run(
        [sys.executable, "-m", "logbraid.cli", *words[1:]],
        capture_output=True, text=True, check=True, env=CLEAN, timeout=60,
    ).stdout  # fmt: skip


def test_demo_stats_and_replay_print_what_is_shown(tmp_path: Path) -> None:
    commands = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[0].splitlines()
    run(commands[0].replace("/tmp/demo", str(tmp_path)))
    printed = run(commands[1].replace("/tmp/demo", str(tmp_path)))
    shown, replayed = re.findall(r"```text\n(.*?)```", SECTION, re.DOTALL)
    by_tool = shown.index(" tool"), shown.index(" time (UTC)")
    assert shown[by_tool[0] : by_tool[1]] in printed
    assert shown.split(",")[0] == printed.split(",")[0]
    head = shown[by_tool[1] :].splitlines()[:2]
    assert "\n".join(head) in printed
    command, told = replayed.removeprefix("$ ").split("\n", 1)
    assert run(command.replace("/tmp/demo", str(tmp_path))) == told


def test_questions_from_python_are_answered(tmp_path: Path) -> None:
    with (
        logbraid.configure_logging(output="files", log_dir=tmp_path / "logs"),
        logbraid.bound_context(tenant_id="acme", session_id="s-1"),
    ):
        logbraid.get_logger("t").warning("slow", tool="search", duration_ms=501)
    code = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env=CLEAN, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.stdout == "slow\n[501.0, 501.0]\n"


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(
        r"^  ([a-z-]+)  ", run("logbraid --help").split("Commands:")[1], re.MULTILINE
    )
    assert len(listed) > 10
    for name in listed:
        assert f"`{name}" in SECTION, name
