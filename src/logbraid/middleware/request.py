"""One request of a web server: its ids, its slot in the context and its access line.

What ASGI and WSGI share. It knows neither protocol: each middleware says what it saw (headers,
status, bytes) and when the request is over. Tenant and user are never read from headers, since
anyone can write those; the application binds them after its own authentication, or ``identify``.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import quote, quote_from_bytes

from logbraid import pipeline
from logbraid.context import (
    EMPTY,
    RequestSlot,
    TracingContext,
    bind_context,
    bound,
    leave_on,
)
from logbraid.errors import ConfigError
from logbraid.failure import error_type
from logbraid.health import health
from logbraid.ids import new_id
from logbraid.level import levels
from logbraid.propagation.environ import parse_traceparent
from logbraid.record import ERROR, INFO, WARNING

LOGGER: Final = "logbraid.access"
EVENT: Final = "request"
MARK: Final = "logbraid.request"
"""The key under which a request that is already ours is marked, for a second middleware."""

DEFAULT_SKIP: Final = ("/health", "/healthz", "/ready", "/metrics")

_GATE: Final = levels.gate(LOGGER)  # live: it follows every change of level
_ID: Final = re.compile(r"[A-Za-z0-9._:@+=/-]{1,128}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TRUSTED: Final = {"x-session-id": "session_id", "x-run-id": "run_id"}
_PATH_SAFE: Final = "/:@!$&'()*+,;=-._~"
_QUIET_CLOSES: Final = frozenset({1000, 1001, 1005, 1006})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a middleware was told when it was made; ``headers`` are the names it reads."""

    identify: Callable[[Any], Any] | None
    request_id_header: str
    headers: tuple[str, ...]
    access_log: bool
    access_log_skip: frozenset[str]


_App = TypeVar("_App")


class Wrapper(Generic[_App]):
    """An application and the rules of its requests: what both kinds of middleware begin with.

    Raises ``ConfigError`` naming all options that cannot be used.
    """

    def __init__(
        self,
        app: _App,
        *,
        identify: Callable[[Any], Any] | None = None,
        trust_headers: bool = False,
        request_id_header: str = "x-request-id",
        access_log: bool = True,
        access_log_skip: Sequence[str] = DEFAULT_SKIP,
    ) -> None:
        problems: list[str] = []
        if identify is not None and not callable(identify):
            problems.append(f"identify is a {type(identify).__name__}; give a function or None")
        if not _HEADER_NAME.fullmatch(request_id_header):
            problems.append(
                f"request_id_header is {request_id_header[:80]!r}; give the name of a header"
            )
        if isinstance(access_log_skip, str):
            problems.append(
                f"access_log_skip is the text {access_log_skip[:80]!r}; give a sequence of paths"
            )
        if problems:
            raise ConfigError(problems)
        self.app = app
        name = request_id_header.lower()
        headers = (name, "traceparent", *(_TRUSTED if trust_headers else ()))
        self._rules = Rules(identify, name, headers, access_log, frozenset(access_log_skip))


class Seen(NamedTuple):
    """What a protocol says of a request at its begin; *shown* is the path for the line."""

    method: str
    path: str
    shown: str
    client: str | None


def shown_path(path: str | bytes, query: str) -> str:
    """Return a path as it stands in a URL, with its query, so that no decoded ``?`` misleads."""
    quoted = (
        quote_from_bytes(path, _PATH_SAFE)
        if isinstance(path, bytes)
        else quote(path, _PATH_SAFE, errors="replace")
    )
    return f"{quoted}?{query}" if query else quoted


