"""Where the files are: which files of a log directory are ours, whose they are, and of which day.

Looks at names alone and follows no link. Not here: what stands in a file (``blocks.py``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from logbraid.reading.errors import QuestionError
from logbraid.reading.unpack import begins_alike
from logbraid.tenant import OVERFLOW, directory_name

_day_file = re.compile(
    r"(\d{4}-\d{2}-\d{2})((?:\.[a-z0-9_-]{1,64}){0,2})\.jsonl(\.(?:gz|zst|xz|bz2))?"
).fullmatch
_trace_file = re.compile(
    r"traces(?:-(\d{4}-\d{2}-\d{2}))?()\.jsonl(\.(?:gz|zst|xz|bz2))?"
).fullmatch
_our_directory = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}").fullmatch
ANY_DAY: Final = ""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file: ``tenant`` is its directory's name, ``day`` a UTC day or empty (any)."""

    path: str
    tenant: str
    day: str
    is_compressed: bool
    size_bytes: int


def find_files(
    root: str | os.PathLike[str],
    *,
    tenants: Collection[str] = (),
    since: str = "",
    until: str = "",
) -> list[LogFile]:
    """Return the files below *root* in the order of their days.

    They are ``<root>/<tenant>/<day>[.<instance>].jsonl[.gz]`` and the exporter's
    ``<root>/traces[-<day>].jsonl``. *tenants* are ids; their lines may lie in the directory of
    overflow, too. *since* and *until* are stamps, of which the days count. What cannot be read, a
    tenant's directory or a file compressed otherwise, is among them: reading it tells. Raises
    ``QuestionError`` where *root* is no directory that can be read.
    """
    top = os.path.abspath(root)  # noqa: PTH100 - text all the way
    wanted = {directory_name(tenant) for tenant in tenants} | ({OVERFLOW} if tenants else set())
    found = list(_in_directory(top, ""))
    try:
        with os.scandir(top) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if _our_directory(entry.name) and entry.is_dir(follow_symlinks=False)
            )
    except OSError as error:
        raise QuestionError(
            f"cannot read the log directory {top}: {error.strerror}; give --log-dir or LOG_DIR"
        ) from error
    for name in names:
        if not wanted or name in wanted:
            found += _in_directory(os.path.join(top, name), name)  # noqa: PTH118 - text
    chosen = (file for file in found if _is_between(file, since[:10], until[:10]))
    return sorted(chosen, key=lambda file: (file.day, file.tenant, file.path))


def _is_between(file: LogFile, first: str, last: str) -> bool:
    if not file.tenant:  # an action lies in the file of the day on which it ended
        last = ""
    return file.day == ANY_DAY or (first <= file.day and (not last or file.day <= last))


def _in_directory(directory: str, tenant: str) -> Iterator[LogFile]:
    forms = (_day_file,) if tenant else (_day_file, _trace_file)
    plain: set[str] = set()
    packed: list[LogFile] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                form = next((found for match in forms if (found := match(entry.name))), None)
                file = None if form is None else _file_of(entry, tenant, form[1], form[3])
                if file is None:
                    continue
                if file.is_compressed:
                    packed.append(file)
                else:
                    plain.add(file.path)
                    yield file
    except FileNotFoundError:
        return  # it went meanwhile
    except OSError:
        # Whoever reads it is told why it cannot be
        yield LogFile(directory, tenant, ANY_DAY, False, 0)
    for file in packed:
        original = file.path.rpartition(".")[0]
        # An interrupted `compress` leaves both; the same lines are not read twice
        if original not in plain or not begins_alike(file.path, original):
            yield file


def _file_of(entry: os.DirEntry[str], tenant: str, day: str | None, end: str) -> LogFile | None:
    try:
        if entry.is_file(follow_symlinks=False):
            size = entry.stat(follow_symlinks=False).st_size
            return LogFile(entry.path, tenant, day or ANY_DAY, bool(end), size)
    except FileNotFoundError:
        pass  # deleted while the directory was listed
    return None
