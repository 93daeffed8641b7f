"""For those who keep ``dictConfig``: our formatter on their handler, our handler in their tree.

``configure_logging()`` is not called: nothing is taken over. ``TracingJsonFormatter`` stands where
python-json-logger's own formatter stood and makes the same line as every other door;
``TenantFileHandler`` writes each tenant's lines to the tenant's file.
"""

from __future__ import annotations

import logging
import logging.config
import os
import sys
import tempfile
from pathlib import Path

import logbraid

LOG_DIR = Path(os.environ.get("LOG_DIR") or tempfile.mkdtemp(prefix="json-logger-"))

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "logbraid.integrations.json_logger.TracingJsonFormatter",
                "fmt": "%(message)s %(threadName)s",  # attributes named here are added
                "static_fields": {"team": "payments"},
            },
        },
        "handlers": {
            "out": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
            },
            "files": {"class": "logbraid.handlers.TenantFileHandler", "log_dir": LOG_DIR},
        },
        "root": {"level": "INFO", "handlers": ["out", "files"]},
    }
)

log = logging.getLogger("shop.orders")


def deliver() -> None:
    """Fail as clients do, with a header in the error's text."""
    raise ConnectionError("refused: Authorization: Bearer tok-93hd82hsj2kq")


for tenant in ("acme", "globex"):
    with logbraid.bound_context(tenant_id=tenant, run_id="run-9"):
        log.info("paid", extra={"order": 4711, "password": "hunter2-8sk2j"})
        try:
            deliver()
        except ConnectionError:
            log.exception("failed")

sys.stderr.write(f"tenants' files in {LOG_DIR}\n")
