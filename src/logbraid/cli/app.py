"""All commands on one screen; each is a function in the module of its name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from logbraid.cli import audit, levels
from logbraid.cli.audit_lines import audit_log
from logbraid.cli.checking import check
from logbraid.cli.counting import stats
from logbraid.cli.keeping import compress, prune
from logbraid.cli.options import ends_with
from logbraid.cli.output import ReaderLeftError, standard_output
from logbraid.cli.querying import query
from logbraid.cli.replaying import replay
from logbraid.cli.scrubbing import scrub
from logbraid.cli.showcase import demo
from logbraid.cli.tailing import tail
from logbraid.cli.viewing import view

app = typer.Typer(
    name="logbraid",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

level = typer.Typer(
    name="level",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The level of a running process.",
)

evidence = typer.Typer(
    name="audit", no_args_is_help=True, rich_markup_mode=None, help="A tamper-evident audit log."
)


def command(name: str, run: Callable[..., None], group: typer.Typer = app) -> None:
    """Add a command; a reader that goes away ends it in a way that typer does not meddle with."""

    @functools.wraps(run)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            run(*args, **kwargs)
        except BrokenPipeError as error:
            raise ReaderLeftError from error

    group.command(name)(guarded)


command("view", view)
command("tail", tail)
command("query", query)
command("stats", stats)
command("replay", replay)
command("audit-log", audit_log)
command("prune", prune)
command("compress", compress)
command("scrub", scrub)
command("get", levels.get, level)
command("set", levels.put, level)
app.add_typer(level)
command("verify", audit.verify, evidence)
command("decrypt", audit.decrypt, evidence)
command("keygen", audit.keygen, evidence)
command("prune", audit.prune, evidence)
app.add_typer(evidence)
command("check", check)
command("demo", demo)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - one use

        standard_output().write(f"logbraid {version('logbraid')}\n".encode())
        raise ends_with(0)


@app.callback()
def logbraid(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Ask questions of what logbraid wrote.

    \b
    logbraid demo                        make a directory of logs to try everything on
    docker logs web | logbraid view      lines of JSON as people read them
    logbraid tail --tenant acme          follow
    logbraid query --session s-1         what happened in a session
    logbraid stats --since 1h            counts, errors, latencies

    Logs are read from --log-dir, else LOG_DIR, else ./logs. Exit codes: 0 done, 1 bad news or
    failed, 2 bad input. 'logbraid COMMAND --help' has examples.
    """
