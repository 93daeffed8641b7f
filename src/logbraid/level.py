"""Levels: one live gate per logger name, compared before anything is built.

A logger keeps its gate and asks ``gate.level`` at each call, so a level can change at any time
for loggers made, cached and captured before. ``logging`` and loguru have gates of their own; what
applies ours to them listens here.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final, Self

from logbraid.process import renew_after_fork
from logbraid.record import DEBUG, INFO, WARNING

NOISY: Final = ("asyncio", "botocore", "hpack", "httpcore", "urllib3")
"""Libraries that tell of every packet at debug: they stay at info unless they are named."""


class Gate:
    """The level of one logger name.

    ``level`` is what a call compares itself with. ``own`` is the level that was asked for: lower
    records get in only while a debug window is open or debug lines are kept until an error, and
    are looked at again at the door.
    """

    __slots__ = ("__weakref__", "level", "name", "own")

    def __init__(self, name: str, own: int, level: int) -> None:
        self.name = name
        self.own = own
        self.level = level

    def __reduce__(self) -> tuple[Callable[[str], Gate], tuple[str]]:
        return _gate, (self.name,)

    def __repr__(self) -> str:
        return f"Gate({self.name!r}, level={self.level})"


class DebugWindow:
    """A time in which matching records are written from debug up; see ``debug_for``."""

    def __init__(
        self, levels: Levels, match: Mapping[str, str], ends: float, skipped: tuple[str, ...] = ()
    ) -> None:
        self._levels = levels
        self.match = match
        self.ends = ends
        self.skipped = skipped
        """Loggers of ``logging`` left as they were: a handler that is not ours hears them."""

    def matches(self, context: Mapping[str, object]) -> bool:
        """Tell whether *context* has every value that this window asks for."""
        try:
            return all(str(context.get(name)) == value for name, value in self.match.items())
        except Exception:  # noqa: BLE001 - a stranger's __str__: it is not what was asked for
            return False

    def cancel(self) -> None:
        """End it now. Idempotent."""
        self._levels.end(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


class Levels:
    """All levels of a process. Changes take a lock; reading a gate takes none."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._gates: weakref.WeakValueDictionary[str, Gate] = weakref.WeakValueDictionary()
        self._listeners: list[Callable[[], object]] = []
        self.root = WARNING  # until something is configured
        self.named: dict[str, int] = {}
        self.windows: tuple[DebugWindow, ...] = ()
        self.is_buffering = False  # debug lines are kept until an error: see debug_buffer.py
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def gate(self, name: str) -> Gate:
        """Return the one gate of the logger *name*."""
        found = self._gates.get(name)
        if found is not None:
            return found
        with self._lock:
            found = self._gates.get(name)
            if found is None:
                own = self.effective(name)
                found = Gate(name, own, min(own, DEBUG) if self.is_open else own)
                self._gates[name] = found
            return found

    def effective(self, name: str) -> int:
        """Return the level of *name*: its own, else its nearest parent's, else the root's."""
        part = name
        while part:
            level = self.named.get(part)
            if level is not None:
                return level
            if part in NOISY:
                return max(self.root, INFO)
            part = part.rpartition(".")[0]
        return self.root

    def lowest(self) -> int:
        """Return the lowest level at which any record may be wanted."""
        wanted = [self.root, *self.named.values()]
        if self.is_open:
            wanted.append(DEBUG)
        return min(wanted)

    @property
    def is_open(self) -> bool:
        """Whether gates stand at debug, and the door decides what becomes of lower records."""
        return self.is_buffering or bool(self.windows)

    def configure(self, root: int, named: Mapping[str, int], *, is_buffering: bool = False) -> None:
        """Replace all levels and end every debug window."""
        with self._lock:
            self.root = root
            self.named = dict(named)
            self.windows = ()
            self.is_buffering = is_buffering
            self._apply()

    def set(self, level: int | None, logger: str | None = None) -> None:
        """Set the level of *logger* and its children, or of all; ``None`` takes a name's back."""
        with self._lock:
            if logger is None:
                self.root = INFO if level is None else level
            elif level is None:
                self.named.pop(logger, None)
            else:
                self.named[logger] = level
            self._apply()

    def open(
        self, seconds: float, match: Mapping[str, str], skipped: tuple[str, ...] = ()
    ) -> DebugWindow:
        """Let records that match in from debug up for *seconds*."""
        window = DebugWindow(self, match, self._monotonic() + seconds, skipped)
        with self._lock:
            self.windows = (*self.windows, window)
            self._apply()
        return window

    def end(self, window: DebugWindow) -> None:
        """Close *window* and put the gates back."""
        with self._lock:
            if window in self.windows:
                self.windows = tuple(one for one in self.windows if one is not window)
                self._apply()

    def admits(self, level: int, name: str, context: Mapping[str, object]) -> bool:
        """Tell whether a record of *level* may pass the door; ends windows whose time is over."""
        if level >= self.effective(name):
            return True
        now = self._monotonic()
        for window in self.windows:
            if now >= window.ends:
                self.end(window)
            elif level >= DEBUG and window.matches(context):
                return True
        return False

    def look_again(self) -> None:
        """Apply the levels anew: something that they depend on has changed."""
        with self._lock:
            self._apply()

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call *listener* after every change; return what undoes this."""
        self._listeners.append(listener)

        def undo() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return undo

    def _apply(self) -> None:
        is_open = self.is_open
        for name, gate in list(self._gates.items()):
            gate.own = self.effective(name)
            gate.level = min(gate.own, DEBUG) if is_open else gate.own
        for listener in list(self._listeners):
            listener()


levels: Final = Levels()
"""The process's own."""


def _gate(name: str) -> Gate:
    return levels.gate(name)
