"""Directory names: a tenant's id becomes the name of its directory, and no two ids share one.

Plain ids keep their name. Everything else (upper case, dots, slashes, other scripts, Windows'
reserved words, over-long ids) becomes a readable slug and a digest of the id's raw UTF-8, never
of a normalised or lower-cased form: NFC and NFD, ``A`` and ``a`` stay two tenants also on a file
system that ignores case. An id that already looks like such a name is hashed as well, so that
nobody can choose the id whose plain name is another tenant's hashed one.

Not here: what makes an id usable at all (``ids.py``), and opening anything
(``sinks/tenant_files.py``).
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.ids import digest16

UNKNOWN: Final = "_unknown"
"""The directory of records without a tenant. No id produces it: a name never begins with ``_``."""

OVERFLOW: Final = "_overflow"
"""The directory of tenants beyond the limit of directories. No id produces it either."""

MAX_SLUG_CHARS: Final = 40
_MAX_KNOWN: Final = 20_000

_is_plain = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}").fullmatch
_is_hashed = re.compile(r".*-[0-9a-f]{16}").fullmatch
_not_in_slug = re.compile(r"[^a-z0-9_]+")
_RESERVED: Final = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        *(port + digit for port in ("com", "lpt") for digit in "0123456789"),
    ]
)

_known: dict[str, str] = {}


def directory_name(tenant: str | None) -> str:
    """Return the name of the directory of *tenant*: at most 64 characters of ``[a-z0-9_-]``.

    Distinct ids give names that differ without regard to case; ``None`` and ``""`` give
    ``_unknown``. Never raises. Remembers up to 20,000 ids and then forgets them all, so that a
    stream of unique ids cannot grow it.
    """
    if not tenant:
        return UNKNOWN
    name = _known.get(tenant)
    if name is None:
        name = tenant if _keeps_its_name(tenant) else _hashed_name(tenant)
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[tenant] = name
    return name


def _keeps_its_name(tenant: str) -> bool:
    return bool(_is_plain(tenant)) and tenant not in _RESERVED and not _is_hashed(tenant)


def _hashed_name(tenant: str) -> str:
    slug = _not_in_slug.sub("-", tenant[:256].lower()).strip("-_")[:MAX_SLUG_CHARS].rstrip("-_")
    return f"{slug or 'id'}-{digest16(tenant)}"
