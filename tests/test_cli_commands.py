"""The command ``logbraid`` as a terminal runs it: processes, pipes, exit codes, hostile logs."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

from logbraid.cli.main import main

COMMAND = [sys.executable, "-m", "logbraid.cli"]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\u2029]")
HOSTILE = "x\x1b]0;owned\x07\x1b[31m\r\n\x7f\x9b2J\u202eevil\u2028"


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOG", "XDG", "FORCE_", "NO_COLOR"))
    }
    return {**kept, "COLUMNS": "100", **more}


def run(
    *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] = {}, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env=environment(**env),
        timeout=60,
    )
    told = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
    assert "Traceback" not in told.stderr + told.stdout
    if code is not None:
        assert told.returncode == code, told.stderr
    return told


def stamp(minutes_ago: float = 0) -> str:
    moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def line(**fields: Any) -> str:
    record = {"timestamp": stamp(), "level": "info", "logger": "t", "event": "e", **fields}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"


def write(root: Path, tenant: str, *lines: str, day: str = "") -> Path:
    path = root / tenant / f"{day or stamp()[:10]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(lines))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    write(
        logs,
        "acme",
        line(event="one", tenant_id="acme", session_id="s-1", tool="search", duration_ms=120),
        line(event="two", tenant_id="acme", session_id="s-2", level="error", duration_ms=700),
    )
    write(logs, "globex", line(event="three", tenant_id="globex", session_id="s-1", user_id="u-7"))
    return logs


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(one) for one in done.stdout.splitlines()]


def events(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [one["event"] for one in told(done)]


COMMANDS = """
    view tail query stats replay audit-log prune compress scrub level check demo
