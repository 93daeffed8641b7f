"""Opening a tenant's file of a day: nobody can make us write anywhere else.

The tenant's directory is opened relative to the root and the file relative to that, neither
through a link. What was opened is then looked at: a regular file, ours, with one name. Modes are
set on what we create, whatever the umask says, and on nothing that was there.

Where the system cannot open relative to a directory (Windows), by path, for one process.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_RELATIVE: Final = os.open in os.supports_dir_fd
_NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_CLOSE_ON_EXEC: Final[int] = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_DIRECTORY: Final = os.O_RDONLY | _NO_LINK | _CLOSE_ON_EXEC | getattr(os, "O_DIRECTORY", 0)
# Readable, to see whether the last line is whole; O_NONBLOCK, so that a FIFO never holds us up.
_FILE: Final = (
    os.O_RDWR
    | os.O_APPEND
    | _NO_LINK
    | _CLOSE_ON_EXEC
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


class HardLinkedError(OSError):
    """The file has a second name: what is written to it shows up elsewhere."""


def directory_mode(file_mode: int) -> int:
    """Return *file_mode* with the right to enter wherever there is one to read: 0640 gives 0750."""
    return file_mode | 0o700 | (file_mode & 0o444) >> 2


def open_file(root: str, directory: str, name: str, file_mode: int) -> int:
    """Open ``<root>/<directory>/<name>`` for appending and return its descriptor.

    Creates what is missing. Raises ``OSError`` for links, FIFOs, other people's files and all
    else that is not ours alone, ``HardLinkedError`` for a file of several names.
    """
    if not _RELATIVE:
        return _open_by_path(root, directory, name, file_mode)
    try:
        return _open_in(root, directory, name, file_mode)
    except FileNotFoundError:
        # Missing, or removed by retention between two of our steps: once more from the root.
        make_directories(root, directory_mode(file_mode))
        return _open_in(root, directory, name, file_mode)


def make_directories(path: str, mode: int) -> None:
    """Make *path* and its missing parents with exactly *mode*; leave alone what is there."""
    missing = []
    while path and not os.path.isdir(path):  # noqa: PTH112 - text all the way: faster, same
        missing.append(path)
        parent = os.path.dirname(path)  # noqa: PTH120 - as above
        if parent == path:
            break
        path = parent
    for one in reversed(missing):
        try:
            os.mkdir(one, mode)  # noqa: PTH102 - as above
        except FileExistsError:
            continue
        os.chmod(one, mode)  # noqa: PTH101 - the umask may have taken bits away


def _open_in(root: str, directory: str, name: str, file_mode: int) -> int:
    root_fd = os.open(root, os.O_RDONLY | _CLOSE_ON_EXEC)
    try:
        directory_fd = _open_directory(root_fd, directory, directory_mode(file_mode))
    finally:
        os.close(root_fd)
    try:
        fd = _open_or_create(name, file_mode, directory_fd)
    finally:
        os.close(directory_fd)
    return _checked(fd)


def _open_directory(root_fd: int, name: str, mode: int) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=root_fd)
    except FileNotFoundError:
        pass
    try:
        os.mkdir(name, mode, dir_fd=root_fd)
    except FileExistsError:
        return os.open(name, _DIRECTORY, dir_fd=root_fd)  # another process was faster
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=root_fd)
    except PermissionError:  # a umask that takes our own right to read
        os.chmod(name, mode, dir_fd=root_fd)
        fd = os.open(name, _DIRECTORY, dir_fd=root_fd)
    os.fchmod(fd, mode)
    return fd


def _open_or_create(name: str, mode: int, directory_fd: int | None) -> int:
    while True:
        try:
            return os.open(name, _FILE, dir_fd=directory_fd)
        except FileNotFoundError:
            pass
        try:
            fd = os.open(name, _FILE | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory_fd)
        except FileExistsError:
            continue  # another process was faster: open its file
        if hasattr(os, "fchmod"):
            os.fchmod(fd, mode)
        return fd


def _checked(fd: int) -> int:
    found = os.fstat(fd)
    try:
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EPERM, "not a regular file")
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "the file belongs to another user")
        if found.st_nlink > 1:
            raise HardLinkedError(errno.EMLINK, "the file has several names")
    except OSError:
        os.close(fd)
        raise
    return fd


def _open_by_path(root: str, directory: str, name: str, file_mode: int) -> int:
    folder = Path(root, directory)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "the tenant's directory is a link")
    folder.mkdir(parents=True, exist_ok=True)
    return _checked(_open_or_create(str(folder / name), file_mode, None))
