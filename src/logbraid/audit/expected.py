"""What must be sealed, by what somebody knows who is not on the host.

An older copy of a whole log is as true as the present one, and an attacker who has the signing key
of now may leave out what was never witnessed. Who keeps elsewhere that the log is sealed every
night, and that ``acme`` writes ``data_modified``, need not believe either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self

from logbraid.audit.errors import AuditInputError
from logbraid.audit.findings import GAP, SEAL_MISSING, Collected
from logbraid.audit.manifest_check import WHERE
from logbraid.audit.story import Story


@dataclass(frozen=True, slots=True)
class Expected:
    """Days and segments that must be sealed."""

    through: str = ""
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, through: str | date | None, names: Iterable[str]) -> Self:
        """Return what a caller expects; raises ``AuditInputError`` for what is no day."""
        if through is None:
            return cls("", tuple(names))
        try:
            day = through if isinstance(through, date) else date.fromisoformat(through)
        except ValueError:
            raise AuditInputError(f"{str(through)[:80]!r} is no day; use 2026-11-20") from None
        return cls(f"{day:%Y-%m-%d}", tuple(names))

    def check(self, story: Story, found: Collected) -> None:
        """Add to *found* what is expected and is not there."""
        if story.last_day < self.through:
            told = f"sealed until {story.last_day or 'no day'}, expected until {self.through}"
            found.add(GAP, WHERE, None, told)
        for account in story.segments.values():
            if account.is_open and account.opened["day"] <= self.through:
                found.add(SEAL_MISSING, account.name, None, "its day is over, it is not sealed")
        closed = [name for name, account in story.segments.items() if account.sealed is not None]
        for wanted in self.names:
            if not any(f"{name}.".startswith(f"{wanted}.") for name in closed):
                found.add(SEAL_MISSING, wanted, None, "no sealed segment of that name")
