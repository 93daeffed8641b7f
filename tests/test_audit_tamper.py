"""Whoever changes an audit log is caught, and told which record it was and what became of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from logbraid import bound_context
from logbraid.audit import AuditInputError, AuditLog, Policy, Report, keygen, verify
from logbraid.audit import segment_check as segment_check_module
from logbraid.audit.chain import chained, link
from logbraid.audit.crypto import signing_key
from logbraid.audit.findings import Collected
from logbraid.audit.manifest import MANIFEST
from logbraid.audit.merkle import root_of
from logbraid.audit.note import Checkpoint, parsed, signed, verifier_key
from logbraid.audit.segment_check import SegmentCheck
from logbraid.audit.signature import without_signature
from logbraid.audit.story import Story

QUIET = Policy(head_seconds=0)


@dataclass
class Site:
    """A closed audit log of two tenants, and its keys."""

    root: Path
    keys: dict[str, Path]

    def segment(self, tenant: str = "acme", kind: str = "action") -> Path:
        return next((self.root / tenant).glob(f"{kind}.*.jsonl"))

    def lines(self, tenant: str = "acme") -> list[bytes]:
        return self.segment(tenant).read_bytes().splitlines(keepends=True)

    def put(self, lines: list[bytes], tenant: str = "acme") -> None:
        self.segment(tenant).write_bytes(b"".join(lines))

    def verify(self, **more: Any) -> Report:
        return verify(self.root, key=self.keys["verifying"], **more)

    def told(self) -> set[tuple[str, int | None]]:
        return {(one.kind, one.record) for one in self.verify().tampered}


def write(
    root: Path,
    key: Path,
    records: int = 10,
    tenants: tuple[str, ...] = ("acme", "globex"),
    policy: Policy = QUIET,
) -> str:
    """Write a log, close it, return its head."""
    log = AuditLog(root, key=key, flush="none", policy=policy)
    for number in range(records):
        for tenant in tenants:
            with bound_context(tenant_id=tenant, user_id="u-7"):
                log.record("order.refund", resource_id=f"o-{number}", metadata={"n": number})
    log.close()
    return log.head()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("audit")
    keys = keygen(folder / "keys")
    write(folder / "log", keys["signing"])
    return Site(folder / "log", keys)


@pytest.fixture
def site(original: Site, tmp_path: Path) -> Site:
    shutil.copytree(original.root, tmp_path / "log")
    return Site(tmp_path / "log", original.keys)


def test_untouched_log_is_ok(site: Site) -> None:
    report = site.verify()

    assert report
    assert (report.verdict, report.exit_code, report.findings) == ("ok", 0, ())
    assert (report.segments, report.records) == (2, 20)


# -- the cases of a tamper suite, each by name ------------------------------------------------


def test_edited_record_is_modified(site: Site) -> None:
    lines = site.lines()
    lines[4] = lines[4].replace(b"o-3", b"o-9")
    site.put(lines)

    assert site.told() == {("modified", 4)}


def test_edited_record_with_a_mended_hash_is_modified(site: Site) -> None:
    lines = site.lines()
    fields = json.loads(lines[4])
    body = lines[4].replace(b"o-3", b"o-9")
    body = b"{" + body[body.index(b'"id"') : body.rindex(b',"hash"')] + b"}"
    lines[4] = chained(body, 4, fields["prev"])[0]
    site.put(lines)

    assert site.told() == {("modified", 4)}


def rechained(lines: list[bytes]) -> list[bytes]:
    """Write *lines* anew, every number and hash mended from the first one on."""
    made = [lines[0]]
    prev = link(lines[0][:-1]).digest.hex()
    for number, raw in enumerate(lines[1:], 1):
        body = b"{" + raw[raw.index(b'"id"') : raw.rindex(b',"hash"')] + b"}"
        line, digest = chained(body, number, prev)
        made.append(line)
        prev = digest.hex()
    return made


def test_edited_record_with_the_whole_chain_mended_is_modified(site: Site) -> None:
    lines = site.lines()
    lines[4] = lines[4].replace(b"o-3", b"o-9")
    site.put(rechained(lines))

    assert ("modified", 4) in site.told()


def test_deleted_record_is_deleted(site: Site) -> None:
    lines = site.lines()
    del lines[6]
    site.put(lines)

    assert site.told() == {("deleted", 6)}


def test_inserted_record_is_inserted(site: Site) -> None:
    lines = site.lines()
    body = b'{"id":"x","created_at":"%s","event_class":"action","tenant_id":"acme"}' % (
        json.loads(lines[5])["created_at"].encode()
    )
    lines.insert(6, chained(body, 6, json.loads(lines[5])["hash"])[0])
    site.put(lines)

    assert site.told() == {("inserted", 6)}


def test_swapped_records_are_reordered(site: Site) -> None:
    lines = site.lines()
    lines[3], lines[4] = lines[4], lines[3]
    site.put(lines)

    assert {kind for kind, _ in site.told()} == {"reordered"}
    assert {record for _, record in site.told()} <= {3, 4}


def test_duplicated_record_is_inserted(site: Site) -> None:
    lines = site.lines()
    lines.insert(6, lines[5])
    site.put(lines)

    assert site.told() == {("inserted", 5)}


def test_deleted_segment_is_deleted(site: Site) -> None:
    gone = site.segment()
    name = f"acme/{gone.name.removesuffix('.jsonl')}"
    for path in gone.parent.glob("*"):
        path.unlink()

    (finding,) = site.verify().tampered
    assert (finding.kind, finding.where, finding.record) == ("deleted", name, None)


def test_deleted_day_is_deleted(tmp_path: Path, original: Site) -> None:
    day = 86_400 * 10**9
    now = [1_800_000_000 * 10**9]
    log = AuditLog(
        tmp_path / "log",
        key=original.keys["signing"],
        flush="none",
        policy=QUIET,
        clock=lambda: now[0],
    )
    for _ in range(3):
        log.record("x")
        now[0] += day
    log.close()
    files = sorted((tmp_path / "log" / "_unknown").glob("*.jsonl"))
    for path in (tmp_path / "log" / "_unknown").glob(files[1].name.split(".")[1].join("**")):
        path.unlink()

    found = verify(tmp_path / "log", original.keys["verifying"]).tampered
    assert [one.kind for one in found] == ["deleted"]


def test_segment_truncated_to_an_earlier_record_is_deleted(site: Site) -> None:
    site.put(site.lines()[:6])

    assert site.told() == {("deleted", number) for number in range(6, 11)}


def test_manifest_truncated_to_an_earlier_checkpoint_is_told(
    tmp_path: Path, original: Site
) -> None:
    root = tmp_path / "log"
    write(root, original.keys["signing"])
    earlier = {name: (root / "_log" / name).read_bytes() for name in (MANIFEST, "checkpoint")}
    write(root, original.keys["signing"])
    for name, text in earlier.items():
        (root / "_log" / name).write_bytes(text)

    found = verify(root, original.keys["verifying"]).tampered
    assert {one.kind for one in found} == {"foreign"}
    assert len(found) == 2


def test_rolled_back_directory_is_told_with_the_witness_only(
    tmp_path: Path, original: Site
) -> None:
    root = tmp_path / "log"
    write(root, original.keys["signing"])
    shutil.copytree(root, tmp_path / "copy")
    head = write(root, original.keys["signing"])
    (tmp_path / "head").write_text(head)
    shutil.rmtree(root)
    (tmp_path / "copy").rename(root)

    assert verify(root, original.keys["verifying"]).verdict == "ok"
    report = verify(root, original.keys["verifying"], anchor=tmp_path / "head")
    assert [one.kind for one in report.tampered] == ["gap"]
    assert report.exit_code == 1


def test_segment_resealed_with_the_current_key_is_modified(site: Site) -> None:
    lines = site.lines()
    lines[4] = lines[4].replace(b"o-3", b"o-9")
    lines = rechained(lines)
    site.put(lines)
    path = site.segment()
    stem = path.name.removesuffix(".jsonl")
    leaves = [link(raw[:-1]).digest for raw in lines]
    path.with_name(stem + ".leaves").write_bytes(b"".join(leaves))
    old = parsed(path.with_name(stem + ".checkpoint").read_bytes())
    key = signing(site)
    note = signed(Checkpoint(old[0].origin, len(leaves), root_of(leaves)), old[1][0].name, key)
    path.with_name(stem + ".checkpoint").write_bytes(note)

    assert {kind for kind, _ in site.told()} == {"modified"}
    assert site.verify().exit_code == 1


def signing(site: Site) -> Any:
    return signing_key(site.keys["signing"])


def test_whole_log_rewritten_with_the_current_key_is_caught_by_the_rotation(tmp_path: Path) -> None:
    """Epochs that are over cannot be forged: their key is erased. The first line's key is kept."""
    keys = keygen(tmp_path / "keys")
    trusted = keys["verifying"]
    log = AuditLog(tmp_path / "log", key=keys["signing"], flush="none", policy=QUIET)
    log.record("a")
    log.rotate_key()
    log.record("b")
    log.close()
    assert verify(tmp_path / "log", trusted).verdict == "ok"

    shutil.rmtree(tmp_path / "log")
    write(tmp_path / "log", keys["signing"])  # all there is on the host now is the second key

    assert {one.kind for one in verify(tmp_path / "log", trusted).tampered} == {"wrong key"}


