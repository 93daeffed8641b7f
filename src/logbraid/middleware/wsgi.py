"""Middleware for WSGI (PEP 3333): ids of the request in the context, one access line, the id back.

The server iterates over the body outside of our call and reuses its threads, so each request runs
in a copy of the context of its own: the application's call, every step of its body and its close.
Nothing that was bound there is left in the thread for the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from functools import cached_property
from typing import Any

from logbraid.context import EMPTY, bound
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

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Any, Any], Iterable[bytes]]


class TracingWSGIMiddleware(Wrapper[App]):
    """Give every request of a WSGI application its ids and one access line.

    Flask: ``app.wsgi_app = TracingWSGIMiddleware(app.wsgi_app)``. Django: around what
    ``get_wsgi_application()`` returns. The options are those of ``TracingMiddleware``;
    ``identify(environ)`` is a plain function.

    The line is written when the server closes the body; one that is dropped without being closed
    gets its line when it is collected. A ``wsgi.file_wrapper`` is iterated over like any body.
    """

    @cached_property
    def _wanted(self) -> dict[str, str]:
        """The headers to read, and the key of each in a WSGI environ."""
        return {name: f"HTTP_{name.upper().replace('-', '_')}" for name in self._rules.headers}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if MARK in environ:
            return self.app(environ, start_response)
        headers = {name: environ[key] for name, key in self._wanted.items() if key in environ}
        exchange = _Exchange(Request(self._rules, _seen(environ), headers), self._rules, environ)
        try:
            body = exchange.context.run(self._answer, exchange, environ, start_response)
        except BaseException as error:
            exchange.finish(error)
            raise
        _hand_back(exchange.context)
        kind = _SizedBody if isinstance(body, list | tuple) else _Body
        return kind(exchange, body)

    def _answer(
        self, exchange: _Exchange, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        environ[MARK] = exchange.request.request_id
        bound.set(exchange.request.context)
        if self._rules.identify is not None:
            try:
                bind_identity(self._rules.identify(environ))
            except Exception as error:  # noqa: BLE001 - the user's function; counted and told
                identify_failed(error)
        return self.app(environ, exchange.starter(start_response))


def _hand_back(context: Context) -> None:
    """Give the server's thread what Django keeps for its thread in a context variable.

    Its caches are made once for a thread and found again by way of asgiref's ``Local``. Left in
    the copy, each request would make new ones: with Redis, a new pool of connections.
    """
    for variable, value in context.items():
        if variable.name == "asgiref.local":
            variable.set(value)


class _Exchange:
    """One request, the context it runs in and what its application says to the server."""

    __slots__ = ("_environ", "_header", "_is_head", "_route", "context", "request")

    def __init__(self, request: Request, rules: Rules, environ: Environ) -> None:
        self.request = request
        self.context: Context = copy_context()
        self._environ = environ
        self._header = (rules.request_id_header, request.request_id)
        self._is_head = environ.get("REQUEST_METHOD") == "HEAD"
        self._route: str | None = None

    def starter(self, start_response: StartResponse) -> StartResponse:
        """Return a ``start_response`` that adds the request id and notes the status."""

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            wanted = self._header[0]
            if not any(name.lower() == wanted for name, _ in headers):
                headers = [*headers, self._header]
            # With exc_info it raises once the headers are out: then the old status was sent
            write = start_response(status, headers, *exc_info)
            self.request.status = _status_code(status)
            self._route = _route(self._environ)  # Flask forgets it before the body is sent

            def counted(chunk: bytes) -> object:
                self.count(chunk)
                return write(chunk)

            return counted

        return start

    def count(self, chunk: bytes) -> None:
        """Count a chunk of the body; to HEAD a server sends none."""
        if not self._is_head:
            self.request.count(len(chunk))

    def left_early(self) -> bool:
        """Tell whether the server stopped before the end of a body that it had to send."""
        return not (self.request.is_complete or self._is_head or self.request.error)

    def finish(self, error: BaseException | None = None) -> None:
        """Write the access line; only the first call does."""
        request = self.request
        if error is not None and request.error is None:
            request.error = error
        if request.status is None:
            request.status = 500
        try:
            self.context.run(self._write_line)
        except RuntimeError:  # collected while a step of this same context runs
            request.finish(EMPTY, self._route)

    def _write_line(self) -> None:
        self.request.finish(bound.get(), self._route)


class _Body:
    """The application's body; each step runs in the context of its request."""

    __slots__ = ("_body", "_closed", "_exchange", "_steps")

    def __init__(self, exchange: _Exchange, body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body = body
        self._steps: Iterator[bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange
        try:
            if self._steps is None:
                self._steps = exchange.context.run(iter, self._body)
            chunk = exchange.context.run(next, self._steps)
        except StopIteration:
            exchange.request.complete()
            raise
        except BaseException as error:
            exchange.finish(error)
            raise
        exchange.count(chunk)
        return chunk

    def close(self) -> None:
        """Close the application's body and write the access line, once."""
        if self._closed:
            return
        self._closed = True
        exchange = self._exchange
        if exchange.left_early():
            exchange.request.client_disconnected = True
        error: BaseException | None = None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                exchange.context.run(close)
        except BaseException as raised:
            error = raised
            raise
        finally:
            exchange.finish(error)

    def __del__(self) -> None:
        if self._closed:
            return
        if self._exchange.left_early():
            self._exchange.request.client_disconnected = True
        self._exchange.finish()


class _SizedBody(_Body):
    """A body of known length: with one chunk a server can tell the Content-Length by itself."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # made for lists and tuples only


def _status_code(status: str) -> int | None:
    digits = status[:3]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _seen(environ: Environ) -> Seen:
    # PEP 3333: the path's bytes are given as Latin-1
    raw = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}".encode(
        "latin-1", "replace"
    )
    return Seen(
        method=environ.get("REQUEST_METHOD", ""),
        path=raw.decode("utf-8", "replace"),
        shown=shown_path(raw, environ.get("QUERY_STRING", "")),
        client=environ.get("REMOTE_ADDR") or None,
    )


def _route(environ: Environ) -> str | None:
    """Return the rule that Flask matched; other frameworks leave nothing in the environ."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    path = getattr(rule, "rule", None)
    return path if isinstance(path, str) else None
