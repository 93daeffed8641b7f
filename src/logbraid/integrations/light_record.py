"""A ``LogRecord`` that fills itself in when someone asks for what it does not have yet.

Thread, process, file and module names are two thirds of the cost of a record of ``logging``, and
our handler reads none of them. Nobody else is meant to see one (``stdlib.py`` makes one only where
nobody else listens); whoever does, because a handler was added that moment, finds it complete: the
first question after anything it lacks makes it an ordinary ``LogRecord``, class and all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from logbraid.integrations.interpolate import interpolate

_attributes: Final = logging.LogRecord.__dict__["__dict__"].__get__
"""The attributes of a record as they are, past the property below."""


def _arguments(args: Any) -> Any:
    """Return *args* as a ``LogRecord`` keeps them: one mapping stands for itself."""
    try:
        if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            return args[0]
    except Exception:  # noqa: BLE001 - a stranger's object, asked for its class or its length
        return args
    return args


class LightRecord(logging.LogRecord):
    """What a call of ``logging`` said; the rest of a ``LogRecord`` only on demand.

    ``logging`` in front of us costs 1.1 of a bare structlog call with it, 2.0 without (fields in
    ``extra=``, interleaved, Python 3.11).
    """

    def __init__(  # a LogRecord's own __init__ is what this is here to save
        self,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: str,
        args: Any,
        func: str | None,
        extra: Mapping[str, Any] | None,
    ) -> None:
        self.levelno = level
        self.light = (name, level, fn, lno, msg, args, func, extra)

    def told(self) -> tuple[str, object, Any]:
        """Return logger, text and fields; no text (``None``) where only the long way can tell."""
        name, _, _, _, msg, args, _, extra = self.light
        if not args:
            return name, msg, extra or {}
        text, trouble = interpolate(msg, args if type(args) is tuple else (args,))
        return name, None if trouble else text, extra or {}

    def complete(self) -> None:
        """Become an ordinary record. What someone set meanwhile stays."""
        attributes = _attributes(self)
        light = attributes.pop("light", None)
        self.__class__ = logging.LogRecord  # type: ignore[assignment]  # a base of the same layout
        if light is None:
            return  # a copy that is just being made
        name, level, fn, lno, msg, args, func, extra = light
        whole = logging.LogRecord(name, level, fn, lno, msg, None, None, func)
        whole.args = _arguments(args)
        own = dict(attributes)
        attributes.clear()  # for the order: what a record has of itself comes first
        attributes.update({**vars(whole), **(extra or {}), **own})

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # vars() and pickle ask it
        """All attributes, of an ordinary record by then."""
        self.complete()
        return vars(self)

    def __getattr__(self, name: str) -> Any:
        """Return what is not there yet."""
        self.complete()
        return getattr(self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copy and pickle as the ordinary record."""
        self.complete()
        return self.__reduce_ex__(protocol)
