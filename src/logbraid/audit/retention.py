"""Retention: segments whose time is over are deleted whole, and stay accounted for.

First the deletion record, a signed ``tombstone`` line with each segment's size and root; then the
files. What a killed ``prune`` did not get to, the next one deletes. A day counts whole: a segment
of Monday under ``1 days`` is there until Tuesday is over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from logbraid.audit import crypto
from logbraid.audit.desk import Desk
from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.audit.files import LOG, set_append_only
from logbraid.audit.manifest import MANIFEST
from logbraid.audit.policy import Policy, first_day_without
from logbraid.audit.segment import CHECKPOINT, LEAVES, SUFFIX
from logbraid.audit.story import Account
from logbraid.clock import day_of

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What was deleted: names of *segments*, and how many an interrupted run had left."""

    segments: tuple[str, ...]
    resumed: int
    kept: int

    def __str__(self) -> str:
        more = f", {self.resumed} of an interrupted run" if self.resumed else ""
        return f"deleted {len(self.segments)} segments{more}; {self.kept} are kept"


def prune(
    root: str | os.PathLike[str],
    *,
    key: crypto.Key | None = None,
    clock: Callable[[], int] = time.time_ns,
    timeout_seconds: float = 10,
) -> PruneReport:
    """Delete what is past its retention; never a day early. May run beside writers, and again.

    *key* signs the deletion record: a signed log needs it. Raises ``AuditInputError`` where there
    is no log or the key is another one, ``AuditError`` where something cannot be deleted.
    """
    folder = Path(root)
    if not (folder / LOG / MANIFEST).is_file():
        raise AuditInputError(f"there is no audit log in {folder}")
    desk = Desk(str(folder.absolute()), key, Policy(), clock=clock, timeout_seconds=timeout_seconds)
    try:
        desk.start(must_exist=True)
        return _pruned(desk)
    except OSError as error:
        raise AuditError(f"not pruned: {type(error).__name__} (errno {error.errno})") from error


def _pruned(desk: Desk) -> PruneReport:
    manifest = desk.manifest
    with manifest.locked() as fd:
        manifest.update(fd)
        at = desk.now()
        accounts = list(manifest.story.segments.values())
        earlier = [one for one in accounts if one.tombstone is not None]
        expired = [one for one in accounts if _is_expired(one, day_of(at))]
        for first in range(0, len(expired), _BATCH):
            told = [_stone(desk, one) for one in expired[first : first + _BATCH]]
            manifest.add(fd, [{"kind": "tombstone", "segments": told}], at)
    resumed = sum(_delete(desk.root, one.name) for one in earlier)
    for one in expired:
        _delete(desk.root, one.name)
    kept = len(accounts) - len(earlier) - len(expired)
    return PruneReport(tuple(one.name for one in expired), resumed, kept)


def _is_expired(account: Account, today: str) -> bool:
    if account.tombstone is not None or (account.sealed is None and account.lost is None):
        return False
    day = date.fromisoformat(account.opened["day"])
    free = first_day_without(day, account.opened["retention"])
    return free is not None and today >= free.isoformat()


def _stone(desk: Desk, account: Account) -> dict[str, Any]:
    last = account.sealed or account.lost or {}
    stone = {"segment": account.name, "size": last.get("size"), "root": last.get("root")}
    directory, stem = account.name.split("/")
    if not Path(desk.root, directory, stem + SUFFIX).exists():
        stone["missing"] = True
    return stone


def _delete(root: str, name: str) -> bool:
    """Delete a segment's files, the records last; tell whether they were there."""
    directory, stem = name.split("/")
    path = Path(root, directory, stem + SUFFIX)
    was_there = os.path.lexists(path)
    for ending in (LEAVES, CHECKPOINT, SUFFIX):
        one = path.with_name(stem + ending)
        try:
            one.unlink(missing_ok=True)
        except PermissionError:
            fd = os.open(one, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            try:
                set_append_only(fd, wanted=False)
            finally:
                os.close(fd)
            one.unlink()
    return was_there