""".split()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_teaches_by_example(command: str) -> None:
    names = [command, "set"] if command == "level" else [command]
    text = run(*names, "--help").stdout
    assert f"logbraid {' '.join(names)}" in text.split("Usage:")[1].split("\n", 1)[1]
    assert "\b" not in text


def test_help_lists_every_command_and_the_exit_codes() -> None:
    text = run("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert "Exit codes: 0" in text
    assert re.match(r"logbraid \d", run("--version").stdout)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "--log-dir", "/nowhere/at/all"],
        ["query", "--since", "soonish"],
        ["query", "--level", "loud"],
        ["query", "--where", "duration_ms >"],
        ["query", "--where", "a ~ '('"],
        ["query", "--since", "1h", "--until", "2h", "--log-dir", "."],
        ["query", "--output", "xml"],
        ["query", "--no-such-option"],
        ["query", "surplus"],
        ["no-such-command"],
        ["stats", "--by", ""],
        ["stats", "--log-dir", __file__],
        ["tail", "--output", "json"],
        ["tail", "--lines", "-1"],
        ["replay"],
        ["replay", "s-1", "--speed", "0", "--log-dir", "."],
        ["replay", "s-1", "--speed", "nan", "--log-dir", "."],
        ["audit-log", "--tool", "../etc"],
        ["audit-log", "--tool", "none-such"],
        ["audit-log", "--limit", "0"],
        ["prune", "--days", "-1"],
        ["prune", "--days", "99999999999"],
        ["prune", "--log-dir", "/nowhere"],
        ["compress", "--log-dir", "/nowhere"],
        ["level", "get"],
        ["level", "set", "loud", "--file", "x"],
        ["level", "get", "--file", "/nowhere/level"],
        ["level", "set", "debug", "--file", "/nowhere/level"],
        ["check", "no_such_module_anywhere"],
        ["check", "ends_the_process"],
        ["demo", "--directory", __file__],
        ["query", "--log-dir", "bad\udc80\x1b[31mname"],
    ],
)
def test_bad_input_ends_with_two_and_says_why(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ends_the_process.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("LOG_DIR", "LOG_LEVEL_FILE"):
        monkeypatch.delenv(name, raising=False)
    code = main(arguments)
    said = capsysbinary.readouterr()
    assert (code, said.out) == (2, b"")
    assert said.err.strip()
    assert b"Traceback" not in said.err


def test_terminal_as_standard_input_is_told_what_to_do_instead() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    try:
        for command in ("view", "scrub"):
            done = subprocess.run(
                [*COMMAND, command], stdin=theirs, capture_output=True, check=False, timeout=60,
                env=environment(),
            )  # fmt: skip
            assert done.returncode == 2
            assert b"reads standard input" in done.stderr
    finally:
        os.close(ours)
        os.close(theirs)


# -- query ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["one", "two", "three"]),
        (["--session", "s-1"], ["one", "three"]),
        (["--session", "s-1", "--tenant", "acme"], ["one"]),
        (["--user", "u-7"], ["three"]),
        (["--level", "ERROR"], ["two"]),
        (["--where", "duration_ms > 500"], ["two"]),
        (["--where", "duration_ms > 100", "--where", "level != error"], ["one"]),
        (["--text", "sear"], ["one"]),
        (["--text", "SEAR"], []),
        (["--text", "SEAR", "-i"], ["one"]),
        (["--since", "1h"], ["one", "two", "three"]),
        (["--until", "1h"], []),
    ],
)
def test_query_finds_what_was_asked(root: Path, arguments: list[str], found: list[str]) -> None:
    done = run("query", "--log-dir", root, "-o", "jsonl", *arguments)
    assert events(done) == found
    assert done.stderr == ""


def test_lines_leave_as_they_are_written(root: Path) -> None:
    written = b"".join(path.read_bytes() for path in sorted(root.glob("*/*.jsonl")))
    assert run("query", "--log-dir", root, "-o", "jsonl").stdout.encode() == written


def test_json_is_one_document_also_of_nothing(root: Path) -> None:
    document = json.loads(run("query", "--log-dir", root, "-o", "json").stdout)
    assert [one["event"] for one in document] == ["one", "two", "three"]
    assert json.loads(run("query", "--log-dir", root, "-o", "json", "--text", "zzz").stdout) == []


@pytest.mark.parametrize("field", ["nobodys", "a.b", "bad\udcff"])
def test_field_that_no_record_has_is_told(root: Path, field: str) -> None:
    done = run("stats", "--by", "tool", "--by", field, "--log-dir", root)
    assert "no record has a field" in done.stderr
    assert "tool" not in done.stderr


def test_directory_is_the_option_else_the_variable_else_logs_here(root: Path) -> None:
    here = root.parent
    assert "one" in run("query", env={"LOG_DIR": str(root)}).stdout
    done = subprocess.run([*COMMAND, "query"], cwd=here, capture_output=True, check=True,
                          env=environment(PYTHONPATH=os.pathsep.join(sys.path)))  # fmt: skip
    assert b"one" in done.stdout
    other = here / "other"
    write(other, "acme", line(event="elsewhere"))
    done2 = run("query", "--log-dir", other, env={"LOG_DIR": str(root)})
    assert "elsewhere" in done2.stdout
    assert "three" not in done2.stdout


def test_no_limit_hides_a_line(tmp_path: Path) -> None:
    write(tmp_path, "acme", *(line(n=number) for number in range(20_000)))
    done = run("query", "--log-dir", tmp_path, "-o", "jsonl")
    assert [one["n"] for one in told(done)] == list(range(20_000))
    assert run("query", "--log-dir", tmp_path).stdout.count("\n") == 20_000


def test_torn_and_damaged_lines_are_told_on_standard_error(root: Path) -> None:
    path = write(root, "acme", "\0\0\0\n", line(event="four"), '{"timestamp":"20')
    done = run("query", "--log-dir", root, "-o", "jsonl", "--tenant", "acme")
    assert events(done) == ["one", "two", "four"]
    assert "1 torn last lines skipped, 1 damaged lines skipped" in done.stderr
    assert f"{path}: damaged line at byte " in done.stderr


def test_a_directory_without_logs_is_told(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello\n", encoding="utf-8")
    for command in ("query", "stats"):
        done = run(command, "--log-dir", tmp_path)
        assert done.stderr == f"logbraid: {tmp_path} has no log files of that time and tenant\n"


def test_people_see_levels_of_other_programs_actions_and_odd_names(tmp_path: Path) -> None:
    trace = '{"timestamp":"2026-11-21T10:00:00.000000Z","action":"lookup","success":false}\n'
    lines = line(level="WARNING"), line(level=40), line(level={"a": 1}), trace, line(**{"": "x"})
    shown = run("view", stdin="".join(lines).encode()).stdout.splitlines()
    levels = [found[1] for one in shown if (found := re.search(r"\[(\w+) *\]", one))]
    assert levels == ["warning", "error", "notset", "error", "info"]
    assert "lookup " in "\n".join(shown)
    assert shown[-1].endswith("""'""'=x""") or shown[-1].endswith('""=x')


def test_lines_of_any_depth_are_shown_and_replayed(tmp_path: Path) -> None:
    deep = line(session_id="s-1", tool="TOOL").replace('"TOOL"', "[" * 1000 + "]" * 1000)
    write(tmp_path, "acme", deep)
    for arguments in (
        ["query"], ["query", "-o", "json"], ["query", "--where", "tool ~ x"], ["stats"],
        ["replay", "s-1"], ["replay", "s-1", "-o", "jsonl"],
    ):  # fmt: skip
        assert run(*arguments, "--log-dir", tmp_path).stderr in {
            "",
            "logbraid: from the log lines\n",
        }
    for command in ("view", "scrub"):
        assert "[[[" in run(command, stdin=deep.encode()).stdout


@pytest.mark.parametrize("command", ["query", "view", "scrub", "demo-query"])
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path, command: str) -> None:
    write(tmp_path, "acme", *(line(n=number, pad="x" * 200) for number in range(5000)))
    (path,) = tmp_path.glob("*/*.jsonl")
    text = {
        "query": "query --log-dir {} -o jsonl | head -n 1",
        "demo-query": "query --log-dir {} -o json | head -n 1",
        "view": "view < {}/acme/*.jsonl | head -n 1",
        "scrub": "scrub < {}/acme/*.jsonl | head -n 1",
    }[command].format(tmp_path)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m logbraid.cli {text}"],
        capture_output=True, check=False, env=environment(), timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1
    assert path.exists()


def test_closed_standard_output_is_said_without_a_traceback(root: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m logbraid.cli query --log-dir {root} >&-"],
        capture_output=True, check=False, env=environment(), timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"logbraid: " in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_full_disk_is_said_without_a_traceback(root: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "query", "--log-dir", str(root)], stdout=full, stderr=subprocess.PIPE,
            check=False, env=environment(), timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


# -- what a terminal is shown --------------------------------------------------------------------


def on_a_terminal(*arguments: str | Path, stdin: bytes | None = None, **env: str) -> str:
    """Run with a terminal as standard output; return what it was sent."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env=environment(TERM="xterm", **env),
    )  # fmt: skip
    os.close(theirs)
    assert child.stdin is not None
    child.stdin.write(stdin or b"")
    child.stdin.close()
    sent = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not part:
            break
        sent += part
    os.close(ours)
    child.wait(60)
    return sent.decode()


