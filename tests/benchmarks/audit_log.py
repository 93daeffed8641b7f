"""The audit log: a record against a log line, and eight threads against the bare group commit."""

from __future__ import annotations

import importlib.util
import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import Any

import peers
from interleave import Program, interleave
from options import Options
from report import Figure, Mark, Table
from work import WORKS

from logbraid.audit import AuditLog, Policy, keygen

_THREADS = 8
_LINE = b"x" * 480 + b"\n"


def table(options: Options) -> Table:
    """Measure a record without syncing, and synced records of eight threads a second."""
    made = Table("audit log, a file on disk", "bare = 1")
    if importlib.util.find_spec("cryptography") is None:
        made.skipped = "cryptography is not installed"
        return made
    folder = Path(tempfile.mkdtemp(prefix="audit-benchmark-", dir=Path.cwd()))
    try:
        key = keygen(folder / "keys")["signing"]
        policy = Policy(head_seconds=0)
        with AuditLog(folder / "none", key=key, flush="none", policy=policy) as log:
            made.figures.append(_against_a_line(options, log, folder))
        with AuditLog(folder / "data", key=key, flush="data", policy=policy) as log:
            made.figures.append(_against_bare(options, log, folder, made.notes))
    finally:
        shutil.rmtree(folder)
    return made


def _against_a_line(options: Options, log: Any, folder: Path) -> Figure:
    with peers.configured(str(folder / "lines")):
        ours = peers.ours()[0]
        work = WORKS["W1"]
        program = Program(
            "record",
            partial(work.batch, ours.manner),
            partial(_records, log),
            ours.context,
        )
        result = interleave(
            [ours.program(work), program],
            base=ours.name,
            rounds=options.rounds,
            turn_seconds=options.turn_seconds,
        )
    return Figure.of('a record, flush="none", time, a W1 log call = 1', "W1",
                     result.ratios["record"], Mark(6))  # fmt: skip


def _records(log: Any, batch: list[Any]) -> None:
    for call_id in batch:
        log.record(
            "tool_complete",
            resource_type="get_customer_orders",
            resource_id=call_id,
            status_code=200,
            duration_ms=234,
            metadata={"tokens": 812},
        )


def _against_bare(options: Options, log: Any, folder: Path, notes: list[str]) -> Figure:
    bare = _GroupCommit(folder / "bare")
    programs = [
        _program("bare", lambda _: bare.commit(_LINE)),
        _program("records", lambda item: log.record("tool_complete", resource_id=item)),
    ]
    result = interleave(
        programs, base="bare", rounds=options.rounds, turn_seconds=8 * options.turn_seconds
    )
    bare.close()
    notes.append(f"bare group commit: {1e6 / result.base_us:,.0f} lines a second")
    return Figure.of('eight threads, flush="data", records a second, write and fdatasync = 1', "W1",
                     result.ratios["records"].inverse(), Mark(0.5, at_least=True))  # fmt: skip


def _program(name: str, one: Callable[[str], object]) -> Program:
    def loop(items: list[str]) -> None:
        for item in items:
            one(item)

    def run(batch: list[Any]) -> None:
        threads = [
            threading.Thread(target=loop, args=(batch[number::_THREADS],))
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return Program(name, lambda size: [str(n) for n in range(size)], run, Context(), least=160)


class _GroupCommit:
    """The same group commit with nothing around it: whatever waits goes in one write and sync."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._lines: queue.SimpleQueue[tuple[bytes, threading.Lock] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def commit(self, line: bytes) -> None:
        """Write *line* and wait until it is on disk."""
        done = threading.Lock()
        done.acquire()
        self._lines.put((line, done))
        done.acquire()

    def _run(self) -> None:
        sync = os.fdatasync if sys.platform != "darwin" else os.fsync
        while (first := self._lines.get()) is not None:
            group = [first]
            while not self._lines.empty():
                following = self._lines.get()
                if following is None:
                    self._lines.put(None)
                    break
                group.append(following)
            os.write(self._fd, b"".join(line for line, _ in group))
            sync(self._fd)
            for _, done in group:
                done.release()

    def close(self) -> None:
        """End the thread."""
        self._lines.put(None)
        self._thread.join()
        os.close(self._fd)
