"""``logbraid prune`` and ``logbraid compress``: days that are over."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from logbraid.cli import options
from logbraid.cli.notices import complain
from logbraid.cli.options import Output, ends_with, log_dir_of
from logbraid.cli.output import print_json, print_text
from logbraid.cli.progress import bar
from logbraid.reading import find_files
from logbraid.reading.packing import Packer, is_over
from logbraid.settings import Settings
from logbraid.sinks.retention import delete_expired, is_expired


def prune(
    log_dir: options.LogDir = None,
    days: options.Days = None,
    dry_run: options.DryRun = False,
    output: options.OutputOption = Output.table,
) -> None:
    """Delete the tenants' files of days that are over for longer than they are kept.

    \b
    logbraid prune --dry-run
    logbraid prune --days 30

    Never a day that has been over for less than 48 hours, never through a link, only files of
    logbraid's own form. A service that writes files does the same by itself, hourly.
    """
    root = log_dir_of(log_dir)
    files = find_files(root)  # says if there is no such directory
    kept = Settings.from_env().retention_days if days is None else days
    now = datetime.fromtimestamp(time.time(), UTC)
    due = [file for file in files if kept and is_expired(Path(file.path).name, kept, now)]
    done = len(due) if dry_run else delete_expired(str(root.absolute()), kept, now)
    word = "would be deleted" if dry_run else "deleted"
    _tell({"files": done, "days_kept": kept, "dry_run": dry_run}, f"{done} files {word}", output)
    if done < len(due):
        complain(f"{len(due) - done} files cannot be deleted: another user's, or several names")
        raise ends_with(1)


def compress(
    log_dir: options.LogDir = None,
    dry_run: options.DryRun = False,
    output: options.OutputOption = Output.table,
) -> None:
    """Compress the tenants' files of closed days with gzip.

    \b
    logbraid compress --dry-run
    logbraid compress

    A day is closed when it has been over for an hour. Every command reads compressed files as it
    reads others. A line that a process adds meanwhile is kept; killed, it can be run again.
    """
    root = log_dir_of(log_dir)
    now = datetime.fromtimestamp(time.time(), UTC)
    files = [
        file
        for file in find_files(root)
        if file.tenant and not file.is_compressed and is_over(file.day, now)
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
    if packer.failures:
        raise ends_with(1)


def _tell(document: dict[str, int], text: str, output: Output) -> None:
    if output is not Output.table:
        print_json(document, output)
        return
    print_text(text)