def shown_text(sent: str) -> str:
    """Return *sent* without what colours it, and with plain line ends."""
    return re.sub(r"\x1b\[[0-9;]*m", "", sent).replace("\r\n", "\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["query"],
        ["query", "-o", "jsonl"],
        ["query", "-o", "json"],
        ["stats", "--by", "tool", "--by", "event"],
        ["stats", "-o", "json", "--by", "tool"],
        ["replay", "s-1"],
        ["replay", "s-1", "-o", "jsonl"],
        ["audit-log"],
        ["audit-log", "-o", "jsonl"],
    ],
)
def test_nothing_in_a_log_controls_a_terminal(tmp_path: Path, arguments: list[str]) -> None:
    fields = {
        "event": HOSTILE,
        "tool": HOSTILE,
        HOSTILE: HOSTILE,
        "exception": HOSTILE,
        "level": HOSTILE,
        "logger": HOSTILE,
        "command": HOSTILE,
        "args": [HOSTILE],
    }
    hostile = line(**fields, session_id="s-1")
    write(tmp_path / "logs", "acme", hostile)
    data = tmp_path / "data" / "tool"
    data.mkdir(parents=True)
    (data / "audit.jsonl").write_text(hostile, encoding="utf-8")
    if arguments[0] == "replay":
        pytest.importorskip("logbraid.agent")
    sent = on_a_terminal(
        *arguments, LOG_DIR=str(tmp_path / "logs"), XDG_DATA_HOME=str(tmp_path / "data")
    )
    assert "evil" in sent
    assert CONTROL.search(shown_text(sent)) is None


