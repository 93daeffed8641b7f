"""Every run of a command is a line, whatever became of it: click, typer, argparse."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logbraid import current_context
from logbraid.audit import AuditError, AuditInputError, audited_command

_TYPER = """
import typer
from logbraid.audit import audited_command
app = typer.Typer()

@app.command()
@audited_command("shopctl")
def refund(order: str, amount: int = 0, api_key: str = "") -> None:
    if amount < 0:
        raise typer.Exit(3)
    if amount > 100:
        raise ValueError("too much")
    print("refunded", order)

@app.command()
@audited_command("shopctl")
def show(order: str) -> None:
    print("order", order)

app()
"""

_CLICK = """
import click
from logbraid.audit import audited_command

@click.group()
def cli(): ...

@cli.command()
@click.argument("order")
@click.option("--amount", type=int, default=0)
@click.option("--api-key", default="")
@audited_command("shopctl")
def refund(order, amount, api_key):
    if amount < 0:
        click.get_current_context().exit(3)
    if amount > 100:
        raise click.ClickException("too much")
    click.echo(f"refunded {order}")

cli()
"""

_ARGPARSE = """
import argparse, sys
from logbraid.audit import audited_command

@audited_command("shopctl")
def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("command"); parser.add_argument("order")
    parser.add_argument("--amount", type=int, default=0); parser.add_argument("--api-key")
    asked = parser.parse_args(argv)
    if asked.amount < 0: return 3
    if asked.amount > 100: sys.exit("too much")
    print("refunded", asked.order)
    return 0

sys.exit(main())
"""


def run(program: str, home: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOOL_")}
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        check=False,
        capture_output=True,
        text=True,
        env={**clean, "XDG_DATA_HOME": str(home), **env},
    )


def lines(home: Path) -> list[dict[str, Any]]:
    text = (home / "shopctl" / "audit.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("library", ["typer", "click", "argparse"])
def test_success_failure_and_refusal_are_each_one_line(tmp_path: Path, library: str) -> None:
    if library != "argparse":
        pytest.importorskip(library)
    program = {"typer": _TYPER, "click": _CLICK, "argparse": _ARGPARSE}[library]
    secret = "k-93hd82hsj2c4n4ry"
    fine = run(program, tmp_path, "refund", "o-7", "--amount", "5", "--api-key", secret,
               TOOL_TRACE_ID="trace-1")  # fmt: skip
    refused = run(program, tmp_path, "refund", "o-7", "--amount", "-1")
    failed = run(program, tmp_path, "refund", "o-7", "--amount", "500")

    assert (fine.returncode, refused.returncode, failed.returncode) == (0, 3, 1)
    assert fine.stdout == "refunded o-7\n", fine.stderr
    told = lines(tmp_path)
    assert [one["exit_code"] for one in told] == [0, 3, 1]
    for one in told:
        wanted = {"timestamp", "tool", "command", "args", "exit_code", "duration_ms", "operator",
                  "trace_id", "request_id"}  # fmt: skip
        assert wanted <= set(one)
        assert one["timestamp"].endswith("Z")
    assert told[0]["trace_id"] == "trace-1"
    assert len({one["request_id"] for one in told}) == 3
    assert secret not in json.dumps(told)
    if library == "argparse":
        assert told[1]["args"] == ["refund", "o-7", "--amount", "-1"]
        assert told[1]["command"] == "shopctl"
    else:
        assert told[1]["command"].endswith("refund")
        assert {"order": "o-7", "amount": -1}.items() <= told[1]["args"].items()


def test_help_and_wrong_usage_are_the_librarys_own(tmp_path: Path) -> None:
    pytest.importorskip("typer")

    assert "--amount" in run(_TYPER, tmp_path, "refund", "--help").stdout
    assert run(_TYPER, tmp_path, "refund").returncode == 2


def test_file_is_appended_to_and_for_its_owner_only(tmp_path: Path) -> None:
    @audited_command("tool", path=tmp_path / "data" / "audit.jsonl")
    def work(number: int) -> int:
        return number

    assert [work(number) for number in (0, 4)] == [0, 4]

    path = tmp_path / "data" / "audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["args"], one["exit_code"]) for one in told] == [
        ({"number": 0}, 0), ({"number": 4}, 4),
    ]  # fmt: skip


def test_ids_are_bound_while_the_command_runs(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    @audited_command("tool", path=tmp_path / "audit.jsonl")
    async def work() -> None:
        seen.append(current_context().to_dict())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
    (told,) = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert told["exit_code"] == 130
    assert {name: told[name] for name in ("trace_id", "request_id")} == seen[0]
    assert current_context().to_dict() == {}


def test_line_behind_a_torn_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"torn":')

    audited_command("tool", path=path)(lambda: None)()

    assert json.loads(path.read_text().splitlines()[1])["exit_code"] == 0


def test_command_that_cannot_be_recorded_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    ran: list[int] = []

    @audited_command("tool", path=tmp_path / "data" / "audit.jsonl")
    def work() -> None:
        ran.append(1)

    with pytest.raises(AuditError, match="cannot be recorded"):
        work()
    assert ran == []
    audited_command("tool", path=tmp_path / "data" / "audit.jsonl", on_error="degrade")(
        lambda: ran.append(2)
    )()
    assert ran == [2]


_ENDS = {
    "click": """
