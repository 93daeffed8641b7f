"""One line to every sink, each guarded by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logbraid import inside
from logbraid.health import health
from logbraid.sinks.sink import Sink, SinkClosedError, guard, lost, runs_foreign_code

Deliver = Callable[[bytes, str | None, str], None]


def fan_out(sinks: Sequence[Sink], pass_on: Callable[[bytes, str | None, str], bool]) -> Deliver:
    """Return a function that writes a line to all of *sinks* and counts it as written.

    *pass_on* is asked where these sinks may be closed: it tells whether it took the line.
    """
    guarded = [guard(sink) for sink in sinks]
    written = health.written.advance

    def to_one(line: bytes, tenant: str | None, day: str) -> None:
        # what guard() does, here too: most processes have one sink, and a call is a call
        try:
            write(line, tenant, day)
        except Exception as error:  # noqa: BLE001 - as there
            if not (isinstance(error, SinkClosedError) and pass_on(line, tenant, day)):
                lost(only, error)
            return
        written_there()
        written()

    def to_all(line: bytes, tenant: str | None, day: str) -> None:
        if pass_on(line, tenant, day):
            return
        reached = [deliver(line, tenant, day) for deliver in guarded]
        if any(reached):
            written()

    if len(guarded) != 1:
        return to_all
    only = sinks[0]
    write = only.write
    written_there = health.figures(only.name).written.advance
    return to_one


def noting(sinks: Sequence[Sink], deliver: Deliver) -> Deliver:
    """Return *deliver* so that a record which one of *sinks* logs is known as logged inside.

    Sinks of our own log nothing; then it is *deliver* itself.
    """

    def noted(line: bytes, tenant: str | None, day: str) -> None:
        inside.enter()
        try:
            deliver(line, tenant, day)
        finally:
            inside.leave()

    return noted if any(runs_foreign_code(sink) for sink in sinks) else deliver
