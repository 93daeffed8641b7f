"""Secrets that tell themselves by their form, whatever their name and surroundings.

The table stands in ``formats.py``. Heads are looked for only inside long runs of token
characters, and a pattern is only tried at a head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from logbraid.scrub.formats import FORMATS
from logbraid.scrub.spans import Span

_LEFT: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F][0-9A-F]))"
_HEADS: Final = sorted({head for row in FORMATS for head in row.heads}, key=len, reverse=True)


def _any_of(heads: Iterable[str]) -> str:
    """Return a pattern for the longest of *heads* that stands there, tried letter by letter.

    One after the other they would cost 1 us at each place where none stands.
    """
    branches: dict[str, list[str]] = {}
    for head in heads:
        branches.setdefault(head[:1], []).append(head[1:])
    whole = "" in branches
    tried = [
        re.escape(first) + _any_of(rests) for first, rests in sorted(branches.items()) if first
    ]
    if not tried:
        return ""
    together = tried[0] if len(tried) == 1 and not whole else f"(?:{'|'.join(tried)})"
    return f"{together}?" if whole else together


_HEAD: Final = re.compile(
    f"(?=[{re.escape(''.join(sorted({head[0] for head in _HEADS})))}])" + _LEFT + _any_of(_HEADS)
)
STARTS: Final = frozenset(re.split(r"[^A-Za-z0-9]", head)[0][:3].encode() for head in _HEADS) | {
    b"1",
    *(b"%s%c" % (lead, digit) for lead in (b"SK", b"AC") for digit in b"0123456789abcdef"),
}
"""Up to three letters and digits with which a format's head begins."""
_SEPARATORS: Final = bytes(c if chr(c).isalnum() and c < 128 else 32 for c in range(256))


def _rows() -> dict[str, list[tuple[str, re.Pattern[str], bool]]]:
    rows: dict[str, list[tuple[str, re.Pattern[str], bool]]] = {}
    for head in _HEADS:
        for row in FORMATS:
            for own in row.heads:
                if head.startswith(own):
                    pattern = re.compile(re.escape(own) + row.body)
                    rows.setdefault(head, []).append((row.kind, pattern, row.cut))
    return rows


_ROWS: Final = _rows()
_CUT_HEADS: Final = {
    head: row.kind for row in FORMATS if row.cut for head in row.heads if len(head) >= 4
}
_CUT: Final = re.compile(
    _LEFT + "(" + _any_of(_CUT_HEADS) + r")(?=[\w-]{0,40}[0-9A-Z])[\w.+/=-]{4,400}+\Z"
)
_SHORT_HEADS: Final = {
    head: row.kind for row in FORMATS for head in row.heads if len(head) == 3 and not head.isalnum()
}
_SHORT_CUT: Final = re.compile(
    _LEFT
    + "("
    + _any_of(_SHORT_HEADS)
    + r")(?=[^A-Z]{0,64}[A-Z])(?=[^a-z]{0,64}[a-z])(?=[^0-9]{0,64}[0-9])[A-Za-z0-9]{6,400}+\Z"
)
"""A head that short may be anything: behind it both cases and a digit."""
_LONGEST_CUT: Final = 400 + max(map(len, _CUT_HEADS))
_JWT_HEAD: Final = re.compile(
    r"eyJ(?:hbGciOi|0eXAiOi|raWQiOi|jdHkiOi|lbmMiOi|4NXQi|qa3Ui|hcHAiOi)[A-Za-z0-9_-]{0,8192}+"
    r"(?:\.[A-Za-z0-9_-]{0,16384}+){0,4}\Z"
)
_DIGIT: Final = re.compile(r"\d")
_LETTER: Final = re.compile(r"[A-Za-z]")
_PART: Final = re.compile(r"[A-Za-z0-9_-]*+")
_TELEGRAM: Final = re.compile(r":AA(?<=\d:AA)[\w-]{31,35}+")
_DISCORD: Final = re.compile(
    r"(?<![A-Za-z0-9.])[MNO][A-Za-z0-9_-]{22,27}\.[\w-]{6}\.[\w-]{27,44}+(?!\w|[.-]\w)"
)
_MAILCHIMP: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\w)")
_AZURE_SECRET: Final = re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}+")


