"""Every test leaves the process as it found it: libraries, levels, hooks and context."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import settings

from logbraid import assembly
from logbraid.agent import spans, tally
from logbraid.context import EMPTY, bound
from logbraid.integrations.stdlib_takeover import known_loggers

settings.register_profile("logbraid", deadline=None)  # no test measures time
settings.load_profile("logbraid")


def _loguru_core() -> Any:
    loguru: Any = sys.modules.get("loguru")
    return None if loguru is None else loguru.logger._core


@pytest.fixture(autouse=True)
def _leave_as_found() -> Iterator[None]:
    """End what a test left configured, and put back what it added to the libraries."""
    root = logging.getLogger()
    before = {logger: list(logger.handlers) for logger in known_loggers()}
    level = root.level
    core = _loguru_core()
    sinks = None if core is None else (dict(core.handlers), core.min_level)
    bound.set(EMPTY)
    yield
    if assembly._current is not None:
        assembly._current.close()
    bound.set(EMPTY)
    spans.current.set(None)
    contexts: Any = sys.modules.get("opentelemetry.context")
    if contexts is not None:
        contexts.attach(contexts.Context())  # a span that a test left open is nobody's parent
    tally.current_tally.set(None)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    for logger in known_loggers():
        logger.handlers[:] = before.get(logger, [])
    root.setLevel(level)
    if sinks is not None:
        core.handlers, core.min_level = sinks
