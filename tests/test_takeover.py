"""What is taken over, and put back: hooks, handlers, levels, and what someone changed since."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import logbraid
from logbraid.context import bound_context
from logbraid.integrations import on_import
from logbraid.testing import CapturedLogs, capture_logs


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        yield logs


def run(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a program of that *text* to its end."""
    (directory / "program.py").write_text(textwrap.dedent(text))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=directory,
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def decoded(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# Hooks


def test_a_warning_becomes_a_line_with_the_context(captured: CapturedLogs) -> None:
    with warnings.catch_warnings(), capture_logs() as inner, bound_context(run_id="r"):
        warnings.simplefilter("always")
        warnings.warn("old: password=hunter2secret", DeprecationWarning, stacklevel=1)
    told = inner[0]
    assert (told["logger"], told["level"], told["run_id"]) == ("py.warnings", "warning", "r")
    assert told["category"] == "DeprecationWarning"
    assert told["filename"].endswith("test_takeover.py")
    assert "hunter2secret" not in str(told)
    assert captured == []


def test_a_warning_for_a_file_goes_to_that_file(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import sys, warnings
        import logbraid
        logbraid.configure_logging()
        warnings.showwarning("told", UserWarning, "f.py", 1, file=sys.stderr)
        warnings.warn("ours")
        """,
    )
    assert "UserWarning: told" in done.stderr
    assert [one["event"] for one in decoded(done.stdout)] == ["ours"]


def test_a_resource_warning_is_written_without_context(captured: CapturedLogs) -> None:
    with bound_context(tenant_id="stranger"):
        warnings.showwarning(ResourceWarning("unclosed"), ResourceWarning, "f.py", 1)
    assert "tenant_id" not in captured[0]


def test_an_uncaught_exception_is_one_line_and_the_exit_code_stays(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import logbraid
        logbraid.configure_logging()
        logbraid.bind_context(tenant_id="acme")
        def failing(password):
            raise ValueError("bad key password=hunter2secret")
        failing("local-" + "canary")
        """,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    (told,) = decoded(done.stdout)
    assert (told["level"], told["error_type"], told["tenant_id"]) == (
        "critical",
        "ValueError",
        "acme",
    )
    assert "in failing" in told["exception"]
    assert "hunter2secret" not in done.stdout
    assert "local-canary" not in done.stdout


def test_an_uncaught_exception_is_written_with_a_queue_too(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import logbraid
        logbraid.configure_logging(delivery="queue")
        logbraid.get_logger("n").info("before")
        raise ValueError("told")
        """,
    )
    assert done.returncode == 1
    assert [one["event"] for one in decoded(done.stdout)] == ["before", "uncaught exception"]


def test_a_keyboard_interrupt_and_an_exit_stay_what_they_are(tmp_path: Path) -> None:
    for statement, code in (("raise KeyboardInterrupt", None), ("raise SystemExit(7)", 7)):
        done = run(tmp_path, f"import logbraid\nlogbraid.configure_logging()\n{statement}\n")
        assert done.stdout == ""
        assert done.returncode == code or code is None
        assert done.returncode != 0


def test_an_excepthook_that_was_there_is_called_too(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import sys
        sys.excepthook = lambda kind, error, tb: print("theirs", file=sys.stderr)
        import logbraid
        logbraid.configure_logging()
        raise ValueError("told")
        """,
    )
    assert done.stderr == "theirs\n"
    assert len(decoded(done.stdout)) == 1


def test_an_uncaught_exception_in_a_thread_is_one_line(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import threading
        import logbraid
        logbraid.configure_logging()
        def failing():
            with logbraid.bound_context(tenant_id="acme"):
                raise ValueError("told")
        def leaving():
            raise SystemExit
        for work in (failing, leaving):
            thread = threading.Thread(target=work, name="worker-1")
            thread.start()
            thread.join()
        """,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    (told,) = decoded(done.stdout)
    assert (told["level"], told["thread"], told["error_message"]) == ("error", "worker-1", "told")


def test_what_a_finaliser_throws_is_one_line_without_the_context_of_whoever_runs(
    tmp_path: Path,
) -> None:
    done = run(
        tmp_path,
        """
        import logbraid
        logbraid.configure_logging()
        class Failing:
            def __del__(self):
                raise ValueError("in the end")
        one = Failing()
        with logbraid.bound_context(tenant_id="stranger"):
            del one
        """,
    )
    assert done.stderr == ""
    (told,) = decoded(done.stdout)
    assert told["where"].endswith("Failing.__del__")
    assert told["error_message"] == "in the end"
    assert "tenant_id" not in told


def test_a_task_that_nobody_awaited_is_written_without_the_context_of_whoever_runs(
    captured: CapturedLogs,
) -> None:
    async def failing() -> None:
        raise ValueError("lost")

    async def go() -> None:
        with bound_context(tenant_id="a"):
            task = asyncio.ensure_future(failing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with bound_context(tenant_id="b"):
            del task
            gc.collect()
        await asyncio.sleep(0)

    asyncio.run(go())
    told = captured.only(logger="asyncio")[0]
    assert "Task exception was never retrieved" in told["event"]
    assert told["error_message"] == "lost"
    assert "tenant_id" not in told


def test_other_lines_of_asyncio_keep_their_context(captured: CapturedLogs) -> None:
    with bound_context(tenant_id="a"):
        logging.getLogger("asyncio").warning("slow callback")
    assert captured[0]["tenant_id"] == "a"


# What close() does


def test_close_puts_back_every_hook_that_is_still_ours() -> None:
    def hooks() -> list[Any]:
        return [
            warnings.showwarning,
            sys.excepthook,
            threading.excepthook,
            sys.unraisablehook,
            logging.Logger.makeRecord,
        ]

    before = hooks()
    handle = logbraid.configure_logging()
    assert all(one is not two for one, two in zip(before, hooks(), strict=True))
    handle.close()
    assert all(one is two for one, two in zip(before, hooks(), strict=True))


def test_close_leaves_a_hook_that_someone_changed_since() -> None:
    def nothing(*_: object) -> None:
        return

    theirs: Any = nothing
    before = (warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook)
    make_record = logging.Logger.makeRecord
    handle = logbraid.configure_logging()
    warnings.showwarning = sys.excepthook = theirs
    threading.excepthook = sys.unraisablehook = theirs
    logging.Logger.makeRecord = theirs  # type: ignore[method-assign]  # never called
    try:
        handle.close()
        hooks: list[Any] = [warnings.showwarning, sys.excepthook, threading.excepthook]
        hooks += [sys.unraisablehook, logging.Logger.makeRecord]
        assert all(one is theirs for one in hooks)
    finally:
        warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook = before
        logging.Logger.makeRecord = make_record  # type: ignore[method-assign]  # as it was


def test_close_puts_back_handlers_levels_and_propagation() -> None:
    root = logging.getLogger()
    server = logging.getLogger("takeover.server")
    on_root, on_server = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    root.addHandler(on_root)
    server.addHandler(on_server)
    server.propagate = False
    level = root.level
    try:
        with logbraid.configure_logging(level="error"):
            assert on_root not in root.handlers
            assert server.handlers == []
            assert server.propagate
            assert root.level == logging.ERROR
        assert on_root in root.handlers
        assert server.handlers == [on_server]
        assert not server.propagate
        assert root.level == level
    finally:
        server.handlers.clear()
        server.propagate = True
        root.removeHandler(on_root)


def test_close_leaves_a_root_level_that_someone_changed_since() -> None:
    root = logging.getLogger()
    with logbraid.configure_logging(level="info"):
        root.setLevel(logging.CRITICAL)
    assert root.level == logging.CRITICAL


def test_close_leaves_a_named_level_that_someone_changed_since() -> None:
    named = logging.getLogger("takeover.named")
    try:
        with logbraid.configure_logging(levels={"takeover.named": "error"}):
            assert named.level == logging.ERROR
            named.setLevel(logging.DEBUG)
        assert named.level == logging.DEBUG
    finally:
        named.setLevel(logging.NOTSET)


def test_close_leaves_no_handler_and_no_finder_of_ours() -> None:
    logbraid.configure_logging().close()
    handlers = [one for logger in _loggers() for one in logger.handlers]
    assert not [one for one in handlers if type(one).__module__.startswith("logbraid")]
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("logbraid")]


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    return [
        root,
        *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]


def test_after_close_loggers_write_warnings_to_stderr_again(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import logbraid
        log = logbraid.get_logger("n")
        with logbraid.configure_logging():
            log.info("one")
        log.info("no")
        log.error("two", token="sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ")
        """,
    )
    assert [one["event"] for one in decoded(done.stdout)] == ["one"]
    (told,) = decoded(done.stderr)
    assert told["event"] == "two"
    assert "sk-proj" not in done.stderr


# What came since


def test_a_standard_stream_handler_that_came_since_goes_at_the_next_check(
    captured: CapturedLogs,
) -> None:
    server = logging.getLogger("takeover.late")
    handler = logging.StreamHandler(sys.stdout)
    server.addHandler(handler)
    server.propagate = False
    try:
        logbraid.check()
        server.info("ours")
        assert server.handlers == []
    finally:
        server.handlers.clear()
        server.propagate = True
    assert captured.events == ["ours"]


def test_a_rich_console_on_stdout_counts_as_a_standard_stream(captured: CapturedLogs) -> None:
    class Console:
        file = sys.stdout

    class Rich(logging.Handler):
        console = Console()

    logger = logging.getLogger("takeover.rich")
    logger.addHandler(Rich())
    try:
        logbraid.check()
        assert logger.handlers == []
    finally:
        logger.handlers.clear()
    assert captured == []


def test_a_handler_that_writes_elsewhere_stays_and_is_named_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.FileHandler(tmp_path / "theirs.log")
    own = logging.getLogger("takeover.file")
    own.addHandler(handler)
    own.addHandler(logging.NullHandler())
    try:
        with capture_logs() as captured:
            own.warning("told twice")
            logbraid.check()
            assert handler in own.handlers
    finally:
        own.handlers.clear()
        handler.close()
    said = capfd.readouterr().err
    assert said.count("unscrubbed handlers: takeover.file (FileHandler)") == 1
    assert "NullHandler" not in said
    assert captured.events == ["told twice"]
    assert (tmp_path / "theirs.log").read_text() == "told twice\n"


def test_a_second_configuration_replaces_the_first_without_doubling(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lines: list[str] = []
    first = logbraid.configure_logging(sinks=[lambda _, record: lines.append("first")])
    second = logbraid.configure_logging(sinks=[lambda _, record: lines.append(record["event"])])
    logbraid.get_logger("n").info("ours")
    logging.getLogger("n").info("std")
    structlog.get_logger("n").info("structlog")
    first.close()  # does nothing: it is not in force any more
    logbraid.get_logger("n").info("after")
    second.close()
    second.close()
    assert lines == ["ours", "std", "structlog", "after"]
    assert capfd.readouterr().out.count("\n") == 4


def test_waiting_for_a_module_does_not_import_it_and_cancelling_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "awaited_one.py").write_text("x = 1\n")
    (tmp_path / "awaited_two.py").write_text("x = 2\n")
    called: list[str] = []
    one = on_import.Waiting("awaited_one", lambda: called.append("one"))
    two = on_import.Waiting("awaited_two", lambda: called.append("two"))
    assert "awaited_one" not in sys.modules
    two.cancel()
    two.cancel()
    import awaited_one  # type: ignore[import-not-found]  # noqa: PLC0415 - made above
    import awaited_two  # type: ignore[import-not-found]  # noqa: PLC0415 - made above

    assert (awaited_one.x, awaited_two.x) == (1, 2)
    assert called == ["one"]
    assert one not in sys.meta_path


def test_an_import_does_not_fail_because_of_what_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "awaited_bad.py").write_text("x = 1\n")

    def bad() -> None:
        raise ValueError("ours")

    on_import.Waiting("awaited_bad", bad)
    import awaited_bad  # type: ignore[import-not-found]  # noqa: PLC0415 - made above

    assert awaited_bad.x == 1
    assert capfd.readouterr().err == "logbraid: take-over of awaited_bad: ValueError\n"
