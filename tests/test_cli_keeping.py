"""``logbraid prune`` and ``compress``: what goes, what stays, and lines that come meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

from logbraid.agent import ActionTracer, EventArchive, JSONLExporter
from logbraid.cli.main import main
from logbraid.reading import find_files, read_records
from logbraid.reading.packing import Packer


def day(ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}"


def touch(path: Path, text: str = '{"event":"e"}\n', *, days_ago: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    then = (datetime.now(UTC) - timedelta(days=days_ago)).timestamp()
    os.utime(path, (then, then))
    return path


def pruned(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert main(["prune", "-o", "jsonl", *map(str, arguments)]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_prune_deletes_traces_by_their_day_and_nothing_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [
        touch(tmp_path / f"traces-{day(40)}.jsonl"),
        touch(tmp_path / f"traces-{day(20)}.jsonl.gz"),
    ]
    kept = [
        touch(tmp_path / f"traces-{day(3)}.jsonl"),
        touch(tmp_path / "traces.jsonl", days_ago=90),
        touch(tmp_path / f"{day(40)}.jsonl", days_ago=90),  # no sink's: someone put it there
        touch(tmp_path / "traces-2020-02-31.jsonl", days_ago=90),
        touch(tmp_path / "notes" / "mine.txt", days_ago=90),
    ]
    assert pruned(capsys, "--log-dir", tmp_path, "--dry-run")["files"] == 2
    assert all(one.exists() for one in old)
    assert pruned(capsys, "--log-dir", tmp_path)["files"] == 2
    assert not any(one.exists() for one in old)
    assert all(one.exists() for one in kept)


@pytest.mark.skipif(os.name == "nt", reason="modes of directories are POSIX")
@pytest.mark.parametrize("command", ["prune", "compress"])
def test_a_directory_that_may_not_be_listed_is_told_and_no_success(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        closed = touch(Path(folder, "logs", "globex", f"{day(40)}.jsonl")).parent
        Path(folder).chmod(0o755)
        arguments = [command, "--dry-run", "--log-dir", f"{folder}/logs"]
        assert main(arguments) == 0
        closed.chmod(0)
        ours = os.geteuid()
        if ours == 0:
            os.seteuid(65534)
        try:
            code = main(arguments)
        finally:
            os.seteuid(ours)
            closed.chmod(0o700)
    assert code == 1
    assert f"{closed} cannot be listed" in capsys.readouterr().err


def test_prune_deletes_archived_sessions_only_where_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "archive"
    with EventArchive(root, retention_days=0) as archive:
        for session in ("s-old", "s-new"):
            archive.on_event({"type": "turn", "data": {}, "session_id": session})
    touched = sorted(root.rglob("session-*.jsonl"))
    assert touched
    for path in touched:
        os.utime(path, (0, 0))
    new = touch(root / "_unknown" / "session-s-2.jsonl")
    assert pruned(capsys, "--log-dir", tmp_path) == {"files": 0, "days_kept": 14, "dry_run": False}
    assert touched[0].exists()
    asked = ("--log-dir", tmp_path, "--archive", root, "--days", "7")
    assert pruned(capsys, *asked, "--dry-run")["sessions"] == len(touched)
    assert touched[0].exists()
    assert pruned(capsys, *asked)["sessions"] == len(touched)
    assert not any(path.exists() for path in touched)
    assert new.exists()
    assert main(["prune", "--log-dir", str(tmp_path), "--archive", str(tmp_path / "none")]) == 2


def test_compress_packs_closed_traces(tmp_path: Path) -> None:
    tracer = ActionTracer()
    JSONLExporter(tmp_path).attach(tracer)
    with tracer.trace("lookup"):
        pass
    today = next(tmp_path.glob("traces-*.jsonl"))
    today.rename(tmp_path / f"traces-{day(2)}.jsonl")
    assert main(["compress", "--log-dir", str(tmp_path)]) == 0
    assert [one.name for one in tmp_path.iterdir()] == [f"traces-{day(2)}.jsonl.gz"]
    assert [row.record["action"] for row in read_records(tmp_path)] == ["lookup"]


def test_lines_that_come_while_a_day_is_compressed_are_put_behind_it(tmp_path: Path) -> None:
    path = touch(tmp_path / "acme" / f"{day(2)}.jsonl", '{"event":"early"}\n')
    writer = os.open(path, os.O_WRONLY | os.O_APPEND)  # a process that has it open
    waited = []

    def write_late(seconds: float) -> None:
        waited.append(seconds)
        assert not path.exists()
        os.write(writer, b'{"event":"late"}\n')

    packer = Packer(sleep=write_late)
    packer.pack(find_files(tmp_path), lambda size: None)
    os.close(writer)
    assert (packer.files, packer.failures) == (1, [])
    assert waited == [pytest.approx(1.5, abs=1)]  # longer than writers look for their file's name
    assert gzip.decompress(Path(f"{path}.gz").read_bytes()).count(b"\n") == 2
    assert [row.record["event"] for row in read_records(tmp_path)] == ["early", "late"]


def test_a_service_that_writes_to_a_day_while_it_is_compressed_loses_nothing(
    tmp_path: Path,
) -> None:
    path = touch(tmp_path / "acme" / f"{day(2)}.jsonl", "")
    is_over, looked_again = threading.Event(), threading.Event()

    def serve() -> None:
        """Write as the sinks do: a line with one write, the name looked at each time."""
        number = 0
        while not is_over.is_set():
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            for _ in range(200):
                os.write(fd, b'{"event":"e","n":%d}\n' % number)
                number += 1
            os.close(fd)
            looked_again.set()
        written.append(number)

    written: list[int] = []
    service = threading.Thread(target=serve)
    service.start()

    def wait(seconds: float) -> None:
        """Wait as long as writers of ours take to look, whatever this machine is doing."""
        looked_again.clear()
        assert looked_again.wait(60)

    packer = Packer(sleep=wait)
    packer.pack(find_files(tmp_path), lambda size: None)
    is_over.set()
    service.join()
    assert packer.files == 1
    assert sorted(row.record["n"] for row in read_records(tmp_path)) == list(range(written[0]))
