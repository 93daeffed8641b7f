"""What is wrong, or could be: ``check()``, and ``python -m logbraid check`` for people.

It looks and tells; it changes nothing but what ``configure_logging()`` itself looks after.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from logbraid import pipeline
from logbraid.configure import configure_logging
from logbraid.health import Stats, health
from logbraid.integrations.stdlib import BraidHandler
from logbraid.integrations.stdlib_takeover import (
    bypassing_loggers,
    known_loggers,
    writes_to_standard_stream,
)
from logbraid.integrations.structlog import BoundLogger, hand_over
from logbraid.record import level_name, level_word
from logbraid.settings import TABLE, ScrubRules, Settings

if TYPE_CHECKING:
    from logbraid.takeover import Takeover

_FORMATTER: Final = "logbraid.integrations.json_logger.TracingJsonFormatter"
_SERVERS: Final = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "gunicorn.error",
    "gunicorn.access",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know: ``what`` it is about, ``text`` that says what to do, ``is_problem``."""

    what: str
    text: str
    is_problem: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """What ``check()`` found. Truthy when there is no problem; ``str()`` is for people.

    ``sources`` says for each setting where its value came from, ``settings`` the value as text.
    """

    is_configured: bool
    findings: tuple[Finding, ...]
    settings: dict[str, str]
    sources: dict[str, str]
    stats: Stats

    @property
    def problems(self) -> tuple[str, ...]:
        """The texts of all findings that are problems."""
        return tuple(one.text for one in self.findings if one.is_problem)

    def __bool__(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def check() -> Report:
    """Look for what bypasses us, where settings came from, file modes and doubled lines."""
    from logbraid.assembly import current  # noqa: PLC0415 - imports every part

    found = current()
    if found is None:
        text = "logging is not configured: call logbraid.configure_logging() at start-up"
        return Report(False, (Finding("configuration", text),), {}, {}, health.snapshot())
    resolved, takeover = found
    settings = resolved.settings
    takeover.check()
    findings = (
        *(Finding("environment", notice) for notice in resolved.notices),
        *_structlog(),
        *_stdlib(takeover),
        *_loguru(takeover),
        *_servers(),
        *_files(settings),
        *_lost(),
    )
    return Report(
        True,
        findings,
        {row.name: _text(row.name, getattr(settings, row.name)) for row in TABLE},
        dict(resolved.sources),
        health.snapshot(),
    )


def _structlog() -> Iterator[Finding]:
    config: Any = structlog.get_config()
    if config["wrapper_class"] is not BoundLogger or config["processors"][:1] != [hand_over]:
        yield Finding(
            "structlog",
            "structlog.configure() was called after configure_logging(): what its loggers write "
            "is not scrubbed; call configure_logging() last",
        )


def _stdlib(takeover: Takeover) -> Iterator[Finding]:
    for name, handlers in bypassing_loggers().items():
        kinds = ", ".join(type(handler).__name__ for handler in handlers)
        doubled = any(writes_to_standard_stream(handler) for handler in handlers)
        yield Finding(
            "logging",
            f"{_name(name)} has handlers of its own ({kinds}): what they write is not scrubbed"
            + ("; its lines appear twice" if doubled else "")
            + f"; remove them, or give them {_FORMATTER} as formatter",
        )
    for logger in known_loggers():
        if logger.name != "root" and not logger.propagate:
            heard = "none of its lines" if logger.handlers else "only its warnings and errors"
            text = f"{_name(logger.name)} does not propagate: {heard} reach logbraid"
            yield Finding("logging", f"{text}; set its propagate to True")
        if logger.disabled and logger.name.partition(".")[0] != "logbraid":
            yield Finding(
                "logging",
                f"{_name(logger.name)} is disabled, its lines are lost; if dictConfig did it, "
                "give that disable_existing_loggers=False",
            )
    for mended in dict.fromkeys(takeover.stdlib.mended):
        yield Finding(
            "logging",
            f"{_scrubbed(mended)} came after configure_logging(): its lines appeared twice and "
            "unscrubbed until it was taken off; call configure_logging() last",
        )
    ours = [one for one in logging.getLogger().handlers if isinstance(one, BraidHandler)]
    if len(ours) > 1:
        text = f"{len(ours)} handlers of ours on root: lines appear twice"
        yield Finding("logging", f"{text}; remove those that your code added")


def _loguru(takeover: Takeover) -> Iterator[Finding]:
    if takeover.loguru is None:
        return
    for handler in takeover.loguru.others:
        text = "loguru has a sink that was added after configure_logging(): it is not scrubbed"
        formatter = getattr(handler, "_exception_formatter", None)
        if getattr(formatter, "_diagnose", False):
            text += ", and shows local variables in tracebacks (diagnose=True)"
        yield Finding(
            "loguru", f"{text}; take the logger.add() out, or give configure_logging() sinks=[...]"
        )


def _servers() -> Iterator[Finding]:
    """Name the loggers of servers that write through us; the others are told as all others are."""
    bypassing = bypassing_loggers()
    known = [name for name in _SERVERS if name in logging.root.manager.loggerDict]
    taken = [name for name in known if name not in bypassing]
    if taken:
        yield Finding("server", f"{', '.join(taken)}: lines go through logbraid", is_problem=False)


def _files(settings: Settings) -> Iterator[Finding]:
    if "files" not in settings.output or os.name == "nt":
        return
    root = settings.log_dir
    for path in (root, *_some(root)):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except OSError:
            continue
        shown = f"{_scrubbed(str(path))} may be"
        if mode & 0o022:
            yield Finding("files", f"{shown} written by others (mode {mode:04o}); chmod go-w it")
        elif mode & 0o044 and not settings.file_mode & 0o044:
            yield Finding("files", f"{shown} read by others (mode {mode:04o}); chmod go-r it")


def _some(root: Path, most: int = 100) -> Iterator[Path]:
    try:
        tenants = sorted(root.iterdir())[:most]
    except OSError:
        return
    for tenant in tenants:
        yield tenant
        if tenant.is_dir() and not tenant.is_symlink():
            yield from sorted(tenant.glob("*.jsonl"))[-1:]


_ADVICE: Final = {
    "disk_full": "free space, or lower retention_days",
    "file_too_large": "raise the limit on a file's size (ulimit -f)",
    "broken_pipe": "whoever read the output is gone: restart it together with this process",
    "no_descriptors": "raise the limit on open files (ulimit -n), or lower max_open_files",
    "permission": "let this process write to log_dir",
    "queue_full": "raise queue_bytes, or use queue_policy=block",
    "sink_error": "mend the callable in sinks=[...]: standard error names what it raised",
}
"""What to do about lines that were dropped, by reason; of the others standard error tells."""


def _lost() -> Iterator[Finding]:
    for reason, number in health.snapshot().dropped.items():
        if reason == "processor":  # meant
            continue
        lines = "line" if number == 1 else "lines"
        advice = _ADVICE.get(reason, "standard error of the process tells more")
        yield Finding("lines", f"{number} {lines} dropped: {reason}; {advice}")


def _scrubbed(text: str) -> str:
    return pipeline.ready().scrubber.scrub_text(text, {})


def _name(logger: str) -> str:
    """Return the name of a logger as a line would say it."""
    return pipeline.ready().name(logger, {})


def _level(number: int) -> str:
    return level_name(number) or level_word(number)


_SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    "tenant": lambda tenant: pipeline.ready().ids.safe(tenant)[0],
    "level": _level,
    "levels": lambda levels: ", ".join(
        f"{_name(logger)}={_level(level)}" for logger, level in levels.items()
    ),
    "fields": lambda fields: _scrubbed(", ".join(fields)),
    "file_mode": "{:04o}".format,
    "scrub": lambda rules: "default" if rules == ScrubRules() else "given",
    "clock": lambda clock: "default" if clock is time.time_ns else "given",
}
"""How a setting is shown whose text would say too much, or mean nothing to people."""


