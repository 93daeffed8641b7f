"""What belongs to terminals alone: the bar over long work, and completion of the command line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

from logbraid.cli.progress import Bar

COMMAND = [sys.executable, "-m", "logbraid.cli"]


class Screen(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Make standard error a terminal of 60 columns; not as a fixture, pytest would put it back."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    return screen


def wait_for_timer(bar: Bar) -> None:
    assert bar._timer is not None  # the second that it waits for
    bar._timer.join(60)


def test_a_bar_is_drawn_once_its_time_has_come_and_taken_away_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = on_screen(monkeypatch)
    bar = Bar("reading", 4_000_000, delay_seconds=0.0)
    wait_for_timer(bar)
    bar.advance(1_000_000)
    bar.advance(9_000_000)  # a file that grew: never more than all of it
    bar.end()
    bar.end()
    shown = screen.getvalue()
    assert "reading" in shown
    assert "4.0" in shown
    assert "10.0" not in shown
    assert shown.endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))  # its line is empty again


def test_work_that_is_done_within_a_second_shows_no_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = on_screen(monkeypatch)
    bar = Bar("reading", 4_000_000)
    bar.advance(4_000_000)
    bar.end()
    assert screen.getvalue() == ""


def test_a_bar_that_ended_just_before_its_time_never_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = on_screen(monkeypatch)
    bar = Bar("reading", 4_000_000, delay_seconds=60)
    bar.end()
    bar._show()  # the timer that could not be stopped any more
    assert screen.getvalue() == ""


def test_where_nobody_looks_there_is_no_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Bar("reading", 4_000_000, delay_seconds=0.0)
    assert bar._timer is None  # no thread either
    bar.advance(1)
    bar.end()
    assert stream.getvalue() == ""


def completed(words: str, at: int) -> list[str]:
    """Return what bash is offered for word *at* of *words*."""
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "_LOGBRAID_COMPLETE": "complete_bash", "COMP_WORDS": words,
             "COMP_CWORD": str(at)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("logbraid qu", {"query"}),
        ("logbraid audit ", {"verify", "decrypt", "keygen", "prune"}),
        ("logbraid query --output ", {"table", "json", "jsonl"}),
        ("logbraid query --se", {"--session"}),
        ("logbraid query --level w", {"warning"}),
        ("logbraid level set ", {"debug", "info", "warning", "error", "critical"}),
        ("logbraid stats --by t", {"tool", "tenant"}),
    ],
)
def test_bash_is_offered_what_fits(words: str, offered: set[str]) -> None:
    assert set(completed(words, words.count(" "))) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_shown_and_names_the_command(shell: str) -> None:
    env = {**os.environ, "_LOGBRAID_COMPLETE": f"source_{shell}"}
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "_LOGBRAID_COMPLETE=" in done.stdout
    assert f"complete_{shell}" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_is_installed_below_the_home_of_its_user(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    arguments = [*COMMAND, "--install-completion", "bash"]
    done = subprocess.run(
        arguments, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:  # which shell it is could not be told: then it is an argument
        pytest.skip(f"the shell above the tests is not known: {done.stdout[-80:]!r}")
    assert "logbraid" in (tmp_path / ".bashrc").read_text(encoding="utf-8")
