"""The strands of a process, of which only so many have a file open.

A service has more tenants than it may have descriptors, and its sockets need them too. Where one
more is to be opened, those that were written to least lately are sealed; their next record begins
a new segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any, Final

from logbraid.audit.strand import Strand

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

MAX_OPEN: Final = 256


class Crowd:
    """Strands by tenant and class, at most *max_open* of them open, give or take those in use."""

    def __init__(self, max_open: int | None = None) -> None:
        self._max_open = max_open or _most()
        self._strands: dict[tuple[str | None, str], Strand] = {}
        self._lock = RLock()  # a signal handler may come in the middle

    def strand(self, tenant: str | None, kind: str, make: Callable[[], Strand]) -> Strand:
        """Return the strand of a tenant and class, made at the first call."""
        found = self._strands.get((tenant, kind))
        if found is None:
            with self._lock:
                found = self._strands.get((tenant, kind))
                if found is None:
                    found = self._strands[tenant, kind] = make()
        return found

    def __iter__(self) -> Iterator[Strand]:
        return iter(list(self._strands.values()))

    def make_room(self) -> None:
        """Seal the strands that were used least lately, if there are too many open."""
        opened = [one for one in self if one.is_open]
        if len(opened) < self._max_open:
            return
        opened.sort(key=lambda one: one.used)
        for one in opened[: 1 + self._max_open // 8]:  # several: this costs a look at them all
            one.retire()


def _most() -> int:
    if resource is None:
        return MAX_OPEN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_OPEN if soft == resource.RLIM_INFINITY else max(4, min(MAX_OPEN, soft // 4))
