"""Middleware for ASGI 3: ids of the request in the context, one access line, the id in the reply.

A bare callable around the application. Streaming bodies, WebSockets and background tasks run
inside its one ``await``, so they keep the context to their end.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

from logbraid.context import bound
from logbraid.middleware.request import (
    MARK,
    Request,
    Rules,
    Seen,
    Wrapper,
    bind_identity,
    identify_failed,
    shown_path,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[Any]]  # frameworks type their scopes differently

_LAST: Final = frozenset(
    {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"}
)
"""Messages that carry a body, and end it unless they say that there is more."""


class TracingMiddleware(Wrapper[App]):
    """Give every HTTP request and WebSocket its ids and one access line.

    Wrap the finished application, ``app = TracingMiddleware(app)``: then the request id is in the
    response of every error too. ``app.add_middleware(TracingMiddleware)`` works as well, but
    Starlette's own error page is made outside of it and has no header.

    ``identify(scope)``, plain or async, returns a mapping of fields to bind (``tenant_id``,
    ``user_id`` ...) or ``None``; if it raises, the request goes on without and is counted in
    ``stats().identify_errors``. ``trust_headers`` takes ``x-session-id`` and ``x-run-id`` from the
    request; tenant and user are never taken from headers. ``access_log_skip`` are exact paths
    without an access line. A WebSocket refused before it was accepted has the status 403 that its
    client got, any other the code of its close.

    Attributes that are not the middleware's own are the application's (``app.state``).
    """

    @cached_property
    def _wanted(self) -> dict[bytes, str]:
        """The headers to read, by the name that ASGI gives them."""
        return {name.encode(): name for name in self._rules.headers}

    def __getattr__(self, name: str) -> Any:
        if name == "app":  # not set yet, while being copied or unpickled
            raise AttributeError(name)
        return getattr(self.app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope; all but HTTP and WebSocket goes through untouched."""
        if scope["type"] not in {"http", "websocket"} or MARK in scope:
            await self.app(scope, receive, send)
            return
        request = Request(self._rules, _seen(scope), self._headers(scope))
        scope[MARK] = request.request_id
        root_path = scope.get("root_path", "")
        kind = _HttpWire if scope["type"] == "http" else _SocketWire
        wire = kind(request, self._rules, scope, receive, send)
        token = bound.set(request.context)
        try:
            if self._rules.identify is not None:
                await self._identify(scope)
            await self.app(scope, wire.receive, wire.send)
        except BaseException as error:
            request.error = error
            raise
        finally:
            wire.settle()
            request.finish(bound.get(), _route(scope, root_path))
            # Closed by the collector it is in a context that is not ours to restore
            with suppress(ValueError):
                bound.reset(token)

    def _headers(self, scope: Scope) -> dict[str, str]:
        found: dict[str, str] = {}
        for raw, value in scope.get("headers") or ():
            name = self._wanted.get(raw.lower())
            if name is not None:
                text = value.decode("latin-1")
                # Twice the same header is nobody's id: a comma fits none of the patterns
                found[name] = f"{found[name]},{text}" if name in found else text
        return found

    async def _identify(self, scope: Scope) -> None:
        try:
            identity = self._rules.identify(scope)  # type: ignore[misc]  # asked for by the caller
            if inspect.isawaitable(identity):
                identity = await identity
            bind_identity(identity)
        except Exception as error:  # noqa: BLE001 - the user's function; counted and told
            identify_failed(error)


class _Wire:
    """Stand between the application and the server for one request, and look at what passes."""

    __slots__ = ("_header", "_is_head", "_receive", "_request", "_send")

    def __init__(
        self, request: Request, rules: Rules, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._is_head = scope.get("method") == "HEAD"
        self._header = (rules.request_id_header.encode(), request.request_id.encode())

    def _with_header(self, message: Message) -> Message:
        headers = list(message.get("headers") or ())
        if any(name.lower() == self._header[0] for name, _ in headers):
            return {**message, "headers": headers}
        return {**message, "headers": [*headers, self._header]}

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4: what send raises once the client has gone away
            self._request.client_disconnected = True
            raise


class _HttpWire(_Wire):
    __slots__ = ()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._request.is_complete:
            self._request.client_disconnected = True
        return message

    async def send(self, message: Message) -> None:
        request = self._request
        kind = message["type"]
        if kind == "http.response.start":
            await self._pass_on(self._with_header(message))
            request.status = message["status"]
            return
        if kind in _LAST and not message.get("more_body", False):
            request.complete()  # before the server, which lets others see a disconnect after it
        await self._pass_on(message)
        if kind == "http.response.body":
            if not self._is_head:
                request.count(len(message.get("body", b"")))
        elif kind in _LAST:
            request.bytes_out = None  # the server reads the file itself

    def settle(self) -> None:
        """Give a request that ended without a response the status its server will send."""
        request = self._request
        ended_by_itself = request.error is None or isinstance(request.error, Exception)
        if request.status is None and ended_by_itself and not request.client_disconnected:
            request.status = 500


class _SocketWire(_Wire):
    __slots__ = ("_accepted",)

    def __init__(
        self, request: Request, rules: Rules, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(request, rules, scope, receive, send)
        self._accepted = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._ended(message.get("code", 1005))
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            await self._pass_on(self._with_header(message))
            self._accepted = kind == "websocket.accept"
            if not self._accepted:
                self._request.status = message["status"]
            return
        await self._pass_on(message)
        if kind == "websocket.send":
            self._request.count(_payload_size(message))
        elif kind == "websocket.http.response.body":
            self._request.count(len(message.get("body", b"")))
        elif kind == "websocket.close":
            self._ended(message.get("code", 1000) if self._accepted else 403)

    def _ended(self, code: int) -> None:
        if self._request.status is None:
            self._request.status = code
            self._request.client_disconnected = code == 1006
        self._request.complete()

    def settle(self) -> None:
        """Give a WebSocket that nobody closed the code its server will close it with."""
        request = self._request
        if request.status is not None:
            return
        if request.client_disconnected:
            request.status = 1006
        elif isinstance(request.error, Exception):
            request.status = 1011 if self._accepted else 500
        elif request.error is None:
            request.status = 1000 if self._accepted else 500


def _payload_size(message: Message) -> int:
    text = message.get("text")
    if text is None:
        return len(message.get("bytes") or b"")
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _seen(scope: Scope) -> Seen:
    client = scope.get("client")
    path = scope["path"]
    return Seen(
        method=scope["method"] if scope["type"] == "http" else "WEBSOCKET",
        path=path,
        shown=shown_path(path, (scope.get("query_string") or b"").decode("latin-1")),
        client=client[0] if client else None,
    )


def _route(scope: Scope, root_path: str) -> str | None:
    """Return the route's template where the framework left it in the scope.

    Starlette and FastAPI do; under a mount the route is its own part, and the mount's stands in
    ``root_path``. Older ones leave the endpoint alone, whose name is better than nothing.
    """
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        name = getattr(scope.get("endpoint"), "__qualname__", None)
        return name if isinstance(name, str) else None
    mounted = scope.get("root_path", "")
    if mounted != root_path and mounted.startswith(root_path):
        return f"{mounted[len(root_path) :]}{path}"
    return path
