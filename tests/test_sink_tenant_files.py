"""Tenant files: each line in its tenant's file of its own day, and nowhere else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logbraid.health import Health
from logbraid.sinks.day_file import DayFile
from logbraid.sinks.descriptor import is_torn
from logbraid.sinks.opening import directory_mode, open_file
from logbraid.sinks.sink import SinkClosedError
from logbraid.sinks.tenant_files import TenantFilesSink

DAY = "2026-11-21"
NEXT_DAY = "2026-11-22"
LINE = b'{"a":1}\n'
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")

SCRIPT = """
import os, resource, signal, sys, threading, time
from logbraid.health import health
from logbraid.sinks.sink import guard
from logbraid.sinks.tenant_files import TenantFilesSink
DAY = "2026-11-21"
"""


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sink(tmp_path: Path, health: Health, clock: Clock) -> Iterator[TenantFilesSink]:
    made = TenantFilesSink(
        tmp_path / "logs", retention_days=0, max_open_files=4, health=health, monotonic=clock
    )
    yield made
    made.close()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + code],
        timeout=90,
        check=False,
        capture_output=True,
        text=True,
    )


def test_line_goes_to_the_file_of_its_tenant_and_day(sink: TenantFilesSink, logs: Path) -> None:
    sink.write(b"1\n", "acme", DAY)
    sink.write(b"2\n", "acme", NEXT_DAY)
    sink.write(b"3\n", "acme", DAY)
    sink.write(b"4\n", "globex", DAY)
    assert (logs / "acme" / f"{DAY}.jsonl").read_bytes() == b"1\n3\n"
    assert (logs / "acme" / f"{NEXT_DAY}.jsonl").read_bytes() == b"2\n"
    assert (logs / "globex" / f"{DAY}.jsonl").read_bytes() == b"4\n"


@pytest.mark.parametrize("nobody", [None, ""])
def test_line_without_tenant_goes_to_unknown_and_is_counted(
    nobody: str | None, sink: TenantFilesSink, logs: Path, health: Health
) -> None:
    sink.write(LINE, nobody, DAY)
    assert (logs / "_unknown" / f"{DAY}.jsonl").read_bytes() == LINE
    assert health.snapshot().without_tenant == 1


@pytest.mark.parametrize("evil", ["../../evil", "/etc/evil", "..", ".", "a/b", "a\x00b", "~root"])
def test_no_tenant_leaves_the_root(evil: str, sink: TenantFilesSink, tmp_path: Path) -> None:
    sink.write(LINE, evil, DAY)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 1
    assert written[0].parent.parent == tmp_path / "logs"


def test_instance_is_part_of_the_name(logs: Path) -> None:
    for instance in ("host-1", "Host/../2"):
        TenantFilesSink(logs, instance=instance, retention_days=0).write(LINE, "acme", DAY)
    names = sorted(path.name for path in (logs / "acme").iterdir())
    assert names[0] == f"{DAY}.host-1.jsonl"
    assert names[1].startswith(f"{DAY}.host-2-")


@pytest.mark.parametrize("mask", [0, 0o777, 0o027])
def test_modes_do_not_depend_on_the_umask(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        sink = TenantFilesSink(tmp_path / "a" / "b", retention_days=0)
        sink.probe()
        sink.write(LINE, "acme", DAY)
    for directory in ("a", "a/b", "a/b/acme"):
        assert mode_of(tmp_path / directory) == 0o700
    assert mode_of(tmp_path / "a/b/acme" / f"{DAY}.jsonl") == 0o600


@AS_ROOT
def test_umask_that_takes_our_own_rights_is_overruled() -> None:
    done = run("""
import shutil, tempfile
root = tempfile.mkdtemp()
os.chown(root, 12345, 12345)
os.setuid(12345)
os.umask(0o777)
sink = TenantFilesSink(os.path.join(root, "a", "logs"), retention_days=0)
sink.probe()
assert guard(sink)(b"{}\\n", "acme", DAY)
for place, dirs, files in os.walk(root):
    assert os.stat(place).st_mode & 0o777 == 0o700, place
    assert all(os.stat(os.path.join(place, one)).st_mode & 0o777 == 0o600 for one in files)
