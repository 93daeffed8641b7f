"""One action of an agent: what it was, what it cost, how it ended.

A plain, mutable record. Whoever runs the action fills it in; nothing here measures, writes or
redacts. Texts stand here as they came; every way out of the process cleans them first
(``redacting_dump_json``, ``to_dict``, and whatever is attached to a tracer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final, Self

from logbraid.agent.attributes import Attribute, openinference_attributes, otel_attributes
from logbraid.agent.clean import Cleaner
from logbraid.agent.figures import count_of, money_of
from logbraid.agent.shape import MAX_TEXT, fingerprint, size_of, text_of
from logbraid.failure import error_message, error_type
from logbraid.health import health
from logbraid.outcome import ERROR, OK, status_code_of, status_of
from logbraid.record import Plain

MAX_SUMMARY_CHARS: Final = 2000


def says(value: object) -> bool:
    """Tell whether *value* of a field says anything: not ``None``, 0 or an empty text or dict."""
    return value is not None and (type(value) not in PLAIN or bool(value))


PLAIN: Final = frozenset({str, int, float, dict})  # others may not like to be asked


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class TraceEntry:
    """One action. Times in milliseconds, sizes in bytes, money in US dollars.

    ``timestamp`` is when it began (aware, UTC). ``usd_cost``, ``status_code``, the sizes and
    ``upstream_ms`` (the share of the time that a provider took) are ``None`` while unknown:
    unknown is not nothing. Token counts are 0 where none were told; ``cached_tokens`` are part
    of ``prompt_tokens``, ``reasoning_tokens`` part of ``completion_tokens``. ``status`` is
    ``ok``, ``error``, ``cancelled`` or ``timeout``; ``success`` says the same in one bit.
    """

    timestamp: datetime = field(default_factory=_now)
    action: str
    connector: str = ""
    asset_id: str = ""
    operation: str = ""
    input_summary: str = ""
    output_summary: str = ""
    duration_ms: float = 0.0
    success: bool = True
    error: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    conversation_id: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    usd_cost: float | None = None
    model: str = ""

    status: str = OK
    error_class: str = ""
    status_code: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    bytes_in: int | None = None
    bytes_out: int | None = None
    upstream_ms: float | None = None
    fingerprint: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    tenant_id: str = ""
    user_id: str = ""
    session_id: str = ""
    run_id: str = ""
    request_id: str = ""

    @classmethod
    def began(cls, told: dict[str, Any]) -> Self:
        """Return an entry with the fields *told*, which it keeps; the rest are the defaults.

        A quarter of the cost of the constructor, which sets every field of every entry.
        """
        entry = object.__new__(cls)
        entry.__dict__ = told
        return entry

    @property
    def ended(self) -> datetime:
        """When it ended, by its own clock."""
        return self.timestamp + timedelta(milliseconds=self.duration_ms)

    def observe(self, *, input: object = None, output: object = None) -> None:  # noqa: A002 - the words of the field
        """Fill in summaries and sizes from payloads, and the fingerprint from *output*.

        A payload is text, bytes, or whatever JSON can hold; its size is that of its UTF-8 text.
        Never raises.
        """
        if input is not None:
            self.input_summary = text_of(input)
            self.bytes_in = size_of(input)
        if output is not None:
            self.output_summary = text_of(output)
            self.bytes_out = size_of(output)
            self.fingerprint = fingerprint(output)

    def fail(self, error: BaseException) -> None:
        """Say that *error* ended the action."""
        self.status = status_of(error)
        self.success = self.status == OK
        if self.success:  # sys.exit(0)
            return
        self.error = error_message(error)[:MAX_TEXT] or type(error).__name__
        self.error_class = error_type(error)
        if self.status_code is None:
            self.status_code = status_code_of(error)

    def settle(self) -> None:
        """Make the fields agree that say one thing twice, and numbers of counts and money."""
        told = vars(self)  # what was never set is not there
        if not _AGREEING.issuperset(told):
            self._settle(told)

    def _settle(self, told: dict[str, Any]) -> None:
        if not _NAMES.issuperset(told):
            _tell_strange(told, type(self))
        if self.status != OK:
            self.success = False
        elif not self.success:
            self.status = ERROR
        for name in _COUNTS:  # a provider may tell None, text, or rubbish
            if name in told and (type(told[name]) is not int or told[name] < 0):
                told[name] = count_of(told[name])
        if not self.total_tokens:
            self.total_tokens = self.prompt_tokens + self.completion_tokens
        if self.usd_cost is not None:
            self.usd_cost = money_of(self.usd_cost)

    # -- ways out --------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Show what is known, scrubbed and cut: a repr ends up in logs and tracebacks."""
        told = self.to_dict().items()
        return (
            f"TraceEntry({', '.join(f'{name}={value!r}' for name, value in told if says(value))})"
        )

    def to_dict(self, *, max_summary_chars: int = MAX_SUMMARY_CHARS) -> dict[str, Plain]:
        """Return all that is known, scrubbed and cut: JSON types only, ``timestamp`` as text.

        The fields up to ``model`` are always there, the others where they are known.
        """
        return Cleaner.of(max_summary_chars).fields(self.known())

    def redacting_dump_json(self, *, max_summary_chars: int = MAX_SUMMARY_CHARS) -> str:
        """Return ``to_dict()`` as one line of JSON. No text in it is longer than the limit."""
        return Cleaner.of(max_summary_chars).line(self.known())[:-1].decode()

    def model_dump(self) -> dict[str, Any]:
        """Return the fields as machina's ``model_dump()`` does, but scrubbed and cut.

        ``timestamp`` is the ``datetime``, ``usd_cost`` is ``None`` where it is unknown; of the
        fields that machina has not, those that say something. ``TraceEntry(**...)`` makes an
        equal entry of it.
        """
        clean = self.to_dict()
        known = {name: value for name, value in clean.items() if name in _NAMES}
        return {**known, "timestamp": self.timestamp}

    def model_dump_json(self) -> str:
        """Return ``redacting_dump_json()``: nothing here is written unredacted."""
        return self.redacting_dump_json()

    def as_otel(self, *, semconv: str = "latest") -> dict[str, Attribute]:
        """Return the attributes of a span by OpenTelemetry's GenAI conventions, scrubbed and cut.

        *semconv* is ``latest`` or ``1.41``; what the conventions have no word for begins with
        ``logbraid.``. Raises ``ValueError`` for another *semconv*.
        """
        return otel_attributes(self.to_dict(), semconv)

    def as_openinference(self) -> dict[str, Attribute]:
        """Return the attributes of a span by OpenInference's names, scrubbed and cut."""
        return openinference_attributes(self.to_dict())

    def known(self) -> dict[str, Any]:
        """Return the fields as they are, without those of ours that say nothing."""
        told = {name: getattr(self, name) for name in _ALWAYS}
        for name in _WHERE_KNOWN:
            value = getattr(self, name)
            if says(value):
                told[name] = value
        return told

    # -- ways in ---------------------------------------------------------------------------

    @classmethod
    def from_machina(cls, values: Mapping[str, Any], /) -> Self:
        """Make an entry of what machina's ``TraceEntry.model_dump()`` returned, or its JSON line.

        There a cost of 0.0 means unknown; so it does here. Names that are no fields go into
        ``metadata``. Raises ``ValueError`` if ``action`` or a readable ``timestamp`` is missing.
        """
        known = {name: value for name, value in values.items() if name in _NAMES}
        strange = {name: value for name, value in values.items() if name not in _NAMES}
        if not isinstance(known.get("action"), str):
            raise ValueError("a trace entry needs an action: text such as 'llm_call'")  # noqa: TRY004 - a line of a file
        known["timestamp"] = _moment(known.get("timestamp"))
        known["usd_cost"] = known.get("usd_cost") or None
        known["metadata"] = {**(known.get("metadata") or {}), **strange}
        entry = cls(**known)
        entry.settle()
        return entry


def _tell_strange(told: dict[str, Any], kind: type[TraceEntry]) -> None:
    """Tell once of what was set on an entry and is no field: misspelt, it is in no line."""
    if kind is not TraceEntry:
        return  # a class of someone's own may have its own attributes
    for name in told.keys() - _NAMES:
        if not name.startswith("_"):
            near = "".join(f"; did you mean {one!r}?" for one in get_close_matches(name, _NAMES, 1))
            health.tell_once(f"entry {name}", f"TraceEntry has no field {name[:80]!r}{near}")


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("a trace entry needs a timestamp: a datetime or ISO 8601 text")  # noqa: TRY004 - its value is wrong, whatever its type
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


_COUNTS: Final = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
)
_NAMES: Final = frozenset(one.name for one in fields(TraceEntry))
_AGREEING: Final = _NAMES - {"status", "success", "usd_cost", *_COUNTS}
_ALWAYS: Final = tuple(one.name for one in fields(TraceEntry))[:17]
_WHERE_KNOWN: Final = tuple(one.name for one in fields(TraceEntry))[17:]