@pytest.mark.parametrize("name", ["checkpoint", "leaves"])
def test_stripped_seal_of_a_segment_is_missing(site: Site, name: str) -> None:
    path = site.segment()
    path.with_name(path.name.removesuffix("jsonl") + name).unlink()

    assert site.told() == {("seal missing", None)}


def test_stripped_checkpoint_of_the_log_is_missing(site: Site) -> None:
    (site.root / "_log" / "checkpoint").unlink()

    assert site.told() == {("seal missing", None)}


def test_stripped_signature_of_a_checkpoint_is_missing(site: Site) -> None:
    path = site.root / "_log" / "checkpoint"
    path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n\n")

    assert site.told() == {("seal missing", None)}


def test_stripped_signatures_of_the_manifest_are_missing(site: Site) -> None:
    path = site.root / "_log" / MANIFEST
    lines = [without_signature(raw)[0] + b"\n" for raw in path.read_bytes().splitlines()]
    path.write_bytes(b"".join(lines))

    assert "seal missing" in {kind for kind, _ in site.told()}


def test_deleted_manifest_is_deleted(site: Site) -> None:
    shutil.rmtree(site.root / "_log")

    assert "deleted" in {kind for kind, _ in site.told()}


def test_wrong_key_is_told(site: Site, tmp_path: Path) -> None:
    other = keygen(tmp_path / "others")

    report = verify(site.root, key=other["verifying"])
    assert [one.kind for one in report.tampered] == ["wrong key"]
    assert report.exit_code == 1


