"""Child processes: they carry the ids, are measured, leave one record, and never stay behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import logbraid
from logbraid.context import bind_context, bound_context
from logbraid.propagation import traced_run, traced_run_async
from logbraid.testing import CapturedLogs, capture_logs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
IDS = {
    "tenant_id": "acme",
    "user_id": "u-7",
    "session_id": "s-1",
    "run_id": "run-9",
    "request_id": "req-4",
}
VARIABLES = ("TOOL_TRACE_ID", "TRACEPARENT", "LOGBRAID_CONTEXT")
SHOW = f"import os, json; print(json.dumps({{n: os.environ.get(n) for n in {VARIABLES!r}}}))"

posix = pytest.mark.skipif(os.name == "nt", reason="process groups")


@pytest.fixture(autouse=True)
def _no_outer_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_logs() as captured:
        yield captured


def python(code: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    return traced_run([sys.executable, "-c", code], operation="test", **options)


def shown(done: subprocess.CompletedProcess[Any]) -> dict[str, str]:
    found: dict[str, str] = json.loads(done.stdout)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until_gone(pid: int) -> None:
    ends = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < ends, "it is still there"
        time.sleep(0.01)


# what the child is given


def test_child_gets_the_trace_and_the_five_ids(logs: CapturedLogs) -> None:
    with bound_context(**IDS, trace_id=TRACE, span_id=SPAN):
        found = shown(python(SHOW))
    assert found["TOOL_TRACE_ID"] == TRACE
    assert found["TRACEPARENT"] == f"00-{TRACE}-{SPAN}-01"
    assert json.loads(found["LOGBRAID_CONTEXT"]) == IDS
    (record,) = logs
    assert {name: record[name] for name in IDS} == IDS
    assert (record["trace_id"], record["span_id"]) == (TRACE, SPAN)


def test_where_no_trace_is_bound_one_begins_and_the_record_carries_it(logs: CapturedLogs) -> None:
    found = shown(python(SHOW))
    (record,) = logs
    assert found["TOOL_TRACE_ID"] == record["trace_id"]
    assert found["TRACEPARENT"] == f"00-{record['trace_id']}-{record['span_id']}-01"
    assert dict(logbraid.current_context()) == {}


def test_trace_of_our_own_environment_goes_on_also_with_an_environment_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOOL_TRACE_ID", "any text")
    monkeypatch.setenv("LOGBRAID_CONTEXT", json.dumps(IDS))
    with capture_logs():
        found = shown(python(SHOW, env={"PATH": os.environ["PATH"]}))
    assert found["TOOL_TRACE_ID"] == "any text"
    assert json.loads(found["LOGBRAID_CONTEXT"]) == IDS


def test_a_tenant_bound_now_is_not_mixed_with_ids_of_the_outer_process(
    monkeypatch: pytest.MonkeyPatch, logs: CapturedLogs
) -> None:
    monkeypatch.setenv("LOGBRAID_CONTEXT", json.dumps(IDS))
    with bound_context(tenant_id="globex"):
        found = shown(python(SHOW))
    assert json.loads(found["LOGBRAID_CONTEXT"]) == {"tenant_id": "globex"}


def test_a_child_that_uses_logbraid_carries_the_ids_without_a_line_of_code(
    tmp_path: Path, logs: CapturedLogs
) -> None:
    script = tmp_path / "tool.py"
    script.write_text(
        "import logging, logbraid\n"
        "logbraid.configure_logging(output='stdout', format='json')\n"
        "logbraid.get_logger('tool').info('ours', n=1)\n"
        "logging.getLogger('lib').warning('theirs')\n"
    )
    with bound_context(**IDS):
        done = traced_run([sys.executable, script], operation="tool", text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (record,) = logs.only(event="child_process")
    assert [line["event"] for line in lines] == ["ours", "theirs"]
    for line in lines:
        assert {name: line[name] for name in IDS} == IDS
        assert line["trace_id"] == record["trace_id"]
        assert line["parent_span_id"] == record["span_id"]


def test_a_grandchild_carries_them_too(logs: CapturedLogs) -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}])"
    with bound_context(**IDS):
        found = shown(python(inner))
    assert json.loads(found["LOGBRAID_CONTEXT"]) == IDS


# the record


def test_one_record_says_what_ran_for_how_long_and_what_came_of_it(logs: CapturedLogs) -> None:
    done = python("import sys; sys.stdout.write('o' * 7); sys.stderr.write('e' * 3)", input=b"four")
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"o" * 7, b"e" * 3)
    (record,) = logs
    assert (record["event"], record["level"], record["operation"]) == (
        "child_process",
        "info",
        "test",
    )
    assert (record["status"], record["exit_code"]) == ("ok", 0)
    assert (record["bytes_in"], record["bytes_out"], record["bytes_err"]) == (4, 7, 3)
    assert (record["output_summary"], record["stderr_summary"]) == ("o" * 7, "e" * 3)
    assert 0 < record["upstream_ms"] <= record["duration_ms"]
    assert record["argv"][0] == sys.executable


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ('{"ok": true, "meta": {"duration_ms": 12.5}}', 12.5),
        ('working\\n{"meta": {"duration_ms": 3}}\\n', 3.0),
        ('{"meta": {"duration_ms": true}}', None),
        ('{"meta": {"duration_ms": -1}}', None),
        ('{"meta": {"duration_ms": NaN}}', None),
        ('{"meta": {"duration_ms": 1e999}}', None),
        ('{"meta": 5}', None),
        ("{" * 5000, None),
        ("[" * 100_000, None),
    ],
)
def test_the_childs_own_duration_is_what_it_tells_else_what_was_seen(
    logs: CapturedLogs, printed: str, told: float | None
) -> None:
    python(
        f"print('{printed}')" if len(printed) < 1000 else f"print({printed[0]!r} * {len(printed)})"
    )
    (record,) = logs
    if told is None:
        assert 1 < record["upstream_ms"] <= record["duration_ms"]
    else:
        assert record["upstream_ms"] == told


def test_a_child_with_command_meta_tells_its_duration(logs: CapturedLogs) -> None:
    code = (
        "import json, time; from logbraid.agent import command_meta;"
        "print(json.dumps({'meta': command_meta('x', '1', started=time.perf_counter() - 0.0015)}))"
    )
    with bound_context(request_id="req-4"):
        meta = json.loads(python(code).stdout)["meta"]
    (record,) = logs
    assert record["upstream_ms"] == meta["duration_ms"]
    assert (meta["request_id"], meta["trace_id"]) == ("req-4", record["trace_id"])


def test_secrets_in_argv_and_output_are_not_in_the_record(logs: CapturedLogs) -> None:
    secrets = ["hunter2-canary", "s3cr3t-canary", "pw-canary", "key-canary-1", "out-canary-2"]
    code = (
        "import sys; print('password=out-canary-2', sys.argv[1:], file=sys.stderr);"
        "print('Authorization: Bearer out-canary-2')"
    )
    done = traced_run(
        [
            sys.executable,
            "-c",
            code,
            "--password",
            secrets[0],
            f"--token={secrets[1]}",
            f"postgres://app:{secrets[2]}@db/x",
            f"https://h/x?api_key={secrets[3]}",
        ],
        operation="test",
        text=True,
    )
    assert "out-canary-2" in done.stdout, "the caller gets what there was"
    text = json.dumps(logs)
    assert [one for one in secrets if one in text] == []


def test_long_output_is_cut_in_the_record_only(logs: CapturedLogs) -> None:
    done = python("print('x' * 300_000)")
    (record,) = logs
    assert len(done.stdout) == 300_001
    assert len(record["output_summary"]) <= 2000
    assert record["bytes_out"] == 300_001
    assert record["truncated"]["output_summary"] == 300_001


def test_an_exit_code_is_a_warning_and_check_raises_after_it(logs: CapturedLogs) -> None:
    assert python("import sys; sys.exit(3)").returncode == 3
    with pytest.raises(subprocess.CalledProcessError) as caught:
        python("import sys; print('why'); sys.exit(4)", check=True, text=True)
    assert (caught.value.returncode, caught.value.stdout) == (4, "why\n")
    assert [(one["level"], one["status"], one["exit_code"]) for one in logs] == [
        ("warning", "error", 3),
        ("warning", "error", 4),
    ]


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["no-such-program", "--token=s3cr3t-canary"], FileNotFoundError),
        (["a\0b"], ValueError),
        ([os.path.sep], PermissionError),
        ([], IndexError),
    ],
)
def test_what_cannot_start_is_logged_and_raised(
    logs: CapturedLogs, argv: list[str], kind: type[Exception]
) -> None:
    with pytest.raises((kind, ValueError)):
        traced_run(argv, operation="test")
    (record,) = logs
    assert (record["level"], record["status"]) == ("warning", "error")
    assert record["error_class"] in {kind.__name__, "ValueError"}
    assert "exit_code" not in record
    assert "s3cr3t" not in json.dumps(logs)


def test_text_is_what_subprocess_run_gives(logs: CapturedLogs) -> None:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + b'\\r\\nb\\rc')"
    argv = [sys.executable, "-c", code]
    asked: list[dict[str, Any]] = [
        {"text": True},
        {"text": True, "bufsize": 1},
        {"encoding": "latin-1"},
        {"errors": "replace"},
    ]
    for words in asked:
        options = {**words, "input": "ä\n"}
        ours = traced_run(argv, operation="test", **options)
        theirs = subprocess.run(argv, capture_output=True, check=False, **options)
        assert (ours.stdout, ours.stderr, ours.args) == (theirs.stdout, theirs.stderr, theirs.args)
    with pytest.raises(UnicodeDecodeError):
        python("import sys; sys.stdout.buffer.write(b'\\xff')", encoding="utf-8")
    assert len(logs) == 5


def test_options_of_popen_go_through(tmp_path: Path, logs: CapturedLogs) -> None:
    done = python("import os; print(os.getcwd())", cwd=tmp_path, text=True)
    assert Path(done.stdout.strip()).resolve() == tmp_path.resolve()
    joined = python("import sys; print(1, file=sys.stderr)", stderr=subprocess.STDOUT)
    assert (joined.stdout.strip(), joined.stderr) == (b"1", None)
    shell = traced_run("echo $TOOL_TRACE_ID", operation="shell", shell=True, text=True)
    assert shell.stdout.strip() == logs[-1]["trace_id"]
    with pytest.raises(ValueError, match="stdin"):
        python("", input=b"x", stdin=subprocess.DEVNULL)


# time-outs


@posix
def test_a_time_out_kills_the_group_keeps_the_output_and_raises_after_the_record(
    logs: CapturedLogs,
) -> None:
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        python(code, timeout=1.5, text=True)
    assert time.monotonic() - began < 10
    (record,) = logs
    assert (record["level"], record["status"], record["exit_code"]) == (
        "warning",
        "timeout",
        -signal.SIGKILL,
    )
    assert record["duration_ms"] >= 1500
    assert caught.value.timeout == 1.5
    assert caught.value.output == record["output_summary"]
    wait_until_gone(int(caught.value.output))


@posix
def test_a_grandchild_that_left_the_group_is_not_waited_for(logs: CapturedLogs) -> None:
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True); print(p.pid, flush=True); time.sleep(60)"
    )
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        python(code, timeout=1.0)
    os.kill(int(caught.value.output), signal.SIGKILL)
    assert time.monotonic() - began < 10
    assert logs[0]["status"] == "timeout"


@posix
def test_no_zombie_and_no_descriptor_stays_behind(logs: CapturedLogs) -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    for _ in range(5):
        with pytest.raises(subprocess.TimeoutExpired):
            traced_run(["sleep", "60"], operation="test", timeout=0.02)
        traced_run(["true"], operation="test")
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_large_input_that_nobody_reads_and_a_large_output_do_not_block(
    logs: CapturedLogs,
) -> None:
    assert python("pass", input=b"x" * 1_000_000).returncode == 0
    echoed = python(
        "import sys; sys.stdout.write(sys.stdin.read())", input="y" * 1_000_000, text=True
    )
    assert echoed.stdout == "y" * 1_000_000


# many, and asynchronously


def test_threads_of_many_tenants_never_mix(logs: CapturedLogs) -> None:
    def work(number: int) -> str:
        bind_context(tenant_id=f"t-{number}")
        found: str = json.loads(shown(python(SHOW))["LOGBRAID_CONTEXT"])["tenant_id"]
        return found

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(12))) == sorted(f"t-{number}" for number in range(12))
    assert len({one["tenant_id"] for one in logs}) == 12
    assert len({one["trace_id"] for one in logs}) == 12


def test_the_async_twin_does_not_hold_up_the_loop(logs: CapturedLogs) -> None:
    async def main() -> tuple[subprocess.CompletedProcess[Any], int]:
        ticks = 0
        argv = [sys.executable, "-c", SHOW]
        with bound_context(**IDS):
            task = asyncio.create_task(traced_run_async(argv, operation="test", check=True))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.001)
        return await task, ticks

    done, ticks = asyncio.run(main())
    assert ticks > 3
    assert json.loads(shown(done)["LOGBRAID_CONTEXT"]) == IDS
    assert logs[0]["run_id"] == "run-9"


def test_children_of_the_async_twin_may_wait_for_one_another(
    logs: CapturedLogs, tmp_path: Path
) -> None:
    code = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
while not other.exists():
    time.sleep(0.01)
"""
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]

    async def main() -> None:
        with ThreadPoolExecutor(1) as only:
            asyncio.get_running_loop().set_default_executor(only)
            await asyncio.gather(
                *(
                    traced_run_async(
                        [sys.executable, "-c", code, *pair], operation="x", timeout=30, check=True
                    )
                    for pair in (paths, paths[::-1])
                )
            )

    asyncio.run(main())
    assert [line["status"] for line in logs] == ["ok", "ok"]


def test_the_async_twin_raises_as_the_other(logs: CapturedLogs) -> None:
    async def main() -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            await traced_run_async(["sleep", "60"], operation="test", timeout=0.05)
        with pytest.raises(FileNotFoundError):
            await traced_run_async(["no-such-program"], operation="test")
        with pytest.raises(subprocess.CalledProcessError):
            await traced_run_async(["false"], operation="test", check=True)

    asyncio.run(main())
    assert [one["status"] for one in logs] == ["timeout", "error", "error"]


@posix
def test_a_cancelled_task_kills_its_child_and_says_so(logs: CapturedLogs, tmp_path: Path) -> None:
    told = tmp_path / "pid"

    async def main() -> int:
        code = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        argv = [sys.executable, "-c", code]
        task = asyncio.create_task(traced_run_async(argv, operation="test"))
        while not (told.exists() and told.read_text()):  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return int(told.read_text())

    pid = asyncio.run(main())
    assert not is_alive(pid)
    assert [(one["status"], one["exit_code"]) for one in logs] == [("cancelled", -signal.SIGKILL)]
