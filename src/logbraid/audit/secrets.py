"""Secrets that lie beside a log: the key of payload digests, and one for each user.

``_keys/hmac`` and ``_keys/user-<digest of tenant and user>``, 32 random bytes each, readable by
the owner alone. A user's secret goes into the key of each of that user's encrypted payloads;
when it is destroyed they cannot be read by anyone, whoever has the reading key. Copies of the
directory (backups) have their own life: say so to whoever promises to forget.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from logbraid.audit.errors import AuditError
from logbraid.audit.files import KEYS, MODE, read_file, sync_directory, write_all
from logbraid.audit.keys import erase
from logbraid.ids import new_id
from logbraid.sinks.opening import open_file

HMAC_KEY: Final = "hmac"
_USER: Final = "user-"
_TRIES: Final = 8


def user_file(tenant: str | None, user: str) -> str:
    """Return the name of the file that holds the secret of *user* of *tenant*."""
    text = f"{tenant or ''}\x00{user}".encode("utf-8", "surrogatepass")
    return _USER + sha256(text).hexdigest()[:40]


def secret_id(secret: bytes) -> str:
    """Return what a record says of the secret that went into its key."""
    return sha256(b"logbraid user secret\n" + secret).hexdigest()[:16]


def _erased(path: Path) -> bool:
    if not os.path.lexists(path):
        return False
    erase(path)
    path.unlink(missing_ok=True)  # another process may be at the same
    return True


class Secrets:
    """The secrets of one log, remembered as long as their files are where they were."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    def get(self, name: str) -> bytes:
        """Return the secret of that name, made now if there is none; raises ``AuditError``."""
        try:
            for _ in range(_TRIES):
                found = self._looked_up(name) or self._made(name)
                if found is not None:
                    return found
        except OSError as error:
            raise AuditError(f"no key for the payload: {type(error).__name__}") from error
        raise AuditError("the key for the payload was removed each time it was made")

    def _looked_up(self, name: str) -> bytes | None:
        try:
            # Another process may have destroyed it since: a look costs 2 us
            stat = os.lstat(self._path(name))
            identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            known = self._known.get(name)
            if known is not None and known[0] == identity:
                return known[1]
            secret = read_file(self._root, KEYS, name)
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        if len(secret) != 32:
            raise AuditError("the key for the payload is damaged")
        if not any(secret):
            return None  # opened while it was being destroyed
        if len(self._known) >= 4096:
            self._known.clear()
        self._known[name] = (identity, secret)
        return secret

    def _made(self, name: str) -> bytes | None:
        """Make a secret, whole or not at all; ``None`` where another process was faster."""
        secret = os.urandom(32)
        temporary = f".{name}.{new_id()}"
        fd = open_file(self._root, KEYS, temporary, MODE)
        try:
            write_all(fd, secret)
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            os.link(self._path(temporary), self._path(name))
        except FileExistsError:
            return None
        finally:
            self._path(temporary).unlink()
        sync_directory(self._root, KEYS)
        return secret

    def destroy(self, name: str) -> bool:
        """Overwrite and remove a secret; tell whether there was one. Raises ``AuditError``.

        Taken out of use first, under a name that only this function knows: whoever writes
        meanwhile makes a new one, and what a killed process left is destroyed by the next.
        """
        self._known.pop(name, None)
        path, gone = self._path(name), self._path(f".{name}.gone")
        try:
            found = [_erased(gone)]
            with suppress(FileNotFoundError):
                path.rename(gone)
            found.append(_erased(gone))
            if any(found):
                sync_directory(self._root, KEYS)
        except OSError as error:
            raise AuditError(f"the key was not destroyed: {type(error).__name__}") from error
        return any(found)

    def by_id(self) -> dict[str, bytes]:
        """Return the users' secrets that are there by what records say of them."""
        found = {}
        for path in sorted(Path(self._root, KEYS).glob(_USER + "*")):
            secret = read_file(self._root, KEYS, path.name)
            found[secret_id(secret)] = secret
        return found

    def _path(self, name: str) -> Path:
        return Path(self._root, KEYS, name)
