"""``logbraid prune`` and ``logbraid compress``: days that are over."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from logbraid.cli import options
from logbraid.cli.notices import complain
from logbraid.cli.options import Output, bad_input, ends_with, log_dir_of
from logbraid.cli.output import print_json, print_text
from logbraid.cli.progress import bar
from logbraid.reading import LogFile, find_files
from logbraid.reading.packing import Packer, is_over
from logbraid.settings import Settings
from logbraid.sinks.retention import DAY_FILES, Rule, delete_expired, delete_expired_in, is_expired

_TRACES: Final = "traces-"


def _trace_over(name: str, written: Callable[[], float]) -> datetime | None:
    is_trace = name.startswith(_TRACES)
    return DAY_FILES.over_since(name.removeprefix(_TRACES), written) if is_trace else None


def prune(
    log_dir: options.LogDir = None,
    archive: options.ArchiveToPrune = None,
    days: options.Days = None,
    dry_run: options.DryRun = False,
    output: options.OutputOption = Output.table,
) -> None:
    """Delete files of tenants and traces of days that are over for longer than they are kept.

    \b
    logbraid prune --dry-run
    logbraid prune --days 30
    logbraid prune --days 7 --archive logs/archive

    Never a day that has been over for less than 48 hours, never through a link, only files of
    logbraid's own form. A service that writes files does the same by itself, hourly, except for
    traces. Archived sessions go only where --archive says so.
    """
    root = log_dir_of(log_dir)
    files = find_files(root)  # says if there is no such directory
    if archive is not None and not archive.is_dir():
        raise bad_input(f"there is no archive {archive}")
    kept = Settings.from_env().retention_days if days is None else days
    now = datetime.fromtimestamp(time.time(), UTC)
    due = sum(_is_due(file, kept, now) for file in files)
    top = str(root.absolute())
    done = delete_expired(top, kept, now, dry_run=dry_run)
    done += delete_expired_in(top, kept, now, Rule(_trace_over), dry_run=dry_run)
    told = {"files": done, "days_kept": kept, "dry_run": dry_run}
    text = f"{done} files"
    if archive is not None:
        from logbraid.agent.session_file import SESSIONS  # noqa: PLC0415 - a wing of its own

        gone = delete_expired(str(archive.absolute()), kept, now, SESSIONS, dry_run=dry_run)
        told["sessions"] = gone
        text += f", {gone} sessions"
    _tell(told, f"{text} {'would be deleted' if dry_run else 'deleted'}", output)
    if done < due:
        complain(f"{due - done} files cannot be deleted: another user's, or several names")
    if _closed(files) or done < due:
        raise ends_with(1)


def _closed(files: list[LogFile]) -> bool:
    """Tell whether directories cannot be listed, and which."""
    closed = [file.path for file in files if Path(file.path).is_dir()]
    for path in closed:
        complain(f"{path} cannot be listed: nothing in it was looked at")
    return bool(closed)


def _is_ours(file: LogFile) -> bool:
    """Tell whether a sink of ours writes such a file: not what someone put beside the tenants."""
    return bool(file.tenant) or Path(file.path).name.startswith(_TRACES)


def _is_due(file: LogFile, kept: int, now: datetime) -> bool:
    name = Path(file.path).name.removeprefix(_TRACES)
    return kept > 0 and _is_ours(file) and is_expired(name, kept, now)


def compress(
    log_dir: options.LogDir = None,
    dry_run: options.DryRun = False,
    output: options.OutputOption = Output.table,
) -> None:
    """Compress files of tenants and traces of closed days with gzip.

    \b
    logbraid compress --dry-run
    logbraid compress

    A day is closed when it has been over for an hour. Every command reads compressed files as it
    reads others. A line that a process adds meanwhile is kept; killed, it can be run again.
    """
    root = log_dir_of(log_dir)
    now = datetime.fromtimestamp(time.time(), UTC)
    found = find_files(root)
    files = [
        file
        for file in found
        if _is_ours(file) and not file.is_compressed and is_over(file.day, now)
    ]
    packer = Packer()
    if not dry_run:
        with bar("compressing", sum(file.size_bytes for file in files)) as progress:
            packer.pack(files, progress.advance)
    for text in packer.failures:
        complain(text)
    told = {
        "files": len(files) if dry_run else packer.files,
        "bytes": sum(file.size_bytes for file in files) if dry_run else packer.bytes_before,
        "compressed_bytes": packer.bytes_after,
        "dry_run": dry_run,
    }
    if dry_run:
        text = f"{told['files']} files of {told['bytes']:,} bytes would be compressed"
    else:
        text = f"{packer.files} files: {packer.bytes_before:,} bytes became {packer.bytes_after:,}"
    _tell(told, text, output)
    if _closed(found) or packer.failures:
        raise ends_with(1)


def _tell(document: dict[str, int], text: str, output: Output) -> None:
    if output is not Output.table:
        print_json(document, output)
        return
    print_text(text)
