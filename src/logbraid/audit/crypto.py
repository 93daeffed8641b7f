"""The four primitives, all from ``cryptography``: Ed25519, X25519, HKDF-SHA256, AES-256-GCM.

The only module that imports it. Keys cross this border as PEM files or as the library's objects,
signatures and public keys as raw bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from logbraid.audit.errors import AuditInputError

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.x25519 import (
        X25519PrivateKey,
        X25519PublicKey,
    )
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as missing:
    raise ImportError(
        "the audit log needs cryptography: pip install 'logbraid[audit]'", name="cryptography"
    ) from missing

_RAW: Final = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)

Key = str | os.PathLike[str] | Ed25519PrivateKey
"""What signs: the path of a PEM file, or the key itself."""

PublicKey = str | os.PathLike[str] | bytes | Ed25519PrivateKey | Ed25519PublicKey
"""What verifies: the path of a PEM file (public, or the private one), 32 bytes, or a key."""

Recipient = str | os.PathLike[str] | X25519PublicKey
"""To whom payloads are encrypted."""

Reader = str | os.PathLike[str] | X25519PrivateKey
"""Who reads encrypted payloads."""

SigningKey = Ed25519PrivateKey
ReadingKey = X25519PrivateKey
EncryptionKey = X25519PublicKey


def _loaded(path: Any, wanted: str) -> Any:
    """Return the key that the PEM file at *path* holds, private or public."""
    if "\n" in str(path) or "\0" in str(path):  # the key itself, which no message may show
        raise AuditInputError(f"{wanted} is to be the path of its file, not its text")
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise AuditInputError(f"{wanted} cannot be read: {type(error).__name__}: {path}") from None
    try:
        if b"PRIVATE KEY" in text:
            return serialization.load_pem_private_key(text, password=None)
        return serialization.load_pem_public_key(text)
    except (ValueError, TypeError):
        raise AuditInputError(f"{wanted} is no PEM file without a password: {path}") from None


def signing_key(key: Key) -> Ed25519PrivateKey:
    """Return the private key that *key* is or that its file holds."""
    found = _loaded(key, "the signing key") if isinstance(key, str | os.PathLike) else key
    if not isinstance(found, Ed25519PrivateKey):
        raise AuditInputError("the signing key is not an Ed25519 private key")
    return found


def verifying_key(key: PublicKey) -> bytes:
    """Return the 32 bytes of the public key that *key* is, belongs to, or whose file it names."""
    if isinstance(key, bytes):
        if len(key) != 32:
            raise AuditInputError("a raw Ed25519 public key has 32 bytes")
        return key
    found = _loaded(key, "the key") if isinstance(key, str | os.PathLike) else key
    if isinstance(found, Ed25519PrivateKey):
        found = found.public_key()
    if not isinstance(found, Ed25519PublicKey):
        raise AuditInputError("the key is not an Ed25519 key")
    return found.public_bytes(*_RAW)


def recipient_key(key: Recipient) -> X25519PublicKey:
    """Return the public key to which payloads are encrypted."""
    found = _loaded(key, "the recipient") if isinstance(key, str | os.PathLike) else key
    if not isinstance(found, X25519PublicKey):
        raise AuditInputError("the recipient is not an X25519 public key")
    return found


def reading_key(key: Reader) -> X25519PrivateKey:
    """Return the private key that decrypts payloads."""
    found = _loaded(key, "the reading key") if isinstance(key, str | os.PathLike) else key
    if not isinstance(found, X25519PrivateKey):
        raise AuditInputError("the reading key is not an X25519 private key")
    return found


def sign(key: Ed25519PrivateKey, message: bytes) -> bytes:
    """Return the 64 bytes of the Ed25519 signature."""
    return key.sign(message)


def public_of(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public key."""
    return key.public_key().public_bytes(*_RAW)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether *signature* is *public*'s over *message*."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def new_signing_key() -> Ed25519PrivateKey:
    """Return a new key to sign with."""
    return Ed25519PrivateKey.generate()


def new_reading_key() -> X25519PrivateKey:
    """Return a new key to decrypt with."""
    return X25519PrivateKey.generate()


def private_pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """Return *key* as PEM (PKCS 8, without a password)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """Return the public half of *key* as PEM."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def ephemeral(recipient: X25519PublicKey) -> tuple[bytes, bytes]:
    """Return a new public key and the secret it shares with *recipient*; its private half is gone.

    Raises ``AuditInputError`` for a recipient of low order.
    """
    private = X25519PrivateKey.generate()
    try:
        return private.public_key().public_bytes(*_RAW), private.exchange(recipient)
    except ValueError:
        raise AuditInputError("the recipient is not a usable X25519 public key") from None


def shared_secret(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return the secret that *private* shares with the ephemeral key *public*."""
    return private.exchange(X25519PublicKey.from_public_bytes(public))


def derived_key(secret: bytes, salt: bytes) -> AESGCM:
    """Return the AES-256-GCM key that HKDF-SHA256 makes of *secret* and *salt*."""
    made = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=b"logbraid audit payload v1")
    return AESGCM(made.derive(secret))


def decrypted(key: AESGCM, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes | None:
    """Return the plain text, or ``None`` where key, text or what is *bound* is another one."""
    try:
        return key.decrypt(nonce, ciphertext, bound)
    except (InvalidTag, ValueError):
        return None
