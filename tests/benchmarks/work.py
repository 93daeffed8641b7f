"""The work that every program does: what is logged, how often, and in which manner of calling.

Each work makes its items before a turn is timed. A driver is the loop that is timed: the call is
spelled out as a user would write it, because one more function around it would be charged to the
program. Three manners: keywords (structlog, loguru, logfire), ``extra=`` (``logging``), and ready
dicts (the limit).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

IDS: Final = {
    "tenant_id": "acme",
    "user_id": "u-7",
    "session_id": "s-1",
    "run_id": "run-9",
    "request_id": "req-4",
}
LOGGER: Final = "app.tools"
_HEAD: Final = {"timestamp": "2026-11-21T10:30:00.123456Z", "level": "info", "logger": LOGGER}
ARGUMENTS: Final[dict[str, Any]] = {
    "customer": {
        "id": "c-1881",
        "region": "eu-central-1",
        "password": "correct-Horse7battery",
        "contact": {"language": "de", "newsletter": False},
    },
    "auth": {
        "api_key": "k3y9f8a7b6c5d4e3f2a1",
        "header": "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
        ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "scheme": "bearer",
    },
    "limit": 10,
    "offset": 0,
    "sort": "created",
    "fields": "id,status,total",
}
"""Three levels, twelve leaves, three of them secret."""

_PROSE_CHARS: Final = 10_240
_WORDS: Final = (
    "the a an of to in for on with from that which was were had has will would customer order "
    "orders delivery invoice address agent answer question asked answered found checked sent "
    "confirmed refund Monday Tuesday warehouse parcel carrier two three several late early again "
    "because therefore although status report summary total amount euros days weeks please"
).split()

Info = Callable[..., object]
Driver = Callable[[Info, list[Any]], None]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of record: its items, the loops over them, and the fields as a dict."""

    name: str
    items: Callable[[int], list[Any]]
    keywords: Driver
    extra: Driver
    fields: Callable[[Any], dict[str, Any]]

    def driver(self, manner: str) -> Driver:
        """Return the loop for a *manner* of calling: keywords, extra or ready."""
        loops = {"keywords": self.keywords, "extra": self.extra, "ready": _write_ready}
        return loops[manner]

    def batch(self, manner: str, size: int) -> list[Any]:
        """Return the items of one turn, new in every turn."""
        items = self.items(size)
        if manner != "ready":
            return items
        return [{**_HEAD, **IDS, **self.fields(item)} for item in items]


def call_ids(size: int) -> list[str]:
    """Return *size* hexadecimal ids that were never seen before."""
    return [f"{random.getrandbits(128):032x}" for _ in range(size)]


def _prose() -> str:
    chosen = random.Random(7)  # the same text in every run
    sentences = []
    for _ in range(8000):
        words = [chosen.choice(_WORDS) for _ in range(chosen.randint(6, 18))]
        sentences.append(" ".join(words).capitalize() + chosen.choice(". . . ? : ,".split()))
    return " ".join(sentences)


_text = ""


def _summaries(size: int) -> list[tuple[str, str]]:
    global _text  # noqa: PLW0603 - made once, and only where a work needs it
    _text = _text or _prose()
    starts = [random.randrange(len(_text) - _PROSE_CHARS) for _ in range(size)]
    return [
        (call_id, _text[start : start + _PROSE_CHARS])
        for call_id, start in zip(call_ids(size), starts, strict=True)
    ]


def _new_texts(size: int) -> list[tuple[str, str]]:
    return [(call_id, call_id[::-1]) for call_id in call_ids(size)]


def _write_ready(write: Info, batch: list[Any]) -> None:
    for fields in batch:
        write(fields)


def _w1(info: Info, batch: list[Any]) -> None:
    for call_id in batch:
        info(
            "tool_complete",
            tool="get_customer_orders",
            status="ok",
            duration_ms=234,
            call_id=call_id,
            tokens=812,
        )


def _w1_extra(info: Info, batch: list[Any]) -> None:
    for call_id in batch:
        info(
            "tool_complete",
            extra={
                "tool": "get_customer_orders",
                "status": "ok",
                "duration_ms": 234,
                "call_id": call_id,
                "tokens": 812,
            },
        )


def _w1_fields(call_id: str) -> dict[str, Any]:
    return {
        "event": "tool_complete",
        "tool": "get_customer_orders",
        "status": "ok",
        "duration_ms": 234,
        "call_id": call_id,
        "tokens": 812,
    }


def _w2(info: Info, batch: list[Any]) -> None:
    for call_id in batch:
        info(
            "tool_complete",
            tool="get_customer_orders",
            status="ok",
            duration_ms=234,
            call_id=call_id,
            tokens=812,
            arguments=ARGUMENTS,
        )


def _w2_extra(info: Info, batch: list[Any]) -> None:
    for call_id in batch:
        info(
            "tool_complete",
            extra={
                "tool": "get_customer_orders",
                "status": "ok",
                "duration_ms": 234,
                "call_id": call_id,
                "tokens": 812,
                "arguments": ARGUMENTS,
            },
        )


def _w3(info: Info, batch: list[Any]) -> None:
    for call_id, summary in batch:
        info(
            "tool_complete",
            tool="get_customer_orders",
            status="ok",
            duration_ms=234,
            call_id=call_id,
            tokens=812,
            output_summary=summary,
        )


def _w3_extra(info: Info, batch: list[Any]) -> None:
    for call_id, summary in batch:
        info(
            "tool_complete",
            extra={
                "tool": "get_customer_orders",
                "status": "ok",
                "duration_ms": 234,
                "call_id": call_id,
                "tokens": 812,
                "output_summary": summary,
            },
        )


# "tool " + call_id and the like would be made inside the loop, so all programs pay for them alike
def _unique(info: Info, batch: list[Any]) -> None:
    for call_id, other in batch:
        info(
            "tool " + other,
            tool="orders of " + other,
            status="ok " + call_id,
            duration_ms=234,
            call_id=call_id,
            tokens=812,
            note="written for " + call_id,
        )


def _unique_extra(info: Info, batch: list[Any]) -> None:
    for call_id, other in batch:
        info(
            "tool " + other,
            extra={
                "tool": "orders of " + other,
                "status": "ok " + call_id,
                "duration_ms": 234,
                "call_id": call_id,
                "tokens": 812,
                "note": "written for " + call_id,
            },
        )


def _unique_fields(item: tuple[str, str]) -> dict[str, Any]:
    call_id, other = item
    return {
        **_w1_fields(call_id),
        "event": "tool " + other,
        "tool": "orders of " + other,
        "status": "ok " + call_id,
        "note": "written for " + call_id,
    }


WORKS: Final = {
    "W1": Work("W1", call_ids, _w1, _w1_extra, _w1_fields),
    "W2": Work(
        "W2", call_ids, _w2, _w2_extra, lambda item: {**_w1_fields(item), "arguments": ARGUMENTS}
    ),
    "W3": Work(
        "W3",
        _summaries,
        _w3,
        _w3_extra,
        lambda item: {**_w1_fields(item[0]), "output_summary": item[1]},
    ),
    "unique": Work("unique", _new_texts, _unique, _unique_extra, _unique_fields),
}
