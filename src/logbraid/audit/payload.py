"""What becomes of a payload: encrypted to somebody else, digested, or not even looked at.

``full``: AES-256-GCM. An ephemeral X25519 key and the recipient's give a secret, HKDF makes a key
of it and of the user's own secret. The private half of the ephemeral key is dropped at once, so
what this process wrote cannot be read with anything that lies on its disk. Nonces are six random
bytes and a counter of six, new with every ephemeral key; a fork begins with a new one. The
record's id, class and tenant are bound to the text: it cannot be moved to another record.

``hmac``: names and shapes stay, each value becomes ``<type>:<32 hex>`` of HMAC-SHA256 under a key
of this log, equal values alike.

``none``: the payload is not touched, not measured, not mentioned in any error.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import orjson

from logbraid.audit import crypto
from logbraid.audit.errors import AuditInputError
from logbraid.audit.policy import FULL, NONE
from logbraid.audit.secrets import HMAC_KEY, Secrets, secret_id, user_file
from logbraid.encode import encode_line
from logbraid.plain.normalise import Normaliser
from logbraid.record import Plain

_MAX_MESSAGES: Final = 1 << 20
_MAX_KEYS: Final = 1024
_MAX_BYTES: Final = 1 << 26

_normaliser: Final = Normaliser(max_summary_chars=1 << 20, max_depth=24, max_leaves=20_000)


class Payloads:
    """Turns payloads into what may be written. Safe for threads; made anew after a fork."""

    def __init__(
        self, secrets: Secrets, recipient: crypto.EncryptionKey | None, max_bytes: int
    ) -> None:
        self._secrets = secrets
        self._recipient = recipient
        self._max_bytes = max_bytes
        self._ephemeral: Ephemeral | None = None

    def kept(
        self,
        payload: object,
        policy: str,
        *,
        record_id: str,
        kind: str,
        tenant: str | None,
        user: str | None,
    ) -> bytes:
        """Return the JSON that stands in the record for *payload*."""
        if policy == NONE:
            return b'{"policy":"none"}'
        if policy == FULL and self._recipient is None:
            raise AuditInputError(
                f"event class {kind!r} keeps payloads encrypted: give AuditLog(recipient=...),"
                " or the class another payload policy"
            )
        plain = _normaliser.fields({"payload": payload}, {})["payload"]
        if policy != FULL:
            return orjson.dumps({"policy": policy, "shape": self._shape(plain)})
        text = encode_line({"payload": plain}, max_line_bytes=_MAX_BYTES, notes={})[11:-2]
        if len(text) > self._max_bytes:
            told = {"policy": FULL, "omitted": "too long", "bytes": len(text)}
            return orjson.dumps({**told, "hmac": self._digest(text)})
        return self._encrypted(text, bound_to(record_id, kind, tenant), tenant, user)

    def _shape(self, plain: Plain) -> Plain:
        if isinstance(plain, dict):
            return {name: self._shape(item) for name, item in plain.items()}
        if isinstance(plain, list):
            return [self._shape(item) for item in plain]
        kind = type(plain).__name__
        return f"{kind}:{self._digest(kind.encode() + b':' + orjson.dumps(plain))}"

    def _digest(self, text: bytes) -> str:
        return hmac.digest(self._secrets.get(HMAC_KEY), text, "sha256").hex()[:32]

    def _encrypted(self, text: bytes, bound: bytes, tenant: str | None, user: str | None) -> bytes:
        name = None if user is None else user_file(tenant, user)
        secret = b"" if name is None else self._secrets.get(name)
        ephemeral = self._ephemeral
        if ephemeral is None or ephemeral.is_used_up():
            if self._recipient is None:
                raise AuditInputError("there is no recipient")
            ephemeral = self._ephemeral = Ephemeral(self._recipient)
        nonce, ciphertext = ephemeral.encrypt(text, secret, bound)
        told = {
            "policy": FULL,
            "ephemeral": b64encode(ephemeral.public).decode(),
            "nonce": b64encode(nonce).decode(),
            "ciphertext": b64encode(ciphertext).decode(),
        }
        if name is not None:
            told["user_secret"] = secret_id(secret)
        return orjson.dumps(told)


def bound_to(record_id: str, kind: str, tenant: str | None) -> bytes:
    """Return what is authenticated beside a ciphertext: the record it stands in."""
    return orjson.dumps(["logbraid audit payload v1", record_id, kind, tenant])


class Ephemeral:
    """One ephemeral key, its nonces, and what is derived of it for each user."""

    def __init__(self, recipient: crypto.EncryptionKey) -> None:
        self.public, self._secret = crypto.ephemeral(recipient)
        self._pid = os.getpid()
        self._prefix = os.urandom(6)
        self._next: Callable[[], int] = count().__next__  # one step: no two threads get one number
        self._keys: dict[bytes, Any] = {}
        self._used = 0

    def is_used_up(self) -> bool:
        """Tell whether it is time for a new one: after a fork, and after a million messages."""
        return self._used >= _MAX_MESSAGES or self._pid != os.getpid()

    def encrypt(self, text: bytes, user_secret: bytes, bound: bytes) -> tuple[bytes, bytes]:
        """Return nonce and ciphertext."""
        key = self._keys.get(user_secret)
        if key is None:
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            key = self._keys[user_secret] = crypto.derived_key(
                self._secret + user_secret, self.public
            )
        number = self._next()
        self._used = number
        nonce = self._prefix + number.to_bytes(6, "big")
        return nonce, key.encrypt(nonce, text, bound)


class Unreadable(Exception):  # noqa: N818 - an outcome, not a fault of the reader
    """A payload cannot be decrypted; ``args`` says why: forgotten, another key, or damaged."""


def opened(
    kept: dict[str, Any], reader: crypto.ReadingKey, secrets: dict[str, bytes], bound: bytes
) -> Any:
    """Return the payload that *kept* holds; raises ``Unreadable``."""
    if "ciphertext" not in kept:
        raise Unreadable("nothing is encrypted here")
    secret = b""
    if "user_secret" in kept:
        if kept["user_secret"] not in secrets:
            raise Unreadable("forgotten: the user's key is not in _keys")
        secret = secrets[kept["user_secret"]]
    try:
        public, nonce, ciphertext = (
            b64decode(kept[name], validate=True) for name in ("ephemeral", "nonce", "ciphertext")
        )
        shared = crypto.shared_secret(reader, public)
    except (ValueError, KeyError, TypeError):
        raise Unreadable("damaged") from None
    text = crypto.decrypted(crypto.derived_key(shared + secret, public), nonce, ciphertext, bound)
    if text is None:
        raise Unreadable("another reading key, or damaged")
    return orjson.loads(text)
