"""Small steps on files: write all of it, replace a file whole, sync a directory, hold a lock.

Opening is ``sinks/opening.py``'s: nobody can make us write anywhere else. The directories of an
audit log are ``_log`` (manifest, checkpoint), ``_keys`` (what payloads are hashed and encrypted
with), and one for each tenant.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from logbraid.audit.errors import AuditError, AuditInputError
from logbraid.process import renew_after_fork
from logbraid.sinks.opening import directory_mode, make_directories, open_file

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: one process only
    fcntl = None

MODE: Final = 0o600
LOG: Final = "_log"
KEYS: Final = "_keys"

_POLL_SECONDS: Final = 0.002
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_GET_FLAGS: Final = 0x80086601  # FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of linux/fs.h
_SET_FLAGS: Final = 0x40086602
_APPEND_ONLY: Final = 0x20

sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def write_all(fd: int, data: bytes) -> None:
    """Write *data* whole, going on after short writes, or raise ``OSError``."""
    done = os.write(fd, data)
    while done < len(data):
        more = os.write(fd, data[done:])
        if more == 0:
            raise OSError(errno.EIO, "nothing was written")
        done += more


def replace_file(root: str, directory: str, name: str, data: bytes, *, durable: bool) -> None:
    """Put *data* in place of a file whole: a reader sees the old text or the new, never a part."""
    temporary = f".{name}.{os.getpid()}.{threading.get_ident()}"
    path = Path(root, directory, temporary)
    with suppress(FileNotFoundError):
        path.unlink()  # of a process with our number that was killed
    fd = open_file(root, directory, temporary, MODE)
    try:
        write_all(fd, data)
        if durable:
            os.fsync(fd)
        path.replace(path.with_name(name))
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(fd)
    if durable:
        sync_directory(root, directory)


def opened_file(path: str) -> BinaryIO:
    """Open a file to read it; raises ``OSError`` for links and what is no file."""
    fd = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(fd, "rb")


def read_file(root: str, directory: str, name: str) -> bytes:
    """Return the text of a file of ours; raises ``OSError`` as ``opened_file`` does."""
    with opened_file(os.path.join(root, directory, name)) as file:  # noqa: PTH118 - text all the way
        return file.read()


def listable(*folders: Path) -> None:
    """Raise ``AuditInputError`` for a directory that this user may not list: a glob would not."""
    for folder in folders:
        try:
            os.listdir(folder)  # noqa: PTH208 - asked whether it can be done
        except PermissionError:
            raise AuditInputError(f"{folder} may not be read by this user") from None
        except OSError:  # no directory, or none any more
            continue


def sync_directory(root: str, directory: str) -> None:
    """Make what was created, renamed or removed in a directory durable."""
    if os.name == "nt":
        return
    fd = os.open(os.path.join(root, directory), os.O_RDONLY)  # noqa: PTH118 - text all the way
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def probe(root: str) -> None:
    """Raise ``OSError`` if nothing can be created, written, synced and removed under *root*."""
    if "\0" in root:
        raise AuditInputError("the path of the audit log has a null character")
    make_directories(root, directory_mode(MODE))
    name = f".probe-{os.getpid()}-{threading.get_ident()}"
    fd = open_file(root, LOG, name, MODE)
    try:
        write_all(fd, b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
        Path(root, LOG, name).unlink(missing_ok=True)


def set_append_only(fd: int, wanted: bool) -> bool:
    """Set or clear the append-only attribute (``chattr +a``); tell whether that was possible.

    Needs Linux, a file system that has it, and ``CAP_LINUX_IMMUTABLE``.
    """
    if fcntl is None:
        return False
    try:
        (flags,) = struct.unpack("L", fcntl.ioctl(fd, _GET_FLAGS, struct.pack("L", 0)))
        new = flags | _APPEND_ONLY if wanted else flags & ~_APPEND_ONLY
        if new != flags:
            fcntl.ioctl(fd, _SET_FLAGS, struct.pack("L", new))
    except OSError:
        return False
    return True


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file if nobody has it. The owner's death gives it back."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def held_still(root: str, directory: str, name: str, timeout_seconds: float) -> Iterator[None]:
    """Keep writers of a file out for a with block, so that files that change together agree.

    Reads only: where there is no lock to have, or not in time, the block runs all the same.
    """
    fd = -1
    with suppress(OSError):
        fd = os.open(os.path.join(root, directory, name), _READ)  # noqa: PTH118 - text all the way
    try:
        deadline = time.monotonic() + timeout_seconds
        while fd >= 0 and not try_lock(fd, shared=True) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        if fd >= 0:
            os.close(fd)


class LockedFile:
    """A file opened and locked for a with block: by one thread of one process at a time.

    Waits *timeout_seconds* at most, then raises ``AuditError``.
    """

    def __init__(self, root: str, directory: str, name: str, timeout_seconds: float) -> None:
        self._where = (root, directory, name)
        self._timeout = timeout_seconds
        self._threads = threading.RLock()
        self._fd = -1
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        # The description is the parent's too: closing it here leaves the parent's lock alone
        self._threads = threading.RLock()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> int:
        deadline = time.monotonic() + self._timeout
        if not self._threads.acquire(timeout=self._timeout):
            raise AuditError("timed out waiting for the manifest: another thread has it")
        if self._fd >= 0:  # this very thread, interrupted by a signal handler
            self._threads.release()
            raise AuditError("the manifest is in use by what was interrupted")
        try:
            self._fd = open_file(*self._where, MODE)
            self._wait(deadline)
        except BaseException:
            self._leave()
            raise
        return self._fd

    def _wait(self, deadline: float) -> None:
        while not try_lock(self._fd):
            if time.monotonic() >= deadline:
                raise AuditError("timed out waiting for the manifest: another process has it")
            time.sleep(_POLL_SECONDS)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                if fcntl is not None:
                    # A child forked meanwhile holds the same description: closing is not enough
                    fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
        finally:
            self._threads.release()
