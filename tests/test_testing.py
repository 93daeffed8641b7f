"""What the package gives to tests of programs that log."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import logbraid
from logbraid.testing import CapturedLogs, assert_no_secret, capture_logs


def test_capture_logs_has_every_record_of_every_library_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with capture_logs() as logs:
        logbraid.get_logger("t").debug("ours", a=1)
        logging.getLogger("t").debug("std", extra={"a": 2})
    assert logs.events == ["ours", "std"]
    assert logs.only(event="ours") == [logs[0]]
    assert logs.only(a=2, event="ours") == []
    assert isinstance(logs.only(a=1), CapturedLogs)
    assert capfd.readouterr().out == ""


def test_capture_logs_takes_the_keywords_of_configure_logging() -> None:
    seen: list[bytes] = []
    with capture_logs(level="warning", service="shop", sinks=[lambda line, _: seen.append(line)]):
        logbraid.get_logger("t").info("no")
        logbraid.get_logger("t").warning("yes")
    assert len(seen) == 1
    with pytest.raises(logbraid.ConfigError), capture_logs(levl="info"):
        pass


def test_capture_logs_ends_also_when_its_block_raises() -> None:
    with pytest.raises(KeyError), capture_logs():
        raise KeyError
    assert logbraid.get_level() == 30


def test_blocks_in_blocks_each_have_their_own() -> None:
    with capture_logs() as outer:
        logbraid.get_logger("t").info("one")
        with capture_logs() as inner:
            logbraid.get_logger("t").info("two")
        logbraid.get_logger("t").info("three")
    assert (outer.events, inner.events) == (["one", "three"], ["two"])


def test_the_fixture_comes_with_the_package(captured_logs: CapturedLogs) -> None:
    logbraid.get_logger("t").debug("seen")
    assert captured_logs.events == ["seen"]


@pytest.mark.parametrize(
    "records",
    [
        "text with canary-1 in it",
        b"bytes with canary-1",
        {"a": [{"b": "canary-1"}]},
        {"canary-1": 1},
        ["ok", ("canary-1",)],
        [b'{"a":"line\\ncanary-1"}'],
        CapturedLogs([{"event": "canary-1"}]),
    ],
)
def test_a_canary_is_found_anywhere_and_never_told(records: object) -> None:
    with pytest.raises(AssertionError, match="canary 2 is in the records") as caught:
        assert_no_secret(records, ["not there", "canary-1"])
    assert "canary-1" not in str(caught.value)


def test_a_canary_that_json_escapes_is_found_too() -> None:
    with pytest.raises(AssertionError):
        assert_no_secret(['{"a":"pass\\"word"}'], ['pass"word'])


def test_records_without_a_canary_pass() -> None:
    assert_no_secret([{"event": "fine", "n": 1, "none": None}], ["canary"])
    with pytest.raises(ValueError, match="canary 1 is empty"):
        assert_no_secret([], [""])


def test_the_plugin_works_in_a_project_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(
        "import logging\n"
        "def test_it(captured_logs):\n"
        "    logging.getLogger('app').info('paid', extra={'password': 'hunter2secret'})\n"
        "    assert captured_logs[0]['password'] == '[REDACTED:password]'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "1 passed" in done.stdout, done.stdout