class Request:
    """One request from its headers to its access line.

    The middleware binds ``context``, notes ``status``, ``bytes_out``, ``complete()`` and the
    failure while it goes, and calls ``finish`` at the end: only the first call writes.
    """

    __slots__ = (
        "_access_log",
        "_begun",
        "_ended",
        "_finished",
        "_seen",
        "bytes_out",
        "client_disconnected",
        "context",
        "error",
        "request_id",
        "slot",
        "status",
    )

    def __init__(self, rules: Rules, seen: Seen, headers: Mapping[str, str]) -> None:
        self._begun = time.perf_counter()
        self._ended = 0.0
        self._finished = False
        self._seen = seen
        self._access_log = rules.access_log and seen.path not in rules.access_log_skip
        self.status: int | None = None
        self.bytes_out: int | None = 0
        self.client_disconnected = False
        self.error: BaseException | None = None
        self.slot = RequestSlot()
        fields = _fields_of(rules, headers)
        self.request_id = fields["request_id"]
        # A new mapping, never the one that is bound: the slot goes on it
        self.context = _ground().merged(fields)
        self.context.slot = self.slot
        pipeline.first_request()
        if rules.access_log and isinstance(pipeline.active, pipeline.Pipeline):
            silence_access_loggers()

    @property
    def is_complete(self) -> bool:
        """Tell whether the last byte of the response was handed to the server."""
        return self._ended > 0.0

    def complete(self) -> None:
        """Note that the last byte of the response was handed to the server."""
        if not self._ended:
            self._ended = time.perf_counter()

    def count(self, size: int) -> None:
        """Note that *size* bytes of the body went out."""
        if self.bytes_out is not None:
            self.bytes_out += size

    def finish(self, current: TracingContext, route: str | None) -> None:
        """Write the access line, in the context *current* where it is still this request's.

        A request may be torn down by the collector, which runs in a stranger's context: then the
        line carries what this request was begun with and what its slot knows.
        """
        if self._finished:
            return
        self._finished = True
        if self.error is not None:
            mine = current if current.slot is self.slot else self.context
            leave_on(self.error, self.slot.fill(mine))
        if not self._access_log:
            return
        level = self._level()
        if level < _GATE.level:
            return
        fields = self._line(route)
        if current.slot is self.slot:
            # Bound, not handed over: so that what other libraries bound is asked for too
            bound.set(self.slot.fill(current))
            # The short way is a third faster, where the path has nothing to redact
            if not pipeline.active.fast(level, _GATE, EVENT, fields):
                pipeline.emit(level, LOGGER, EVENT, fields)
            return
        pipeline.emit(level, LOGGER, EVENT, fields, context=self.slot.fill(self.context))

    def _line(self, route: str | None) -> dict[str, object]:
        ended = self._ended or time.perf_counter()
        fields: dict[str, object] = {"method": self._seen.method, "path": self._seen.shown}
        if route:
            fields["route"] = route
        fields["status"] = self.status
        fields["duration_ms"] = round((ended - self._begun) * 1000, 3)
        if self.bytes_out is not None:
            fields["bytes_out"] = self.bytes_out
        if self._seen.client:
            fields["client"] = self._seen.client
        if self.client_disconnected:
            fields["client_disconnected"] = True
        if self.error is not None:
            fields["error_type"] = error_type(self.error)
        return fields

    def _level(self) -> int:
        if isinstance(self.error, Exception) and not self.client_disconnected:
            return ERROR
        return level_of(self.status)


def level_of(status: int | None) -> int:
    """Return the level of a status or of a WebSocket's close code (RFC 6455, section 7.4)."""
    if status is None:
        return WARNING
    if status < 400 or status in _QUIET_CLOSES:
        return INFO
    if 500 <= status < 1000 or 1011 <= status < 1015:
        return ERROR
    return WARNING


def _ground() -> TracingContext:
    """Return what a new request starts from: the process's own, never another request's."""
    current = bound.get()
    if current.slot is None:
        return current
    # A server or a call within a request: the trace goes on, tenant and user do not
    return EMPTY.merged({"trace_id": current.get("trace_id")})


def _fields_of(rules: Rules, headers: Mapping[str, str]) -> dict[str, Any]:
    request_id = headers.get(rules.request_id_header, "")
    fields: dict[str, Any] = {
        "request_id": request_id if _ID.fullmatch(request_id) else new_id(),
    }
    trace = parse_traceparent(headers.get("traceparent", "").strip())
    if trace is not None:
        fields["trace_id"], fields["parent_span_id"] = trace
        fields["span_id"] = None  # the process's own is of another trace
    for header, name in _TRUSTED.items():
        if header in rules.headers and _ID.fullmatch(headers.get(header, "")):
            fields[name] = headers[header]
    return fields


def bind_identity(identity: object) -> None:
    """Bind what ``identify`` returned: a mapping of fields, or ``None`` for nobody."""
    if identity is None:
        return
    if not isinstance(identity, Mapping):
        raise TypeError(f"identify returned a {type(identity).__name__}, not a mapping or None")
    bind_context(**identity)


def identify_failed(error: Exception) -> None:
    """Count that ``identify`` raised; the request goes on without."""
    health.identify_errors.advance()
    health.complain("identify", error)


def response_metadata() -> dict[str, str]:
    """Return the ids among the five that are set here, to put in a reply.

    Within a request also what was bound for it in a thread or in a copy of the context.
    """
    context = bound.get()
    if context.slot is not None:
        context = context.slot.fill(context)
    return context.tracing_dict


_ACCESS_LOGGERS: Final = ("uvicorn.access", "gunicorn.access", "werkzeug", "django.server")


class _DropAccessLines(logging.Filter):
    """Drop the access lines of servers, let all else of theirs pass; never change a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.endswith(".access"):
            return False
        # http.server's format, which werkzeug puts an address in front of
        return not (isinstance(record.msg, str) and record.msg.endswith('"%s" %s %s'))


_DROP: Final = _DropAccessLines()


def silence_access_loggers() -> None:
    """Keep uvicorn, gunicorn, werkzeug and Django's server from writing a second access line."""
    if _DROP in logging.getLogger(_ACCESS_LOGGERS[0]).filters:
        return  # asked at every request
    for name in _ACCESS_LOGGERS:
        logging.getLogger(name).addFilter(_DROP)


def restore_access_loggers() -> None:
    """Let the servers write their access lines again, until the next request."""
    for name in _ACCESS_LOGGERS:
        logging.getLogger(name).removeFilter(_DROP)
