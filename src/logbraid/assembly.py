"""Putting a process together: settings, sinks, the pipeline, the take-over, in this order.

What can fail comes first, so that a configuration that cannot be used changes nothing. All that
costs time to import hangs here, and ``configure.py`` imports it when it is called.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Final, TextIO

from logbraid import pipeline
from logbraid.clock import Stamper
from logbraid.debug_buffer import buffer
from logbraid.encode import encode_line
from logbraid.errors import ConfigError
from logbraid.health import health
from logbraid.integrations.providers import has_span, layer_of, span_layer
from logbraid.integrations.sdk_debug import AgnoSwitch, DebugSwitches
from logbraid.integrations.structlog import contextvars_layer, is_idle
from logbraid.level import levels
from logbraid.level_file import LevelFile
from logbraid.middleware.request import restore_access_loggers
from logbraid.pipeline import Pipeline
from logbraid.process import renew_after_fork
from logbraid.propagation.environ import context_from_env
from logbraid.record import Plain
from logbraid.settings import Resolved, Settings, SettingsChanges, resolve
from logbraid.sinks.background import BackgroundSink
from logbraid.sinks.function import FunctionSink
from logbraid.sinks.sink import Sink
from logbraid.sinks.stdout import StdoutSink
from logbraid.sinks.tenant_files import TenantFilesSink
from logbraid.sinks.terminal import TerminalSink
from logbraid.takeover import Takeover
from logbraid.userland import Layer


class Assembly:
    """Everything that one configuration put together."""

    def __init__(self, resolved: Resolved, made: Pipeline) -> None:
        self.resolved = resolved
        self.pipeline = made
        self.takeover: Takeover | None = None
        self.switches = DebugSwitches((AgnoSwitch(), *resolved.settings.sdk_debug))
        self.level_file: LevelFile | None = None
        self._unlisten: Callable[[], None] | None = None

    def start(self, takeover: Takeover | None) -> None:
        """Let records through; *takeover* is the one of the configuration before, if there was."""
        settings = self.resolved.settings
        self._unlisten = levels.listen(self.switches.apply)
        buffer.configure(settings.debug_buffer)
        levels.configure(settings.level, settings.levels, is_buffering=bool(settings.debug_buffer))
        pipeline.activate(self.pipeline)
        self.takeover = Takeover() if takeover is None else takeover
        self.takeover.check()
        self.pipeline.on_settle[:] = [self.takeover.check]
        if settings.level_file is not None:
            self.level_file = LevelFile(settings.level_file, levels.set)
            self.level_file.start()
            self.pipeline.on_settle.append(self.level_file.start)
        for queue in self._queues():
            if not queue.install_sigterm() and threading.current_thread() is not _MAIN:
                text = "the queue is not drained at SIGTERM: configured outside the main thread"
                health.tell_once(text, text)

    def stop(self) -> None:
        """Let go of what another configuration would bring anew."""
        if self.level_file is not None:
            self.level_file.stop()
        if self._unlisten is not None:
            self._unlisten()
        self.switches.restore()  # before another configuration asks what there was
        for queue in self._queues():
            queue.remove_sigterm()

    def _queues(self) -> list[BackgroundSink]:
        return [sink for sink in self.pipeline.sinks if isinstance(sink, BackgroundSink)]

    def close(self) -> None:
        """End it, if it is the one in force."""
        with _lock.lock:
            self._close()

    def _close(self) -> None:
        global _current  # noqa: PLW0603 - one process, one configuration
        if _current is not self:
            return
        _current = None
        self.stop()
        self.pipeline.flush()
        if self.takeover is not None:
            self.takeover.restore()
        restore_access_loggers()
        pipeline.activate(None)
        levels.configure(_UNCONFIGURED_LEVEL, {})
        buffer.configure(0)
        self.pipeline.close()


class _Lock:
    """One configuration at a time; fresh in a forked child."""

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self.renew)

    def renew(self) -> None:
        self.lock = threading.RLock()


_lock: Final = _Lock()
_MAIN: Final = threading.main_thread()
_GRACE_SECONDS: Final = 0.05
_UNCONFIGURED_LEVEL: Final = 30
_current: Assembly | None = None
"""The one in force; replaced under the lock. ``check()`` only looks, and takes none."""


def assemble(resolved: Resolved, sinks: list[Sink], *, keep: bool = False) -> Assembly:
    """Put a new configuration in force; *keep* leaves the one before it open."""
    with _lock.lock:
        return _assembled(resolved, sinks, keep=keep)


def _assembled(resolved: Resolved, sinks: list[Sink], *, keep: bool) -> Assembly:
    global _current  # noqa: PLW0603 - one process, one configuration
    before = _current
    health.reset()
    for notice in resolved.notices:
        health.tell_once(notice, notice)
    layers, idle = _layers(resolved.settings)
    made = Pipeline(resolved.settings, sinks, layers=layers, layers_are_idle=idle)
    if before is not None:
        before.stop()
    _current = Assembly(resolved, made)
    _current.start(None if before is None else before.takeover)
    if before is not None and not keep:
        before.pipeline.heir = made
        if threading.active_count() > 1:
            time.sleep(_GRACE_SECONDS)  # for lines that other threads have half-way through
        before.pipeline.flush()
        before.pipeline.close()
    return _current


@contextmanager
def capture(changes: SettingsChanges) -> Iterator[None]:
    """Put *changes* in force with no output but their ``sinks``, and afterwards what was before."""
    before, root, named = _current, levels.root, levels.named
    counted = health.counted()
    resolved = resolve(None, changes, {})
    assemble(resolved, _functions(resolved.settings, set()), keep=True)
    try:
        yield
    finally:
        with _lock.lock:
            if before is not None:
                _resume(before)
                levels.configure(root, named, is_buffering=bool(buffer.max_lines))
                health.count_on(counted)
            elif _current is not None:
                _current.close()


def _resume(before: Assembly) -> None:
    """Put *before* in force again in place of what is now, whose libraries stay taken over."""
    global _current
    inner, _current = _current, before
    if inner is not None:
        inner.stop()
        inner.pipeline.close()
    before.start(None if inner is None else inner.takeover)


def _layers(settings: Settings) -> tuple[list[Layer], Callable[[], bool]]:
    """Return who else knows context, weakest first, and what tells that all of them are idle.

    What the environment says does not change: a context made once has it, so it counts as idle.
    """
    inherited = context_from_env(os.environ)
    layers: list[Layer] = [lambda: inherited] if inherited else []
    layers += [layer_of(provider) for provider in settings.context_providers]
    layers += [contextvars_layer, span_layer]

    def are_idle() -> bool:
        return is_idle() and not has_span()

    return layers, (lambda: False) if settings.context_providers else are_idle


def sinks_of(settings: Settings) -> list[Sink]:
    """Make the sinks that *settings* ask for. Raises ``ConfigError`` if one cannot be.

    No two have the same name, by which ``stats().sinks`` knows them: a callable of the user's
    whose name is taken gets a number, ``audit-2``.
    """
    streams: dict[str, TextIO | None] = {"stdout": sys.stdout, "stderr": sys.stderr}
    made: list[Sink] = []
    outputs = [output for output in settings.output if output != "otlp"]
    for output in outputs:
        if output == "files":
            made.append(_files(settings))
        elif _for_people(settings, streams[output]):
            made.append(TerminalSink(streams[output], name=output, lock=settings.stdout_lock))
        else:
            made.append(StdoutSink(streams[output], name=output, lock=settings.stdout_lock))
    names = {sink.name for sink in made}
    if settings.delivery == "queue" and made:
        made = [
            BackgroundSink(
                made,
                queue_bytes=settings.queue_bytes,
                policy=settings.queue_policy,
                announce=lambda dropped: _announcement(settings, dropped),
            )
        ]
    if "otlp" in settings.output:
        made.append(_otlp(settings))
    return [*made, *_functions(settings, {*names, *(sink.name for sink in made)})]


def _functions(settings: Settings, taken: set[str]) -> list[Sink]:
    """Make the sinks of the user's callables, under names that are not in *taken*."""
    made: list[Sink] = []
    for function in settings.sinks:
        sink = FunctionSink(function)
        names = chain([sink.name], (f"{sink.name}-{number}" for number in count(2)))
        sink.name = next(name for name in names if name not in taken)
        taken.add(sink.name)
        made.append(sink)
    return made


