"""The way of one record, from the door of its library to every sink.

::

    log.info("paid", amount=3)      structlog | logging | loguru | python-json-logger
            v    integrations/*     a foreign record becomes a Record; the gate came first
            v    Pipeline.emit      the only door
            |--  merge              context and fields: who wins (merge.py)
            |--  process            the user's processors; scrub sees what they add
            |--  normalise          any object becomes what JSON can hold
            |--  scrub              fails closed: what cannot be scrubbed becomes [SCRUB_ERROR]
            |--  truncate           after scrub, which saw 512 characters past every cut
            |--  encode             strict JSON, one line
            v    deliver            every sink, each guarded

The order is a security property, so it is spelled out in ``make`` and not a list that someone
could reorder. Nothing here raises into the caller. ``fastpath.py`` is a shortcut with the same
result for what most records are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from structlog.exceptions import DropEvent

from logbraid import inside
from logbraid.clock import Stamper, day_of
from logbraid.context import TracingContext, bound, left_on
from logbraid.debug_buffer import buffer, run_of
from logbraid.encode import encode_line
from logbraid.failure import failure_fields
from logbraid.fastpath import FastPath
from logbraid.health import health
from logbraid.identity import SafeIds
from logbraid.level import Gate, levels
from logbraid.merge import excess, fenced, merge
from logbraid.plain.normalise import LOOK_AHEAD, Normaliser
from logbraid.plain.texts import LEFT_OUT
from logbraid.process import renew_after_fork
from logbraid.record import DEBUG, ERROR, NOTES, Plain, Record, level_word
from logbraid.settings import Settings
from logbraid.sinks.fan_out import fan_out, noting
from logbraid.sinks.sink import Sink
from logbraid.sinks.stdout import StdoutSink
from logbraid.truncate import truncate_fields
from logbraid.userland import Layer, ask, process

MAX_EVENT_CHARS: Final = 1000
MAX_NAME_CHARS: Final = 200
_NOTE_LEAVES: Final = 12
_CALLSITE: Final = ("module", "function", "lineno")


@dataclass(frozen=True, slots=True)
class Line:
    """One finished line, and where it belongs."""

    text: bytes
    tenant: str | None
    day: str
    run: str | None = None  # what names its run, where debug lines are kept until an error
    is_kept: bool = False  # below the level: it waits for an error in its run


class Pipeline:
    """One configuration at work. Immutable; a new configuration makes a new one."""

    def __init__(
        self,
        settings: Settings,
        sinks: Sequence[Sink],
        *,
        layers: Sequence[Layer] = (),
        layers_are_idle: Callable[[], bool] | None = None,
    ) -> None:
        from logbraid.scrub import Scrubber  # noqa: PLC0415 - its patterns cost an import 60 ms

        self.settings = settings
        self.sinks = tuple(sinks)
        self.layers = tuple(layers)
        self.layers_are_idle = layers_are_idle or (lambda: not self.layers)
        self.scrubber = Scrubber(settings.scrub, window=settings.max_summary_chars + LOOK_AHEAD)
        self.normaliser = Normaliser(
            max_summary_chars=settings.max_summary_chars,
            max_text_chars=4 * settings.max_line_bytes,  # more than a line holds is not looked at
        )
        self.stamper = Stamper()
        self.keeps_debug = bool(settings.debug_buffer)
        self.on_settle: list[Callable[[], object]] = []
        self.limits = {"event": min(MAX_EVENT_CHARS, settings.max_summary_chars)}
        self.service = {
            name: self.scrubber.scrub_text(value, {})
            for name in ("service", "env", "version")
            if (value := getattr(settings, name))
        }
        self.ids = SafeIds(self.scrubber)
        # The one that replaced this, for lines that are still on their way
        self.heir: Pipeline | None = None
        self._deliver = fan_out(self.sinks, self._pass_on)
        self._deliver_short = noting(self.sinks, self._deliver)
        self.fastpath = FastPath(self)
        self.detour = True
        self.has_served = False
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self.detour = True  # the first record in a child looks around before it goes on

    # -- the way of a record ---------------------------------------------------------------

    def fast(self, level: int, gate: Gate, event: object, fields: dict[str, Any]) -> bool:
        """Write an ordinary record by the short way; tell whether it was one.

        ``False`` means that nothing was written, and that ``emit`` has to be called.
        """
        if self.detour or inside.frames or level < gate.own:
            return False
        try:
            line = self.fastpath.line(level, gate.name, event, fields)
        except Exception:  # noqa: BLE001 - a dict that a thread changes meanwhile: the long way copes
            return False
        if line is None:
            return False
        self._deliver_short(*line)
        return True

    def _pass_on(self, line: bytes, tenant: str | None, day: str) -> bool:
        if self.heir is None:
            return False
        self.heir._deliver(line, tenant, day)  # noqa: SLF001 - another one of us
        return True

    def emit(self, record: Record) -> None:
        """Take *record* the whole way. Never raises, save for what is not an ``Exception``."""
        self._take(record, is_ours=True)

    def made(self, record: Record) -> Line | None:
        """Return the line of *record* for a handler or formatter of someone else."""
        return self._take(record, is_ours=False)

    def _take(self, record: Record, *, is_ours: bool) -> Line | None:
        """Return the line of *record*; one that *is_ours* to deliver goes to the sinks too."""
        depth = inside.enter()
        try:
            if depth > inside.MAX_DEPTH:
                health.drop("reentrant")
                return None
            if self.detour and is_ours:  # not under the lock of someone else's handler
                self.settle()
            line = self._kept(record) if self.keeps_debug and is_ours and depth == 1 else None
            line = line or self.make(record, reentrant=depth > 1)
            if line is None or not is_ours:
                return line
            if line.run is None or self._is_due(line, record.level, depth):
                self._deliver(line.text, line.tenant, line.day)
            return line
        finally:
            inside.leave()

    def _kept(self, record: Record) -> Line | None:
        """Return the line of an ordinary record below the level, made by the short way."""
        try:
            line = self.fastpath.kept(record)
        except Exception:  # noqa: BLE001 - as in ``fast``
            return None
        return None if line is None else Line(*line, run_of(bound.get()), is_kept=True)

    def _is_due(self, line: Line, level: int, depth: int) -> bool:
        """Tell whether to write *line* now; write what was kept of its run if it is an error."""
        run, patient = line.run or "", depth == 1
        if line.is_kept:
            buffer.keep(run, line.text, line.tenant, line.day, patient=patient)
            return False
        if level >= ERROR:
            for kept in buffer.take(run, line.tenant, patient=patient):
                self._deliver(kept.text, kept.tenant, kept.day)
        return True

    def make(self, record: Record, *, reentrant: bool = False) -> Line | None:
        """Return the line that *record* becomes, or ``None`` if it is not wanted."""
        time_ns = self.now() if record.time_ns is None else record.time_ns
        try:
            return self._make(record, self.stamper.stamp(time_ns), reentrant=reentrant)
        except DropEvent:
            health.drop("processor")
            return None
        except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the event
            health.complain("pipeline", error)
            if self.keeps_debug and record.level < levels.effective(record.logger):
                return None  # none that anyone asked to see
            return self._last_resort(record, self.stamper.stamp(time_ns))

    def _make(self, record: Record, stamp: str, *, reentrant: bool) -> Line | None:
        context, fields = self._merge(record)
        gate = levels.gate(record.logger)
        run = run_of(context) if self.keeps_debug else None
        is_kept = False
        is_low = not record.admitted and record.level < gate.own
        if is_low and not levels.admits(record.level, record.logger, context):
            if run is None or record.level < DEBUG:
                return None
            is_kept = True
        event: object = record.event
        if self.settings.processors:
            event, context, fields = process(
                self.settings.processors, record, stamp, context, fields
            )

        counts: dict[str, int] = {}
        left_out = excess(record.fields, record.bound)
        notes: dict[str, int] = {LEFT_OUT: left_out} if left_out else {}
        ids, others = self.ids.split(context, counts)
        head = {
            "timestamp": stamp,
            "level": level_word(record.level),
            "logger": self.name(record.logger, counts),
        }
        failure = self._failure(record, notes, counts)

        reserved = _NOTE_LEAVES + len(head) + len(self.service) + len(ids) + len(failure)
        body = self.normaliser.fields(
            {"event": event, **others, **fields}, notes, limits=self.limits, reserved=reserved
        )
        body = self.scrubber.scrub_fields(body, counts)
        body = truncate_fields(
            body, notes, max_summary_chars=self.settings.max_summary_chars, limits=self.limits
        )
        text = body.pop("event", "")
        body = fenced(body, failed=bool(failure))  # a key may be any object that reads as ours
        line: dict[str, Plain] = {**head, "event": text, **self.service, **ids, **body, **failure}
        line.update(self._notes(record, notes, counts, reentrant=reentrant, is_kept=is_kept))
        encoded = encode_line(line, max_line_bytes=self.settings.max_line_bytes, notes=notes)
        if notes:
            health.truncated.advance()
        for kind, number in counts.items():
            health.scrubbed.add(kind, number)
        return Line(encoded, ids.get("tenant_id"), day_of(stamp), run, is_kept)

    def now(self) -> int:
        """Return the time by the clock of the settings, or by our own if that one fails."""
        try:
            return int(self.settings.clock())
        except Exception as error:  # noqa: BLE001 - a clock is anyone's callable
            health.complain("clock", error)
            return time.time_ns()

    # -- its steps -------------------------------------------------------------------------

    def _merge(
        self, record: Record, ours: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        layers = [ask(layer) for layer in self.layers] if record.context is None else []
        if ours is None:
            ours = bound.get() if record.context is None else record.context
        if not ours and record.error is not None and record.context is None:
            ours = left_on(record.error) or ours  # its server logs it when the request is over
        defaults: Mapping[str, object] = self.settings.fields
        if self.settings.callsite and record.callsite is not None:
            callsite: Mapping[str, object] = dict(zip(_CALLSITE, record.callsite, strict=True))
            defaults = {**callsite, **defaults}
        context, fields = merge(
            (*layers, ours),
            (record.bound, record.fields),
            failed=record.error is not None,
            defaults=defaults,
        )
        if self.settings.tenant and "tenant_id" not in context:
            context["tenant_id"] = self.settings.tenant
        return context, fields

    def context_parts(
        self, counts: dict[str, int], ours: TracingContext | None = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the ids of *ours*, else of the current context, and what else its lines say."""
        context, fields = self._merge(Record(0, "", ""), ours)
        ids, others = self.ids.split(context, counts)
        return ids, {**others, **fields}

    def name(self, logger: str, counts: dict[str, int]) -> str:
        """Return the name of a logger as it may be written."""
        return self._label(logger or "root", counts)

    def _label(self, text: str, counts: dict[str, int]) -> str:
        """Return a short text about the line itself, scrubbed before it is cut."""
        seen = self.normaliser.text(text[: MAX_NAME_CHARS + LOOK_AHEAD])
        return self.scrubber.scrub_text(seen, counts)[:MAX_NAME_CHARS]

    def _failure(
        self, record: Record, notes: dict[str, int], counts: dict[str, int]
    ) -> dict[str, str]:
        return failure_fields(
            record.error,
            record.stack,
            limits=(self.settings.max_summary_chars, self.settings.max_exception_chars),
            notes=notes,
            scrub=lambda text: self.scrubber.scrub_text(text, counts),
        )

    def _notes(
        self,
        record: Record,
        notes: dict[str, int],
        counts: dict[str, int],
        *,
        reentrant: bool,
        is_kept: bool,
    ) -> dict[str, Plain]:
        told: dict[str, Plain] = {}
        if record.level_name:
            told["level_name"] = self._label(record.level_name, counts).lower()
        if record.format_error:
            told["format_error"] = self._label(record.format_error, counts)
        if reentrant:
            told["reentrant"] = True
        if is_kept:
            told["buffered"] = True
        if notes:
            told["truncated"] = dict(notes)
        if counts:
            told["scrubbed"] = dict(counts)
        return {name: told[name] for name in NOTES if name in told}

    def _last_resort(self, record: Record, stamp: str) -> Line:
        """Say that there was a record, where it cannot be said what it was."""
        context = bound.get() if record.context is None else record.context
        ids, _ = self.ids.split(context, {})
        text: dict[str, Plain] = {
            "timestamp": stamp,
            "level": level_word(record.level),
            "logger": "logbraid",
            "event": "[LINE_ERROR]",
            **ids,
        }
        line = encode_line(text, max_line_bytes=self.settings.max_line_bytes, notes={})
        return Line(line, ids.get("tenant_id"), day_of(stamp))

    # -- out -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Look around, at the first record here or in a forked child, at the first request."""
        self.detour = False
        for look in list(self.on_settle):
            try:
                look()
            except Exception as error:  # noqa: BLE001 - it looks at strangers' handlers
                health.complain("take-over", error)

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until every sink is through; tell whether all are."""
        flushed = [sink.flush(timeout_seconds) for sink in self.sinks]
        return all(flushed)

    def close(self) -> None:
        """Close every sink."""
        for sink in self.sinks:
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - one bad sink must not keep others open
                health.complain(f"sink {sink.name}", error)


class Unconfigured:
    """What stands in before configuration and after ``close()``: scrubbed JSON on stderr.

    Made of the same parts at the first record, so that an import costs nothing.
    """

    detour = True
    has_served = True

    def __init__(self) -> None:
        self._pipeline: Pipeline | None = None
        self._stream: TextIO | None = None

    def fast(self, *_: object) -> bool:
        """Take nothing the short way."""
        return False

    def emit(self, record: Record) -> None:
        """Write *record*, from warning up, to standard error."""
        if record.level >= levels.effective(record.logger):
            self.ready().emit(record)

    def ready(self) -> Pipeline:
        """Return a pipeline with the default settings."""
        if self._pipeline is None or self._stream is not sys.stderr:
            self._stream = sys.stderr
            self._pipeline = Pipeline(Settings(), [StdoutSink(self._stream, name="stderr")])
        return self._pipeline

    @property
    def fastpath(self) -> FastPath:
        """That of the pipeline with the default settings: wings ask it for ids."""
        return self.ready().fastpath

    def settle(self) -> None:
        """Nothing was taken over that could be looked after."""


active: Pipeline | Unconfigured = Unconfigured()


def activate(pipeline: Pipeline | None) -> None:
    """Make *pipeline* the one that records go through; ``None``: the one before configuration."""
    global active  # noqa: PLW0603 - the one thing that configuration replaces
    active = Unconfigured() if pipeline is None else pipeline


def ready() -> Pipeline:
    """Return the active pipeline, or the one that stands in for it."""
    return active.ready() if isinstance(active, Unconfigured) else active


def emit(
    level: int,
    logger: str,
    event: object,
    fields: Mapping[str, Any] | None = None,
    *,
    error: BaseException | None = None,
    context: Mapping[str, Any] | None = None,
) -> None:
    """Write one record of our own: middleware, hooks, wings."""
    if levels.gate(logger).level > level:
        return
    active.emit(Record(level, logger, event, fields or {}, error=error, context=context))


def mishap(level: int, logger: str, event: object, error: Exception) -> None:
    """Say that there was a record, where a stranger's object kept a door from making one of it."""
    try:
        health.complain("record", error)
        active.emit(stand_in(level, logger, event, error))
    except Exception:  # noqa: BLE001 - at the recursion limit even that fails
        health.drop("internal_error")


def stand_in(level: int, logger: str, event: object, error: Exception) -> Record:
    """Return what is written for a record that *error* kept from being made."""
    text = event if type(event) is str else f"<{type(event).__name__}>"
    return Record(level, logger, text, format_error=type(error).__name__)


def first_request() -> None:
    """Look around before the first record of a server that was configured after us."""
    if active.detour or not active.has_served:
        active.has_served = True
        active.settle()
