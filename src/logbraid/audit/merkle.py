"""RFC 6962's Merkle tree over SHA-256: the root of a growing list, a leaf at a time.

Only the roots of the complete subtrees are kept (at most 64 hashes), so a log of millions of
records costs nothing. ``root_of`` is the plain definition, for verifying.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()

# A copy of a begun hash costs half of a new one
_LEAF: Final = sha256(b"\x00")
_NODE: Final = sha256(b"\x01")


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of a zero byte and the data (section 2.1)."""
    made = _LEAF.copy()
    made.update(data)
    return made.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of a one byte and both children."""
    made = _NODE.copy()
    made.update(left + right)
    return made.digest()


class Tree:
    """The complete subtrees of a list of leaves, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append the hash of a leaf."""
        size = self.size
        peaks = self._peaks
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root at the present size."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of *leaves*."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()