def _text(name: str, value: object) -> str:
    """Return a setting as it may be shown: not the values of fields, nor what a pattern spells."""
    if value is None or value in ((), {}):
        return "none"
    if name in _SHOWN:
        return _SHOWN[name](value)
    if not isinstance(value, tuple):
        return _scrubbed(str(value))
    if all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return f"{len(value)} given"


def _lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield f"{'!!' if finding.is_problem else 'ok'}  {finding.what}: {finding.text}"
    if not report.problems:
        yield "ok  nothing bypasses logbraid"
    if report.settings:
        yield ""
        width = max(map(len, report.settings))
        for name, value in report.settings.items():
            yield f"    {name:<{width}}  {value}  ({report.sources.get(name, 'default')})"
    figures = report.stats
    yield ""
    dropped, scrubbed = sum(figures.dropped.values()), sum(figures.scrubbed.values())
    yield f"    written {figures.written}, dropped {dropped}, scrubbed {scrubbed}"


def main(arguments: list[str]) -> int:
    """Run ``python -m logbraid check [module[:attribute]]``; return the exit code."""
    import importlib  # noqa: PLC0415 - only this command imports by name

    if not arguments or arguments[0] not in {"check", "--help", "-h"}:
        sys.stderr.write(f"unknown command; {_USAGE}\n{_OTHERS}\n")
        return 2
    if arguments[0] != "check" or len(arguments) > 2:
        sys.stdout.write(_HELP)
        return 0 if arguments[0] != "check" else 2
    if len(arguments) == 2:
        sys.path.insert(0, "")
        try:
            importlib.import_module(arguments[1].partition(":")[0])
        except Exception as error:  # noqa: BLE001 - an application's; its text may hold a secret
            missing = f" ({error.name})" if isinstance(error, ImportError) and error.name else ""
            text = f"cannot import {arguments[1]}: {type(error).__name__}{missing}"
            sys.stderr.write(f"{text}; run this where your application starts\n")
            return 2
    from logbraid.assembly import current  # noqa: PLC0415 - imports every part

    if current() is None:
        who = f"{arguments[1]} does not configure logging when" if arguments[1:] else "no module"
        sys.stdout.write(f"--  {who} imported: this is what the environment alone makes\n")
        configure_logging()
    report = check()
    sys.stdout.write(f"{report}\n")
    return 0 if report else 1


_USAGE = "use: python -m logbraid check [MODULE]"
_OTHERS = "All other commands: logbraid --help (pip install 'logbraid[cli]')"
_HELP = f"""{_USAGE}

Tells what bypasses logbraid, where each setting came from, which servers write through it,
which files others may read, and what was dropped.

MODULE is imported first, so that the check sees your application as it is configured:

    python -m logbraid check myservice.web

Without it, and where MODULE configures nothing when it is imported, the check shows what
configure_logging() makes of the environment.
Exit code 0: nothing to mend; 1: something is; 2: the command's words are off.
"""
