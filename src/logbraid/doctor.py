"""What is wrong, or could be: ``check()``, and ``python -m logbraid check`` for people.

It looks and tells; it changes nothing but what ``configure_logging()`` itself looks after.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

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
from logbraid.settings import TABLE, Settings

if TYPE_CHECKING:
    from logbraid.takeover import Takeover

_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access")


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
        *_stdlib(),
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
            "structlog.configure() was called after configure_logging(): its loggers bypass us "
            "and are not scrubbed; call configure_logging() last",
        )


def _stdlib() -> Iterator[Finding]:
    for name, handlers in bypassing_loggers().items():
        kinds = ", ".join(type(handler).__name__ for handler in handlers)
        doubled = any(writes_to_standard_stream(handler) for handler in handlers)
        yield Finding(
            "logging",
            f"{name} has handlers of its own ({kinds}): what they write is not scrubbed"
            + ("; its lines appear twice" if doubled else ""),
        )
    for logger in known_loggers():
        if logger.name != "root" and not logger.propagate:
            text = f"{logger.name} does not propagate: we see its lines from warning up, or none"
            yield Finding("logging", text)
        if logger.disabled and logger.name.partition(".")[0] != "logbraid":
            yield Finding(
                "logging",
                f"{logger.name} is disabled, as dictConfig does with disable_existing_loggers",
            )
    ours = [one for one in logging.getLogger().handlers if isinstance(one, BraidHandler)]
    if len(ours) > 1:
        yield Finding("logging", f"{len(ours)} handlers of ours on root: lines appear twice")


def _loguru(takeover: Takeover) -> Iterator[Finding]:
    if takeover.loguru is None:
        return
    for handler in takeover.loguru.others:
        text = "loguru has a sink that was added after configure_logging(): it is not scrubbed"
        formatter = getattr(handler, "_exception_formatter", None)
        if getattr(formatter, "_diagnose", False):
            text += ", and shows local variables in tracebacks (diagnose=True)"
        yield Finding("loguru", f"{text}; remove it, or pass it as sinks=[...]")


def _servers() -> Iterator[Finding]:
    for name in _SERVERS:
        logger = logging.root.manager.loggerDict.get(name)
        if not isinstance(logger, logging.Logger):
            continue
        owner = "its own handlers" if logger.handlers else "us"
        yield Finding("server", f"{name} is written by {owner}", bool(logger.handlers))


def _files(settings: Settings) -> Iterator[Finding]:
    if "files" not in settings.output or os.name == "nt":
        return
    root = settings.log_dir
    for path in (root, *_some(root)):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except OSError:
            continue
        if mode & 0o022:
            yield Finding("files", f"{path} may be written by others (mode {mode:04o})")
        elif mode & 0o044 and not settings.file_mode & 0o044:
            yield Finding("files", f"{path} may be read by others (mode {mode:04o})")


def _some(root: Path, most: int = 100) -> Iterator[Path]:
    try:
        tenants = sorted(root.iterdir())[:most]
    except OSError:
        return
    for tenant in tenants:
        yield tenant
        if tenant.is_dir() and not tenant.is_symlink():
            yield from sorted(tenant.glob("*.jsonl"))[-1:]


def _lost() -> Iterator[Finding]:
    for reason, number in health.snapshot().dropped.items():
        if reason == "processor":  # meant
            continue
        yield Finding("lines", f"{number} lines dropped: {reason}")


def _text(name: str, value: object) -> str:
    """Return a setting as it may be shown: not the values of fields, nor what a pattern spells."""
    if name in {"scrub", "processors", "context_providers", "sinks", "sdk_debug", "clock"}:
        return f"{len(value)} given" if isinstance(value, tuple) and value else "default"
    if name == "fields" and isinstance(value, dict):
        return ", ".join(value) or "none"
    if name == "file_mode" and isinstance(value, int):
        return f"{value:04o}"
    if name == "level" and isinstance(value, int):
        return level_name(value) or level_word(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, {}) else str(value)


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
        sys.stderr.write(f"unknown command; {_USAGE}\n")
        return 2
    if arguments[0] != "check" or len(arguments) > 2:
        sys.stdout.write(_HELP)
        return 0 if arguments[0] != "check" else 2
    if len(arguments) == 2:
        sys.path.insert(0, "")
        try:
            importlib.import_module(arguments[1].partition(":")[0])
        except Exception as error:  # noqa: BLE001 - an application's; its text may hold a secret
            reason = getattr(error, "name", None) or type(error).__name__
            sys.stderr.write(f"cannot import {arguments[1]}: {reason}\n")
            return 2
    from logbraid.assembly import current  # noqa: PLC0415 - imports every part

    if current() is None:
        configure_logging()
    report = check()
    sys.stdout.write(f"{report}\n")
    return 0 if report else 1


_USAGE = "use: python -m logbraid check [MODULE]"
_HELP = f"""{_USAGE}

Tells what bypasses logbraid, where each setting came from, who owns a server's loggers,
which files others may read, and what was dropped.

MODULE is imported first, so that the check sees your application as it is configured:

    python -m logbraid check myservice.web

Without it the check shows what configure_logging() makes of the environment.
Exit code 0: nothing to mend; 1: something is; 2: the command's words are off.
"""