def test_view_of_a_hostile_stream_controls_no_terminal() -> None:
    stream = line(event=HOSTILE) + HOSTILE + "\n" + json.dumps({HOSTILE: 1}) + "\n"
    for output in ("table", "jsonl"):
        sent = on_a_terminal("view", "-o", output, stdin=stream.encode())
        assert CONTROL.search(shown_text(sent)) is None
        assert sent.count("evil") >= 3


def test_colour_is_for_a_terminal_only(root: Path) -> None:
    for command in (["query"], ["stats"]):
        assert "\x1b" not in run(*command, "--log-dir", root).stdout
        assert "\x1b[" in on_a_terminal(*command, "--log-dir", root)
        assert "\x1b" not in on_a_terminal(*command, "--log-dir", root, NO_COLOR="1")
    assert "\x1b[" in run("query", "--log-dir", root, env={"FORCE_COLOR": "1"}).stdout


def test_the_same_bytes_in_any_locale(root: Path) -> None:
    write(root, "acme", line(event="größer", tool="größer", duration_ms=3))
    for command in ("query", "stats"):
        plain = run(command, "--log-dir", root).stdout
        odd = run(command, "--log-dir", root, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
        assert "größer" in plain
        assert odd.stdout == plain


# -- view ----------------------------------------------------------------------------------------


def test_view_shows_json_for_people_and_other_lines_as_they_are() -> None:
    stdin = line(event="paid", amount=3) + "not json\n\n" + '{"msg": "foreign"}\n' + "last"
    text = run("view", stdin=stdin.encode()).stdout.splitlines()
    assert "paid" in text[0]
    assert "amount=3" in text[0]
    assert text[1] == "not json"
    assert text[2] == ""
    assert "msg=foreign" in text[3]
    assert text[4] == "last"


def test_view_shows_empty_lines_too() -> None:
    assert run("view", stdin=b"one\n\n  \ntwo").stdout == "one\n\n\ntwo\n"
    assert len(run("view", "-o", "jsonl", stdin=b"one\n\n  \ntwo").stdout.splitlines()) == 2


def test_view_filters_and_counts_what_it_cannot() -> None:
    stdin = line(event="low") + line(event="high", level="error") + "noise\n"
    done = run("view", "--level", "warning", "-o", "jsonl", stdin=stdin.encode())
    assert events(done) == ["high"]
    assert "1 lines are no JSON objects" in done.stderr


def test_view_shows_each_line_when_it_comes() -> None:
    with subprocess.Popen([*COMMAND, "view"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment()) as child:  # fmt: skip
        assert child.stdin
        assert child.stdout
        child.stdin.write(line(event="now").encode())
        child.stdin.flush()
        assert b"now" in child.stdout.readline()
        child.stdin.close()


@pytest.mark.parametrize("stdin", [b"[1,2]\n", b"\xff\xfe\n", b'{"timestamp":7,"level":[1]}\n',
                                   b'{"event":{"a":1},"tenant_id":5,"exception":3}\n', b"{}\n",
                                   b'{"a":' * 3000 + b"\n", b"\0\n", b""])  # fmt: skip
def test_view_takes_any_line(stdin: bytes) -> None:
    done = run("view", stdin=stdin)
    assert done.stdout.count("\n") == stdin.count(b"\n")
    assert done.stderr == ""


# -- stats ---------------------------------------------------------------------------------------


def test_stats_counts_errors_and_latencies(root: Path) -> None:
    document = json.loads(run("stats", "--log-dir", root, "-o", "json").stdout)
    assert (document["count"], document["errors"]) == (3, 1)
    assert document["by"]["tool"]["search"]["p95_ms"] == 120
    assert document["by"]["tenant"]["acme"]["count"] == 2
    assert sum(minute["count"] for minute in document["minutes"]) == 3


def test_stats_draws_a_histogram_and_time(root: Path) -> None:
    text = run("stats", "--log-dir", root).stdout
    assert "3 records, 1 errors" in text
    assert re.search(r"search +1 +0 +0\.0 +120 +120 +120 .*█", text)
    assert "throughput" in text
    assert max(map(len, text.splitlines())) < 120


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_stats_fits_a_screen_of_any_width_and_cuts_no_figure(tmp_path: Path, width: int) -> None:
    write(tmp_path, "acme", *(
        line(tool=f"a_tool_with_a_long_name_{number % 3}", duration_ms=1234.5 * number + 1)
        for number in range(12)
    ))  # fmt: skip
    arguments = ("stats", "--log-dir", tmp_path, "--by", "tool", "--by", "count")
    shown = shown_text(on_a_terminal(*arguments, COLUMNS=str(width)))
    told = ("logbraid: ", "no room on this screen")
    drawn = [one for one in shown.splitlines()[1:] if not one.startswith(told)]
    assert width < 40 or max(map(len, drawn)) <= width
    assert re.search(r"\b4 .*\b13,0\d\d\b", shown)  # p95, whole
    assert ("1 - 13,580 ms" in shown) == (width >= 80)
    assert ("no room on this screen for: " in shown) == (width < 80)
    for name in ("count", "error %", "p95 ms", "records"):
        assert name in shown


def test_a_field_named_like_a_column_is_a_group_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "acme", line(count="many", duration_ms=7))
    text = run("stats", "--log-dir", tmp_path, "--by", "count").stdout
    assert re.search(r"many +1 +0 +0\.0 +7 +7 +7 +█", text)


def test_stats_of_nothing_is_an_answer(tmp_path: Path) -> None:
    assert run("stats", "--log-dir", tmp_path).stdout.startswith("0 records")
    assert json.loads(run("stats", "--log-dir", tmp_path, "-o", "jsonl").stdout)["count"] == 0


# -- audit-log -----------------------------------------------------------------------------------


@pytest.fixture
def data_home(tmp_path: Path) -> Path:
    entries = {
        "deploy": [
            {"timestamp": stamp(90), "command": "env create", "params": {"name": "x"},
             "exit_code": 0, "duration_ms": 12, "operator": "ada", "trace_id": "t-1"},
            {"timestamp": stamp(5), "command": "env delete", "parameters": ["x"],
             "exit_code": 1, "operator": "bob", "tenant_id": "acme"},
        ],
        "orders": [{"timestamp": stamp(30), "command": "list", "args": ["--all"], "exit_code": 0,
                    "user_id": "u-7", "trace_id": "t-1"}],
    }  # fmt: skip
    for tool, lines in entries.items():
        path = tmp_path / tool / "audit.jsonl"
        path.parent.mkdir()
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ([], ["env create", "list", "env delete"]),
        (["--since", "1h"], ["list", "env delete"]),
        (["--tool", "deploy"], ["env create", "env delete"]),
        (["--command", "env"], ["env create", "env delete"]),
        (["--command", "list"], ["list"]),
        (["--trace-id", "t-1"], ["env create", "list"]),
        (["--tenant", "acme"], ["env delete"]),
        (["--user", "ada"], ["env create"]),
        (["--user", "u-7"], ["list"]),
        (["--limit", "1"], ["env delete"]),
    ],
)
def test_audit_log_filters(data_home: Path, arguments: list[str], commands: list[str]) -> None:
    done = run("audit-log", "-o", "jsonl", *arguments, env={"XDG_DATA_HOME": str(data_home)})
    assert [one["command"] for one in told(done)] == commands


