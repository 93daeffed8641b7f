"""What must happen in a forked child before it logs: fresh locks, reopened descriptors.

One hook is registered with the interpreter for the whole package. It only replaces objects: it
never logs, never takes a lock and never waits, because the thread that held a lock at the fork
does not exist in the child (python/cpython#80714, DataDog/dd-trace-py#18900).
"""

from __future__ import annotations

import os
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


renew_after_fork(new_id.renew)  # here, since ids.py stands below this module

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_child)
