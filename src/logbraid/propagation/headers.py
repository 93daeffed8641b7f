"""The ids as headers of a request to another service of ours, and never to anyone else.

``TracingMiddleware`` there reads them: ``traceparent`` and ``x-request-id`` always,
``x-session-id`` and ``x-run-id`` with ``trust_headers=True``. Tenant and user are never sent:
the other service authenticates its caller itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from logbraid import pipeline
from logbraid.context import current_context
from logbraid.propagation.environ import traceparent
from logbraid.propagation.hosts import Allowed, Host, allowed, host_at, host_of

_NAMES: Final = {"request_id": "x-request-id", "session_id": "x-session-id", "run_id": "x-run-id"}
_VALUE: Final = re.compile(r"[A-Za-z0-9._:@+=/-]{1,128}")  # as the middleware takes it
_MARK: Final = "logbraid.injected"


def inject_headers(
    headers: Mapping[str, str] | None, *, url: object, allow: Iterable[str]
) -> dict[str, str]:
    """Return a new dict of *headers* with the ids of now, if the host of *url* is in *allow*.

    ``traceparent``, ``x-request-id``, ``x-session-id`` and ``x-run-id``, each where it is bound
    and *headers* (in any case) do not have it. *allow* holds hosts (``api.example.com``: any
    port; ``localhost:8080``: that one; ``*.example.com``: all below it). For every other host,
    for schemes other than http and https, and for URLs that could be read in two ways, the dict
    has just what *headers* have. Use a new one for each URL: *headers* are not changed, so that
    what is for one host does not get to another.

    An id with other characters than those the middleware takes is left out, as is one that is a
    credential. Raises ``ValueError`` if *allow* has something that is no host.
    """
    told = dict(headers or {})
    patterns = (allow,) if isinstance(allow, str) else tuple(allow)
    host = host_of(str(url))
    if host is not None and allowed(patterns).has(host):
        told.update(_missing(told))
    return told


def _missing(headers: Iterable[str]) -> dict[str, str]:
    taken = {str(name).lower() for name in headers}
    return {name: value for name, value in _ids().items() if name not in taken}


def _ids() -> dict[str, str]:
    """Return the ids that a line logged now would carry, as headers."""
    ids = pipeline.ready().context_parts({})[0]
    context = current_context()
    if context.slot is not None:  # bound in a copy of this request's context
        ids = {**{name: str(value) for name, value in dict(context.slot.fields).items()}, **ids}
    found: dict[str, str] = {}
    parent = traceparent(ids.get("trace_id"), ids.get("span_id"))
    if parent is not None:
        found["traceparent"] = parent
    for name, header in _NAMES.items():
        if _VALUE.fullmatch(ids.get(name, "")):
            found[header] = ids[name]
    return found


class httpx_hook:  # noqa: N801 - reads as a function: event_hooks={"request": [httpx_hook(allow=...)]}
    """Inject the ids into each request of an httpx client to a host in *allow*; see there.

    One object serves ``httpx.Client`` and ``httpx.AsyncClient``. httpx calls it for each hop of a
    redirect, with the headers of the hop before: on the way to a host outside of *allow* those
    that it injected are taken out again. Raises ``ValueError`` as ``inject_headers`` does.
    """

    def __init__(self, *, allow: Iterable[str]) -> None:
        self._allowed = Allowed(allow)

    def __call__(self, request: Any) -> _Done:
        """Change the headers of *request* (an ``httpx.Request``)."""
        headers = request.headers
        for name, value in request.extensions.get(_MARK, {}).items():
            if headers.get(name) == value:
                del headers[name]
        host = _host_of(request.url)
        injected = {}
        if host is not None and self._allowed.has(host):
            injected = _missing(headers.keys())
            headers.update(injected)
        request.extensions = {**request.extensions, _MARK: injected}
        return _DONE


def _host_of(url: Any) -> Host | None:
    """Return where httpx itself will connect to: its own reading of the URL, not ours."""
    name = url.raw_host.decode("ascii")
    if ":" in name:
        name = f"[{name.strip('[]')}]"
    return host_at(url.scheme, name if url.port is None else f"{name}:{url.port}")


class _Done:
    """What a hook returns: nothing to a client, and to ``await`` something that is done."""

    __slots__ = ()

    def __await__(self) -> Iterator[None]:
        return iter(())


_DONE: Final = _Done()