def test_arguments_of_any_name_come_as_args(data_home: Path) -> None:
    done = run("audit-log", "-o", "jsonl", env={"XDG_DATA_HOME": str(data_home)})
    assert [one["args"] for one in told(done)] == [{"name": "x"}, ["--all"], ["x"]]
    assert not any({"params", "parameters"} & one.keys() for one in told(done))
    assert {one["tool"] for one in told(done)} == {"deploy", "orders"}


def test_audit_log_of_nothing_is_empty(tmp_path: Path) -> None:
    assert run("audit-log", "-o", "jsonl", env={"XDG_DATA_HOME": str(tmp_path)}).stdout == ""
    assert run("audit-log", "-o", "jsonl", env={"HOME": str(tmp_path)}).stdout == ""


# -- prune and compress --------------------------------------------------------------------------


def day(ago: int) -> str:
    return stamp(ago * 24 * 60)[:10]


def test_prune_deletes_what_is_over_and_nothing_else(tmp_path: Path) -> None:
    for ago in (0, 5, 20, 40):
        write(tmp_path, "acme", line(), day=day(ago))
    packed = tmp_path / "acme" / f"{day(50)}.jsonl.gz"
    packed.write_bytes(gzip.compress(b"{}\n"))
    (tmp_path / "acme" / "notes.txt").write_text("mine")
    assert "3 files would be deleted" in run("prune", "--log-dir", tmp_path, "--dry-run").stdout
    assert packed.exists()
    assert json.loads(run("prune", "--log-dir", tmp_path, "-o", "json").stdout)["files"] == 3
    left = {path.name for path in (tmp_path / "acme").iterdir()}
    assert left == {f"{day(0)}.jsonl", f"{day(5)}.jsonl", "notes.txt"}
    assert "0 files" in run("prune", "--log-dir", tmp_path, "--days", "0").stdout


