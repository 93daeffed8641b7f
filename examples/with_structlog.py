"""structlog as it is used everywhere, before and after ``configure_logging()``.

Loggers that were made and bound before are taken over too, ``structlog.contextvars`` stays in
force, exceptions become fields, and no secret comes out. Nothing of the code below the
configuration is logbraid's own, but the context.
"""

from __future__ import annotations

import sys

import structlog

import logbraid

early = structlog.get_logger().bind(component="cart")  # made before anyone configured

logbraid.configure_logging(service="shop")
log = structlog.get_logger("shop.orders")  # or logbraid.get_logger: that one is typed


def log_in() -> None:
    """Fail with a password in the error's text."""
    raise PermissionError("login failed, password=hunter2-8sk2j")


with logbraid.bound_context(tenant_id="acme", user_id="u-7", run_id="run-9"):
    early.info("cart_opened", items=2)

    order = log.bind(order=4711)
    order.info("order_paid", amount=27.4, card="4111 1111 1111 1111")
    order.warning("slow_provider", headers={"Authorization": "Bearer tok-93hd82hsj2kq"})

    structlog.contextvars.bind_contextvars(campaign="autumn")
    order.info("positional %s too", "arguments")
    structlog.contextvars.clear_contextvars()

    try:
        log_in()
    except PermissionError:
        order.exception("order_failed")

    order.info("who_am_i", tenant_id="globex")  # a field cannot change the tenant
    order.debug("not_shown")

sys.stderr.write(f"{logbraid.stats().written} lines, tenant conflicts: ")
sys.stderr.write(f"{logbraid.stats().tenant_conflicts}\n")
