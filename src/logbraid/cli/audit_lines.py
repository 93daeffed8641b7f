"""``logbraid audit-log``: what command-line tools wrote about their commands.

Each tool appends to ``$XDG_DATA_HOME/<tool>/audit.jsonl``. Arguments are ``args``, ``params`` or
``parameters``, by who wrote the tool; they are shown as ``args``.
"""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from logbraid.cli import options
from logbraid.cli.following import Follower
from logbraid.cli.notices import complain, tell
from logbraid.cli.options import Output, bad_input, filter_of
from logbraid.cli.output import Printer
from logbraid.cli.tailing import LOOK_AROUND_SECONDS, POLL_SECONDS, wait
from logbraid.parsing import shown
from logbraid.reading import Filter, Findings, LogFile
from logbraid.reading.blocks import parsed
from logbraid.reading.records import read_file
from logbraid.reading.when import normal_stamp
from logbraid.sinks.terminal import clean

FILE_NAME: Final = "audit.jsonl"
ARGUMENTS: Final = ("args", "params", "parameters")
_ORDER: Final = (
    "timestamp", "tool", "command", "args", "exit_code", "duration_ms", "operator",
    "tenant_id", "user_id", "trace_id", "request_id",
)  # fmt: skip


class Wanted(NamedTuple):
    """What is asked of an entry beside its time."""

    command: str | None
    trace_id: str | None
    tenant: str | None
    user: str | None

    def fits(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether *entry* is one; a user is who logged in, or who is logged in."""
        command = entry.get("command")
        return (
            (self.command is None or (isinstance(command, str) and _is_of(command, self.command)))
            and (self.trace_id is None or entry.get("trace_id") == self.trace_id)
            and (self.tenant is None or entry.get("tenant_id") == self.tenant)
            and (self.user is None or self.user in (entry.get("user_id"), entry.get("operator")))
        )


def _is_of(command: str, wanted: str) -> bool:
    """Tell whether *command* is *wanted* or below it: ``orders`` has ``orders list``."""
    return command == wanted or command.startswith(f"{wanted} ") or command.endswith(f" {wanted}")


def audit_log(
    tool: options.Tool = None,
    command: options.Command = None,
    trace_id: options.TraceId = None,
    tenant: options.Tenant = None,
    user: options.AnyUser = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = None,
    follow: options.Follow = False,
    output: options.OutputOption = Output.table,
) -> None:
    """Show which commands were run: when, by whom, with what, and how they ended.

    \b
    logbraid audit-log --since 1h --output jsonl
    logbraid audit-log --tool deploy --command 'env create' --limit 20
    logbraid audit-log --trace-id 4bf92f3577b34da6a3ce929d0e0e4736

    Reads $XDG_DATA_HOME/*/audit.jsonl (~/.local/share without it), oldest first.
    """
    if follow and output is Output.json:
        raise bad_input("--follow never ends, and neither would its JSON document: use jsonl")
    times = filter_of(ids={}, since=since, until=until)
    wanted = Wanted(command, trace_id, tenant, user)
    printer = Printer(output, draw=_drawn)
    if output is Output.table:
        printer.text(_HEAD)
    follower = Follower(lambda: _paths(tool))
    if follow:
        list(
            follower.start(0)
        )  # before reading: what comes meanwhile comes twice rather than never
    found = Findings()
    entries: Iterable[dict[str, Any]] = _entries(_paths(tool), times, wanted, found)
    for entry in entries if limit is None else deque(entries, maxlen=limit):
        printer.record(entry)
    if follow:
        _follow(follower, times, wanted, printer)
    printer.end()
    tell(found)


def _paths(tool: str | None) -> list[str]:
    from logbraid.audit.command import data_home  # noqa: PLC0415 - what writes costs 50 ms

    root = data_home()
    if tool is None:
        with suppress(OSError):
            return sorted(str(path) for path in root.glob(f"*/{FILE_NAME}") if path.is_file())
        return []
    if not tool or tool in {".", ".."} or "/" in tool or "\\" in tool:
        raise bad_input(f"--tool is {shown(tool)}: use the name of one")
    path = root / tool / FILE_NAME
    if not path.is_file():
        raise bad_input(f"{shown(tool)} has no audit log: there is no {path}")
    return [str(path)]


def _entries(
    paths: list[str], times: Filter, wanted: Wanted, found: Findings
) -> Iterator[dict[str, Any]]:
    def of_one(path: str) -> Iterator[dict[str, Any]]:
        file = LogFile(path, "", "", False, 0)
        for row in read_file(file, times, found):
            entry = _entry(row.record, path)
            if wanted.fits(entry):
                yield entry

    def stamp(entry: dict[str, Any]) -> str:
        return normal_stamp(entry.get("timestamp")) or ""

    return heapq.merge(*(of_one(path) for path in paths), key=stamp)


def _entry(record: dict[str, Any], path: str) -> dict[str, Any]:
    """Return *record* in the order of names that all tools share, its arguments as ``args``."""
    told = {**record, "tool": record.get("tool") or Path(path).parent.name}
    told["args"] = next((record[name] for name in ARGUMENTS if name in record), None)
    first = {name: told[name] for name in _ORDER if told.get(name) is not None}
    rest = {name: value for name, value in told.items() if name not in {*first, *ARGUMENTS}}
    return {**first, **{name: value for name, value in rest.items() if value is not None}}


def _follow(follower: Follower, times: Filter, wanted: Wanted, printer: Printer) -> None:
    printer.flush()
    look_at = time.monotonic() + LOOK_AROUND_SECONDS
    while wait(POLL_SECONDS):
        if time.monotonic() >= look_at:
            follower.look_around()
            look_at = time.monotonic() + LOOK_AROUND_SECONDS
        for path, line in follower.new_lines():
            record = parsed(line)
            if record is None:
                if line:
                    complain(f"{path}: a damaged line is skipped")
                continue
            entry = _entry(record, path)
            if times.fits(record, line) and wanted.fits(entry):
                printer.record(entry)
        printer.flush()


_FORMAT: Final = "{:<20} {:<12} {:<24} {:>4} {:>9} {:<12} {}"
_HEAD: Final = _FORMAT.format("TIME (UTC)", "TOOL", "COMMAND", "EXIT", "MS", "OPERATOR", "ARGS")


def _drawn(entry: dict[str, Any]) -> str:
    stamp = normal_stamp(entry.get("timestamp")) or ""
    args = entry.get("args")
    ids = " ".join(f"{name}={entry[name]}" for name in ("trace_id", "request_id") if name in entry)
    told = json.dumps(args, ensure_ascii=False) if args not in (None, {}, []) else ""
    cells = (
        stamp[:19].replace("T", " "),
        entry.get("tool", ""),
        entry.get("command", ""),
        entry.get("exit_code", "-"),
        entry.get("duration_ms", "-"),
        entry.get("operator") or entry.get("user_id") or "",
        f"{told} {ids}".strip(),
    )
    return clean(_FORMAT.format(*(str(cell) for cell in cells))).rstrip()
