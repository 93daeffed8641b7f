"""Verifying beside a writer, against what is expected, and whatever nonsense the files hold."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from logbraid.audit import (
    AuditError,
    AuditInputError,
    AuditLog,
    Policy,
    decrypt,
    files,
    keygen,
    manifest_check,
    prune,
    read,
    verification,
    verify,
)
from logbraid.audit.chain import chained

QUIET = Policy(head_seconds=0)
DAY = 86_400 * 10**9


class Clock:
    """Nanoseconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * 10**9

    def __call__(self) -> int:
        return self.now


def records(root: Path, kinds: tuple[str, ...] = ("action",), **more: Any) -> None:
    with AuditLog(root, flush="none", policy=QUIET, **more) as log:
        for kind in kinds:
            log.record("x", event_class=kind)


# -- beside a writer -------------------------------------------------------------------------

_BUSY = """
import sys
from logbraid import bound_context
from logbraid.audit import AuditLog, Policy, prune
now = [1_800_000_000 * 10**9]
policy = Policy(head_seconds=0, max_segment_records=7)
for round in range(1000):
    log = AuditLog(sys.argv[1], key=sys.argv[2], flush="none", policy=policy, clock=lambda: now[0])
    for number in range(30):
        with bound_context(tenant_id=f"t{number % 3}"):
            log.record("x", event_class="rule_denied")
    now[0] += 20 * 86400 * 10**9
    log.close()
    prune(sys.argv[1], key=sys.argv[2], clock=lambda: now[0])
    if round == 1:
        print("busy", flush=True)
"""


