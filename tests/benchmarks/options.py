"""How long and how much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from work import WORKS, Work


@dataclass(frozen=True, slots=True)
class Options:
    """``short`` measures too little to trust, but everything: it shows that all of it works."""

    short: bool = False
    work_names: tuple[str, ...] = tuple(WORKS)

    @property
    def rounds(self) -> int:
        """How often each program has its turn."""
        return 5 if self.short else 21

    @property
    def turn_seconds(self) -> float:
        """How long a turn lasts."""
        return 0.005 if self.short else 0.03

    @property
    def works(self) -> list[Work]:
        """The kinds of records that are asked for."""
        return [WORKS[name] for name in self.work_names]
