"""Card numbers and, where asked for, personal data: e-mail, phone, IBAN, social security number."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub.spans import Span

_GROUPED: Final = re.compile(
    r"(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![\w])(?!-\d)"
)
_BARE: Final = re.compile(r"\d{13,19}(?![\w])(?![.-]\d)")
_CARD_WORD: Final = re.compile(
    r"(?i)\b(?:card|cc|pan|visa|mastercard|amex|kreditkarte|tarjeta|carte|cart[aã]o)\b"
)
_PLAIN: Final = bytes(max(0, min(9, char - 48)) for char in range(256))
_DOUBLED: Final = bytes(digit * 2 - 9 if digit > 4 else digit * 2 for digit in _PLAIN)
"""What a digit counts in a check sum, at its own place and at each second one."""
_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}"
)
_SSN: Final = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_PHONE: Final = re.compile(
    r"(?<![\w+.-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?![\w])(?![.-]\d)"
)
_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)")


def luhn(digits: str) -> bool:
    """Tell whether the check digit at the end of *digits* is right (ISO/IEC 7812)."""
    raw = digits.encode()
    return (sum(raw[-1::-2].translate(_PLAIN)) + sum(raw[-2::-2].translate(_DOUBLED))) % 10 == 0


def is_card(digits: str) -> bool:
    """Tell whether *digits* are a card number: an issuer's prefix, its length, the check digit."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456" or len(set(digits)) < 2:
        return False
    size = len(digits)
    four = int(digits[:4])
    two = four // 100
    if size == 16:
        known = digits[0] == "4" or 51 <= two <= 55 or 2221 <= four <= 2720
    elif size == 15:
        known = two in (34, 37)
    else:
        known = digits[0] == "4" and size in (13, 19)
    if not known and size in (14, 16, 19):
        known = two in (36, 38, 39) or 300 <= four // 10 <= 305
    if not known and size >= 16:
        known = four == 6011 or two in (65, 62, 50, 35) or 56 <= two <= 69
    return known and luhn(digits)


def find_grouped_cards(text: str, digits: bytes, spans: list[Span]) -> None:
    """Add card numbers that are written in groups; *digits* is the text with every digit ``0``."""
    for pattern in (b"0000 0000 0000", b"0000 000000 0000"):
        at = digits.find(pattern)
        while at >= 0:
            found = _GROUPED.match(text, at)
            if found is not None and (at == 0 or digits[at - 1 : at] not in b"0a_"):
                plain = found.group().replace(" ", "").replace("-", "")
                if is_card(plain):
                    spans.append(Span(at, found.end(), "card"))
                    at = found.end() - 1
            at = digits.find(pattern, at + 1)


def find_bare_cards(text: str, digits: bytes, spans: list[Span], *, named: bool = False) -> None:
    """Add bare runs of digits that are card numbers where a card word stands before them."""
    at = digits.find(b"0" * 13)
    while at >= 0:
        found = _BARE.match(text, at)
        if found is None:
            at += 13
            while at < len(digits) and digits[at] == 48:
                at += 1
            at = digits.find(b"0" * 13, at)
            continue
        glued = at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_-.")
        if (
            not glued
            and is_card(found.group())
            and (named or _CARD_WORD.search(text, max(0, at - 40), at))
        ):
            spans.append(Span(at, found.end(), "card"))
        at = digits.find(b"0" * 13, found.end())


def find_personal(text: str, spans: list[Span]) -> None:
    """Add e-mail addresses, social security numbers, phone numbers and IBANs."""
    if "@" in text:
        at = text.find("@")
        while at >= 0:
            local = _local_part(text, at)
            found = _EMAIL.match(text, local) if local < at else None
            if found is not None:
                spans.append(Span(local, found.end(), "email"))
            at = text.find("@", max(at + 1, found.end() if found else 0))
    spans.extend(Span(m.start(), m.end(), "ssn") for m in _SSN.finditer(text))
    spans.extend(
        Span(found.start(), found.end(), "iban")
        for found in _IBAN.finditer(text)
        if _iban(found.group().replace(" ", ""))
    )
    spans.extend(Span(m.start(), m.end(), "phone") for m in _PHONE.finditer(text))


def _local_part(text: str, at: int) -> int:
    start = at
    floor = max(0, at - 64)
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in "._%+-"):
        start -= 1
    return start


def _iban(text: str) -> bool:
    if not 15 <= len(text) <= 34:
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
