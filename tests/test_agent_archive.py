"""EventArchive: a session's events in one file below its tenant, numbered, safe, replayed."""

from __future__ import annotations

import fcntl
import json
import math
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logbraid import bind_context, bound_context, configure_logging, stats
from logbraid.agent import (
    ActionTracer,
    EventArchive,
    Replay,
    SessionNotFoundError,
    list_sessions,
    replay_session,
    session_timeline,
)
from logbraid.agent.session_file import LONGEST_WAIT_SECONDS, SESSIONS, stem_of
from logbraid.agent.session_lines import tail_of
from logbraid.errors import LogbraidError
from logbraid.health import health
from logbraid.propagation import in_context
from logbraid.sinks.retention import delete_expired

CANARY = "sk-ant-api03-" + "Zq7" * 20
WEEK = 7

SCRIPT = """
import os, signal, sys, threading
from logbraid import bound_context, bind_context, stats
from logbraid.agent import EventArchive
archive = EventArchive(sys.argv[1])
def event(**data):
    archive.on_event({"type": "tick", "data": data})
"""


class Kind(str, Enum):  # noqa: UP042 - as frameworks for older Pythons have it
    """Types of events, as a framework has them."""

    TOOL_START = "tool_start"
    TOOL_COMPLETE = "tool_complete"
    ERROR = "error"


@dataclass
class Event:
    """An event as frameworks make them."""

    type: Any
    data: Any = field(default_factory=dict)


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    health.reset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


@pytest.fixture
def archive(root: Path) -> Iterator[EventArchive]:
    with EventArchive(root) as made:
        yield made


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def rows(path: Path) -> list[dict[str, Any]]:
    """Return all lines of a file, each read strictly."""
    text = path.read_bytes().decode()
    return [json.loads(line, parse_constant=_no_constant) for line in text.splitlines()]


def the_file(root: Path) -> Path:
    (path,) = root.glob("*/*.jsonl")
    return path


def descriptors_of(path: Path) -> int:
    """Return how many descriptors of this process are open on *path*."""
    found = 0
    for fd in range(1024):
        with suppress(OSError):
            found += os.path.samestat(os.fstat(fd), path.stat())
    return found


def keep(archive: EventArchive, number: int, **ids: str) -> None:
    """Keep *number* events with *ids*, told apart by ``n``."""
    with bound_context(**ids):
        for n in range(number):
            archive.on_event(Event("tick", {"n": n}))


def run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + code, *map(str, args)],
        timeout=90,
        check=False,
        capture_output=True,
        text=True,
    )


# -- the file ----------------------------------------------------------------------------------


def test_a_session_is_one_file_with_header_numbered_events_and_footer(root: Path) -> None:
    archive = EventArchive(root)
    with bound_context(tenant_id="acme", session_id="s-1", user_id="u-7", run_id="r-1"):
        archive.on_event(Event(Kind.TOOL_START, {"tool": "search"}))
        archive.on_event(Event(Kind.TOOL_COMPLETE, {"tool": "search", "status": "ok"}))
        bind_context(run_id="r-2")
        archive.on_event(Event(Kind.TOOL_START, {"tool": "pay"}))
    archive.close()
    header, first, second, third, footer = rows(root / "acme" / "session-s-1.jsonl")
    assert (header["kind"], header["version"]) == ("header", 1)
    assert header["started"] == first["timestamp"]
    assert {n: header[n] for n in ("tenant_id", "session_id", "user_id", "run_id")} == {
        "tenant_id": "acme",
        "session_id": "s-1",
        "user_id": "u-7",
        "run_id": "r-1",
    }
    assert [row["seq"] for row in (first, second, third)] == [1, 2, 3]
    assert [row["type"] for row in (first, second, third)] == [
        "tool_start",
        "tool_complete",
        "tool_start",
    ]
    assert [row["run_id"] for row in (first, second, third)] == ["r-1", "r-1", "r-2"]
    assert second["data"] == {"tool": "search", "status": "ok"}
    assert footer["kind"] == "footer"
    assert (footer["last_seq"], footer["events"]) == (3, 3)
    assert footer["counts"] == {"tool_complete": 1, "tool_start": 2}


