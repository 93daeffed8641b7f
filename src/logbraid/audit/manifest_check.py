"""Verify the manifest and its checkpoint: the chain, each signature, the days, what it all tells.

What it tells is a ``Story`` of the lines that are whole and signed as they should be; segments
are then held against that (``segment_check.py``).
"""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Final

from logbraid.audit.chain import NO_PREVIOUS, Link, link, split
from logbraid.audit.diagnose import walk
from logbraid.audit.errors import AuditInputError
from logbraid.audit.files import LOG, held_still, read_file
from logbraid.audit.findings import DELETED, GAP, MODIFIED, SEAL_MISSING, WRONG_KEY, Collected
from logbraid.audit.manifest import CHECKPOINT, MANIFEST, origin_of
from logbraid.audit.merkle import root_of
from logbraid.audit.note import Checkpoint, parsed, problem
from logbraid.audit.signature import is_signed_by, without_signature
from logbraid.audit.story import Story

WHERE: Final = f"{LOG}/{MANIFEST}"
_CHECKPOINT: Final = f"{LOG}/{CHECKPOINT}"
_LOCK_SECONDS: Final = 2.0


class ManifestCheck:
    """The manifest in *root* as it is now, verified at once; ``found`` says what is wrong.

    ``is_nothing`` where there is neither a line nor a checkpoint.
    """

    def __init__(self, root: str) -> None:
        self.found = Collected()
        self.story = Story()
        self.head = ""
        self.days = 0
        self._links: list[Link] = []
        text, note = _both(root)
        self.is_nothing = isinstance(note, OSError) and (isinstance(text, OSError) or not text)
        if isinstance(text, OSError):
            self.found.add(DELETED, WHERE, None, f"it cannot be read: {type(text).__name__}")
        else:
            self._lines(text)
        if not isinstance(note, OSError):
            self._checkpoint(note)
        elif any(one.fields.get("append") != 0 for one in self._links):
            self.found.add(SEAL_MISSING, _CHECKPOINT, None, "there is no checkpoint")
        else:
            self.found.notices.append(f"{_CHECKPOINT}: not there yet: a process was killed")

    def _lines(self, data: bytes) -> None:
        lines, rest = split(data)
        pairs = self._accounted([without_signature(raw) for raw in lines], lines)
        if rest:
            self.found.torn(WHERE, len(pairs), f"{len(rest)} bytes without an end")
        links = self._links = [found for found, _ in pairs]
        for kind, record, detail in walk(links, NO_PREVIOUS, lambda _: False):
            self.found.add(kind, WHERE, record, detail)
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
                        f"{WHERE}: a killed process left {len(lines[place])} bytes of a line"
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
            except ValueError:
                self.found.add(MODIFIED, WHERE, 0, "the first line makes no sense")
                return False
            public = probe.public
        if public is None:
            return True
        if signature is None:
            self.found.add(SEAL_MISSING, WHERE, found.seq, "the line is not signed")
            return False
        if is_signed_by(public, signature, found.digest):
            return True
        others = [one for one in self.story.keys if one != public]
        if any(is_signed_by(one, signature, found.digest) for one in others):
            self.found.add(WRONG_KEY, WHERE, found.seq, "signed by the key of another epoch")
        else:
            self.found.add(MODIFIED, WHERE, found.seq, "its signature does not fit")
        return False

    def _tell(self, place: int, fields: dict[str, Any]) -> None:
        try:
            if fields.get("kind") == "days":
                self._days(place, fields)
            elif fields.get("kind") == "broken":
                told = f"whoever began at {fields['at']} found another checkpoint than its lines'"
                self.found.add(GAP, WHERE, place, told)
            self.story.add(fields)
        except (KeyError, TypeError, ValueError):
            self.found.add(MODIFIED, WHERE, place, "the line does not fit the ones before")

    def _days(self, place: int, fields: dict[str, Any]) -> None:
        before = date.fromisoformat(self.story.last_day)
        first, last = date.fromisoformat(fields["first"]), date.fromisoformat(fields["last"])
        if first != before + timedelta(days=1) or last < first:
            self.found.add(GAP, WHERE, place, f"days between {before} and {first} are missing")
        told = {day: n for day, n in self.story.opened_on.items() if day <= fields["last"]}
        late = {day for day in told if day < fields["first"]}  # the clock had been set back
        if {day: n for day, n in told.items() if day not in late} != fields["opened"]:
            self.found.add(GAP, WHERE, place, "another number of segments began on these days")
        self.days += (last - first).days + 1

    def _checkpoint(self, note: bytes) -> None:
        told = problem(note, origin_of(self.story.log_id), self._key_of(note), self._misfit)
        if told is not None:
            self.found.add(told[0], _CHECKPOINT, None, told[1])
        self.head = note.decode(errors="replace")

    def _key_of(self, note: bytes) -> bytes | None:
        """Return the key of the epoch in which the checkpoint was made."""
        try:
            size = parsed(note)[0].size
        except ValueError:
            return self.story.public
        public: bytes | None = None
        told = Story()
        for one in self._links[:size]:
            if one.fields.get("kind") in ("log", "key"):
                try:
                    told.add(one.fields)
                except ValueError:
                    continue
                public = told.public
        return public

    def _misfit(self, checkpoint: Checkpoint) -> str | None:
        if checkpoint.origin != origin_of(self.story.log_id):
            return "it is the checkpoint of another log"
        wrong = self.against(checkpoint)
        if wrong is not None:
            return wrong[1]
        behind = self._links[checkpoint.size :]
        if any(one.fields.get("append") != checkpoint.size for one in behind):
            return "it is an earlier one than the last append wrote"
        if behind:
            self.found.notices.append(f"{_CHECKPOINT} is one append behind: a process was killed")
        return None

    def against(self, checkpoint: Checkpoint) -> tuple[str, str] | None:
        """Return kind and reason of what a checkpoint of this log says otherwise, or ``None``."""
        if checkpoint.size > len(self._links):
            return (
                DELETED,
                f"the manifest had {checkpoint.size} lines, and has {len(self._links)}",
            )
        if root_of([one.digest for one in self._links[: checkpoint.size]]) != checkpoint.root:
            return MODIFIED, f"the first {checkpoint.size} lines are not the ones it covers"
        return None


def _both(root: str) -> tuple[bytes | OSError, bytes | OSError]:
    """Return the manifest and the checkpoint of one moment; a log may be written to meanwhile."""
    while True:
        with held_still(root, LOG, MANIFEST, _LOCK_SECONDS):
            before, text, note = (_text(root, name) for name in (CHECKPOINT, MANIFEST, CHECKPOINT))
        # Where there was no lock to have, a checkpoint that stayed the same fits what was read
        if before == note or isinstance(note, OSError):
            return text, note


def _text(root: str, name: str) -> bytes | OSError:
    try:
        return read_file(root, LOG, name)
    except PermissionError:
        raise AuditInputError(f"{LOG}/{name} may not be read by this user") from None
    except OSError as error:
        return error
