"""What the audit log raises.

::

    LogbraidError
    +-- AuditError          a record is not durable, or a log cannot be used
        +-- AuditInputError what was given cannot be used: a class, a key, a directory

An audit log fails loud: a record that is not on disk is told to the caller, who decides whether
the operation goes on. No message holds a payload.
"""

from __future__ import annotations

from logbraid.errors import LogbraidError


class AuditError(LogbraidError):
    """A record could not be made durable, or the log cannot be used."""


class AuditInputError(AuditError, ValueError):
    """What was given cannot be used: an unknown event class, a key of another kind, no log there.

    Raised whatever ``on_error`` says: no disk is at fault.
    """


def described(error: BaseException) -> str:
    """Return the class of *error* and the number of an ``OSError``; never its text."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__} (errno {error.errno})"
    return type(error).__name__