def test_no_name_in_data_is_lost(archive: EventArchive) -> None:
    data = {
        name: f"value {n}"
        for n, name in enumerate(
            "args message name msg type data seq timestamp kind level event tenant_id session_id"
            " exc_info asctime self truncated scrubbed".split()
        )
    }
    with bound_context(tenant_id="acme", session_id="s-1"):
        archive.on_event(Event(Kind.ERROR, dict(data)))
        (event,) = archive.replay("s-1")
    assert event.type == "error"
    assert event.data == data
    assert event.ids == {"tenant_id": "acme", "session_id": "s-1"}


@dataclass
class _Payload:
    tool: str
    args: dict[str, int]


class _Plain:
    def __init__(self) -> None:
        self.type = Kind.TOOL_START
        self.data = _Payload("search", {"q": 1})


@dataclass
class _Flat:
    tool_name: str = "search"
    args: dict[str, int] = field(default_factory=lambda: {"q": 1})
    event_type: str = "tool_lifecycle"


@pytest.mark.parametrize(
    ("event", "kind", "data"),
    [
        (_Plain(), "tool_start", {"tool": "search", "args": {"q": 1}}),
        ({"type": "custom", "data": {"a": 1}}, "custom", {"a": 1}),
        (Event("text", "hello"), "text", {"value": "hello"}),
        (Event("none", None), "none", {}),
        (Event(None, {"a": 1}), "Event", {"a": 1}),
        (Event(7, {1: 2}), "7", {"1": 2}),
        ({"type": "delta", "index": 0, "text": "hi"}, "delta", {"index": 0, "text": "hi"}),
        (_Flat(), "tool_lifecycle", {"tool_name": "search", "args": {"q": 1}}),
        ("a word", "str", {"value": "a word"}),
        (object(), "object", {"value": "<builtins.object object>"}),
        (None, "NoneType", {}),
    ],
)
def test_any_object_with_type_and_data_is_an_event(
    archive: EventArchive, event: object, kind: str, data: dict[str, Any]
) -> None:
    with bound_context(session_id="s"):
        archive.on_event(event)
        (kept,) = archive.replay("s")
    assert (kept.type, kept.data) == (kind, data)


class _Raises:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)

    __repr__ = __str__


class _RaisingEvent:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(CANARY)


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    return circle


ODD = {
    "object": object(),
    "raises": _Raises(),
    "nan": math.nan,
    "huge int": 10**5000,
    "bytes": b"\xff\x00",
    "surrogate": "\ud800",
    "controls": "\0\r\n\x1b[31m\u2028",
    "circle": _circle(),
    "odd keys": {(1, 2): 3, None: 4},
    "generator": (n for n in range(3)),
    "lock": threading.Lock(),
    "long": "x" * 2_000_000,
    "many": list(range(100_000)),
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_no_value_loses_an_event(archive: EventArchive, root: Path, value: object) -> None:
    with bound_context(session_id="s"):
        archive.on_event(Event("odd", {"value": value, "fine": "yes"}))
        archive.on_event(Event(value, {"fine": "yes"}))
        archive.on_event(Event("odd", value))
        archive.on_event(value)
        events = list(archive.replay("s"))
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.data["fine"] for event in events[:2]] == ["yes", "yes"]
    assert rows(the_file(root))


def test_an_event_that_raises_is_kept_and_raises_nothing(archive: EventArchive) -> None:
    with bound_context(session_id="s"):
        archive.on_event(_RaisingEvent())
        (event,) = archive.replay("s")
    assert event.type == "_RaisingEvent"


def test_the_span_of_the_action_around_joins_the_event_with_the_trace(
    archive: EventArchive,
) -> None:
    tracer = ActionTracer(log=False)
    with bound_context(session_id="s"), tracer.trace("tool_call") as entry:
        archive.on_event(Event("tick"))
        (event,) = archive.replay("s")
    assert (event.ids["trace_id"], event.ids["span_id"]) == (entry.trace_id, entry.span_id)


# -- whose it is -------------------------------------------------------------------------------


def test_a_thread_of_the_frameworks_own_may_tell_of_the_session(archive: EventArchive) -> None:
    with bound_context(tenant_id="acme", session_id="s"):
        on_event = in_context(archive.on_event)
    thread = threading.Thread(target=on_event, args=(Event("tool_start", {"tool": "x"}),))
    thread.start()
    thread.join()
    assert [event.type for event in archive.replay("s", tenant_id="acme")] == ["tool_start"]


