r"""The manifest: one signed chain of everything that happened to segments.

``_log/manifest.jsonl``, a chained line (``chain.py``) for each event, signed one by one.
What each kind of line says stands in ``story.py``, how one is signed in ``signature.py``.

``append`` is the number of the first line of the same append. ``_log/checkpoint`` is a signed C2SP
checkpoint over all lines, replaced at every append.

Appending takes the lock of the file for some microseconds, when a segment begins and ends, never
for a record. A torn line of a killed process stays; the next one accounts for it in ``torn``.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from logbraid.audit import crypto
from logbraid.audit.chain import NO_PREVIOUS, chained, link
from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import LOG, LockedFile, read_file, replace_file, sync_data, write_all
from logbraid.audit.keys import loaded
from logbraid.audit.merkle import Tree, root_of
from logbraid.audit.note import Checkpoint, problem, signed
from logbraid.audit.signature import signed_line, without_signature
from logbraid.audit.story import Story
from logbraid.health import health

MANIFEST: Final = "manifest.jsonl"
CHECKPOINT: Final = "checkpoint"


def origin_of(log_id: str) -> str:
    """Return the origin of a log's checkpoints, which is also the name of its keys."""
    return f"logbraid.audit/{log_id}"


class Manifest:
    """The manifest as a writer has it. *key* is reloaded when another process rotated it."""

    def __init__(
        self,
        root: str,
        key: crypto.Key | None,
        *,
        timeout_seconds: float = 10.0,
        durable: bool = True,
    ) -> None:
        self.root = root
        self.story = Story()
        self.tree = Tree()
        self._given = key
        self._key: crypto.SigningKey | None = None
        self._durable = durable
        self._file = LockedFile(root, LOG, MANIFEST, timeout_seconds)
        self._offset = 0
        self._prev = NO_PREVIOUS
        self._torn = b""

    @property
    def origin(self) -> str:
        """The name of the log in its checkpoints."""
        return origin_of(self.story.log_id)

    def key(self) -> crypto.SigningKey | None:
        """Return the key of the present epoch; raises ``AuditInputError`` if it is not ours."""
        public = self.story.public
        if self._given is None:
            if public is not None:
                raise AuditInputError("this log is signed: its key is needed")
            return None
        if self.story.log_id and public is None:
            raise AuditInputError("this log was begun without a key, and stays without one")
        if self._key is None or (public is not None and crypto.public_of(self._key) != public):
            self._key = loaded(self._given, public)
        return self._key

    def locked(self) -> LockedFile:
        """Return the manifest's lock, for a with block in which ``update`` and ``add`` work."""
        return self._file

    def update(self, fd: int) -> None:
        """Read what others appended since; the lock is held."""
        size = os.fstat(fd).st_size
        if size < self._offset:
            raise AuditError("the manifest was truncated while it was in use")
        data = b""
        while len(data) < size - self._offset:
            piece = os.pread(fd, size - self._offset - len(data), self._offset + len(data))
            if not piece:
                break
            data += piece
        whole, end, self._torn = data.rpartition(b"\n")
        if self._torn and link(without_signature(self._torn)[0]).is_whole:
            write_all(fd, b"\n")  # only its end is missing: the line counts
            whole, end, self._torn = data, b"\n", b""
        if end:
            self._take(whole.split(b"\n"))
            self._offset += len(whole) + 1

    def _take(self, lines: Sequence[bytes]) -> None:
        for raw in lines:
            found = link(without_signature(raw)[0])
            if not found.is_whole:
                continue  # what a killed process left of a line: the next line accounts for it
            self._remember(found.digest, found.fields)

    def _remember(self, digest: bytes, fields: dict[str, Any]) -> None:
        try:
            self.story.add(fields)
        except ValueError:
            health.complain("audit manifest", "a line does not fit the ones before; run verify")
        self.tree.add(digest)
        self._prev = digest.hex()

    def add(self, fd: int, entries: Sequence[dict[str, Any]], at: str) -> None:
        """Append *entries*, signed, and replace the checkpoint; the lock is held.

        Raises ``OSError``. Lines that were written whole count, also where a later step failed.
        A checkpoint that a killed process left one append behind is replaced first, so that it is
        never two behind; what does not fit is kept in a line ``broken``.
        """
        if self.tree.size and not self.checkpoint_is_current():
            broken = self._broken(fd)
            entries = [*broken, *entries]
            if not broken:
                self.write_checkpoint()
        if entries:
            self._append(fd, entries, at)

    def _append(self, fd: int, entries: Sequence[dict[str, Any]], at: str) -> None:
        key = self.key()
        lines = self._lines(entries, at, key)
        data = b"".join(line for line, _, _ in lines)
        if self._torn:
            data = b"\n" + data
        try:
            write_all(fd, data)
            if self._durable:
                sync_data(fd)
        except OSError:
            self.update(fd)
            raise
        for _, digest, fields in lines:
            self._remember(digest, fields)
        self._offset += len(self._torn) + len(data)
        self._torn = b""
        self.write_checkpoint()

    def _lines(
        self, entries: Sequence[dict[str, Any]], at: str, key: crypto.SigningKey | None
    ) -> list[tuple[bytes, bytes, dict[str, Any]]]:
        made = []
        first, prev = self.tree.size, self._prev
        for number, entry in enumerate(entries):
            fields = {"at": at, "append": first, **entry}
            if self._torn and number == 0:
                fields["torn"] = {
                    "bytes": len(self._torn),
                    "sha256": sha256(self._torn).hexdigest(),
                }
            line, digest = chained(orjson.dumps(fields), first + number, prev)
            made.append((signed_line(line, digest, key), digest, fields))
            prev = digest.hex()
        return made

    def write_checkpoint(self) -> None:
        """Replace the checkpoint by one over all lines; the lock is held."""
        note = signed(self.checkpoint(), self.origin, self.key())
        try:
            replace_file(self.root, LOG, CHECKPOINT, note, durable=self._durable)
        except OSError:  # the lines are on disk already: one error that passes must not fail them
            replace_file(self.root, LOG, CHECKPOINT, note, durable=self._durable)

    def checkpoint(self) -> Checkpoint:
        """Return what the log's checkpoint says now."""
        return Checkpoint(self.origin, self.tree.size, self.tree.root())

    def checkpoint_is_current(self) -> bool:
        """Tell whether the checkpoint covers every line; a killed process may have left it."""
        try:
            return read_file(self.root, LOG, CHECKPOINT).startswith(
                self.checkpoint().text().encode()
            )
        except OSError:
            return False

    def _broken(self, fd: int) -> list[dict[str, Any]]:
        """Return the entry that keeps what the next checkpoint would wash away; the lock is held.

        There is one where the checkpoint that was found is not ours, or not one of these lines.
        """
        try:
            note = read_file(self.root, LOG, CHECKPOINT)
        except FileNotFoundError:
            is_ours = self.tree.size == 1  # killed before there ever was one
            note = b""
        else:
            keys: list[bytes | None] = [*self.story.keys] or [None]
            is_ours = any(
                problem(note, self.origin, key, lambda one: self._misfit(fd, one)) is None
                for key in keys
            )
        if is_ours:
            return []
        health.complain("audit manifest", "its checkpoint does not fit; run verify")
        return [{"kind": "broken", "size": self.tree.size, "found": note.decode(errors="replace")}]

    def _misfit(self, fd: int, told: Checkpoint) -> str | None:
        if told.size == self.tree.size:
            root = self.tree.root()
        else:
            lines = os.pread(fd, self._offset, 0).split(b"\n")
            links = [link(without_signature(raw)[0]) for raw in lines]
            root = root_of([one.digest for one in links if one.is_whole][: told.size])
        fits = told.size <= self.tree.size and (told.origin, told.root) == (self.origin, root)
        return None if fits else "it is not one of these lines"

    def note(self) -> bytes:
        """Return the signed checkpoint over all lines."""
        return signed(self.checkpoint(), self.origin, self.key())

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self._prev


def begin(manifest: Manifest, fd: int, log_id: str, at: str, before: str) -> None:
    """Write the first line of a new log."""
    key = manifest.key()
    public = None if key is None else b64encode(crypto.public_of(key)).decode()
    manifest.add(
        fd,
        [{"kind": "log", "log": log_id, "format": 1, "before": before, "public_key": public}],
        at,
    )
