"""Checkpoints as C2SP's text formats have them: other people's tools verify ours.

A checkpoint (c2sp.org/tlog-checkpoint) is the text of three lines: origin, size, root in base64.
A signed note (c2sp.org/signed-note) adds an empty line and lines of signatures. The name of the
key is the origin of the log's own checkpoint, so one verifier key (``name+id+key``) serves them
all. An unsigned log writes the text and the empty line alone.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from logbraid.audit import crypto

_ED25519: Final = b"\x01"
_DASH: Final = "\u2014 "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: *root* over the first *size* lines of what *origin* names."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the note's text, which is what is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line of signature: whose, of which key, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes


def key_id(name: str, public: bytes) -> bytes:
    """Return the four bytes that name an Ed25519 key in a signature."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """Return the verifier key as C2SP's tools take it: ``name+id+key``."""
    return f"{name}+{key_id(name, public).hex()}+{b64encode(_ED25519 + public).decode()}"


def signed(checkpoint: Checkpoint, name: str, key: crypto.SigningKey | None) -> bytes:
    """Return the whole note; without a *key* it has no signature."""
    text = checkpoint.text()
    if key is None:
        return f"{text}\n".encode()
    public = crypto.public_of(key)
    told = b64encode(key_id(name, public) + crypto.sign(key, text.encode())).decode()
    return f"{text}\n{_DASH}{name} {told}\n".encode()


def parsed(note: bytes) -> tuple[Checkpoint, list[Signature]]:
    """Return what *note* says and its signatures; raises ``ValueError`` for what is no note."""
    text, separator, signatures = note.decode().partition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) < 3 or (signatures and not signatures.endswith("\n")):
        raise ValueError("not a checkpoint")
    if not lines[0] or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
        raise ValueError("not a checkpoint")
    root = _canonical(lines[2])
    if len(root) != 32 or len(lines) > 3:
        raise ValueError("not a checkpoint of ours")
    found = [_signature(line) for line in signatures.splitlines()]
    return Checkpoint(lines[0], int(lines[1]), root), found


def _signature(line: str) -> Signature:
    name, _, told = line.removeprefix(_DASH).partition(" ")
    raw = _canonical(told)
    if not line.startswith(_DASH) or not name or len(raw) != 68:
        raise ValueError("not a signature of a note")
    return Signature(name, raw[:4], raw[4:])


def _canonical(text: str) -> bytes:
    # A flipped bit in the padding decodes to the same bytes: only one spelling is taken
    raw = b64decode(text, validate=True)
    if b64encode(raw).decode() != text:
        raise ValueError("not canonical base64")
    return raw


def problem(
    note: bytes, name: str, public: bytes | None, holds: Callable[[Checkpoint], str | None]
) -> tuple[str, str] | None:
    """Return kind and reason of what is wrong with a note, or ``None``.

    *holds* says what is wrong with the checkpoint itself, or ``None``; it is asked after the
    signature. ``public`` is ``None`` for an unsigned log.
    """
    try:
        checkpoint, signatures = parsed(note)
    except ValueError:
        return "modified", "the checkpoint cannot be read"
    if public is not None:
        wanted = key_id(name, public)
        ours = [one for one in signatures if one.name == name]
        if not ours:
            return "seal missing", "the checkpoint is not signed"
        if all(one.key_id != wanted for one in ours):
            return "wrong key", "the checkpoint is signed by another key"
        text = checkpoint.text().encode()
        if not any(crypto.is_signed(public, one.signature, text) for one in ours):
            return "modified", "the checkpoint's signature does not fit its text"
    wrong = holds(checkpoint)
    return None if wrong is None else ("modified", wrong)