def test_checkpoint_signed_by_another_key_is_told(site: Site, tmp_path: Path) -> None:
    path = site.root / "_log" / "checkpoint"
    checkpoint, signatures = parsed(path.read_bytes())
    other = signing_key(keygen(tmp_path / "others")["signing"])
    path.write_bytes(signed(checkpoint, signatures[0].name, other))

    assert site.told() == {("wrong key", None)}


def test_record_of_another_tenant_is_foreign(site: Site) -> None:
    lines = site.lines()
    lines.insert(5, site.lines("globex")[5])
    site.put(lines)

    assert site.told() == {("foreign", 5)}


def test_record_of_another_tenant_in_place_of_one_is_foreign(site: Site) -> None:
    lines = site.lines()
    lines[5] = site.lines("globex")[5]
    site.put(lines)

    assert site.told() == {("foreign", 5), ("deleted", 5)}


def test_segment_of_another_tenant_in_place_of_one_is_foreign(site: Site) -> None:
    site.put(site.lines("globex"))

    assert "foreign" in {kind for kind, _ in site.told()}


def test_file_that_the_manifest_does_not_know_is_foreign(site: Site) -> None:
    path = site.segment()
    path.with_name("action.2026-01-01.0123456789abcdef.0001.jsonl").write_bytes(path.read_bytes())

    assert site.told() == {("foreign", None)}


