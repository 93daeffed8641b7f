"""``tail``, ``audit-log --follow`` and ``replay``: what comes, over midnight and new tenants."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

from logbraid.cli.following import Follower
from logbraid.cli.main import main

COMMAND = [sys.executable, "-m", "logbraid.cli"]


def stamp(minutes_ago: float = 0) -> str:
    moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def line(**fields: Any) -> bytes:
    record = {"timestamp": stamp(), "level": "info", "event": "e", **fields}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def append(root: Path, tenant: str, data: bytes, day: str = "") -> Path:
    path = root / tenant / f"{day or stamp()[:10]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)
    return path


class Tail:
    """A running command and its lines."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self._lines: Queue[bytes] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout
        for text in self.child.stdout:
            self._lines.put(text)

    def close(self) -> None:
        self.child.kill()
        self._reader.join(30)
        self.child.communicate()

    def next(self) -> Any:
        return json.loads(self._lines.get(timeout=30))["event"]

    def is_quiet(self) -> bool:
        return self._lines.empty()


@contextmanager
def following(*arguments: str | Path, **env: str) -> Iterator[Tail]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOG")}
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments), "-o", "jsonl"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**environment, **env},
    )  # fmt: skip
    tail = Tail(child)
    try:
        yield tail
    finally:
        tail.close()


def test_tail_follows_lines_new_tenants_and_days(tmp_path: Path) -> None:
    append(tmp_path, "acme", line(event="old") + line(event="last"))
    with following("tail", "--log-dir", tmp_path, "-n", "1") as tail:
        assert tail.next() == "last"
        append(tmp_path, "acme", line(event="new"))
        assert tail.next() == "new"
        append(tmp_path, "globex", line(event="of a tenant that came"))
        assert tail.next() == "of a tenant that came"
        append(tmp_path, "acme", line(event="after midnight"), day=stamp(-24 * 60)[:10])
        assert tail.next() == "after midnight"


def test_tail_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    whole = line(event="whole")
    append(tmp_path, "acme", line(event="first"))
    with following("tail", "--log-dir", tmp_path) as tail:
        assert tail.next() == "first"
        append(tmp_path, "acme", whole[:20])
        append(tmp_path, "globex", line(event="other"))
        assert tail.next() == "other"
        append(tmp_path, "acme", whole[20:])
        assert tail.next() == "whole"


def test_tail_filters_and_waits_for_a_directory(tmp_path: Path) -> None:
    root = tmp_path / "later"
    with following("tail", "--log-dir", root, "--tenant", "acme", "--level", "error") as tail:
        assert tail.child.stderr
        assert b"waiting for it" in tail.child.stderr.readline()
        append(root, "globex", line(event="no", level="error"))
        append(root, "acme", line(event="no") + line(event="yes", level="error"))
        assert tail.next() == "yes"
        assert tail.is_quiet()


def test_interrupted_tail_ends_with_130_and_no_word(tmp_path: Path) -> None:
    append(tmp_path, "acme", line(event="one"))
    with following("tail", "--log-dir", tmp_path) as tail:
        assert tail.next() == "one"
        tail.child.send_signal(signal.SIGINT)
        assert tail.child.wait(30) == 130
        assert tail.child.stderr
        assert b"Traceback" not in tail.child.stderr.read()


