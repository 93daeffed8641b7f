"""What must happen in a forked child before it logs: fresh locks, reopened descriptors.

One hook is registered with the interpreter for the whole package. It only replaces objects: it
never logs, never takes a lock and never waits, because the thread that held a lock at the fork
does not exist in the child (python/cpython#80714, DataDog/dd-trace-py#18900).
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from logbraid.ids import new_id

_renewals: list[weakref.WeakMethod[Callable[[], Any]]] = []


def renew_after_fork(method: Callable[[], Any]) -> None:
    """Call the bound *method* in every forked child, for as long as its object lives."""
    _renewals.append(weakref.WeakMethod(method))
    if len(_renewals) > 64:
        _renewals[:] = [reference for reference in _renewals if reference() is not None]


def _renew_child() -> None:
    for reference in _renewals:
        method = reference()
        if method is not None:
            method()


class RenewedLock:
    """A re-entrant lock that is free in a forked child, whoever held it at the fork.

    ``with one.lock: ...`` gives back the very lock it took, also if it was renewed meanwhile.
    """

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self.renew)

    def renew(self) -> None:
        """Put a free lock in its place."""
        self.lock = threading.RLock()

    def mend(self) -> bool:
        """Renew it if its owner will never give it back; tell whether that was so.

        At interpreter shutdown daemon threads stop for ever where they stand, with what they
        hold. The only thread left, whose finalisers may log, would wait until someone kills it.
        """
        if not sys.is_finalizing():
            return False
        if self.lock.acquire(blocking=False):
            self.lock.release()
            return False
        self.renew()
        return True


renew_after_fork(new_id.renew)  # here, since ids.py stands below this module

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_child)
