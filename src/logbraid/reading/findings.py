"""What reading found beside records: torn last lines, damaged lines, files that went away.

Every line of a file is a record, empty, torn or damaged; nothing is skipped without a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_PLACES: Final = 20
"""So many places of damage are named; the rest is in the count."""


@dataclass(slots=True)
class Findings:
    """Counts of one reading; final when it has ended.

    ``torn`` are last lines without an end (their writer is at work, was killed, or found the disk
    full), ``damaged`` other lines that are no JSON object, ``unreadable`` files that could not be
    opened or unpacked to their end. ``places`` says where the first of them are.
    """

    files: int = 0
    size_bytes: int = 0
    torn: int = 0
    damaged: int = 0
    unreadable: int = 0
    places: list[str] = field(default_factory=list)

    def damage(self, path: str, offset: int) -> None:
        """Count a damaged line that begins at *offset* of the text in *path*."""
        self.damaged += 1
        self._place(f"{path}: damaged line at byte {offset}")

    def tear(self, path: str) -> None:
        """Count a last line without an end."""
        self.torn += 1
        self._place(f"{path}: last line is torn")

    def lose(self, path: str, reason: str) -> None:
        """Count a file that cannot be read, or not to its end."""
        self.unreadable += 1
        self._place(f"{path}: {reason}")

    def _place(self, text: str) -> None:
        if len(self.places) < MOST_PLACES:
            self.places.append(text)

    def add(self, other: Findings) -> None:
        """Add what another reading found."""
        self.files += other.files
        self.size_bytes += other.size_bytes
        self.torn += other.torn
        self.damaged += other.damaged
        self.unreadable += other.unreadable
        for text in other.places:
            self._place(text)

    def told(self) -> Iterator[str]:
        """Yield what people should know, a line each; nothing if all is well."""
        if not self.torn and not self.damaged and not self.unreadable:
            return
        parts = [
            f"{number} {words}"
            for number, words in (
                (self.torn, "torn last lines skipped"),
                (self.damaged, "damaged lines skipped"),
                (self.unreadable, "files not read to their end"),
            )
            if number
        ]
        yield ", ".join(parts)
        yield from (f"  {place}" for place in self.places)
        hidden = self.torn + self.damaged + self.unreadable - len(self.places)
        if hidden > 0:
            yield f"  and {hidden} more"
