"""Sealing what a killed process left open: a plain reading of its file.

Every line that has its end is covered as it was found, also one that is damaged: a seal is no
absolution, ``verify`` still reads the chain. What follows the last end was never acknowledged; it
is accounted for as ``torn``, with its length and digest.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from logbraid.audit.chain import link, split
from logbraid.audit.merkle import root_of
from logbraid.audit.story import Account


def closing_of(account: Account, data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the ``seal`` entry for a segment whose writer died, and its leaf hashes."""
    lines, rest = split(data)
    leaves = [link(raw).digest for raw in lines]
    entry: dict[str, Any] = {
        "kind": "seal",
        "segment": account.name,
        "size": len(leaves),
        "root": root_of(leaves).hex(),
        "recovered": True,
    }
    if rest:
        entry["torn"] = {"bytes": len(rest), "sha256": sha256(rest).hexdigest()}
    return entry, b"".join(leaves)
