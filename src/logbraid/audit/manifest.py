r"""The manifest: one signed chain of everything that happened to segments.

``_log/manifest.jsonl``, a chained line (``chain.py``) for each event, signed one by one:

=============  ====================================================================================
``log``        the first: the log's id, its public key
``open``       a segment is begun: its tenant, class, day, writer, retention and payload policy
``head``       how far the open segments of a writer are: size and root of each
``seal``       a segment is closed: size, root; torn bytes behind it, if its writer died
``lost``       a writer noticed that its segment was deleted, moved or replaced
``days``       UTC days that are over, and how many segments were begun on each: none is a day too
``tombstone``  segments whose retention is over, with size and root: now they are deleted
``key``        the next public key, signed by the last one
=============  ====================================================================================

``append`` is the number of the first line of the same append. A signed line has a last member
``sig``: Ed25519 over ``logbraid audit manifest v1\n`` and the line's hash. ``_log/checkpoint`` is
a signed C2SP checkpoint over all lines, replaced at every append.

Appending takes the lock of the file for some microseconds, when a segment begins and ends, never
for a record. A torn line of a killed process stays; the next one accounts for it in ``torn``.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson

from logbraid.audit import crypto
from logbraid.audit.chain import NO_PREVIOUS, chained, link
from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import LOG, LockedFile, read_file, replace_file, sync_data, write_all
from logbraid.audit.keys import loaded
from logbraid.audit.merkle import Tree
from logbraid.audit.note import Checkpoint, signed, verifier_key
from logbraid.health import health

MANIFEST: Final = "manifest.jsonl"
CHECKPOINT: Final = "checkpoint"
_DOMAIN: Final = b"logbraid audit manifest v1\n"
_SIG_MEMBER: Final = b',"sig":"'
_SIG_TAIL: Final = len(_SIG_MEMBER) + 88 + 2


def signed_line(line: bytes, digest: bytes, key: crypto.SigningKey | None) -> bytes:
    """Return a chained *line* with its signature as the last member."""
    if key is None:
        return line
    signature = b64encode(crypto.sign(key, _DOMAIN + digest))
    return b'%s,"sig":"%s"}\n' % (line[:-2], signature)


def without_signature(raw: bytes) -> tuple[bytes, bytes | None]:
    """Return a line (without its end) as it was chained, and its signature if it has one."""
    if raw[-_SIG_TAIL : -_SIG_TAIL + len(_SIG_MEMBER)] != _SIG_MEMBER:
        return raw, None
    told = raw[-90:-2]
    try:
        signature = b64decode(told, validate=True)
    except ValueError:
        return raw, None
    if b64encode(signature) != told or raw[-2:] != b'"}':
        return raw, None
    return raw[:-_SIG_TAIL] + b"}", signature


def is_signed_by(public: bytes, signature: bytes, digest: bytes) -> bool:
    """Tell whether the line of that hash is signed by *public*."""
    return crypto.is_signed(public, signature, _DOMAIN + digest)


def origin_of(log_id: str) -> str:
    """Return the origin of a log's checkpoints, which is also the name of its keys."""
    return f"logbraid.audit/{log_id}"


@dataclass(slots=True)
class Account:
    """What the manifest says of one segment."""

    name: str
    opened: dict[str, Any]
    sealed: dict[str, Any] | None = None
    lost: dict[str, Any] | None = None
    tombstone: dict[str, Any] | None = None
    head: tuple[int, str] = (0, "")
    sealed_in: bytes | None = None
    """The public key of the epoch in which it was sealed."""
    prune_at: str = ""


@dataclass(slots=True)
class Story:
    """What a manifest tells, line by line."""

    log_id: str = ""
    public: bytes | None = None
    keys: list[bytes] = field(default_factory=list)
    segments: dict[str, Account] = field(default_factory=dict)
    opened_on: dict[str, int] = field(default_factory=dict)
    last_day: str = ""
    """The last day that a ``days`` line closed, or the one before the log began."""
    key_since: str = ""
    last_at: str = ""

    def add(self, fields: dict[str, Any]) -> None:
        """Take the next line into account."""
        self.last_at = max(self.last_at, str(fields.get("at", "")))
        tell = getattr(self, f"_add_{fields.get('kind')}", None)
        if tell is not None:
            tell(fields)

    def _add_log(self, fields: dict[str, Any]) -> None:
        self.log_id = fields["log"]
        self.last_day = fields["before"]
        self._add_key(fields)

    def _add_key(self, fields: dict[str, Any]) -> None:
        told = fields.get("public_key")
        self.public = None if told is None else b64decode(told)
        self.key_since = fields["at"]
        if self.public is not None:
            self.keys.append(self.public)

    def _add_open(self, fields: dict[str, Any]) -> None:
        self.segments[fields["segment"]] = Account(fields["segment"], fields)
        self.opened_on[fields["day"]] = self.opened_on.get(fields["day"], 0) + 1

    def _add_head(self, fields: dict[str, Any]) -> None:
        for name, (size, root) in fields["segments"].items():
            if name in self.segments:
                self.segments[name].head = (size, root)

    def _add_seal(self, fields: dict[str, Any]) -> None:
        account = self.segments[fields["segment"]]
        account.sealed, account.sealed_in = fields, self.public

    def _add_lost(self, fields: dict[str, Any]) -> None:
        self.segments[fields["segment"]].lost = fields

    def _add_days(self, fields: dict[str, Any]) -> None:
        self.last_day = fields["last"]
        for day in [day for day in self.opened_on if day <= self.last_day]:
            del self.opened_on[day]

    def _add_tombstone(self, fields: dict[str, Any]) -> None:
        for one in fields["segments"]:
            account = self.segments[one["segment"]]
            account.tombstone, account.prune_at = one, fields["at"]


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
        except (KeyError, TypeError, ValueError):
            health.complain("audit manifest", "a line does not fit the ones before; run verify")
        self.tree.add(digest)
        self._prev = digest.hex()

    def add(self, fd: int, entries: Sequence[dict[str, Any]], at: str) -> None:
        """Append *entries*, signed, and replace the checkpoint; the lock is held.

        Raises ``OSError``. Lines that were written whole count, also where a later step failed.
        """
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
        except OSError:
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

    def note(self) -> bytes:
        """Return the signed checkpoint over all lines."""
        return signed(self.checkpoint(), self.origin, self.key())

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self._prev

    def verifier(self) -> str | None:
        """Return the verifier key for C2SP's tools, ``None`` for an unsigned log."""
        public = self.story.public
        return None if public is None else verifier_key(self.origin, public)


def begin(manifest: Manifest, fd: int, log_id: str, at: str, before: str) -> None:
    """Write the first line of a new log."""
    key = manifest.key()
    public = None if key is None else b64encode(crypto.public_of(key)).decode()
    manifest.add(
        fd,
        [{"kind": "log", "log": log_id, "format": 1, "before": before, "public_key": public}],
        at,
    )
