"""A ``contextvars-extras`` registry as a source of context (needs the extra of that name).

An application that keeps its context in a registry of its own says so once, at configuration;
what the registry holds is then on every line. What is bound with logbraid wins over it.
"""

from __future__ import annotations

import logging
import sys

from contextvars_extras import ContextVarsRegistry

import logbraid


class Current(ContextVarsRegistry):  # type: ignore[misc]  # the library has no types
    """What this application knows about the work it is doing."""

    tenant_id: str
    user_id: str
    locale: str = "en"


current = Current()

logbraid.configure_logging(context_providers=[current], service="shop")
log = logging.getLogger("shop")

log.info("nobody yet")
with current(tenant_id="acme", user_id="u-7"):
    log.info("from the registry")
    current.locale = "lv"
    with logbraid.bound_context(run_id="run-9", user_id="u-8"):
        logbraid.get_logger("shop").info("joined", password="hunter2-8sk2j")
log.info("nobody again")

sys.stderr.write(f"{logbraid.stats().written} lines\n")