def test_replayed_checkpoint_of_the_log_is_told(tmp_path: Path, original: Site) -> None:
    root = tmp_path / "log"
    write(root, original.keys["signing"])
    earlier = (root / "_log" / "checkpoint").read_bytes()
    write(root, original.keys["signing"])
    (root / "_log" / "checkpoint").write_bytes(earlier)

    found = verify(root, original.keys["verifying"]).tampered
    assert [(one.kind, one.where) for one in found] == [("modified", "_log/checkpoint")]


def test_replayed_checkpoint_of_another_segment_is_told(site: Site) -> None:
    mine, other = site.segment(), site.segment("globex")
    ending = ".checkpoint"
    text = other.with_name(other.name.removesuffix(".jsonl") + ending).read_bytes()
    mine.with_name(mine.name.removesuffix(".jsonl") + ending).write_bytes(text)

    assert site.told() == {("modified", None)}


MANIFEST_CASES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "edited": lambda lines: [*lines[:2], lines[2].replace(b"365 days", b"364 days"), *lines[3:]],
    "deleted": lambda lines: [*lines[:2], *lines[3:]],
    "swapped": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "duplicated": lambda lines: [*lines[:3], lines[2], *lines[3:]],
    "cut": lambda lines: lines[:-1],
}


@pytest.mark.parametrize("case", MANIFEST_CASES)
def test_changed_manifest_is_told(site: Site, case: str) -> None:
    path = site.root / "_log" / MANIFEST
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(MANIFEST_CASES[case](lines)))

    assert site.verify().exit_code == 1


def test_forged_tombstone_is_not_believed(site: Site) -> None:
    """Who cannot sign cannot account for what was deleted."""
    path = site.root / "_log" / MANIFEST
    raw = path.read_bytes().splitlines()
    last = link(without_signature(raw[-1])[0])
    gone = f"acme/{site.segment().name.removesuffix('.jsonl')}"
    stone = {"at": "2099-01-01T00:00:00.000000Z", "append": len(raw), "kind": "tombstone"}
    stone["segments"] = [{"segment": gone}]
    line, _ = chained(json.dumps(stone).encode(), len(raw), last.digest.hex())
    path.write_bytes(path.read_bytes() + line)
    for one in site.segment().parent.glob("*"):
        one.unlink()

    assert {"seal missing", "deleted"} <= {kind for kind, _ in site.told()}


