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

from logbraid.clock import NANOSECONDS, THREE
from logbraid.context import TracingContext, bound
from logbraid.encode import finish
from logbraid.health import health
from logbraid.level import levels
from logbraid.plain.texts import LOOK_AHEAD, MAX_KEY_CHARS, clean
from logbraid.record import CONTEXT_ORDER, ENVELOPE, ERROR, FAILURE, LEVEL_WORDS, Record, level_word
from logbraid.truncate import cut
from logbraid.userland import ask

if TYPE_CHECKING:
    from logbraid.pipeline import Pipeline

SPECIAL: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "event"})
"""Words that mean something to a logging method: never the short way."""

_UNORDINARY: Final = ENVELOPE | SPECIAL | frozenset((*CONTEXT_ORDER, *FAILURE))
_MAX_CACHED: Final = 4096
_MAX_LEAVES: Final = 100
_MAX_BOUND: Final = 50
_MAX_NESTED: Final = 5
_MARKER_CHARS: Final = len("[REDACTED:]")
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1
_NO_COUNTS: Final[dict[str, int]] = {}
_NUL: Final = b"\\u0000"
_MARK: Final = b"[REDACTED:"
_BACKSLASH: Final = ord("\\")
_DEL: Final = 0x7F


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
        self._second = (-1, b"", "")
        self._idle: Callable[[], bool] = pipeline.layers_are_idle
        self._inherits_run = pipeline.keeps_debug and any(
            "run_id" in ask(layer) for layer in pipeline.layers
        )
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
        nested: dict[str, Any] | None = None
        long: dict[str, str] | None = None
        for name, value in fields.items():
            if not ordinary.get(name) and not self._is_ordinary(name):
                return None
            kind = type(value)
            if kind is str:
                if len(value) > self._max_chars:  # before any look-up: a hash costs 1 ns a byte
                    long = {} if long is None else long
                    long[name] = value
                elif value not in clean_texts and not (
                    self._looks_clean(value) or self._text_is_clean(value)
                ):
                    return None
            elif kind is int:
                if not _LOWEST <= value <= _HIGHEST:
                    return None
            elif kind is dict or kind is list:
                nested = {} if nested is None else nested
                nested[name] = value
            elif kind is float:
                if value - value != 0.0:
                    return None
            elif value is not None and kind is not bool:
                return None
        counts = notes = _NO_COUNTS
        if nested is not None or long is not None or len(fields) > _MAX_LEAVES:
            notes, counts = {}, {}
            changed = self._changed(len(fields), nested or {}, long or {}, notes, counts)
            if changed is None:
                return None
            fields = {**fields, **changed} if changed else fields
        return self._joined(head + text + image.json, fields, image.tenant, notes, counts)

    def kept(self, record: Record) -> tuple[bytes, str | None, str] | None:
        """Return the line of a record that is kept until an error; ``None``: take the long way."""
        if (
            record.level not in LEVEL_WORDS
            or record.admitted
            or record.level >= levels.gate(record.logger).own
            or levels.windows
            or record.error is not None
            or record.stack
            or record.format_error
            or record.context is not None
            or record.time_ns is not None
            or not self._knows_run(bound.get())
        ):
            return None
        fields = {**record.bound, **record.fields}
        line = self.line(record.level, record.logger, record.event, fields)
        if line is None:
            return None
        text = line[0][:-2] + b',"buffered":true}\n'
        return (text, *line[1:]) if len(text) <= self._max_bytes else None

    def _knows_run(self, context: TracingContext) -> bool:
        """Tell whether *context* alone says which run it is; layers that change are not idle."""
        return "run_id" in context or ("request_id" in context and not self._inherits_run)

    def _joined(
        self,
        told: bytes,
        fields: dict[str, Any],
        tenant: str | None,
        notes: dict[str, int],
        counts: dict[str, int],
    ) -> tuple[bytes, str | None, str] | None:
        """Return stamp, *told* and *fields* as one line, unless only the long way can write it."""
        second, rest = divmod(self._clock(), NANOSECONDS)
        known = self._second
        if second != known[0]:
            known = self._new_second(second)
        micro = rest // 1000
        try:
            rest_of_it = b"," + orjson.dumps(fields)[1:] + b"\n" if fields else b"}\n"
        except orjson.JSONEncodeError:  # a lone surrogate in a name or a text
            return None
        line = b"".join((known[1], THREE[micro // 1000], THREE[micro % 1000], told, rest_of_it))
        if _DEL in line or not line.isascii():
            line = finish(line)
        # A number first: ``in`` with bytes costs ten times as much
        if len(line) > self._max_bytes or (_BACKSLASH in line and line.find(_NUL) >= 0):
            return None
        if notes:
            if line.find(_MARK) >= 0:
                return None  # a name may have changed: what was cut has a path
            health.truncated.advance()
        for found, number in counts.items():
            health.scrubbed.add(found, number)
        return line, tenant, known[2]

    def _changed(  # noqa: C901 - as above
        self,
        size: int,
        nested: dict[str, Any],
        long: dict[str, str],
        notes: dict[str, int],
        counts: dict[str, int],
    ) -> dict[str, Any] | None:
        """Return what becomes of *nested* and *long* fields and the notes; ``None``: unknown."""
        changed: dict[str, Any] = {}
        if nested:
            longest = self._longest_text(nested, _MAX_LEAVES - size)
            if longest < 0:
                return None
            scrubbed = self._scrubber.scrub_fields(nested, counts)
            for kind, number in counts.items():
                longest += (len(kind) + _MARKER_CHARS) * number
            if longest > self._max_chars:
                return None  # markers may have made it longer than a summary may be
            if scrubbed is not nested:
                changed.update(scrubbed)
        elif size > _MAX_LEAVES:
            return None
        inside: dict[str, int] = {}
        for name, value in long.items():
            window = value[: self._max_chars + LOOK_AHEAD]
            if clean(window) is not window or not self._text_is_clean(window):
                return None
            is_part = len(window) < len(value)
            (notes if is_part else inside)[name] = len(value)
            changed[name] = cut(window, self._max_chars, original=len(value), windowed=is_part)
        notes.update(inside)
        if notes:
            changed["truncated"] = notes
        if counts:
            changed["scrubbed"] = counts
        return changed

    def _new_second(self, second: int) -> tuple[int, bytes, str]:
        """Return how a line of that second begins, and its day; safe for threads as one object."""
        stamp = self._stamp(second * NANOSECONDS)
        known = self._second = (second, b'{"timestamp":"' + stamp[:20].encode(), stamp[:10])
        return known

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
        if level >= ERROR and self._pipeline.keeps_debug:
            return b""  # what was kept for it is written first
        if len(self._heads) >= _MAX_CACHED:
            self._heads.clear()
        word = level_word(level).encode()
        head = b'Z","level":"' + word + b'","logger":' + orjson.dumps(name) + b',"event":'
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
        is_ordinary = (
            not counts
            and len(others) <= _MAX_BOUND
            and all(
                self._is_ordinary(name) and self._is_scalar(value) for name, value in others.items()
            )
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

    def _longest_text(self, fields: dict[str, Any], left: int) -> int:  # noqa: C901, PLR0911, PLR0912 - as above
        """Return the length of the longest text in *fields*, or -1 if they are not ordinary.

        Ordinary containers hold only what JSON holds, few leaves (*left*), and are not deep.
        """
        longest = 0
        level: list[Any] = list(fields.values())
        for _ in range(_MAX_NESTED):
            below: list[Any] = []
            for container in level:
                left -= len(container)
                items = container
                if type(container) is dict:
                    for name in container:
                        if type(name) is not str or not 0 < len(name) <= MAX_KEY_CHARS:
                            return -1
                    items = container.values()
                for value in items:
                    kind = type(value)
                    if kind is str:
                        if len(value) > longest:  # noqa: PLR1730 - a call would cost more
                            longest = len(value)
                    elif kind is int:
                        if not _LOWEST <= value <= _HIGHEST:
                            return -1
                    elif kind is dict or kind is list:
                        below.append(value)
                    elif kind is float:
                        if value - value != 0.0:
                            return -1
                    elif value is not None and kind is not bool:
                        return -1
            if left < 0:
                return -1
            if not below:
                return longest if longest <= self._max_chars else -1
            level = below
        return -1


def in_span(context: TracingContext, trace_id: str, span_id: str) -> TracingContext:
    """Return *context* inside a span, with the JSON that was made of it, where that is the same.

    The two are the last ids of a line: where nothing but ids is bound, they stand behind what is
    there.
    """
    inside = context.with_span(trace_id, span_id)
    image = context.made
    if image is None or image.names or not image.is_ordinary:
        return inside
    json = image.json
    known, old = context.get("trace_id"), context.get("span_id")
    if known is None and old is None:
        json += b',"trace_id":"%b","span_id":"%b"' % (trace_id.encode(), span_id.encode())
    elif known == trace_id:
        if old is not None:
            json = json.removesuffix(b',"span_id":"%b"' % old.encode())
        json += b',"span_id":"%b"' % span_id.encode()
    else:
        return inside
    inside.made = _Image(image.maker, json, image.names, image.tenant, is_ordinary=True)
    return inside
