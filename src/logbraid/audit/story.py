"""What a manifest tells, line by line: the keys, the days, and an account of every segment.

=============  ====================================================================================
``log``        the first: the log's id, its public key
``open``       a segment is begun: its tenant, class, day, writer, retention and payload policy
``head``       how far the open segments of a writer are: size and root of each
``seal``       a segment is closed: size, root; torn bytes behind it, if its writer died
``lost``       a writer noticed that its segment was deleted, moved or replaced
``days``       UTC days that are over, and how many segments were begun on each: none is a day too
``tombstone``  segments whose retention is over, with size and root: now they are deleted
``key``        the next public key, signed by the last one
``broken``     whoever began found a checkpoint that was not of these lines, or none
=============  ====================================================================================

Lines come from a file that somebody may have written by hand: what makes no sense is refused,
and a segment's name never leads out of the log. Who signed a line is not looked at here.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from logbraid.audit.policy import EventClass
from logbraid.tenant import directory_name

_SEGMENT: Final = re.compile(r"[^/]+/.+\.\d{4}-\d\d-\d\d\.[0-9a-f]{16}\.\d{4,9}")
_WRITER: Final = re.compile(r"[0-9a-f]{16}\.\d{4,9}")
_ROOT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class Account:
    """What the manifest says of one segment."""

    name: str
    opened: dict[str, Any]
    sealed: dict[str, Any] | None = None
    lost: dict[str, Any] | None = None
    tombstone: dict[str, Any] | None = None
    head: tuple[int, str] = (0, "")
    sealed_in: bytes | None = None
    """The public key of the epoch in which it was sealed."""
    prune_at: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing says yet that it is over."""
        return self.sealed is None and self.lost is None and self.tombstone is None


@dataclass(slots=True)
class Story:
    """What the lines so far tell. ``last_day`` is the last one closed, or before the beginning."""

    log_id: str = ""
    public: bytes | None = None
    keys: list[bytes] = field(default_factory=list)
    segments: dict[str, Account] = field(default_factory=dict)
    opened_on: dict[str, int] = field(default_factory=dict)
    last_day: str = ""
    key_since: str = ""

    def add(self, fields: dict[str, Any]) -> None:
        """Take the next line into account; raises ``ValueError`` where it makes no sense."""
        kind = fields.get("kind")
        if not self.log_id and kind != "log":
            raise ValueError("a log begins with its id and key")
        tell = getattr(self, f"_add_{kind}", None)
        if tell is None:
            return
        try:
            tell(fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("the line does not fit the ones before") from error

    def _add_log(self, fields: dict[str, Any]) -> None:
        if self.log_id or not isinstance(fields["log"], str):
            raise ValueError("a log begins once")
        date.fromisoformat(fields["before"])
        self._take_key(fields)
        self.log_id = fields["log"]
        self.last_day = fields["before"]

    def _add_key(self, fields: dict[str, Any]) -> None:
        # Else whoever knows the public key could write anything, and name it at the end
        if self.public is None or fields.get("public_key") is None:
            raise ValueError("a log without a key stays without one, a signed one signed")
        self._take_key(fields)

    def _take_key(self, fields: dict[str, Any]) -> None:
        told = fields.get("public_key")
        public = None if told is None else b64decode(told, validate=True)
        if public is not None and len(public) != 32:
            raise ValueError("not an Ed25519 key")
        date.fromisoformat(fields["at"][:10])
        self.public = public
        self.key_since = fields["at"]
        if public is not None:
            self.keys.append(public)

    def _add_open(self, fields: dict[str, Any]) -> None:
        name, day, kind = fields["segment"], fields["day"], fields["event_class"]
        date.fromisoformat(day)
        EventClass(fields["retention"])
        start = f"{directory_name(fields['tenant_id'])}/{kind}.{day}."
        is_ours = name.startswith(start) and _WRITER.fullmatch(name[len(start) :])
        known = self.segments.get(name)  # a writer whose first try failed begins it once more
        if not is_ours or "/" in kind or not (known is None or known.is_open):
            raise ValueError("not the name of that segment")
        self.segments[name] = Account(name, fields)
        self.opened_on[day] = self.opened_on.get(day, 0) + 1

    def _add_head(self, fields: dict[str, Any]) -> None:
        for name, (size, root) in fields["segments"].items():
            if name in self.segments:
                self.segments[name].head = _measured(size, root)

    def _add_seal(self, fields: dict[str, Any]) -> None:
        _measured(fields["size"], fields["root"])
        account = self.segments[fields["segment"]]
        account.sealed, account.sealed_in = fields, self.public

    def _add_lost(self, fields: dict[str, Any]) -> None:
        _measured(fields["size"], fields["root"])
        date.fromisoformat(fields["at"][:10])
        self.segments[fields["segment"]].lost = fields

    def _add_days(self, fields: dict[str, Any]) -> None:
        date.fromisoformat(fields["last"])
        self.last_day = fields["last"]
        for day in [day for day in self.opened_on if day <= self.last_day]:
            del self.opened_on[day]

    def _add_tombstone(self, fields: dict[str, Any]) -> None:
        date.fromisoformat(fields["at"][:10])
        for one in fields["segments"]:
            account = self.segments[one["segment"]]
            account.tombstone, account.prune_at = one, fields["at"]


def is_segment(name: str) -> bool:
    """Tell whether a file of that name can be a segment: other programs write JSON lines, too."""
    return _SEGMENT.fullmatch(name) is not None


def _measured(size: Any, root: Any) -> tuple[int, str]:
    if type(size) is not int or size < 0 or not _ROOT.fullmatch(root):
        raise ValueError("neither a size nor a root")
    return size, root