def forged_without_a_key(site: Site, public: str, last: str) -> None:
    """Write *site*'s log anew, unsigned; its key is named by a line of kind *last* at the end."""
    manifest = site.root / "_log" / MANIFEST
    told = [link(without_signature(raw)[0]).fields for raw in manifest.read_bytes().splitlines()]
    entries = [
        {name: value for name, value in one.items() if name not in ("seq", "prev", "hash")}
        for one in told
    ]
    begun, opened = entries[0], next(one for one in entries if one["kind"] == "open")
    name = opened["segment"]
    path = site.root / f"{name}.jsonl"
    seal = {"at": begun["at"], "kind": "seal", "segment": name}
    naming = {**begun, "kind": last, "public_key": public}
    lines: list[bytes] = []
    leaves: list[bytes] = []

    def add(entry: dict[str, Any]) -> None:
        prev = leaves[-1].hex() if leaves else "0" * 64
        line, leaf = chained(json.dumps({**entry, "append": len(lines)}).encode(), len(lines), prev)
        lines.append(line)
        leaves.append(leaf)

    if last == "key":
        add({**begun, "public_key": None})
    add(opened)
    header, *records = path.read_bytes().replace(b"o-3", b"o-9").splitlines(keepends=True)
    start = b"{" + header[header.index(b'"kind"') : header.rindex(b',"hash"')] + b"}"
    body = rechained([chained(start, 0, leaves[-1].hex())[0], *records])
    path.write_bytes(b"".join(body))
    digests = [link(raw[:-1]).digest for raw in body]
    origin = f"logbraid.audit/{begun['log']}"
    path.with_suffix(".leaves").write_bytes(b"".join(digests))
    sealed = Checkpoint(f"{origin}/{name}", len(digests), root_of(digests))
    path.with_suffix(".checkpoint").write_bytes(signed(sealed, origin, None))
    add({**seal, "size": len(digests), "root": root_of(digests).hex()})
    head = Checkpoint(origin, len(lines), root_of(leaves))
    (site.root / "_log" / "checkpoint").write_bytes(signed(head, origin, None))
    add(naming)
    manifest.write_bytes(b"".join(lines))
    for other in site.root.glob("[!_]*/*"):
        if not other.name.startswith(path.stem):
            other.unlink()


@pytest.mark.parametrize("last", ["key", "log"])
def test_log_forged_without_a_key_is_not_believed_where_its_last_line_names_the_trusted_one(
    site: Site, last: str
) -> None:
    begun = json.loads((site.root / "_log" / MANIFEST).read_bytes().splitlines()[0])
    forged_without_a_key(site, begun["public_key"], last)

    report = site.verify()
    assert report.exit_code == 1
    assert report.tampered[0].where == f"_log/{MANIFEST}"


def test_record_slipped_in_behind_a_living_writer_is_inserted(tmp_path: Path) -> None:
    """The writer begins a new segment at its next record; the old one ends where it left it."""
    keys = keygen(tmp_path / "keys")
    log = AuditLog(tmp_path / "log", key=keys["signing"], flush="none", policy=QUIET)
    log.record("first")
    site = Site(tmp_path / "log", keys)
    lines = site.lines("_unknown")
    site.put(rechained([*lines, lines[-1].replace(b"first", b"forged")]), "_unknown")
    log.record("second")
    log.close()

    assert ("inserted", 2) in site.told()


def test_cut_behind_a_head_that_was_noted_is_not_washed_clean_by_the_next_start(
    tmp_path: Path,
) -> None:
    code = (
        "import os, sys\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "log = AuditLog(sys.argv[1], key=sys.argv[2], policy=Policy(head_seconds=0))\n"
        "for number in range(8):\n"
        "    log.record('step')\n"
        "log._writer.herald.is_due = True\n"
        "log._writer.tend()\n"
        "os._exit(9)\n"
    )
    keys = keygen(tmp_path / "keys")
    root = tmp_path / "log"
    subprocess.run([sys.executable, "-c", code, root, keys["signing"]], check=False, timeout=60)
    site = Site(root, keys)
    assert site.verify().exit_code == 0
    site.put(site.lines("_unknown")[:5], "_unknown")
    assert site.told() == {("deleted", 5)}

    AuditLog(root, key=keys["signing"], policy=QUIET).close()

    assert site.told() == {("deleted", 5)}


WASHED: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: None,
    "and without a checkpoint": lambda path: path.unlink(),
    "and a checkpoint nobody signed": lambda path: path.write_bytes(
        path.read_bytes().partition(b"\n\n")[0] + b"\n\n"
    ),
}


