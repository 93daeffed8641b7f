"""A record is on disk when the call returns, with all that was asked for; or the caller knows."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import logbraid
from logbraid import bound_context
from logbraid.audit import (
    AuditError,
    AuditInputError,
    AuditLog,
    EventClass,
    Policy,
    audited,
    keygen,
    read,
    verify,
)
from logbraid.audit.commit import Committer, Entry
from logbraid.audit.files import LockedFile
from logbraid.health import health

QUIET = Policy(head_seconds=0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    keys = keygen(tmp_path / "keys")
    with AuditLog(tmp_path / "log", key=keys["signing"], flush="none", policy=QUIET) as made:
        yield made


def records(log: AuditLog, **wanted: Any) -> list[dict[str, Any]]:
    return list(read(log.root, **wanted))


def test_record_has_the_ids_of_the_context_and_every_field(log: AuditLog) -> None:
    with bound_context(
        tenant_id="acme", user_id="u-7", session_id="s-1", run_id="r-9", request_id="q-4",
        trace_id="t-1", project_id="p-2",
    ):  # fmt: skip
        record_id = log.record(
            "order.refund",
            resource_type="order",
            resource_id="o-7",
            outcome="ok",
            status_code=200,
            duration_ms=12.5,
            mutating=True,
            metadata={"ip": "192.0.2.7", "caller": "web"},
        )

    (record,) = records(log)
    assert record_id is not None
    assert record_id[14] == "7"
    assert datetime.fromisoformat(record.pop("created_at")).tzinfo == UTC
    for name in ("prev", "hash", "segment", "monotonic_ns"):
        record.pop(name)
    assert record == {
        "seq": 1,
        "id": record_id,
        "event_class": "action",
        "tenant_id": "acme",
        "user_id": "u-7",
        "session_id": "s-1",
        "run_id": "r-9",
        "request_id": "q-4",
        "trace_id": "t-1",
        "project_id": "p-2",
        "action": "order.refund",
        "resource_type": "order",
        "resource_id": "o-7",
        "outcome": "ok",
        "status_code": 200,
        "duration_ms": 12.5,
        "mutating": True,
        "metadata": {"ip": "192.0.2.7", "caller": "web"},
    }


def test_metadata_is_scrubbed_cut_and_never_raises(log: AuditLog) -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    log.record("x", metadata={"api_key": "k-93hd82hsj2", "text": "a b " * 5000, "bad": Bad()})

    (record,) = records(log)
    assert record["metadata"]["api_key"] == "[REDACTED:api_key]"
    assert record["scrubbed"] == {"api_key": 1}
    assert len(record["metadata"]["text"]) == 2000
    assert "truncated" in record
    assert "unprintable" in record["metadata"]["bad"]


SECRETS = [
    "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6",
    "sk-ant-api03-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6",
    "AKIA" + "IOSFODNN7QWERTYU",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "postgres://ada:hunter2secret@db/orders",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_in_any_field_is_not_written(log: AuditLog, secret: str) -> None:
    for _ in range(2):  # a text that was seen before takes another way
        log.record(secret, resource_type=secret, resource_id=secret, outcome=f"got {secret}",
                   metadata={"url": secret, "deep": [{"token": secret}]})  # fmt: skip
    log.record("x", metadata={"password": "hunter2secret", "card": 4012888888881881})

    everything = b"".join(path.read_bytes() for path in Path(log.root).rglob("*.jsonl"))
    for text in (secret, "hunter2secret", "4012888888881881"):
        assert text.encode() not in everything
    first, second, _ = records(log)
    assert first["resource_id"] == second["resource_id"]  # equal stays equal


def test_unknown_class_is_an_error_that_lists_them(log: AuditLog) -> None:
    with pytest.raises(AuditInputError, match=r"'order'.*data_modified.*forget_me.*session_start"):
        log.record("x", event_class="order")


def test_own_classes_stand_beside_the_built_in_ones(tmp_path: Path) -> None:
    table: dict[str, EventClass | tuple[str, str]] = {
        "export": ("30 days", "none"), "rule_denied": EventClass("180 days", "hmac")
    }  # fmt: skip
    with AuditLog(tmp_path / "log", flush="none", policy=table) as log:
        log.record("x", event_class="export")
        log.record("x", event_class="rule_denied")
        log.record("x", event_class="forget_me")

    heads = [json.loads(path.read_bytes().split(b"\n")[0])
             for path in sorted(tmp_path.glob("log/_unknown/*.jsonl"))]  # fmt: skip
    assert [(one["event_class"], one["retention"], one["payload"]) for one in heads] == [
        ("export", "30 days", "none"),
        ("forget_me", "for ever", "none"),
        ("rule_denied", "180 days", "hmac"),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"flush": "soon"}, "data, sync"),
        ({"on_error": "ignore"}, "raise, degrade"),
        ({"policy": "secret"}, "full, hmac or none"),
        ({"policy": {"x": ("2 weeks", "none")}}, "90 days"),
        ({"policy": {"Bad Name": ("2 days", "none")}}, "Bad Name"),
        ({"recipient": "/nowhere.pem"}, "recipient"),
        ({"key": "/nowhere.pem"}, "signing key"),
        ({"policy": 5}, "policy is a int"),
        ({"policy": {"x": "30 days"}}, "'x': use"),
        ({"policy": {"x": (30, "none")}}, "90 days"),
        ({"timeout_seconds": None}, "use seconds"),
        ({"timeout_seconds": -1}, "use seconds"),
        ({"timeout_seconds": float("nan")}, "use seconds"),
        ({"timeout_seconds": float("inf")}, "use seconds"),
    ],
)
def test_bad_argument_says_what_to_use(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(AuditInputError, match=told):
        AuditLog(tmp_path / "log", **change)


def test_key_given_as_its_text_is_refused_and_not_shown(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    text = keys["signing"].read_text()

    with pytest.raises(AuditInputError, match="path of its file") as caught:
        AuditLog(tmp_path / "log", key=text)
    assert text.splitlines()[1] not in str(caught.value)
    with pytest.raises(AuditInputError, match="null character"):
        AuditLog("a\0b", policy=QUIET)


def test_class_that_is_no_text_is_an_error_that_lists_them(log: AuditLog) -> None:
    with pytest.raises(AuditInputError, match="data_modified"):
        log.record("x", event_class=["x"])  # type: ignore[arg-type]  # on purpose


def test_log_without_a_key_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    health.reset()
    for _ in range(2):
        AuditLog(tmp_path / "log", flush="none", policy=QUIET).close()

    assert capfd.readouterr().err.count("not signed") == 1
    report = verify(tmp_path / "log")
    assert report.verdict == "ok"
    assert any("not signed" in one for one in report.notices)


def test_key_is_needed_to_go_on_with_a_signed_log(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    others = keygen(tmp_path / "others")
    AuditLog(tmp_path / "log", key=keys["signing"], flush="none", policy=QUIET).close()

    with pytest.raises(AuditInputError, match="its key is needed"):
        AuditLog(tmp_path / "log")
    with pytest.raises(AuditInputError, match="not the one that signs"):
        AuditLog(tmp_path / "log", key=others["signing"])


@pytest.mark.parametrize("flush", ["data", "sync", "interval", "none"])
def test_record_is_in_the_file_when_the_call_returns(tmp_path: Path, flush: Any) -> None:
    with AuditLog(tmp_path / "log", flush=flush, policy=QUIET) as log:
        for number in range(3):
            log.record("x", resource_id=str(number))
            assert records(log)[-1]["resource_id"] == str(number)
    assert verify(log.root).verdict == "ok"


@pytest.mark.parametrize(("flush", "call"), [("data", "fdatasync"), ("sync", "fsync")])
def test_record_is_synced_before_the_call_returns(tmp_path: Path, flush: str, call: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    program = (
        "import sys, os\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "log = AuditLog(sys.argv[1], flush=sys.argv[2], policy=Policy(head_seconds=0))\n"
        "log.record('warm up')\n"
        "os.write(1, b'BEGIN')\n"
        "log.record('x')\n"
        "os.write(1, b'DONE!')\n"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=write,fsync,fdatasync"]
    done = subprocess.run(
        [*command, sys.executable, "-c", program, str(tmp_path / "log"), flush],
        check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    within = trace.read_text().partition("BEGIN")[2].partition("DONE!")[0]
    assert within.index("seq") < within.index(f"{call}(")


def test_threads_and_tenants_lose_nothing(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log", policy=QUIET) as log:

        def work(number: int) -> None:
            with bound_context(tenant_id=f"t{number % 3}"):
                for place in range(40):
                    log.record("x", resource_id=f"{number}-{place}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    told = [record["resource_id"] for record in records(log)]
    assert sorted(told) == sorted(f"{a}-{b}" for a in range(8) for b in range(40))
    assert verify(log.root).verdict == "ok"


def test_closed_log_refuses_records(log: AuditLog) -> None:
    log.close()

    with pytest.raises(AuditError, match="closed"):
        log.record("x")


def test_directory_that_cannot_be_written_fails_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(AuditError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "log")


def test_degrade_complains_counts_and_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    health.reset()
    (tmp_path / "file").write_text("")
    log = AuditLog(tmp_path / "file" / "log", on_error="degrade", policy=QUIET)

    assert log.record("x", metadata={"canary": "c4n4ry"}) is None
    assert logbraid.stats().dropped["audit"] == 2
    told = capfd.readouterr().err
    assert "audit" in told
    assert "c4n4ry" not in told


def test_halt_ends_the_process(tmp_path: Path) -> None:
    program = (
        "import sys, shutil\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "log = AuditLog(sys.argv[1], on_error='halt', policy=Policy(head_seconds=0))\n"
        "log.close()\n"
        "log.record('x')\n"
        "print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "log")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 74
    assert "went on" not in done.stdout
    assert "the process ends" in done.stderr


def test_waiting_ends_when_the_time_is_out(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", flush="data", policy=QUIET, timeout_seconds=0.2)
    other = LockedFile(log.root, "_log", "manifest.jsonl", 1)
    with other:  # as a stopped process would hold it
        began = time.monotonic()
        with pytest.raises(AuditError, match=r"0\.2 s|timed out"):
            log.record("x")
        assert time.monotonic() - began < 2
    log.close()


def test_record_from_a_signal_handler_in_the_middle_of_one_is_bounded(tmp_path: Path) -> None:
    """It is refused or written; it never waits for the record that it interrupted."""
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    outcomes: list[str] = []

    def handler(*_: object) -> None:
        try:
            log.record("from the handler")
            outcomes.append("written")
        except AuditError:
            outcomes.append("refused")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for _ in range(2000):
            signal.setitimer(signal.ITIMER_REAL, 0.0001)
            log.record("x")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    log.close()

    assert outcomes
    told = [record["action"] for record in records(log)]
    assert told.count("x") == 2000
    assert told.count("from the handler") == outcomes.count("written")
    assert verify(log.root).verdict == "ok"


def test_file_changed_underneath_is_noticed_before_the_next_record(log: AuditLog) -> None:
    """copytruncate, for one: what follows must not stand behind what somebody cut."""
    log.record("before")
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    os.truncate(path, 0)
    log.record("after")
    log.close()

    assert [record["action"] for record in records(log)] == ["audit.file_replaced", "after"]
    assert [one.kind for one in verify(log.root).tampered] == ["gap"]


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_file_taken_away_is_noticed_reopened_and_recorded(
    log: AuditLog, tmp_path: Path, how: str
) -> None:
    log.record("before")
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    if how == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "elsewhere")
    if how == "replaced":
        path.write_bytes(b"")
        path.chmod(0o600)
    log.record("after")
    log.close()

    actions = [record["action"] for record in records(log)]
    assert actions == ["audit.file_replaced", "after"]
    report = verify(log.root)
    assert ("gap", 1) in {(one.kind, report.exit_code) for one in report.tampered}
    if how == "moved":
        (tmp_path / "elsewhere").rename(path)
        assert verify(log.root).verdict == "ok"


def test_log_of_another_day_goes_to_a_segment_of_its_own(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC).timestamp()]
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET,
                   clock=lambda: int(now[0] * 1e9))  # fmt: skip
    log.record("first")
    for step in (1, 3 * 86_400, -2 * 86_400, -86_400, 40 * 86_400):
        now[0] += step
        log.record("next")
    log.close()

    days = [path.name.split(".")[1] for path in Path(log.root).glob("_unknown/*.jsonl")]
    assert sorted(days) == [
        "2026-11-21", "2026-11-22", "2026-11-22", "2026-11-23", "2026-11-25", "2027-01-01",
    ]  # fmt: skip
    told = records(log)
    steps = [one for one in told if one["action"] == "audit.clock_step"]
    assert len(told) - len(steps) == 6
    assert sorted(one["metadata"]["step_ms"] < 0 for one in steps) == [False, False, True, True]
    report = verify(log.root)
    assert report.verdict == "ok"
    assert report.days == 41


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
def test_steps_of_the_clock_at_any_place_lose_nothing_and_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for start in ("2026-03-29T00:59:59", "2026-10-25T00:30:00", "2011-12-29T09:59:59"):
            now = [datetime.fromisoformat(f"{start}+00:00").timestamp()]
            root = tmp_path / start.replace(":", "-")
            log = AuditLog(root, flush="none", policy=QUIET,
                           clock=lambda now=now: int(now[0] * 1e9))  # type: ignore[misc]  # fmt: skip
            log.record("0")
            for number, hours in enumerate((-24, 24, -2, 1, 48, -1), 1):
                now[0] += hours * 3600
                log.record(str(number))
            log.close()
            told = list(read(root))
            assert sorted(one["action"] for one in told if one["action"].isdigit()) == list(
                "0123456"
            )
            steps = [one["metadata"]["step_ms"] for one in told if "clock_step" in one["action"]]
            assert sorted(round(one / 3_600_000) for one in steps) == [-24, -2, -1, 1, 24, 48]
            assert verify(root).verdict == "ok"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_empty_days_are_sealed(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()]
    for _ in range(2):
        AuditLog(tmp_path / "log", flush="none", policy=QUIET,
                 clock=lambda: int(now[0] * 1e9)).close()  # fmt: skip
        now[0] += 9 * 86_400

    lines = (tmp_path / "log" / "_log" / "manifest.jsonl").read_text().splitlines()
    days = [json.loads(line) for line in lines if '"kind":"days"' in line]
    assert [(one["first"], one["last"], one["opened"]) for one in days] == [
        ("2026-11-21", "2026-11-29", {})
    ]
    assert verify(tmp_path / "log").days == 9


# -- tasks -----------------------------------------------------------------------------------


def test_async_twin_writes_and_returns_the_id(tmp_path: Path) -> None:
    for flush in ("data", "none"):
        with AuditLog(tmp_path / flush, flush=flush, policy=QUIET) as log:

            async def main(log: AuditLog = log) -> str | None:
                return await log.arecord("x", payload={"a": 1}, resource_id="r")

            record_id = asyncio.run(main())
        (record,) = records(log)
        assert record["id"] == record_id
        assert record["resource_id"] == "r"


def test_cancelled_task_waits_for_its_record_and_is_then_cancelled(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", policy=QUIET)
    ended: list[str] = []

    async def one(number: int) -> None:
        try:
            await log.arecord("x", resource_id=str(number))
        except asyncio.CancelledError:
            assert str(number) in {record.get("resource_id") for record in records(log)}
            ended.append("cancelled")
            raise
        ended.append("done")

    async def main() -> None:
        tasks = [asyncio.create_task(one(number)) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    log.close()
    assert ended.count("cancelled") == 10
    assert len(records(log)) == 20


@pytest.mark.parametrize("on_error", ["raise", "degrade"])
def test_failure_of_a_cancelled_tasks_record_is_told_and_not_lost_in_the_cancellation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], on_error: Any
) -> None:
    health.reset()
    log = AuditLog(tmp_path / "log", policy=QUIET, on_error=on_error)
    log.record("first")
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "log").write_text("no directory")

    async def main() -> None:
        task = asyncio.create_task(log.arecord("x"))
        await asyncio.sleep(0)
        task.cancel()
        await task

    wanted: type[BaseException] = AuditError if on_error == "raise" else asyncio.CancelledError
    with pytest.raises(wanted):
        asyncio.run(main())
    assert health.snapshot().dropped["audit"] == 1
    if on_error == "degrade":
        assert "audit" in capfd.readouterr().err
    (tmp_path / "log").unlink()
    log.close()


def test_ten_thousand_tasks_cancelled_anywhere_leave_a_record_each(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", policy=QUIET)
    begun: set[int] = set()

    async def one(number: int) -> None:
        async with log.audited("work") as work:
            work.resource_id = str(number)
            begun.add(number)
            await asyncio.sleep(0)
            await asyncio.sleep(0.001 * (number % 7))

    async def main() -> None:
        tasks = [asyncio.create_task(one(number)) for number in range(10_000)]
        for number, task in enumerate(tasks):
            if number % 3 == 0:
                asyncio.get_running_loop().call_later(0.0005 * (number % 11), task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    log.close()
    told = {int(one["resource_id"]): one["outcome"] for one in records(log)}
    assert set(told) == begun
    assert set(told.values()) == {"ok", "cancelled"}
    assert verify(log.root).verdict == "ok"


# -- audited ---------------------------------------------------------------------------------


def test_success_failure_cancellation_and_time_out_are_each_a_record(log: AuditLog) -> None:
    @log.audited(event_class="data_modified")
    def fine() -> int:
        return 7

    @audited(log, "order.fail")
    def fails() -> None:
        raise ValueError("c4n4ry")

    @log.audited("order.wait")
    async def waits() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with log.audited("order.slow"), asyncio.timeout(0.01):
                await asyncio.sleep(60)

    assert fine() == 7
    with pytest.raises(ValueError, match="c4n4ry"):
        fails()
    asyncio.run(main())

    told = records(log)
    assert [(one["action"].rpartition(".")[2], one["outcome"]) for one in told] == [
        ("fine", "ok"), ("fail", "error"), ("wait", "cancelled"), ("slow", "timeout"),
    ]  # fmt: skip
    assert told[1]["metadata"] == {"error_type": "ValueError"}
    assert all(one["duration_ms"] >= 0 for one in told)
    assert "c4n4ry" not in json.dumps(told)


def test_block_says_what_it_learns(log: AuditLog) -> None:
    with log.audited("order.refund", resource_type="order", mutating=True) as work:
        work.resource_id = "o-7"
        work.status_code = 201
        work.metadata["rows"] = 3
        work.outcome = "partial"

    (record,) = records(log)
    wanted = {"resource_type": "order", "resource_id": "o-7", "status_code": 201,
              "outcome": "partial", "mutating": True, "metadata": {"rows": 3}}  # fmt: skip
    assert wanted.items() <= record.items()


def test_generators_are_recorded_when_they_are_over(log: AuditLog) -> None:
    @log.audited("gen")
    def numbers() -> Iterator[int]:
        yield from range(3)

    @log.audited("agen")
    async def anumbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> list[int]:
        return [number async for number in anumbers()]

    assert list(numbers()) == [0, 1, 2]
    assert asyncio.run(main()) == [0, 1, 2]
    assert [one["action"] for one in records(log)] == ["gen", "agen"]


def test_work_that_could_not_be_recorded_fails(log: AuditLog) -> None:
    log.close()

    with pytest.raises(AuditError), log.audited("x"):
        pass
    with pytest.raises(ValueError, match="mine") as caught, log.audited("x"):
        raise ValueError("mine")
    assert "was not written" in caught.value.__notes__[0]


def test_block_shared_by_tasks_writes_what_each_of_them_did(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    shared = log.audited("work")

    async def one(number: int, turns: int) -> None:
        async with shared as work:
            work.resource_id, work.status_code = str(number), turns
            for _ in range(turns):
                await asyncio.sleep(0)
            if number % 2:
                raise ValueError

    async def main() -> None:
        await asyncio.gather(*(one(n, (n * 7) % 5) for n in range(20)), return_exceptions=True)

    asyncio.run(main())
    log.close()
    told = {int(one["resource_id"]): one["outcome"] for one in records(log)}
    assert told == {number: "error" if number % 2 else "ok" for number in range(20)}


def test_record_of_failed_work_that_is_not_written_is_complained_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    health.reset()
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    work = log.audited("work")
    log.close()

    with pytest.raises(KeyError) as caught, work:
        raise KeyError
    assert "was not written" in caught.value.__notes__[0]
    assert "audit" in capfd.readouterr().err


def test_audited_knows_its_fields_and_classes(log: AuditLog) -> None:
    with pytest.raises(TypeError, match="colour"):
        log.audited("x", colour="red")
    with pytest.raises(AuditInputError, match="there are"):
        log.audited("x", event_class="nothing")


# -- the witness -----------------------------------------------------------------------------


def test_head_is_printed_as_one_line_and_is_an_anchor(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "log = AuditLog(sys.argv[1], key=sys.argv[2], policy=Policy(head_seconds=0.05))\n"
        "for _ in range(3):\n"
        "    log.record('x'); time.sleep(0.15)\n"
        "log.close()\n"
    )
    keys = keygen(tmp_path / "keys")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "log"), str(keys["signing"])],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    heads = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(heads) >= 2
    assert [one["event"] for one in heads] == ["audit_head"] * len(heads)
    sizes = [one["size"] for one in heads]
    assert sizes == sorted(set(sizes))
    (tmp_path / "witness").write_text(done.stdout)
    assert verify(tmp_path / "log", keys["verifying"], anchor=tmp_path / "witness").verdict == "ok"


def test_head_goes_through_the_configured_pipeline(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logbraid.configure_logging(output="stderr", format="json", level="error"):
        log = AuditLog(tmp_path / "log", flush="none")
        log.record("x")
        log.close()

    told = capfd.readouterr()
    assert told.out == ""
    (line,) = [json.loads(one) for one in told.err.splitlines() if "audit_head" in one]
    assert verify(log.root, anchor=line["checkpoint"]).verdict == "ok"


def test_open_segment_cut_behind_a_noted_head_is_told(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", flush="none", policy=Policy(head_seconds=3600))
    for _ in range(5):
        log.record("x")
    log._writer.herald.is_due = True
    log._writer.tend()
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    data = path.read_bytes()
    path.write_bytes(b"".join(data.splitlines(keepends=True)[:4]))

    assert [one.kind for one in verify(log.root).tampered] == ["deleted"]
    path.write_bytes(data)
    assert verify(log.root).verdict == "ok"
    log.close()


# -- processes -------------------------------------------------------------------------------


def test_forked_children_write_segments_of_their_own(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    log = AuditLog(tmp_path / "log", key=keys["signing"], recipient=keys["recipient"],
                   policy=QUIET)  # fmt: skip
    log.record("parent")
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for place in range(5):
                    log.record("child", resource_id=f"{number}-{place}", payload={"n": place},
                               event_class="data_modified")  # fmt: skip
                log.close()
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    log.record("parent")
    log.close()

    told = records(log)
    assert len(told) == 22
    nonces = [one["payload"]["nonce"] for one in told if "payload" in one]
    assert len(set(nonces)) == 20
    report = verify(log.root, keys["verifying"])
    assert (report.verdict, report.segments) == ("ok", 5)


def test_many_processes_write_one_log(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    program = (
        "import sys\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "with AuditLog(sys.argv[1], key=sys.argv[2], policy=Policy(head_seconds=0)) as log:\n"
        "    for number in range(20): log.record('x', resource_id=str(number))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log"), str(keys["signing"])]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [one.wait() for one in running] == [0] * 4

    report = verify(tmp_path / "log", keys["verifying"])
    assert (report.verdict, report.segments, report.records) == ("ok", 4, 80)


class _SlowDisk:
    """A strand whose first write takes until it is told to end."""

    def __init__(self) -> None:
        self.written: list[list[bytes]] = []
        self.is_under_way, self.may_end = threading.Event(), threading.Event()

    def append(self, bodies: list[bytes], day: str, sync: object) -> None:
        self.written.append(bodies)
        self.is_under_way.set()
        assert self.may_end.wait(30)


def test_records_that_come_during_a_sync_share_the_next_and_wait_for_nothing_else() -> None:
    """So a record waits for the sync that is under way and its own: never to be joined."""
    disk: Any = _SlowDisk()
    committer = Committer(lambda segment: None)
    committer.submit(Entry(disk, [b"first"], "2026-11-21", lambda: None))
    assert disk.is_under_way.wait(30)
    for number in range(5):
        committer.submit(Entry(disk, [b"%d" % number], "2026-11-21", lambda: None))
    disk.may_end.set()
    committer.close(30)
    assert disk.written == [[b"first"], [b"0", b"1", b"2", b"3", b"4"]]


class _Tool:
    async def __call__(self) -> int:
        await asyncio.sleep(0.05)
        return 1


@pytest.mark.parametrize("tool", [_Tool(), functools.partial(_Tool())], ids=["object", "partial"])
def test_an_async_callable_object_is_recorded_when_its_work_is_over(
    log: AuditLog, tool: Any
) -> None:
    assert asyncio.run(log.audited()(tool)()) == 1
    (told,) = records(log)
    assert told["duration_ms"] >= 45
    assert told["action"] == "_Tool.__call__"


def test_what_is_thrown_into_an_audited_generator_reaches_it(log: AuditLog) -> None:
    @log.audited("steps")
    async def steps() -> AsyncIterator[str]:
        try:
            yield "one"
        except KeyError:
            yield "caught"

    async def main() -> str:
        walk: Any = steps()
        await anext(walk)
        caught: str = await walk.athrow(KeyError("k"))
        await walk.aclose()
        return caught

    assert asyncio.run(main()) == "caught"
    assert [one["outcome"] for one in records(log)] == ["ok"]


def test_outcomes_have_the_words_of_actions(log: AuditLog) -> None:
    """A time-out is one whichever library raised it, as in traces and metrics."""
    for error in (subprocess.TimeoutExpired(["x"], 1), CancelledError(), SystemExit(0)):
        with suppress(BaseException), log.audited("work"):
            raise error
    assert [one["outcome"] for one in records(log)] == ["timeout", "cancelled", "ok"]
