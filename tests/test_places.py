"""Where it is called: real servers, workers and children, each started as its users start it.

Each program logs with all libraries; every line of its standard output has to be a line of ours,
with the right ids, and no line may stand there twice.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

WEB = """
import logging
import loguru
import structlog
import logbraid

old = structlog.get_logger("old")
logbraid.configure_logging(level="info")
log = logbraid.get_logger("web")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    logbraid.bind_context(tenant_id="acme")
    log.info("ours")
    logging.getLogger("web.std").info("std")
    loguru.logger.info("loguru")
    old.info("old")
    print_out = b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": print_out})

app = logbraid.TracingMiddleware(app)
"""

WSGI = """
import logging
import logbraid

logbraid.configure_logging(level="info")
log = logbraid.get_logger("web")

def application(environ, start_response):
    logbraid.bind_context(tenant_id="acme")
    log.info("ours")
    logging.getLogger("web.std").info("std")
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"ok"]

app = logbraid.TracingWSGIMiddleware(application)
"""

LIBRARIES = ["loguru", "old", "ours", "std"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what *what* returns as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def get(port: int, path: str = "/", request_id: str = "r-1") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"x-request-id": request_id}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextmanager
def program(directory: Path, *command: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python command`` in *directory*; its output goes to the files ``out`` and ``err``."""
    with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=directory,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def lines_of(directory: Path) -> list[dict[str, Any]]:
    """Return the decoded lines of standard output: each has to be one of ours."""
    found = []
    for line in (directory / "out").read_text().splitlines():
        told = json.loads(line)
        assert {"timestamp", "level", "logger", "event"} <= set(told), line
        found.append(told)
    return found


