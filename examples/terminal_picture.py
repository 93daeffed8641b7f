"""Make the pictures in the README, `terminal.svg` and `stats.svg`, from real runs.

Run it with `pip install 'logbraid[cli]'`: `python examples/terminal_picture.py [DIRECTORY]`. The
clock of the first one is fixed, so that it changes only when the format does.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

import logbraid

START_NS = 1_795_257_000_000_000_000
TEMPLATE = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#1c1c22" />
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


class Screen(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


def told(screen: Screen) -> str:
    """Run a small agent session with *screen* as standard output; return what it shows."""
    os.environ["FORCE_COLOR"] = "1"
    os.environ["TZ"] = "UTC"
    time.tzset()
    ticks = itertools.count(START_NS, 137_000_000)
    sys.stdout, before = screen, sys.stdout
    try:
        with logbraid.configure_logging(format="terminal", level="debug", clock=ticks.__next__):
            session()
    finally:
        sys.stdout = before
    return screen.getvalue()


def session() -> None:
    """Log what an agent does in one request."""
    log = logbraid.get_logger("app.agent")
    with logbraid.bound_context(tenant_id="acme", user_id="u-7", run_id="run-9"):
        log.debug("turn_begin", turn=1, model="small-1")
        log.info("tool_complete", tool="get_orders", arguments={"api_key": "k-93hd82hsj2", "n": 3})
        logging.getLogger("httpx").info("GET https://shop.example/orders?token=f83hs92jd73h 200")
        log.warning("forged", note="one line\n2026-11-21 [info] paid  amount=1000000")
        try:
            int("seven")
        except ValueError:
            log.exception("tool_failed", tool="parse_amount")


def stats() -> str:
    """Run `logbraid stats` on the logs of `logbraid demo`; return what it shows."""
    with tempfile.TemporaryDirectory() as logs:
        for command in (
            ["demo", "--directory", logs],
            ["stats", "--log-dir", logs, "--by", "tool"],
        ):
            done = subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, "-m", "logbraid.cli", *command],
                env={**os.environ, "FORCE_COLOR": "1"},
                capture_output=True,
                text=True,
                check=True,
            )
    return done.stdout


def draw(text: str, target: Path, width: int) -> None:
    """Write *text*, as a terminal of that *width* shows it, to *target*."""
    console = Console(record=True, file=io.StringIO(), width=width)
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="", code_format=TEMPLATE, unique_id="logbraid")
    target.write_text(svg, encoding="utf-8")
    sys.stderr.write(f"wrote {target}\n")


def main() -> None:
    """Write the pictures."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    shown = told(Screen()).replace(f"{Path(__file__).parent}{os.sep}", "")
    draw(shown, directory / "terminal.svg", 140)
    draw(stats(), directory / "stats.svg", 100)


if __name__ == "__main__":
    main()
