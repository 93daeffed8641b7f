"""What retention deletes, and what it never touches."""

from __future__ import annotations

import fcntl
import os
import queue
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logbraid.health import Health
from logbraid.sinks.retention import INTERVAL_SECONDS, Maintenance, delete_expired, is_expired

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = "2026-10-01.jsonl"


def a_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}\n")
    return path


def maintenance(root: Path, now: datetime = NOW, days: int = 14) -> Maintenance:
    ns = int(now.timestamp()) * 1_000_000_000
    return Maintenance(str(root), days, lambda: 0.0, lambda: ns, Health())


@pytest.mark.parametrize(
    ("name", "days", "expired"),
    [
        ("2026-11-06.jsonl", 14, True),
        ("2026-11-07.jsonl", 14, False),  # over for 13.5 days
        ("2026-11-20.jsonl", 1, False),
        ("2026-11-19.jsonl", 1, False),  # over for 36 hours: less than 48
        ("2026-11-18.jsonl", 1, True),
        ("2026-10-01.host-1.jsonl", 14, True),
        ("2026-10-01.4711.jsonl", 14, True),
        ("2026-10-01.host-1.4711.jsonl", 14, True),
        ("2026-10-01.jsonl.gz", 14, True),
        ("2026-10-01.json", 14, False),
        ("notes-2026-10-01.jsonl", 14, False),
        ("2026-10-01.a.b.c.jsonl", 14, False),
        ("2026-02-30.jsonl", 14, False),
        ("9999-12-31.jsonl", 14, False),
        ("2026-10-01.jsonl\n", 14, False),
    ],
)
def test_only_days_long_over_in_files_of_our_form_expire(
    name: str, days: int, expired: bool
) -> None:
    assert is_expired(name, days, NOW) is expired


def test_expired_files_go_and_the_others_stay(tmp_path: Path) -> None:
    gone = [a_file(tmp_path / "acme" / OLD), a_file(tmp_path / "_unknown" / OLD)]
    kept = [
        a_file(tmp_path / "acme" / "2026-11-20.jsonl"),
        a_file(tmp_path / "acme" / "notes.txt"),
        a_file(tmp_path / OLD),
        a_file(tmp_path / "Acme.Audit" / OLD),
        a_file(tmp_path / "acme" / "sub" / OLD),
    ]
    assert delete_expired(str(tmp_path), 14, NOW) == 2
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_zero_days_keep_everything(tmp_path: Path) -> None:
    kept = a_file(tmp_path / "acme" / OLD)
    assert delete_expired(str(tmp_path), 0, NOW) == 0
    assert kept.exists()


def test_links_are_neither_followed_nor_deleted(tmp_path: Path) -> None:
    elsewhere = a_file(tmp_path / "elsewhere" / OLD)
    root = tmp_path / "logs"
    (root / "acme").mkdir(parents=True)
    (root / "acme" / OLD).symlink_to(elsewhere)
    (root / "linked").symlink_to(elsewhere.parent)
    (root / "acme" / "2026-10-02.jsonl").hardlink_to(elsewhere)
    assert delete_expired(str(root), 14, NOW) == 0
    assert elsewhere.exists()
    assert (root / "acme" / OLD).is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_stays(tmp_path: Path) -> None:
    foreign = a_file(tmp_path / "acme" / OLD)
    os.chown(foreign, 12345, 12345)
    assert delete_expired(str(tmp_path), 14, NOW) == 0
    assert foreign.exists()


def test_directory_goes_when_it_is_empty_and_quiet_for_two_days(tmp_path: Path) -> None:
    a_file(tmp_path / "acme" / OLD)
    just_emptied = NOW.timestamp()
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    long_ago = (NOW - timedelta(hours=49)).timestamp()
    os.utime(quiet, (long_ago, long_ago))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    os.utime(fresh, (just_emptied, just_emptied))
    delete_expired(str(tmp_path), 14, NOW)
    assert not quiet.exists()
    assert fresh.exists()


def test_missing_root_is_nothing_to_do(tmp_path: Path) -> None:
    assert delete_expired(str(tmp_path / "none"), 14, NOW) == 0


def test_maintenance_runs_once_an_hour_over_all_processes(tmp_path: Path) -> None:
    a_file(tmp_path / "acme" / OLD)
    assert maintenance(tmp_path).run() == 1
    a_file(tmp_path / "acme" / OLD)
    another_process = maintenance(tmp_path, NOW + timedelta(minutes=59))
    assert another_process.run() == 0
    assert maintenance(tmp_path, NOW + timedelta(minutes=61)).run() == 1


def test_maintenance_leaves_the_turn_to_who_holds_the_lock(tmp_path: Path) -> None:
    kept = a_file(tmp_path / "acme" / OLD)
    with (tmp_path / ".maintenance").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert maintenance(tmp_path).run() == 0
    assert kept.exists()


FORKED = """
import fcntl, os, signal, sys
from logbraid.health import health
from logbraid.sinks.retention import Maintenance
children = []
def fork_under_the_lock():
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        signal.pause()
    children.append(child)
    return 1_795_262_400_000_000_000
Maintenance(sys.argv[1], 14, lambda: 0.0, fork_under_the_lock, health).run()
with open(os.path.join(sys.argv[1], ".maintenance"), "r+") as free:
    fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.kill(children[0], signal.SIGKILL)
"""


def test_lock_is_free_afterwards_though_a_forked_child_has_a_copy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path)], timeout=60, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_child_forked_under_the_lock_lets_go_of_its_copy(tmp_path: Path) -> None:
    one = maintenance(tmp_path)
    one._lock_fd = os.open(tmp_path, os.O_RDONLY)
    copy = one._lock_fd
    one.renew()
    one.renew()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copy)


def test_maintenance_never_follows_a_link_planted_as_its_lock(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    root = tmp_path / "logs"
    root.mkdir()
    (root / ".maintenance").symlink_to(target)
    assert maintenance(root).run() == 0
    assert target.read_bytes() == b"precious"
    assert "retention: OSError" in capfd.readouterr().err


def test_thread_starts_hourly_at_most(tmp_path: Path) -> None:
    started: queue.SimpleQueue[int] = queue.SimpleQueue()

    class Counting(Maintenance):
        def run(self) -> int:
            started.put(1)
            return 0

    one = Counting(str(tmp_path), 14, lambda: 0.0, lambda: 0, Health())
    for now in (0.0, 1.0, INTERVAL_SECONDS - 1, INTERVAL_SECONDS, INTERVAL_SECONDS + 1):
        one.start_if_due(now)
    for _ in range(2):
        started.get(timeout=10)
    assert started.empty()


def test_nothing_starts_when_everything_is_kept(tmp_path: Path) -> None:
    maintenance(tmp_path, days=0).start_if_due(0.0)
    assert not (tmp_path / ".maintenance").exists()
