"""Kill -9 and every failing system call: nothing that was acknowledged is lost, nothing is hidden.

A program that has imported the package waits to be forked, so that a round costs milliseconds,
and so that nothing of the interpreter's own start is hit. What a round acknowledges stands in
memory that it shares with the test: no system call of the test's own can fail.

``LOGBRAID_TORTURE=full`` runs the whole matrix (every place of every call with every error) and
200 rounds of kills; without it a fair sample of both. ``LOGBRAID_TORTURE=2/5`` is the second of
five parts of the matrix.
"""

from __future__ import annotations

import mmap
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from logbraid.audit import AuditLog, Policy, keygen, prune, read, verify

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

QUIET = Policy(head_seconds=0)
HOW_MUCH = os.environ.get("LOGBRAID_TORTURE", "")
DAY = 86_400 * 10**9
OLD = 1_700_000_000 * 10**9
NOW = OLD + 400 * DAY

_ZYGOTE = """
import mmap, os, sys, threading
from logbraid import bound_context
from logbraid.audit import AuditError, AuditInputError, AuditLog, Policy, prune
from logbraid.scrub import Scrubber
Scrubber()

def storm(root, keys, told, flush):
    log = AuditLog(root, key=keys + "/audit-signing.pem", flush=flush,
                   policy=Policy(head_seconds=0))
    def work(number):
        for place in range(1, 10_000_000):
            log.record("x", resource_id=f"{number}-{place}")
            told[8 * number : 8 * number + 8] = place.to_bytes(8, "big")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads: thread.start()
    threads[0].join()

def steps(root, keys, told, now):
    told[0] = 2
    def step(place, work):
        try:
            work()
            told[place] = 1
        except AuditError as error:
            told[place] = 3 if isinstance(error, AuditInputError) else 2
        except BaseException:
            told[place] = 4
    key, log = keys + "/audit-signing.pem", []
    step(0, lambda: log.append(AuditLog(
        root, key=key, recipient=keys + "/audit-recipient.pem", clock=lambda: int(now),
        policy=Policy(head_seconds=0))))
    if log:
        for number in range(1, 11):
            with bound_context(tenant_id="acme", user_id=f"u-{number % 2}"):
                step(number, lambda: log[0].record(
                    "x", resource_id=str(number), payload={"n": number},
                    event_class="data_modified" if number % 3 else "action"))
        step(11, log[0].close)
    step(12, lambda: prune(root, key=key, clock=lambda: int(now)))

def line():
    text = b""
    while not text.endswith(b"\\n"):
        one = os.read(0, 1)
        if not one: sys.exit()
        text += one
    return text.decode().split()

os.write(1, b"ready\\n")
while True:
    what, root, keys, path, more = line()
    pid = os.fork()
    if pid == 0:
        fd = os.open(path, os.O_RDWR)
        told = mmap.mmap(fd, 4096)
        os.read(0, 1)
        try: globals()[what](root, keys, told, more)
        finally: os._exit(0)
    os.write(1, b"%d\\n" % pid)
    os.write(1, b"%d\\n" % os.waitpid(pid, 0)[1])
"""


class Zygote:
    """Forks one program after the other, each of which waits for ``go``."""

    def __init__(self, folder: Path) -> None:
        self._board = folder / "board"
        self._child = subprocess.Popen([sys.executable, "-c", _ZYGOTE], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, bufsize=0)  # fmt: skip
        assert self._line() == "ready"

    def fork(self, what: str, root: Path, keys: Path, more: str) -> int:
        self._board.write_bytes(bytes(4096))
        with self._board.open("r+b") as file:
            self.told = mmap.mmap(file.fileno(), 4096)
        self._say(f"{what} {root} {keys} {self._board} {more}\n")
        self.pid = int(self._line())
        return self.pid

    def go(self) -> None:
        self._say("g")

    def status(self) -> int:
        return int(self._line(10))

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def _say(self, text: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(text.encode())

    def _line(self, seconds: float = 60) -> str:
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], seconds)[0]:
            os.kill(self.pid, signal.SIGKILL)
            raise TimeoutError(f"it hangs for more than {seconds:g} s")
        return self._child.stdout.readline().decode().strip()


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    one = Zygote(tmp_path)
    yield one
    one.close()


# -- kill -9 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flush", ["data", "sync", "none"])
def test_kill_9_loses_nothing_that_was_acknowledged(
    tmp_path: Path, zygote: Zygote, flush: str
) -> None:
    keys = keygen(tmp_path / "keys")
    chosen = random.Random(7)
    acknowledged = 0
    for number in range(200 if HOW_MUCH == "full" else 40):
        root = tmp_path / f"log-{number // 10}"  # ten lives of one log, then another one
        known = {one["id"] for one in read(root)} if root.exists() else set()
        pid = zygote.fork("storm", root, tmp_path / "keys", flush)
        zygote.go()
        time.sleep(chosen.uniform(0.02, 0.12))  # when it is killed is the fault, not a wait
        os.kill(pid, signal.SIGKILL)
        assert zygote.status() == signal.SIGKILL
        manifest = root / "_log" / "manifest.jsonl"
        if not manifest.exists() or not manifest.stat().st_size:  # killed before it began
            assert not any(zygote.told[:32])
            continue
        report = verify(root, keys["verifying"])
        assert report.verdict in ("ok", "torn tail"), str(report)
        written = Counter(
            one["resource_id"].partition("-")[0] for one in read(root) if one["id"] not in known
        )
        for thread in range(4):
            last = int.from_bytes(zygote.told[8 * thread : 8 * thread + 8], "big")
            assert last <= written[str(thread)], str(report)
            acknowledged += last
    assert acknowledged > 100


