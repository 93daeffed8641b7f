"""The archive of events: each session's in a file of its own, below its tenant, to be replayed.

Not here: the form of a line (``session_lines.py``), how files are written
(``session_file.py``) and read (``replay.py``).
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from logbraid import pipeline
from logbraid.agent.clean import Cleaner
from logbraid.agent.entry import MAX_SUMMARY_CHARS
from logbraid.agent.events import Event, read_event
from logbraid.agent.here import ids_here, safe_id
from logbraid.agent.replay import ArchivedSession, Replay, list_sessions, replay_session
from logbraid.agent.session_file import SessionFiles, stem_of
from logbraid.agent.spans import current_entry
from logbraid.agent.timeline import session_timeline
from logbraid.clock import Stamper, day_of
from logbraid.drive import Closing
from logbraid.health import Tick, health
from logbraid.process import renew_after_fork
from logbraid.sinks.sink import lost

MAX_UNENDED: Final = 20_000
"""So many sessions wait for their footer; one more, and the one silent for longest gets its own."""

_stamper: Final = Stamper()


class EventArchive(Closing):
    """Keep the events of agents: ``<root>/<tenant>/session-<session>.jsonl``.

    Give ``on_event`` to the agent framework. Whose event it is says the context of the call; to
    a framework that calls from threads of its own, give ``propagation.in_context(on_event)``.
    Without a session it goes to ``_unknown``, a file a day, and is counted. Files silent for more
    than *retention_days* are deleted (0: never; nothing younger than 48 hours). Data is scrubbed,
    and no text in it is longer than *max_summary_chars*.

    Threads and processes may write to one session; its numbers have no gaps, also over restarts.
    An event is with the operating system when ``on_event`` returns. May be forked.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        retention_days: int = 7,
        max_summary_chars: int = MAX_SUMMARY_CHARS,
    ) -> None:
        self._cleaner = Cleaner.of(max_summary_chars)
        self._files = SessionFiles(root, retention_days=retention_days)
        self._without_session = Tick()
        self._unended: OrderedDict[tuple[str | None, str], None] = OrderedDict()
        self._renew()
        renew_after_fork(self._renew)
        # Not at the first event: forked in the middle of an import, a child waits for ever
        pipeline.ready()

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._unended.clear()  # a child ends what it wrote, not what its parent did

    @property
    def without_session(self) -> int:
        """How many events had no session."""
        return self._without_session.value

    # -- writing ---------------------------------------------------------------------------

    def on_event(self, event: object) -> None:
        """Keep *event*: any object, or mapping, with a ``type`` and ``data``.

        Never raises for an ``Exception``. What cannot be written is counted
        (``stats().sinks["archive"]``) and told once a minute.
        """
        try:
            self._write(event)
        except Exception as error:  # noqa: BLE001 - no disk and no event is worth an agent
            lost(self._files, error)
        else:
            health.figures(self._files.name).written.advance()

    def _write(self, event: object) -> None:
        ids = ids_here()
        entry = current_entry()
        if entry is not None:
            ids = {**ids, "trace_id": entry.trace_id, "span_id": entry.span_id}
        stamp = _now()
        line = self._line(stamp, read_event(event), ids)
        session, tenant = (safe_id(ids.get(name)) for name in ("session_id", "tenant_id"))
        if session is None:
            self._without_session.advance()
        stem = stem_of(session, day_of(stamp))
        self._files.write(line, tenant, stem)
        self._remember((tenant, stem))

    def _line(self, stamp: str, told: Event, ids: Mapping[str, str]) -> bytes:
        fields: dict[str, Any] = {"timestamp": stamp, "type": told.type, "data": told.data}
        try:
            return self._cleaner.line({**fields, **ids})
        except Exception as error:  # noqa: BLE001 - one value must not lose the event
            health.complain("agent event", error)
            fields["data"] = {"unreadable": type(error).__name__}
            return self._cleaner.line({**fields, **ids})

    def _remember(self, key: tuple[str | None, str]) -> None:
        with self._lock:
            self._unended[key] = None
            self._unended.move_to_end(key)
            if len(self._unended) <= MAX_UNENDED:
                return
            oldest = self._unended.popitem(last=False)[0]
        self._end(*oldest)

    def close_session(self, session_id: str, *, tenant_id: str | None = None) -> None:
        """Write the footer of one session of this process, of *tenant_id* or the context's tenant.

        Does nothing for one that this process did not write to. It may go on afterwards.
        """
        tenant = ids_here().get("tenant_id") if tenant_id is None else tenant_id
        key = (safe_id(tenant), stem_of(safe_id(session_id)))
        with self._lock:
            if key not in self._unended:
                return
            del self._unended[key]
        self._end(*key)

    def close(self) -> None:
        """Write the footers of all sessions of this process and close the files. Never raises.

        An event that comes later is still kept, below the footer.
        """
        while True:
            with self._lock:
                if not self._unended:
                    break
                key = self._unended.popitem(last=False)[0]
            self._end(*key)
        self._files.reopen()

    def _end(self, tenant: str | None, stem: str) -> None:
        try:
            self._files.end(tenant, stem, _now())
        except Exception as error:  # noqa: BLE001 - a missing footer loses no event
            health.complain("archive footer", error)

    # -- reading ---------------------------------------------------------------------------

    def replay(
        self, session_id: str | None, *, tenant_id: str | None = None, speed: float | None = None
    ) -> Replay:
        """Return the events of a session, see ``replay_session``."""
        return replay_session(self._files.root, session_id, tenant_id=tenant_id, speed=speed)

    def timeline(self, session_id: str | None, *, tenant_id: str | None = None) -> str:
        """Return a session as text for people, see ``session_timeline``."""
        return session_timeline(self._files.root, session_id, tenant_id=tenant_id)

    def sessions(self, tenant_id: str | None = None) -> list[ArchivedSession]:
        """Return the sessions of a tenant, the last written first, see ``list_sessions``."""
        return list_sessions(self._files.root, tenant_id=tenant_id)


def _now() -> str:
    return _stamper.stamp(pipeline.ready().now())