def _otlp(settings: Settings) -> Sink:
    try:
        from logbraid.sinks.otlp import OtlpSink  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        problem = "output is 'otlp', which needs an extra: pip install 'logbraid[otel]'"
        raise ConfigError([problem]) from error
    return OtlpSink(settings, queue_bytes=settings.queue_bytes)


def _announcement(settings: Settings, dropped: int) -> bytes:
    """Return the line that stands where lines were dropped from a full queue."""
    told: dict[str, Plain] = {
        "timestamp": Stamper().stamp(settings.clock()),
        "level": "warning",
        "logger": "logbraid",
        "event": "log_lines_dropped",
        "dropped": dropped,
    }
    return encode_line(told, max_line_bytes=settings.max_line_bytes, notes={})


def _files(settings: Settings) -> TenantFilesSink:
    sink = TenantFilesSink(
        settings.log_dir,
        instance=settings.instance,
        file_mode=settings.file_mode,
        max_open_files=settings.max_open_files,
        max_tenants=settings.max_tenants,
        retention_days=settings.retention_days,
    )
    try:
        sink.probe()
    except OSError as error:
        where = str(settings.log_dir)
        reason = error.strerror or type(error).__name__
        problem = f"log_dir is {where!r}, which cannot be written to: {reason}; use another"
        raise ConfigError([problem]) from error
    return sink


def _for_people(settings: Settings, stream: TextIO | None) -> bool:
    if settings.format != "auto":
        return settings.format == "terminal"
    if os.environ.get("CI") or os.environ.get("KUBERNETES_SERVICE_HOST"):
        return False
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def current() -> tuple[Resolved, Takeover] | None:
    """Return the settings and the take-over in force, for ``check()``."""
    if _current is None or _current.takeover is None:
        return None
    return _current.resolved, _current.takeover
