"""A segment: the records of one tenant, class and UTC day by one writer, in one file.

``<tenant>/<class>.<day>.<writer>.<number>.jsonl``. Its writer alone appends to it and holds the
file's lock as long as it lives; nobody waits for anybody. The first line is a header whose
``prev`` is the hash of the manifest's ``open`` line; records follow. What closes it: a signed
checkpoint in ``....checkpoint`` and the leaf hashes, raw, in ``....leaves``, from which
``verify`` says exactly which record is not what it was.

Not safe for threads: a strand has its lock.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from logbraid.audit.chain import chained
from logbraid.audit.errors import AuditError
from logbraid.audit.files import MODE, set_append_only, sync_data, try_lock, write_all
from logbraid.audit.merkle import Tree
from logbraid.sinks.opening import open_file

SUFFIX: Final = ".jsonl"
CHECKPOINT: Final = ".checkpoint"
LEAVES: Final = ".leaves"


@dataclass(frozen=True, slots=True)
class Title:
    """What a segment is of; ``name`` is how the manifest calls it."""

    directory: str
    event_class: str
    day: str
    writer: str
    number: int

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return f"{self.event_class}.{self.day}.{self.writer}.{self.number:04d}"

    @property
    def name(self) -> str:
        """The name in the manifest: directory and stem."""
        return f"{self.directory}/{self.stem}"


class Segment:
    """An open segment. ``size`` and ``tree`` cover what was written, header and all."""

    def __init__(self, root: str, title: Title) -> None:
        self.title = title
        self.tree = Tree()
        self.leaves = bytearray()
        self._path = os.path.join(root, title.directory, title.stem + SUFFIX)  # noqa: PTH118 - text
        self.fd = open_file(root, title.directory, title.stem + SUFFIX, MODE)
        found = os.fstat(self.fd)
        self._identity = (found.st_dev, found.st_ino)
        self._length = 0
        self._prev = ""
        if found.st_size or not try_lock(self.fd):
            self.close()
            raise AuditError("a new segment's file was there already")

    @property
    def size(self) -> int:
        """How many lines it has, the header included."""
        return self.tree.size

    def begin(self, prev: str, fields: dict[str, Any]) -> None:
        """Write the header, chained to the manifest's ``open`` line."""
        self._prev = prev
        self.append([orjson.dumps({"kind": "segment", **fields})])

    def append(self, bodies: Sequence[bytes]) -> None:
        """Chain *bodies*, JSON objects, and write them in one go, or raise ``OSError``."""
        lines, leaves, seq, prev = [], [], self.tree.size, self._prev
        for body in bodies:
            line, digest = chained(body, seq, prev)
            lines.append(line)
            leaves.append(digest)
            prev = digest.hex()
            seq += 1
        text = lines[0] if len(lines) == 1 else b"".join(lines)
        write_all(self.fd, text)
        self._length += len(text)
        for leaf in leaves:
            self.tree.add(leaf)
            self.leaves += leaf
        self._prev = prev

    def sync(self, *, whole: bool = False) -> None:
        """Make what was written durable; *whole*: the file's times too."""
        if whole:
            os.fsync(self.fd)
        else:
            sync_data(self.fd)

    def is_in_place(self) -> bool:
        """Tell whether its path still leads to the file that is written to, as long as it was."""
        try:
            found = os.lstat(self._path)
        except OSError:
            return False
        return (
            found.st_size == self._length
            and (found.st_dev, found.st_ino) == self._identity
            and stat.S_ISREG(found.st_mode)
        )

    def guard(self) -> bool:
        """Set the append-only attribute; tell whether the file system and the rights allow it."""
        return set_append_only(self.fd, wanted=True)

    def unguard(self) -> None:
        """Take the append-only attribute off: from here on the seal guards it."""
        set_append_only(self.fd, wanted=False)

    def close(self) -> None:
        """Let go of the file and its lock. Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
