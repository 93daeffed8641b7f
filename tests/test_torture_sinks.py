"""Sinks under kill -9, full disks, midnight, fork storms and crowds: nothing returned is lost.

Each scenario runs in a process of its own that forks its writers, so that no test depends on the
threads of the test runner. A record carries who wrote it, its number and a checksum; a writer
acknowledges each call that returned on a pipe of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

DAY = "2026-11-21"

SCRIPT = """
import errno, fcntl, json, os, random, resource, signal, socket, struct, subprocess, sys
import threading, time, zlib
from logbraid.health import health
from logbraid.sinks.background import BackgroundSink
from logbraid.sinks.sink import guard
from logbraid.sinks.stdout import StdoutSink
from logbraid.sinks.tenant_files import TenantFilesSink
DAY = "2026-11-21"

def record(w, i, size=200, **more):
    pad = "x" * max(0, size - 60)
    crc = zlib.crc32(f"{w}.{i}.{pad}".encode())
    return json.dumps({"w": w, "i": i, "crc": crc, **more, "pad": pad}).encode() + b"\\n"

def fork(work, *arguments):
    child = os.fork()
    if child:
        return child
    try:
        signal.alarm(100)
        work(*arguments)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(9)
    os._exit(0)

def join(children):
    for child in children:
        status = os.waitpid(child, 0)[1]
        assert status == 0, status

