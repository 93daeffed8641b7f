"""Do something right after a module is imported, without importing it.

A finder on ``sys.meta_path`` that waits for one name, lets the ordinary finders find it, and goes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from logbraid.health import health


class Waiting:
    """Call *then* after *name* was imported for the first time; now, if it is imported already."""

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self._name = name
        self._then = then
        if name in sys.modules:
            self._call()
        else:
            sys.meta_path.insert(0, self)

    def cancel(self) -> None:
        """Wait no longer. Idempotent."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Find *fullname* as the others do, if it is the one waited for (the finder protocol)."""
        if fullname != self._name:
            return None
        self.cancel()
        spec = find_spec(fullname)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def execute_and_call(module: ModuleType) -> None:
                execute(module)
                self._call()

            loader.exec_module = execute_and_call
        return spec

    def _call(self) -> None:
        try:
            self._then()
        except Exception as error:  # noqa: BLE001 - an import must not fail because of us
            health.complain(f"take-over of {self._name}", error)