@pytest.mark.parametrize("case", WASHED)
def test_manifest_that_was_cut_is_not_washed_clean_by_the_next_start(
    tmp_path: Path, original: Site, case: str
) -> None:
    """The service itself signs what it finds: it must say what it found."""
    site = Site(tmp_path / "log", original.keys)
    write(site.root, site.keys["signing"])
    log = site.root / "_log"
    path = log / MANIFEST
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    for one in site.root.glob("[!_]*/*"):
        if one.name.split(".")[2] not in lines[1].decode() or one.parent.name != "acme":
            one.unlink()
    WASHED[case](log / "checkpoint")
    assert site.verify().exit_code == 1

    AuditLog(site.root, key=site.keys["signing"], policy=QUIET).close()
    write(site.root, site.keys["signing"])

    assert ("gap", 2) in site.told()
    assert len(site.verify().tampered) == 1


# -- every byte ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("long")
    keys = keygen(folder / "keys")
    write(folder / "log", keys["signing"], 200, ("acme",))
    return Site(folder / "log", keys)


def checker(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[bytes], bytes], Collected]:
    """Return a check of one segment as ``verify`` does it, but for reading what did not change."""
    story = Story()
    for raw in (site.root / "_log" / MANIFEST).read_bytes().splitlines():
        story.add(link(without_signature(raw)[0]).fields)
    (account,) = story.segments.values()
    check = SegmentCheck(str(site.root), account, story.log_id, Collected())
    sealed = account.sealed or {}
    leaves = check._leaves(sealed["size"], bytes.fromhex(sealed["root"]))
    text: list[tuple[list[bytes], bytes]] = []
    monkeypatch.setattr(segment_check_module, "link", lru_cache(maxsize=4096)(link))
    monkeypatch.setattr(segment_check_module, "split", lambda _: text[0])
    monkeypatch.setattr(segment_check_module, "read_file", lambda *_: b"")
    monkeypatch.setattr(segment_check_module, "problem", lambda *_: None)
    monkeypatch.setattr(SegmentCheck, "_leaves", lambda *_: leaves)

    def run(lines: list[bytes], rest: bytes) -> Collected:
        text[:] = [(lines, rest)]
        found = Collected()
        SegmentCheck(str(site.root), account, story.log_id, found).run()
        return found

    return run


