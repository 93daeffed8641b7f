"""One message to one OTLP receiver by HTTP, with a deadline that holds for all of it.

Where to, with which headers and for how long is read from OpenTelemetry's own variables. Nothing
is followed (a redirect could carry the headers to another host), nothing is kept open between two
messages, and what a header says is never told.
"""

from __future__ import annotations

import gzip
import io
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, Final, NamedTuple, cast
from urllib.parse import SplitResult, unquote, urlsplit

from logbraid.health import health

TIMEOUT_SECONDS: Final = 2.0
_DEFAULT: Final = "http://localhost:4318"
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
_MAX_REPLY: Final = 65_536
_LONGEST_RETRY_SECONDS: Final = 60.0
# Python's exporter reads seconds, the specification says milliseconds; nobody waits 100 seconds
_MOST_SECONDS: Final = 100.0
_is_header_name: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_header_value: Final = re.compile(r"[\x20-\x7e]*").fullmatch
_is_url: Final = re.compile(r"[\x21-\x7e]+").fullmatch


class Reply(NamedTuple):
    """What a receiver answered; *retry_after* is in seconds, ``None`` where it did not say."""

    status: int
    retry_after: float | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go. Its ``repr`` shows no header and nothing of the address but the host."""

    url: SplitResult = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    is_gzip: bool = False
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def post(self, body: bytes, timeout_seconds: float) -> Reply:
        """Send *body*; raise ``OSError`` or ``HTTPException`` if no answer comes in time.

        Looking up the host's name is the one step that has no limit but the system's.
        """
        deadline = time.monotonic() + timeout_seconds
        path = self.url.path or "/"
        path = f"{path}?{self.url.query}" if self.url.query else path
        connection = self._connection(timeout_seconds)
        try:
            connection.request(
                "POST", path, gzip.compress(body, 1) if self.is_gzip else body, dict(self.headers)
            )
            reader = cast("socket.socket", _Reader(connection.sock, deadline))
            response = HTTPResponse(reader, method="POST")
            response.begin()
            after = _seconds(response.getheader("Retry-After"))
            return Reply(response.status, after, response.read(_MAX_REPLY))
        finally:
            connection.close()

    def _connection(self, timeout_seconds: float) -> HTTPConnection:
        host, port = self.url.hostname or "localhost", self.url.port
        if self.tls is not None:
            return HTTPSConnection(host, port, timeout=timeout_seconds, context=self.tls)
        return HTTPConnection(host, port, timeout=timeout_seconds)


class _Reader(io.RawIOBase):
    """A socket's bytes until a deadline: its own limit starts anew with every byte that drips."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not come in time")
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


def target_from_env(environ: Mapping[str, str]) -> Target:
    """Return where *environ* says that logs go.

    ``OTEL_EXPORTER_OTLP_LOGS_X`` comes before ``OTEL_EXPORTER_OTLP_X``: ``ENDPOINT`` (the first is
    the whole address, the second gets ``/v1/logs``; default ``http://localhost:4318``),
    ``HEADERS``, ``TIMEOUT`` (seconds; above 100 it counts as milliseconds; default 2),
    ``COMPRESSION`` (``gzip``), ``CERTIFICATE``, ``CLIENT_CERTIFICATE``, ``CLIENT_KEY``. What
    cannot be used is told once, and the default is used.
    """
    url = _endpoint(environ)
    headers = {"content-type": "application/x-protobuf", "connection": "close"}
    if url.username:
        user = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["authorization"] = f"Basic {b64encode(user).decode()}"
    headers.update(_headers(environ))
    is_gzip = _value(environ, "COMPRESSION")[1].lower() == "gzip"
    if is_gzip:
        headers["content-encoding"] = "gzip"
    protocol = _value(environ, "PROTOCOL")[1].lower() or "http/protobuf"
    if protocol != "http/protobuf":
        _tell(f"{_PREFIX}PROTOCOL", "is not http/protobuf, by which lines are sent all the same")
    tls = _tls(environ) if url.scheme == "https" else None
    return Target(url, headers, _timeout(environ), is_gzip, tls)


def _value(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable of that *name* that is set, and its text."""
    for variable in (f"{_PREFIX}LOGS_{name}", f"{_PREFIX}{name}"):
        text = environ.get(variable, "").strip()
        if text:
            return variable, text
    return "", ""


def _tell(variable: str, what: str) -> None:
    health.tell_once(f"{variable} {what}", f"{variable} {what}")


def _endpoint(environ: Mapping[str, str]) -> SplitResult:
    variable, text = _value(environ, "ENDPOINT")
    url = _split(text) if text else None
    if text and url is None:
        _tell(variable, f"is no address such as http://collector:4318; using {_DEFAULT}")
    if url is not None and variable == f"{_PREFIX}LOGS_ENDPOINT":
        return url
    base = url or urlsplit(_DEFAULT)
    return base._replace(path=f"{base.path.rstrip('/')}/v1/logs")


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        usable = _is_url(text) and url.scheme in {"http", "https"} and url.hostname
        return url if usable and url.port != 0 else None
    except ValueError:  # a port that is no number, brackets that do not close
        return None


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    variable, text = _value(environ, "HEADERS")
    found: dict[str, str] = {}
    for item in text.split(","):
        name, sign, value = (unquote(part.strip()).strip() for part in item.partition("="))
        if sign and _is_header_name(name) and _is_header_value(value):
            found[name.lower()] = value
        elif item.strip():
            _tell(variable, "has an item that is no header name=value; left out")
    return found


def _timeout(environ: Mapping[str, str]) -> float:
    variable, text = _value(environ, "TIMEOUT")
    if not text:
        return TIMEOUT_SECONDS
    seconds = _seconds(text)
    if not seconds:
        _tell(variable, f"is no time; using {TIMEOUT_SECONDS} seconds")
        return TIMEOUT_SECONDS
    return min(seconds / 1000 if seconds > _MOST_SECONDS else seconds, _MOST_SECONDS)


def _tls(environ: Mapping[str, str]) -> ssl.SSLContext:
    variable, authorities = _value(environ, "CERTIFICATE")
    try:
        context = ssl.create_default_context(cafile=authorities or None)
        variable, certificate = _value(environ, "CLIENT_CERTIFICATE")
        if certificate:
            context.load_cert_chain(certificate, _value(environ, "CLIENT_KEY")[1] or None)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        _tell(variable, "cannot be read; using the certificates of the system")
        return ssl.create_default_context()
    return context


def _seconds(text: str | None) -> float | None:
    """Return a number of seconds; a date, or what is no number from 0 up, is not one."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def wait_after(reply: Reply | None, tried: int) -> float:
    """Return how many seconds to wait before the next try: as asked, else 0.5, 1, 2, 4, 5, 5 ..."""
    if reply is not None and reply.retry_after is not None:
        return min(reply.retry_after, _LONGEST_RETRY_SECONDS)
    return min(0.5 * 2.0 ** min(tried, 10), 5.0)
