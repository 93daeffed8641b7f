"""``check()`` and ``python -m logbraid check``: what bypasses us, and where settings came from."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

import logbraid
from logbraid.doctor import main
from logbraid.settings import TABLE


def problems_about(word: str) -> list[str]:
    return [text for text in logbraid.check().problems if word in text]


def test_without_a_configuration_that_is_the_problem() -> None:
    report = logbraid.check()
    assert not report
    assert not report.is_configured
    assert "call logbraid.configure_logging()" in str(report)


def test_every_setting_is_told_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_SERVICE", "shop")
    with logbraid.configure_logging(level="debug"):
        report = logbraid.check()
    assert set(report.settings) == {row.name for row in TABLE}
    assert report.sources["level"] == "argument"
    assert report.sources["service"] == "LOG_SERVICE"
    assert report.sources["env"] == "default"
    assert "service" in str(report)


def test_values_that_may_be_secret_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with logbraid.configure_logging(
        fields={"note": "hunter2secret"},
        scrub=logbraid.ScrubRules(patterns={"own": "hunter2secret"}),
        context_providers=[{"password": "hunter2secret"}],
    ):
        assert "hunter2secret" not in str(logbraid.check())


def test_a_handler_that_writes_past_us_is_a_problem() -> None:
    own = logging.getLogger("doctor.own")
    own.addHandler(logging.StreamHandler(StringIO()))
    try:
        with logbraid.configure_logging():
            assert problems_about("doctor.own has handlers of its own (StreamHandler)")
    finally:
        own.handlers.clear()


def test_a_null_handler_is_no_problem() -> None:
    own = logging.getLogger("doctor.null")
    own.addHandler(logging.NullHandler())
    try:
        with logbraid.configure_logging():
            assert problems_about("doctor.null") == []
    finally:
        own.handlers.clear()


def test_dropped_lines_are_told_with_their_reason() -> None:
    with logbraid.configure_logging():
        logbraid.health.health.drop("disk_full", lines=3)
        assert problems_about("3 lines dropped: disk_full")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_files_that_others_may_read_or_write_are_told(tmp_path: Path) -> None:
    with logbraid.configure_logging(output="files", log_dir=tmp_path, tenant="acme"):
        logbraid.get_logger("d").info("e")
        (file,) = (tmp_path / "acme").glob("*.jsonl")
        tmp_path.chmod(0o700)
        assert problems_about(str(tmp_path)) == []
        file.chmod(0o644)
        assert problems_about("may be read by others (mode 0644)")
        file.chmod(0o666)
        assert problems_about("may be written by others (mode 0666)")


def run(
    *arguments: str, directory: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "logbraid", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=directory,
        env={**kept, **more},
    )


def test_the_command_tells_what_the_environment_makes(tmp_path: Path) -> None:
    done = run("check", directory=tmp_path, LOG_LEVEL="debug")
    assert done.returncode == 0
    assert "ok  nothing bypasses logbraid" in done.stdout
    assert "(LOG_LEVEL)" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_of_a_wrong_variable_and_exits_with_1(tmp_path: Path) -> None:
    done = run("check", directory=tmp_path, LOG_LEVEL="loud")
    assert done.returncode == 1
    assert "!!  environment: LOG_LEVEL is 'loud'" in done.stdout


def test_the_command_imports_the_application_first(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import logging, logbraid\n"
        "logbraid.configure_logging(service='mine')\n"
        "logging.getLogger('past').addHandler(logging.FileHandler('past.log'))\n"
    )
    done = run("check", "app:app", directory=tmp_path)
    assert done.returncode == 1
    assert "!!  logging: past has handlers of its own (FileHandler)" in done.stdout
    assert "mine  (argument)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 2), (("nonsense",), 2), (("check", "no_such_module_here"), 2), (("--help",), 0)],
)
def test_the_command_s_words_and_codes(
    arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(arguments)) == code
    told = capsys.readouterr()
    assert "python -m logbraid check" in told.out + told.err or "cannot import" in told.err


def test_an_application_that_fails_at_import_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise RuntimeError('password=hunter2secret')\n")
    done = run("check", "app", directory=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hunter2secret" not in done.stderr + done.stdout


SECRET = "ghp_Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVb"


def test_names_and_settings_are_scrubbed_as_lines_are() -> None:
    own = logging.getLogger(f"doctor.{SECRET}")
    own.addHandler(logging.StreamHandler(StringIO()))
    own.propagate = False
    try:
        with logbraid.configure_logging(
            service=f"shop {SECRET}",
            env=SECRET,
            version=f"1 {SECRET}",
            tenant=SECRET,
            levels={f"x.{SECRET}": "error"},
            fields={SECRET: "a"},
            log_dir=f"logs/{SECRET}",
        ):
            told = str(logbraid.check())
            logbraid.get_logger("d").warning("e")
    finally:
        own.handlers.clear()
        own.propagate = True
    assert SECRET not in told
    assert "shop [REDACTED:github_token]" in told
    assert "doctor.[REDACTED:github_token] has handlers of its own" in told


def test_settings_are_told_as_people_write_them() -> None:
    with logbraid.configure_logging(
        levels={"httpx": "warning", "a.b": 5}, level="debug", sinks=[print], clock=lambda: 1
    ):
        told = logbraid.check().settings
    assert told["levels"] == "httpx=warning, a.b=trace"
    assert (told["level"], told["file_mode"], told["output"]) == ("debug", "0600", "stdout")
    assert (told["sinks"], told["processors"]) == ("1 given", "none")
    assert (told["clock"], told["scrub"], told["env"]) == ("given", "default", "none")


def test_a_logger_that_does_not_propagate_is_told_with_what_is_heard_of_it() -> None:
    own = logging.getLogger("doctor.alone")
    own.propagate = False
    try:
        with logbraid.configure_logging():
            assert problems_about("doctor.alone does not propagate: only its warnings and errors")
            own.addHandler(logging.FileHandler(os.devnull, delay=True))
            assert problems_about("doctor.alone does not propagate: none of its lines")
    finally:
        own.propagate = True
        own.handlers.clear()


def test_servers_that_write_through_us_are_named_and_others_are_a_problem() -> None:
    names = ("uvicorn.error", "gunicorn.error")
    through, past = map(logging.getLogger, names)
    past.addHandler(logging.StreamHandler(StringIO()))
    try:
        with logbraid.configure_logging():
            report = logbraid.check()
    finally:
        past.handlers.clear()
    (server,) = (one for one in report.findings if one.what == "server")
    assert not server.is_problem
    assert through.name in server.text
    assert past.name not in server.text
    assert any(past.name in text for text in report.problems)


def test_the_command_says_when_it_saw_no_configuration_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import logging\n")
    (tmp_path / "early.py").write_text("import logbraid\nlogbraid.configure_logging()\n")
    told = [run("check", *more, directory=tmp_path).stdout for more in ((), ("late",), ("early",))]
    assert told[0].startswith("--  no module imported: ")
    assert told[1].startswith("--  late does not configure logging when imported: ")
    assert not told[2].startswith("--")


def test_a_stream_handler_that_came_after_us_is_taken_off_and_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with logbraid.configure_logging(format="json"):
        logging.getLogger("late").addHandler(logging.StreamHandler(sys.stderr))
        report = logbraid.check()
        assert not report
        (told,) = [one.text for one in report.findings if "came after" in one.text]
        assert told.startswith("late (StreamHandler) came after configure_logging()")
        logging.getLogger("late").warning("once")
    out, err = capfd.readouterr()
    assert (out.count("once"), err.count("once")) == (1, 0)
