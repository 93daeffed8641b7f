"""Which hosts may be told our ids: a list of names, ports and subdomains, and nothing by guess.

A URL that two parsers could read in two ways (backslashes, white space, two ``@``, escapes in the
host, names whose Unicode form means different hosts to different clients) matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_-]{1,63})*"
)
_AUTHORITY: Final = re.compile(r"[^\s\\/?#@]*@?[^\s\\/?#@%]+")
_MAX_URL_CHARS: Final = 65_536


class Host(NamedTuple):
    """A host as it is compared, and its port. ``name`` is lower-case ASCII, IPv6 compressed."""

    name: str
    port: int | None
    is_address: bool


class Allowed:
    """Hosts that may be told.

    By name or address (``api.example.com``, ``10.0.0.7``, ``[::1]``) at any port, or at one
    (``localhost:8080``), or all below a name (``*.example.com``: itself not, addresses never).
    Raises ``ValueError`` for what is none of these; ``*`` alone is none.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._hosts: set[tuple[str, int | None]] = set()
        self._above: set[tuple[str, int | None]] = set()
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            text = str(pattern).strip()
            below = text.removeprefix("*.")
            host = _split(below)
            if host is None or (below != text and host.is_address):
                raise ValueError(
                    f"allow has {text[:80]!r}; use a host such as 'api.example.com', "
                    "'localhost:8080', '[::1]' or '*.example.com'"
                )
            (self._hosts if below == text else self._above).add((host.name, host.port))

    def has(self, host: Host) -> bool:
        """Tell whether *host*, with the port that is really used, is on the list."""
        name, port = host.name, host.port
        if (name, None) in self._hosts or (name, port) in self._hosts:
            return True
        if host.is_address or not self._above:
            return False
        _, dot, above = name.partition(".")
        while dot:
            if (above, None) in self._above or (above, port) in self._above:
                return True
            _, dot, above = above.partition(".")
        return False


@lru_cache(maxsize=64)
def allowed(patterns: tuple[str, ...]) -> Allowed:
    """Return the list of *patterns*, the same object for the same ones."""
    return Allowed(patterns)


def host_of(url: str) -> Host | None:
    """Return where a request to *url* goes, or ``None`` if that is not beyond doubt or not HTTP."""
    if len(url) > _MAX_URL_CHARS or any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    return host_at(parts.scheme, parts.netloc.rpartition("@")[2])


def host_at(scheme: str, authority: str) -> Host | None:
    """Return the host of *authority* (``host``, ``host:port``, ``[::1]:80``) under *scheme*."""
    default = _DEFAULT_PORTS.get(scheme)
    host = _split(authority)
    if host is None or default is None:
        return None
    return host if host.port is not None else host._replace(port=default)


def _split(authority: str) -> Host | None:
    name, port = authority, ""
    if authority.startswith("["):
        name, bracket, rest = authority[1:].partition("]")
        if not bracket or ":" not in name or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif authority.count(":") == 1:
        name, _, port = authority.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535):
        return None
    compared = _compared(name)
    if compared is None:
        return None
    return Host(compared[0], int(port) if port else None, compared[1])


def _compared(name: str) -> tuple[str, bool] | None:
    """Return *name* as it is compared and whether it is an address; ``None``: no host."""
    try:
        return ip_address(name).compressed, "%" not in name
    except ValueError:
        pass
    text = name.removesuffix(".").lower()
    if not text.isascii():
        try:
            ascii_text = text.encode("idna").decode("ascii")
            if ascii_text.encode("ascii").decode("idna") != text:
                return None  # IDNA 2003 and 2008 differ here: two clients, two hosts
        except UnicodeError:
            return None
        text = ascii_text
    return (text, False) if _NAME.fullmatch(text) else None
