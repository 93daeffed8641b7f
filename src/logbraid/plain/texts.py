"""Text in a plain tree: cleaned, named, and what stands in place of what is not shown.

Shared by the steps that make, cut and write plain trees. Not here: secrets, and any limit but the
one of a key.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Mapping
from typing import Final, TypeAlias

LOOK_AHEAD: Final = 512
"""Characters kept beyond a limit, so that a secret across the cut is seen whole."""

CIRCULAR: Final = "<circular>"
DEEPER: Final = "<deeper>"
LEFT_OUT: Final = "..."
"""Among the notes, the number of leaves left out."""

MAX_KEY_CHARS: Final = 512
"""A longer key is replaced whole: half a key could be half a secret."""

_MOST_DIGITS: Final = 10**4300

Trail: TypeAlias = "tuple[Trail, str] | None"
"""The names above a value, the nearest outermost; ``None`` at the first level."""


def clean(text: str) -> str:
    """Return *text* without what JSON readers reject: U+0000 and lone surrogates become U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # A pair that was split in two becomes the one character it stands for
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def path_of(trail: Trail, name: str) -> str:
    """Return the dotted path of *name* below *trail*: ``arguments.items.3``."""
    parts = [name]
    while trail is not None:
        trail, name = trail
        parts.append(name)
    return ".".join(reversed(parts))


def unique_name(name: str, taken: Mapping[str, object]) -> str:
    """Return *name*, or it with ``#2``, ``#3`` ... behind, so that *taken* does not have it."""
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"


def class_name(cls: type) -> str:
    """Return the bare name of *cls*, 100 characters at most; a metaclass may do as it likes."""
    try:
        name = cls.__name__
    except Exception:  # noqa: BLE001 - a metaclass of a stranger; the line says "object" instead
        return "object"
    return name[:100] if type(name) is str else "object"


def unprintable(cls: type) -> str:
    """Return what stands for an object of *cls* that raised when it was shown."""
    return f"<unprintable {class_name(cls)}>"


def int_text(value: int) -> str:
    """Return *value* as text; beyond 4300 digits its size, since the digits cost quadratic time."""
    if -_MOST_DIGITS < value < _MOST_DIGITS:
        try:
            return str(value)
        except ValueError:  # sys.set_int_max_str_digits() allows less in this process
            pass
    return f"<int of {value.bit_length()} bits>"


def bytes_text(value: bytes | bytearray | memoryview, size: int, most: int) -> str:
    """Return the first *most* bytes of *value*, which has *size*, as text if they are UTF-8."""
    if not isinstance(value, memoryview) or (value.format == "B" and value.ndim == 1):
        try:
            return getincrementaldecoder("utf-8")().decode(bytes(value[:most]), size <= most)
        except UnicodeDecodeError:
            pass
    return f"<bytes: {size}>"
