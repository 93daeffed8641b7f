"""The short way: the same bytes as ``Pipeline.make`` for what most records are.

Ordinary names; text, numbers, booleans and containers of them that need nothing done to them or
only scrubbing; no exception; a context that was seen before. Whatever is not known for sure to be
ordinary is handed back (``None``), and the long way decides. A property test holds both equal.

What makes it short, with what leaving it out costs on a small record (ratios measured):
one decision per field name, remembered (4.2); strings already seen and clean, remembered (1.6);
the context made JSON once per bind (1.13); one walk over the fields; no copy of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from logbraid.context import TracingContext, bound
from logbraid.encode import finish
from logbraid.health import health
from logbraid.record import CONTEXT_ORDER, ENVELOPE, FAILURE, LEVEL_WORDS, level_word
from logbraid.texts import MAX_KEY_CHARS

if TYPE_CHECKING:
    from logbraid.pipeline import Pipeline

SPECIAL: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "event"})
"""Words that mean something to a logging method: never the short way."""

_UNORDINARY: Final = ENVELOPE | SPECIAL | frozenset((*CONTEXT_ORDER, *FAILURE))
_MAX_CACHED: Final = 4096
_MAX_LEAVES: Final = 100
_MAX_NESTED: Final = 5
_MARKER_CHARS: Final = len("[REDACTED:]")
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1
_NO_COUNTS: Final[dict[str, int]] = {}
_NUL: Final = b"\\u0000"


class _Image(NamedTuple):
    """A context as this pipeline writes it."""

    maker: object
    json: bytes
    names: frozenset[str]
    tenant: str | None
    is_ordinary: bool


class FastPath:
    """The short way through one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        settings = pipeline.settings
        self._pipeline = pipeline
        self._is_open = not (settings.processors or settings.callsite)
        self._clock = settings.clock
        self._stamp = pipeline.stamper.stamp
        self._idle: Callable[[], bool] = pipeline.layers_are_idle
        self._scrubber = pipeline.scrubber
        self._clean_texts = pipeline.scrubber.clean_texts
        self._looks_clean = pipeline.scrubber.looks_clean
        self._text_is_clean = pipeline.scrubber.text_is_clean
        self._max_chars = settings.max_summary_chars
        self._max_event = min(1000, settings.max_summary_chars)
        self._max_bytes = settings.max_line_bytes
        self._ordinary: dict[str, bool] = {}
        self._heads: dict[tuple[int, str], bytes] = {}
        self._events: dict[str, bytes] = {}

    def line(  # noqa: C901, PLR0911, PLR0912 - one walk; a call for each field would double its cost
        self, level: int, logger: str, event: object, fields: dict[str, Any]
    ) -> tuple[bytes, str | None, str] | None:
        """Return the line, its tenant and its day; ``None``: take the long way."""
        if not self._is_open or not self._idle():
            return None
        context = bound.get()
        image = context.made
        if image is None or image.maker is not self:
            image = self._image(context)
        if not image.is_ordinary or (image.names and not image.names.isdisjoint(fields)):
            return None
        head = self._heads.get((level, logger)) or self._head(level, logger)
        if not head:
            return None
        text = self._events.get(event) if type(event) is str else b""
        if not text:
            text = self._event(event)
            if not text:
                return None

        ordinary, clean_texts = self._ordinary, self._clean_texts
        nested = False
        for name, value in fields.items():
            if not ordinary.get(name) and not self._is_ordinary(name):
                return None
            kind = type(value)
            if kind is str:
                if value not in clean_texts and (
                    len(value) > self._max_chars
                    or not (self._looks_clean(value) or self._text_is_clean(value))
                ):
                    return None
            elif kind is int:
                if not _LOWEST <= value <= _HIGHEST:
                    return None
            elif kind is dict or kind is list:
                nested = True
            elif kind is float:
                if value - value != 0.0:
                    return None
            elif value is not None and kind is not bool:
                return None
        counts: dict[str, int] = _NO_COUNTS
        if nested:
            counts = {}
            longest = self._longest_text(fields)
            if longest < 0:
                return None
            fields = self._scrubber.scrub_fields(fields, counts)
            if counts:
                grown = sum((len(kind) + _MARKER_CHARS) * number for kind, number in counts.items())
                if longest + grown > self._max_chars:
                    return None  # markers may have made it longer than a summary may be
                fields = {**fields, "scrubbed": counts}
        elif len(fields) > _MAX_LEAVES:
            return None
        stamp = self._stamp(self._clock())
        try:
            line = b"".join(
                (
                    b'{"timestamp":"',
                    stamp.encode(),
                    head,
                    text,
                    image.json,
                    b"," + orjson.dumps(fields)[1:] + b"\n" if fields else b"}\n",
                )
            )
        except orjson.JSONEncodeError:  # a lone surrogate in a name or a text
            return None
        line = finish(line)
        if len(line) > self._max_bytes or _NUL in line:
            return None
        if counts:
            for found, number in counts.items():
                health.scrubbed.add(found, number)
        return line, image.tenant, stamp[:10]

    # -- what is looked at once and remembered ---------------------------------------------

    def _is_ordinary(self, name: str) -> bool:
        known = self._ordinary.get(name)
        if known is not None:
            return known
        if len(self._ordinary) >= _MAX_CACHED:
            self._ordinary.clear()
        known = (
            type(name) is str
            and len(name) <= MAX_KEY_CHARS
            and name.isidentifier()
            and name not in _UNORDINARY
            and self._scrubber.name_is_plain(name)
        )
        self._ordinary[name] = known
        return known

    def _head(self, level: int, logger: str) -> bytes:
        name = self._pipeline.name(logger, {})
        if name != (logger or "root") or level not in LEVEL_WORDS:
            return b""
        if len(self._heads) >= _MAX_CACHED:
            self._heads.clear()
        word = level_word(level).encode()
        head = b'","level":"' + word + b'","logger":' + orjson.dumps(name) + b',"event":'
        self._heads[level, logger] = head
        return head

    def _event(self, event: object) -> bytes:
        """Return the JSON of an event that needs nothing done to it, else nothing."""
        if type(event) is not str or len(event) > self._max_event:
            return b""
        if not self._text_is_clean(event):
            return b""
        try:
            text = orjson.dumps(event)
        except orjson.JSONEncodeError:
            return b""
        if len(event) <= 64:
            if len(self._events) >= _MAX_CACHED:
                self._events.clear()
            self._events[event] = text
        return text

    def _image(self, context: TracingContext) -> _Image:
        counts: dict[str, int] = {}
        ids, others = self._pipeline.context_parts(counts)
        is_ordinary = not counts and all(
            self._is_ordinary(name) and self._is_scalar(value) for name, value in others.items()
        )
        json = b""
        if is_ordinary:
            told: Mapping[str, Any] = {**self._pipeline.service, **ids, **others}
            try:
                json = b"," + orjson.dumps(told)[1:-1] if told else b""
            except orjson.JSONEncodeError:
                is_ordinary = False
        image = _Image(self, json, frozenset(others), ids.get("tenant_id"), is_ordinary)
        context.made = image
        return image

    def _is_scalar(self, value: object) -> bool:
        if type(value) is str:
            return len(value) <= self._max_chars and self._text_is_clean(value)
        if type(value) is int:
            return _LOWEST <= value <= _HIGHEST
        return type(value) is bool

    def _longest_text(self, fields: Mapping[str, Any]) -> int:  # noqa: C901 - as above
        """Return the length of the longest text in *fields*, or -1 if they are not ordinary.

        Ordinary containers hold only what JSON holds, few leaves, and are not deep.
        """
        left, longest = _MAX_LEAVES, 0
        todo: list[tuple[Any, int]] = [(fields, 0)]
        for value, depth in todo:
            kind = type(value)
            if kind is str:
                longest = max(longest, len(value))
            elif kind is dict or kind is list:
                left -= len(value)
                if left < 0 or depth > _MAX_NESTED:
                    return -1
                if kind is dict:
                    if not all(
                        type(name) is str and 0 < len(name) <= MAX_KEY_CHARS for name in value
                    ):
                        return -1
                    value = value.values()  # noqa: PLW2901 - its items are what is looked at
                todo += [(item, depth + 1) for item in value]
            elif kind is int:
                if not _LOWEST <= value <= _HIGHEST:
                    return -1
            elif kind is float:
                if value - value != 0.0:
                    return -1
            elif value is not None and kind is not bool:
                return -1
        return longest if longest <= self._max_chars else -1