assert files == [DAY + ".jsonl"]
shutil.rmtree(root, ignore_errors=True)
""")
    assert (done.returncode, done.stderr) == (0, "")


def test_disk_that_stays_torn_is_not_waited_for_again(
    sink: TenantFilesSink, logs: Path, clock: Clock
) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(LINE, "acme", DAY)
    (file,) = sink._open.values()
    _append(path, b"torn")
    clock.now += 1
    assert file.is_current(clock.now)
    assert file.torn
    seen = file._torn_end
    assert file.is_current(clock.now)
    assert (file.torn, file._torn_end) == (True, seen)
    sink.write(LINE, "acme", DAY)
    clock.now += 1
    sink.write(LINE, "acme", DAY)
    assert path.read_bytes() == LINE + b"torn\n" + LINE * 2


def test_directories_let_in_whom_the_files_let_read(tmp_path: Path) -> None:
    with umask(0o777):
        TenantFilesSink(tmp_path / "logs", file_mode=0o640, retention_days=0).write(LINE, "a", DAY)
    assert mode_of(tmp_path / "logs") == mode_of(tmp_path / "logs" / "a") == 0o750
    assert mode_of(tmp_path / "logs" / "a" / f"{DAY}.jsonl") == 0o640
    assert [directory_mode(mode) for mode in (0o600, 0o644, 0o660)] == [0o700, 0o755, 0o770]


def test_modes_of_what_was_there_stay(sink: TenantFilesSink, logs: Path) -> None:
    (logs / "acme").mkdir(parents=True)
    (logs / "acme").chmod(0o777)
    there = logs / "acme" / f"{DAY}.jsonl"
    there.write_bytes(b"old\n")
    there.chmod(0o644)
    sink.write(LINE, "acme", DAY)
    assert (mode_of(logs / "acme"), mode_of(there)) == (0o777, 0o644)
    assert there.read_bytes() == b"old\n" + LINE


def plant_link(place: Path, target: Path) -> None:
    place.symlink_to(target)


def plant_dangling_link(place: Path, target: Path) -> None:
    place.symlink_to(target.with_name("missing"))


def plant_fifo(place: Path, target: Path) -> None:
    os.mkfifo(place)


def plant_directory(place: Path, target: Path) -> None:
    place.mkdir()


@pytest.mark.parametrize("plant", [plant_link, plant_dangling_link, plant_fifo, plant_directory])
def test_what_is_planted_in_place_of_the_file_is_refused(
    plant: Callable[[Path, Path], None], sink: TenantFilesSink, logs: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious\n")
    (logs / "acme").mkdir(parents=True)
    plant(logs / "acme" / f"{DAY}.jsonl", target)
    with pytest.raises(OSError, match=r"regular|symbolic|directory|No such"):
        sink.write(LINE, "acme", DAY)
    assert target.read_bytes() == b"precious\n"
    assert not target.with_name("missing").exists()
    sink.write(LINE, "acme", NEXT_DAY)


def test_link_in_place_of_the_directory_is_refused(
    sink: TenantFilesSink, logs: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    logs.mkdir()
    (logs / "acme").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic|directory"):
        sink.write(LINE, "acme", DAY)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_hard_linked_file_is_told_and_a_fresh_one_opened(
    sink: TenantFilesSink, logs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious\n")
    (logs / "acme").mkdir(parents=True)
    (logs / "acme" / f"{DAY}.jsonl").hardlink_to(target)
    for _ in range(2):
        sink.write(LINE, "acme", DAY)
    assert target.read_bytes() == b"precious\n"
    assert (logs / "acme" / f"{DAY}.{os.getpid()}.jsonl").read_bytes() == LINE * 2
    assert capfd.readouterr().err.count("several names") == 1


@AS_ROOT
def test_another_users_file_is_refused(sink: TenantFilesSink, logs: Path) -> None:
    (logs / "acme").mkdir(parents=True)
    there = logs / "acme" / f"{DAY}.jsonl"
    there.write_bytes(b"theirs\n")
    os.chown(there, 12345, 12345)
    with pytest.raises(PermissionError):
        sink.write(LINE, "acme", DAY)
    assert there.read_bytes() == b"theirs\n"


def open_descriptors() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208 - not a path of ours


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_refused_files_leak_no_descriptor(sink: TenantFilesSink, logs: Path) -> None:
    (logs / "acme").mkdir(parents=True)
    os.mkfifo(logs / "acme" / f"{DAY}.jsonl")
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(PermissionError):
            sink.write(LINE, "acme", DAY)
    assert open_descriptors() == before


def test_files_are_not_inherited_by_programs(sink: TenantFilesSink) -> None:
    sink.write(LINE, "acme", DAY)
    assert all(not os.get_inheritable(file.fd) for file in sink._open.values())


def test_no_more_files_are_open_than_allowed(sink: TenantFilesSink, logs: Path) -> None:
    for number in range(30):
        sink.write(LINE, f"t{number % 10}", DAY)
    assert len(sink._open) == 4
    assert all((logs / f"t{n}" / f"{DAY}.jsonl").read_bytes() == LINE * 3 for n in range(10))


def test_file_used_longest_ago_is_closed_first(sink: TenantFilesSink) -> None:
    for tenant in ("a", "b", "c", "d", "a", "e"):
        sink.write(LINE, tenant, DAY)
    assert [tenant for tenant, _ in sink._open] == ["c", "d", "a", "e"]


def test_moved_file_is_opened_anew_within_a_second(
    sink: TenantFilesSink, logs: Path, clock: Clock
) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(b"1\n", "acme", DAY)
    path.rename(path.with_suffix(".1"))
    sink.write(b"2\n", "acme", DAY)
    clock.now += 1
    sink.write(b"3\n", "acme", DAY)
    assert path.with_suffix(".1").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


@pytest.mark.parametrize("what", ["file", "directory", "root"])
def test_deleted_path_is_made_anew(
    what: str, sink: TenantFilesSink, logs: Path, clock: Clock
) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(b"1\n", "acme", DAY)
    path.unlink()
    if what != "file":
        path.parent.rmdir()
    if what == "root":
        logs.rmdir()
    clock.now += 1
    sink.write(b"2\n", "acme", DAY)
    assert path.read_bytes() == b"2\n"


def test_truncated_file_gets_no_hole(sink: TenantFilesSink, logs: Path) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(LINE * 100, "acme", DAY)
    os.truncate(path, 0)
    sink.write(LINE, "acme", DAY)
    assert path.read_bytes() == LINE


def test_reopen_follows_a_move_at_once(sink: TenantFilesSink, logs: Path) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(b"1\n", "acme", DAY)
    path.rename(path.with_suffix(".1"))
    sink.reopen()
    sink.reopen()
    sink.write(b"2\n", "acme", DAY)
    assert path.read_bytes() == b"2\n"


def test_torn_line_of_a_killed_process_is_ended_first(sink: TenantFilesSink, logs: Path) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"a":1}\n{"a":')
    sink.write(LINE, "acme", DAY)
    sink.write(LINE, "acme", DAY)
    assert path.read_bytes() == b'{"a":1}\n{"a":\n' + LINE * 2


def test_torn_line_of_a_living_process_is_ended_within_a_second(
    sink: TenantFilesSink, logs: Path, clock: Clock
) -> None:
    path = logs / "acme" / f"{DAY}.jsonl"
    sink.write(LINE, "acme", DAY)
    with path.open("ab") as other:
        other.write(b'{"a":')
    clock.now += 1
    sink.write(LINE, "acme", DAY)
    assert path.read_bytes() == LINE + b'{"a":\n' + LINE


def test_line_under_way_in_another_process_is_not_taken_for_torn(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"half")
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    assert not is_torn(fd, sleep=lambda seconds: _append(path, b" whole\n"))
    _append(path, b"half")
    assert is_torn(fd)
    file = DayFile(fd, str(path), 0.0)
    assert file.torn
    file.close()


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def test_tenants_beyond_the_limit_of_a_day_share_overflow(
    logs: Path, health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = TenantFilesSink(logs, max_tenants=3, retention_days=0, health=health)
    for number in range(6):
        sink.write(b"%d\n" % number, f"t{number}", DAY)
    sink.write(b"again\n", "t0", DAY)
    sink.write(b"nobody\n", None, DAY)
    sink.write(b"tomorrow\n", "t5", NEXT_DAY)
    assert (logs / "_overflow" / f"{DAY}.jsonl").read_bytes() == b"3\n4\n5\n"
    assert (logs / "t0" / f"{DAY}.jsonl").read_bytes() == b"0\nagain\n"
    assert (logs / "_unknown" / f"{DAY}.jsonl").read_bytes() == b"nobody\n"
    assert (logs / "t5" / f"{NEXT_DAY}.jsonl").read_bytes() == b"tomorrow\n"
    assert capfd.readouterr().err.count("_overflow") == 1
    sink.close()


def test_descriptors_are_bounded_by_a_quarter_of_the_limit(tmp_path: Path) -> None:
    done = run(f"""
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
sink = TenantFilesSink({str(tmp_path)!r}, retention_days=0)
for number in range(50):
    sink.write(b"{{}}\\n", f"t{{number}}", DAY)
