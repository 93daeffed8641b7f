"""Tables for people, on a screen of any width. Every cell is text that is clean already.

No figure is ever cut: a narrow screen gets narrower drawings, then folded names, then fewer
columns, and is told which it does not show.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from logbraid.cli.output import is_terminal, standard_output
from logbraid.sinks.terminal import wants_colors

WIDEST_DRAWING: Final = 24
_WIDE: Final = 10_000
_GAP: Final = 2
_EDGES: Final = 2
_FOLDED: Final = 12
"""A name is folded to no less than this."""

Cell = str | Callable[[int], str]


class Column(NamedTuple):
    """The head of a column; ``is_bad`` draws it red where there are colours.

    Cells of ``is_drawing`` are functions of the width there is. ``left_out`` says which column
    goes first where there is no room: the highest; 0 stays.
    """

    name: str
    is_number: bool = False
    is_drawing: bool = False
    is_bad: bool = False
    left_out: int = 0


class Table(NamedTuple):
    """Columns, and rows with a cell for each of them."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def print_tables(title: str, tables: Sequence[Table]) -> None:
    """Write *title* and *tables*: as wide as the terminal, elsewhere as they are."""
    colors = wants_colors(sys.stdout)
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=colors,
        no_color=not colors,
        color_system="standard" if colors else None,
        width=_WIDE,
        highlight=False,
        legacy_windows=False,
    )
    room = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else _WIDE
    console.print(Text(title))
    missing: dict[str, None] = {}
    for table in tables:
        widths = fitted(table, room)
        missing |= {
            "drawings" if one.is_drawing else one.name: None
            for at, one in enumerate(table.columns)
            if at not in widths
        }
        console.print(_drawn(table, widths))
    if missing:
        console.print(Text(f"no room on this screen for: {', '.join(missing)}"))
    lines = (line.rstrip() for line in screen.getvalue().splitlines())
    out = standard_output()
    out.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    out.flush()


def fitted(table: Table, room: int) -> dict[int, int]:
    """Return how wide each column is that has a place, by its number."""
    shown = list(range(len(table.columns)))
    while True:
        widths = {at: _width(table, at) for at in shown}
        over = sum(widths.values()) + _GAP * (len(widths) - 1) + _EDGES - room
        for at in sorted(shown, key=lambda at: not table.columns[at].is_drawing):
            narrower = min(max(over, 0), widths[at] - _least(table.columns[at], widths[at]))
            widths[at] -= narrower
            over -= narrower
        first_to_go = max(shown, key=lambda at: table.columns[at].left_out)
        if over <= 0 or not table.columns[first_to_go].left_out:
            return widths
        shown.remove(first_to_go)


def _width(table: Table, at: int) -> int:
    column = table.columns[at]
    cells = (row[at] for row in table.rows)
    width = max((cell_len(cell) for cell in cells if isinstance(cell, str)), default=0)
    return max(width, cell_len(column.name), WIDEST_DRAWING if column.is_drawing else 0)


def _least(column: Column, width: int) -> int:
    if column.is_drawing:
        return cell_len(column.name)
    return width if column.is_number else min(width, max(_FOLDED, cell_len(column.name)))


def _drawn(table: Table, widths: dict[int, int]) -> RichTable:
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for at, width in widths.items():
        column = table.columns[at]
        drawn.add_column(
            Text(column.name),
            justify="right" if column.is_number else "left",
            style="red" if column.is_bad else None,
            no_wrap=column.is_number or column.is_drawing,
            overflow="fold",
            width=width,
        )
    for row in table.rows:
        cells = ((row[at], width) for at, width in widths.items())
        drawn.add_row(
            *(Text(cell if isinstance(cell, str) else cell(width)) for cell, width in cells)
        )
    return drawn
