"""Delivery by queue: bounded in bytes, counted, drained, and never a deadlock."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest

from logbraid.health import Health, health
from logbraid.sinks.background import BackgroundSink
from logbraid.sinks.batch import Item
from logbraid.sinks.function import FunctionSink
from logbraid.sinks.memory import MemorySink
from logbraid.sinks.sink import SinkClosedError

DAY = "2026-11-21"

SCRIPT = """
import atexit, json, multiprocessing, os, signal, sys, threading, time, warnings
warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork")
from logbraid.health import health
from logbraid.sinks.background import BackgroundSink
from logbraid.sinks.sink import guard
from logbraid.sinks.stdout import StdoutSink
from logbraid.sinks.tenant_files import TenantFilesSink
DAY = "2026-11-21"
"""


class Gate(MemorySink):
    """A sink that stands still until it is opened, as a stuck reader does."""

    def __init__(self) -> None:
        super().__init__(name="gate")
        self.open = threading.Event()
        self.reached = threading.Event()

    def write(self, line: bytes, tenant: str | None, day: str) -> None:
        self.reached.set()
        self.open.wait(60)
        super().write(line, tenant, day)


def run(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + code],
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
        **options,
    )


def numbered(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def put_all(sink: BackgroundSink, lines: list[bytes]) -> None:
    for line in lines:
        sink.write(line, None, DAY)


def announce(number: int) -> bytes:
    return json.dumps({"event": "log_lines_dropped", "dropped": number}).encode() + b"\n"


def test_lines_come_out_in_order_with_tenant_and_day() -> None:
    got: list[tuple[bytes, str | None, str]] = []

    class Noting(MemorySink):
        def write(self, line: bytes, tenant: str | None, day: str) -> None:
            got.append((line, tenant, day))

    sink = BackgroundSink(Noting())
    items = [(numbered(n), f"t{n}" if n % 2 else None, DAY) for n in range(1000)]
    for item in items:
        sink.write(*item)
    assert sink.flush(30)
    assert got == items
    sink.close()


def test_every_sink_inside_gets_every_line() -> None:
    inner = [MemorySink(name="one"), MemorySink(name="two")]
    sink = BackgroundSink(inner)
    for number in range(10):
        sink.write(numbered(number), None, DAY)
    sink.close()
    assert inner[0].lines == inner[1].lines == [numbered(n) for n in range(10)]


def test_thread_starts_at_the_first_line() -> None:
    before = threading.active_count()
    sink = BackgroundSink(MemorySink())
    assert threading.active_count() == before
    sink.write(b"{}\n", None, DAY)
    assert any(one.name == "logbraid-writer" and one.daemon for one in threading.enumerate())
    sink.close()


def test_failures_inside_are_counted_at_the_sink_that_failed() -> None:
    def fail(line: bytes, record: dict[str, Any]) -> None:
        raise ZeroDivisionError

    health.reset()
    good = MemorySink(name="good")
    sink = BackgroundSink([FunctionSink(fail, name="bad"), good])
    for number in range(5):
        sink.write(numbered(number), None, DAY)
    assert sink.flush(30)
    sinks = health.snapshot().sinks
    assert sinks["bad"].dropped == {"sink_error": 5}
    assert sinks["good"].written == len(good.lines) == 5
    sink.close()


def test_full_queue_blocks_and_loses_nothing() -> None:
    gate = Gate()
    sink = BackgroundSink(gate, queue_bytes=100)
    lines = [numbered(n) for n in range(200)]
    thread = threading.Thread(target=put_all, args=(sink, lines))
    thread.start()
    gate.reached.wait(30)
    thread.join(0.2)
    assert thread.is_alive()
    assert sink.queued_bytes <= 100
    gate.open.set()
    thread.join(30)
    assert sink.flush(30)
    assert gate.lines == lines
    sink.close()


def test_full_queue_drops_the_oldest_counts_and_announces_them() -> None:
    own, gate = Health(), Gate()
    sink = BackgroundSink(
        gate, queue_bytes=100, policy="drop_oldest", announce=announce, health=own
    )
    sink.write(numbered(0), None, DAY)
    gate.reached.wait(30)  # the first is under way
    for number in range(1, 100):
        sink.write(b'{"n":%4d}\n' % number, None, DAY)
        assert sink.queued_bytes <= 100
    gate.open.set()
    assert sink.flush(30)
    records = gate.records
    told = sum(record.get("dropped", 0) for record in records)
    numbers = [record["n"] for record in records if "n" in record]
    assert told == own.snapshot().dropped["queue_full"] == 100 - len(numbers)
    assert numbers == [0, *range(100 - len(numbers) + 1, 100)]
    assert records[1]["event"] == "log_lines_dropped"  # where the gap is
    sink.close()


def test_line_larger_than_the_queue_passes_when_it_is_empty() -> None:
    for policy in ("block", "drop_oldest"):
        memory = MemorySink()
        sink = BackgroundSink(memory, queue_bytes=10, policy=policy)
        sink.write(b'"%s"\n' % (b"x" * 100), None, DAY)
        assert sink.flush(30)
        assert len(memory.lines) == 1
        sink.close()


def test_announcement_that_fails_stops_nothing() -> None:
    def fail(number: int) -> bytes:
        raise ValueError

    own, gate = Health(), Gate()
    sink = BackgroundSink(gate, queue_bytes=20, policy="drop_oldest", announce=fail, health=own)
    for number in range(20):
        sink.write(numbered(number), None, DAY)
    gate.open.set()
    assert sink.flush(30)
    assert gate.records[-1] == {"n": 19}
    sink.close()


def test_flush_gives_up_after_its_time() -> None:
    gate = Gate()
    sink = BackgroundSink(gate)
    sink.write(b"{}\n", None, DAY)
    assert not sink.flush(0.05)
    gate.open.set()
    assert sink.flush(30)
    sink.close()


def test_closed_sink_refuses_and_its_thread_ends() -> None:
    memory = MemorySink()
    sink = BackgroundSink(memory)
    sink.write(b"1\n", None, DAY)
    writers = [one for one in threading.enumerate() if one.name == "logbraid-writer"]
    sink.close()
    sink.close()
    for thread in writers:
        thread.join(30)
        assert not thread.is_alive()
    with pytest.raises(SinkClosedError):
        sink.write(b"2\n", None, DAY)
    assert memory.lines == [b"1\n"]


def test_callable_that_logs_does_not_log_for_ever() -> None:
    health.reset()
    memory = MemorySink()
    calls: list[bytes] = []

    def chatty(line: bytes, record: dict[str, Any]) -> None:
        calls.append(line)
        sink.write(b'{"from":"the callable"}\n', None, DAY)

    sink = BackgroundSink([FunctionSink(chatty), memory])
    sink.write(b'{"from":"the application"}\n', None, DAY)
    assert sink.flush(30)
    assert len(calls) == 1
    assert sorted(record["from"] for record in memory.records) == [
        "the application",
        "the callable",
    ]
    assert health.snapshot().dropped == {"reentrant": 1}
    sink.close()


def test_lines_are_counted_though_health_was_reset_after_construction() -> None:
    sink = BackgroundSink(MemorySink(name="inner"))
    health.reset()  # as configuration does, once the sinks stand
    put_all(sink, [numbered(number) for number in range(10)])
    assert sink.flush(30)
    assert health.snapshot().sinks["inner"].written == 10
    sink.close()


def test_sink_that_fails_with_many_gets_them_one_by_one(capfd: pytest.CaptureFixture[str]) -> None:
    class Fragile(MemorySink):
        def write_many(self, items: object) -> list[Item]:
            raise LookupError

    health.reset()
    memory, gate = Fragile(), Gate()
    sink = BackgroundSink([gate, memory])
    put_all(sink, [numbered(number) for number in range(10)])
    gate.open.set()
    assert sink.flush(30)
    assert memory.lines == [numbered(number) for number in range(10)]
    assert "LookupError" in capfd.readouterr().err
    sink.close()


def test_callable_that_flushes_does_not_wait_for_itself() -> None:
    told: list[bool] = []
    sink = BackgroundSink(FunctionSink(lambda line, record: told.append(sink.flush(60))))
    sink.write(b"{}\n", None, DAY)
    assert sink.flush(30)
    assert told == [False]
    sink.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_callable_that_ends_the_thread_gets_a_new_one() -> None:
    calls: list[bytes] = []

    def leave(line: bytes, record: dict[str, Any]) -> None:
        calls.append(line)
        if len(calls) == 1:
            raise SystemExit

    sink = BackgroundSink(FunctionSink(leave))
    sink.write(numbered(1), None, DAY)
    for thread in threading.enumerate():
        if thread.name == "logbraid-writer":
            thread.join(30)
    sink.write(numbered(2), None, DAY)
    assert sink.flush(30)
    assert calls == [numbered(1), numbered(2)]
    sink.close()


def test_threads_lose_nothing_and_keep_their_order() -> None:
    memory = MemorySink(max_lines=100_000)
    sink = BackgroundSink(memory, queue_bytes=20_000)

    def work(who: int) -> None:
        for number in range(500):
            sink.write(b'{"w":%d,"n":%d}\n' % (who, number), None, DAY)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sink.flush(30)
    records = memory.records
    for who in range(8):
        assert [one["n"] for one in records if one["w"] == who] == list(range(500))
    assert sink.queued_bytes == 0
    sink.close()


def test_everything_is_written_at_exit() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
for number in range(5000):
    sink.write(b'{"n":%d}\\n' % number, None, DAY)
""")
    assert [json.loads(line)["n"] for line in done.stdout.splitlines()] == list(range(5000))
    assert (done.returncode, done.stderr) == (0, "")