print(len(sink._open))
""")
    assert done.stdout == "10\n", done.stderr


def test_out_of_descriptors_closes_all_and_tries_once_more(tmp_path: Path) -> None:
    done = run(f"""
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sink = TenantFilesSink({str(tmp_path)!r}, retention_days=0)
deliver = guard(sink)
for number in range(8):
    assert deliver(b"{{}}\\n", f"t{{number}}", DAY)
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
assert deliver(b"{{}}\\n", "another", DAY), "the files of the others give their descriptors"
assert len(sink._open) == 1
""")
    assert (done.returncode, done.stderr) == (0, "")


def test_probe_says_why_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        TenantFilesSink(tmp_path / "file" / "logs").probe()
    good = TenantFilesSink(tmp_path / "logs")
    good.probe()
    assert list((tmp_path / "logs").iterdir()) == []


@AS_ROOT
def test_probe_fails_where_the_user_may_not_write(tmp_path: Path) -> None:
    done = run("""
os.setuid(12345)
try:
    TenantFilesSink("/root/logs-of-nobody").probe()
except PermissionError as error:
    print(error.strerror)
""")
    assert done.stdout == "Permission denied\n", done.stderr


def test_relative_root_is_fixed_at_construction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = TenantFilesSink("logs", retention_days=0)
    monkeypatch.chdir("/")
    sink.write(LINE, "acme", DAY)
    assert (tmp_path / "logs" / "acme" / f"{DAY}.jsonl").exists()


def test_closed_sink_refuses_and_holds_nothing(sink: TenantFilesSink) -> None:
    sink.write(LINE, "acme", DAY)
    sink.close()
    sink.close()
    assert not sink._open
    with pytest.raises(SinkClosedError):
        sink.write(LINE, "acme", DAY)
    assert sink.flush()


def test_line_that_interrupts_another_goes_out_by_a_descriptor_of_its_own(
    sink: TenantFilesSink, logs: Path
) -> None:
    sink.write(b"1\n", "acme", DAY)
    sink._busy = True  # as a signal handler finds it
    before = list(sink._open)
    for number in range(10):
        sink.write(b"nested\n", f"t{number}", DAY)
    sink.reopen()
    assert list(sink._open) == before
    sink._busy = False
    sink.write(b"2\n", "acme", DAY)
    assert (logs / "t9" / f"{DAY}.jsonl").read_bytes() == b"nested\n"
    assert (logs / "acme" / f"{DAY}.jsonl").read_bytes() == b"1\n2\n"
    assert not sink._open  # what was asked for in the middle happens at the end


def test_signal_handler_that_logs_never_deadlocks_nor_crosses_tenants(tmp_path: Path) -> None:
    done = run(f"""