@pytest.mark.parametrize("part", range(4))
def test_one_flipped_bit_is_found_at_every_byte_and_in_the_right_record(
    long_log: Site, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    lines = long_log.segment().read_bytes().splitlines(keepends=True)
    bare = [line[:-1] for line in lines]
    run = checker(long_log, monkeypatch)
    assert run(bare, b"").findings == []
    assert len(lines) == 201

    missed = []
    for record in range(part, len(lines), 4):
        around = b"".join(lines[record : record + 2])
        for place in range(len(lines[record])):
            changed = bytearray(around)
            changed[place] ^= 1 << place % 8
            *new, rest = bytes(changed).split(b"\n")
            found = run([*bare[:record], *new, *bare[record + 2 :]], rest)
            if record not in {one.record for one in found.findings if one.is_tampering}:
                missed.append((record, place))
    assert missed == []


def test_flipped_bits_are_found_by_verify_itself(long_log: Site, tmp_path: Path) -> None:
    shutil.copytree(long_log.root, tmp_path / "log")
    site = Site(tmp_path / "log", long_log.keys)
    for path in sorted(site.root.glob("*/*")):
        data = path.read_bytes()
        if path.parent.name == "_keys":
            continue
        for place in range(0, len(data), max(1, len(data) // 40)):
            changed = bytearray(data)
            changed[place] ^= 1
            path.write_bytes(bytes(changed))
            assert site.verify().exit_code == 1, (path.name, place)
        path.write_bytes(data)
    assert site.verify().verdict == "ok"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A log whose writer was killed: its last segment has no seal."""
    folder = tmp_path_factory.mktemp("killed")
    keys = keygen(folder / "keys")
    program = (
        "import os, sys\n"
        "from logbraid.audit import AuditLog, Policy\n"
        "log = AuditLog(sys.argv[1], key=sys.argv[2], flush='none',\n"
        "               policy=Policy(head_seconds=0))\n"
        "for number in range(20): log.record('x', resource_id=str(number))\n"
        "os._exit(9)\n"
    )
    command = [sys.executable, "-c", program, str(folder / "log"), str(keys["signing"])]
    subprocess.run(command, check=False)
    return Site(folder / "log", keys)


def test_log_cut_at_every_byte_of_its_last_record_has_a_torn_tail(
    killed: Site, tmp_path: Path
) -> None:
    shutil.copytree(killed.root, tmp_path / "log")
    site = Site(tmp_path / "log", killed.keys)
    path = site.segment("_unknown")
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    assert site.verify().verdict == "ok"

    for end in range(start, len(data)):
        path.write_bytes(data[:end])
        report = site.verify()
        assert report.verdict == ("ok" if end == start else "torn tail"), end
        assert report.exit_code == 0
        assert report.records == 19
        assert [one.record for one in report.findings] == ([] if end == start else [20])


def test_zeros_in_the_last_record_are_a_torn_tail(killed: Site, tmp_path: Path) -> None:
    shutil.copytree(killed.root, tmp_path / "log")
    site = Site(tmp_path / "log", killed.keys)
    path = site.segment("_unknown")
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1

    for zeros in (slice(start + 10, len(data)), slice(start + 10, start + 100)):
        changed = bytearray(data)
        changed[zeros] = bytes(len(changed[zeros]))
        path.write_bytes(bytes(changed))
        report = site.verify()
        assert (report.verdict, report.exit_code) == ("torn tail", 0)
        assert [one.record for one in report.findings] == [20]


def test_torn_tail_is_sealed_by_the_next_start_and_still_told(killed: Site, tmp_path: Path) -> None:
    shutil.copytree(killed.root, tmp_path / "log")
    site = Site(tmp_path / "log", killed.keys)
    path = site.segment("_unknown")
    path.write_bytes(path.read_bytes()[:-40])

    AuditLog(site.root, key=site.keys["signing"], policy=QUIET).close()

    report = site.verify()
    assert (report.verdict, report.exit_code, report.records) == ("torn tail", 0, 19)
    path.write_bytes(path.read_bytes()[:-1])
    assert site.verify().exit_code == 1


def test_change_before_the_next_start_is_not_washed_clean_by_it(
    killed: Site, tmp_path: Path
) -> None:
    shutil.copytree(killed.root, tmp_path / "log")
    site = Site(tmp_path / "log", killed.keys)
    lines = site.lines("_unknown")
    lines[7] = lines[7].replace(b'"6"', b'"9"')
    site.put(lines, "_unknown")

    AuditLog(site.root, key=site.keys["signing"], policy=QUIET).close()

    assert site.told() == {("modified", 7)}


UNSEALED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], tuple[str, int]]] = {
    "deleted": (lambda lines: [*lines[:5], *lines[6:]], ("deleted", 5)),
    "deleted several": (lambda lines: [*lines[:5], *lines[8:]], ("deleted", 5)),
    "swapped": (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], ("reordered", 6)),
    "duplicated": (lambda lines: [*lines[:6], lines[5], *lines[6:]], ("inserted", 5)),
    "edited": (
        lambda lines: [*lines[:5], lines[5].replace(b'"4"', b'"7"'), *lines[6:]],
        ("modified", 5),
    ),
    "begun later": (lambda lines: lines[3:], ("gap", 0)),
}


@pytest.mark.parametrize("case", UNSEALED)
def test_change_of_a_segment_without_a_seal_is_told(
    killed: Site, tmp_path: Path, case: str
) -> None:
    shutil.copytree(killed.root, tmp_path / "log")
    site = Site(tmp_path / "log", killed.keys)
    change, wanted = UNSEALED[case]
    site.put(change(site.lines("_unknown")), "_unknown")

    assert wanted in site.told()


def test_seal_covers_the_record_that_was_torn_off_it(site: Site) -> None:
    data = site.segment().read_bytes()
    site.segment().write_bytes(data[:-30])

    assert site.told() == {("torn tail", 10)}
    assert site.verify().exit_code == 1


# -- an outsider -----------------------------------------------------------------------------


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + merkle(leaves[:half]) + merkle(leaves[half:])).digest()


def test_outsider_verifies_checkpoints_with_the_published_algorithm_only(site: Site) -> None:
    public: Any = load_pem_public_key(site.keys["verifying"].read_bytes())
    paths = [*site.root.glob("*/*.checkpoint"), site.root / "_log" / "checkpoint"]
    assert len(paths) == 3
    for path in paths:
        is_log = path.name == "checkpoint"
        records = path.with_name(MANIFEST) if is_log else path.with_suffix(".jsonl")
        leaves = []
        for raw_line in records.read_bytes().splitlines():
            line = raw_line
            if is_log:
                line = line[: line.rindex(b',"sig":"')] + b"}"
            text = line[: line.rindex(b',"hash":"')] + b"}"
            digest = sha256(b"\x00" + text).digest()
            assert json.loads(line)["hash"] == digest.hex()
            leaves.append(digest)
        text, _, signature = path.read_bytes().partition(b"\n\n")
        text += b"\n"
        origin, size, root = text.decode().splitlines()
        dash, name, told = signature.decode().rstrip("\n").split(" ")
        raw = b64decode(told)
        assert dash == "\u2014"
        assert int(size) == len(leaves)
        assert b64decode(root) == merkle(leaves)
        assert origin == name or origin.startswith(name + "/")
        key_id = sha256(name.encode() + b"\n\x01" + public.public_bytes_raw()).digest()[:4]
        assert raw[:4] == key_id
        public.verify(raw[4:], text)  # raises if the signature does not fit
        wanted = (
            f"{name}+{key_id.hex()}+{b64encode(bytes([1]) + public.public_bytes_raw()).decode()}"
        )
        assert verifier_key(name, public.public_bytes_raw()) == wanted == site.verify().verifier


# -- bad input -------------------------------------------------------------------------------


def test_directory_without_a_log_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="no audit log"):
        verify(tmp_path)
    with pytest.raises(AuditInputError, match="no directory"):
        verify(tmp_path / "nowhere")


def test_key_that_is_none_is_bad_input(site: Site, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")

    with pytest.raises(AuditInputError, match="PEM"):
        verify(site.root, key=tmp_path / "key")
    with pytest.raises(AuditInputError, match="cannot be read"):
        verify(site.root, key=tmp_path / "missing")
    with pytest.raises(AuditInputError, match="Ed25519"):
        verify(site.root, key=site.keys["recipient"])
    with pytest.raises(AuditInputError, match="holds no head"):
        verify(site.root, anchor=tmp_path / "key")


def test_heads_among_other_log_lines_are_an_anchor(site: Site, tmp_path: Path) -> None:
    note = (site.root / "_log" / "checkpoint").read_text()
    lines = ["{}", "not json", json.dumps({"event": "audit_head", "checkpoint": note}), ""]
    (tmp_path / "witness.jsonl").write_text("\n".join(lines))

    assert site.verify(anchor=tmp_path / "witness.jsonl").verdict == "ok"


def everything(report: Report) -> Iterator[str]:
    yield str(report)
    yield json.dumps(report.to_dict())


def test_report_reads_well(site: Site) -> None:
    site.put(site.lines()[:-1])

    for text in everything(site.verify()):
        assert "tampered" in text
        assert "deleted" in text