def test_everything_is_written_after_an_unhandled_exception() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
for number in range(5000):
    sink.write(b'{"n":%d}\\n' % number, None, DAY)
raise KeyError
""")
    assert done.stdout.count("\n") == 5000
    assert done.returncode == 1


def test_lines_of_the_last_moment_are_written_too() -> None:
    done = run("""
class Last:
    def __init__(self, sink):
        self.sink = sink
    def __del__(self):
        self.sink.write(b"3\\n", None, "2026-11-21")  # globals are gone by then
atexit.register(lambda: sink.write(b"2\\n", None, DAY))   # runs after our own handler
sink = BackgroundSink(StdoutSink(sys.stdout))
sink.write(b"1\\n", None, DAY)
last = Last(sink)
""")
    assert done.stdout == "1\n2\n3\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_exit_does_not_wait_for_a_reader_that_does_not_read() -> None:
    code = """
sink = BackgroundSink(StdoutSink(sys.stdout))
for number in range(3000):
    sink.write(b'{"n":%d,"pad":"%s"}\\n' % (number, b"x" * 200), None, DAY)
"""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.wait(30) == 0
        assert child.stderr
        assert b"not written in time" in child.stderr.read()


def test_forked_child_writes_its_own_lines_and_none_of_its_parents() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
for number in range(2000):
    sink.write(b'{"who":"parent"}\\n', None, DAY)
child = os.fork()
if child == 0:
    signal.alarm(20)
    for number in range(10):
        sink.write(b'{"who":"child"}\\n', None, DAY)
    assert sink.flush(10)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""")
    lines = done.stdout.splitlines()
    assert (lines.count('{"who":"child"}'), lines.count('{"who":"parent"}')) == (10, 2000)
    assert (done.returncode, done.stderr) == (0, "")


