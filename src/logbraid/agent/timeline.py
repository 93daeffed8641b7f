"""A session as text for people: one line an event, when it was, what it was, what matters of it.

Drawn from the archive, so it is scrubbed and cut. No value can forge a line or colour a screen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from logbraid.agent.replay import ArchivedEvent, replay_session
from logbraid.sinks.terminal import clean

_SUBJECTS: Final = ("tool", "name", "agent", "skill", "model")
_BARE: Final = ("status", "error", "message", "args")
_UNSAID: Final = frozenset({"call_id", "schema_version"})
_WIDTH: Final = 160
_VALUE_WIDTH: Final = 80


def session_timeline(
    root: str | os.PathLike[str], session_id: str | None, *, tenant_id: str | None = None
) -> str:
    """Return the lines of a session, e.g. ``+0.123s  tool_start  search {"q":"shoes"}``.

    Times are relative to its first event. A last line tells of damage, where there is some.
    Finds and raises what ``replay_session`` does.
    """
    replay = replay_session(root, session_id, tenant_id=tenant_id)
    lines = list(_lines(replay))
    found = replay.found
    if found.damaged or found.missing or found.torn:
        lines.append(f"({found.damaged} damaged, {found.missing} missing, {found.torn} torn lines)")
    return "".join(f"{line}\n" for line in lines)


def _lines(events: Iterator[ArchivedEvent]) -> Iterator[str]:
    first: datetime | None = None
    for event in events:
        first = first or event.timestamp
        seconds = (event.timestamp - first).total_seconds()
        yield f"{seconds:+.3f}s  {clean(event.type)}  {_told(event.data)}".rstrip()


def _told(data: dict[str, Any]) -> str:
    words = []
    subject = next((name for name in _SUBJECTS if isinstance(data.get(name), str)), "")
    if subject:
        words.append(data[subject])
    words += [_short(data[name]) for name in _BARE if data.get(name)]
    if isinstance(data.get("duration_ms"), int | float):
        words.append(f"{data['duration_ms']}ms")
    said = {subject, "duration_ms", *_BARE, *_UNSAID}
    words += [
        f"{name}={_short(value)}"
        for name, value in data.items()
        if name not in said and value not in (None, "", {}, [])
    ]
    return _cut(clean(" ".join(words)), _WIDTH)


def _short(value: object) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _cut(value, _VALUE_WIDTH)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