# -- each system call in turn ------------------------------------------------------------------

CALLS = {
    "openat": "openat",
    "write": "write",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "rename": "/^rename(at2?)?$",
    "link": "/^link(at)?$",
    "unlink": "/^unlink(at)?$",
    "close": "close",
}
ERRORS = ("ENOSPC", "EIO", "EINTR", "EMFILE")
SAMPLE = 3
"""So many places of each call with each error, where not all of them are asked for."""


@pytest.fixture(scope="module")
def old_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a segment whose retention is over at NOW, and its keys."""
    folder = tmp_path_factory.mktemp("old")
    keys = keygen(folder / "keys")
    with AuditLog(folder / "log", key=keys["signing"], flush="none", policy=QUIET,
                  clock=lambda: OLD) as log:  # fmt: skip
        log.record("old", event_class="rule_denied")
    return folder


def traced(zygote: Zygote, folder: Path, *options: str) -> tuple[int, Path]:
    """Run the steps under strace, attached before the first one; return how it ended."""
    pid = zygote.fork("steps", folder / "log", folder / "keys", str(NOW))
    trace = folder / "trace"
    command = ["strace", "-f", "-o", str(trace), "-p", str(pid), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        told = strace.stderr.readline()
        zygote.go()
        if "attached" not in told:
            strace.kill()
            zygote.status()
            pytest.skip(f"strace may not trace here: {told}")
        status = zygote.status()
        strace.communicate()
    return status, trace


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")


def places(zygote: Zygote, old_log: Path, folder: Path) -> dict[str, int]:
    """Return how often one thread makes each call: each thread is counted for itself."""
    shutil.copytree(old_log, folder)
    _, trace = traced(zygote, folder, "-e", "trace=" + ",".join(CALLS.values()))
    counts: dict[str, Counter[str]] = {name: Counter() for name in CALLS}
    for line in trace.read_text().splitlines():
        thread, _, rest = line.partition(" ")
        for name, pattern in CALLS.items():
            if re.fullmatch(pattern.strip("/^$"), rest.strip().partition("(")[0]):
                counts[name][thread] += 1
    return {name: max(one.values(), default=0) for name, one in counts.items()}


def cases(call: str, most: int) -> list[tuple[str, int]]:
    everything = [(error, place) for error in ERRORS for place in range(1, most + 1)]
    if HOW_MUCH == "full":
        return everything
    if "/" in HOW_MUCH:
        part, of = HOW_MUCH.split("/")
        return everything[int(part) - 1 :: int(of)]
    chosen = random.Random(call)
    return [
        (error, place)
        for error in ERRORS
        for place in sorted(chosen.sample(range(1, most + 1), min(SAMPLE, most)))
    ]


@pytest.mark.timeout(900 if HOW_MUCH else 120)
@pytest.mark.parametrize("call", CALLS)
def test_failing_system_call_is_told_and_never_hidden(
    tmp_path: Path, zygote: Zygote, old_log: Path, call: str
) -> None:
    needs_strace()
    most = places(zygote, old_log, tmp_path / "counted")[call]
    assert most
    for error, place in cases(call, most):
        folder = tmp_path / f"{error}-{place}"
        shutil.copytree(old_log, folder)
        inject = f"inject={CALLS[call]}:error={error}:when={place}"
        status, _ = traced(zygote, folder, "-e", f"trace={CALLS[call]}", "-e", inject)
        check(folder, list(zygote.told[:13]), status, f"{call} {error} at {place}")
        shutil.rmtree(folder)


def check(folder: Path, told: list[int], status: int, where: str) -> None:
    """Hold what a run told against what is there, then go on with the log as if nothing was."""
    key = folder / "keys" / "audit-signing.pem"
    trusted = folder / "keys" / "audit-verifying.pem"
    where = f"{where}: {told}"
    assert status == 0, where
    assert set(told) <= {0, 1, 2, 3}, where
    assert 3 not in told[1:12], where  # the key of the start and of prune is asked for
    report = verify(folder / "log", trusted)
    assert report.verdict in ("ok", "torn tail"), f"{where}\n{report}"
    written = {one.get("resource_id") for one in read(folder / "log")}
    assert {str(number) for number in range(1, 11) if told[number] == 1} <= written, where

    AuditLog(folder / "log", key=key, policy=QUIET, clock=lambda: NOW).close()
    prune(folder / "log", key=key, clock=lambda: NOW)
    report = verify(folder / "log", trusted)
    assert report.verdict in ("ok", "torn tail"), f"{where}\n{report}"
    assert "old" not in {one["action"] for one in read(folder / "log")}, where


def test_no_file_is_ever_truncated(tmp_path: Path, zygote: Zygote, old_log: Path) -> None:
    needs_strace()
    shutil.copytree(old_log, tmp_path / "one")
    _, trace = traced(zygote, tmp_path / "one", "-e", "trace=/^f?truncate")
    assert "truncate" not in trace.read_text()
    assert list(zygote.told[:13]) == [1] * 13
