"""Is this thread inside a log call already? Then what it logs now was logged by logging itself.

A ``__repr__``, a ``__del__`` run by the collector, a signal handler or a user's sink may log while
a record is on its way. One such record goes the whole way, marked ``reentrant``; a deeper one is
suppressed and counted, or it would never end (aliyun/aliyun-log-python-sdk#123).

There is no flag that could stay set when an exception is thrown into a thread from outside
(Delgan/loguru#1335): what is kept is the frame of the call, and a frame that is no longer on this
thread's stack counts for nothing. So greenlets, which share a thread, do not see each other.
"""

from __future__ import annotations

import os
import sys
from threading import get_ident
from types import FrameType
from typing import Final

MAX_DEPTH: Final = 2

frames: Final[dict[int, list[FrameType]]] = {}
"""Per thread, the frames of calls on their way: empty nearly always, and read by the fast path."""

if hasattr(os, "register_at_fork"):  # the other threads of the parent do not exist in a child
    os.register_at_fork(after_in_child=frames.clear)


def enter() -> int:
    """Note that the caller's frame is on its way; return how many there are now in this stack."""
    caller = sys._getframe(1)  # noqa: SLF001 - the documented way to one's own frame
    thread = get_ident()
    known = frames.get(thread)
    if known is None:
        frames[thread] = [caller]
        return 1
    alive = _on_stack(known, caller)
    frames[thread] = [*alive, caller]
    return len(alive) + 1


def leave() -> None:
    """Forget the caller's frame, and every other that is no longer on this stack."""
    caller = sys._getframe(1)  # noqa: SLF001 - as above
    thread = get_ident()
    known = frames.pop(thread, None)
    if known is not None and len(known) > 1:
        alive = _on_stack(known, caller)
        if alive:
            frames[thread] = alive


def _on_stack(known: list[FrameType], caller: FrameType) -> list[FrameType]:
    stack = set()
    frame = caller.f_back
    while frame is not None:
        stack.add(frame)
        frame = frame.f_back
    return [one for one in known if one in stack]
