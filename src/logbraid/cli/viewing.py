"""``logbraid view``: lines of JSON on standard input, as people read them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

from logbraid.cli import options
from logbraid.cli.notices import complain
from logbraid.cli.options import Output, bad_input, filter_of
from logbraid.cli.output import Printer, is_terminal, json_line
from logbraid.reading import Filter
from logbraid.reading.blocks import LONGEST_LINE_BYTES, parsed
from logbraid.sinks.terminal import clean

_CHUNK: Final = 1 << 16


def view(
    level: options.Level = None,
    text: options.Text = None,
    ignore_case: options.IgnoreCase = False,
    where: options.Conditions = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Show lines of JSON from standard input as people read them.

    \b
    docker logs -f web 2>&1 | logbraid view
    kubectl logs web | logbraid view --level warning
    zcat old.jsonl.gz | logbraid view --where 'status = error' | less -R

    Colours on a terminal only (FORCE_COLOR=1 for less -R). A line that is not JSON is shown as
    it is, unless a filter is given: then it is counted and told at the end.
    """
    asked = filter_of(ids={}, level=level, text=text, ignore_case=ignore_case, where=where)
    wanted = None if asked == Filter() else asked
    if is_terminal(sys.stdin):
        raise bad_input("view reads standard input: try 'docker logs web | logbraid view'")
    printer = Printer(output)
    unread = 0
    for lines in incoming():
        for line in lines:
            unread += not _show(printer, line, wanted)
        printer.flush()
    printer.end()
    if unread:
        complain(f"{unread} lines are no JSON objects: not shown, the filter cannot read them")


def _show(printer: Printer, line: bytes, wanted: Filter | None) -> bool:
    """Show *line* if it fits; tell whether that could be said."""
    record = parsed(line)
    if record is not None:
        if wanted is None or wanted.fits(record, line):
            printer.line(line, record)
        return True
    shown = line.decode("utf-8", "replace").rstrip("\r")
    if not shown.strip():
        if wanted is None:
            printer.blank()
        return True
    if wanted is not None:
        return False
    printer.other(clean(shown), json_line({"event": shown}))
    return True


def incoming(
    fd: int = 0,
    *,
    keep_ends: bool = False,
    cut: Callable[[bytes], int] = len,
    longest: int = LONGEST_LINE_BYTES,
) -> Iterator[list[bytes]]:
    """Yield the lines of a descriptor as they come, those of one read together.

    Without their newlines, unless *keep_ends*. A last line without an end counts as one. A line
    of more bytes than *longest* comes in pieces: *cut* is asked how much of what is there may
    go, and asked again with more if that is nothing.
    """
    rest: list[bytes] = []
    held = asked_at = 0
    while chunk := os.read(fd, _CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            lines = b"".join((*rest, head)).split(b"\n")
            rest, held = [], 0
            yield [line + b"\n" for line in lines] if keep_ends else lines
        rest.append(tail)
        held += len(tail)
        asked_at = 0 if newline else asked_at
        if held > asked_at + longest:
            text = b"".join(rest)
            end = cut(text)
            if end:
                yield [text[:end]]
            rest, held = [text[end:]], len(text) - end
            asked_at = 0 if end else held
    if held:
        yield [b"".join(rest)]
