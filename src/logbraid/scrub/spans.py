"""Spans: where in a text a secret stands, and how the text looks without it."""

from __future__ import annotations

from typing import NamedTuple

from logbraid.scrub.placeholders import MARK


class Span(NamedTuple):
    """The part of a text from *start* to *end* that is a secret of *kind*.

    *wrap* is put around the marker: a number in JSON becomes text and needs its quotes.
    """

    start: int
    end: int
    kind: str
    wrap: str = ""


def redacted(kind: str) -> str:
    """Return the marker that stands for a secret of *kind*."""
    return f"{MARK}{kind}]"


def without(text: str, spans: list[Span], counts: dict[str, int]) -> str:
    """Return *text* with each span replaced by its marker; of overlapping ones the first wins."""
    if len(spans) == 1 and spans[0].end:  # nearly always
        start, end, kind, wrap = spans[0]
        counts[kind] = counts.get(kind, 0) + 1
        return f"{text[:start]}{wrap}{MARK}{kind}]{wrap}{text[end:]}"
    spans.sort(key=lambda span: (span[0], -span[1]))
    parts: list[str] = []
    done = 0
    for at, (start, end, kind, wrap) in enumerate(spans):
        if end <= done or (start < done and at):
            done = max(done, end)
            continue
        parts.append(text[done:start])
        parts.append(f"{wrap}{MARK}{kind}]{wrap}")
        counts[kind] = counts.get(kind, 0) + 1
        done = end
    parts.append(text[done:])
    return "".join(parts)


def marker(kind: str, counts: dict[str, int]) -> str:
    """Count a secret of *kind* and return what stands for it."""
    counts[kind] = counts.get(kind, 0) + 1
    return redacted(kind)
