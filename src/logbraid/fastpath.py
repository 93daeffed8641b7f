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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from logbraid.clock import NANOSECONDS, THREE
from logbraid.context import SpanContext, TracingContext, bound
from logbraid.encode import finish
from logbraid.health import health
from logbraid.level import levels
from logbraid.plain.quick import INT_MAX, INT_MIN, GiveUpError
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
_NO_COUNTS: Final[dict[str, int]] = {}
_NUL: Final = b"\\u0000"
_MARK: Final = b"[REDACTED:"
_BACKSLASH: Final = ord("\\")
_DEL: Final = 0x7F


@dataclass(slots=True, eq=False)
class _Image:
    """A context as this pipeline writes it."""

    maker: object
    json: bytes
    names: frozenset[str]
    tenant: str | None
    is_ordinary: bool
    ids: Mapping[str, str]
    """The ids of a line, without that of a span."""
    trace_id: str | None
    stem: bytes
    """Their JSON, behind that of the service."""
    tail: bytes
    """The JSON of what is bound beside them."""


class FastPath:
    """The short way through one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        settings = pipeline.settings
        self._pipeline = pipeline
        self._clock = settings.clock
        self._stamp = pipeline.stamper.stamp
        self._second = (-1, b"", "")
        is_open = not (settings.processors or settings.callsite)
        self._layers_are_idle = pipeline.layers_are_idle
        self._idle: Callable[[], bool] = pipeline.layers_are_idle if is_open else bool
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
        self._walk = pipeline.scrubber.ordinary_walk(
            pipeline.normaliser.rules.names, settings.max_summary_chars
        )
        self._ordinary: set[str] = set()
        self._heads: dict[tuple[int, str], bytes] = {}
        self._told: dict[tuple[int, str, str], bytes] = {}

    def line(  # noqa: C901, PLR0911, PLR0912 - one walk; a call for each field would double its cost
        self, level: int, logger: str, event: object, fields: dict[str, Any]
    ) -> tuple[bytes, str | None, str] | None:
        """Return the line, its tenant and its day; ``None``: take the long way."""
        if not self._idle():
            return None
        context = bound.get()
        image = context.made
        if image is None or image.maker is not self:
            image = self._image(context)
        if not image.is_ordinary or (image.names and not image.names.isdisjoint(fields)):
            return None
        if len(fields) > _MAX_LEAVES:
            return None
        told = self._told.get((level, logger, event)) if type(event) is str else None
        if not told:
            told = self._beginning(level, logger, event)
            if not told:
                return None
        json = image.json if type(context) is not SpanContext else _in_span(image, context)

        ordinary, clean_texts = self._ordinary, self._clean_texts
        special: tuple[str, ...] = ()
        for name, value in fields.items():
            if name not in ordinary and not self._is_ordinary(name):
                return None
            kind = type(value)
            if kind is str:
                # Its length first: a hash costs 1 ns a byte
                if len(value) > self._max_chars or (
                    value not in clean_texts and not self._looks_clean(value)
                ):
                    special += (name,)
            elif kind is int:
                if not INT_MIN <= value <= INT_MAX:
                    return None
            elif kind is dict or kind is list:
                special += (name,)
            elif kind is float:
                if value - value != 0.0:  # not finite
                    return None
            elif value is not None and kind is not bool:
                return None
        counts = notes = _NO_COUNTS
        if special:
            fields, notes, counts = fields.copy(), {}, {}
            if not self._change(fields, special, notes, counts):
                return None
        return self._joined(told, json, image.tenant, fields, notes, counts)

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
        context: bytes | None,
        tenant: str | None,
        fields: dict[str, Any],
        notes: dict[str, int],
        counts: dict[str, int],
    ) -> tuple[bytes, str | None, str] | None:
        """Return stamp, *told*, *context* and *fields* as a line; ``None``: the long way knows."""
        if context is None:
            return None
        second, rest = divmod(self._clock(), NANOSECONDS)
        known = self._second
        if second != known[0]:
            known = self._new_second(second)
        micro = rest // 1000
        try:
            body = orjson.dumps(fields)[1:]
        except orjson.JSONEncodeError:  # a lone surrogate in a name or a text
            return None
        comma = b"," if fields else b""
        first, then = THREE[micro // 1000], THREE[micro % 1000]
        line = b"".join((known[1], first, then, told, context, comma, body, b"\n"))
        if _DEL in line or not line.isascii():
            line = finish(line)
        # A number first: ``in`` with bytes costs ten times as much
        if len(line) > self._max_bytes or (_BACKSLASH in line and line.find(_NUL) >= 0):
            return None
        if notes:
            if line.find(_MARK) >= 0:
                return None  # a name may have changed: what was cut has a path
            health.truncated.advance()
        if counts:
            health.scrubbed.add_all(counts)
        return line, tenant, known[2]

    def _change(
        self,
        fields: dict[str, Any],
        special: tuple[str, ...],
        notes: dict[str, int],
        counts: dict[str, int],
    ) -> bool:
        """Scrub and cut *special* of *fields*, and add the notes; ``False``: the long way knows."""
        walk, room = self._walk, [_MAX_LEAVES - len(fields), 2 * self._max_bytes]
        cut_here: dict[str, int] = {}
        try:
            for name in special:
                value = fields[name]
                if type(value) is dict:
                    fields[name] = walk.fields(value, 1, room, counts)
                elif type(value) is list:
                    fields[name] = walk.items(value, 1, room, counts)
                elif len(value) <= self._max_chars:
                    fields[name] = walk.text(value, room, counts)
                else:
                    fields[name] = self._cut(name, value, notes, cut_here)
                    room[1] -= self._max_chars + LOOK_AHEAD
        except Exception:  # noqa: BLE001 - not ordinary, or a fault that the long way meets and tells
            return False
        if room[1] < 0:
            return False
        notes.update(cut_here)
        if notes:
            fields["truncated"] = notes
        if counts:
            fields["scrubbed"] = counts
        return True

    def _cut(self, name: str, value: str, noted: dict[str, int], cut_here: dict[str, int]) -> str:
        """Return a long text cut to its limit; what the normaliser would cut goes to *noted*."""
        window = value[: self._max_chars + LOOK_AHEAD]
        if clean(window) is not window or not self._text_is_clean(window):
            raise GiveUpError
        is_part = len(window) < len(value)
        (noted if is_part else cut_here)[name] = len(value)
        return cut(window, self._max_chars, original=len(value), windowed=is_part)

    def _new_second(self, second: int) -> tuple[int, bytes, str]:
        """Return how a line of that second begins, and its day; safe for threads as one object."""
        stamp = self._stamp(second * NANOSECONDS)
        known = self._second = (second, b'{"timestamp":"' + stamp[:20].encode(), stamp[:10])
        return known

    # -- what is looked at once and remembered ---------------------------------------------

    def _is_ordinary(self, name: str) -> bool:
        if name in self._ordinary:
            return True
        if (
            type(name) is not str
            or len(name) > MAX_KEY_CHARS
            or not name.isidentifier()
            or name in _UNORDINARY
            or not self._scrubber.name_is_plain(name)
        ):
            return False
        if len(self._ordinary) >= _MAX_CACHED:
            self._ordinary.clear()
        self._ordinary.add(name)
        return True

    def _beginning(self, level: int, logger: str, event: object) -> bytes:
        """Return level, logger and event as the line says them; nothing: the long way knows."""
        head = self._heads.get((level, logger)) or self._head(level, logger)
        if not head or type(event) is not str or len(event) > self._max_event:
            return b""
        if not self._text_is_clean(event):
            return b""
        try:
            told = head + orjson.dumps(event)
        except orjson.JSONEncodeError:
            return b""
        if len(event) <= 64:
            if len(self._told) >= _MAX_CACHED:
                self._told.clear()
            self._told[level, logger, event] = told
        return told

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

    def ids_here(self) -> Mapping[str, str]:
        """Return the ids of a line here, without that of an action's span. Not to be changed."""
        if not self._layers_are_idle():
            ids = self._pipeline.context_parts({})[0]
            ids.pop("span_id", None)
            return ids
        context = bound.get()
        image: _Image | None = context.made
        if image is None or image.maker is not self:
            image = self._image(context)
        if type(context) is SpanContext and image.trace_id != context.trace_id:
            return {**image.ids, "trace_id": context.trace_id}
        return image.ids

    def _image(self, context: TracingContext) -> _Image:
        """Return the image of *context*, or of what is around the spans that it stands in."""
        ground = context.ground if type(context) is SpanContext else context
        image: _Image | None = ground.made
        if image is None or image.maker is not self:
            ground.made = image = self._new_image(ground)
        context.made = image
        return image

    def _new_image(self, context: TracingContext) -> _Image:
        counts: dict[str, int] = {}
        ids, others = self._pipeline.context_parts(counts, context)
        is_ordinary = (
            not counts
            and len(others) <= _MAX_BOUND
            and all(
                self._is_ordinary(name) and self._is_scalar(value) for name, value in others.items()
            )
        )
        tenant, span = ids.get("tenant_id"), {}
        if "span_id" in ids:
            span["span_id"] = ids.pop("span_id")
        stem = json = tail = b""
        if is_ordinary:
            try:
                stem = _members({**self._pipeline.service, **ids})
                tail = _members(others)
                json = stem + _members(span) + tail
            except orjson.JSONEncodeError:
                is_ordinary = False
        trace_id, names = ids.get("trace_id"), frozenset(others)
        return _Image(self, json, names, tenant, is_ordinary, ids, trace_id, stem, tail)

    def _is_scalar(self, value: object) -> bool:
        if type(value) is str:
            return len(value) <= self._max_chars and self._text_is_clean(value)
        if type(value) is int:
            return INT_MIN <= value <= INT_MAX
        return type(value) is bool


def _members(fields: Mapping[str, Any]) -> bytes:
    """Return *fields* as members of a JSON object that has others before."""
    return b"," + orjson.dumps(fields)[1:-1] if fields else b""


def _in_span(image: _Image, span: SpanContext) -> bytes | None:
    """Return the JSON of *image* with the two ids of *span*; ``None``: the long way knows.

    They are the last ids of a line, so the rest need not be made anew for each span.
    """
    trace_id, span_id = span.trace_id, span.span_id.encode()
    if image.trace_id == trace_id:
        return b"".join((image.stem, b',"span_id":"', span_id, b'"', image.tail))
    if image.trace_id is not None or not trace_id.isalnum():
        return None
    trace = (b',"trace_id":"', trace_id.encode(), b'","span_id":"', span_id, b'"')
    return b"".join((image.stem, *trace, image.tail))
