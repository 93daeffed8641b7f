"""README.md is held to the code: its tables, its examples, its commands."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import logbraid
from logbraid.settings import markdown_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found.group(1)


def marked(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found is not None, name
    return found.group(1)


def api_row(name: str) -> str:
    thing = getattr(logbraid, name)
    summary = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return f"| `{name}` | {summary.replace('|', chr(92) + '|')} |"


def test_settings_table_is_the_one_of_the_code() -> None:
    rows = marked("settings").strip().splitlines()[2:]
    assert rows == markdown_table().splitlines()


def test_api_table_lists_every_public_name_with_its_first_sentence() -> None:
    rows = marked("api").strip().splitlines()[2:]
    assert rows == [api_row(name) for name in logbraid.__all__]


@pytest.mark.parametrize("block", [code for kind, code in BLOCKS if kind == "python"])
def test_python_block_compiles(block: str) -> None:
    assert ast.parse(block).body


def test_first_example_gives_the_output_that_stands_below_it() -> None:
    code = next(code for kind, code in BLOCKS if kind == "python")
    told = next(code for kind, code in BLOCKS if kind == "json")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOG")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
    )
    given = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [json.loads(line) for line in told.splitlines()]
    for record in (*given, *wanted):
        assert record.pop("timestamp").endswith("Z")
    assert [list(record.items()) for record in given] == [list(r.items()) for r in wanted]


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_section_begins_with_one_shell_command(heading: str) -> None:
    commands = re.findall(r"```(\w+)\n(.*?)```", section(heading), re.DOTALL)
    assert commands[0][0] == "sh"
    assert len(commands[0][1].strip().splitlines()) == 1


def test_sections_of_the_house_are_there() -> None:
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    assert headings[:2] == ["Run it", "Test it"]
    assert headings[-2:] == ["Working on this", "Changes"]


def test_every_module_named_exists() -> None:
    for name in set(re.findall(r"`logbraid\.([a-z_.]+)`", README)):
        module = ROOT / "src" / "logbraid" / Path(*name.split("."))
        is_attribute = hasattr(logbraid, name.split(".")[0])
        assert module.with_suffix(".py").exists() or module.is_dir() or is_attribute, name


@pytest.mark.parametrize("picture", re.findall(r"!\[.*?\]\((.*?)\)", README))
def test_picture_is_there(picture: str) -> None:
    assert (ROOT / picture).read_text(encoding="utf-8").startswith("<svg")


def test_both_pictures_are_shown() -> None:
    assert README.count("](examples/terminal.svg)") == README.count("](examples/stats.svg)") == 1


def test_blocks_about_agents_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", section("Agents: .*?"), re.DOTALL)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOG")}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        capture_output=True,
        text=True,
        check=True,
        env=clean,
        cwd=tmp_path,
    )
    told = re.findall(r"```text\n(.*?)```", section("Agents: .*?"), re.DOTALL)[0]
    said = [re.sub(r"\d\.\d{3}s", "", line) for line in told.splitlines() if line]
    given = [re.sub(r"\d\.\d{3}s", "", line) for line in done.stdout.splitlines()]
    assert [line for line in given if line and not line.startswith('{"timestamp"')] == said
    assert "hunter2-42" not in done.stdout
    assert "93hd82hsj2kq" not in done.stdout