def test_compress_packs_closed_days_and_every_line_is_still_read(tmp_path: Path) -> None:
    for ago in (0, 2, 3):
        write(tmp_path, "acme", line(event=f"d{ago}"), day=day(ago)).chmod(0o640)
    before = sorted(events(run("query", "--log-dir", tmp_path, "-o", "jsonl")))
    assert "2 files of" in run("compress", "--log-dir", tmp_path, "--dry-run").stdout
    assert "2 files:" in run("compress", "--log-dir", tmp_path).stdout
    names = {path.name for path in (tmp_path / "acme").iterdir()}
    assert names == {f"{day(0)}.jsonl", f"{day(2)}.jsonl.gz", f"{day(3)}.jsonl.gz"}
    assert (tmp_path / "acme" / f"{day(2)}.jsonl.gz").stat().st_mode & 0o777 == 0o640
    assert sorted(events(run("query", "--log-dir", tmp_path, "-o", "jsonl"))) == before


def test_compress_again_after_it_was_killed_in_between(tmp_path: Path) -> None:
    path = write(tmp_path, "acme", line(event="d2"), day=day(2))
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    Path(f"{path}.gz.unfinished").write_bytes(b"half")
    run("compress", "--log-dir", tmp_path)
    assert [one.name for one in (tmp_path / "acme").iterdir()] == [f"{day(2)}.jsonl.gz"]
    assert events(run("query", "--log-dir", tmp_path, "-o", "jsonl")) == ["d2"]


def test_late_lines_beside_a_compressed_day_are_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, "acme", line(event="late"), day=day(2))
    Path(f"{path}.gz").write_bytes(gzip.compress(line(event="early").encode()))
    done = run("compress", "--log-dir", tmp_path, code=1)
    assert "not compressed" in done.stderr
    assert sorted(events(run("query", "--log-dir", tmp_path, "-o", "jsonl"))) == ["early", "late"]


# -- scrub ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stdin",
    [
        b'{"event": "paid",   "amount": 1.10, "n": 123456789012345678901234567890}\n',
        b"plain text\r\nand more",
        b"\xff\xfe bytes \x00\n",
        b"\n\n",
        b"",
        b'{"a":1,"a":2}\n{"x":NaN}\n{"y":1e999}\n',
    ],
)
def test_scrub_passes_harmless_lines_byte_for_byte(stdin: bytes) -> None:
    done = subprocess.run([*COMMAND, "scrub"], input=stdin, capture_output=True, check=True,
                          env=environment())  # fmt: skip
    assert (done.stdout, done.stderr) == (stdin, b"")


def test_scrub_takes_secrets_out_of_json_and_text() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIICdgIBADANBgkqh\nkiG9w0BAQEFAASCAm\n"
    stdin = (
        '{"password":"hunter2-93hd","big":123456789012345678,"f":1.5}\n'
        "GET /x?token=hunter2-93hd HTTP/1.1\r\n"
        '{"password":"hunter2-93hd","huge":123456789012345678901234567890}\n'
        f"{pem}-----END PRIVATE KEY-----\nafter\n{pem}"
    )
    done = run("scrub", "--summary", stdin=stdin.encode())
    assert "hunter2" not in done.stdout
    assert "MIICdg" not in done.stdout
    assert "kiG9w0" not in done.stdout
    lines = done.stdout.split("\n")
    first = json.loads(lines[0])
    assert (first["big"], first["f"]) == (123456789012345678, 1.5)
    assert lines[1].endswith("HTTP/1.1\r")
    assert "123456789012345678901234567890" in lines[2]
    assert "after\n" in done.stdout
    assert "redacted: " in done.stderr


