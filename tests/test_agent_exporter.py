"""JSONLExporter: each entry is one safe line in the file of the day on which it ended."""

from __future__ import annotations

import json
import math
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from logbraid import stats
from logbraid.agent import ActionTracer, JSONLExporter, TraceEntry
from logbraid.health import health
from logbraid.sinks.descriptor import Descriptor

CANARY = "sk-ant-api03-" + "Zq7" * 20
EVENING = datetime(2026, 11, 21, 23, 59, 59, 900_000, tzinfo=UTC)

SCRIPT = """
import os, sys, threading
from logbraid.agent import ActionTracer, JSONLExporter, TraceEntry
tracer = ActionTracer(log=False)
exporter = JSONLExporter(sys.argv[1], rotate_daily=False)
exporter.attach(tracer)
"""


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    health.reset()


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    return tmp_path / "traces"


@pytest.fixture
def tracer() -> ActionTracer:
    return ActionTracer(log=False)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def lines(directory: Path) -> list[dict[str, Any]]:
    """Return all lines of all files, each read strictly."""
    return [
        json.loads(line, parse_constant=_no_constant)
        for path in sorted(directory.glob("*.jsonl"))
        for line in path.read_bytes().decode().splitlines()
    ]


def run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + code, *map(str, args)],
        timeout=90,
        check=False,
        capture_output=True,
        text=True,
    )


# -- which file -------------------------------------------------------------------------------


def test_each_entry_is_one_line_in_the_file_of_today(traces: Path, tracer: ActionTracer) -> None:
    JSONLExporter(traces).attach(tracer)
    for operation in ("a", "b"):
        with tracer.trace("tool_call", operation=operation):
            pass
    assert [line["operation"] for line in lines(traces)] == ["a", "b"]
    (name,) = (path.name for path in traces.iterdir())
    assert name in {
        f"traces-{datetime.now(UTC) - timedelta(seconds=ago):%Y-%m-%d}.jsonl" for ago in (0, 60)
    }


@pytest.mark.parametrize(
    ("began", "duration_ms", "day"),
    [
        (EVENING, 0.0, "2026-11-21"),
        (EVENING, 200.0, "2026-11-22"),  # begun before midnight, ended after
        (EVENING.replace(tzinfo=None), 0.0, "2026-11-21"),
        (datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=2))), 0.0, "2026-11-21"),
        (datetime(2026, 11, 21, 20, tzinfo=timezone(timedelta(hours=-5))), 0.0, "2026-11-22"),
        (EVENING, math.nan, "2026-11-21"),
        (EVENING, math.inf, "2026-11-21"),
        (EVENING, 1e30, "2026-11-21"),
        (datetime.max.replace(tzinfo=UTC), 1000.0, "9999-12-31"),
        (datetime(1, 1, 1, tzinfo=UTC), 0.0, "0001-01-01"),
    ],
)
def test_the_day_is_that_of_the_entrys_own_end(
    traces: Path, began: datetime, duration_ms: float, day: str
) -> None:
    JSONLExporter(traces).write(TraceEntry(action="turn", timestamp=began, duration_ms=duration_ms))
    assert [path.name for path in traces.iterdir()] == [f"traces-{day}.jsonl"]
    assert len(lines(traces)) == 1


def test_without_rotation_there_is_one_file(traces: Path) -> None:
    exporter = JSONLExporter(traces, rotate_daily=False)
    exporter.write(TraceEntry(action="turn", timestamp=EVENING))
    exporter.write(TraceEntry(action="turn", timestamp=EVENING + timedelta(days=9)))
    assert [path.name for path in traces.iterdir()] == ["traces.jsonl"]
    assert len(lines(traces)) == 2


# -- modes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o777, 0o027])
def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        exporter = JSONLExporter(tmp_path / "deep" / "traces", rotate_daily=False)
        assert (tmp_path / "deep" / "traces").is_dir()  # before the first entry
        exporter.write(TraceEntry(action="turn"))
    assert mode_of(tmp_path / "deep") == 0o700
    assert mode_of(tmp_path / "deep" / "traces") == 0o700
    assert mode_of(tmp_path / "deep" / "traces" / "traces.jsonl") == 0o600