@pytest.mark.torture
def test_log_that_is_written_sealed_and_pruned_meanwhile_is_ok(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    command = [sys.executable, "-c", _BUSY, str(tmp_path / "log"), str(keys["signing"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == b"busy\n"
        try:
            for _ in range(8):
                assert verify(tmp_path / "log", keys["verifying"]).tampered == ()
            assert busy.poll() is None
        finally:
            busy.kill()


def test_segment_that_is_pruned_while_it_is_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    root = tmp_path / "log"
    records(root, ("rule_denied", "action"), clock=clock)
    clock.now += 100 * DAY
    checked = verification._checked

    def first_prune(*given: Any) -> Any:
        monkeypatch.setattr(verification, "_checked", checked)
        assert len(prune(root, clock=clock).segments) == 1
        return checked(*given)

    monkeypatch.setattr(verification, "_checked", first_prune)
    report = verify(root)
    assert (report.verdict, report.segments, report.pruned) == ("ok", 1, 1)


def test_log_whose_lock_is_not_to_be_had_is_read_at_one_moment_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "log"
    records(root)
    read_file = files.read_file
    writes = iter(range(3))

    def read_and_write(*where: str) -> bytes:
        text = read_file(*where)
        if next(writes, None) is not None:
            records(root)
        return text

    monkeypatch.setattr(manifest_check, "held_still", lambda *_: nullcontext())
    monkeypatch.setattr(manifest_check, "read_file", read_and_write)
    assert verify(root).tampered == ()


def test_file_that_may_not_be_read_is_bad_input_and_no_tampering() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "log")
        records(root)
        segment = next(root.glob("_unknown/*.jsonl"))
        for hidden in (segment, root / "_log" / "manifest.jsonl"):
            for path in (Path(folder), root, *root.rglob("*")):
                path.chmod(0o755)
            hidden.chmod(0)
            assert as_nobody(lambda: verify(root)) == "AuditInputError"
        segment.chmod(0)
        assert as_nobody(lambda: list(read(root))) == "AuditInputError"


def test_directory_that_may_not_be_listed_is_bad_input_and_not_an_empty_one() -> None:
    """Else what stands in it is missing in silence, and every user seems forgotten."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "log")
        records(root, recipient=keygen(Path(folder, "keys"))["recipient"])
        (root / "_keys").mkdir(exist_ok=True)
        (root / "elsewhere").mkdir()
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        reading = Path(folder, "keys", "audit-reading.pem")
        questions: dict[str, Callable[[], object]] = {
            "verify": lambda: verify(root),
            "read": lambda: list(read(root)),
            "decrypt": lambda: list(decrypt(root, reading)),
        }
        for name, refused in (
            ("", {"verify", "read", "decrypt"}),
            ("elsewhere", {"verify", "read", "decrypt"}),
            ("_unknown", {"verify", "read", "decrypt"}),
            ("_keys", {"decrypt"}),
        ):
            (root / name).chmod(0o111)
            told = {one: as_nobody(step) for one, step in questions.items()}
            (root / name).chmod(0o755)
            assert {one for one, error in told.items() if error == "AuditInputError"} == refused
            assert {told[one] for one in set(told) - refused} <= {""}


def test_directory_of_other_lines_of_json_is_no_audit_log(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "2026-11-21.jsonl").write_bytes(b'{"event":"x"}\n')

    with pytest.raises(AuditInputError, match="no audit log"):
        verify(tmp_path)
    name = "action.2026-11-21.0123456789abcdef.0001.jsonl"
    (tmp_path / "acme" / name).write_bytes(b'{"event":"x"}\n')
    assert not verify(tmp_path)


def test_what_is_no_file_of_ours_is_neither_read_nor_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "log"
    records(root)
    (segment,) = root.glob("_unknown/*.jsonl")
    os.mkfifo(segment.with_name("action.2026-01-01.0123456789abcdef.0001.jsonl"))
    segment.with_name("action.2026-01-02.0123456789abcdef.0001.jsonl").symlink_to(segment)

    assert len(list(read(root))) == 1
    assert {one.kind for one in verify(root).tampered} == {"foreign"}


def as_nobody(step: Callable[[], object]) -> str:
    """Return the class of what *step* raises in a child that may read what everybody may."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            step()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(theirs, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    with os.fdopen(ours, "rb") as told:
        return told.read().decode()


# -- what is expected ------------------------------------------------------------------------


def test_log_rolled_back_behind_a_day_that_must_be_sealed_is_told_without_a_witness(
    tmp_path: Path,
) -> None:
    clock = Clock()  # 2027-01-15
    records(tmp_path / "log", clock=clock)
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    clock.now += 3 * DAY
    records(tmp_path / "log", clock=clock)

    assert verify(tmp_path / "log", through="2027-01-17").verdict == "ok"
    assert verify(tmp_path / "copy").verdict == "ok"
    (finding,) = verify(tmp_path / "copy", through="2027-01-17").tampered
    assert (finding.kind, finding.where) == ("gap", "_log/manifest.jsonl")
    assert "expected until 2027-01-17" in finding.detail


def test_segment_of_a_day_that_must_be_sealed_is_told_if_it_is_open(tmp_path: Path) -> None:
    clock = Clock()
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET, clock=clock)
    log.record("x")
    clock.now += 2 * DAY
    log.record("y", event_class="rule_denied")

    report = verify(tmp_path / "log", through="2027-01-16")
    assert [one.kind for one in report.tampered] == ["seal missing"]
    assert "_unknown/action.2027-01-15" in report.tampered[0].where
    log.close()
    assert verify(tmp_path / "log", through="2027-01-16").verdict == "ok"


def test_expected_segment_that_is_not_sealed_is_missing(tmp_path: Path) -> None:
    clock = Clock()
    records(tmp_path / "log", clock=clock)
    root = tmp_path / "log"

    assert verify(root, expect=["_unknown/action", "_unknown/action.2027-01-15"]).verdict == "ok"
    for name in ("acme/action", "_unknown/act", "_unknown/action.2027-01-16"):
        (finding,) = verify(root, expect=[name]).tampered
        assert (finding.kind, finding.where) == ("seal missing", name)
    with pytest.raises(AuditInputError, match="no day"):
        verify(root, through="soon")


def test_lost_segment_is_not_a_sealed_one_that_is_expected(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    log.record("first")
    (path,) = (tmp_path / "log").glob("_unknown/*.jsonl")
    path.rename(tmp_path / "elsewhere")
    log.record("second")
    log.close()
    (tmp_path / "elsewhere").rename(path)
    (other,) = set((tmp_path / "log").glob("_unknown/*.jsonl")) - {path}
    for one in (path, other):
        name = f"_unknown/{one.name.removesuffix('.jsonl')}"
        told = [found.kind for found in verify(tmp_path / "log", expect=[name]).tampered]
        assert told == (["seal missing"] if one == path else [])


# -- nonsense --------------------------------------------------------------------------------

_NONSENSE: list[Any] = [
    None, 0, -1, True, 1e300, 10**18, "x", "", "\0", "2026-99-99", "../../../x", "_log/manifest",
    [], {}, ["a"], {"a": 1}, [[1, 2]], [{"segment": 5}], {"../../x": [1, "0" * 64]},
    "log", "open", "head", "seal", "lost", "days", "tombstone", "key",
]  # fmt: skip


def rechained(bodies: list[dict[str, Any]]) -> bytes:
    made, prev = b"", "0" * 64
    for seq, body in enumerate(bodies):
        line, digest = chained(json.dumps(body).encode(), seq, prev)
        made, prev = made + line, digest.hex()
    return made


def bodies_of(root: Path) -> list[dict[str, Any]]:
    lines = (root / "_log" / "manifest.jsonl").read_bytes().splitlines()
    return [
        {name: value for name, value in json.loads(raw).items() if name not in _CHAIN}
        for raw in lines
    ]


_CHAIN = {"seq", "prev", "hash", "sig"}


def test_manifest_of_any_nonsense_is_told_or_refused_and_never_raises(tmp_path: Path) -> None:
    """Who may write can mend the hashes of an unsigned log: what stands there is only checked."""
    clock = Clock()
    root, copy = tmp_path / "log", tmp_path / "copy"
    for _ in range(3):
        records(root, ("rule_denied", "action"), clock=clock)
        clock.now += 40 * DAY
    prune(root, clock=clock)
    chosen = random.Random(4)
    for _ in range(150):
        bodies = bodies_of(root)
        for _ in range(chosen.choice((1, 1, 2, 4))):
            body = chosen.choice(bodies)
            body[chosen.choice(list(body))] = chosen.choice(_NONSENSE)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(root, copy)
        (copy / "_log" / "manifest.jsonl").write_bytes(rechained(bodies))
        assert verify(copy, through="2027-03-01", expect=["a/b"]).verdict == "tampered"
        for step in (prune, AuditLog):
            try:
                done: Any = step(copy, clock=clock)
                if isinstance(done, AuditLog):
                    done.close()
            except AuditError:
                continue
        list(read(copy))


def test_segments_name_never_leads_out_of_the_log(tmp_path: Path) -> None:
    clock = Clock()
    root = tmp_path / "log"
    records(root, ("rule_denied",), clock=clock)
    (tmp_path / "victim.jsonl").write_text("untouched")
    clock.now += 400 * DAY
    bodies = bodies_of(root)
    for body in bodies:
        if "segment" in body:
            body["segment"] = "../victim"
    (root / "_log" / "manifest.jsonl").write_bytes(rechained(bodies))

    report = verify(root)
    prune(root, clock=clock)
    assert "modified" in {one.kind for one in report.tampered}
    assert (tmp_path / "victim.jsonl").read_text() == "untouched"


def test_copy_of_a_log_elsewhere_verifies_as_the_log_itself(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    records(tmp_path / "log", key=keys["signing"])
    shutil.copytree(tmp_path / "log", tmp_path / "elsewhere" / "copy")

    report = verify(tmp_path / "elsewhere" / "copy", keys["verifying"])
    assert (report.verdict, report.records) == ("ok", 1)
