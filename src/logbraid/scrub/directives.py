"""Settings that a blank divides, as servers write them: ``requirepass x``."""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import placeholders, shapes
from logbraid.scrub.spans import Span

_DIRECTIVE: Final = re.compile(
    r"(?im)^[ \t]{0,16}(?:bindpw|rootpw|requirepass|masterauth|rpcpassword|wpa_passphrase|"
    r"sentinel auth-pass [\w.-]{1,64}|(?:enable|username [\w.-]{1,64}(?: privilege \d{1,2})?) "
    r"(?:secret|password)(?: \d)?|snmp-server community|auth-token|user [\w.-]{1,64} on)[ \t]{1,8}"
    r">?([^\s\"']{4,256})"
)
_LINE: Final = re.compile(
    r"\n[ \t]{0,16}(?:bindpw|rootpw|requirepass|masterauth|rpcpassword|wpa_passphrase|sentinel|"
    r"enable|username|snmp-server|auth-token|user)",
    re.IGNORECASE,
)
"""How such a line begins: looked for first, as the pattern itself costs 40 ns a character."""


def find_directives(text: str, spans: list[Span]) -> None:
    """Add the values of settings that are known to be secrets."""
    if _LINE.match("\n" + text[:40]) is None and _LINE.search(text) is None:
        return
    spans.extend(
        Span(found.start(1), found.end(1), "password")
        for found in _DIRECTIVE.finditer(text)
        if not placeholders.is_placeholder(found.group(1)) and shapes.is_mixed(found.group(1))
    )
