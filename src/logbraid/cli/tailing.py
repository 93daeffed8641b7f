"""``logbraid tail``: follow the files of all tenants, over midnight and new tenants."""

from __future__ import annotations

import heapq
import select
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from logbraid.cli import options
from logbraid.cli.following import Follower
from logbraid.cli.notices import complain
from logbraid.cli.options import Output, filter_of, log_dir_of
from logbraid.cli.output import Printer
from logbraid.reading import Filter, QuestionError, find_files
from logbraid.reading.blocks import parsed
from logbraid.reading.places import LogFile
from logbraid.reading.records import Row

POLL_SECONDS: Final = 0.2
LOOK_AROUND_SECONDS: Final = 1.0


def tail(
    log_dir: options.LogDir = None,
    tenant: options.Tenant = None,
    session: options.Session = None,
    run: options.Run = None,
    user: options.User = None,
    request: options.Request = None,
    level: options.Level = None,
    text: options.Text = None,
    ignore_case: options.IgnoreCase = False,
    where: options.Conditions = None,
    lines: options.Lines = 10,
    output: options.OutputOption = Output.table,
) -> None:
    """Show records as they are written, of all tenants, until interrupted.

    \b
    logbraid tail
    logbraid tail --tenant acme --level warning
    logbraid tail -n 0 --where 'duration_ms > 1000' --output jsonl

    Goes on over midnight (UTC), and with tenants that come later. A log directory that is not
    there yet is waited for.
    """
    ids = {"tenant": tenant, "session": session, "run": run, "user": user, "request": request}
    wanted = filter_of(
        ids=ids, level=level, text=text, ignore_case=ignore_case, where=where
    )  # fmt: skip
    if output is Output.json:
        raise QuestionError("tail never ends, and neither would its JSON document: use jsonl")
    root = log_dir_of(log_dir)
    printer = Printer(output)
    _Tail(root, wanted, () if tenant is None else (tenant,), printer).run(lines)


class _Tail:
    """One run of the command."""

    def __init__(
        self, root: Path, wanted: Filter, tenants: tuple[str, ...], printer: Printer
    ) -> None:
        self._root = root
        self._wanted = wanted
        self._tenants = tenants
        self._printer = printer
        self._tenant_of: dict[str, str] = {}
        self._is_waiting = False
        self._follower = Follower(self._paths)

    def _paths(self) -> list[str]:
        """Return the files that may still grow: of yesterday and later."""
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        try:
            files = find_files(self._root, tenants=self._tenants, since=since)
        except QuestionError as error:
            if self._root.exists():
                raise
            if not self._is_waiting:
                complain(f"{error}; waiting for it")
            self._is_waiting = True
            return []
        self._tenant_of = {file.path: file.tenant for file in files if not file.is_compressed}
        return list(self._tenant_of)

    def run(self, lines: int) -> None:
        """Show the last *lines* and then what comes, for ever."""
        begun = list(self._rows(self._follower.start(lines)))
        last = heapq.nlargest(lines, enumerate(begun), key=lambda one: (one[1].stamp, one[0]))
        self._show(row for _, row in sorted(last, key=lambda one: (one[1].stamp, one[0])))
        look_at = time.monotonic() + LOOK_AROUND_SECONDS
        while wait(POLL_SECONDS):
            if time.monotonic() >= look_at:
                self._follower.look_around()
                look_at = time.monotonic() + LOOK_AROUND_SECONDS
            rows = list(self._rows(self._follower.new_lines()))
            self._show(sorted(rows, key=lambda row: row.stamp))

    def _rows(self, lines: Iterable[tuple[str, bytes]]) -> Iterable[Row]:
        for path, line in lines:
            record = parsed(line)
            tenant = self._tenant_of.get(path, "")
            if record is None:
                if line:
                    complain(f"{path}: a damaged line is skipped")
            elif self._wanted.fits(record, line, tenant):
                yield Row(line, record, LogFile(path, tenant, "", False, 0))

    def _show(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._printer.line(row.line, row.record)
        self._printer.flush()


def wait(seconds: float) -> bool:
    """Wait; return false once nobody reads standard output any more."""
    with suppress(OSError, ValueError, AttributeError):
        if hasattr(select, "poll"):
            waiting = select.poll()
            waiting.register(sys.stdout.fileno(), 0)
            return not any(event & (select.POLLERR | select.POLLHUP)
                           for _, event in waiting.poll(seconds * 1000))  # fmt: skip
    time.sleep(seconds)
    return True
