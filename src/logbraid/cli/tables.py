"""Tables for people. Every cell is text that is clean already, never markup."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logbraid.cli.output import is_terminal, standard_output
from logbraid.sinks.terminal import wants_colors

_WIDE: Final = 10_000


class Column(NamedTuple):
    """The head of a column; ``is_bad`` draws it red where there are colours."""

    name: str
    is_number: bool = False
    is_bad: bool = False


def print_tables(
    title: str, tables: Sequence[tuple[str, Sequence[Column], Sequence[Sequence[str]]]]
) -> None:
    """Write *title* and the tables, each with its own, heads and rows.

    On a terminal as wide as that is, cells folded; elsewhere as wide as it takes.
    """
    colors = wants_colors(sys.stdout)
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=colors,
        no_color=not colors,
        color_system="standard" if colors else None,
        width=None if is_terminal(sys.stdout) else _WIDE,
        highlight=False,
        legacy_windows=False,
    )
    console.print(Text(title))
    for name, columns, rows in tables:
        console.print(_table(name, columns, rows))
    lines = (line.rstrip() for line in screen.getvalue().splitlines())
    out = standard_output()
    out.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    out.flush()


def _table(name: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(
        title=Text(name) if name else None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        table.add_column(
            Text(column.name),
            justify="right" if column.is_number else "left",
            style="red" if column.is_bad else None,
            no_wrap=column.is_number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
