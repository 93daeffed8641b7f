"""A peer: the scrubbing processor that teams write for structlog, patterns collected over time.

It is what its ratio says it is: each text is searched once per pattern. Not a model to follow,
and not what logbraid does.
"""

from __future__ import annotations

import re
from typing import Any, Final

_SOURCES: Final = (
    r"(?i)password\s*[=:]\s*\S+",
    r"(?i)passwd\s*[=:]\s*\S+",
    r"(?i)pwd\s*[=:]\s*\S+",
    r"(?i)secret\s*[=:]\s*\S+",
    r"(?i)client_secret\s*[=:]\s*\S+",
    r"(?i)api[_-]?key\s*[=:]\s*\S+",
    r"(?i)access[_-]?key\s*[=:]\s*\S+",
    r"(?i)access[_-]?token\s*[=:]\s*\S+",
    r"(?i)refresh[_-]?token\s*[=:]\s*\S+",
    r"(?i)session[_-]?token\s*[=:]\s*\S+",
    r"(?i)private[_-]?key\s*[=:]\s*\S+",
    r"(?i)authorization\s*:\s*\w+\s+\S+",
    r"(?i)cookie\s*:\s*[^\n]+",
    r"(?i)bearer\s+[\w.~+/-]+=*",
    r"(?i)basic\s+[\w+/]{8,}=*",
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bASIA[0-9A-Z]{16}\b",
    r"\bghp_\w{36}\b",
    r"\bgho_\w{36}\b",
    r"\bghs_\w{36}\b",
    r"\bgithub_pat_\w{22,}\b",
    r"\bglpat-[\w-]{20}\b",
    r"\bxox[abprs]-[\w-]{10,}",
    r"\bsk-[\w-]{20,}",
    r"\bsk_live_\w{16,}\b",
    r"\brk_live_\w{16,}\b",
    r"\bwhsec_\w{16,}\b",
    r"\bAIza[\w-]{35}\b",
    r"\bya29\.[\w-]{20,}",
    r"\bSG\.[\w-]{22}\.[\w-]{43}\b",
    r"\bnpm_\w{36}\b",
    r"\bpypi-[\w-]{50,}",
    r"\bhf_\w{30,}\b",
    r"\bdop_v1_[0-9a-f]{64}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----",
    r"\w+://[^/\s:@]+:[^/\s@]+@",
    r"\b(?:\d[ -]?){13,16}\b",
    r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
)
_PATTERNS: Final = [re.compile(source) for source in _SOURCES]
_NAMES: Final = re.compile(
    r"(?i)password|passwd|secret|token$|api_?key|authorization|cookie|credential"
)


def scrub(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace what looks secret, in all levels of *event* (a structlog processor)."""
    return {name: _scrubbed(name, value) for name, value in event.items()}


def _scrubbed(name: str, value: Any) -> Any:
    if _NAMES.search(name):
        return "***"
    if isinstance(value, str):
        for pattern in _PATTERNS:
            value = pattern.sub("***", value)
        return value
    if isinstance(value, dict):
        return {key: _scrubbed(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(name, item) for item in value]
    return value
