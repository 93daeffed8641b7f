"""What a verification found: which record of which segment, what happened to it, the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MODIFIED: Final = "modified"
DELETED: Final = "deleted"
INSERTED: Final = "inserted"
REORDERED: Final = "reordered"
GAP: Final = "gap"
FOREIGN: Final = "foreign"
TORN_TAIL: Final = "torn tail"
SEAL_MISSING: Final = "seal missing"
WRONG_KEY: Final = "wrong key"

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written.

    *kind* is ``modified``, ``deleted``, ``inserted``, ``reordered``, ``gap``, ``foreign``,
    ``torn tail``, ``seal missing`` or ``wrong key``; *where* a segment or ``_log/...``; *record*
    the ``seq`` of the line (0 is a segment's header), ``None`` for the whole. What a killed
    process leaves behind is no tampering.
    """

    kind: str
    where: str
    record: int | None
    detail: str
    is_tampering: bool = True

    def __str__(self) -> str:
        at = "" if self.record is None else f" record {self.record}"
        return f"{self.kind}: {self.where}{at}: {self.detail}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain fields."""
        return {
            "kind": self.kind,
            "where": self.where,
            "record": self.record,
            "detail": self.detail,
            "tampering": self.is_tampering,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one audit log. Truthy where nothing was tampered with.

    ``findings`` in the order in which they were met, ``notices`` what a reader should know beside
    them, ``records`` those that were read (headers not counted), ``pruned`` the segments whose
    retention is over. ``verifier`` is the key for C2SP's tools, ``head`` the checkpoint.
    """

    root: str
    findings: tuple[Finding, ...] = ()
    notices: tuple[str, ...] = ()
    segments: int = 0
    records: int = 0
    pruned: int = 0
    days: int = 0
    log_id: str = ""
    verifier: str | None = None
    head: str = ""

    @property
    def tampered(self) -> tuple[Finding, ...]:
        """The findings that no crash explains."""
        return tuple(one for one in self.findings if one.is_tampering)

    @property
    def verdict(self) -> str:
        """``ok``, ``torn tail`` or ``tampered``."""
        if self.tampered:
            return "tampered"
        return "torn tail" if self.findings else "ok"

    @property
    def exit_code(self) -> int:
        """0 where all is well or only a tail is torn, 1 where something was tampered with."""
        return int(bool(self.tampered))

    def __bool__(self) -> bool:
        return not self.tampered

    def __str__(self) -> str:
        counted = f"{self.records} records in {self.segments} segments"
        told = [
            f"{self.verdict}: {counted}, {self.pruned} segments pruned, {self.days} days closed"
        ]
        told += [f"  {one}" for one in self.findings[:_SHOWN]]
        if len(self.findings) > _SHOWN:
            told.append(f"  and {len(self.findings) - _SHOWN} more")
        told += [f"  note: {one}" for one in self.notices]
        return "\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain fields, for ``--output json``."""
        return {
            "root": self.root,
            "verdict": self.verdict,
            "records": self.records,
            "segments": self.segments,
            "pruned": self.pruned,
            "days": self.days,
            "findings": [one.to_dict() for one in self.findings],
            "notices": list(self.notices),
            "log_id": self.log_id,
            "verifier": self.verifier,
            "head": self.head,
        }


@dataclass(slots=True)
class Collected:
    """Findings and notices while a verification is under way."""

    findings: list[Finding] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def add(self, kind: str, where: str, record: int | None, detail: str) -> None:
        """Add what no crash explains."""
        self.findings.append(Finding(kind, where, record, detail))

    def torn(self, where: str, record: int, detail: str) -> None:
        """Add what a killed process leaves behind."""
        self.findings.append(Finding(TORN_TAIL, where, record, detail, is_tampering=False))
