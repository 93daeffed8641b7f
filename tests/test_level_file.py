"""A file whose text is the level: followed by content, once a second, never in the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import logbraid
from logbraid.health import health
from logbraid.level_file import LevelFile
from logbraid.testing import capture_logs


def wait_for_level(level: int, seconds: float = 5) -> float:
    """Return after how many seconds the level was *level*."""
    began = time.monotonic()
    while logbraid.get_level() != level:
        assert time.monotonic() - began < seconds, "the level did not follow"
        time.sleep(0.01)
    return time.monotonic() - began


def test_the_level_follows_the_text_of_the_file_within_two_seconds(tmp_path: Path) -> None:
    path = tmp_path / "level"
    path.write_text("warning\n")
    with capture_logs(level="info", level_file=path) as logs:
        assert logbraid.get_level() == 30
        log = logbraid.get_logger("lf")
        log.info("no")
        path.write_text("DEBUG")
        assert wait_for_level(10) < 3
        log.debug("yes")
    assert logs.events == ["yes"]


def test_a_config_map_that_is_swapped_whole_is_followed_by_content(tmp_path: Path) -> None:
    changes: list[int] = []
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "level").write_text("error")
    (tmp_path / "two" / "level").write_text("debug")
    os.utime(tmp_path / "two" / "level", (0, 0))
    (tmp_path / "data").symlink_to("one")
    file = LevelFile(tmp_path / "data" / "level", changes.append)
    file.look()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    file.look()
    file.look()
    assert changes == [40, 10]


def test_a_file_that_is_missing_empty_or_unreadable_changes_nothing(tmp_path: Path) -> None:
    changes: list[int] = []
    path = tmp_path / "level"
    file = LevelFile(path, changes.append)
    file.look()
    path.write_text("  \n")
    file.look()
    path.unlink()
    path.mkdir()
    file.look()
    assert changes == []


def test_a_text_that_is_no_level_is_told_once_and_changes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    changes: list[int] = []
    path = tmp_path / "level"
    path.write_text("hunter2secret")
    health.reset()
    file = LevelFile(path, changes.append)
    file.look()
    file.look()
    path.write_bytes(b"\xff" * 1000)
    file.look()
    assert changes == []
    said = capfd.readouterr().err
    assert said.count("logbraid: level_file:") == 1
    assert "hunter2secret" not in said


def test_a_level_set_by_hand_stays_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "level"
    path.write_text("info")
    file = LevelFile(path, logbraid.set_level)
    with capture_logs():
        file.look()
        logbraid.set_level("error")
        file.look()
        assert logbraid.get_level() == 40
        path.write_text("debug")
        file.look()
        assert logbraid.get_level() == 10


def test_stop_ends_the_thread_and_start_is_idempotent(tmp_path: Path) -> None:
    file = LevelFile(tmp_path / "level", lambda _: None)
    file.start()
    first = file._thread
    file.start()
    assert file._thread is first
    file.stop()
    assert first is not None
    first.join(5)
    assert not first.is_alive()
