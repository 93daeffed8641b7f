"""A tamper-evident audit log: what was done, by whom, and how it ended; provable afterwards.

::

    from logbraid.audit import AuditLog

    with AuditLog("/var/lib/app/audit", key="audit-signing.pem") as log:
        log.record("order.refund", resource_type="order", resource_id="o-7", mutating=True)

The way of a record stands in ``log.py``, the format of a line in ``chain.py``, of a file in
``segment.py``, of the whole in ``manifest.py``, and how an outsider verifies it in
``verification.py``. Needs the extra ``audit``; ``audited_command`` alone does not. Not a log of
what the program does: that is the rest of the package.

::

    <root>/_log/manifest.jsonl                          signed chain: begun, sealed, pruned
    <root>/_log/checkpoint                              signed head of the manifest (C2SP)
    <root>/_keys/hmac, <root>/_keys/user-<digest>       for payloads
    <root>/<tenant>/<class>.<day>.<writer>.<n>.jsonl    the records, chained
    <root>/<tenant>/....leaves, ....checkpoint          the seal

Tenants' directories are named as those of the log files are.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from logbraid.audit.command import audited_command
    from logbraid.audit.errors import AuditError, AuditInputError
    from logbraid.audit.findings import Finding, Report
    from logbraid.audit.keys import keygen
    from logbraid.audit.log import AuditLog
    from logbraid.audit.policy import EventClass, Policy
    from logbraid.audit.reading import decrypt, read
    from logbraid.audit.retention import PruneReport, prune
    from logbraid.audit.verification import verify
    from logbraid.audit.work import Audited, audited

_HOMES: typing.Final = {
    "work": "Audited audited",
    "command": "audited_command",
    "errors": "AuditError AuditInputError",
    "findings": "Finding Report",
    "keys": "keygen",
    "log": "AuditLog",
    "policy": "EventClass Policy",
    "retention": "PruneReport prune",
    "reading": "decrypt read",
    "verification": "verify",
}
_HOME: typing.Final = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AuditError",
    "AuditInputError",
    "AuditLog",
    "Audited",
    "EventClass",
    "Finding",
    "Policy",
    "PruneReport",
    "Report",
    "audited",
    "audited_command",
    "decrypt",
    "keygen",
    "prune",
    "read",
    "verify",
]


def __getattr__(name: str) -> typing.Any:
    if name not in _HOME:
        raise AttributeError(f"module 'logbraid.audit' has no attribute {name!r}")
    module = importlib.import_module(f"logbraid.audit.{_HOME[name]}")
    found = getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
