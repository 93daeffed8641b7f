"""The body of a record: plain fields of the call, the ids of the context, the payload's stand-in.

``metadata`` and the call's own fields go the way of a log line: normalised, scrubbed, cut,
encoded within its budget. The payload goes its own way (``payload.py``) and is never cut.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from logbraid.audit.payload import Payloads
from logbraid.clock import Stamper, day_of
from logbraid.context import bound
from logbraid.encode import encode_line
from logbraid.identity import SafeIds
from logbraid.ids import MAX_ID_CHARS, id_text, new_id
from logbraid.plain.normalise import LOOK_AHEAD, Normaliser
from logbraid.propagation import context_from_env
from logbraid.truncate import truncate_fields

MAX_CHARS: Final = 2000
MAX_BYTES: Final = 15_360 - 320  # the numbers and hashes that the chain adds
STEP_NS: Final = 1_000_000_000
"""How far the wall clock may stray from the monotonic one before it is called a step."""

_SMALL: Final = 1_000_000_000  # a longer number may be a card's
_LIMITS: Final[Mapping[str, int]] = {}
_RESERVED: Final = 32
"""Leaves of a line that are not the caller's."""
_ROOM: Final = 200 - _RESERVED


class Body(NamedTuple):
    """A record before it is chained; a ``clock_step`` stands before it where there was one."""

    record_id: str
    bodies: list[bytes]
    tenant: str | None
    day: str


