"""Tell by its characters alone whether a value looks drawn at random, or is a date or a word."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import placeholders

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_SHAPE: Final = re.compile(r"[A-Za-z0-9_\-+/=.~:%!$@#^&*]{12,4096}\Z")
_HEXED: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{6,128}\Z")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.Z+ -]{0,24})?\Z")
_VERSION: Final = re.compile(r"v?\d{1,4}(?:\.\d{1,5}){0,3}(?:[a-z]{1,5}\d{0,3})?\Z")
_HAS_DIGIT: Final = re.compile(r"\d")
_HAS_LETTER: Final = re.compile(r"[A-Za-z]")
_TYPED: Final = re.compile(r"[A-Za-z0-9!@#$%^&*?~+._-]*\Z")
_MAIL: Final = re.compile(r"@[\w-]+\.")
_LINK: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://")


def is_link(value: str) -> bool:
    """Tell whether *value* begins like an address: ``https://``."""
    return _LINK.match(value) is not None


def has_digit(value: str) -> bool:
    """Tell whether a digit of any script is in *value*."""
    return _HAS_DIGIT.search(value) is not None


def is_date(value: str) -> bool:
    """Tell whether *value* begins with a date, and a time at most: ``2024-01-02T03:04``."""
    return _DATE.match(value) is not None


def is_shaped(value: str) -> bool:
    """Tell whether *value* looks drawn at random: one long word with letters and digits."""
    if (
        not _SHAPE.match(value)
        or _UUID.match(value)
        or placeholders.is_path(value)
        or is_link(value)
    ):
        return False
    if not (_HAS_DIGIT.search(value) and _HAS_LETTER.search(value)):
        return len(value) >= 20 and mixes_case(value)
    return not _DATE.match(value)


def is_random(value: str) -> bool:
    """Tell whether *value* is clearly random: long, both cases, digits, no hash, no separators."""
    if len(value) < 20 or not is_shaped(value) or _HEXED.match(value):
        return False
    return (
        ":" not in value
        and "/" not in value[1:-1]
        and mixes_case(value)
        and (len(_HAS_DIGIT.findall(value)) >= 2)
    )


def mixes_case(value: str) -> bool:
    """Tell whether *value* has large and small letters, and not only a large first one."""
    return value != value.lower() and value != value.upper() and value[1:] != value[1:].lower()


def is_mixed(value: str) -> bool:
    """Tell whether *value* mixes digits or signs with letters, as no plain word does."""
    if not _HAS_LETTER.search(value):
        return len(value) >= 6 and value.isdigit()
    if _HAS_DIGIT.search(value):
        return True
    return any(char in "!@#$%^&*?+~=" for char in value) or (
        len(value) >= 16 and mixes_case(value) and value.isalnum()
    )


def is_strong(value: str) -> bool:
    """Tell whether *value* has all that rules for passwords ask for: ``s3cretPW!``."""
    return (
        8 <= len(value) <= 64
        and _TYPED.match(value) is not None
        and _MAIL.search(value) is None
        and value.lower() != value != value.upper()
        and _HAS_DIGIT.search(value) is not None
        and any(char in "!@$^&*~" for char in value)
    )


def is_streamed_word(value: str) -> bool:
    """Tell whether *value* is a word of a language model's stream rather than a credential."""
    bare = value.strip()
    if len(bare) < 4 or bare != value or " " in value:
        return True
    return len(bare) <= 12 and (bare.isalpha() or not any(map(str.isalnum, bare)))


def is_dated(value: str) -> bool:
    """Tell whether *value* is a date or a version: ``2024-01-02``, ``v2.3``."""
    return bool(_DATE.match(value)) or bool(_VERSION.match(value))