def test_the_first_byte_is_already_private(traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def write(fd: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        return os.write(fd, data)

    monkeypatch.setattr(Descriptor, "_write", staticmethod(write))
    with umask(0):
        JSONLExporter(traces).write(TraceEntry(action="turn"))
    assert modes == [0o600]


def test_a_shared_directory_and_a_file_that_are_there_keep_their_modes(traces: Path) -> None:
    traces.mkdir(mode=0o777)
    traces.chmod(0o2775)
    (traces / "traces.jsonl").touch(mode=0o640)
    (traces / "traces.jsonl").chmod(0o640)
    JSONLExporter(traces, rotate_daily=False).write(TraceEntry(action="turn"))
    assert mode_of(traces) == 0o2775
    assert mode_of(traces / "traces.jsonl") == 0o640
    assert len(lines(traces)) == 1


# -- attach and detach ------------------------------------------------------------------------


def test_a_tracer_attached_twice_is_written_once(traces: Path, tracer: ActionTracer) -> None:
    exporter = JSONLExporter(traces)
    assert exporter.attach(tracer) is exporter
    exporter.attach(tracer)
    tracer.record(TraceEntry(action="turn"))
    assert len(lines(traces)) == 1


def test_several_tracers_write_to_one_exporter(traces: Path) -> None:
    first, second, third = (ActionTracer(log=False) for _ in range(3))
    with JSONLExporter(traces) as exporter:
        exporter.attach(first).attach(second)
        for tracer in (first, second, third):
            tracer.record(TraceEntry(action="turn"))
        assert len(lines(traces)) == 2
        exporter.detach(first)
        exporter.detach(third)  # never attached
        first.record(TraceEntry(action="turn"))
        second.record(TraceEntry(action="turn"))
        assert len(lines(traces)) == 3
    second.record(TraceEntry(action="turn"))  # the with block detached it
    assert len(lines(traces)) == 3


def test_after_detach_and_close_it_may_be_attached_anew(traces: Path, tracer: ActionTracer) -> None:
    exporter = JSONLExporter(traces).attach(tracer)
    exporter.detach()
    tracer.record(TraceEntry(action="turn"))
    assert lines(traces) == []
    exporter.close()
    exporter.close()
    exporter.attach(tracer)
    tracer.record(TraceEntry(action="turn"))
    assert len(lines(traces)) == 1


# -- no value loses an entry ------------------------------------------------------------------


class _Raises:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)

    __repr__ = __str__


class _RaisingMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError(CANARY)

    def __len__(self) -> int:
        return 3


class _NeverEqual:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError(CANARY)

    __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ alone has it


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    return circle


def _deep() -> Any:
    deep: Any = 1
    for _ in range(3000):
        deep = {"d": deep}
    return deep


ODD = {
    "object": object(),
    "raises": _Raises(),
    "raising mapping": _RaisingMapping(),
    "never equal": _NeverEqual(),
    "nan": math.nan,
    "infinity": -math.inf,
    "huge int": 10**5000,
    "bytes": b"\xff\x00",
    "surrogate": "\ud800 \udcff",
    "controls": "\0\r\n\x1b[31m\u2028",
    "circle": _circle(),
    "deep": _deep(),
    "odd keys": {(1, 2): 3, None: 4, _Raises: 5},
    "set": {1, "a"},
    "class": dict,
    "function": lambda: None,
    "generator": (n for n in range(3)),
    "lock": threading.Lock(),
    "exception": ValueError("x"),
    "long": "x" * 2_000_000,
    "many": list(range(100_000)),
    "secret": CANARY,
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_no_value_in_metadata_loses_an_entry(
    traces: Path, tracer: ActionTracer, value: object
) -> None:
    JSONLExporter(traces).attach(tracer)
    with tracer.trace("tool_call", operation="odd", odd=value, fine="yes"):
        pass
    (line,) = lines(traces)
    assert (line["action"], line["metadata"]["fine"]) == ("tool_call", "yes")
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("name", ["action", "metadata", "usd_cost", "bytes_in", "timestamp"])
def test_no_value_of_a_field_loses_an_entry(traces: Path, name: str, value: object) -> None:
    entry = TraceEntry(action="turn", operation="odd")
    setattr(entry, name, value)
    JSONLExporter(traces).write(entry)
    (line,) = lines(traces)
    assert line["operation"] == "odd"
    assert CANARY not in json.dumps(line)
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert stats().sinks["traces"].dropped == {}


# -- nothing secret ---------------------------------------------------------------------------


def test_no_secret_reaches_a_file(traces: Path, tracer: ActionTracer) -> None:
    JSONLExporter(traces).attach(tracer)
    with (
        pytest.raises(RuntimeError),
        tracer.trace("tool_call", operation="pay", api_key="hunter2-canary", deep={"k": [CANARY]}),
    ):
        raise RuntimeError(f"401 for Authorization: Bearer {CANARY}")
    with tracer.trace("llm_call", conversation_id=CANARY, prompt=f"my key is {CANARY}") as entry:
        entry.observe(input={"password": "hunter2-canary"}, output=f"used {CANARY}")
    written = b"".join(path.read_bytes() for path in traces.iterdir())
    assert len(lines(traces)) == 2
    assert CANARY.encode() not in written
    assert b"hunter2-canary" not in written


def test_counts_of_tokens_are_no_secrets(traces: Path) -> None:
    JSONLExporter(traces).write(
        TraceEntry(action="llm_call", prompt_tokens=7, metadata={"max_tokens": 64})
    )
    (line,) = lines(traces)
    assert (line["prompt_tokens"], line["metadata"]["max_tokens"]) == (7, 64)


@pytest.mark.parametrize("limit", [50, 2000])
def test_no_text_is_longer_than_the_limit(traces: Path, limit: int) -> None:
    JSONLExporter(traces, max_summary_chars=limit).write(
        TraceEntry(action="turn", input_summary="x" * 9000, metadata={"a": ["y" * 9000]})
    )
    (line,) = lines(traces)
    assert len(line["input_summary"]) <= limit
    assert len(line["metadata"]["a"][0]) <= limit


# -- disks, links, files that go ---------------------------------------------------------------


def test_a_full_disk_is_counted_and_told_once_and_never_felt(tmp_path: Path) -> None:
    done = run(
        """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for number in range(50):
    with tracer.trace("tool_call", operation=str(number)):
        pass
from logbraid import stats
print(dict(stats().sinks["traces"].dropped)["file_too_large"], stats().sinks["traces"].written)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    dropped, written = map(int, done.stdout.split())
    assert dropped + written == 50
    whole = (tmp_path / "traces.jsonl").read_bytes().split(b"\n")[:-1]
    assert len(whole) == written
    assert done.stderr.count("sink traces") == 1
    JSONLExporter(tmp_path, rotate_daily=False).write(TraceEntry(action="after"))
    assert (
        json.loads((tmp_path / "traces.jsonl").read_bytes().splitlines()[-1])["action"] == "after"
    )


def test_a_path_that_is_no_directory_is_counted_and_told(
    tmp_path: Path, tracer: ActionTracer, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    JSONLExporter(tmp_path / "file" / "traces").attach(tracer)
    for _ in range(3):
        tracer.record(TraceEntry(action="turn"))
    assert tracer.subscriber_errors == 0
    assert sum(stats().sinks["traces"].dropped.values()) == 3
    assert capfd.readouterr().err.count("sink traces") == 1


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path, traces: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine\n")
    exporter = JSONLExporter(traces, rotate_daily=False)
    (traces / "traces.jsonl").symlink_to(victim)
    exporter.write(TraceEntry(action="turn"))
    assert victim.read_bytes() == b"mine\n"


def test_a_file_with_a_second_name_is_left_alone(tmp_path: Path, traces: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine\n")
    exporter = JSONLExporter(traces, rotate_daily=False)
    (traces / "traces.jsonl").hardlink_to(victim)
    exporter.write(TraceEntry(action="turn"))
    assert victim.read_bytes() == b"mine\n"
    assert len((traces / f"traces.{os.getpid()}.jsonl").read_bytes().splitlines()) == 1


def test_a_deleted_file_is_made_anew(traces: Path) -> None:
    exporter = JSONLExporter(traces, rotate_daily=False)
    now = 0.0
    exporter._files._monotonic = lambda: now
    exporter.write(TraceEntry(action="a"))
    (traces / "traces.jsonl").unlink()
    now = 2.0
    exporter.write(TraceEntry(action="b"))
    assert [line["action"] for line in lines(traces)] == ["b"]


def test_a_torn_last_line_costs_no_other(traces: Path) -> None:
    traces.mkdir()
    (traces / "traces.jsonl").write_bytes(b'{"action":"a"}\n{"acti')
    JSONLExporter(traces, rotate_daily=False).write(TraceEntry(action="b"))
    first, torn, second = (traces / "traces.jsonl").read_bytes().splitlines()
    assert (json.loads(first)["action"], torn) == ("a", b'{"acti')
    assert json.loads(second)["action"] == "b"


# -- many writers -------------------------------------------------------------------------------


def test_many_processes_write_whole_lines_to_one_file(tmp_path: Path) -> None:
    done = run(
        """
def work(name):
    for number in range(100):
        with tracer.trace("tool_call", operation=f"{name}.{number}", pad="x" * (number * 40)):
            pass
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        threads = [threading.Thread(target=work, args=(f"{child}.{n}",)) for n in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        os._exit(0)
    children.append(pid)
work("parent")
print([os.waitpid(pid, 0)[1] for pid in children])
""",
        tmp_path,
    )
    assert done.stdout == "[0, 0, 0, 0]\n", done.stderr
    seen = [line["operation"] for line in lines(tmp_path)]
    assert len(seen) == len(set(seen)) == 900
    assert len({line["span_id"] for line in lines(tmp_path)}) == 900


def test_forks_of_a_busy_process_write_on(tmp_path: Path) -> None:
    done = run(
        """
is_over = threading.Event()
def busy():
    while not is_over.is_set():
        tracer.record(TraceEntry(action="parent"))
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads: thread.start()
for child in range(20):
    pid = os.fork()
    if not pid:
        tracer.record(TraceEntry(action="child"))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
is_over.set()
for thread in threads: thread.join()
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert [line["action"] for line in lines(tmp_path)].count("child") == 20


def test_an_entry_that_was_recorded_survives_kill_9(tmp_path: Path) -> None:
    code = SCRIPT + "number = 0\nwhile True:\n    number += 1\n"
    code += "    tracer.record(TraceEntry(action=str(number)))\n    print(number, flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(200):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, child.stdout.read().split("\n")[:-1])])
    assert {line["action"] for line in lines(tmp_path)} >= {
        str(number) for number in range(1, acknowledged + 1)
    }
