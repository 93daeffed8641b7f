r"""The signature of a manifest line: a last member ``sig`` behind the line's own hash.

``sig`` is Ed25519 over ``logbraid audit manifest v1\n`` and the 32 bytes of that hash, in 88
characters of base64. The line is chained without it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from logbraid.audit import crypto

_DOMAIN: Final = b"logbraid audit manifest v1\n"
_MEMBER: Final = b',"sig":"'
_TAIL: Final = len(_MEMBER) + 88 + 2


def signed_line(line: bytes, digest: bytes, key: crypto.SigningKey | None) -> bytes:
    """Return a chained *line* with its signature as the last member."""
    if key is None:
        return line
    signature = b64encode(crypto.sign(key, _DOMAIN + digest))
    return b'%s,"sig":"%s"}\n' % (line[:-2], signature)


def without_signature(raw: bytes) -> tuple[bytes, bytes | None]:
    """Return a line (without its end) as it was chained, and its signature if it has one."""
    if raw[-_TAIL : -_TAIL + len(_MEMBER)] != _MEMBER:
        return raw, None
    told = raw[-90:-2]
    try:
        signature = b64decode(told, validate=True)
    except ValueError:
        return raw, None
    if b64encode(signature) != told or raw[-2:] != b'"}':
        return raw, None
    return raw[:-_TAIL] + b"}", signature


def is_signed_by(public: bytes, signature: bytes, digest: bytes) -> bool:
    """Tell whether the line of that hash is signed by *public*."""
    return crypto.is_signed(public, signature, _DOMAIN + digest)
