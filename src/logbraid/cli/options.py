"""The options that commands share, each said once. The only file beside ``app.py`` with typer.

Values come in as text and become what the question needs in ``filter_of``; whatever cannot be
read ends with exit code 2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from logbraid.parsing import parse_level, shown
from logbraid.reading import Filter, QuestionError, parse_when, parse_where
from logbraid.record import LEVEL_WORDS
from logbraid.settings import Settings


def _levels() -> list[str]:
    return list(LEVEL_WORDS.values())


def _fields() -> list[str]:
    return ["tool", "action", "tenant", "status", "logger", "event", "route", "model", "user_id"]


class Output(StrEnum):
    """How an answer is shown: for people, as one JSON document, as a JSON object a line."""

    table = "table"
    json = "json"
    jsonl = "jsonl"


def _option(name: str, metavar: str, text: str, **more: Any) -> Any:
    """Return an option that need not be given: then its *text* says what happens."""
    return typer.Option(name, metavar=metavar, help=text, show_default=False, **more)


LogDir = Annotated[
    Path | None,
    _option("--log-dir", "DIR", "The directory of the tenants' files. [default: LOG_DIR, else"
            " ./logs]"),
]  # fmt: skip
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="table is for people; jsonl streams.")
]

Tenant = Annotated[str | None, _option("--tenant", "ID", "Of this tenant.")]
Session = Annotated[str | None, _option("--session", "ID", "Of this session.")]
Run = Annotated[str | None, _option("--run", "ID", "Of this run.")]
User = Annotated[str | None, _option("--user", "ID", "Of this user.")]
AnyUser = Annotated[str | None, _option("--user", "ID", "Of this user or operator.")]
Request = Annotated[str | None, _option("--request", "ID", "Of this request.")]
TraceId = Annotated[str | None, _option("--trace-id", "ID", "Of this trace.")]
Command = Annotated[
    str | None, _option("--command", "NAME", "Of this command, and those below it.")
]
Tool = Annotated[str | None, _option("--tool", "NAME", "Of this tool. [default: all]")]
Level = Annotated[
    str | None, _option("--level", "LEVEL", "At this level or above.", autocompletion=_levels)
]
Since = Annotated[
    str | None,
    _option("--since", "WHEN", "From then on: 15m, 1h, 2d, today, yesterday, 2026-11-21T10:30"
            " (UTC)."),
]  # fmt: skip
Until = Annotated[str | None, _option("--until", "WHEN", "Before then; a day is included.")]
Text = Annotated[str | None, _option("--text", "TEXT", "With this text anywhere in it.")]
IgnoreCase = Annotated[
    bool, typer.Option("--ignore-case", "-i", help="Let case not matter to --text.")
]
Conditions = Annotated[
    list[str] | None,
    _option("--where", "CONDITION", "With fields like this: 'duration_ms > 500', 'status != ok"
            " and tool ~ ^get_'. May be given several times; all must hold."),
]  # fmt: skip

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")]
Limit = Annotated[int | None, _option("--limit", "N", "The newest N only. [default: all]", min=1)]
Lines = Annotated[
    int, typer.Option("--lines", "-n", min=0, help="Begin with so many lines there are.")
]
By = Annotated[
    list[str] | None,
    _option("--by", "FIELD", "Group by this field; may be given several times. [default: tool,"
            " action, tenant]", autocompletion=_fields),
]  # fmt: skip

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The id of the session.")]
Archive = Annotated[
    Path | None,
    _option("--archive", "DIR", "The root of the event archive. [default: LOG_ARCHIVE_DIR, else"
            " the log directory and its 'archive']"),
]  # fmt: skip
Speed = Annotated[
    float | None,
    _option("--speed", "X", "As fast as it was (1), ten times (10). Else at once."),
]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell only.")]
Days = Annotated[
    int | None,
    _option("--days", "N", "Keep so many days. [default: LOG_RETENTION_DAYS, else 14; 0 keeps"
            " all]", min=0, max=36_500),
]  # fmt: skip
ArchiveToPrune = Annotated[
    Path | None,
    _option("--archive", "DIR", "Also sessions in the event archive DIR that were silent for so"
            " long."),
]  # fmt: skip

Summary = Annotated[
    bool, typer.Option("--summary", help="Tell on standard error what was redacted.")
]
Keys = Annotated[
    list[str] | None, _option("--key", "NAME", "A further field name whose values are secret.")
]
PersonalData = Annotated[
    bool,
    typer.Option("--personal-data", help="Also e-mail, phone, IBAN, US social security."),
]

LevelArgument = Annotated[
    str,
    typer.Argument(metavar="LEVEL", help="debug, info, warning, ... or 15", autocompletion=_levels),
]
LevelFile = Annotated[
    Path | None,
    _option("--file", "FILE", "The file that the process follows. [default: LOG_LEVEL_FILE]"),
]
Module = Annotated[
    str | None,
    typer.Argument(metavar="MODULE", help="Imported first: myservice.web", show_default=False),
]
Seed = Annotated[int, typer.Option("--seed", help="Another one gives other sessions.")]
Directory = Annotated[
    Path | None, _option("--directory", "DIR", "Where to. [default: a temporary one]")
]

AuditRoot = Annotated[Path, typer.Argument(metavar="ROOT", help="The directory of the audit log.")]
PublicKey = Annotated[
    Path | None, _option("--key", "FILE", "The public key that is trusted (PEM).")
]
PrivateKey = Annotated[Path | None, _option("--key", "FILE", "The private key (PEM).")]
Anchor = Annotated[Path | None, _option("--anchor", "FILE", "Heads that a witness kept.")]
Through = Annotated[
    str | None,
    _option("--through", "DAY", "The UTC day until which all must be sealed; yesterday is one."),
]
Expect = Annotated[
    list[str] | None,
    _option(
        "--expect",
        "TENANT/CLASS",
        "What must have a sealed segment; .DAY may follow. Several are given one by one.",
    ),
]
KeyDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the keys are to be.")]


def log_dir_of(given: Path | None) -> Path:
    """Return the log directory: as given, else as the settings of the environment have it."""
    return Settings.from_env().log_dir if given is None else given


def filter_of(
    *,
    ids: Mapping[str, str | None],
    level: str | None = None,
    since: str | None = None,
    until: str | None = None,
    text: str | None = None,
    ignore_case: bool = False,
    where: list[str] | None = None,
) -> Filter:
    """Return the filter that the options say; *ids* by their short names (``tenant``)."""
    now_ns = time.time_ns()
    number = None if level is None else parse_level(level)
    if level is not None and number is None:
        raise QuestionError(
            f"--level is {shown(level)}: use debug, info, warning, error, critical, or a number"
        )
    first = "" if since is None else parse_when(since, now_ns)
    last = "" if until is None else parse_when(until, now_ns, is_end=True)
    if first and last and first >= last:
        raise QuestionError(f"nothing lies between --since ({first}) and --until ({last})")
    return Filter(
        ids={f"{name}_id": value for name, value in ids.items() if value is not None},
        level=number,
        since=first,
        until=last,
        text=text or "",
        ignore_case=ignore_case,
        where=tuple(parse_where(condition) for condition in where or ()),
    )


def bad_input(text: str) -> QuestionError:
    """Return what ends the command with exit code 2 and *text*."""
    return QuestionError(text)


def ends_with(code: int) -> typer.Exit:
    """Return what ends the command with *code*."""
    return typer.Exit(code)