def test_an_event_without_session_goes_to_unknown_and_is_counted(
    archive: EventArchive, root: Path
) -> None:
    keep(archive, 2)
    keep(archive, 1, tenant_id="acme")
    assert archive.without_session == 3
    assert [path.name.startswith("session-_unknown.") for path in root.glob("*/*")] == [True, True]
    assert [event.data for event in archive.replay("_unknown")] == [{"n": 0}, {"n": 1}]
    assert len(list(archive.replay(None, tenant_id="acme"))) == 1


def test_unknown_is_a_file_a_day_and_replayed_as_one(tmp_path: Path) -> None:
    day = 86_400 * 1_000_000_000
    now = 20_000 * day
    with configure_logging(output="stderr", clock=lambda: now), EventArchive(tmp_path) as archive:
        keep(archive, 2)
        now += day
        keep(archive, 1)
        assert len(list((tmp_path / "_unknown").iterdir())) == 2
        assert [event.data["n"] for event in archive.replay("_unknown")] == [0, 1, 0]


def test_a_session_that_is_called_unknown_is_another_one(archive: EventArchive) -> None:
    keep(archive, 1)
    keep(archive, 2, session_id="_unknown")
    assert len(list(archive.replay("_unknown"))) == 2
    assert len(list(archive.replay(None))) == 1


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "con",
    "CON",
    "Con",
    "s-1",
    "S-1",
    "s.1",
    "caf\u00e9",
    "cafe\u0301",
    "x" * 500,
    "x" * 501,
    "session-s-1",
    "s-1.jsonl",
    "s-1.2026-11-21",
    "-rf",
    "~root",
    "\u202egnp",
    "\ud800",
    " ",
    stem_of("S-1").removeprefix("session-"),
]


def test_hostile_ids_neither_escape_nor_collide(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b" / "events"
    archive = EventArchive(root)
    for number, name in enumerate(HOSTILE):
        with bound_context(tenant_id=name, session_id=name):
            archive.on_event(Event("tick", {"number": number}))
    archive.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix == ".jsonl"]
    assert len({str(path).lower() for path in files}) == len(HOSTILE)
    assert {path.parent.parent for path in files} == {root}
    for number, name in enumerate(HOSTILE):
        (event,) = archive.replay(name, tenant_id=name)
        assert event.data == {"number": number}


@given(st.sets(st.text(min_size=1), min_size=2, max_size=2))
def test_distinct_sessions_have_distinct_files(names: set[str]) -> None:
    first, second = (stem_of(name) for name in names)
    assert first.lower() != second.lower()
    assert stem_of(None, "2026-11-21") not in {first, second}


def test_a_tenant_never_gets_the_session_of_another(archive: EventArchive, root: Path) -> None:
    keep(archive, 1, tenant_id="acme", session_id="s-1")
    keep(archive, 2, tenant_id="globex", session_id="s-1")
    keep(archive, 1, tenant_id="acme", session_id="only-acme")
    assert len(list(archive.replay("s-1", tenant_id="acme"))) == 1
    assert len(list(archive.replay("s-1", tenant_id="globex"))) == 2
    with bound_context(tenant_id="globex"):
        assert len(list(archive.replay("s-1"))) == 2
        with pytest.raises(SessionNotFoundError, match=r"only-acme.*globex"):
            archive.replay("only-acme")
        assert [session.session_id for session in archive.sessions()] == ["s-1"]
    with pytest.raises(SessionNotFoundError, match="give tenant_id"):
        archive.replay("s-1")  # nobody asks: nobody's sessions
    assert archive.sessions() == []
    assert len(list_sessions(root, every_tenant=True)) == 3


def test_the_tenant_of_the_configuration_finds_its_sessions(tmp_path: Path) -> None:
    with configure_logging(output="stderr", tenant="acme"), EventArchive(tmp_path) as archive:
        keep(archive, 2, session_id="s-1")
        assert len(list(archive.replay("s-1"))) == 2
    assert len(list(replay_session(tmp_path, "s-1", tenant_id="acme"))) == 2


def test_a_missing_session_is_told_at_once_and_clearly(archive: EventArchive, root: Path) -> None:
    with pytest.raises(
        SessionNotFoundError, match=r"no session 'nope' of tenant 'acme' in "
    ) as told:
        archive.replay("nope", tenant_id="acme")
    assert isinstance(told.value, LogbraidError)
    assert isinstance(told.value, FileNotFoundError)
    assert isinstance(told.value, LookupError)
    with pytest.raises(SessionNotFoundError):
        archive.timeline("nope")
    assert archive.sessions() == list_sessions(root / "none") == []