import click, signal, sys
from logbraid.audit import audited_command
@click.command()
@audited_command("shopctl")
def main():
    {}
main()
""",
    "typer": """
import signal, sys, typer
from logbraid.audit import audited_command
app = typer.Typer()
@app.command()
@audited_command("shopctl")
def main() -> None:
    {}
app()
""",
    "argparse": """
import signal, sys
from logbraid.audit import audited_command
@audited_command("shopctl")
def main(argv=None):
    {}
sys.exit(main())
""",
}


@pytest.mark.parametrize("library", _ENDS)
@pytest.mark.parametrize(
    "end",
    [
        "sys.exit('no order hunter2')",
        "sys.exit(True)",
        "sys.exit(300)",
        "signal.raise_signal(signal.SIGINT)",
        "signal.raise_signal(signal.SIGTERM)",
        "signal.raise_signal(signal.SIGHUP)",
    ],
)
def test_exit_code_told_is_the_one_of_the_process(tmp_path: Path, library: str, end: str) -> None:
    if library != "argparse":
        pytest.importorskip(library)
    done = run(_ENDS[library].format(end), tmp_path)

    code = 128 - done.returncode if done.returncode < 0 else done.returncode
    assert code != 0
    (line,) = lines(tmp_path)
    assert line["exit_code"] == code
    assert "hunter2" not in json.dumps(line)


def test_tool_that_handles_a_signal_itself_keeps_its_handler(tmp_path: Path) -> None:
    program = _ENDS["argparse"].replace(
        "import signal, sys", "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(5))"
    )
    assert run(program.format("signal.raise_signal(15)"), tmp_path).returncode == 5
    assert [line["exit_code"] for line in lines(tmp_path)] == [5]


def test_tool_that_is_no_file_name_is_refused() -> None:
    with pytest.raises(AuditInputError, match="tool"):
        audited_command("../evil")
    with pytest.raises(AuditInputError, match="degrade"):
        audited_command("tool", on_error="halt")


def test_home_is_used_where_there_is_no_data_home(tmp_path: Path) -> None:
    done = run(_ARGPARSE, Path("relative"), "show", "o-1", HOME=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".local" / "share" / "shopctl" / "audit.jsonl").is_file()


def test_commands_need_no_cryptography(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.modules['cryptography'] = None\n"
        "from logbraid.audit import audited_command\n"
        f"audited_command('tool', path={str(tmp_path / 'a.jsonl')!r})(lambda: None)()\n"
        "try:\n    from logbraid.audit import AuditLog\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "logbraid[audit]" in done.stdout