def in_threads(number, work, *arguments):
    threads = [threading.Thread(target=work, args=(one, *arguments)) for one in range(number)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def run(code: str, *arguments: object, wrap: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run *code* after the common part; return the JSON object it printed on its last line."""
    done = subprocess.run(
        [*wrap, sys.executable, "-c", SCRIPT + code, *map(str, arguments)],
        timeout=110,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    result["stderr"] = done.stderr.splitlines()
    assert isinstance(result, dict)
    return result


def parsed(data: bytes) -> tuple[Counter[tuple[int, int]], int]:
    """Return how often each record stands whole in *data*, and the number of torn lines."""
    whole: Counter[tuple[int, int]] = Counter()
    torn = 0
    for line in data.split(b"\n")[:-1]:
        try:
            one = json.loads(line)
            assert one["crc"] == zlib.crc32(f"{one['w']}.{one['i']}.{one['pad']}".encode())
        except (ValueError, KeyError, TypeError, AssertionError):
            torn += 1
        else:
            whole[one["w"], one["i"]] += 1
    return whole, torn + (not data.endswith(b"\n"))


STORM = """
target, kind = sys.argv[1:]
rounds = []
def writer(ack, number):
    if kind == "files":
        sink = TenantFilesSink(target, retention_days=0)
    else:
        sink = StdoutSink(open(target, "a"))
    def work(thread):
        i = 0
        while True:
            size = random.choice((100, 900, 9000))
            sink.write(record(number * 10 + thread, i, size), "acme", DAY)
            os.write(ack, struct.pack("ii", number * 10 + thread, i))
            i += 1
    in_threads(4, work)

acknowledged = []
for number in range(40):
    reading, writing = os.pipe()
    child = fork(writer, writing, number)
    os.close(writing)
    got = bytearray(os.read(reading, 8))        # it has begun
    end = time.monotonic() + random.uniform(0.02, 0.12)
    os.set_blocking(reading, False)
    while time.monotonic() < end:
        try:
            got += os.read(reading, 1 << 20)
        except BlockingIOError:
            time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.set_blocking(reading, True)
    while piece := os.read(reading, 1 << 20):
        got += piece
    os.close(reading)
    acknowledged += [struct.unpack_from("ii", got, at) for at in range(0, len(got) // 8 * 8, 8)]
print(json.dumps({"acknowledged": acknowledged}))
"""


@pytest.mark.parametrize("kind", ["stdout", "files"])
def test_kill_storm_loses_no_acknowledged_line(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    result = run(STORM, target, kind)
    data = (target / "acme" / f"{DAY}.jsonl" if kind == "files" else target).read_bytes()
    whole, torn = parsed(data)
    acknowledged = {(w, i) for w, i in result["acknowledged"]}
    assert len(acknowledged) > 400
    assert acknowledged - set(whole) == set()
    assert max(whole.values()) == 1
    assert torn <= 40


def test_midnight_puts_every_line_into_the_file_of_its_own_day(tmp_path: Path) -> None:
    result = run(
        """
MIDNIGHT = 1795305600                                # 2026-11-22T00:00Z
def writer(w):
    sink = TenantFilesSink(sys.argv[1], retention_days=0)
    skew = random.uniform(-2, 2)
    for i in range(2000):
        # three midnights, 6000 seconds of this clock a line
        stamp = MIDNIGHT - 86400 + skew + i * 3 * 86400 / 2000
        day = time.strftime("%Y-%m-%d", time.gmtime(stamp))
        sink.write(record(w, i, day=day), "acme", day)
join([fork(writer, w) for w in range(8)])
print("{}")
""",
        tmp_path,
    )
    assert result["stderr"] == []
    files = sorted((tmp_path / "acme").iterdir())
    assert len(files) >= 3
    total: Counter[tuple[int, int]] = Counter()
    for path in files:
        whole, torn = parsed(path.read_bytes())
        assert torn == 0
        days = {json.loads(line)["day"] for line in path.read_bytes().splitlines()}
        assert days == {path.stem}
        total += whole
    assert total == Counter({(w, i): 1 for w in range(8) for i in range(2000)})


FULL = """
root = sys.argv[1]
if sys.argv[2] == "tmpfs":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root], check=True)
with open(os.path.join(root, "ballast"), "wb") as ballast:
    ballast.write(b"x" * 100_000)
full_in, full_out = os.pipe()
go_in, go_out = os.pipe()
ack_in, ack_out = os.pipe()
fcntl.fcntl(ack_in, fcntl.F_SETPIPE_SZ, 1 << 20)
def writer(w):
    deliver = guard(TenantFilesSink(os.path.join(root, "logs"), retention_days=0))
    def put(i):
        told = deliver(record(w, i, random.randint(100, 3000)), "acme", DAY)
        os.write(ack_out, struct.pack("iii", w, i, told))
        return told
    i = failed = 0
    while failed < 30:
        failed += not put(i)
        i += 1
    os.write(full_out, b".")
    os.read(go_in, 1)
    late = [put(i + n) for n in range(10)]
    assert all(late), late
    dropped = health.snapshot().dropped
    assert dict(dropped) == {"disk_full": failed}, dropped
children = [fork(writer, w) for w in range(4)]
for _ in children:
    os.read(full_in, 1)
os.unlink(os.path.join(root, "ballast"))
os.write(go_out, b"....")
join(children)
os.close(ack_out)
got = b""
while piece := os.read(ack_in, 1 << 20):
    got += piece
with open(os.path.join(root, "logs", "acme", DAY + ".jsonl"), "rb") as file:
    data = file.read()
print(json.dumps({"acks": list(struct.iter_unpack("iii", got)), "data": data.decode()}))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("mount"),
    reason="needs root, unshare and mount for a small disk of its own",
)
def test_full_disk_counts_what_is_missing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("unshare is not allowed here")
    result = run(FULL, tmp_path, "tmpfs", wrap=("unshare", "-m"))
    whole, torn = parsed(result["data"].encode())
    written = {(w, i) for w, i, told in result["acks"] if told}
    dropped = {(w, i) for w, i, told in result["acks"] if not told}
    assert len(dropped) == 4 * 30
    assert written - set(whole) == set()
    # what broke off just before its newline is a whole record after the repair: one at most here
    assert len(set(whole) - written) <= 1
    assert max(whole.values()) == 1
    assert torn <= 4 * 30
    assert len(result["stderr"]) <= 4  # one notice a process


def test_file_size_limit_is_told_once_and_recovered_from(tmp_path: Path) -> None:
    result = run(
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
deliver = guard(TenantFilesSink(sys.argv[1], retention_days=0))
told = {}
def work(w, first, last):
    for i in range(first, last):
        told[w, i] = deliver(record(w, i, 500), "acme", DAY)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
in_threads(4, work, 0, 100)
failed = sum(not one for one in told.values())
assert failed and dict(health.snapshot().dropped) == {"file_too_large": failed}
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
in_threads(4, work, 100, 150)
print(json.dumps({"written": [key for key, one in told.items() if one]}))
""",
        tmp_path,
    )
    whole, torn = parsed((tmp_path / "acme" / f"{DAY}.jsonl").read_bytes())
    assert {(w, i) for w, i in result["written"]} - set(whole) == set()
    assert {(w, i) for w in range(4) for i in range(100, 150)} <= set(whole)
    assert torn <= 1
    assert len(result["stderr"]) == 1


@pytest.mark.parametrize("kind", ["stdout", "files", "queue"])
def test_fork_storm_hangs_loses_and_doubles_nothing(kind: str, tmp_path: Path) -> None:
    result = run(
        """
target, kind = sys.argv[1:]
sink = {
    "stdout": lambda: StdoutSink(os.fdopen(writing, "w")),
    "files": lambda: TenantFilesSink(target, retention_days=0),
    "queue": lambda: BackgroundSink(TenantFilesSink(target, retention_days=0), queue_bytes=20_000),
}
reading, writing = os.pipe()
sink = sink[kind]()
stop = threading.Event()
counts = {}
def work(w):
    i = 0
    while not stop.is_set():
        sink.write(record(w, i, 300), "acme", DAY)
        i += 1
        counts[w] = i
        time.sleep(0.001)
def child(w):
    for i in range(10):
        sink.write(record(w, i, 300), "acme", DAY)
    assert sink.flush(20)
def copy():
    with open(os.path.join(target, "out"), "wb") as out:
        while piece := os.read(reading, 1 << 16):
            out.write(piece)
reader = threading.Thread(target=copy, daemon=True)
reader.start()
threads = [threading.Thread(target=work, args=(w,)) for w in range(8)]
for thread in threads: thread.start()
children = []
for number in range(200):
    children.append(fork(child, 100 + number))
    if len(children) >= 8:
        join([children.pop(0)])
join(children)
stop.set()
for thread in threads: thread.join()
assert sink.flush(20)
if kind == "stdout":
    sink.close()
    os.close(writing)
    reader.join(20)
print(json.dumps({"counts": list(counts.items()), "unlocked": health.snapshot().unlocked}))
""",
        tmp_path,
        kind,
    )
    data = tmp_path / ("out" if kind == "stdout" else f"acme/{DAY}.jsonl")
    whole, torn = parsed(data.read_bytes())
    expected = {(w, i): 1 for w, count in result["counts"] for i in range(count)}
    expected |= {(100 + number, i): 1 for number in range(200) for i in range(10)}
    assert torn == 0
    assert whole == Counter(expected)


def test_ten_thousand_tenants_share_few_descriptors(tmp_path: Path) -> None:
    result = run(
        """
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
held = [socket.socket() for _ in range(40)]
sink = TenantFilesSink(sys.argv[1], retention_days=0)
deliver = guard(sink)
weights = [1 / (rank + 1) for rank in range(10_000)]
rss = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = rss()
most = failed = 0
def work(w):
    global most, failed
    chosen = random.Random(w).choices(range(10_000), weights, k=5000)
    tenants = [*range(w, 10_000, 4), *chosen]              # each once at least
    for i, number in enumerate(tenants):
        if not deliver(record(w, i, tenant=f"t{number}"), f"t{number}", DAY):
            failed += 1
        if not i % 500:
            most = max(most, len(sink._open))
            open("/dev/null").close()                       # the application can open files
in_threads(4, work)
print(json.dumps({"failed": failed, "most": most, "grown": rss() - before}))
""",
        tmp_path,
    )
    assert result["failed"] == 0
    assert result["most"] <= 64
    assert result["grown"] < 64 * 1024 * 1024
    assert result["stderr"] == []
    total = 0
    directories = list(tmp_path.iterdir())
    assert len(directories) == 10_000
    for directory in directories:
        for line in (directory / f"{DAY}.jsonl").read_bytes().splitlines():
            total += 1
            assert json.loads(line)["tenant"] == directory.name
    assert total == 4 * (2500 + 5000)


def test_crowd_on_one_pipe_tears_no_line_though_one_is_stopped(tmp_path: Path) -> None:
    result = run(
        """
reading, writing = os.pipe()
def writer(w):
    os.close(reading)
    sink = StdoutSink(os.fdopen(writing, "w"))
    def work(thread):
        for i in range(60):
            size = random.choice((100, 1000, 4000, 4200, 9000, 15_000))
            sink.write(record(w * 10 + thread, i, size), None, DAY)
    in_threads(4, work)
    with open(os.path.join(sys.argv[1], f"unlocked-{w}"), "w") as told:
        told.write(str(health.snapshot().unlocked))
children = [fork(writer, w) for w in range(8)]
os.close(writing)
def stop_one():
    time.sleep(0.05)
    os.kill(children[3], signal.SIGSTOP)
    time.sleep(0.3)
    os.kill(children[3], signal.SIGCONT)
threading.Thread(target=stop_one).start()
with open(os.path.join(sys.argv[1], "out"), "wb") as out:
    while piece := os.read(reading, 1 << 16):
        out.write(piece)
join(children)
print("{}")
""",
        tmp_path,
    )
    assert result["stderr"] == []
    whole, torn = parsed((tmp_path / "out").read_bytes())
    unlocked = sum(int((tmp_path / f"unlocked-{w}").read_text()) for w in range(8))
    # a line that waited a second in vain is written all the same, and counted
    assert torn <= unlocked
    everything = {(w * 10 + t, i) for w in range(8) for t in range(4) for i in range(60)}
    assert len(everything - set(whole)) <= 2 * unlocked


def test_stuck_reader_holds_nobody_up_where_lines_may_be_dropped() -> None:
    result = run("""
import asyncio
reading, writing = os.pipe()
def announce(number):
    return json.dumps({"event": "log_lines_dropped", "dropped": number}).encode() + b"\\n"
stream = os.fdopen(writing, "w")
sink = BackgroundSink(
    StdoutSink(stream), queue_bytes=100_000, policy="drop_oldest", announce=announce
)
async def main():
    for i in range(20_000):
        sink.write(record(1, i), None, DAY)
        assert sink.queued_bytes <= 100_000
        if not i % 100:
            await asyncio.sleep(0)
asyncio.run(main())                                 # nobody has read a byte so far
lines = []
def read():
    with os.fdopen(reading, "rb") as source:
        lines.extend(source)
reader = threading.Thread(target=read)
reader.start()
assert sink.flush(30)
sink.close()
stream.close()
reader.join()
records = [json.loads(line) for line in lines]
print(json.dumps({
    "written": sum("w" in one for one in records),
    "last": max(one.get("i", 0) for one in records),
    "announced": sum(one.get("dropped", 0) for one in records),
    "counted": health.snapshot().dropped["queue_full"],
}))
""")
    assert result["last"] == 19_999
    assert result["announced"] == result["counted"] == 20_000 - result["written"]
    assert result["written"] > 0
    assert result["stderr"] == []


@pytest.mark.parametrize("blocking", [True, False])
def test_slow_reader_gets_every_line_whole(blocking: bool) -> None:
    result = run(
        """
reading, writing = os.pipe()
os.set_blocking(writing, bool(int(sys.argv[1])))
def writer(w):
    os.close(reading)
    sink = StdoutSink(os.fdopen(writing, "w"))
    for i in range(40):
        sink.write(record(w, i, 9000), None, DAY)
    assert health.snapshot().unlocked == 0
children = [fork(writer, w) for w in range(4)]
os.close(writing)
time.sleep(1.5)                          # longer than anyone waits for a lock: they wait for us
data = b""
while piece := os.read(reading, 2000):
    data += piece
join(children)
print(json.dumps({"data": data.decode()}))
""",
        int(blocking),
    )
    whole, torn = parsed(result["data"].encode())
    assert torn == 0
    assert whole == Counter({(w, i): 1 for w in range(4) for i in range(40)})


def test_sudden_ends_lose_nothing_that_was_written_plainly(tmp_path: Path) -> None:
    result = run(
        """
def writer(w, how):
    sink = TenantFilesSink(sys.argv[1], retention_days=0)
    for i in range(50):
        sink.write(record(w, i), "acme", DAY)
    if how == "exit":
        os._exit(0)
    os.kill(os.getpid(), getattr(signal, how))
    signal.pause()
statuses = []
for number in range(30):
    how = ("exit", "SIGTERM", "SIGKILL")[number % 3]
    status = os.waitpid(fork(writer, number, how), 0)[1]
    statuses.append(os.waitstatus_to_exitcode(status))
print(json.dumps({"statuses": statuses}))
""",
        tmp_path,
    )
    assert result["statuses"] == [0, -15, -9] * 10
    whole, torn = parsed((tmp_path / "acme" / f"{DAY}.jsonl").read_bytes())
    assert (len(whole), torn) == (30 * 50, 0)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_signals_drain_the_queue_and_keep_the_exit_code(how: str, tmp_path: Path) -> None:
    result = run(
        """
import atexit
how = sys.argv[2]
def round(number):
    ack_in, ack_out = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(ack_in)
        sink = BackgroundSink(TenantFilesSink(sys.argv[1], retention_days=0), queue_bytes=100_000)
        assert sink.install_sigterm()
        stop = threading.Event()
        def work(thread):
            i = 0
            while not stop.is_set():
                sink.write(record(number * 10 + thread, i), "acme", DAY)
                os.write(ack_out, struct.pack("ii", number * 10 + thread, i))
                i += 1
        try:
            for thread in range(1, 4):
                threading.Thread(target=work, args=(thread,), daemon=True).start()
            work(0)
        finally:
            stop.set()
            atexit._run_exitfuncs()
            os._exit(130)
    os.close(ack_out)
    got = os.read(ack_in, 8)
    def read():
        nonlocal got
        while piece := os.read(ack_in, 1 << 16):
            got += piece
    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(random.uniform(0.02, 0.08))
    os.kill(child, getattr(signal, how))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    reader.join()
    os.close(ack_in)
    return status, [struct.unpack_from("ii", got, at) for at in range(0, len(got) // 8 * 8, 8)]
statuses, acknowledged = [], []
for number in range(12):
    status, acks = round(number)
    statuses.append(status)
    acknowledged += acks
print(json.dumps({"statuses": statuses, "acknowledged": acknowledged}))
""",
        tmp_path,
        how,
    )
    assert set(result["statuses"]) == {-15 if how == "SIGTERM" else 130}
    whole, torn = parsed((tmp_path / "acme" / f"{DAY}.jsonl").read_bytes())
    assert torn == 0
    missing = {(w, i) for w, i in result["acknowledged"]} - set(whole)
    # other threads go on putting while the main thread drains: their last lines came after
    assert {w % 10 for w, _ in missing} <= {1, 2, 3}
