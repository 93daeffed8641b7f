"""The standard library's ``logging`` as it is used everywhere, with one call in front of it.

Arguments, ``extra``, adapters, exceptions and warnings keep working. A handler that a library put
on standard output is taken off, so no line comes twice. The level is live: for loggers made
before, and for one tenant only.
"""

from __future__ import annotations

import logging
import sys
import warnings

import logbraid

# A library that brings its own handler, as many do
vendor = logging.getLogger("vendor.sdk")
vendor.addHandler(logging.StreamHandler(sys.stdout))
vendor.propagate = False

logbraid.configure_logging(service="shop", levels={"vendor.noisy": "error"})
log = logging.getLogger("shop.orders")


def connect() -> None:
    """Fail as drivers do: with the password in the error's text."""
    raise ConnectionError("cannot connect to postgres://shop:hunter2-8sk2j@db/shop")


with logbraid.bound_context(tenant_id="acme", user_id="u-7", run_id="run-9"):
    log.info("paid %s of order %d", "27.40 EUR", 4711, extra={"order": 4711})
    log.warning("retrying with api_key=%s", "k-93hd82hsj2kqzz7")
    clashing = {"name": "Ada", "args": [1], "message": "hi"}
    log.info("names that logging refuses", extra=clashing)
    logging.LoggerAdapter(log, {"component": "cart"}).info("from an adapter")
    vendor.info("the library's own line")
    logging.getLogger("vendor.noisy.pool").warning("not shown")
    warnings.warn("this call goes away", DeprecationWarning, stacklevel=1)
    try:
        connect()
    except ConnectionError:
        log.exception("order %d failed", 4711)
    log.info("missing: %s and %s", "one")  # noqa: PLE1206 - told in the line, not raised

log.debug("not shown")
with logbraid.debug_for(seconds=60, tenant_id="globex"):
    with logbraid.bound_context(tenant_id="globex"):
        log.debug("shown: this tenant is being looked at")
    with logbraid.bound_context(tenant_id="acme"):
        log.debug("not shown: another tenant")
logbraid.set_level("debug", logger="shop")
log.debug("shown: the level is live")

sys.stderr.write(f"{logbraid.stats().written} lines\n")