# -- nothing secret ----------------------------------------------------------------------------


def test_no_secret_reaches_a_file_or_its_name(archive: EventArchive, root: Path) -> None:
    with bound_context(tenant_id="acme", session_id=CANARY, user_id=CANARY):
        archive.on_event(Event("tool_start", {"args": {"password": "hunter2-canary"}}))
        archive.on_event(Event("error", {"message": f"401 with Bearer {CANARY}", "e": _Raises()}))
        archive.on_event(Event("error", ValueError(f"key {CANARY}")))
        archive.on_event(Event(CANARY, {CANARY: 1, "list": [[CANARY]]}))
        archive.on_event(_RaisingEvent())
        text = archive.timeline(CANARY)
    archive.close()
    assert len(list(archive.replay(CANARY, tenant_id="acme"))) == 5
    written = text.encode() + b"".join(
        str(path).encode() + path.read_bytes() for path in root.rglob("*") if path.is_file()
    )
    for secret in (CANARY, "hunter2-canary"):
        assert secret.encode() not in written


def test_no_text_is_longer_than_the_limit(root: Path) -> None:
    with EventArchive(root, max_summary_chars=40) as archive:
        archive.on_event(Event("llm_text", {"chunk": "x" * 999}))
        (event,) = archive.replay("_unknown")
    assert len(event.data["chunk"]) <= 40


@pytest.mark.parametrize("mask", [0, 0o777])
def test_files_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2775)
    with umask(mask), EventArchive(shared) as archive:
        keep(archive, 1, tenant_id="acme", session_id="s")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in [shared, shared / "acme", shared / "acme" / "session-s.jsonl"]
    }
    assert modes == {"shared": 0o2775, "acme": 0o700, "session-s.jsonl": 0o600}


def test_links_are_neither_written_nor_read_through(tmp_path: Path, root: Path) -> None:
    (root / "acme").mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_bytes(b'{"seq":1,"timestamp":"2026-11-21T00:00:00Z","type":"t","data":{}}\n')
    before = victim.read_bytes()
    (root / "acme" / "session-s.jsonl").symlink_to(victim)
    (root / "globex").symlink_to(tmp_path)
    (tmp_path / "session-s.jsonl").write_bytes(before)
    archive = EventArchive(root)
    keep(archive, 1, tenant_id="acme", session_id="s")
    keep(archive, 1, tenant_id="globex", session_id="s")
    archive.close()
    assert victim.read_bytes() == (tmp_path / "session-s.jsonl").read_bytes() == before
    assert sum(stats().sinks["archive"].dropped.values()) == 2
    with pytest.raises(OSError, match="s"):
        list(archive.replay("s", tenant_id="acme"))
    with pytest.raises(SessionNotFoundError):
        archive.replay("s", tenant_id="globex")


# -- numbers without gaps ----------------------------------------------------------------------


def test_numbers_go_on_after_a_footer_and_a_restart(root: Path) -> None:
    for _ in range(3):
        with EventArchive(root) as archive:
            keep(archive, 2, session_id="s")
    replay = archive.replay("s")
    assert [event.seq for event in replay] == [1, 2, 3, 4, 5, 6]
    assert replay.found.footer["counts"] == {"tick": 6}
    assert [row.get("kind") for row in rows(the_file(root))].count("header") == 1
    archive.close()
    archive.close()  # nothing new: no further footer
    assert [row.get("kind") for row in rows(the_file(root))].count("footer") == 3


def test_a_session_can_be_closed_alone_and_go_on(archive: EventArchive, root: Path) -> None:
    with bound_context(tenant_id="acme"):
        keep(archive, 2, session_id="s")
        archive.close_session("s")
        archive.close_session("never")
        keep(archive, 1, session_id="s")
    archive.close_session("s", tenant_id="acme")
    assert [row.get("last_seq") for row in rows(the_file(root)) if row.get("kind") == "footer"] == [
        2,
        3,
    ]


def test_an_event_after_close_is_kept(archive: EventArchive) -> None:
    keep(archive, 1, session_id="s")
    archive.close()
    keep(archive, 1, session_id="s")
    archive.close()
    replay = archive.replay("s")
    assert [event.seq for event in replay] == [1, 2]
    assert replay.found.footer["events"] == 2


