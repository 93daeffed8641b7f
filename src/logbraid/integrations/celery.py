"""Celery's worker would configure logging after us: it is told that this is done."""

from __future__ import annotations

from typing import Any


def keep_out() -> None:
    """Connect to Celery's ``setup_logging``: with a receiver there, it leaves logging alone."""
    from celery import signals  # noqa: PLC0415 - called only where Celery is imported

    signals.setup_logging.connect(_is_done, weak=False, dispatch_uid="logbraid")


def _is_done(**_: Any) -> None:
    """Take Celery's word that it would set up logging now."""
