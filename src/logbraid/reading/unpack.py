"""The bytes of a file, compressed or not: never through a link, never waiting for a FIFO.

A gzip file that ends early, or is damaged, gives what can be unpacked and then says so.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from typing import Final

BLOCK_BYTES: Final = 1 << 20
_GZIP: Final = 31  # zlib's number for a gzip header with the widest window
_SAME: Final = 1 << 16
_FILE: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class UnpackError(OSError):
    """A compressed file is damaged, or ends before its end: the text says which."""


def open_regular(path: str) -> int:
    """Open a regular file for reading and return its descriptor; raises ``OSError``."""
    fd = os.open(path, _FILE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is not a regular file")
    return fd


def chunks(fd: int, *, is_compressed: bool, size: int = BLOCK_BYTES) -> Iterator[tuple[bytes, int]]:
    """Yield the text of the file in pieces of about *size*, each with the bytes read for it."""
    if not is_compressed:
        while piece := os.read(fd, size):
            yield piece, len(piece)
        return
    yield from _unpacked(fd, size)


def _unpacked(fd: int, size: int) -> Iterator[tuple[bytes, int]]:
    unpacker = zlib.decompressobj(_GZIP)
    is_empty = True
    while packed := os.read(fd, max(size // 8, 4096)):
        cost = len(packed)
        while packed:
            if unpacker.eof:  # gzip files may follow each other in one
                unpacker = zlib.decompressobj(_GZIP)
            is_empty = False
            try:
                text = unpacker.decompress(packed, size)
            except zlib.error as error:
                raise UnpackError("its gzip data is damaged") from error
            packed = unpacker.unused_data or unpacker.unconsumed_tail
            if text:
                yield text, cost
                cost = 0
    if is_empty or not unpacker.eof:
        raise UnpackError("its gzip data ends too early")


def begins_alike(packed: str, plain: str) -> bool:
    """Tell whether a plain file begins with the first 64 kB of a gzip file, or with all of it."""
    try:
        return _head(plain, is_compressed=False).startswith(_head(packed, is_compressed=True))
    except OSError:
        return False


def _head(path: str, *, is_compressed: bool) -> bytes:
    fd = open_regular(path)
    head = b""
    try:
        for piece, _ in chunks(fd, is_compressed=is_compressed, size=_SAME):
            head += piece
            if len(head) >= _SAME:
                break
    finally:
        os.close(fd)
    return head[:_SAME]
