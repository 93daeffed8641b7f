"""``%`` formatting as ``logging`` and structlog do it, which here cannot lose a line."""

from __future__ import annotations

from collections.abc import Mapping


def interpolate(template: object, args: tuple[object, ...]) -> tuple[object, str | None]:
    """Return *template* with *args* put in, and what went wrong (``None``: nothing).

    One non-empty mapping fills names, as in ``logging``. Where text and arguments do not fit
    together the template stays as it is.
    """
    if not args:
        return template, None
    values: object = args
    try:
        if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            values = args[0]
        return str(template) % values, None
    except Exception as error:  # noqa: BLE001 - also a stranger's __str__ and __format__
        return template, told(error)


def told(error: Exception) -> str:
    """Return class and text of *error*, as far as it can be shown."""
    try:
        return f"{type(error).__name__}: {error}"  # cut by who scrubs it, after that
    except Exception:  # noqa: BLE001 - a stranger's __str__
        return type(error).__name__
