"""Nothing is deleted a day early, everything that is deleted stays accounted for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logbraid.audit import (
    AuditInputError,
    AuditLog,
    EventClass,
    Policy,
    keygen,
    prune,
    read,
    retention,
    verify,
)
from logbraid.audit.crypto import signing_key
from logbraid.audit.keys import loaded
from logbraid.audit.policy import first_day_without

DAY = 86_400 * 10**9
START = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()) * 10**9
CLASSES = {
    "two_weeks": ("14 days", "none"),
    "rule_denied": ("90 days", "none"),
    "session_start": ("365 days", "none"),
    "data_modified": ("7 years", "none"),
    "forget_me": ("for ever", "none"),
}
POLICY = Policy(classes={}, payload="none", head_seconds=0)


class Clock:
    """Nanoseconds that only the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.now / 10**9, tz=UTC).date()


def days_of(root: Path, kind: str) -> list[date]:
    return sorted(
        date.fromisoformat(path.name.split(".")[1])
        for path in root.glob(f"_unknown/{kind}.*.jsonl")
    )


@pytest.mark.parametrize(
    ("day", "retention", "free"),
    [
        ("2026-11-21", "1 days", "2026-11-23"),
        ("2026-11-21", "90 days", "2027-02-20"),
        ("2026-11-21", "7 years", "2033-11-22"),
        ("2024-02-28", "1 year", "2025-03-01"),
        ("2026-11-21", "for ever", None),
        ("2026-11-21", "99999 years", None),
        ("9999-12-30", "1 day", None),
    ],
)
def test_first_day_on_which_a_record_may_be_gone(
    day: str, retention: str, free: str | None
) -> None:
    wanted = None if free is None else date.fromisoformat(free)
    assert first_day_without(date.fromisoformat(day), retention) == wanted


def test_eight_years_delete_nothing_early_and_everything_within_a_day(tmp_path: Path) -> None:
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    root = tmp_path / "log"
    every = {"two_weeks": 9, "rule_denied": 30, "session_start": 91, "data_modified": 91,
             "forget_me": 365}  # fmt: skip
    written: dict[str, list[date]] = {kind: [] for kind in CLASSES}
    log = AuditLog(root, key=keys["signing"], clock=clock, flush="none",
                   policy=Policy(classes=_table(), head_seconds=0))  # fmt: skip
    for number in range(8 * 365 + 10):
        for kind, step in every.items():
            if number % step == 0:
                log.record("x", event_class=kind)
                written[kind].append(clock.day)
        clock.now += DAY
        if number % 45 == 0:
            log.close()
            prune(root, key=keys["signing"], clock=clock)
            for kind, days in written.items():
                assert days_of(root, kind) == [
                    day for day in days if not _is_over(day, kind, clock)
                ]
            log = AuditLog(root, key=keys["signing"], clock=clock, flush="none",
                           policy=Policy(classes=_table(), head_seconds=0))  # fmt: skip
    log.close()
    prune(root, key=keys["signing"], clock=clock)

    report = verify(root, keys["verifying"])
    assert report.verdict == "ok"
    assert report.pruned == sum(
        1 for kind, days in written.items() for day in days if _is_over(day, kind, clock)
    )
    assert report.days == 8 * 365 + 10
    assert len(days_of(root, "forget_me")) == len(written["forget_me"])


def _table() -> dict[str, Any]:
    return {kind: EventClass(*one) for kind, one in CLASSES.items()}


def _is_over(day: date, kind: str, clock: Clock) -> bool:
    free = first_day_without(day, CLASSES[kind][0])
    return free is not None and clock.day >= free


