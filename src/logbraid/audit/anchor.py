"""Heads that a witness kept: checkpoints, or lines of a log that told them."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from logbraid.audit.errors import AuditInputError
from logbraid.audit.note import Checkpoint, parsed


def heads_in(anchor: str | os.PathLike[str]) -> list[Checkpoint]:
    """Return every head that *anchor* holds: a file's path, or the text itself.

    Takes one signed checkpoint, and JSON lines with a member ``checkpoint`` among any others.
    Raises ``AuditInputError`` where there is none.
    """
    text = _text_of(anchor)
    try:
        return [parsed(text)[0]]
    except ValueError:
        heads = [head for line in text.splitlines() if (head := _told(line)) is not None]
    if not heads:
        raise AuditInputError("the anchor holds no head of an audit log")
    return heads


def _text_of(anchor: str | os.PathLike[str]) -> bytes:
    if isinstance(anchor, str) and "\n" in anchor:
        return anchor.encode()
    try:
        return Path(anchor).read_bytes()
    except OSError as error:
        raise AuditInputError(f"the anchor cannot be read: {type(error).__name__}") from None


def _told(line: bytes) -> Checkpoint | None:
    if b'"checkpoint"' not in line:
        return None
    try:
        return parsed(orjson.loads(line)["checkpoint"].encode())[0]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
