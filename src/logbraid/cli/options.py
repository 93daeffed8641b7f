"""The options that commands share, each said once. The only file beside ``app.py`` with typer.

Values come in as text and become what the question needs in ``question_of``; whatever cannot be
read ends with exit code 2.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from logbraid.parsing import parse_level, shown
from logbraid.reading import Filter, QuestionError, parse_when, parse_where
from logbraid.record import ID_NAMES

WHICH: Final = "Which records"
WHERE_FROM: Final = "Where from"
HOW: Final = "How it is shown"


class Output(StrEnum):
    """How an answer is shown: for people, as one JSON document, as a JSON object a line."""

    table = "table"
    json = "json"
    jsonl = "jsonl"


LogDir = Annotated[
    Path | None,
    typer.Option(
        "--log-dir",
        metavar="DIR",
        help="The directory of the tenants' files. [default: LOG_DIR, else ./logs]",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="table is for people; jsonl streams.")
]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="ID", help="Of this tenant.", show_default=False)
]
Session = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Of this session.", show_default=False)
]
Run = Annotated[
    str | None, typer.Option("--run", metavar="ID", help="Of this run.", show_default=False)
]
User = Annotated[
    str | None, typer.Option("--user", metavar="ID", help="Of this user.", show_default=False)
]
Request = Annotated[
    str | None, typer.Option("--request", metavar="ID", help="Of this request.", show_default=False)
]
Level = Annotated[
    str | None,
    typer.Option("--level", metavar="LEVEL", help="At this level or above.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="From then on: 15m, 1h, 2d, today, yesterday, 2026-11-21T10:30 (UTC).",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="WHEN", help="Before then; a day is included.",
                 show_default=False),
]  # fmt: skip
Text = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="With this text anywhere in it.",
                 show_default=False),
]  # fmt: skip
IgnoreCase = Annotated[
    bool, typer.Option("--ignore-case", "-i", help="Let case not matter to --text.")
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="With fields like this: 'duration_ms > 500', 'status != ok and tool ~ ^get_'."
        " May be given several times; all must hold.",
        show_default=False,
    ),
]

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help="The newest N only. [default: all]",
        show_default=False,
    ),
]
AnyUser = Annotated[
    str | None,
    typer.Option("--user", metavar="ID", help="Of this user or operator.", show_default=False),
]
TraceId = Annotated[
    str | None,
    typer.Option("--trace-id", metavar="ID", help="Of this trace.", show_default=False),
]
Command = Annotated[
    str | None,
    typer.Option(
        "--command",
        metavar="NAME",
        help="Of this command, and those below it.",
        show_default=False,
    ),
]
Tool = Annotated[
    str | None,
    typer.Option("--tool", metavar="NAME", help="Of this tool. [default: all]", show_default=False),
]
Speed = Annotated[
    float | None,
    typer.Option(
        "--speed",
        metavar="X",
        help="As fast as it was (1), ten times (10). Else at once.",
        show_default=False,
    ),
]
Archive = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        metavar="DIR",
        help="The root of the event archive. [default: LOG_ARCHIVE_DIR, else the log"
        " directory and its 'archive']",
        show_default=False,
    ),
]
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The id of the session.")]
By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="FIELD",
        help="Group by this field; may be given several times. [default: tool, action, tenant]",
        show_default=False,
    ),
]
Lines = Annotated[
    int, typer.Option("--lines", "-n", min=0, help="Begin with so many lines there are.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell only.")]
Days = Annotated[
    int | None,
    typer.Option(
        "--days",
        min=0,
        metavar="N",
        help="Keep so many days. [default: LOG_RETENTION_DAYS, else 14; 0 keeps all]",
        show_default=False,
    ),
]
Summary = Annotated[
    bool, typer.Option("--summary", help="Tell on standard error what was redacted.")
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="A further field name whose values are secret.",
        show_default=False,
    ),
]
PersonalData = Annotated[
    bool,
    typer.Option("--personal-data", help="Also e-mail, phone, IBAN, US social security."),
]
LevelArgument = Annotated[
    str, typer.Argument(metavar="LEVEL", help="debug, info, warning, ... or 15")
]
Module = Annotated[
    str | None,
    typer.Argument(metavar="[MODULE]", help="Imported first: myservice.web", show_default=False),
]
Seed = Annotated[int, typer.Option("--seed", help="Another one gives other sessions.")]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        metavar="DIR",
        help="Where to. [default: a temporary one]",
        show_default=False,
    ),
]
LevelFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="The file that the process follows. [default: LOG_LEVEL_FILE]",
        show_default=False,
    ),
]

AuditRoot = Annotated[Path, typer.Argument(metavar="ROOT", help="The directory of the audit log.")]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="The public key that is trusted (PEM).", show_default=False
    ),
]
PrivateKey = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="The private key (PEM).", show_default=False),
]
Anchor = Annotated[
    Path | None,
    typer.Option("--anchor", metavar="FILE", help="Heads that a witness kept.", show_default=False),
]
Through = Annotated[
    str | None,
    typer.Option(
        "--through",
        metavar="DAY",
        help="The UTC day until which all must be sealed; yesterday is one.",
        show_default=False,
    ),
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="TENANT/CLASS",
        help="What must have a sealed segment; .DAY may follow. Several are given one by one.",
        show_default=False,
    ),
]
KeyDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the keys are to be.")]


def log_dir_of(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the log directory: as given, else ``LOGBRAID_DIR``, ``LOG_DIR``, else ``./logs``."""
    if given is not None:
        return given
    return Path(environ.get("LOGBRAID_DIR") or environ.get("LOG_DIR") or "logs")


def filter_of(
    *,
    ids: Mapping[str, str | None],
    level: str | None = None,
    since: str | None = None,
    until: str | None = None,
    text: str | None = None,
    ignore_case: bool = False,
    where: list[str] | None = None,
    now_ns: int | None = None,
) -> Filter:
    """Return the filter that the options say; *ids* by their short names (``tenant``)."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    number = None if level is None else parse_level(level)
    if level is not None and number is None:
        raise QuestionError(
            f"--level is {shown(level)}: use debug, info, warning, error, critical, or a number"
        )
    return Filter(
        ids={f"{name}_id": value for name, value in ids.items() if value is not None},
        level=number,
        since="" if since is None else parse_when(since, now_ns),
        until="" if until is None else parse_when(until, now_ns, is_end=True),
        text=text or "",
        ignore_case=ignore_case,
        where=tuple(parse_where(condition) for condition in where or ()),
    )


SHORT_IDS: Final = tuple(name.removesuffix("_id") for name in ID_NAMES)


def bad_input(text: str) -> QuestionError:
    """Return what ends the command with exit code 2 and *text*."""
    return QuestionError(text)


def ends_with(code: int) -> typer.Exit:
    """Return what ends the command with *code*."""
    return typer.Exit(code)