def test_tail_ends_when_its_reader_goes_away_though_nothing_comes(tmp_path: Path) -> None:
    append(tmp_path, "acme", line(event="one"))
    text = f"{sys.executable} -m logbraid.cli tail --log-dir {tmp_path} | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", text], capture_output=True, check=False,
                          timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_follower_sees_a_file_that_was_replaced_or_emptied(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    follower = Follower(lambda: [str(one) for one in tmp_path.glob("*.jsonl")])
    assert [text for _, text in follower.start(1)] == [b"2"]
    path.write_bytes(b"3\n")
    assert [text for _, text in follower.new_lines()] == [b"3"]
    other = tmp_path / "other"
    other.write_bytes(b"4\n5\n6\n")
    other.replace(path)
    assert [text for _, text in follower.new_lines()] == [b"4", b"5", b"6"]
    path.unlink()
    assert list(follower.new_lines()) == []
    follower.look_around()
    path.write_bytes(b"7\n")
    follower.look_around()
    assert [text for _, text in follower.new_lines()] == [b"7"]


@pytest.mark.parametrize("most", [0, 1, 3, 1000])
def test_follower_begins_with_the_last_whole_lines_of_a_long_file(
    tmp_path: Path, most: int
) -> None:
    lines = [b"%d " % number + b"x" * 500 for number in range(1000)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\ntorn")
    follower = Follower(lambda: [str(tmp_path / "a.jsonl")])
    assert [text for _, text in follower.start(most)] == lines[len(lines) - most :]
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b" no more\n")
    assert [text for _, text in follower.new_lines()] == [b"torn no more"]


def test_audit_log_follows(tmp_path: Path) -> None:
    path = tmp_path / "deploy" / "audit.jsonl"
    path.parent.mkdir()
    path.write_bytes(line(event="a", command="x"))
    with following("audit-log", "--follow", XDG_DATA_HOME=str(tmp_path)) as tail:
        assert tail.next() == "a"
        with path.open("ab") as file:
            file.write(line(event="b", command="y"))
        assert tail.next() == "b"
        other = tmp_path / "orders" / "audit.jsonl"
        other.parent.mkdir()
        other.write_bytes(line(event="c", command="z"))
        assert tail.next() == "c"


# -- replay --------------------------------------------------------------------------------------

agent: Any = None
try:
    from logbraid import agent
except ImportError:
    agent = None
needs_archive = pytest.mark.skipif(agent is None, reason="needs the wing of agents")


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[Any]:
    assert main(["replay", *map(str, arguments), "-o", "jsonl"]) == 0
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


@needs_archive
def test_replay_takes_the_archive_where_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import logbraid  # noqa: PLC0415 - the package itself, beside its wing

    append(tmp_path, "acme", line(event="from lines", session_id="s-1"))
    with agent.EventArchive(tmp_path / "archive") as archive:
        for tenant in ("acme", None):
            with logbraid.bound_context(tenant_id=tenant, session_id=f"s-{tenant}"):
                archive.on_event({"type": "tool_start", "data": {"tool": "search"}})
    for session in ("s-acme", "s-None"):
        (event,) = replayed(capsys, session, "--log-dir", tmp_path)
        assert (event["type"], event["data"]["tool"]) == ("tool_start", "search")
    assert replayed(capsys, "s-1", "--log-dir", tmp_path)[0]["event"] == "from lines"
    assert replayed(capsys, "s-acme", "--archive", tmp_path / "archive", "--tenant", "acme")


@needs_archive
def test_replay_of_log_lines_reads_compressed_days_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = append(tmp_path, "acme", line(event="first", session_id="s-1"), day=stamp(2880)[:10])
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    append(tmp_path, "acme", line(event="second", session_id="s-1") + line(session_id="s-2"))
    assert [one["event"] for one in replayed(capsys, "s-1", "--log-dir", tmp_path)] == [
        "first",
        "second",
    ]
    assert main(["replay", "s-1", "--log-dir", str(tmp_path), "--speed", "1000"]) == 0
    assert "second" in capsys.readouterr().out


@needs_archive
def test_sessions_of_several_tenants_are_never_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tenant in ("acme", "globex"):
        append(tmp_path, tenant, line(event=tenant, tenant_id=tenant, session_id="s-1"))
    assert main(["replay", "s-1", "--log-dir", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "give --tenant ('acme', 'globex')" in said.err
    (event,) = replayed(capsys, "s-1", "--log-dir", tmp_path, "--tenant", "globex")
    assert event["event"] == "globex"


@needs_archive
def test_sessions_with_odd_ids_are_named_so_that_they_can_be_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = "0190b5a2-77aa-7cc1-9d3e-2f1f6a0c1d2e"
    tenants: list[Any] = ["Straße-0190b5a2-77aa-7cc1-9d3e-2f1f6a0c1d2e", ["x"], 7]
    record = {"timestamp": "2026-11-21T10:00:00.000000Z", "event": "e", "session_id": session}
    path = tmp_path / "acme" / "2026-11-21.jsonl"
    path.parent.mkdir()
    lines = [json.dumps({**record, "tenant_id": one}) + "\n" for one in tenants]
    path.write_text("".join(lines), encoding="utf-8")
    assert main(["replay", session, "--log-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert session in told
    assert tenants[0] in told
    assert main(["replay", session[:-1], "--log-dir", str(tmp_path)]) == 2
    assert f"no session '{session[:-1]}'" in capsys.readouterr().err


def test_no_such_session_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "s-404", "--log-dir", str(tmp_path), "-o", "json"]) == 2
    assert "no session 's-404'" in capsys.readouterr().err
