"""The desk of one writer: it begins segments, closes them, and keeps the manifest's books.

One for each ``AuditLog`` in each process; a forked child gets a new one under a new name. All of
it is rare: a record touches the desk only where a day, a tenant or a class is new.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from logbraid.audit import crypto
from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import (
    LOG,
    MODE,
    replace_file,
    set_append_only,
    sync_directory,
    try_lock,
)
from logbraid.audit.keys import prepared
from logbraid.audit.manifest import Manifest, begin
from logbraid.audit.note import Checkpoint, signed
from logbraid.audit.policy import EventClass, Policy
from logbraid.audit.recover import closing_of
from logbraid.audit.segment import CHECKPOINT, LEAVES, SUFFIX, Segment, Title
from logbraid.audit.story import Account
from logbraid.clock import Stamper, day_of
from logbraid.health import health
from logbraid.ids import new_id
from logbraid.sinks.opening import open_file
from logbraid.tenant import directory_name


class Desk:
    """Keeps the books of one writer. Its methods are called under a strand's lock or at start."""

    def __init__(
        self,
        root: str,
        key: crypto.Key | None,
        policy: Policy,
        *,
        clock: Callable[[], int] = time.time_ns,
        timeout_seconds: float = 10.0,
        durable: bool = True,
    ) -> None:
        self.root = root
        self.policy = policy
        self.writer = os.urandom(8).hex()
        self.durable = durable
        self._given = key
        self._clock = clock
        self._stamper = Stamper()
        self._orphans: set[str] = set()
        self.manifest = Manifest(root, key, timeout_seconds=timeout_seconds, durable=durable)

    def now(self) -> str:
        """Return the stamp of now."""
        return self._stamper.stamp(self._clock())

    def start(self, *, must_exist: bool = False) -> None:
        """Begin the log or go on with it: unsigned days closed, dead writers' segments sealed."""
        with self.manifest.locked() as fd:
            self.manifest.update(fd)
            if not self.manifest.story.log_id:
                if must_exist:
                    raise AuditInputError("there is no audit log in this directory")
                at = self.now()
                before = (date.fromisoformat(day_of(at)) - timedelta(days=1)).isoformat()
                self._tell_of_segments_of_another_log()
                begin(self.manifest, fd, new_id(), at, before)
                return
            self.manifest.key()
            story = self.manifest.story
            self._orphans.update(
                one.name for one in story.segments.values() if not (one.sealed or one.lost)
            )
            self.manifest.add(fd, [*self._days(), *self._closings()], self.now())

    def _tell_of_segments_of_another_log(self) -> None:
        for path in Path(self.root).glob(f"*/*{SUFFIX}"):
            if path.parent.name != LOG:
                health.complain(
                    "audit manifest",
                    "a new log begins beside segments whose manifest is gone; run verify",
                )
                return

    def begin(
        self, tenant: str | None, kind: str, one: EventClass, day: str, number: int
    ) -> Segment:
        """Return a new segment that the manifest knows."""
        title = Title(directory_name(tenant), kind, day, self.writer, number)
        segment = Segment(self.root, title)
        try:
            with self.manifest.locked() as fd:
                self.manifest.update(fd)
                self._rotate_if_due(fd)
                opened = {"kind": "open", "segment": title.name, "tenant_id": tenant}
                opened |= {"event_class": kind, "day": day, "writer": self.writer}
                opened |= {"retention": one.retention, "payload": one.payload}
                at = self.now()
                self.manifest.add(fd, [*self._days(), *self._closings(), opened], at)
                prev = self.manifest.head
            segment.begin(prev, {**opened, "kind": "segment", "created_at": at})
            if self.policy.append_only and not segment.guard():
                health.tell_once(
                    "audit append-only",
                    "audit: the append-only attribute cannot be set here (file system or rights)",
                )
            if self.durable:
                segment.sync(whole=True)
                sync_directory(self.root, title.directory)
        except BaseException:
            self.abandon(segment)
            self._discard_if_unknown(title)
            raise
        return segment

    def seal(self, segment: Segment) -> None:
        """Close *segment* for good: synced, its leaves and checkpoint written, in the manifest."""
        self.seal_all([segment])

    def seal_all(self, segments: Sequence[Segment]) -> None:
        """Close *segments* under one line each of one append. What fails is sealed later."""
        try:
            for segment in segments:
                segment.sync(whole=True)
                segment.unguard()
            with self.manifest.locked() as fd:
                self.manifest.update(fd)
                entries = [self._closing(one) for one in segments]
                self.manifest.add(fd, [*self._days(), *entries], self.now())
            for segment in segments:
                segment.close()
        except (OSError, AuditError) as error:
            health.complain("audit seal", error)
            for segment in segments:
                self.abandon(segment)

    def _closing(self, segment: Segment) -> dict[str, Any]:
        self._write_seal(segment.title.name, bytes(segment.leaves), segment.tree.root())
        root = segment.tree.root().hex()
        return {"kind": "seal", "segment": segment.title.name, "size": segment.size, "root": root}

    def _write_seal(self, name: str, leaves: bytes, root: bytes) -> None:
        directory, stem = name.split("/")
        checkpoint = Checkpoint(f"{self.manifest.origin}/{name}", len(leaves) // 32, root)
        note = signed(checkpoint, self.manifest.origin, self.manifest.key())
        replace_file(self.root, directory, stem + LEAVES, leaves, durable=self.durable)
        replace_file(self.root, directory, stem + CHECKPOINT, note, durable=self.durable)

    def abandon(self, segment: Segment) -> None:
        """Let go of a segment that cannot be written or sealed; it is sealed with the next one."""
        segment.close()
        self._orphans.add(segment.title.name)

    def lose(self, segment: Segment) -> None:
        """Write down that the file of *segment* was deleted, moved or replaced."""
        lost = {"kind": "lost", "segment": segment.title.name, "size": segment.size}
        lost["root"] = segment.tree.root().hex()
        segment.unguard()
        segment.close()
        with self.manifest.locked() as fd:
            self.manifest.update(fd)
            self.manifest.add(fd, [lost], self.now())

    def _discard_if_unknown(self, title: Title) -> None:
        # Nothing refers to the file: a full disk must not fill with empty ones
        with suppress(OSError, AuditError):
            if title.name not in self.manifest.story.segments:
                self._orphans.discard(title.name)
                Path(self.root, title.directory, title.stem + SUFFIX).unlink()

    # -- entries that ride along -------------------------------------------------------------

    def _days(self) -> list[dict[str, Any]]:
        """Return the entry that closes the days that are over, also those without a record."""
        story = self.manifest.story
        last = date.fromisoformat(story.last_day)
        yesterday = date.fromisoformat(day_of(self.now())) - timedelta(days=1)
        if yesterday <= last:
            return []
        first = (last + timedelta(days=1)).isoformat()
        until = yesterday.isoformat()
        opened = {day: n for day, n in sorted(story.opened_on.items()) if first <= day <= until}
        return [{"kind": "days", "first": first, "last": until, "opened": opened}]

    def _closings(self) -> list[dict[str, Any]]:
        """Seal what dead writers left, and what this one had to abandon."""
        made = []
        for name in sorted(self._orphans):
            account = self.manifest.story.segments.get(name)
            if account is None or account.sealed or account.lost or account.tombstone:
                self._orphans.discard(name)
                continue
            try:
                entry = self._recovered(account)
            except OSError as error:  # later again: a new segment must not wait for an old one
                health.complain("audit recovery", error)
                continue
            if entry is not None:
                made.append(entry)
                self._orphans.discard(name)
        return made

    def _recovered(self, account: Account) -> dict[str, Any] | None:
        directory, stem = account.name.split("/")
        path = Path(self.root, directory, stem + SUFFIX)
        if not path.exists():
            return None  # verify tells
        fd = open_file(self.root, directory, stem + SUFFIX, MODE)
        try:
            if not try_lock(fd):
                return None  # its writer lives
            set_append_only(fd, wanted=False)
            os.fsync(fd)
            entry, leaves = closing_of(account, path.read_bytes())
            self._write_seal(account.name, leaves, bytes.fromhex(entry["root"]))
        finally:
            os.close(fd)
        return entry

    def note_heads(self, heads: Mapping[str, tuple[int, str]]) -> None:
        """Write down how far open segments are, so that nobody can cut them shorter unseen."""
        with self.manifest.locked() as fd:
            self.manifest.update(fd)
            entries = [*self._days(), *self._closings()]
            if heads:
                entries.append({"kind": "head", "segments": heads})
            if entries:
                self.manifest.add(fd, entries, self.now())

    # -- keys --------------------------------------------------------------------------------

    def _rotate_if_due(self, fd: int) -> None:
        days = self.policy.rotate_days
        since = self.manifest.story.key_since
        if days is None or self.manifest.story.public is None:
            return
        age = date.fromisoformat(day_of(self.now())) - date.fromisoformat(day_of(since))
        if age.days >= days:
            self._rotate(fd)

    def rotate(self) -> None:
        """Replace the signing key by a new one and erase the old one."""
        with self.manifest.locked() as fd:
            self.manifest.update(fd)
            self._rotate(fd)

    def _rotate(self, fd: int) -> None:
        self.manifest.key()
        new = prepared(self._given)
        entry = {"kind": "key", "public_key": b64encode(crypto.public_of(new)).decode()}
        self.manifest.add(fd, [entry], self.now())
