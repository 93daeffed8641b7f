"""The tracing context of this task or thread: which tenant, user, session, run and request.

One ``ContextVar`` holds one immutable mapping. What binds replaces the mapping; nothing changes
it in place, so a copy of the context (a task, a thread, an executor) can never reach back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ClassVar, Final, Self, TypeVar

from logbraid.drive import AlsoAsync, wrap
from logbraid.health import health
from logbraid.ids import digest16, id_text
from logbraid.record import CONTEXT_ORDER, ID_NAMES

_Function = TypeVar("_Function", bound=Callable[..., Any])
_KEEP: Final[Any] = object()
_LEFT: Final = "__logbraid_context__"
_IDS: Final = frozenset(CONTEXT_ORDER)
_RANK: Final = {name: rank for rank, name in enumerate(CONTEXT_ORDER)}


class RequestSlot:
    """What one request bound anywhere: in its own task, in a copy of it, or in a thread.

    A middleware puts one into the context; copies of the context share it. Two different tenants
    in one slot make it ambiguous: then it names none.
    """

    __slots__ = ("fields", "tenants")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.tenants: set[str] = set()

    def note(self, fields: Mapping[str, Any]) -> None:
        """Remember that *fields* were bound."""
        tenant = fields.get("tenant_id")
        if tenant is not None:
            self.tenants.add(tenant)
        self.fields.update(fields)

    def clear(self) -> None:
        """Forget everything."""
        self.fields = {}
        self.tenants = set()

    def fill(self, context: TracingContext) -> TracingContext:
        """Return *context* with what only this slot knows, without a tenant that is in doubt."""
        missing = {name: value for name, value in dict(self.fields).items() if name not in context}
        if len(self.tenants) != 1:
            missing.pop("tenant_id", None)
        return context.merged(missing) if missing else context


class TracingContext(Mapping[str, Any]):
    """An immutable mapping of what is bound: the five ids first, then whatever else.

    ``None`` and ``""`` mean not set. An id is text; one with control, format or surrogate
    characters, or longer than 128 characters, is replaced by ``invalid-`` and 16 hex digits.
    Items are what was bound; ``repr`` shows the five ids alone, and as lines write them.
    """

    __slots__ = ("_fields", "block", "made", "slot")

    _shown_id: ClassVar[Callable[[str], str]] = digest16
    """How ``repr`` writes an id: ``identity.py``, which knows what a credential is, says how."""

    def __init__(self, fields: Mapping[str, Any] | None = None, /) -> None:
        self._fields: dict[str, Any] = _ordered(_merged({}, fields or {}))
        self.slot: RequestSlot | None = None
        self.block: object = None  # the innermost ``bound_context`` that it stands in
        self.made: Any = None  # what a pipeline made of it at its first line, with that pipeline

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> Self:
        """Make a context of *values*, as ``to_dict()`` returned them."""
        return cls(values)

    def to_dict(self) -> dict[str, Any]:
        """Return a new dict of all that is set."""
        return dict(self.fields)

    @property
    def tracing_dict(self) -> dict[str, str]:
        """The ids among the five that are set, as a new dict."""
        fields = self.fields
        return {name: fields[name] for name in ID_NAMES if name in fields}

    def with_tracing(
        self,
        *,
        user_id: str | None = _KEEP,
        session_id: str | None = _KEEP,
        run_id: str | None = _KEEP,
        request_id: str | None = _KEEP,
        tenant_id: str | None = _KEEP,
    ) -> TracingContext:
        """Return a context with these ids changed: ``None`` clears one, left out keeps it."""
        given = {
            "user_id": user_id,
            "session_id": session_id,
            "run_id": run_id,
            "request_id": request_id,
            "tenant_id": tenant_id,
        }
        return self.merged({name: value for name, value in given.items() if value is not _KEEP})

    def merged(self, changes: Mapping[str, Any]) -> TracingContext:
        """Return a context with *changes*; a value of ``None`` or ``""`` takes its name out."""
        new = TracingContext.__new__(TracingContext)
        new._fields = _ordered(_merged(self.fields, changes))
        new.slot = self.slot
        new.block = self.block
        new.made = None
        return new

    @property
    def fields(self) -> dict[str, Any]:
        """The mapping itself, not a copy: for reading only."""
        return self._fields

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __reduce__(self) -> tuple[type[TracingContext], tuple[dict[str, Any]]]:
        return TracingContext, (self.fields,)  # what was made of it belongs to this process

    def __repr__(self) -> str:
        # Ids only: what else is bound may be anything, and a repr ends up in tracebacks
        others = len(self.fields) - len(self.tracing_dict)
        ids = {name: TracingContext._shown_id(value) for name, value in self.tracing_dict.items()}
        text = ", ".join(f"{name}={value!r}" for name, value in ids.items())
        more = f", and {others} more" if others else ""
        return f"TracingContext({text}{more})"


class SpanContext(TracingContext):
    """The context inside a span: *around* it, and the span's two ids, which are hex digits.

    Every action of an agent makes one, and most are never read: the mapping is made when it is.
    *ground* is what is around all spans: a loop that goes on inside of its own span has no chain.
    """

    __slots__ = ("ground", "span_id", "trace_id")

    def __init__(self, around: TracingContext, trace_id: str, span_id: str) -> None:
        self.ground: TracingContext = around.ground if type(around) is SpanContext else around
        self.trace_id = trace_id
        self.span_id = span_id
        self.slot = around.slot
        self.block = around.block
        self.made = None

    @property
    def fields(self) -> dict[str, Any]:
        """The mapping itself, not a copy: for reading only."""
        try:
            return self._fields
        except AttributeError:
            span = {"trace_id": self.trace_id, "span_id": self.span_id}
            self._fields = _ordered({**self.ground.fields, **span})
            return self._fields


def _merged(old: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in changes.items():
        if name not in _IDS:
            if value is None or (type(value) is str and not value):
                merged.pop(name, None)
            else:
                merged[name] = value
            continue
        text, replaced = _id_or_digest(value)
        if replaced:
            health.invalid_ids.advance()
        if text:
            merged[name] = text
        else:
            merged.pop(name, None)
    return merged


def _id_or_digest(value: object) -> tuple[str, bool]:
    if value is None:
        return "", False
    try:
        return id_text(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__; binding an id never raises
        return id_text(f"\x00{type(value).__name__}")


def _ordered(fields: dict[str, Any]) -> dict[str, Any]:
    last = len(_RANK)
    return dict(sorted(fields.items(), key=lambda item: _RANK.get(item[0], last)))


EMPTY: Final = TracingContext()
bound: Final[ContextVar[TracingContext]] = ContextVar("logbraid_context", default=EMPTY)
"""The context of this task or thread. Set it to a new context; none is ever changed in place."""


def current_context() -> TracingContext:
    """Return what is bound in this task or thread."""
    return bound.get()


def bind_context(**fields: Any) -> None:
    """Bind *fields* in this task or thread until they are bound anew or unbound.

    ``None`` and ``""`` unbind. A request that a middleware began ends with what is bound in it.
    """
    old = bound.get()
    new = old.merged(fields)
    bound.set(new)
    if new.slot is not None:
        new.slot.note({name: new.get(name) for name in fields})


def unbind_context(*names: str) -> None:
    """Take *names* out of the context of this task or thread; names that are not there are fine."""
    bind_context(**dict.fromkeys(names))


def clear_context() -> None:
    """Take everything out of the context of this task or thread."""
    old = bound.get()
    new = TracingContext()
    new.slot = old.slot
    new.block = old.block
    bound.set(new)
    if new.slot is not None:
        new.slot.clear()


class bound_context(AlsoAsync):  # noqa: N801 - reads as a function: with bound_context(tenant_id="acme")
    """Bind *fields* for a with block, or around each call of a function as a decorator.

    Decorates functions, coroutine functions, generator functions and async generator functions.
    Generators run in their own copy of the context: what they bind stays inside, and closing one
    from another task touches nothing there. A block left in another task or thread than it was
    entered in leaves that one's context alone (restoring by value would give it this tenant).
    """

    __slots__ = ("_entered", "_fields")

    def __init__(self, **fields: Any) -> None:
        self._fields = fields
        self._entered: dict[object, Token[TracingContext]] = {}  # by block: many tasks at once

    def __enter__(self) -> TracingContext:
        new = bound.get().merged(self._fields)
        new.block = block = object()
        self._entered[block] = bound.set(new)
        return new

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._leave(bound.get().block):
            return
        # Blocks are left out of order. A copy: other threads enter and leave this one meanwhile
        for block in reversed(list(self._entered)):
            if self._leave(block):
                return

    def _leave(self, block: object) -> bool:
        token = self._entered.get(block)
        if token is None:
            return False
        try:
            bound.reset(token)
        except ValueError:
            return False  # entered in another context: not ours to restore
        del self._entered[block]
        return True

    def __call__(self, function: _Function, /) -> _Function:
        """Return *function* so that each call of it runs with the fields bound."""
        fields = self._fields
        return wrap(function, lambda: bound_context(**fields))


def leave_on(error: BaseException, context: TracingContext) -> None:
    """Let *error*, which goes out of its request, say in which *context* it was raised.

    Its server logs it outside of the request, where nothing is bound any more.
    """
    with suppress(Exception):  # an exception that takes no attributes keeps none
        error.__dict__[_LEFT] = context


def left_on(error: BaseException) -> TracingContext | None:
    """Return the context that was left on *error*, once: whoever asks again gets ``None``."""
    left = getattr(error, "__dict__", {}).pop(_LEFT, None)
    return left if isinstance(left, TracingContext) else None
