"""Standard output: one whole line per write, on whatever it is connected to."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from logbraid.health import Health
from logbraid.sinks.descriptor import Descriptor
from logbraid.sinks.pipe_lock import PIPE_BUF, PipeLock
from logbraid.sinks.sink import SinkClosedError, guard
from logbraid.sinks.stdout import StdoutSink

DAY = "2026-11-21"
BIG = b'{"pad":"' + b"x" * 9000 + b'"}\n'


def put(sink: StdoutSink, line: bytes) -> None:
    sink.write(line, None, DAY)


def put_all(sink: StdoutSink, lines: list[bytes]) -> None:
    for line in lines:
        put(sink, line)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Return the reading end and a text stream on the writing end."""
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    yield reader, stream
    for close in (stream.close, lambda: os.close(reader)):
        try:
            close()
        except OSError:
            continue  # the test closed it


def run(code: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]  # options of subprocess.run


SCRIPT = """
import sys, os, signal, threading
from logbraid.health import health
from logbraid.sinks.sink import guard
from logbraid.sinks.stdout import StdoutSink
"""


def test_line_goes_to_the_descriptor_of_a_file(tmp_path: Path, health: Health) -> None:
    with (tmp_path / "out").open("w") as stream:
        sink = StdoutSink(stream, health=health)
        put(sink, b'{"a":1}\n')
        assert (tmp_path / "out").read_bytes() == b'{"a":1}\n'


def test_what_the_stream_held_comes_first(tmp_path: Path, health: Health) -> None:
    with (tmp_path / "out").open("w") as stream:
        stream.write("printed\n")
        put(StdoutSink(stream, health=health), b"{}\n")
    assert (tmp_path / "out").read_bytes() == b"printed\n{}\n"


def test_each_line_is_one_call_of_the_system(tmp_path: Path, health: Health) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with left, right, os.fdopen(os.dup(left.fileno()), "w") as stream:
        sink = StdoutSink(stream, health=health)
        put(sink, b'{"a":1}\n')
        put(sink, BIG)
        assert right.recv(100_000) == b'{"a":1}\n'
        assert right.recv(100_000) == BIG


def test_pipe_gets_every_line(pipe: tuple[int, TextIO], health: Health) -> None:
    reader, stream = pipe
    sink = StdoutSink(stream, health=health)
    put(sink, b'{"a":1}\n')
    put(sink, BIG)
    assert os.read(reader, 100_000) == b'{"a":1}\n' + BIG
    assert health.snapshot().unlocked == 0


def test_terminal_gets_every_line(health: Health) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        put(StdoutSink(stream, health=health), b'{"a":1}\n')
        assert os.read(controller, 100) == b'{"a":1}\r\n'
    os.close(controller)


def test_replaced_stream_is_written_by_its_own_write(health: Health) -> None:
    class Notebook(io.StringIO):
        flushed = 0

        def fileno(self) -> int:
            return 1  # a notebook's stream names a descriptor that is not where its text goes

        def flush(self) -> None:
            self.flushed += 1

    stream = Notebook()
    put(StdoutSink(stream, health=health), '{"a":"é"}\n'.encode())
    assert stream.getvalue() == '{"a":"é"}\n'
    assert stream.flushed == 1


def test_capsys_sees_the_lines(capsys: pytest.CaptureFixture[str], health: Health) -> None:
    put(StdoutSink(sys.stdout, health=health), b"{}\n")
    assert capsys.readouterr().out == "{}\n"


def test_stream_that_is_not_unicode_gets_escapes(health: Health) -> None:
    raw = io.BytesIO()

    class Ascii(io.TextIOWrapper):
        pass

    stream = Ascii(raw, encoding="ascii")
    put(StdoutSink(stream, health=health), '{"a":"é💥"}\n'.encode())
    assert raw.getvalue() == b'{"a":"\\u00e9\\ud83d\\udca5"}\n'


