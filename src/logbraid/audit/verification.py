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
   ``days`` lines follow each other without a gap.

What none of this shows without a witness: that the log was rolled back as a whole to an earlier
state, and that records behind the last checkpoint of a segment that is not sealed yet were cut
off. Whoever kept a head (``anchor``) sees both up to that head.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from logbraid.audit import crypto
from logbraid.audit.anchor import heads_in
from logbraid.audit.chain import NO_PREVIOUS, Link, link, split
from logbraid.audit.diagnose import walk
from logbraid.audit.errors import AuditInputError
from logbraid.audit.files import KEYS, LOG, read_file
from logbraid.audit.findings import (
    DELETED,
    FOREIGN,
    GAP,
    MODIFIED,
    SEAL_MISSING,
    WRONG_KEY,
    Collected,
    Report,
)
from logbraid.audit.manifest import (
    CHECKPOINT,
    MANIFEST,
    Story,
    is_signed_by,
    origin_of,
    without_signature,
)
from logbraid.audit.merkle import root_of
from logbraid.audit.note import Checkpoint, parsed, problem, verifier_key
from logbraid.audit.segment import SUFFIX
from logbraid.audit.segment_check import SegmentCheck

_MANIFEST: Final = f"{LOG}/{MANIFEST}"
_CHECKPOINT: Final = f"{LOG}/{CHECKPOINT}"


def verify(
    root: str | os.PathLike[str],
    key: crypto.PublicKey | None = None,
    anchor: str | os.PathLike[str] | None = None,
) -> Report:
    """Verify the audit log in *root*.

    *key* is the public key that is trusted (a PEM file, the private one's too, 32 bytes, or a
    key); without it the log is held to the key that it names itself. *anchor*: the path of a file
    with heads that a witness kept, as checkpoints or as lines of the log that told them; or the
    text of one. Reads only. Raises ``AuditInputError`` where there is no audit log or the key or
    the anchor cannot be read.
    """
    folder = Path(root)
    trusted = None if key is None else crypto.verifying_key(key)
    heads = None if anchor is None else heads_in(anchor)
    if not folder.is_dir():
        raise AuditInputError(f"there is no directory {folder}")
    files = _segment_files(folder)  # before the manifest: what begins meanwhile is not missed
    if not (folder / LOG).is_dir() and not files:
        raise AuditInputError(f"there is no audit log in {folder}")
    return _Verification(folder, trusted, heads).run(files)


def _segment_files(folder: Path) -> list[str]:
    return sorted(
        f"{path.parent.name}/{path.name.removesuffix(SUFFIX)}"
        for path in folder.glob(f"*/*{SUFFIX}")
        if path.parent.name not in (LOG, KEYS) and path.lstat().st_size
    )