_ACCOUNT: Final = re.compile(r"AC[0-9a-f]{32}(?![0-9A-Za-z])")
_NEAR: Final = 100
"""So far from the name of an account its secret may stand."""
_FEWEST_CHARS: Final = 4
_AWS_SECRET: Final = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_BESIDE: Final = {
    "aws_access_key": (_AWS_SECRET, "aws_secret_key"),
    "twilio_key": (re.compile(r"(?<!\w)(?!AC|SK)[A-Za-z0-9]{32}(?!\w)"), "twilio_token"),
    "twilio_account": (re.compile(r"(?<!\w)[0-9a-f]{32}(?!\w)"), "twilio_token"),
}
"""What names an account, the secret that stands beside it, and its kind."""
_SIGNED: Final = (
    (b".", 58, _DISCORD, "discord_token"),
    (b"-us", 36, _MAILCHIMP, "mailchimp_key"),
    (b"Q~", 37, _AZURE_SECRET, "azure_secret"),
)
"""Formats without a head: their sign, their fewest characters, their pattern, their kind."""
# As numbers: ``in`` with bytes raises and clears an exception inside
_BACKSLASH: Final = ord("\\")
_PERCENT: Final = ord("%")


def find_in_run(text: str, raw: bytes, start: int, end: int, spans: list[Span]) -> None:
    """Add to *spans* the secrets in the run of token characters from *start* to *end*."""
    run = raw[start:end]
    pieces = run.translate(_SEPARATORS).split()
    if (
        not STARTS.isdisjoint([piece[:3] for piece in pieces])
        or _BACKSLASH in run
        or _PERCENT in run
    ):
        _find_heads(text, start, end, spans)
    if end - start < 34:
        return
    if run.startswith(b"AC") and _ACCOUNT.match(text, start) is not None:
        _find_beside(text, start, start + 34, "twilio_account", spans)
    for sign, shortest, pattern, kind in _SIGNED:
        if end - start >= shortest and run.find(sign) >= 0:
            spans.extend(
                Span(found.start(), found.end(), kind)
                for found in pattern.finditer(text, start, end)
            )


def _find_heads(  # noqa: C901 - a loop over heads and their rows
    text: str, start: int, end: int, spans: list[Span]
) -> None:
    at = start
    no_jwt_until = 0
    while True:
        head = _HEAD.search(text, at, end)
        if head is None:
            return
        first = head.start()
        name = head.group()
        at = first + 1
        if name == "eyJ":
            if first < no_jwt_until:
                continue
            part = _PART.match(text, first)
            no_jwt_until = part.end() if part is not None else at
            if not text.startswith(".", no_jwt_until):
                continue  # no later head in this part can begin a JWT either
        for kind, pattern, sure in _ROWS[name]:
            found = pattern.match(text, first)
            if found is None:
                continue
            at = found.end()
            body = text[first + len(name) : at]
            if len(set(body)) < _FEWEST_CHARS:
                continue  # ghp_xxxxxxxx: a picture of a token
            if sure or _is_mixed(body):
                spans.append(Span(first, at, kind))
                if kind in _BESIDE:
                    _find_beside(text, first, at, kind, spans)
                break


def _find_beside(text: str, first: int, end: int, kind: str, spans: list[Span]) -> None:
    """Add the secret that is written beside the name of its account."""
    pattern, of = _BESIDE[kind]
    for start, stop in ((end, end + _NEAR), (max(0, first - _NEAR), first)):
        for found in pattern.finditer(text, start, stop):
            body = found.group()
            if of == "aws_secret_key" and (body.upper() == body or body.lower() == body):
                continue
            if _is_mixed(body):
                spans.append(Span(found.start(), found.end(), of))
                return


def _is_mixed(body: str) -> bool:
    return _DIGIT.search(body) is not None and _LETTER.search(body) is not None


def find_telegram(text: str, raw: bytes, spans: list[Span]) -> None:
    """Add the bot tokens of Telegram: digits, a colon, then ``AA`` and 33 characters."""
    for found in _TELEGRAM.finditer(text):
        at = found.start()
        digits = raw[max(0, at - 12) : at]
        number = len(digits) - len(digits.rstrip(b"0123456789"))
        if 7 <= number <= 11:
            spans.append(Span(at - number, found.end(), "telegram_token"))


def find_cut(text: str, start: int, spans: list[Span]) -> None:
    """Add what begins like a credential in the last run of a text, from *start*, and is cut off."""
    at = text.find("eyJ", start)
    if at >= 0:
        found = _JWT_HEAD.match(text, at)
        if found is not None:
            spans.append(Span(at, len(text), "jwt"))
            return
    start = max(start, len(text) - _LONGEST_CUT)
    for pattern, kinds in ((_CUT, _CUT_HEADS), (_SHORT_CUT, _SHORT_HEADS)):
        found = pattern.search(text, start)
        if found is not None:
            spans.append(Span(found.start(), len(text), kinds[found.group(1)]))
            return


def credential_kind(text: str) -> str | None:
    """Return the kind if *text* holds a credential by its form, else ``None``."""
    spans: list[Span] = []
    raw = text.encode("ascii", "replace")
    find_in_run(text, raw, 0, len(text), spans)
    find_telegram(text, raw, spans)
    find_cut(text, 0, spans)
    return spans[0].kind if spans else None