def test_record_is_kept_until_the_last_moment_of_its_retention(tmp_path: Path) -> None:
    clock = Clock()
    root = tmp_path / "log"
    AuditLogged(root, clock)
    midnight = (clock.now // DAY + 1) * DAY

    clock.now = midnight + 90 * DAY - 1
    assert prune(root, clock=clock).segments == ()
    assert len(list(read(root))) == 1
    clock.now += 1
    assert len(prune(root, clock=clock).segments) == 1
    assert list(read(root)) == []
    assert prune(root, clock=clock).segments == ()
    assert verify(root).verdict == "ok"


def AuditLogged(root: Path, clock: Clock, **more: Any) -> None:  # noqa: N802 - a log with a record
    with AuditLog(root, clock=clock, flush="none", policy=POLICY, **more) as log:
        log.record("x", event_class="rule_denied")


def test_segment_of_an_idle_writer_is_sealed_when_its_day_is_over(tmp_path: Path) -> None:
    clock = Clock()
    log = AuditLog(tmp_path / "log", clock=clock, flush="none",
                   policy=Policy(payload="none", head_seconds=3600))  # fmt: skip
    log.record("x", event_class="rule_denied")
    clock.now += 92 * DAY
    log._writer.herald.is_due = True
    log._writer.tend()

    assert len(prune(log.root, clock=clock).segments) == 1
    log.close()


def test_open_segment_of_a_live_writer_is_never_pruned(tmp_path: Path) -> None:
    clock = Clock()
    log = AuditLog(tmp_path / "log", clock=clock, flush="none", policy=POLICY)
    log.record("x", event_class="rule_denied")
    clock.now += 400 * DAY

    assert prune(log.root, clock=clock).segments == ()
    log.record("y", event_class="rule_denied")
    log.close()
    assert verify(log.root).verdict == "ok"


_PRUNE = """
import os, sys
from pathlib import Path
from logbraid.audit import prune
left = int(sys.argv[3])
real = Path.unlink
def unlink(self, missing_ok=False):
    global left
    if left == 0: os.kill(os.getpid(), 9)
    left -= 1
    return real(self, missing_ok=missing_ok)
Path.unlink = unlink
prune(sys.argv[1], key=sys.argv[2])
"""


def test_killed_prune_is_finished_by_the_next_one(tmp_path: Path) -> None:
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    clock.now -= 3000 * DAY
    for _ in range(6):
        AuditLogged(tmp_path / "whole", clock, key=keys["signing"])
        clock.now += DAY
    for steps in (2, 3, 4, 7, 12):
        root = tmp_path / f"log-{steps}"
        shutil.copytree(tmp_path / "whole", root)
        command = [sys.executable, "-c", _PRUNE, str(root), str(keys["signing"]), str(steps)]
        assert subprocess.run(command, check=False).returncode == -9

        report = verify(root, keys["verifying"])
        assert report.verdict == "ok"
        assert any("prune again" in one for one in report.notices)
        again = prune(root, key=keys["signing"])
        assert again.segments == ()
        assert again.resumed > 0
        assert list(root.glob("_unknown/*")) == []
        assert verify(root, keys["verifying"]).notices == ()


def test_prune_killed_before_its_deletion_record_deleted_nothing(tmp_path: Path) -> None:
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    clock.now -= 3000 * DAY
    root = tmp_path / "log"
    AuditLogged(root, clock, key=keys["signing"])
    command = [sys.executable, "-c", _PRUNE, str(root), str(keys["signing"]), "0"]
    assert subprocess.run(command, check=False).returncode == -9

    report = verify(root, keys["verifying"])
    assert (report.verdict, report.records) == ("ok", 1)
    assert len(prune(root, key=keys["signing"]).segments) == 1


@pytest.mark.parametrize("change", [b"o-9", b"o-1"])
def test_file_in_the_place_of_a_pruned_one_is_the_pruned_one_or_foreign(
    tmp_path: Path, change: bytes
) -> None:
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    clock.now -= 3000 * DAY
    with AuditLog(tmp_path / "log", key=keys["signing"], flush="none", clock=clock,
                  policy=Policy(head_seconds=0)) as log:  # fmt: skip
        log.record("order.refund", resource_id="o-1")
    (path,) = (tmp_path / "log").glob("_unknown/*.jsonl")
    text = path.read_bytes()
    clock.now += 3000 * DAY
    prune(tmp_path / "log", key=keys["signing"], clock=clock)
    path.write_bytes(text.replace(b"o-1", change))

    kinds = {one.kind for one in verify(tmp_path / "log", keys["verifying"]).tampered}
    assert kinds == (set() if change == b"o-1" else {"foreign"})


def test_deletion_record_names_what_was_deleted(tmp_path: Path) -> None:
    clock = Clock()
    root = tmp_path / "log"
    AuditLogged(root, clock)
    (path,) = root.glob("_unknown/*.jsonl")
    size = path.read_bytes().count(b"\n")
    clock.now += 200 * DAY
    prune(root, clock=clock)

    last = json.loads((root / "_log" / "manifest.jsonl").read_text().splitlines()[-1])
    assert last["kind"] == "tombstone"
    (stone,) = last["segments"]
    assert stone["segment"] == f"_unknown/{path.name.removesuffix('.jsonl')}"
    assert stone["size"] == size
    assert len(stone["root"]) == 64


def test_early_tombstone_is_told(tmp_path: Path) -> None:
    """A clock that runs ahead, or someone with the key: verify counts the days itself."""
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    AuditLogged(tmp_path / "log", clock, key=keys["signing"])
    real = retention._is_expired
    try:
        retention._is_expired = lambda account, today: account.sealed is not None
        prune(tmp_path / "log", key=keys["signing"], clock=clock)
    finally:
        retention._is_expired = real

    (finding,) = verify(tmp_path / "log", keys["verifying"]).tampered
    assert (finding.kind, finding.detail) == (
        "deleted",
        "it was pruned before its retention was over",
    )


def test_prune_needs_a_log_and_its_key(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    AuditLogged(tmp_path / "log", Clock(), key=keys["signing"])

    with pytest.raises(AuditInputError, match="no audit log"):
        prune(tmp_path)
    with pytest.raises(AuditInputError, match="its key is needed"):
        prune(tmp_path / "log")
    assert not (tmp_path / "_log").exists()


# -- keys ------------------------------------------------------------------------------------


def test_keygen_makes_two_pairs_and_overwrites_nothing(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")

    assert set(keys) == {"signing", "verifying", "reading", "recipient"}
    assert {path.stat().st_mode & 0o777 for path in keys.values()} == {0o600}
    before = {path: path.read_bytes() for path in keys.values()}
    with pytest.raises(AuditInputError, match="not overwritten"):
        keygen(tmp_path / "keys")
    assert {path: path.read_bytes() for path in keys.values()} == before


def test_rotated_key_signs_what_follows_and_the_old_one_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    keys = keygen(tmp_path / "keys")
    first = keys["signing"].read_bytes()
    policy = Policy(rotate_days=30, head_seconds=0)
    used = Counter()  # type: Counter[bytes]
    log = AuditLog(tmp_path / "log", key=keys["signing"], clock=clock, flush="none", policy=policy)
    other = AuditLog(log.root, key=keys["signing"], clock=clock, flush="none", policy=policy)
    for _ in range(100):
        for one in (log, other):
            one.record("x")
        used[keys["signing"].read_bytes()] += 1
        clock.now += DAY
    log.close()
    other.close()

    assert len(used) == 4
    assert not list(keys["signing"].parent.glob("*.next"))
    report = verify(log.root, keys["verifying"])
    assert report.verdict == "ok"
    assert report.records == 400 - 2  # and the steps of the clock
    assert first not in {path.read_bytes() for path in keys["signing"].parent.iterdir()}
    assert verify(log.root, keys["signing"]).verdict == "ok"


def test_interrupted_rotation_is_finished_whichever_step_it_was(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    path = keys["signing"]
    log = AuditLog(tmp_path / "log", key=path, flush="none", policy=POLICY)
    log.record("x")
    log.close()
    old = signing_key(path)
    waiting = path.with_name(path.name + ".next")
    waiting.write_bytes(keygen(tmp_path / "others")["signing"].read_bytes())
    AuditLog(log.root, key=path, flush="none", policy=POLICY).close()  # the manifest knows nothing
    assert verify(log.root, keys["verifying"]).verdict == "ok"
    waiting.unlink()

    log = AuditLog(log.root, key=path, flush="none", policy=POLICY)
    real, Path.replace = Path.replace, _refuse_next(Path.replace)  # type: ignore[method-assign]  # a crash
    try:
        with pytest.raises(RuntimeError):
            log.rotate_key()
    finally:
        Path.replace = real  # type: ignore[method-assign]  # as above
    assert waiting.exists()
    log = AuditLog(log.root, key=path, flush="none", policy=POLICY)
    log.record("after")
    log.close()
    assert not waiting.exists()
    assert loaded(path, None) != old
    assert verify(log.root, keys["verifying"]).verdict == "ok"


def _refuse_next(real: Any) -> Any:
    def replace(self: Path, target: Any) -> Any:
        if self.name.endswith(".pem.next"):
            raise RuntimeError("killed here")
        return real(self, target)

    return replace


def test_key_object_is_used_and_cannot_be_rotated(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    log = AuditLog(tmp_path / "log", key=signing_key(keys["signing"]), flush="none", policy=POLICY)
    log.record("x")
    with pytest.raises(AuditInputError, match="path"):
        log.rotate_key()
    log.close()

    assert verify(log.root, signing_key(keys["signing"]).public_key()).verdict == "ok"


def test_days_between_are_counted(tmp_path: Path) -> None:
    clock = Clock()
    for step in (0, 1, 30):
        clock.now = START + step * DAY
        AuditLogged(tmp_path / "log", clock)
    report = verify(tmp_path / "log")

    assert report.days == 30
    assert timedelta(days=report.days) == timedelta(days=30)
