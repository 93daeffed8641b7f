"""``logbraid demo``: two hours of an agent service for three tenants, to ask questions of.

Written by logbraid itself, through its own door, with a clock that starts two hours ago. The same
seed gives the same sessions.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import logbraid
from logbraid.cli import options
from logbraid.cli.options import bad_input
from logbraid.cli.output import standard_output

_HOURS: Final = 2
_SESSIONS: Final = 60
_TENANTS: Final = ("acme", "globex", "initech")
_TOOLS: Final = {
    "get_orders": (120, 0.02),
    "search_web": (900, 0.08),
    "convert_money": (15, 0.0),
    "query_database": (60, 0.05),
    "write_mail": (300, 0.01),
}
"""Each tool's usual milliseconds, and how often it fails."""


def demo(
    directory: options.Directory = None,
    seed: options.Seed = 7,
) -> None:
    """Write two hours of an agent service's logs, to try every command on.

    \b
    logbraid demo
    logbraid demo --directory /tmp/demo && LOG_DIR=/tmp/demo logbraid stats
    """
    if directory is not None and directory.exists() and any(_listed(directory)):
        raise bad_input(f"{directory} is not empty: give another --directory")
    root = directory or Path(tempfile.mkdtemp(prefix="logbraid-demo-"))
    session = _write(root, random.Random(seed))  # noqa: S311 - a story, not a secret
    _tell(root, session)


def _listed(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise bad_input(f"{directory} is not a directory")
    return list(directory.iterdir())


class _Clock:
    """Stands still until it is moved."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def pass_ms(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1e6)


def _write(root: Path, chance: random.Random) -> str:
    """Write the logs; return the id of a session in which something failed."""
    start = time.time_ns() - _HOURS * 3_600_000_000_000
    clock = _Clock(start)
    failed = ""
    with logbraid.configure_logging(
        output="files", log_dir=root, service="agent-service", clock=clock,
        retention_days=0,
    ):  # fmt: skip
        for number in range(_SESSIONS):
            clock.now_ns = start + number * _HOURS * 3_600_000_000_000 // _SESSIONS
            session = f"s-{number:03d}"
            with logbraid.bound_context(
                tenant_id=chance.choice(_TENANTS),
                user_id=f"u-{chance.randrange(1, 30)}",
                session_id=session,
                run_id=f"run-{number}",
            ):
                if _session(clock, chance):
                    failed = session
    return failed


def _session(clock: _Clock, chance: random.Random) -> bool:
    """Log one session; tell whether a tool failed in it."""
    log = logbraid.get_logger("agent")
    log.info("agent_begin", question="What did I order?")
    has_failed = False
    tools = chance.choices(list(_TOOLS), k=chance.randrange(2, 7))
    for tool in tools:
        usual, failing = _TOOLS[tool]
        duration = round(usual * chance.lognormvariate(0, 0.6), 1)
        arguments: dict[str, Any] = {"customer": chance.randrange(100), "api_key": "sk-demo-93hd82"}
        clock.pass_ms(duration)
        told = {"tool": tool, "duration_ms": duration, "arguments": arguments}
        if chance.random() < failing:
            has_failed = True
            log.error("tool_failed", **told, status="error", error_type="TimeoutError")
        else:
            log.info("tool_complete", **told, status="ok")
        clock.pass_ms(chance.uniform(20, 200))
    log.info("agent_end", tools=len(tools))
    return has_failed


def _tell(root: Path, session: str) -> None:
    here = root.absolute()
    sys.stderr.write(f"logs of three tenants are in {here}; try:\n")
    commands = (
        f"logbraid stats --log-dir {here}",
        f"logbraid query --log-dir {here} --level error",
        f"logbraid replay {session} --log-dir {here}",
        f"logbraid tail --log-dir {here}",
        f"logbraid query --log-dir {here} --where 'duration_ms > 1000' --output jsonl",
    )
    out = standard_output()
    out.write("".join(f"{command}\n" for command in commands).encode("utf-8", "surrogateescape"))
    out.flush()