sink = TenantFilesSink({str(tmp_path)!r}, retention_days=0, max_open_files=2)
count, running = 0, True
def handler(number, frame):
    global count
    count += 1
    sink.write(b'{{"t":"h%d"}}\\n' % (count % 5), f"h{{count % 5}}", DAY)
    if running:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005)
for number in range(8000):
    sink.write(b'{{"t":"m%d"}}\\n' % (number % 5), f"m{{number % 5}}", DAY)
running = False
signal.setitimer(signal.ITIMER_REAL, 0)
print(count)
""")
    assert done.returncode == 0, done.stderr
    total = 0
    for path in tmp_path.glob("*/*.jsonl"):
        records = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert {record["t"] for record in records} == {path.parent.name}
        total += len(records)
    assert total == 8000 + int(done.stdout)


def test_forked_child_logs_while_a_thread_of_the_parent_is_writing(tmp_path: Path) -> None:
    done = run(f"""
sink = TenantFilesSink({str(tmp_path)!r}, retention_days=0)
held, go = threading.Event(), threading.Event()
def hold():
    with sink._lock.lock:
        sink._busy = True
        held.set(); go.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    sink.write(b"{{}}\\n", "acme", DAY)
    os._exit(0)
status = os.waitpid(child, 0)[1]
go.set()
sys.exit(os.waitstatus_to_exitcode(status))
""")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "acme" / f"{DAY}.jsonl").read_bytes() == b"{}\n"


def test_threads_and_evictions_cross_no_lines(sink: TenantFilesSink, logs: Path) -> None:
    def work(number: int) -> None:
        for turn in range(200):
            tenant = f"t{(number + turn) % 9}"
            sink.write(b'{"t":"%s"}\n' % tenant.encode(), tenant, DAY)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = 0
    for path in logs.glob("*/*.jsonl"):
        lines = path.read_bytes().splitlines()
        assert {json.loads(line)["t"] for line in lines} == {path.parent.name}
        total += len(lines)
    assert total == 1600


def test_many_lines_go_to_their_files_in_order(
    sink: TenantFilesSink, logs: Path, health: Health
) -> None:
    tenants = ("a", None, "b")
    items = [(b"%d\n" % number, tenants[number % 3], DAY) for number in range(9)]
    assert sink.write_many(items) == []
    assert (logs / "a" / f"{DAY}.jsonl").read_bytes() == b"0\n3\n6\n"
    assert (logs / "_unknown" / f"{DAY}.jsonl").read_bytes() == b"1\n4\n7\n"
    assert health.snapshot().without_tenant == 3


def test_many_lines_give_back_those_of_a_refused_file(sink: TenantFilesSink, logs: Path) -> None:
    (logs / "bad").mkdir(parents=True)
    os.mkfifo(logs / "bad" / f"{DAY}.jsonl")
    items = [(b"1\n", "bad", DAY), (b"2\n", "good", DAY)]
    assert sink.write_many(items) == items[:1]
    assert (logs / "good" / f"{DAY}.jsonl").read_bytes() == b"2\n"


def test_retention_runs_in_the_background_of_the_first_line(tmp_path: Path) -> None:
    old = tmp_path / "acme" / "2026-10-01.jsonl"
    old.parent.mkdir()
    old.write_bytes(LINE)
    now_ns = 1_795_262_400_000_000_000  # 2026-11-21T12:00Z
    sink = TenantFilesSink(tmp_path, now_ns=lambda: now_ns)
    sink.write(LINE, "acme", DAY)
    deadline = time.monotonic() + 30
    while old.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not old.exists()
    assert (tmp_path / "acme" / f"{DAY}.jsonl").exists()
    sink.close()


def test_directory_removed_between_two_steps_is_made_again(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "logs"
    fd = open_file(str(root), "acme", "a.jsonl", 0o600)
    os.close(fd)
    (root / "acme" / "a.jsonl").unlink()
    (root / "acme").rmdir()
    fd = open_file(str(root), "acme", "a.jsonl", 0o600)
    os.close(fd)
    assert (root / "acme" / "a.jsonl").exists()