class _Verification:
    """One run over one log."""

    def __init__(self, folder: Path, trusted: bytes | None, heads: list[Checkpoint] | None) -> None:
        self.folder = folder
        self.trusted = trusted
        self.heads = heads
        self.found = Collected()
        self.story = Story()
        self.links: list[Link] = []
        self.days = 0

    def run(self, files: list[str]) -> Report:
        self._manifest()
        self._keys()
        head = self._checkpoint()
        self._anchor()
        segments = records = pruned = 0
        for account in list(self.story.segments.values()):
            check = SegmentCheck(str(self.folder), account, self.story.log_id, self.found)
            read = check.run()
            if account.tombstone is not None:
                pruned += 1
            elif read is not None:
                segments += 1
                records += max(0, read - 1)
        for name in files:
            if name not in self.story.segments:
                self.found.add(FOREIGN, name, None, "the manifest knows no such segment")
        public = self.story.keys[0] if self.story.keys else None
        return Report(
            root=str(self.folder),
            findings=tuple(self.found.findings),
            notices=tuple(self.found.notices),
            segments=segments,
            records=records,
            pruned=pruned,
            days=self.days,
            log_id=self.story.log_id,
            verifier=None if public is None else verifier_key(origin_of(self.story.log_id), public),
            head=head,
        )

    def _manifest(self) -> None:
        try:
            data = read_file(str(self.folder), LOG, MANIFEST)
        except OSError as error:
            self.found.add(DELETED, _MANIFEST, None, f"it cannot be read: {type(error).__name__}")
            return
        lines, rest = split(data)
        pairs = self._accounted([without_signature(raw) for raw in lines], lines)
        if rest:
            self.found.torn(_MANIFEST, len(pairs), f"{len(rest)} bytes without an end")
        links = self.links = [found for found, _ in pairs]
        for kind, record, detail in walk(links, NO_PREVIOUS, lambda _: False):
            self.found.add(kind, _MANIFEST, record, detail)
        for place, (found, signature) in enumerate(pairs):
            if found.is_whole and self._is_signed(place, found, signature):
                self._tell(place, found.fields)

    def _accounted(
        self, told: list[tuple[bytes, bytes | None]], lines: list[bytes]
    ) -> list[tuple[Link, bytes | None]]:
        """Return the lines without the torn ones that the next line accounts for."""
        links = [(link(raw), signature) for raw, signature in told]
        kept = []
        for place, (found, signature) in enumerate(links):
            following = links[place + 1][0] if place + 1 < len(links) else None
            if not found.is_whole and following is not None and following.is_whole:
                torn = following.fields.get("torn")
                digest = sha256(lines[place]).hexdigest()
                if torn == {"bytes": len(lines[place]), "sha256": digest}:
                    self.found.notices.append(
                        f"{_MANIFEST}: a killed process left {len(lines[place])} bytes of a line"
                    )
                    continue
            kept.append((found, signature))
        return kept

    def _is_signed(self, place: int, found: Link, signature: bytes | None) -> bool:
        public = self.story.public
        if place == 0 and found.fields.get("kind") == "log":
            probe = Story()
            try:
                probe.add(found.fields)
            except (KeyError, TypeError, ValueError):
                self.found.add(MODIFIED, _MANIFEST, 0, "the first line makes no sense")
                return False
            public = probe.public
        if public is None:
            return True
        if signature is None:
            self.found.add(SEAL_MISSING, _MANIFEST, found.seq, "the line is not signed")
            return False
        if is_signed_by(public, signature, found.digest):
            return True
        others = [one for one in self.story.keys if one != public]
        if any(is_signed_by(one, signature, found.digest) for one in others):
            self.found.add(WRONG_KEY, _MANIFEST, found.seq, "signed by the key of another epoch")
        else:
            self.found.add(MODIFIED, _MANIFEST, found.seq, "its signature does not fit")
        return False

    def _tell(self, place: int, fields: dict[str, Any]) -> None:
        try:
            if fields.get("kind") == "days":
                self._days(place, fields)
            self.story.add(fields)
        except (KeyError, TypeError, ValueError):
            self.found.add(MODIFIED, _MANIFEST, place, "the line does not fit the ones before")

    def _days(self, place: int, fields: dict[str, Any]) -> None:
        before = date.fromisoformat(self.story.last_day)
        first, last = date.fromisoformat(fields["first"]), date.fromisoformat(fields["last"])
        if first != before + timedelta(days=1) or last < first:
            self.found.add(GAP, _MANIFEST, place, f"days between {before} and {first} are missing")
        told = {day: n for day, n in self.story.opened_on.items() if day <= fields["last"]}
        late = {day for day in told if day < fields["first"]}  # the clock had been set back
        if {day: n for day, n in told.items() if day not in late} != fields["opened"]:
            self.found.add(GAP, _MANIFEST, place, "another number of segments began on these days")
        self.days += (last - first).days + 1

    def _keys(self) -> None:
        keys = self.story.keys
        if not self.story.log_id:
            return
        if not keys:
            if self.trusted is not None:
                self.found.add(SEAL_MISSING, _MANIFEST, None, "the log is not signed at all")
            self.found.notices.append("the log is not signed: whoever can write it can forge it")
        elif self.trusted is None:
            self.found.notices.append(
                "held to the key that the log itself names; give the public key that you kept"
            )
        elif self.trusted not in keys:
            self.found.add(WRONG_KEY, _MANIFEST, 0, "the log was signed by another key")
        elif self.trusted != keys[0]:
            self.found.notices.append("the key given is a later one; the first one proves more")

    def _checkpoint(self) -> str:
        try:
            note = read_file(str(self.folder), LOG, CHECKPOINT)
        except OSError:
            self.found.add(SEAL_MISSING, _CHECKPOINT, None, "there is no checkpoint")
            return ""
        told = problem(note, origin_of(self.story.log_id), self._key_of(note), self._misfit)
        if told is not None:
            self.found.add(told[0], _CHECKPOINT, None, told[1])
        return note.decode(errors="replace")

    def _key_of(self, note: bytes) -> bytes | None:
        """Return the key of the epoch in which the checkpoint was made."""
        try:
            size = parsed(note)[0].size
        except ValueError:
            return self.story.public
        public: bytes | None = None
        told = Story()
        for one in self.links[:size]:
            if one.fields.get("kind") in ("log", "key"):
                try:
                    told.add(one.fields)
                except (KeyError, TypeError, ValueError):
                    continue
                public = told.public
        return public

    def _misfit(self, checkpoint: Checkpoint) -> str | None:
        if checkpoint.origin != origin_of(self.story.log_id):
            return "it is the checkpoint of another log"
        wrong = self._against(checkpoint)
        if wrong is not None:
            return wrong[1]
        behind = self.links[checkpoint.size :]
        if any(one.fields.get("append") != checkpoint.size for one in behind):
            return "it is an earlier one than the last append wrote"
        if behind:
            self.found.notices.append(f"{_CHECKPOINT} is one append behind: a process was killed")
        return None

    def _against(self, checkpoint: Checkpoint) -> tuple[str, str] | None:
        if checkpoint.size > len(self.links):
            return (
                DELETED,
                f"the manifest had {checkpoint.size} lines, and has {len(self.links)}",
            )
        if root_of([one.digest for one in self.links[: checkpoint.size]]) != checkpoint.root:
            return MODIFIED, f"the first {checkpoint.size} lines are not the ones it covers"
        return None

    def _anchor(self) -> None:
        if self.heads is None:
            return
        ours = [one for one in self.heads if one.origin == origin_of(self.story.log_id)]
        if not ours:
            self.found.add(GAP, "anchor", None, "the witness knows another log than this one")
        for one in ours:
            wrong = self._against(one)
            if wrong is not None:
                kind = GAP if wrong[0] == DELETED else wrong[0]
                self.found.add(kind, "anchor", one.size, f"rolled back or rewritten: {wrong[1]}")
