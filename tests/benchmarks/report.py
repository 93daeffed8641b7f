"""What the tables hold, and how they are shown: plain text, Markdown, JSON."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from interleave import Spread

_PACKAGES = ("logbraid", "structlog", "orjson", "loguru", "python-json-logger", "logfire")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a figure is to reach: at most *reach*, or at least."""

    reach: float
    stretch: float | None = None
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """Return the mark in words, and whether *value* reaches it."""
        sign = ">=" if self.at_least else "<="
        text = f"{sign} {self.reach:g}"
        if self.stretch is not None:
            text += f", stretch {self.stretch:g}"
        if self.stretch is not None and self._holds(value, self.stretch):
            return f"{text}: stretch reached"
        return f"{text}: {'reached' if self._holds(value, self.reach) else 'missed'}"

    def _holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell: a median with its quartiles, and what it is to reach."""

    row: str
    column: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: Mark | None = None

    @classmethod
    def of(cls, row: str, column: str, spread: Spread, mark: Mark | None = None) -> Self:
        """Make a figure of a spread."""
        return cls(row, column, spread.median, spread.low, spread.high, mark)

    def text(self) -> str:
        """Return the median and the quartiles as they stand in a table."""
        text = number(self.value)
        if self.low is not None and self.high is not None:
            text += f" ({number(self.low)}-{number(self.high)})"
        return text

    def verdict(self) -> str:
        """Return what is to be reached, and whether it is; nothing where there is no mark."""
        return "" if self.mark is None else self.mark.verdict(self.value)


@dataclass(slots=True)
class Table:
    """Figures under a title.

    A table that cannot be measured here says why in *skipped*; *failed*: it should have been.
    """

    title: str
    unit: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    failed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Make a table of what ``to_dict()`` returned."""
        figures = [
            Figure(**{**one, "mark": Mark(**one["mark"]) if one["mark"] else None})
            for one in told["figures"]
        ]
        return cls(**{**told, "figures": figures})

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(dict.fromkeys(figure.column for figure in self.figures))

    def rows(self) -> Iterator[tuple[str, list[Figure | None]]]:
        """Yield each row's name and its figures, one per column."""
        cells = {(figure.row, figure.column): figure for figure in self.figures}
        for name in dict.fromkeys(figure.row for figure in self.figures):
            yield name, [cells.get((name, column)) for column in self.columns]


def number(value: float) -> str:
    """Return *value* with as many digits as it deserves."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def as_text(tables: Sequence[Table]) -> str:
    """Return *tables* for people at a terminal."""
    return "\n\n".join(_text(table) for table in tables)


def _text(table: Table) -> str:
    if table.skipped:
        return f"{table.title}\n  {'failed' if table.failed else 'skipped'}: {table.skipped}"
    rows = [[table.unit, *table.columns]]
    for name, figures in table.rows():
        rows.append([name, *(one.text() if one else "" for one in figures)])
        verdicts = [one.verdict() if one else "" for one in figures]
        if any(verdicts):  # below the figures, or the lines would be too long to read
            rows.append(["  to reach", *verdicts])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([table.title, *lines, *(f"  {note}" for note in table.notes)])


def as_markdown(tables: Sequence[Table]) -> str:
    """Return *tables* as they stand in the README."""
    return "\n\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    if table.skipped:
        return f"**{table.title}**: {'failed' if table.failed else 'skipped'}, {table.skipped}."
    rows = [[table.unit, *table.columns], ["---"] * (1 + len(table.columns))]
    rows += [[name, *map(_cell, figures)] for name, figures in table.rows()]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    notes = "".join(f"\n\n{note}" for note in table.notes)
    return f"**{table.title}**\n\n{body}{notes}"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    verdict = figure.verdict()
    return figure.text() + (f"<br>{verdict}" if verdict else "")


def machine() -> str:
    """Describe this machine, its Python and the packages that take part."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores{load}; {platform.system()} {platform.release()};"
        f" {platform.python_implementation()} {platform.python_version()};\n{', '.join(versions)}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # only Linux has it
    return platform.processor() or platform.machine()
