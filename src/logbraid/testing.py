"""For tests of programs that log: capture records, and prove that no secret is in them.

A pytest plugin comes with it: the fixture ``captured_logs``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from logbraid.settings import SettingsChanges

try:
    import pytest
except ImportError:  # the rest of this module works without
    pytest = None  # type: ignore[assignment]  # looked at before it is used


class CapturedLogs(list[dict[str, Any]]):
    """The records that were captured, as the dicts that their lines say."""

    @property
    def events(self) -> list[Any]:
        """The event of each record."""
        return [record.get("event") for record in self]

    def only(self, **fields: Any) -> CapturedLogs:
        """Return the records that have all these *fields*."""
        wanted = fields.items()
        return CapturedLogs(
            record for record in self if all(record.get(name) == value for name, value in wanted)
        )


@contextmanager
def capture_logs(level: str | int = "debug", **changes: Any) -> Iterator[CapturedLogs]:
    """Configure logging so that every record ends in the list this yields, and nowhere else.

    Takes the keywords of ``configure_logging()``. What was configured before is in force again
    afterwards. Records went the whole way: what is in the list is what would have been written.
    """
    from logbraid.assembly import capture  # noqa: PLC0415 - a plugin is imported with pytest

    captured = CapturedLogs()

    def keep(_: bytes, record: dict[str, Any]) -> None:
        captured.append(record)

    told: SettingsChanges = {"level": level, **changes, "sinks": [keep, *changes.get("sinks", ())]}  # type: ignore[typeddict-item]  # as given
    with capture(told):
        yield captured


def assert_no_secret(records: object, canaries: Iterable[str]) -> None:
    """Raise ``AssertionError`` if any of *canaries* is anywhere in *records*.

    *records* may be records, lines, bytes, or containers of them. The message names the number of
    the canary, never the canary.
    """
    text = _text(records)
    for number, canary in enumerate(canaries, 1):
        if not canary:
            raise ValueError(f"canary {number} is empty: it would be found anywhere")
        escaped = orjson.dumps(canary).decode()[1:-1]
        if canary in text or escaped in text:
            raise AssertionError(f"canary {number} is in the records: a secret came out")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict):
        return "\n".join(f"{_text(name)}\n{_text(item)}" for name, item in value.items())
    if isinstance(value, Iterable):
        return "\n".join(_text(item) for item in value)
    return str(value)


if pytest is not None:

    @pytest.fixture
    def captured_logs() -> Generator[CapturedLogs, None, None]:
        """Every record of the test, from debug up, of all four libraries."""
        with capture_logs() as captured:
            yield captured
