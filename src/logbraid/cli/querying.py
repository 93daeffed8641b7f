"""``logbraid query``: records of the tenants' files, by id, level, time, text and any field."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from logbraid.cli import options
from logbraid.cli.notices import tell
from logbraid.cli.options import Output, filter_of, log_dir_of
from logbraid.cli.output import Printer, is_terminal
from logbraid.cli.progress import Bar, bar
from logbraid.reading import Findings, Row
from logbraid.reading.records import files_for, read_files


def query(
    log_dir: options.LogDir = None,
    tenant: options.Tenant = None,
    session: options.Session = None,
    run: options.Run = None,
    user: options.User = None,
    request: options.Request = None,
    level: options.Level = None,
    since: options.Since = None,
    until: options.Until = None,
    text: options.Text = None,
    ignore_case: options.IgnoreCase = False,
    where: options.Conditions = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Show the records that fit, oldest first: all of them, there is no limit.

    \b
    logbraid query --session s-1
    logbraid query --tenant acme --level warning --since 1h
    logbraid query --where 'duration_ms > 500 and tool = get_orders' --output jsonl
    logbraid query --text timeout --since yesterday --until today

    Reads every tenant's files of every day, compressed ones too. Ids, --text and = make a
    question fast. What is torn or damaged is skipped and told on standard error.
    """
    ids = {"tenant": tenant, "session": session, "run": run, "user": user, "request": request}
    wanted = filter_of(
        ids=ids, level=level, since=since, until=until, text=text, ignore_case=ignore_case,
        where=where,
    )  # fmt: skip
    root = log_dir_of(log_dir)
    files = files_for(root, wanted)
    printer = Printer(output)
    found = Findings()
    with bar("reading", sum(file.size_bytes for file in files)) as shown:
        for row in _watched(read_files(files, wanted, found=found, progress=shown.advance), shown):
            printer.line(row.line, row.record)
        printer.end()
    tell(found, root)


def _watched(rows: Iterator[Row], shown: Bar) -> Iterator[Row]:
    """Yield *rows*; the first one takes the bar away where both would be on one screen."""
    for row in rows:
        if is_terminal(sys.stdout):
            shown.end()
        yield row
