"""Event classes: how long a record is kept, and what becomes of its payload.

A table of words, so that it reads like the one in a contract. Nothing here does the keeping
(``retention.py``) or the encrypting (``payload.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

from logbraid.audit.errors import AuditInputError

FULL: Final = "full"
HMAC: Final = "hmac"
NONE: Final = "none"
PAYLOADS: Final = (FULL, HMAC, NONE)
DEFAULT_CLASS: Final = "action"
FOR_EVER: Final = "for ever"

_RETENTION: Final = re.compile(r"(\d{1,5}) (day|year)s?")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LAST_DAY: Final = date.max


@dataclass(frozen=True, slots=True)
class EventClass:
    """How long records of a class are kept, and the policy for their payloads.

    *retention* is ``"90 days"``, ``"7 years"`` (calendar years) or ``"for ever"``. *payload* is
    ``full`` (encrypted at rest), ``hmac`` (names and shapes, values as keyed digests) or
    ``none`` (nothing of it is kept).
    """

    retention: str
    payload: str = HMAC

    def __post_init__(self) -> None:
        told = str(self.retention)
        if told != FOR_EVER and not _RETENTION.fullmatch(told):
            raise AuditInputError(
                f"retention is {told[:80]!r}; use '90 days', '7 years' or 'for ever'"
            )
        if self.payload not in PAYLOADS:
            raise AuditInputError(
                f"the payload policy is {str(self.payload)[:80]!r}; use full, hmac or none"
            )


def first_day_without(day: date, retention: str) -> date | None:
    """Return the first day on which what was written on *day* may be gone; ``None``: never.

    The day itself is kept for the whole of its retention: of ``1 days``, a record of Monday is
    there until Tuesday is over.
    """
    found = _RETENTION.fullmatch(retention)
    if found is None:
        return None
    number, after = int(found[1]), day + timedelta(days=1)
    try:
        if found[2] == "day":
            return after + timedelta(days=number)
        return after.replace(year=after.year + number)
    except OverflowError:
        return None
    except ValueError:  # the 29th of February of a year that has none, or beyond the calendar
        return None if after.year + number > _LAST_DAY.year else date(after.year + number, 3, 1)


BUILT_IN: Final[Mapping[str, EventClass]] = MappingProxyType(
    {
        DEFAULT_CLASS: EventClass("365 days", HMAC),
        "session_start": EventClass("365 days", FULL),
        "tool_approved": EventClass("365 days", FULL),
        "rule_denied": EventClass("90 days", FULL),
        "data_modified": EventClass("7 years", FULL),
        "forget_me": EventClass(FOR_EVER, NONE),
    }
)
"""The classes that are there without asking; ``action`` is the one of records that name none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an audit log keeps, how, and how often it speaks.

    *classes* are added to the built-in ones and replace those of the same name. *payload* is
    the payload policy of every class: ``"none"`` is zero retention. *head_seconds*: how often
    the log's head is printed on standard output (0: never); *sync_seconds*: how often
    ``flush="interval"`` syncs. *rotate_days*: how often the signing key is replaced by a new one
    and erased (``None``: only by ``rotate_key()``); such a key belongs to one log only.
    *append_only* sets the file system's append-only attribute on open segments.
    *max_payload_bytes*: a longer payload is kept as its length and keyed digest.
    """

    classes: Mapping[str, EventClass] = field(default_factory=dict)
    payload: str | None = None
    head_seconds: float = 60.0
    sync_seconds: float = 1.0
    rotate_days: int | None = None
    append_only: bool = False
    max_segment_records: int = 65_536
    max_payload_bytes: int = 1 << 20

    def table(self) -> dict[str, EventClass]:
        """Return every class with what holds for it."""
        for name in self.classes:
            if not _NAME.fullmatch(str(name)):
                raise AuditInputError(
                    f"event class {str(name)[:80]!r} is not [a-z][a-z0-9_]*, at most 40 characters"
                )
        made = {**BUILT_IN, **self.classes}
        if self.payload is None:
            return made
        return {name: EventClass(one.retention, self.payload) for name, one in made.items()}


PolicyLike = Policy | Mapping[str, EventClass | tuple[str, str]] | str
"""A whole policy, a table of classes, or one payload policy for all classes."""


def policy_of(given: PolicyLike) -> Policy:
    """Return *given* as a policy."""
    if isinstance(given, Policy):
        return given
    if isinstance(given, str):
        return Policy(payload=given or None)
    if not isinstance(given, Mapping):
        raise AuditInputError(f"policy is a {type(given).__name__}; use a Policy, dict or word")
    return Policy(classes={name: _class_of(name, one) for name, one in given.items()})


def _class_of(name: str, given: Any) -> EventClass:
    if isinstance(given, EventClass):
        return given
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise AuditInputError(f"event class {str(name)[:80]!r}: use ('90 days', 'hmac')")
    return EventClass(*given)


def class_named(name: str, table: Mapping[str, EventClass]) -> EventClass:
    """Return the class of that name, or say which there are."""
    found = table.get(str(name))
    if found is None:
        raise AuditInputError(
            f"there is no event class {str(name)[:80]!r}; there are {', '.join(sorted(table))}"
        )
    return found
