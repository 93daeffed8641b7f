"""Reading an audit log: its records in the order of time, and encrypted payloads with their key.

Reading proves nothing: ``verify`` does.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from logbraid.audit import crypto
from logbraid.audit.errors import AuditInputError
from logbraid.audit.files import KEYS, LOG, listable, opened_file
from logbraid.audit.payload import Unreadable, bound_to, opened
from logbraid.audit.secrets import Secrets
from logbraid.audit.segment import SUFFIX
from logbraid.tenant import directory_name

_when = itemgetter("created_at")


def read(
    root: str | os.PathLike[str],
    *,
    since: str = "",
    until: str = "",
    tenant: str | None = None,
    event_class: str | None = None,
    **fields: Any,
) -> Iterator[dict[str, Any]]:
    """Yield the records in *root* in the order of their ``created_at``, each with its ``segment``.

    *since* (inclusive) and *until* (exclusive) are stamps or their beginnings (``2026-11-21``).
    *fields* are what a record must say: ``user_id="u-7"``, ``action="order.refund"``. A torn or
    damaged line is passed over. Memory: one record for each segment. Raises ``AuditInputError``
    where there is no audit log, or one that this user may not read.
    """
    folder = Path(root)
    if not (folder / LOG).is_dir():
        raise AuditInputError(f"there is no audit log in {folder}")
    wanted = {name: value for name, value in fields.items() if value is not None}
    if tenant is not None:
        wanted["tenant_id"] = tenant
    if event_class is not None:
        wanted["event_class"] = event_class
    sources = [
        _records(path)
        for path in _files(folder, tenant, event_class)
        if _may_hold(path, since, until)
    ]
    return (
        one
        for one in heapq.merge(*sources, key=_when)
        if one["created_at"] >= since
        and (not until or one["created_at"] < until)
        and all(one.get(name) == value for name, value in wanted.items())
    )


def _files(folder: Path, tenant: str | None, event_class: str | None) -> list[Path]:
    directory = "*" if tenant is None else directory_name(tenant)
    paths = folder.glob(f"{directory}/{event_class or '*'}.*{SUFFIX}")
    listable(folder, *(one for one in folder.glob(directory) if one.name not in (LOG, KEYS)))
    return sorted(path for path in paths if path.parent.name not in (LOG, KEYS))


def _may_hold(path: Path, since: str, until: str) -> bool:
    day = path.name.split(".")[1]
    return day >= since[:10] and (not until or day <= until[:10])


def _records(path: Path) -> Iterator[dict[str, Any]]:
    name = f"{path.parent.name}/{path.name.removesuffix(SUFFIX)}"
    try:
        file = opened_file(str(path))
    except PermissionError:
        raise AuditInputError(f"{name} may not be read by this user") from None
    except OSError:
        return  # pruned meanwhile, or a link: nothing of ours
    with file:
        for raw in file:
            try:
                record = orjson.loads(raw)
            except ValueError:
                continue
            if not isinstance(record, dict) or record.get("kind") == "segment":
                continue
            if isinstance(record.get("created_at"), str):
                yield {**record, "segment": name}


def decrypt(
    root: str | os.PathLike[str], key: crypto.Reader, **wanted: Any
) -> Iterator[dict[str, Any]]:
    """Yield the records that *wanted* asks ``read`` for, encrypted payloads decrypted.

    *key* is the X25519 private key that belongs to the recipient. A payload that cannot be read
    becomes ``{"policy": "full", "unreadable": why}``: ``forgotten`` where the user's key is not
    in ``_keys`` (a ``forget_me`` record says whether that was asked for), else another key or a
    damaged text. Nothing of it is written anywhere.
    """
    reader = crypto.reading_key(key)
    listable(Path(root, KEYS))  # else everybody would seem forgotten
    secrets = Secrets(str(Path(root))).by_id() if Path(root).is_dir() else {}
    return (_decrypted(one, reader, secrets) for one in read(root, **wanted))


def _decrypted(
    record: dict[str, Any], reader: crypto.ReadingKey, secrets: dict[str, bytes]
) -> dict[str, Any]:
    kept = record.get("payload")
    if not isinstance(kept, dict) or "ciphertext" not in kept:
        return record
    bound = bound_to(record.get("id", ""), record.get("event_class", ""), record.get("tenant_id"))
    try:
        return {**record, "payload": opened(kept, reader, secrets, bound)}
    except Unreadable as why:
        return {**record, "payload": {"policy": "full", "unreadable": str(why)}}