def test_children_of_multiprocessing_drain_at_their_end() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
def work(who):
    for number in range(200):
        sink.write(b'{"w":%d}\\n' % who, None, DAY)
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(who,)) for who in range(4)]
for child in children: child.start()
for child in children: child.join()
""")
    assert done.stdout.count("\n") == 800
    assert (done.returncode, done.stderr) == (0, "")


def test_fork_with_a_full_queue_and_busy_threads_never_hangs() -> None:
    done = run("""
signal.alarm(50)
devnull = open("/dev/null", "w")
sink = BackgroundSink(StdoutSink(devnull), queue_bytes=2000)
stop = threading.Event()
def work():
    while not stop.is_set():
        sink.write(b'{"who":"parent"}\\n', None, DAY)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for number in range(50):
    child = os.fork()
    if child == 0:
        for _ in range(10):
            sink.write(b'{"who":"child"}\\n', None, DAY)
        os._exit(0 if sink.flush(10) else 3)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
""")
    assert (done.returncode, done.stderr) == (0, "")


def test_signal_handler_that_logs_never_deadlocks_and_keeps_the_sums() -> None:
    done = run("""
signal.alarm(50)
sink = BackgroundSink(StdoutSink(sys.stdout), queue_bytes=5000)
count, running = 0, True
def handler(number, frame):
    global count
    count += 1
    sink.write(b'{"h":1}\\n', None, DAY)
    if running:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005)