def write(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(textwrap.dedent(text))


def assert_one_request(lines: list[dict[str, Any]], request_id: str, libraries: list[str]) -> None:
    """Every library's line is there once with its ids, and one access line."""
    of_request = [one for one in lines if one.get("request_id") == request_id]
    assert sorted(one["event"] for one in of_request if "status" not in one) == libraries
    assert {one["tenant_id"] for one in of_request} == {"acme"}
    access = [one for one in of_request if "status" in one]
    assert [one["status"] for one in access] == [200]


def test_uvicorn_by_command(tmp_path: Path) -> None:
    write(tmp_path, "web.py", WEB)
    port = free_port()
    with program(tmp_path, "-m", "uvicorn", "web:app", "--port", str(port)):
        wait_for(lambda: get(port) == 200)
    lines = lines_of(tmp_path)
    assert_one_request(lines, "r-1", LIBRARIES)
    assert any(one["logger"] == "uvicorn.error" for one in lines)
    assert not any(one["logger"] == "uvicorn.access" for one in lines)


def test_uvicorn_with_two_workers(tmp_path: Path) -> None:
    write(tmp_path, "web.py", WEB)
    port = free_port()
    command = ("-m", "uvicorn", "web:app", "--workers", "2", "--port", str(port))
    with program(tmp_path, *command):
        wait_for(lambda: get(port) == 200)
        for number in range(8):
            assert get(port, request_id=f"w-{number}") == 200
    lines = lines_of(tmp_path)
    for number in range(8):
        assert_one_request(lines, f"w-{number}", LIBRARIES)


def test_uvicorn_with_reload(tmp_path: Path) -> None:
    write(tmp_path, "web.py", WEB)
    port = free_port()
    with program(tmp_path, "-m", "uvicorn", "web:app", "--reload", "--port", str(port)):
        wait_for(lambda: get(port) == 200)
    assert_one_request(lines_of(tmp_path), "r-1", LIBRARIES)


def test_uvicorn_run_after_configuration_is_corrected_at_the_first_request(
    tmp_path: Path,
) -> None:
    port = free_port()
    write(tmp_path, "web.py", WEB)
    write(tmp_path, "main.py", f"import uvicorn, web\nuvicorn.run(web.app, port={port})\n")
    with program(tmp_path, "main.py"):
        wait_for(lambda: get(port) == 200)
        assert get(port, request_id="r-2") == 200
    text = (tmp_path / "out").read_text()
    assert "HTTP/1.1" not in text
    lines = lines_of(tmp_path)
    assert_one_request(lines, "r-1", LIBRARIES)
    assert_one_request(lines, "r-2", LIBRARIES)
    # its own lines before the first request went to stderr; those at its end are ours
    assert any(one["event"] == "Shutting down" for one in lines)
    assert "Shutting down" not in (tmp_path / "err").read_text()


def test_uvicorn_run_without_its_log_config_is_ours_from_the_start(tmp_path: Path) -> None:
    port = free_port()
    write(tmp_path, "web.py", WEB)
    write(
        tmp_path,
        "main.py",
        f"import uvicorn, web\nuvicorn.run(web.app, port={port}, log_config=None)\n",
    )
    with program(tmp_path, "main.py"):
        wait_for(lambda: get(port) == 200)
    lines = lines_of(tmp_path)
    assert_one_request(lines, "r-1", LIBRARIES)
    assert any(one["event"].startswith("Started server process") for one in lines)
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
@pytest.mark.parametrize("preload", [True, False])
def test_gunicorn_with_two_workers(tmp_path: Path, preload: bool) -> None:
    write(tmp_path, "wsgi.py", WSGI)
    port = free_port()
    more = ("--preload",) if preload else ()
    command = ("-m", "gunicorn", "wsgi:app", "-w", "2", "-b", f"127.0.0.1:{port}", *more)
    with program(tmp_path, *command, "--no-control-socket") as process:
        wait_for(lambda: get(port) == 200 or process.poll() is not None)
        for number in range(6):
            assert get(port, request_id=f"g-{number}") == 200
    lines = lines_of(tmp_path)
    for number in range(6):
        assert_one_request(lines, f"g-{number}", ["ours", "std"])


def test_a_celery_worker_leaves_logging_to_us(tmp_path: Path) -> None:
    write(
        tmp_path,
        "work.py",
        """
        import logging
        import celery
        import logbraid

        logbraid.configure_logging(level="info")
        app = celery.Celery("work", broker="filesystem://")
        app.conf.broker_transport_options = {
            "data_folder_in": "queue", "data_folder_out": "queue", "processed_folder": "done",
            "control_folder": "control",
        }
        app.conf.worker_hijack_root_logger = True

        @app.task
        def pay(amount):
            with logbraid.bound_context(tenant_id="acme", run_id="job"):
                logbraid.get_logger("work").info("ours", amount=amount)
                celery.utils.log.get_task_logger("work.std").info("std")
        """,
    )
    for name in ("queue", "done", "control"):
        (tmp_path / name).mkdir()
    subprocess.run(
        [sys.executable, "-c", "import work; work.pay.delay(3)"],
        cwd=tmp_path,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    command = ("-m", "celery", "-A", "work", "worker", "-P", "solo", "-l", "info")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    out = tmp_path / "out"
    with program(tmp_path, *command, *quiet) as process:
        wait_for(lambda: '"std"' in out.read_text() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    # Celery prints its banner; every line of logging is ours
    ours = [json.loads(line) for line in out.read_text().splitlines() if line.startswith("{")]
    told = [(one["event"], one["tenant_id"], one["run_id"]) for one in ours if "run_id" in one]
    assert sorted(told) == [("ours", "acme", "job"), ("std", "acme", "job")]
    assert any(one["logger"].startswith("celery") for one in ours)
    assert "[INFO/" not in out.read_text() + (tmp_path / "err").read_text()


def test_under_pytest_its_handlers_stay_and_caplog_still_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import logging  # noqa: PLC0415 - the programs above import their own

    import logbraid  # noqa: PLC0415 - as above

    before = [type(one) for one in logging.getLogger().handlers]
    with logbraid.configure_logging(level="info"):
        logging.getLogger("under.pytest").info("seen by both")
        kept = [type(one) for one in logging.getLogger().handlers]
    assert [one for one in kept if one.__module__.startswith("_pytest")] == before
    assert caplog.messages == ["seen by both"]


def run(directory: Path, text: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of that *text* to its end."""
    write(directory, "program.py", text)
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=directory,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def decoded(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_spawned_child_configures_again_and_has_the_ids_of_its_parent(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import multiprocessing, os
        import logbraid, logbraid.propagation

        def work():
            logbraid.configure_logging()
            logbraid.get_logger("child").info("child")

        if __name__ == "__main__":
            logbraid.configure_logging()
            with logbraid.bound_context(tenant_id="acme", run_id="r-1"):
                os.environ.update(logbraid.propagation.child_env())
                logbraid.get_logger("parent").info("parent")
                child = multiprocessing.get_context("spawn").Process(target=work)
                child.start()
                child.join()
        """,
    )
    lines = decoded(done.stdout)
    assert done.stderr == ""
    assert [(one["event"], one["tenant_id"], one["run_id"]) for one in lines] == [
        ("parent", "acme", "r-1"),
        ("child", "acme", "r-1"),
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_goes_on_without_configuring(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import logging, os
        import logbraid
        logbraid.configure_logging()
        logbraid.bind_context(tenant_id="acme")
        logbraid.get_logger("p").info("parent")
        pid = os.fork()
        if pid == 0:
            logbraid.get_logger("c").info("child")
            logging.getLogger("c").info("child std")
            os._exit(0)
        os.waitpid(pid, 0)
        logbraid.get_logger("p").info("after")
        """,
    )
    assert [one["event"] for one in decoded(done.stdout)] == [
        "parent",
        "child",
        "child std",
        "after",
    ]


def test_a_replaced_stdout_is_written_by_its_write_as_in_a_notebook(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import io, sys
        import logbraid
        cell = sys.stdout = io.StringIO()
        logbraid.configure_logging()
        logbraid.get_logger("n").info("into the cell")
        sys.stdout = sys.__stdout__
        print(cell.getvalue(), end="")
        """,
    )
    assert [one["event"] for one in decoded(done.stdout)] == ["into the cell"]


@pytest.mark.parametrize("gone", ["sys.stdout = None", "sys.stdout.close()"])
def test_a_stdout_that_is_gone_is_told_once_and_nothing_raises(tmp_path: Path, gone: str) -> None:
    done = run(
        tmp_path,
        f"""
        import sys
        import structlog  # it cannot be imported itself once standard output is closed
        import logbraid
        {gone}
        logbraid.configure_logging()
        for number in range(100):
            logbraid.get_logger("n").info("lost")
        sys.stdout = None
        sys.exit(0 if sum(logbraid.stats().dropped.values()) == 100 else 3)
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("logbraid: sink stdout is off")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_daemon_without_standard_streams_writes_its_files_and_nothing_else_into_them(
    tmp_path: Path,
) -> None:
    # The next files that it opens get the numbers of the standard streams
    write(
        tmp_path,
        "program.py",
        """
        import sys
        import logbraid
        assert sys.stdout is sys.stderr is None
        def failing():
            raise ValueError
        with logbraid.configure_logging(
            output="stdout,files", log_dir="logs", context_providers=[failing]
        ):
            for number in range(10):
                for tenant in ("acme", "b", "c"):
                    with logbraid.bound_context(tenant_id=tenant):
                        logbraid.get_logger("d").info("daemon", number=number)
                logbraid.health.health.complain(f"step {number}", "a complaint")
        """,
    )
    command = f"exec {sys.executable} program.py <&- >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), timeout=60, check=False
    )
    assert done.returncode == 0
    for tenant in ("acme", "b", "c"):
        (file,) = (tmp_path / "logs" / tenant).glob("*.jsonl")
        assert [one["number"] for one in decoded(file.read_text())] == list(range(10))


def test_a_program_that_configures_nothing_writes_scrubbed_warnings_to_stderr(
    tmp_path: Path,
) -> None:
    done = run(
        tmp_path,
        """
        import logbraid
        log = logbraid.get_logger("n")
        log.info("no")
        log.warning("yes", password="hunter2secret")
        """,
    )
    assert done.stdout == ""
    told = decoded(done.stderr)
    assert [(one["event"], one["password"]) for one in told] == [("yes", "[REDACTED:password]")]


def test_an_mcp_server_on_stdio_keeps_its_stdout_clean(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import logging
        import logbraid
        logbraid.configure_logging(output="stderr")
        logbraid.get_logger("n").info("ours")
        logging.getLogger("n").info("std")
        print("protocol")
        """,
    )
    assert done.stdout == "protocol\n"
    assert [one["event"] for one in decoded(done.stderr)] == ["ours", "std"]
