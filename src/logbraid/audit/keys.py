"""Key files: making them, rotating the one that signs, erasing the one that was.

A rotation has three steps, and a crash between any two of them loses nothing: the new key lies
beside the old one as ``<name>.next``; the manifest names it, signed by the old one; it takes the
old one's place, which is overwritten first. Which of the two files counts says the manifest.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from logbraid.audit import crypto
from logbraid.audit.errors import AuditInputError
from logbraid.audit.files import replace_file, write_all
from logbraid.sinks.opening import make_directories

SIGNING: Final = "audit-signing.pem"
VERIFYING: Final = "audit-verifying.pem"
READING: Final = "audit-reading.pem"
RECIPIENT: Final = "audit-recipient.pem"
_NEXT: Final = ".next"


def keygen(directory: str | os.PathLike[str]) -> dict[str, Path]:
    """Make both pairs of keys in *directory* and return the paths of the four files by their use.

    ``signing`` stays where the service runs, ``recipient`` too; ``verifying`` and ``reading``
    belong elsewhere: the one proves, the other decrypts. Raises ``AuditInputError`` where one of
    the files is there already: a key is never overwritten.
    """
    folder = Path(directory).absolute()
    signing, reading = crypto.new_signing_key(), crypto.new_reading_key()
    texts = {
        "signing": (SIGNING, crypto.private_pem(signing)),
        "verifying": (VERIFYING, crypto.public_pem(signing)),
        "reading": (READING, crypto.private_pem(reading)),
        "recipient": (RECIPIENT, crypto.public_pem(reading)),
    }
    there = [name for name, _ in texts.values() if (folder / name).exists()]
    if there:
        raise AuditInputError(f"not overwritten: {', '.join(there)} in {folder}")
    try:
        make_directories(str(folder), 0o700)
        for name, text in texts.values():
            _put(folder / name, text)
    except OSError as error:
        raise AuditInputError(f"cannot write keys: {type(error).__name__}: {folder}") from None
    return {use: folder / name for use, (name, _) in texts.items()}


def loaded(key: crypto.Key, public: bytes | None) -> crypto.SigningKey:
    """Return the signing key, of the epoch whose key is *public* if that is known.

    Finishes a rotation that was interrupted. Raises ``AuditInputError`` for another key.
    """
    if not isinstance(key, str | os.PathLike):
        found = crypto.signing_key(key)
        if public is None or crypto.public_of(found) == public:
            return found
        raise _wrong()
    path = _path(key)
    following = path.with_name(path.name + _NEXT)
    if public is not None and following.exists():
        with suppress(AuditInputError):
            found = crypto.signing_key(following)
            if crypto.public_of(found) == public:
                erase(path)
                following.replace(path)
                return found
    found = crypto.signing_key(path)
    if public is not None and crypto.public_of(found) != public:
        raise _wrong()
    return found


def _path(key: str | os.PathLike[str]) -> Path:
    return Path(os.path.realpath(key))  # a link to the key stays one: the key itself is replaced


def _wrong() -> AuditInputError:
    return AuditInputError("the key given is not the one that signs this log now")


def prepared(key: crypto.Key | None) -> crypto.SigningKey:
    """Return a new key that lies beside the one at the path *key*."""
    if not isinstance(key, str | os.PathLike):
        raise AuditInputError("only a key given as the path of its file can be rotated")
    new = crypto.new_signing_key()
    path = _path(key)
    _put(path.with_name(path.name + _NEXT), crypto.private_pem(new))
    return new


def erase(path: Path) -> None:
    """Overwrite a file's bytes where they are, as far as the file system goes along.

    Never through a link: what it leads to is not ours. Raises ``OSError``.
    """
    flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with suppress(FileNotFoundError):
        fd = os.open(path, flags)
        try:
            write_all(fd, bytes(os.fstat(fd).st_size))
            os.fsync(fd)
        finally:
            os.close(fd)


def _put(path: Path, text: bytes) -> None:
    folder = path.absolute().parent
    replace_file(str(folder.parent), folder.name, path.name, text, durable=True)
