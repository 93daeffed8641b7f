r"""A line of the log: its number, its predecessor's hash, its own hash.

::

    {"seq":7,"prev":"<64 hex>", ... ,"hash":"<64 hex>"}\n

``hash`` is the RFC 6962 leaf hash of the line without its last member: the bytes up to
``,"hash":``, and ``}``. ``prev`` is the ``hash`` of the line before. The Merkle tree of a
checkpoint has these same hashes as its leaves. Whatever is changed in a line changes its hash;
whoever mends the hash breaks the next line; whoever mends them all breaks the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from logbraid.audit.merkle import leaf_hash

NO_PREVIOUS: Final = "0" * 64
_HASH_MEMBER: Final = b',"hash":"'
_TAIL: Final = len(_HASH_MEMBER) + 64 + 2  # the member and the closing brace


def chained(body: bytes, seq: int, prev: str) -> tuple[bytes, bytes]:
    """Return *body*, a JSON object of at least one member, as a line; and its hash."""
    data = b'{"seq":%d,"prev":"%s",%s' % (seq, prev.encode(), body[1:])
    digest = leaf_hash(data)
    return b'%s,"hash":"%s"}\n' % (data[:-1], digest.hex().encode()), digest


@dataclass(frozen=True, slots=True)
class Link:
    """A line as it was found: *digest* is computed, *is_whole* says that it is what it claims."""

    raw: bytes
    digest: bytes
    is_whole: bool
    seq: int
    prev: str
    fields: dict[str, Any]


def link(raw: bytes) -> Link:
    """Read one line without its end. Never raises."""
    digest = leaf_hash(raw[:-_TAIL] + b"}")
    try:
        fields = orjson.loads(raw)
        seq, prev = fields["seq"], fields["prev"]
        is_whole = (
            type(seq) is int
            and type(prev) is str
            and raw[-_TAIL:] == _HASH_MEMBER + digest.hex().encode() + b'"}'
        )
    except (ValueError, KeyError, TypeError):
        return Link(raw, digest, is_whole=False, seq=-1, prev="", fields={})
    return Link(raw, digest, is_whole, seq if is_whole else -1, prev if is_whole else "", fields)


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines of *data* without their ends, and what follows the last end."""
    *lines, rest = data.split(b"\n")
    return lines, rest
