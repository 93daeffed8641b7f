"""What logbraid raises, and when.

::

    LogbraidError
    +-- ConfigError      configure_logging() or Settings got something it cannot use

No log call ever raises one of these. Wings add their own below ``LogbraidError``.
"""

from __future__ import annotations

from collections.abc import Sequence


class LogbraidError(Exception):
    """The root of everything that logbraid raises."""


class ConfigError(LogbraidError, ValueError):
    """The configuration cannot be used; the message lists every problem and what to do.

    ``problems`` holds the same as a tuple, one sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)
