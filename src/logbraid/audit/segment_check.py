"""Verify one segment against what the manifest says of it."""

from __future__ import annotations

import os
from datetime import date
from hashlib import sha256
from typing import Final

from logbraid.audit.chain import Link, link, split
from logbraid.audit.diagnose import compare, walk
from logbraid.audit.errors import AuditInputError
from logbraid.audit.files import read_file, try_lock
from logbraid.audit.findings import (
    DELETED,
    FOREIGN,
    GAP,
    INSERTED,
    MODIFIED,
    SEAL_MISSING,
    TORN_TAIL,
    Collected,
)
from logbraid.audit.manifest import origin_of
from logbraid.audit.merkle import root_of
from logbraid.audit.note import Checkpoint, problem
from logbraid.audit.policy import first_day_without
from logbraid.audit.segment import CHECKPOINT, LEAVES, SUFFIX
from logbraid.audit.story import Account

_MAX_TOLD: Final = 200


class SegmentCheck:
    """One segment: its file, its seal, its retention."""

    def __init__(self, root: str, account: Account, log_id: str, found: Collected) -> None:
        self._root = root
        self._account = account
        self._origin = origin_of(log_id)
        self._found = found
        self._name = account.name
        self._directory, _, self._stem = account.name.partition("/")

    def run(self) -> int | None:
        """Check it and return how many lines were read; ``None`` where there is nothing to read."""
        account = self._account
        if account.tombstone is not None:
            self._tombstone()
            return None
        try:
            data = read_file(self._root, self._directory, self._stem + SUFFIX)
        except PermissionError:
            raise AuditInputError(f"{self._name} may not be read by this user") from None
        except OSError as error:
            self._missing(error)
            return None
        lines, rest = split(data)
        if account.sealed is not None:
            self._sealed(lines, rest, account.sealed)
        elif account.lost is not None:
            self._lost(lines, rest, account.lost)
        else:
            self._open(lines, rest)
        return len(lines)

    def _add(self, kind: str, record: int | None, detail: str) -> None:
        self._found.add(kind, self._name, record, detail)

    def _tombstone(self) -> None:
        account = self._account
        day = date.fromisoformat(account.opened["day"])
        free = first_day_without(day, account.opened["retention"])
        if free is None or account.prune_at[:10] < free.isoformat():
            self._add(DELETED, None, "it was pruned before its retention was over")
        try:
            data = read_file(self._root, self._directory, self._stem + SUFFIX)
        except OSError:
            return
        self._found.notices.append(f"{self._name}: pruned, but still there: prune again")
        self._left(*split(data), account.sealed or account.lost or {})

    def _left(self, lines: list[bytes], rest: bytes, last: dict[str, object]) -> None:
        """Check what a killed ``prune`` left, whose seal may be deleted already."""
        links = [link(raw) for raw in lines]
        self._rest(rest, last, len(lines), int(str(last.get("size", 0))))
        if root_of([one.digest for one in links]).hex() != last.get("root"):
            self._add(FOREIGN, None, "it is not the segment that was pruned")
        else:
            self._whole(links, last, rest)

    def _missing(self, error: OSError) -> None:
        lost = self._account.lost
        if lost is not None:
            self._add(
                GAP,
                None,
                f"{lost['size'] - 1} records: the writer noticed at {lost['at']} that the"
                " file was deleted, moved or replaced",
            )
        elif isinstance(error, FileNotFoundError):
            self._add(DELETED, None, "the segment is not there")
        else:
            self._add(MODIFIED, None, f"the segment cannot be read: {type(error).__name__}")

    def _lost(self, lines: list[bytes], rest: bytes, lost: dict[str, int | str]) -> None:
        """Check a file that its writer had lost sight of: fine if it is back, and whole."""
        links = [link(raw) for raw in lines]
        size = int(lost["size"])
        if root_of([one.digest for one in links[:size]]).hex() == lost["root"]:
            self._chain(links[:size])
            if rest or len(lines) > size:
                self._add(INSERTED, size, "its writer had left it, and did not write this")
            return
        self._add(
            GAP,
            None,
            f"{size - 1} records: the file was replaced while in use, noticed at {lost['at']}",
        )
        self._chain(links)

    # -- sealed ------------------------------------------------------------------------------

    def _sealed(self, lines: list[bytes], rest: bytes, sealed: dict[str, object]) -> None:
        size, root = int(str(sealed["size"])), bytes.fromhex(str(sealed["root"]))
        leaves = self._leaves(size, root)
        links = [link(raw) for raw in lines]
        digests = [one.digest for one in links]
        self._rest(rest, sealed, len(lines), size)
        self._checkpoint(size, root)
        if "recovered" in sealed:  # it was cut, or written anew, before it was sealed
            self._head(digests)
        if digests == leaves if leaves is not None else root_of(digests) == root:
            self._whole(links, sealed, rest)
            return
        if leaves is None:
            told = len(self._found.findings)
            self._chain(links)
            if len(self._found.findings) == told:
                self._add(MODIFIED, None, "its records are not the ones that were sealed")
            return
        torn = len(lines) if rest and len(lines) < size else None
        for kind, record, detail in compare(links, leaves, self._is_foreign)[:_MAX_TOLD]:
            if kind == DELETED and record == torn:
                continue  # told as the torn tail
            self._add(kind, record, detail)

    def _whole(self, links: list[Link], last: dict[str, object], rest: bytes) -> None:
        """Check the chain of all that was sealed."""
        if "recovered" in last and _has_zeros(links) and not rest:
            self._torn(links.pop().raw, len(links))
        self._chain(links)

    def _leaves(self, size: int, root: bytes) -> list[bytes] | None:
        try:
            data = read_file(self._root, self._directory, self._stem + LEAVES)
        except OSError:
            self._add(SEAL_MISSING, None, f"{LEAVES} is not there")
            return None
        leaves = [data[place : place + 32] for place in range(0, len(data), 32)]
        if len(data) != 32 * size or root_of(leaves) != root:
            self._add(MODIFIED, None, f"{LEAVES} does not fit the seal")
            return None
        return leaves

    def _rest(self, rest: bytes, sealed: dict[str, object], lines: int, size: int) -> None:
        torn = sealed.get("torn")
        told = {"bytes": len(rest), "sha256": sha256(rest).hexdigest()} if rest else None
        if torn == told:
            if torn:
                self._torn(rest, lines)
        elif torn:
            self._add(MODIFIED, lines, "the torn tail is not the one that was sealed")
        elif lines < size:
            self._add(TORN_TAIL, lines, "the seal covers the whole record")
        else:
            self._add(INSERTED, lines, f"{len(rest)} bytes behind the last record")

    def _checkpoint(self, size: int, root: bytes) -> None:
        try:
            note = read_file(self._root, self._directory, self._stem + CHECKPOINT)
        except OSError:
            self._add(SEAL_MISSING, None, "its checkpoint is not there")
            return
        wanted = Checkpoint(f"{self._origin}/{self._name}", size, root)

        def misfit(told: Checkpoint) -> str | None:
            return None if told == wanted else "the checkpoint is not the one of this segment"

        told = problem(note, self._origin, self._account.sealed_in, misfit)
        if told is not None:
            self._add(told[0], None, told[1])

    # -- not sealed --------------------------------------------------------------------------

    def _open(self, lines: list[bytes], rest: bytes) -> None:
        links = [link(raw) for raw in lines]
        if _has_zeros(links) and not rest:
            rest = links.pop().raw
        self._chain(links)
        self._head([one.digest for one in links])
        if self._is_held():
            self._found.notices.append(f"{self._name}: being written, not sealed yet")
            return
        if rest:
            self._torn(rest, len(links))
        self._found.notices.append(
            f"{self._name}: its writer ended without a seal; the next start seals it"
        )

    def _head(self, digests: list[bytes]) -> None:
        size, root = self._account.head
        if len(digests) < size:
            self._add(DELETED, len(digests), f"it had {size - 1} records when its head was noted")
        elif size and root_of(digests[:size]).hex() != root:
            self._add(MODIFIED, None, f"its first {size} lines are not those whose head was noted")

    def _is_held(self) -> bool:
        path = os.path.join(self._root, self._directory, self._stem + SUFFIX)  # noqa: PTH118 - text
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return False
        try:
            return not try_lock(fd)
        finally:
            os.close(fd)

    def _torn(self, rest: bytes, record: int) -> None:
        self._found.torn(
            self._name, record, f"{len(rest)} bytes of a record that was never acknowledged"
        )

    # -- both --------------------------------------------------------------------------------

    def _chain(self, links: list[Link]) -> None:
        told = walk(links, str(self._account.opened.get("hash", "")), self._is_foreign)
        for kind, record, detail in told[:_MAX_TOLD]:
            self._add(kind, record, detail)

    def _is_foreign(self, one: Link) -> bool:
        """Tell whether a whole line says itself that it is another segment's."""
        if not one.is_whole:
            return False
        opened, fields = self._account.opened, one.fields
        if fields.get("kind") == "segment":
            return bool(fields.get("segment") != self._name)
        return bool(
            fields.get("tenant_id") != opened["tenant_id"]
            or fields.get("event_class") != opened["event_class"]
            or str(fields.get("created_at", ""))[:10] != opened["day"]
        )


def _has_zeros(links: list[Link]) -> bool:
    """Tell whether the last line has zeros: a power cut left a sector of it unwritten."""
    return bool(links) and not links[-1].is_whole and b"\x00" in links[-1].raw
