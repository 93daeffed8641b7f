"""A plain tree becomes one strict JSON line in UTF-8 that fits its budget in bytes.

The last step before the sinks. orjson writes it; what orjson refuses is mended and goes to the
standard encoder, so a line is written even for a tree that is not plain. Control characters that
orjson leaves raw (DEL, C1, U+2028, U+2029) are escaped in the finished bytes: they forge lines in
terminals and in readers that split at them. Cutting to the budget is ``shrink.py``'s.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Final

import orjson

from logbraid.plain.quick import INT_MAX, INT_MIN
from logbraid.plain.texts import DEEPER, class_name, clean, int_text, unique_name
from logbraid.record import Plain
from logbraid.shrink import MIN_NOTES, shrink, thinned

_OPTIONS: Final = (
    orjson.OPT_APPEND_NEWLINE
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_C1: Final = re.compile(rb"\xc2([\x80-\x9f])")
_DEL: Final = 0x7F
_C1_LEAD: Final = 0xC2
_MENDED_DEPTH: Final = 64


def encode_line(record: dict[str, Plain], *, max_line_bytes: int, notes: dict[str, int]) -> bytes:
    r"""Return *record* as one strict JSON object with ``\n``, *max_line_bytes* long at most.

    Never fails and never changes *record*. Over the budget the longest string is cut first, then
    the next; if that does not suffice, leaves are left out. What was cut is added to *notes* and to
    the line's ``truncated``: path to original length, ``...`` to the number left out.
    """
    if len(notes) > MIN_NOTES:
        record = _with_few_notes(record)
    try:
        line = finish(orjson.dumps(record, option=_OPTIONS))
    except Exception:  # noqa: BLE001 - what it refuses is mended here, whatever the reason was
        record = _mended_record(record)
        line = _write(record)
    if len(line) <= max_line_bytes:
        return line
    return shrink(record, max_line_bytes, notes, _write)


def _with_few_notes(record: dict[str, Plain]) -> dict[str, Plain]:
    told: Any = record.get("truncated")
    return thinned(record, told) if type(told) is dict else record


def finish(line: bytes) -> bytes:
    """Return *line* with DEL, C1, U+2028 and U+2029 escaped; the same object if it has none.

    These stand raw only inside JSON strings, where the escape means the same character.
    """
    # ``in`` with a number is one memchr; with bytes it costs ten times as much
    if _DEL in line:
        line = line.replace(b"\x7f", b"\\u007f")
    if line.isascii():
        return line
    if _C1_LEAD in line:
        line = _C1.sub(_escape_c1, line)
    if line.find(b"\xe2\x80\xa8") >= 0:
        line = line.replace(b"\xe2\x80\xa8", b"\\u2028")
    if line.find(b"\xe2\x80\xa9") >= 0:
        line = line.replace(b"\xe2\x80\xa9", b"\\u2029")
    return line


def _escape_c1(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[1][0]


def _write(tree: Plain) -> bytes:
    try:
        return finish(orjson.dumps(tree, option=_OPTIONS))
    except Exception:  # noqa: BLE001 - the standard encoder takes over, whatever the reason was
        text = json.dumps(_mended(tree, 0), ensure_ascii=False, separators=(",", ":"))
        return finish(text.encode() + b"\n")


def _mended_record(record: Any) -> dict[str, Plain]:
    mended = _mended(record, 0)
    return mended if type(mended) is dict else {"event": mended}


def _mended(value: Any, level: int) -> Plain:  # noqa: PLR0911 - one exit per type
    """Return *value* as a plain tree: for what the normaliser did not see, a sink's own record."""
    kind = type(value)
    if value is None or kind is bool:
        return value  # type: ignore[no-any-return]  # None or bool
    if issubclass(kind, str):
        return clean(str.__str__(value))
    if issubclass(kind, int):
        number = int.__int__(value)
        return number if INT_MIN <= number <= INT_MAX else int_text(number)
    if issubclass(kind, float):
        return float.__float__(value) if isfinite(value) else None
    if not issubclass(kind, dict | list | tuple):
        return clean(f"<{class_name(kind)}>")
    if level >= _MENDED_DEPTH:  # a cycle ends here too
        return DEEPER
    if not issubclass(kind, dict):
        return [_mended(item, level + 1) for item in list(value)]
    mended: dict[str, Plain] = {}
    for key, item in dict.items(value):
        name = str(_mended(key, _MENDED_DEPTH)) or "_"
        mended[unique_name(name, mended)] = _mended(item, level + 1)
    return mended