def test_threads_and_processes_share_a_session_without_a_gap(root: Path) -> None:
    done = run(
        """
def work(name):
    with bound_context(session_id="s"):
        for number in range(60):
            event(name=name, number=number, pad="x" * (number * 30))
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        threads = [threading.Thread(target=work, args=(f"{child}.{n}",)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        archive.close()
        os._exit(0)
    children.append(pid)
work("parent")
print([os.waitpid(pid, 0)[1] for pid in children], stats().unlocked)
archive.close()
""",
        root,
    )
    assert done.stdout == "[0, 0, 0, 0] 0\n", done.stderr
    replay = replay_session(root, "s")
    events = list(replay)
    assert [event.seq for event in events] == list(range(1, 17 * 60 + 1))
    assert (replay.found.damaged, replay.found.torn, replay.found.missing) == (0, 0, 0)
    assert len({(event.data["name"], event.data["number"]) for event in events}) == 17 * 60
    assert replay.found.footer["events"] == 17 * 60


def test_processes_started_apart_share_a_session_without_a_gap(root: Path) -> None:
    code = (
        SCRIPT + "bind_context(session_id='s')\nfor n in range(200): event(n=n)\narchive.close()\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(root)]) for _ in range(3)]
    assert [child.wait(90) for child in children] == [0, 0, 0]
    replay = replay_session(root, "s")
    assert [event.seq for event in replay] == list(range(1, 601))
    assert replay.found.footer["counts"] == {"tick": 600}


def test_a_child_forked_with_the_file_open_takes_turns_with_its_parent(root: Path) -> None:
    done = run(
        """
bind_context(session_id="s")
event(who="before")
children = []
for child in range(3):
    pid = os.fork()
    if not pid:
        for number in range(100): event(who=child)
        os._exit(0)
    children.append(pid)
for number in range(100): event(who="parent")
print([os.waitpid(pid, 0)[1] for pid in children])
archive.close()
""",
        root,
    )
    assert done.stdout == "[0, 0, 0]\n", done.stderr
    assert [event.seq for event in replay_session(root, "s")] == list(range(1, 402))


def test_a_child_ends_what_it_wrote_and_not_what_its_parent_did(root: Path) -> None:
    done = run(
        """
with bound_context(session_id="parent"): event()
pid = os.fork()
if not pid:
    with bound_context(session_id="child"): event()
    archive.close()
    os._exit(0)
os.waitpid(pid, 0)
""",
        root,
    )
    assert done.returncode == 0, done.stderr
    last = {path.stem: rows(path)[-1].get("kind") for path in root.glob("*/*.jsonl")}
    assert last == {"session-parent": None, "session-child": "footer"}


def test_forks_of_a_busy_process_go_on(root: Path) -> None:
    done = run(
        """
is_over = threading.Event()
def busy(name):
    with bound_context(session_id=name):
        while not is_over.is_set():
            event()
threads = [threading.Thread(target=busy, args=(f"s{n}",)) for n in range(3)]
for thread in threads: thread.start()
for child in range(20):
    pid = os.fork()
    if not pid:
        with bound_context(session_id="s1"): event(who="child")
        archive.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
is_over.set()
for thread in threads: thread.join()
archive.close()
""",
        root,
    )
    assert done.returncode == 0, done.stderr
    for name in ("s0", "s1", "s2"):
        replay = replay_session(root, name)
        seqs = [event.seq for event in replay]
        assert seqs == list(range(1, len(seqs) + 1))
        assert (replay.found.damaged, replay.found.torn) == (0, 0)
    assert sum("who" in event.data for event in replay_session(root, "s1")) == 20


def test_an_event_in_a_signal_handler_is_kept_and_numbered(root: Path) -> None:
    done = run(
        """
bind_context(session_id="s")
seen = 0
def handler(*_):
    global seen
    seen += 1
    event(who="handler")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for number in range(1500): event(who="main")
signal.setitimer(signal.ITIMER_REAL, 0)
archive.close()
print(seen)
""",
        root,
    )
    assert done.returncode == 0, done.stderr
    events = list(replay_session(root, "s"))
    assert [event.seq for event in events] == list(range(1, 1501 + int(done.stdout)))
    assert Counter(event.data["who"] for event in events)["main"] == 1500


def test_a_process_that_is_stuck_with_the_lock_holds_nobody_up_for_long(root: Path) -> None:
    archive = EventArchive(root)
    keep(archive, 1, session_id="s")
    fd = os.open(the_file(root), os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        keep(archive, 1, session_id="s")
    finally:
        os.close(fd)
    keep(archive, 1, session_id="s")
    assert stats().unlocked == 1
    assert LONGEST_WAIT_SECONDS <= 1.0
    assert [event.seq for event in archive.replay("s")] == [1, 2, 3]


def test_an_event_that_was_kept_survives_kill_9(root: Path) -> None:
    code = SCRIPT + "bind_context(session_id='s')\nnumber = 0\nwhile True:\n    number += 1\n"
    code += "    event(n=number, pad='x' * 500)\n    print(number, flush=True)\n"
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(50):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split("\n")[:-1]
        acknowledged = max([50, *map(int, rest)])
        replay = replay_session(root, "s")
        events = list(replay)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert replay.found.torn <= 1
        assert replay.found.damaged == 0
        assert events[-1].data["n"] in {acknowledged, acknowledged + 1}


# -- torn and damaged --------------------------------------------------------------------------


def test_a_last_line_torn_at_any_byte_costs_that_event_alone(root: Path) -> None:
    with EventArchive(root) as archive:
        keep(archive, 3, session_id="s")
        archive.close()
        path = the_file(root)
        whole = b"".join(path.read_bytes().splitlines(keepends=True)[:-1])  # without the footer
        last = whole.splitlines(keepends=True)[-1]
        for left in range(len(last)):
            path.write_bytes(whole[: len(whole) - len(last) + left])
            is_readable = left == len(last) - 1  # only its newline is missing
            replay = archive.replay("s")
            assert [event.seq for event in replay] == ([1, 2, 3] if is_readable else [1, 2])
            assert replay.found.torn == (left > 0 and not is_readable)
            assert (replay.found.damaged, replay.found.missing) == (0, 0)
            keep(archive, 1, session_id="s")
            after = archive.replay("s")
            assert [event.seq for event in after] == ([1, 2, 3, 4] if is_readable else [1, 2, 3])
            assert after.found.missing == 0


def test_damage_elsewhere_is_counted_told_and_passed_over(
    archive: EventArchive, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keep(archive, 6, session_id="s")
    path = the_file(root)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"{", b"[", 1)
    lines[4] = b'{"seq":"four"}\n'
    lines.insert(5, b"\0" * 3_000_000 + b"\n")
    lines.insert(5, b"[]\n\n")
    path.write_bytes(b"".join(lines))
    replay = archive.replay("s")
    assert [event.seq for event in replay] == [1, 3, 5, 6]
    assert (replay.found.damaged, replay.found.missing, replay.found.torn) == (4, 2, 0)
    assert capfd.readouterr().err.count("archive replay") == 1
    assert archive.timeline("s").splitlines()[-1] == "(4 damaged, 2 missing, 0 torn lines)"


def test_a_file_without_a_readable_line_is_begun_anew_below(
    archive: EventArchive, root: Path
) -> None:
    (root / "_unknown").mkdir(parents=True)
    (root / "_unknown" / "session-s.jsonl").write_bytes(b"\0" * 5_000_000)
    keep(archive, 2, session_id="s")
    replay = archive.replay("s")
    assert [event.seq for event in replay] == [1, 2]
    assert replay.found.header["kind"] == "header"
    assert replay.found.damaged == 1


def test_the_end_is_found_below_much_that_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"seq":41}\n{"seq":42}\n' + b"x" * 9_000_000 + b"\ny\n")
    fd = os.open(path, os.O_RDONLY)
    try:
        assert tail_of(fd, path.stat().st_size) == (42, False, False)
    finally:
        os.close(fd)


def test_a_full_disk_is_counted_and_leaves_no_gap(root: Path) -> None:
    done = run(
        """
import resource
bind_context(session_id="s")
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, -1))
for number in range(60): event(number=number)
dropped = stats().sinks["archive"].dropped["file_too_large"]
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
for number in range(5): event(number="after")
archive.close()
print(dropped, stats().sinks["archive"].written)
""",
        root,
    )
    assert done.returncode == 0, done.stderr
    dropped, written = map(int, done.stdout.split())
    assert dropped + written == 65
    assert done.stderr.count("sink archive") == 1
    replay = replay_session(root, "s")
    assert [event.seq for event in replay] == list(range(1, written + 1))
    assert (replay.found.missing, replay.found.torn) == (0, 0)
    assert replay.found.damaged <= 1  # the half line that the disk took
    assert replay.found.footer["events"] == written


def test_an_unusable_root_raises_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with EventArchive(tmp_path / "file") as archive:
        keep(archive, 3, session_id="s")
    assert sum(stats().sinks["archive"].dropped.values()) == 3
    assert capfd.readouterr().err.count("sink archive") == 1


def test_a_deleted_file_is_made_anew_at_once(archive: EventArchive, root: Path) -> None:
    keep(archive, 2, session_id="s")
    the_file(root).unlink()
    keep(archive, 2, session_id="s")
    assert [event.seq for event in archive.replay("s")] == [1, 2]
    the_file(root).unlink()
    archive.close()
    assert list(root.glob("*/*.jsonl")) == []  # no footer below nothing


# -- many sessions -----------------------------------------------------------------------------


@pytest.mark.torture
def test_ten_thousand_sessions_need_few_descriptors_and_little_memory(root: Path) -> None:
    done = run(
        """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
archive = EventArchive(sys.argv[1])
def memory(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
event()
before = memory()
for turn in range(2):
    for number in range(10_000):
        with bound_context(tenant_id=f"t{number % 50}", session_id=f"s{number}"):
            event(turn=turn)
print(len(os.listdir("/dev/fd")), memory() - before, dict(stats().dropped))
archive.close()
""",
        root,
    )
    assert done.returncode == 0, done.stderr
    descriptors, growth, dropped = done.stdout.split(" ", 2)
    assert int(descriptors) <= 80
    assert int(growth) < 48
    assert dropped == "{}\n"
    assert len(list_sessions(root, every_tenant=True)) == 10_001
    replay = replay_session(root, "s7777", tenant_id="t27")
    assert [event.seq for event in replay] == [1, 2]
    assert replay.found.footer["events"] == 2


def test_the_session_silent_for_longest_is_ended_beyond_the_limit(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logbraid.agent.archive.MAX_UNENDED", 2)
    archive = EventArchive(root)
    for name in ("a", "b", "a", "c", "d"):
        keep(archive, 1, session_id=name)
    ended = {path.stem for path in root.glob("*/*.jsonl") if rows(path)[-1].get("kind") == "footer"}
    assert ended == {"session-a", "session-b"}


# -- retention ---------------------------------------------------------------------------------


def _aged(path: Path, **age: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"{}\n")
    then = (datetime.now(UTC) - timedelta(**age)).timestamp()
    os.utime(path, (then, then))
    return path


def test_sessions_long_silent_go_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "events"
    gone = [
        _aged(root / "acme" / "session-old.jsonl", days=8),
        _aged(root / "_unknown" / "session-_unknown.2026-10-01.jsonl", days=8),
    ]
    kept = [
        _aged(root / "acme" / "session-new.jsonl", days=6),
        _aged(root / "acme" / "notes.txt", days=80),
        _aged(root / "acme" / "2026-01-01.jsonl", days=80),  # a tenant's log: another rule's
        _aged(root / "acme" / "session-old.jsonl.gz", days=80),
        _aged(root / "acme" / "sub" / "session-old.jsonl", days=80),
        _aged(root / "session-old.jsonl", days=80),
        _aged(tmp_path / "elsewhere" / "session-old.jsonl", days=80),
    ]
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "acme" / "session-link.jsonl").symlink_to(kept[-1])
    (root / "acme" / "session-hard.jsonl").hardlink_to(kept[-1])
    assert delete_expired(str(root), WEEK, datetime.now(UTC), SESSIONS) == 2
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert delete_expired(str(root), 0, datetime.now(UTC), SESSIONS) == 0


@pytest.mark.parametrize(("hours", "goes"), [(47, False), (49, True)])
def test_no_session_goes_before_48_hours(tmp_path: Path, hours: float, goes: bool) -> None:
    path = _aged(tmp_path / "acme" / "session-s.jsonl", hours=hours)
    delete_expired(str(tmp_path), 1, datetime.now(UTC), SESSIONS)
    assert path.exists() is not goes


def test_a_session_that_someone_is_writing_stays(tmp_path: Path) -> None:
    path = _aged(tmp_path / "acme" / "session-s.jsonl", days=8)
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert delete_expired(str(tmp_path), WEEK, datetime.now(UTC), SESSIONS) == 0
    finally:
        os.close(fd)
    assert delete_expired(str(tmp_path), WEEK, datetime.now(UTC), SESSIONS) == 1


@pytest.mark.parametrize(("days", "goes"), [(7, True), (0, False)])
def test_an_archive_cleans_up_by_itself(root: Path, days: int, goes: bool) -> None:
    old = _aged(root / "acme" / "session-old.jsonl", days=30)
    archive = EventArchive(root, retention_days=days)
    keep(archive, 1, session_id="s")
    deadline = time.monotonic() + (10 if goes else 0.2)
    while old.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert old.exists() is not goes
    archive.close()


# -- replay and timeline -----------------------------------------------------------------------


def _written(path: Path, *seconds: float) -> str:
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    path.write_text(
        "".join(
            json.dumps(
                {
                    "seq": seq,
                    "timestamp": (start + timedelta(seconds=after)).isoformat(),
                    "type": "tick",
                    "data": {},
                }
            )
            + "\n"
            for seq, after in enumerate(seconds, 1)
        )
    )
    return str(path)


@pytest.mark.parametrize(("speed", "waits"), [(1.0, [2.0, 0.5]), (10.0, [0.2, 0.05]), (None, [])])
def test_replay_keeps_the_gaps_at_the_speed_asked_for(
    tmp_path: Path, speed: float | None, waits: list[float]
) -> None:
    now = 100.0
    slept = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(round(seconds, 6))
        now += seconds

    path = _written(tmp_path / "file", 0.0, 2.0, 2.0, 1.0, 2.5)  # one clock went backwards
    replay = Replay([path], speed=speed, sleep=sleep, monotonic=lambda: now)
    assert [event.seq for event in replay] == [1, 2, 3, 4, 5]
    assert slept == waits


def test_replay_with_a_speed_really_waits(root: Path) -> None:
    (root / "_unknown").mkdir(parents=True)
    _written(root / "_unknown" / "session-s.jsonl", 0.0, 3.0)
    begun = datetime.now(UTC)
    assert len(list(replay_session(root, "s", speed=30.0))) == 2
    assert datetime.now(UTC) - begun >= timedelta(seconds=0.09)


@pytest.mark.parametrize("speed", [0, -1.0, math.nan, math.inf])
def test_a_speed_that_is_none_is_refused(archive: EventArchive, speed: float) -> None:
    keep(archive, 1, session_id="s")
    with pytest.raises(ValueError, match="speed"):
        archive.replay("s", speed=speed)


def test_replay_is_an_iterator_and_may_be_left(archive: EventArchive, root: Path) -> None:
    keep(archive, 3, session_id="s")
    archive.close()
    replay = archive.replay("s")
    assert iter(replay) is replay
    assert next(replay).seq == 1
    assert descriptors_of(the_file(root)) == 1
    del replay
    assert descriptors_of(the_file(root)) == 0


def test_the_timeline_has_one_clean_line_an_event(archive: EventArchive, root: Path) -> None:
    with bound_context(tenant_id="acme", session_id="s"):
        archive.on_event(Event(Kind.TOOL_START, {"tool": "search", "args": {"q": "shoes"}}))
        archive.on_event(
            Event(Kind.TOOL_COMPLETE, {"tool": "search", "status": "ok", "duration_ms": 12})
        )
        archive.on_event(Event(Kind.ERROR, {"message": "boom\n+9s  forged\x1b[31m\u202e\x9b"}))
        archive.on_event(Event("a\nb", {"chunk": "x" * 5000}))
    text = session_timeline(root, "s", tenant_id="acme")
    lines = text.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("+0.000s  tool_start  search ")
    assert '{"q":"shoes"}' in lines[0]
    assert lines[1].endswith("  tool_complete  search ok 12ms")
    assert lines[2].endswith(r"error  boom\n+9s  forged\x1b[31m\u202e\x9b")
    assert len(lines[3]) < 200
    assert all(line.isprintable() for line in lines)


def test_sessions_are_listed_the_last_written_first(archive: EventArchive, root: Path) -> None:
    with bound_context(tenant_id="acme"):
        keep(archive, 1, session_id="Old")
        keep(archive, 1, session_id="new")
        _aged(root / "acme" / f"{stem_of('Old')}.jsonl", hours=1)
        (new, old) = archive.sessions()
    assert (new.session_id, old.session_id) == ("new", "Old")
    assert new.tenant_id == "acme"
    assert new.started is not None
    assert new.started.tzinfo is not None
    assert new.size_bytes == Path(new.path).stat().st_size


def test_importing_the_wing_needs_no_extra() -> None:
    code = """
import sys
for name in ("prometheus_client", "opentelemetry"):
    sys.modules[name] = None
from logbraid.agent import EventArchive, JSONLExporter
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