def test_no_stream_is_off_with_one_notice(
    health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = StdoutSink(None, health=health)
    for _ in range(3):
        with pytest.raises(SinkClosedError):
            put(sink, b"{}\n")
    assert capfd.readouterr().err.count("\n") == 1


def test_closed_stream_is_off_with_one_notice(
    tmp_path: Path, health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = (tmp_path / "out").open("w")
    stream.close()
    with pytest.raises(SinkClosedError):
        put(StdoutSink(stream, health=health), b"{}\n")
    assert capfd.readouterr().err.count("\n") == 1


def test_replaced_stream_closed_later_is_off(
    health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    sink = StdoutSink(stream, health=health)
    stream.close()
    for _ in range(2):
        with pytest.raises(SinkClosedError):
            put(sink, b"{}\n")
    assert capfd.readouterr().err.count("\n") == 1


def test_reader_that_goes_away_is_told_once_and_every_line_counted() -> None:
    code = (
        SCRIPT
        + """
os.read(0, 1)                                  # until the reader is gone
deliver = guard(StdoutSink(sys.stdout))
told = [deliver(b"{}\\n", None, "2026-11-21") for _ in range(50)]
assert told == [False] * 50
figures = health.snapshot().sinks["stdout"]
assert (figures.written, dict(figures.dropped)) == (0, {"broken_pipe": 50}), figures
"""
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.close()
        assert child.stdin
        child.stdin.write(b"x")
        child.stdin.close()
        assert child.stderr
        told = child.stderr.read().decode()
        child.wait(60)
    assert told.count("\n") == 1
    assert "stdout is off" in told
    assert child.returncode == 0


def test_full_nonblocking_pipe_is_waited_for_without_duplicates(
    pipe: tuple[int, TextIO], health: Health
) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    sink = StdoutSink(stream, health=health)
    lines = [b'{"n":%d,"pad":"%s"}\n' % (number, b"x" * 7000) for number in range(60)]
    thread = threading.Thread(target=put_all, args=(sink, lines), daemon=True)
    thread.start()
    got = b""
    while len(got) < sum(map(len, lines)):
        got += os.read(reader, 3000)
    thread.join(30)
    assert got == b"".join(lines)


def test_full_nonblocking_socket_is_waited_for_without_duplicates(health: Health) -> None:
    left, right = socket.socketpair()
    with left, right, os.fdopen(os.dup(left.fileno()), "w") as stream:
        left.setblocking(False)
        sink = StdoutSink(stream, health=health)
        lines = [b'{"n":%d,"pad":"%s"}\n' % (number, b"x" * 14_000) for number in range(100)]
        thread = threading.Thread(target=put_all, args=(sink, lines), daemon=True)
        thread.start()
        got = b""
        while len(got) < sum(map(len, lines)):
            got += right.recv(3000)
        thread.join(30)
    assert got == b"".join(lines)


def test_slow_reader_blocks_and_tears_nothing(pipe: tuple[int, TextIO], health: Health) -> None:
    reader, stream = pipe
    sink = StdoutSink(stream, health=health)
    threads = [
        threading.Thread(target=put_all, args=(sink, [BIG] * 8), daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while select.select([], [stream.fileno()], [], 0)[1]:
        time.sleep(0.001)  # until the pipe is full and everybody stuck
    got = b""
    while len(got) < 32 * len(BIG):
        got += os.read(reader, 65_536)
    for thread in threads:
        thread.join(30)
    assert got == BIG * 32
    assert health.snapshot().unlocked == 0


def test_lock_of_another_is_waited_for_while_the_pipe_is_full(
    pipe: tuple[int, TextIO], health: Health
) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    filled = os.write(stream.fileno(), b"x" * 1_000_000)
    other = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    clock = iter(range(1_000_000))
    lock = PipeLock(stream.fileno(), monotonic=lambda: float(next(clock)))
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(lock.take(100)), daemon=True)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()  # by its own clock it has waited for seconds
    got = 0
    while got < filled:
        got += len(os.read(reader, 1_000_000))
    thread.join(30)
    assert result == [False]  # now there is room, and the owner does nothing with it
    os.close(other)
    lock.renew()


def test_short_lines_share_the_lock_and_a_long_one_has_it_alone(
    pipe: tuple[int, TextIO],
) -> None:
    fd = pipe[1].fileno()
    ticks = iter(range(1_000_000))
    one, other = (PipeLock(fd, monotonic=lambda: float(next(ticks))) for _ in range(2))
    assert one.take(PIPE_BUF)
    assert other.take(PIPE_BUF)
    other.release()
    assert not other.take(PIPE_BUF + 1)
    one.release()
    assert other.take(PIPE_BUF + 1)
    assert not one.take(10)
    other.release()
    assert one.take(10)
    for lock in (one, other):
        lock.renew()


def test_line_without_the_lock_is_written_and_counted(
    pipe: tuple[int, TextIO], health: Health
) -> None:
    reader, stream = pipe
    other = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    put(StdoutSink(stream, health=health), b"{}\n")
    assert os.read(reader, 100) == b"{}\n"
    assert health.snapshot().unlocked == 1
    os.close(other)


def test_lock_can_be_switched_off(pipe: tuple[int, TextIO], health: Health) -> None:
    reader, stream = pipe
    other = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    put(StdoutSink(stream, lock=False, health=health), b"{}\n")
    assert os.read(reader, 100) == b"{}\n"
    assert health.snapshot().unlocked == 0
    os.close(other)


def test_second_description_is_not_inherited_by_programs(
    pipe: tuple[int, TextIO], health: Health
) -> None:
    reader, stream = pipe
    sink = StdoutSink(stream, health=health)
    put(sink, b"{}\n")
    os.read(reader, 100)
    with subprocess.Popen(["sleep", "30"]) as child:
        stream.close()
        sink.close()
        assert os.read(reader, 100) == b""  # the end of file: nobody else holds the pipe
        child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_pipe_of_another_user_is_locked_on_its_own_descriptor() -> None:
    code = (
        SCRIPT
        + """
os.setuid(12345)
sink = StdoutSink(sys.stdout)
sink.write(b"{}\\n", None, "2026-11-21")
assert health.snapshot().unlocked == 0
assert sink._pipe_lock._second == -2, "the second description should have been refused"
"""
    )
    done = run(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"{}\n")


def test_line_logged_by_a_signal_handler_waits_for_the_one_it_interrupts() -> None:
    code = (
        SCRIPT
        + """
sink = StdoutSink(sys.stdout)
count, running = 0, True
def handler(number, frame):
    global count
    count += 1
    sink.write(b'{"handler":%d}\\n' % count, None, "2026-11-21")
    if running:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005)
for number in range(2000):
    sink.write(b'{"main":%d,"pad":"%s"}\\n' % (number, b"x" * 6000), None, "2026-11-21")
running = False
signal.setitimer(signal.ITIMER_REAL, 0)
sys.stderr.write(str(count))
"""
    )
    done = run(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    handled = [line for line in lines if line.startswith(b'{"handler"')]
    main = [line for line in lines if line.startswith(b'{"main"')]
    assert len(main) == 2000
    assert all(line.endswith(b'x"}') for line in main)
    assert len(handled) == int(done.stderr)
    assert len(lines) == len(main) + len(handled)


def test_line_logged_by_a_nested_call_of_a_replaced_stream_comes_after(health: Health) -> None:
    class Chatty(io.StringIO):
        def write(self, text: str) -> int:
            if "outer" in text:
                put(sink, b'{"inner":1}\n')
            return super().write(text)

    stream = Chatty()
    sink = StdoutSink(stream, health=health)
    put(sink, b'{"outer":1}\n')
    assert stream.getvalue() == '{"outer":1}\n{"inner":1}\n'


def test_stream_that_logs_what_it_is_given_comes_to_an_end(health: Health) -> None:
    class Logging(io.StringIO):
        def write(self, text: str) -> int:
            put(sink, b'{"about":"a line"}\n')
            return super().write(text)

    stream = Logging()
    sink = StdoutSink(stream, health=health)
    put(sink, b'{"outer":1}\n')
    assert stream.getvalue() == '{"outer":1}\n{"about":"a line"}\n'
    assert health.snapshot().dropped == {"reentrant": 1}


def test_nested_lines_are_bounded_and_counted(health: Health) -> None:
    class Endless(io.StringIO):
        calls = 0

        def write(self, text: str) -> int:
            self.calls += 1
            if self.calls == 1:
                for _ in range(1500):
                    put(sink, b"{}\n")
            return super().write(text)

    stream = Endless()
    sink = StdoutSink(stream, health=health)
    put(sink, b"{}\n")
    assert stream.getvalue() == "{}\n" * 1001
    assert health.snapshot().dropped == {"reentrant": 500}


def test_forked_child_logs_while_a_thread_of_the_parent_holds_the_lock() -> None:
    code = (
        SCRIPT
        + """
sink = StdoutSink(sys.stdout)
sink.write(b'{"who":"parent"}\\n', None, "2026-11-21")
held, go = threading.Event(), threading.Event()
def hold():
    with sink._guard.lock:
        sink._busy = True
        sink._pipe_lock.take(9000)
        held.set(); go.wait()
        sink._pipe_lock.release()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    sink.write(b'{"who":"child"}\\n', None, "2026-11-21")
    os._exit(0 if health.snapshot().unlocked == 1 else 3)
status = os.waitpid(child, 0)[1]
go.set()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    )
    done = run(code, stdout=subprocess.PIPE)
    assert done.returncode == 0  # the parent's lock is the parent's: after a second, without it
    assert done.stdout == b'{"who":"parent"}\n{"who":"child"}\n'


def test_child_that_leaves_the_pipe_lets_its_reader_see_the_end() -> None:
    code = (
        SCRIPT
        + """
sink = StdoutSink(sys.stdout)
sink.write(b"{}\\n", None, "2026-11-21")
if os.fork() == 0:                       # as a daemon does
    devnull = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(devnull, fd)
    signal.pause()
"""
    )
    reader, writer = os.pipe()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=writer, start_new_session=True) as child:
        os.close(writer)
        got = b""
        while piece := os.read(reader, 100):
            got += piece
        assert got == b"{}\n"
        child.wait(30)
        os.killpg(child.pid, signal.SIGKILL)
    os.close(reader)


def test_disk_full_on_a_regular_file_loses_one_line_and_glues_none(tmp_path: Path) -> None:
    path = tmp_path / "out"
    code = (
        SCRIPT
        + f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
deliver = guard(StdoutSink(open({str(path)!r}, "a")))
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
line = lambda n: b'{{"number":%d}}\\n' % n
told = [deliver(line(number), None, "2026-11-21") for number in range(4)]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
told += [deliver(line(number), None, "2026-11-21") for number in range(4, 6)]
assert told == [True, False, False, False, True, True], told
assert health.snapshot().dropped == {{"file_too_large": 3}}
"""
    )
    done = run(code, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert path.read_bytes() == b'{"number":0}\n{"numbe\n{"number":4}\n{"number":5}\n'


def test_interrupt_in_the_middle_of_a_line_does_not_glue_the_next(
    pipe: tuple[int, TextIO],
) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    descriptor = Descriptor(stream.fileno())

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(KeyboardInterrupt):
        descriptor.write(b"x" * 1_000_000 + b"\n")
    signal.signal(signal.SIGALRM, old)
    part = os.read(reader, 1_000_000)
    descriptor.write(b"{}\n")
    assert set(part) == {ord("x")}
    assert os.read(reader, 100) == b"\n{}\n"


def test_torn_line_of_a_killed_process_is_ended_first(tmp_path: Path, health: Health) -> None:
    (tmp_path / "out").write_bytes(b'{"a":')
    with (tmp_path / "out").open("a") as stream:
        put(StdoutSink(stream, health=health), b"{}\n")
    assert (tmp_path / "out").read_bytes() == b'{"a":\n{}\n'


def test_closed_sink_drops_and_leaves_the_stream_open(
    pipe: tuple[int, TextIO], health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = StdoutSink(pipe[1], health=health)
    sink.close()
    sink.close()
    assert not guard(sink)(b"{}\n", None, DAY)
    assert os.fstat(pipe[1].fileno())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_many_lines_go_out_in_order(
    kind: str, tmp_path: Path, pipe: tuple[int, TextIO], health: Health
) -> None:
    stream = pipe[1] if kind == "pipe" else (tmp_path / "out").open("w")
    sink = StdoutSink(stream, health=health)
    items = [(b'{"n":%d}\n' % number, None, DAY) for number in range(500)]
    assert sink.write_many(items) == []
    expected = b"".join(item[0] for item in items)
    if kind == "pipe":
        assert os.read(pipe[0], 100_000) == expected
        return
    stream.close()
    assert (tmp_path / "out").read_bytes() == expected


def test_many_lines_with_one_too_many_give_back_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "out"
    code = (
        SCRIPT
        + f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = StdoutSink(open({str(path)!r}, "a"))
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
items = [(b'{{"number":%d}}\\n' % n, None, "2026-11-21") for n in range(4)]
assert sink.write_many(items) == items[1:]
assert sink.write_many(items) == items
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
assert sink.write_many(items[1:]) == []
"""
    )
    done = run(code, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == (
        b'{"number":0}\n{"numbe\n{"number":1}\n{"number":2}\n{"number":3}\n'
    )


def test_closing_every_descriptor_as_daemons_do_is_told_once() -> None:
    code = (
        SCRIPT
        + """
deliver = guard(StdoutSink(sys.stdout))
assert deliver(b"{}\\n", None, "2026-11-21")
os.closerange(3, 100); os.close(1)
assert [deliver(b"{}\\n", None, "2026-11-21") for _ in range(3)] == [False] * 3
assert health.snapshot().dropped == {"closed": 3}
sys.stdout = None
"""
    )
    for target in (subprocess.PIPE, subprocess.DEVNULL):
        done = run(code, stdout=target, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(b"logbraid: ") == 1


def test_threads_on_one_file_tear_nothing(tmp_path: Path, health: Health) -> None:
    with (tmp_path / "out").open("a") as stream:
        sink = StdoutSink(stream, health=health)
        threads = [threading.Thread(target=put_all, args=(sink, [BIG] * 50)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (tmp_path / "out").read_bytes() == BIG * 400