signal.signal(signal.SIGVTALRM, handler)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005)
for number in range(100000):
    sink.write(b'{"m":1}\\n', None, DAY)
running = False
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
assert sink.flush(30)
assert sink.queued_bytes == 0, sink.queued_bytes
sys.stderr.write(str(count))
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("m") == 100_000
    assert done.stdout.count("h") == int(done.stderr)


SIGTERM = """
sink = BackgroundSink(StdoutSink(sys.stdout))
{before}
sys.stderr.write(str(sink.install_sigterm()) + "\\n"); sys.stderr.flush()
number = 0
while True:
    sink.write(b'{{"n":%d}}\\n' % number, None, DAY)
    os.write(2, b".")                       # acknowledged: the call has returned
    number += 1
"""


def terminated(before: str) -> tuple[int, str, bytes, int]:
    """Run a child that logs without end, send SIGTERM; return exit code, answer, output, acks."""
    code = SCRIPT + SIGTERM.format(before=before)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stderr
        answer = child.stderr.readline().decode().strip()
        child.stderr.read(300)
        outputs: list[bytes] = []
        reader: Callable[[], None] = lambda: outputs.append(child.stdout.read())  # type: ignore[union-attr]  # asserted  # noqa: E731 - one line
        thread = threading.Thread(target=reader)
        thread.start()
        child.send_signal(signal.SIGTERM)
        acknowledged = 300 + child.stderr.read().count(b".")
        thread.join(30)
        return child.wait(30), answer, outputs[0], acknowledged


