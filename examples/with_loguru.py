"""loguru as it is used everywhere: ``bind``, ``contextualize``, ``opt``, its own levels.

Its handlers are taken over whether it is imported before or after ``configure_logging()``; what
it writes has the shape and the ids of every other line.
"""

from __future__ import annotations

import sys

from loguru import logger

import logbraid

logbraid.configure_logging(service="shop", level="trace")

with logbraid.bound_context(tenant_id="acme", user_id="u-7", run_id="run-9"):
    logger.info("paid {amount} {currency}", amount=27.4, currency="EUR")
    logger.bind(order=4711).warning("retrying with api_key={}", "k-93hd82hsj2kqzz7")
    logger.success("a level of loguru's own")
    logger.trace("and another")
    with logger.contextualize(component="cart"):
        logger.info("password is {password}", password="hunter2-8sk2j")

    @logger.catch
    def fail(token: str) -> None:
        """Raise with a local variable around, which is never logged."""
        raise ConnectionError(f"refused: Authorization: Bearer {token}")

    fail("tok-93hd82hsj2kq")
    logger.opt(lazy=True).debug("computed late: {n}", n=lambda: sum(range(10)))

sys.stderr.write(f"{logbraid.stats().written} lines\n")