class BodyMaker:
    """Makes bodies. Safe for threads."""

    def __init__(self, clock: Callable[[], int], payloads: Payloads) -> None:
        from logbraid.scrub import Scrubber  # noqa: PLC0415 - its patterns cost an import 60 ms

        self._clock = clock
        self._payloads = payloads
        self._stamper = Stamper()
        self._scrubber = Scrubber(window=MAX_CHARS + LOOK_AHEAD)
        self._normaliser = Normaliser(max_summary_chars=MAX_CHARS)
        self._walk = self._scrubber.ordinary_walk(self._normaliser.rules.names, MAX_CHARS)
        self._clean = self._scrubber.clean_texts
        self._looks_clean = self._scrubber.looks_clean
        self._ids = SafeIds(self._scrubber)
        self._outer = context_from_env(os.environ)
        self._apart: int | None = None
        self._seen: tuple[object, dict[str, str]] = (None, {})

    def make(self, fields: dict[str, Any], payload: Any, kind: str, policy: str) -> Body:
        """Return the body of a record. *payload* is not touched under policy ``none``."""
        wall, monotonic = self._clock(), time.monotonic_ns()
        stamp = self._stamper.stamp(wall)
        counts: dict[str, int] = {}
        ids = self._context(fields, counts)
        tenant = ids.get("tenant_id")
        record_id = new_id()
        record: dict[str, Any] = {
            "id": record_id,
            "created_at": stamp,
            "monotonic_ns": monotonic,
            "event_class": kind,
            **ids,
        }
        line = self._line(record, fields, counts)
        if payload is not None:
            user = ids.get("user_id")
            told = self._payloads.kept(
                payload, policy, record_id=record_id, kind=kind, tenant=tenant, user=user
            )
            line = b'%s,"payload":%s}' % (line[:-1], told)
        bodies = [line]
        apart = wall - monotonic
        before, self._apart = self._apart, apart
        if before is not None and not -STEP_NS <= apart - before <= STEP_NS:
            bodies.insert(0, self._clock_step(stamp, monotonic, kind, tenant, apart - before))
        return Body(record_id, bodies, tenant, day_of(stamp))

    def _line(self, record: dict[str, Any], given: dict[str, Any], counts: dict[str, int]) -> bytes:
        """Return the line of *record* and the call's own fields, without its end."""
        notes: dict[str, int] = {}
        unknown = self._put(record, given, counts)
        if unknown:
            record.update(self._scrubbed(unknown, notes, counts))
        if counts:
            record["scrubbed"] = counts
        line = encode_line(record, max_line_bytes=MAX_BYTES, notes={})
        if not notes and len(line) <= MAX_CHARS:
            return line[:-1]  # no text in it can be too long
        plain = {name: record[name] for name in given if name in record}
        plain = truncate_fields(plain, notes, max_summary_chars=MAX_CHARS, limits=_LIMITS)
        record.update(plain)
        if notes:
            record["truncated"] = notes
        return encode_line(record, max_line_bytes=MAX_BYTES, notes=notes)[:-1]

    def _put(
        self, record: dict[str, Any], given: dict[str, Any], counts: dict[str, int]
    ) -> dict[str, Any]:
        """Put *given* into *record* and return what of it has to be walked first.

        Numbers, and texts that are seen to be harmless, need no walk: most of most records.
        """
        unknown = {}
        clean = self._clean
        for name, value in given.items():
            if value is None:
                continue
            record[name] = value
            kind = type(value)
            if kind is str:
                if name == "resource_id":
                    # An id like the others: a credential becomes its digest, equal stays equal.
                    # And a text: an address may have a password in it
                    if not self._is_harmless(value):
                        safe = self._safe(value, counts)
                        record[name] = self._scrubber.scrub_text(safe, counts)
                elif value not in clean and not self._is_harmless(value):
                    unknown[name] = value
            elif not (kind is bool or kind is float or (kind is int and -_SMALL < value < _SMALL)):
                unknown[name] = value
        return unknown

    def _is_harmless(self, text: str) -> bool:
        return (
            len(text) <= MAX_ID_CHARS
            and text.isascii()
            and text.isprintable()
            and self._looks_clean(text)
        )

    def _scrubbed(
        self, fields: dict[str, Any], notes: dict[str, int], counts: dict[str, int]
    ) -> Mapping[str, Any]:
        """Return *fields* plain and without secrets; what was cut goes to *notes*."""
        metadata = fields.get("metadata")
        if type(metadata) is dict and len(fields) == 1:
            found: dict[str, int] = {}
            with suppress(Exception):  # not ordinary: the long way knows every object
                made = {"metadata": self._walk.fields(metadata, 1, [_ROOM, MAX_BYTES], found)}
                for kind, number in found.items():
                    counts[kind] = counts.get(kind, 0) + number
                return made
        plain = self._normaliser.fields(fields, notes, reserved=_RESERVED)
        return self._scrubber.scrub_fields(plain, counts)

    def safe_id(self, given: object) -> str:
        """Return an id as records have it."""
        return self._safe(str(given), {})

    def _safe(self, text: str, counts: dict[str, int]) -> str:
        safe, kind = self._ids.safe(id_text(text)[0])
        if kind is not None:
            counts[kind] = counts.get(kind, 0) + 1
        return safe

    def _context(self, fields: dict[str, Any], counts: dict[str, int]) -> dict[str, str]:
        """Return the ids of the context and of the environment, ``project_id`` among them."""
        context = bound.get()
        given = fields.pop("tenant_id", None)
        if given is None and context is self._seen[0]:
            return self._seen[1]  # immutable: what was found for it holds; a seventh of the time
        whole = context if context.slot is None else context.slot.fill(context)
        known: Mapping[str, Any] = whole.fields
        if self._outer:
            known = _within(self._outer, known)
        if given is not None:
            known = {**known, "tenant_id": id_text(given)[0]}
        ids, others = self._ids.split(known, counts)
        if others.get("project_id") is not None:
            ids["project_id"] = self._safe(str(others["project_id"]), counts)
        if given is None and context.slot is None and not counts:
            self._seen = (context, ids)
        return ids

    def _clock_step(
        self, stamp: str, monotonic: int, kind: str, tenant: str | None, step_ns: int
    ) -> bytes:
        record: dict[str, Any] = {
            "id": new_id(),
            "created_at": stamp,
            "monotonic_ns": monotonic,
            "event_class": kind,
        }
        if tenant is not None:
            record["tenant_id"] = tenant
        record |= {"action": "audit.clock_step", "metadata": {"step_ms": step_ns // 1_000_000}}
        return encode_line(record, max_line_bytes=MAX_BYTES, notes={})[:-1]


def _within(outer: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return *known* with what the environment says, but no id of it beside another tenant."""
    tenant = known.get("tenant_id")
    if tenant is not None and outer.get("tenant_id", tenant) != tenant:
        return {"trace_id": outer["trace_id"], **known} if "trace_id" in outer else dict(known)
    return {**outer, **known}