def test_scrub_with_further_names_and_personal_data() -> None:
    stdin = b'{"customer_pin": "4711", "mail": "ada@example.com"}\n'
    assert b"4711" in stdin
    plain = run("scrub", stdin=stdin).stdout
    assert "ada@example.com" in plain
    done = run("scrub", "--personal-data", "--key", "customer pin", stdin=stdin)
    assert "4711" not in done.stdout
    assert "ada@" not in done.stdout


# -- level, check, demo --------------------------------------------------------------------------

FOLLOWER = """
import sys, time, logbraid
with logbraid.configure_logging(output="stderr"):
    print(logbraid.get_level(), flush=True)
    ends = time.monotonic() + 20
    while logbraid.get_level() != 10 and time.monotonic() < ends:
        time.sleep(0.02)
    print(logbraid.get_level(), flush=True)
"""


def test_level_set_changes_a_running_process(tmp_path: Path) -> None:
    file = tmp_path / "level"
    env = {"LOG_LEVEL_FILE": str(file)}
    assert run("level", "set", "WARN", env=env).stdout == "warning\n"
    with subprocess.Popen([sys.executable, "-c", FOLLOWER], stdout=subprocess.PIPE, text=True,
                          env=environment(**env)) as child:  # fmt: skip
        assert child.stdout
        assert child.stdout.readline() == "30\n"
        run("level", "set", "debug", env=env)
        assert child.stdout.readline() == "10\n"
    assert run("level", "get", env=env).stdout == "debug\n"
    assert [path.name for path in tmp_path.iterdir()] == ["level"]


def test_level_set_keeps_a_link_and_a_mode(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("info\n")
    real.chmod(0o640)
    (tmp_path / "link").symlink_to(real)
    run("level", "set", "error", "--file", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert real.read_text() == "error\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_level_get_of_nonsense_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("\x1b[31mloud")
    done = run("level", "get", "--file", tmp_path / "level", code=2)
    assert "\x1b" not in done.stderr


def test_check_tells_what_is_wrong_and_ends_with_one(tmp_path: Path) -> None:
    assert "nothing bypasses logbraid" in run("check").stdout
    (tmp_path / "wrong.py").write_text(
        "import logging, sys, logbraid\nlogbraid.configure_logging()\n"
        "logging.getLogger('own').addHandler(logging.FileHandler('own.log'))\n"
    )
    done = subprocess.run(
        [*COMMAND, "check", "wrong"], capture_output=True, check=False, cwd=tmp_path,
        env=environment(PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path])), timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"own has handlers of its own" in done.stdout


def test_demo_writes_logs_on_which_every_command_it_names_works(tmp_path: Path) -> None:
    done = run("demo", "--directory", tmp_path / "demo")
    for text in done.stdout.splitlines():
        words = text.replace("'", "").split()
        assert words[0] == "logbraid"
        if words[1] not in {"tail", "replay"} and "--where" not in words:
            assert run(*words[1:]).stdout
    assert "sk-demo" not in "".join(p.read_text() for p in (tmp_path / "demo").glob("*/*"))
    assert "is not empty" in run("demo", "--directory", tmp_path / "demo", code=2).stderr


def test_without_its_libraries_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom logbraid.cli.main import main\n"
    code += "import importlib.util as u; find = u.find_spec\n"
    code += "u.find_spec = lambda name: None if name == 'typer' else find(name)\n"
    code += "sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False,
                          env=environment())  # fmt: skip
    assert done.returncode == 2
    assert b"pip install 'logbraid[cli]'" in done.stderr


def test_variables_are_read_as_the_service_reads_them(tmp_path: Path) -> None:
    """``~`` is the home, a blank variable is not set."""
    write(tmp_path / "mine", "acme", line(event="there"))
    home = {"HOME": str(tmp_path)}
    assert "there" in run("query", env={**home, "LOG_DIR": "~/mine"}).stdout
    blank = run("query", env={**home, "LOG_DIR": "  "}, code=2).stderr
    assert "/logs: No such file" in blank
    run("level", "set", "debug", env={**home, "LOG_LEVEL_FILE": "~/level"})
    assert (tmp_path / "level").read_text().strip() == "debug"


def test_level_get_waits_for_no_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    told = run("level", "get", "--file", tmp_path / "fifo", code=2)
    assert "not a regular file" in told.stderr
