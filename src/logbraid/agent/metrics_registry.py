"""The metrics of one Prometheus registry, made once however many ask for them, and their page.

The one place that knows prometheus_client. Needs the extra ``prometheus``.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from logbraid.agent.metrics_table import COUNTER, Metric

try:
    import prometheus_client
    from prometheus_client import REGISTRY, CollectorRegistry
except ImportError as error:
    raise ImportError(
        "agent metrics need prometheus_client: pip install 'logbraid[prometheus]'"
    ) from error

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

_made: Final[weakref.WeakKeyDictionary[CollectorRegistry, dict[str, Any]]] = (
    weakref.WeakKeyDictionary()
)
_making: Final = threading.Lock()


def metrics_in(registry: CollectorRegistry | None, rows: tuple[Metric, ...]) -> dict[str, Any]:
    """Return the metrics of *rows* by their key; made in *registry* (``None``: the default)."""
    registry = REGISTRY if registry is None else registry
    with _making:
        made = _made.setdefault(registry, {})
        for row in rows:
            if row.key not in made:
                made[row.key] = _make(registry, row)
        return {row.key: made[row.key] for row in rows}


def _make(registry: CollectorRegistry, row: Metric) -> Any:
    if row.kind == COUNTER:
        return prometheus_client.Counter(row.name, row.help, row.labels, registry=registry)
    return prometheus_client.Histogram(
        row.name, row.help, row.labels, registry=registry, buckets=row.buckets
    )


def metrics_app(registry: CollectorRegistry | None = None) -> Asgi:
    """Make the ASGI app of a scrape; mount it at ``/metrics``.

    With ``PROMETHEUS_MULTIPROC_DIR`` set and no *registry* given it adds up all processes.
    """
    if registry is None and os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 - needs the variable

        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # theirs
    app: Asgi = prometheus_client.make_asgi_app(registry or REGISTRY)
    return app
