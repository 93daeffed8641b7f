"""Judge a value whose name is secret: it may only stand in a secret's place.

Placeholders, references, look-ups in code, type annotations and the words of a status message
are no secrets. Knows values only; names are judged in ``keys.py``.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import keys, placeholders, shapes
from logbraid.scrub.foreign import SPOKEN_ABROAD
from logbraid.scrub.keys import Verdict

_COLOR: Final = re.compile(r"#[0-9a-fA-F]{3,8}\Z")
_ABROAD: Final = frozenset(SPOKEN_ABROAD)
_COUNTED: Final = re.compile(r"\d{1,6} ?(?:/ ?\d{1,6}|%)\Z")
_NO_LETTER: Final = "*\u2022\u25cf#.xX_-\u2026?$%@<>()[]{}=:;,/\\|&!~`'\" \t\n0yYnNtTfF"
"""A lone character that stands for nothing, or for yes and no."""
_FEWEST_DIGITS: Final = {"token": 6, "secret": 6, "password": 4}
_LEAST: Final = {
    "cvv": 10,
    "pin": 1000,
    "otp": 1000,
    "ssn": 1_000_000,
    "password": 1000,
    "custom_key": 0,
}

_ANY_WORD: Final = frozenset(("password", "api_key", "token", "secret", "secret_key"))
"""Kinds of which any word of letters and digits is a secret."""
_LONGEST_WORD: Final = 64
_HYPHEN: Final = ord("-")


def is_any_secret(verdict: Verdict) -> bool:
    """Tell whether any word of letters and digits is a secret under a name of that *verdict*."""
    return verdict.gate <= keys.TEXT and verdict.kind in _ANY_WORD


def is_mixed_word(text: str) -> bool:
    """Tell whether *text* has 8 to 64 ASCII letters and digits, both of them, and hyphens."""
    if not 8 <= len(text) <= _LONGEST_WORD or not text.isascii():
        return False
    raw = text.encode()
    if _HYPHEN in raw:
        if placeholders.is_auth_word(text):  # scram-sha-256
            return False
        raw = raw.replace(b"-", b"")
    return raw.isalnum() and not raw.isalpha() and not raw.isdigit()


def _is_other(value: str, kind: str) -> bool:
    """Tell a colour, a ratio, a version and the words of a message from a secret."""
    if kind != "password" and _COLOR.match(value):
        return True
    if value.lower() in _ABROAD or _COUNTED.match(value) is not None:
        return True
    return "." in value and shapes.is_dated(value)


def is_secret(value: str, verdict: Verdict) -> bool:
    """Tell whether *value* under a name of that *verdict* is to be redacted whole."""
    # What most passwords and keys are, told in a fifth of the time
    return (is_any_secret(verdict) and is_mixed_word(value)) or is_judged_secret(value, verdict)


def is_judged_secret(  # noqa: C901, PLR0911 - one exit for each gate
    value: str, verdict: Verdict
) -> bool:
    """Do the same, one question after the other."""
    gate = verdict.gate
    if len(value) == 1:
        return gate == keys.NUMBERS_TOO and verdict.kind == "password" and value not in _NO_LETTER
    if gate == keys.SLOT or placeholders.is_placeholder(value):
        return False
    if gate == keys.SHAPED:
        return shapes.is_shaped(value)
    if gate == keys.RANDOM:
        return shapes.is_random(value)
    if gate == keys.TOKEN and shapes.is_streamed_word(value):
        return False
    if gate == keys.CARD or placeholders.is_label(value):
        return False
    kind = verdict.kind
    if kind in {"pin", "cvv", "otp", "ssn"}:
        return _is_code_number(value)
    if _is_other(value, kind):
        return False
    if placeholders.is_status(value) or (
        value.isdigit() and len(value) < _FEWEST_DIGITS.get(kind, 4)
    ):
        return False
    if placeholders.is_path(value) or (
        kind == "password" and value[:1] == "/" and value.count("/") > 1
    ):
        return False
    if kind == "auth" or (gate != keys.NUMBERS_TOO and placeholders.is_auth_word(value)):
        return kind == "auth" and not placeholders.is_auth_word(value) and not shapes.is_link(value)
    return not (kind != "password" and shapes.is_link(value) and "@" not in value)


def _is_code_number(value: str) -> bool:
    """Tell a PIN, a one-time code, a social security number: digits, or letters and digits."""
    bare = value.strip()
    if " " in bare and not bare.replace(" ", "").isdigit():
        return False
    return shapes.has_digit(bare) and not shapes.is_date(bare) and len(bare) <= 128


def is_secret_number(number: str, kind: str) -> bool:
    """Tell whether a number is the secret itself rather than a count of such."""
    least = _LEAST.get(kind)
    return least is not None and abs(int(number)) >= least