def test_sigterm_drains_and_keeps_the_exit_code() -> None:
    code, answer, output, acknowledged = terminated("")
    assert (code, answer) == (-signal.SIGTERM, "True")
    numbers = [json.loads(line)["n"] for line in output.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= acknowledged


def test_sigterm_is_left_to_who_handles_it_already() -> None:
    code, answer, output, acknowledged = terminated(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    )
    assert (code, answer) == (7, "False")
    assert output.count(b"\n") >= acknowledged


def test_sigterm_handler_can_be_taken_back_and_is_kept_if_it_is_anothers() -> None:
    old = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        sink = BackgroundSink(MemorySink())
        assert sink.install_sigterm()
        assert sink.install_sigterm()
        sink.remove_sigterm()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        sink.install_sigterm()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sink.remove_sigterm()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert not sink.install_sigterm()
    finally:
        signal.signal(signal.SIGTERM, old)


def test_sigterm_is_not_touched_outside_the_main_thread() -> None:
    told: list[bool] = []
    sink = BackgroundSink(MemorySink())
    thread = threading.Thread(target=lambda: told.append(sink.install_sigterm()))
    thread.start()
    thread.join()
    assert told == [False]


def test_reopen_reaches_the_files_inside(tmp_path: Path) -> None:
    done = run(f"""
sink = BackgroundSink(TenantFilesSink({str(tmp_path)!r}, retention_days=0))
path = {str(tmp_path / "acme" / (DAY + ".jsonl"))!r}
sink.write(b"1\\n", "acme", DAY)
assert sink.flush(30)
os.rename(path, path + ".1")
sink.reopen()
sink.write(b"2\\n", "acme", DAY)
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "acme" / f"{DAY}.jsonl").read_bytes() == b"2\n"


def test_written_lines_of_a_batch_are_counted_one_by_one(tmp_path: Path) -> None:
    done = run(f"""
files = TenantFilesSink({str(tmp_path)!r}, retention_days=0)
sink = BackgroundSink([files, StdoutSink(open("/dev/null", "w"), name="null")])
deliver = guard(sink)
for number in range(3000):
    deliver(b"{{}}\\n", f"t{{number % 7}}", DAY)
sink.flush(30)
sinks = health.snapshot().sinks
print(*[sinks[name].written for name in ("queue", "files", "null")])
""")
    assert done.stdout == "3000 3000 3000\n", done.stderr


def test_queue_that_was_never_used_is_flushed_and_closed_at_once() -> None:
    sink = BackgroundSink(MemorySink())
    assert sink.flush(0.01)
    sink.close()
    assert not sink._accepts


def test_signal_handler_may_wait_for_the_writer_wherever_it_strikes() -> None:
    done = run("""
signal.alarm(50)
sink = BackgroundSink(StdoutSink(open("/dev/null", "w")), queue_bytes=5000)
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(sink.flush(20)))
def strike():
    for number in range(300):
        os.kill(os.getpid(), signal.SIGUSR1)
        while len(told) <= number:
            time.sleep(0.0005)
striking = threading.Thread(target=strike)
striking.start()
while striking.is_alive():
    sink.write(b"{}\\n", None, DAY)
print(all(told))
""")
    assert done.stdout == "True\n", done.stderr


def test_first_line_of_all_may_come_from_a_handler_of_exit() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
atexit.register(lambda: sink.write(b"1\\n", None, DAY))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_line_that_returned_while_the_process_ends_is_written() -> None:
    done = run("""
sink = BackgroundSink(StdoutSink(sys.stdout))
Thread = threading.Thread
class Slow(Thread):                                   # its starter is stopped once it runs
    def start(self):
        super().start()
        if self.name == "logbraid-writer":
            started.set()
            time.sleep(0.2)
started = threading.Event()
threading.Thread = Slow
def work():
    sink.write(b"1\\n", None, DAY)
def follow():
    started.wait()
    sink.write(b"2\\n", None, DAY)                      # accepted in the middle of the start
    os.write(2, b"returned\\n")
Thread(target=work, daemon=True).start()
Thread(target=follow).start()
""")
    assert sorted(done.stdout) == sorted("1\n2\n")
    assert (done.returncode, done.stderr) == (0, "returned\n")


def turn_often(frame: FrameType, event: str, arg: object) -> Any:
    """Let other threads run before each line of the queue's code, as a slow tracer does."""
    if not frame.f_code.co_filename.endswith("background.py"):
        return None
    if event == "line" and random.random() < 0.2:
        time.sleep(0)
    return turn_often


@pytest.fixture
def hasty() -> Iterator[None]:
    """Turn to another thread as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
def test_sums_are_exact_though_no_lock_is_taken(policy: Literal["block", "drop_oldest"]) -> None:
    own, memory = Health(), MemorySink(max_lines=100_000)
    sink = BackgroundSink(memory, queue_bytes=2000, policy=policy, health=own)
    most = []

    def work(who: int) -> None:
        for number in range(400):
            sink.write(b'{"w":%d,"n":%d}\n' % (who, number), None, DAY)
            most.append(sink.queued_bytes)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sink.flush(30)
    dropped = own.snapshot().dropped.get("queue_full", 0)
    assert len(memory.lines) + dropped == sink._put == 8 * 400
    assert (sink.queued_bytes, dropped > 0) == (0, policy == "drop_oldest")
    assert max(most) <= 2000 + 8 * len(b'{"w":1,"n":399}\n')
    for who in range(8):
        numbers = [one["n"] for one in memory.records if one["w"] == who]
        assert numbers == sorted(set(numbers))
    sink.close()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("traced", [False, True])
def test_line_whose_call_returned_is_out_once_the_queue_is_drained_for_good(
    *, traced: bool
) -> None:
    memory = MemorySink(max_lines=100_000)
    sink = BackgroundSink(memory)
    begun = threading.Event()
    acknowledged: list[int] = []

    def work(who: int) -> None:
        if traced:
            sys.settrace(turn_often)
        for number in range(who, 800, 4):
            sink.write(numbered(number), None, DAY)
            acknowledged.append(number)
            if number > 80:
                begun.set()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    assert sink._drain_for_good(30)
    while any(thread.is_alive() for thread in threads):  # from here on what returns is written
        returned = acknowledged[:]
        assert set(map(numbered, returned)) - set(memory.lines) == set()
    assert sorted(memory.lines) == sorted(map(numbered, range(800)))
    sink.close()
