"""``logbraid replay``: what happened in a session, from its archive, else from its log lines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from logbraid.cli import options
from logbraid.cli.notices import complain, tell
from logbraid.cli.options import Output, bad_input, filter_of, log_dir_of
from logbraid.cli.output import Printer
from logbraid.ids import MAX_ID_CHARS
from logbraid.reading import Findings, QuestionError, read_records
from logbraid.reading.statistics import TENANT, value_of
from logbraid.reading.when import normal_stamp
from logbraid.record import CONTEXT_ORDER
from logbraid.sinks.terminal import clean

_VALUE_CHARS: Final = 200
_UNSAID: Final = frozenset({*CONTEXT_ORDER, "timestamp", "event", "service", "env", "version"})


def replay(
    session: options.SessionArgument,
    tenant: options.Tenant = None,
    archive: options.Archive = None,
    log_dir: options.LogDir = None,
    speed: options.Speed = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Show what happened in a session, in its order, with the time since it began.

    \b
    logbraid replay s-1
    logbraid replay s-1 --tenant acme --speed 10
    logbraid replay s-1 --archive /var/lib/app/archive --output jsonl

    Takes the session's event archive where there is one, else its log lines. A session id that
    several tenants have needs --tenant.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise bad_input(f"--speed is {speed}: use a number above 0")
    found = Findings()
    events = _from_archive(session, tenant, _roots(archive, log_dir), found, must=archive)
    source = "archive"
    if events is None:
        events, source = _from_lines(session, tenant, log_dir_of(log_dir), found), "log lines"
    printer = Printer(output)
    shown_any = False
    for seconds, event in _paced(_since_first(events), speed, printer):
        shown_any = True
        if output is Output.table:
            printer.text(_told(seconds, event))
        else:
            printer.record(event)
    printer.end()
    if not shown_any:
        raise bad_input(
            f"no session {_named(session)}{'' if tenant is None else ' of that tenant'}: neither in"
            " an archive (--archive) nor in the log lines (--log-dir)"
        )
    if output is Output.table:
        complain(f"from the {source}")
    tell(found)


def _paced(
    events: Iterator[tuple[float, dict[str, Any]]], speed: float | None, printer: Printer
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield *events* when their time has come; at once without a *speed*."""
    begun = time.monotonic()
    for seconds, event in events:
        if speed is not None:
            printer.flush()
            time.sleep(max(begun + seconds / speed - time.monotonic(), 0))
        yield seconds, event


def _roots(archive: Path | None, log_dir: Path | None) -> list[Path]:
    named = os.environ.get("LOG_ARCHIVE_DIR", "").strip()
    if archive is not None:
        return [archive]
    if named:
        return [Path(named).expanduser()]
    root = log_dir_of(log_dir)
    return [root, root / "archive"]


def _from_archive(
    session: str, tenant: str | None, roots: list[Path], found: Findings, *, must: Path | None
) -> Iterator[dict[str, Any]] | None:
    """Return the events of the archive, or ``None`` where there is no such session in it."""
    from logbraid.agent.replay import (  # noqa: PLC0415 - a wing that only this command needs
        SessionNotFoundError,
        list_sessions,
        replay_session,
    )

    if must is not None and not must.is_dir():
        raise bad_input(f"there is no archive {must}")
    for root in roots:
        tenants = {tenant}
        if tenant is None:
            sessions = list_sessions(root, every_tenant=True)
            tenants = {one.tenant_id for one in sessions if one.session_id == session}
        if len(tenants) > 1:
            raise _whose(session, tenants)
        for whose in tenants:
            try:
                replayed = replay_session(root, session, tenant_id=whose or "")
            except SessionNotFoundError:
                continue
            return _archived(replayed, found)
    return None


def _archived(replayed: Any, found: Findings) -> Iterator[dict[str, Any]]:
    for event in replayed:
        stamp = normal_stamp(event.timestamp.isoformat())
        yield {"seq": event.seq, "timestamp": stamp, "type": event.type, "data": event.data,
               **event.ids}  # fmt: skip
    found.torn += replayed.found.torn
    found.damaged += replayed.found.damaged + replayed.found.missing


def _from_lines(
    session: str, tenant: str | None, root: Path, found: Findings
) -> Iterator[dict[str, Any]]:
    """Yield the session's log lines; refuses those of several tenants."""
    wanted = filter_of(ids={"session": session, "tenant": tenant})
    whose: set[str] = set()
    rows = list(read_records(root, wanted, found=found))
    for row in rows:
        whose.add(value_of(row.record, TENANT, row.file.tenant) or "")
    if len(whose) > 1:
        raise _whose(session, whose)
    yield from (row.record for row in sorted(rows, key=lambda row: row.stamp))


def _whose(session: str, tenants: Iterable[str | None]) -> QuestionError:
    names = ", ".join(sorted(_named(tenant) for tenant in tenants if tenant))
    return bad_input(f"several tenants have a session {_named(session)}: give --tenant ({names})")


def _named(id_text: str) -> str:
    """Return an id for a message: to be copied, and no secret."""
    return repr(id_text if len(id_text) <= MAX_ID_CHARS else f"{id_text[:MAX_ID_CHARS]}...")


def _since_first(events: Iterator[dict[str, Any]]) -> Iterator[tuple[float, dict[str, Any]]]:
    first: datetime | None = None
    for event in events:
        stamp = normal_stamp(event.get("timestamp"))
        moment = None if stamp is None else datetime.fromisoformat(stamp)
        first = first or moment
        yield (moment - first).total_seconds() if moment and first else 0.0, event


def _told(seconds: float, event: dict[str, Any]) -> str:
    """Return a line for people: when, what, and its fields, none of which can forge a line."""
    if "data" in event and "type" in event:
        what, fields = str(event["type"]), event["data"]
    else:
        what, fields = str(event.get("event", "")), event
    told = " ".join(
        f"{name}={_short(value)}"
        for name, value in (fields.items() if isinstance(fields, dict) else ())
        if name not in _UNSAID and value not in (None, "", {}, [])
    )
    return f"{seconds:+10.3f}s  {clean(what):<24} {clean(told)}".rstrip()


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_CHARS else f"{text[: _VALUE_CHARS - 3]}..."
