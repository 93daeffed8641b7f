"""What reading raises: a question that cannot be asked.

::

    LogbraidError
    +-- QuestionError    no such directory, a time or condition that nobody can read

Damage in files is never raised, but told.
"""

from __future__ import annotations

from logbraid.errors import LogbraidError


class QuestionError(LogbraidError, ValueError):
    """The question cannot be asked; the text says why and what to write instead."""
