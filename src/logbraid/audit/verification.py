r"""Verify a whole audit log, offline, with nothing but its files and a public key.

The published algorithm, which an outsider can follow without this package:

1. **Line.** Take the bytes of a line without its newline. In ``_log/manifest.jsonl`` of a signed
   log take off the last member first: ``,"sig":"<88 characters of base64>"``, before the closing
   brace. The last member is then ``,"hash":"<64 hex>"``. ``H`` = SHA-256 of a zero byte, the
   bytes up to that member, and ``}``. It must equal the hex.
2. **Chain.** The first line's ``seq`` is 0, each next one's is one more and its ``prev`` is the
   ``hash`` of the line before. In the manifest the first ``prev`` is 64 zeros; in a segment it is
   the ``hash`` of the manifest's ``open`` line of that segment.
3. **Signature.** In the manifest ``sig`` is Ed25519 over ``logbraid audit manifest v1\n`` and the
   32 bytes of ``H``, by the key of the epoch: ``public_key`` of the ``log`` line, then that of
   each ``key`` line for the lines after it. The first of them must be the key you trust.
4. **Checkpoint.** ``_log/checkpoint`` and ``<segment>.checkpoint`` are C2SP checkpoints in signed
   notes. The root is RFC 6962's over the lines' ``H`` as leaf hashes. The origin is
   ``logbraid.audit/<log id>``, for a segment followed by ``/<tenant directory>/<segment>``; the
   key's name is the log's origin in both. Size and root of a segment are those of its ``seal``
   line too.
5. **Completeness.** Every segment that has an ``open`` line is there, or has a ``tombstone`` not
   written before its day and its retention were over; no file is there without an ``open`` line;
   ``days`` lines follow each other without a gap. A ``broken`` line says that lines were cut off
   or changed before it, and what the checkpoint was then.

What none of this shows without a witness: that the log was rolled back as a whole to an earlier
state, and that records behind the last checkpoint of a segment that is not sealed yet were cut
off. Whoever kept a head (``anchor``) sees both up to that head; whoever knows until which day the
log must be sealed (``through``) sees that it was rolled back behind that day.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from logbraid.audit import crypto
from logbraid.audit.anchor import heads_in
from logbraid.audit.errors import AuditInputError
from logbraid.audit.expected import Expected
from logbraid.audit.files import KEYS, LOG, listable
from logbraid.audit.findings import (
    DELETED,
    FOREIGN,
    GAP,
    SEAL_MISSING,
    WRONG_KEY,
    Collected,
    Report,
)
from logbraid.audit.manifest import origin_of
from logbraid.audit.manifest_check import WHERE, ManifestCheck
from logbraid.audit.note import Checkpoint, verifier_key
from logbraid.audit.segment import SUFFIX
from logbraid.audit.segment_check import SegmentCheck
from logbraid.audit.story import Account, Story, is_segment


def verify(
    root: str | os.PathLike[str],
    key: crypto.PublicKey | None = None,
    anchor: str | os.PathLike[str] | None = None,
    *,
    through: str | date | None = None,
    expect: Iterable[str] = (),
) -> Report:
    """Verify the audit log in *root*, which may be written to meanwhile.

    *key* is the public key that is trusted (a PEM file, the private one's too, 32 bytes, or a
    key); without it the log is held to the key that it names itself. *anchor*: the path of a file
    with heads that a witness kept, as checkpoints or as lines of the log that told them; or the
    text of one. What must be sealed, known from elsewhere: *through* a UTC day, every day and
    segment until then; *expect*: ``<tenant directory>/<class>``, or ``.<day>`` behind it.

    Reads only. Raises ``AuditInputError`` where there is no audit log, or one of the others
    cannot be read.
    """
    folder = Path(root)
    trusted = None if key is None else crypto.verifying_key(key)
    heads = None if anchor is None else heads_in(anchor)
    expected = Expected.of(through, expect)
    if not folder.is_dir():
        raise AuditInputError(f"there is no directory {folder}")
    listable(folder, *(one for one in folder.glob("*") if one.name not in (LOG, KEYS)))
    files = _segment_files(folder)  # before the manifest: what begins meanwhile is not missed
    check = ManifestCheck(str(folder))
    if check.is_nothing and not any(is_segment(name) for name in files):
        raise AuditInputError(f"there is no audit log in {folder}")
    _trust(check, trusted)
    if heads is not None:
        _witness(check, heads)
    lines = _segments(str(folder), check)
    for name in files:
        if name not in check.story.segments:
            check.found.add(FOREIGN, name, None, "the manifest knows no such segment")
    expected.check(check.story, check.found)
    return _report(folder, check, lines)


def _segment_files(folder: Path) -> list[str]:
    return sorted(
        f"{path.parent.name}/{path.name.removesuffix(SUFFIX)}"
        for path in folder.glob(f"*/*{SUFFIX}")
        if path.parent.name not in (LOG, KEYS) and _has_text(path)
    )


def _has_text(path: Path) -> bool:
    try:
        return bool(path.lstat().st_size)
    except OSError:  # pruned meanwhile
        return False


def _segments(root: str, check: ManifestCheck) -> list[int]:
    """Check every segment and return how many lines each has that was read.

    One that was sealed, lost or pruned while it was looked at is looked at again.
    """
    story = check.story
    found = {one.name: _checked(root, one, story) for one in story.segments.values()}
    doubtful = [name for name, (told, _) in found.items() if told.findings]
    if doubtful:
        later = ManifestCheck(root).story.segments
        for name in doubtful:
            if name in later and later[name] != story.segments[name]:
                story.segments[name] = later[name]
                found[name] = _checked(root, later[name], story)
    for told, _ in found.values():
        check.found.findings += told.findings
        check.found.notices += told.notices
    return [lines for _, lines in found.values() if lines is not None]


def _checked(root: str, account: Account, story: Story) -> tuple[Collected, int | None]:
    found = Collected()
    return found, SegmentCheck(root, account, story.log_id, found).run()


def _trust(check: ManifestCheck, trusted: bytes | None) -> None:
    """Hold the log's keys against the one that is trusted."""
    found, keys = check.found, check.story.keys
    if not check.story.log_id:
        return
    if not keys:
        if trusted is not None:
            found.add(SEAL_MISSING, WHERE, None, "the log is not signed at all")
        found.notices.append("the log is not signed: whoever can write it can forge it")
    elif trusted is None:
        found.notices.append(
            "held to the key that the log itself names; give the public key that you kept"
        )
    elif trusted not in keys:
        found.add(WRONG_KEY, WHERE, 0, "the log was signed by another key")
    elif trusted != keys[0]:
        found.notices.append("the key given is a later one; the first one proves more")


def _witness(check: ManifestCheck, heads: list[Checkpoint]) -> None:
    """Hold the manifest against the heads that a witness kept."""
    ours = [one for one in heads if one.origin == origin_of(check.story.log_id)]
    if not ours:
        check.found.add(GAP, "anchor", None, "the witness knows another log than this one")
    for one in ours:
        wrong = check.against(one)
        if wrong is not None:
            kind = GAP if wrong[0] == DELETED else wrong[0]
            check.found.add(kind, "anchor", one.size, f"rolled back or rewritten: {wrong[1]}")


def _report(folder: Path, check: ManifestCheck, lines: list[int]) -> Report:
    story = check.story
    origin = origin_of(story.log_id)
    return Report(
        root=str(folder),
        findings=tuple(check.found.findings),
        notices=tuple(check.found.notices),
        segments=len(lines),
        records=sum(max(0, one - 1) for one in lines),
        pruned=sum(one.tombstone is not None for one in story.segments.values()),
        days=check.days,
        log_id=story.log_id,
        verifier=verifier_key(origin, story.keys[0]) if story.keys else None,
        head=check.head,
    )
