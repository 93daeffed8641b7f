"""Records of ``logging`` that are whole only on demand: nobody can tell the difference."""

from __future__ import annotations

import copy
import logging
import logging.handlers
import pickle
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest

from logbraid.integrations.light_record import LightRecord
from logbraid.integrations.stdlib import BraidHandler
from logbraid.testing import CapturedLogs, capture_logs

LOG = logging.getLogger("door.light")
FILE = "/srv/shop/pay.py"


def without_pytest() -> None:
    """Take pytest's handlers off, which it puts on for each phase of a test."""
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if isinstance(one, BraidHandler)]


@pytest.fixture
def alone() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        LOG.info("the first one looks around")
        logs.clear()
        yield logs


def made(logger: logging.Logger = LOG) -> logging.LogRecord:
    without_pytest()
    extra = {"shop": "s"}
    return logger.makeRecord(LOG.name, logging.INFO, FILE, 12, "paid %d", (7,), None, "pay", extra)


def light() -> Any:
    record = made()
    assert type(record) is LightRecord
    return record


def whole() -> Any:
    record: Any = logging.LogRecord(LOG.name, logging.INFO, FILE, 12, "paid %d", (7,), None, "pay")
    record.shop = "s"
    return record


def same(record: logging.LogRecord) -> bool:
    """Tell whether *record* is what ``logging`` makes, names in their order, but for the time."""
    times = ("created", "msecs", "relativeCreated", "message")  # the last one: a formatter's
    ours = {name: value for name, value in vars(record).items() if name not in times}
    theirs = {name: value for name, value in vars(whole()).items() if name not in times}
    return list(ours.items()) == list(theirs.items()) and type(record) is logging.LogRecord


@pytest.mark.usefixtures("alone")
def test_where_only_we_listen_a_record_is_light() -> None:
    assert type(made()) is type(made(logging.getLogger())) is LightRecord


QUESTIONS: list[Callable[[Any], object]] = [
    vars,
    repr,
    copy.copy,
    lambda record: record.__dict__,
    lambda record: record.threadName,
    lambda record: record.getMessage(),
    lambda record: getattr(record, "nothing", None),
    logging.Formatter("%(process)d %(message)s").format,
    pickle.dumps,
]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("question", QUESTIONS)
def test_whoever_asks_finds_what_logging_would_have_made(question: Callable[[Any], object]) -> None:
    record = light()
    question(record)
    assert same(record)


@pytest.mark.usefixtures("alone")
def test_copies_are_whole() -> None:
    assert same(copy.copy(light()))
    assert same(copy.deepcopy(light()))
    assert same(pickle.loads(pickle.dumps(light())))


@pytest.mark.usefixtures("alone")
def test_what_was_set_on_a_record_stays() -> None:
    record = light()
    record.msg, record.mine = "other %d", 1
    assert record.getMessage() == "other 7"
    assert (record.mine, record.shop, record.lineno) == (1, "s", 12)


@pytest.mark.usefixtures("alone")
def test_a_handler_that_was_added_that_moment_hears_a_whole_record() -> None:
    record, stream = light(), StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(threadName)s %(filename)s:%(lineno)d %(message)s"))
    handler.handle(record)
    assert stream.getvalue() == f"{threading.current_thread().name} pay.py:12 paid 7\n"
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logging.handlers.QueueHandler(waiting).handle(light())
    assert waiting.get().getMessage() == "paid 7"


class Own(logging.Logger):
    """A logger of someone else's class."""


def add_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOG, "filters", [lambda record: bool(record.threadName)])


def add_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("door"), "handlers", [logging.NullHandler()])


def filter_our_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = next(one for one in logging.getLogger().handlers if isinstance(one, BraidHandler))
    monkeypatch.setattr(ours, "filters", [lambda record: bool(record.threadName)])


def set_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*args: Any) -> logging.LogRecord:
        return logging.LogRecord(*args)

    monkeypatch.setattr(logging, "_logRecordFactory", make)


def change_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOG, "__class__", Own)


def wrap(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    inner = getattr(logging.Logger, name)

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        now = inner if name != "makeRecord" else logging.Logger.makeRecord

        def wrapper(*args: Any) -> Any:
            return now(*args)

        monkeypatch.setattr(logging.Logger, name, wrapper)

    patch.__name__ = f"wrap_{name}"
    return patch


LISTENERS = [
    add_filter,
    add_handler,
    filter_our_handler,
    set_factory,
    change_class,
    *map(wrap, ("handle", "callHandlers", "makeRecord")),
]


@pytest.mark.parametrize("listen", LISTENERS)
def test_where_someone_else_listens_a_record_is_whole(
    listen: Callable[[pytest.MonkeyPatch], None],
    alone: CapturedLogs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listen(monkeypatch)
    assert type(made()) is logging.LogRecord
    LOG.info("paid %d", 7, extra={"shop": "s"})
    assert [(one["event"], one["shop"]) for one in alone] == [("paid 7", "s")]


def without_time(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "timestamp"}


SAY: Callable[..., object] = LOG.info
CALLS: list[Callable[[], object]] = [
    lambda: SAY("plain"),
    lambda: SAY("%s and %d", "text", 3),
    lambda: SAY("%(a)s", {"a": 1}),
    lambda: SAY("100 %", {}),
    lambda: SAY("%d", "no number"),
    lambda: SAY("too many", 1, 2),
    lambda: SAY("%s", "password=hunter2secret"),
    lambda: SAY("e", extra={"password": "hunter2secret", "nested": {"deep": [1, None]}}),
    lambda: SAY("e", extra={"name": "mine", "light": 1, "told": 2, "color_message": 3}),
    lambda: SAY("e", extra={1: "no text"}),
    lambda: SAY("e", extra={"text": "\udc80", "object": object}),
    lambda: SAY({"event": "a dict", "n": 1}),
    lambda: SAY(3),
    lambda: LOG.log(33, "between the words"),
    lambda: LOG.error("failed", exc_info=ValueError("v")),
    lambda: SAY("e", exc_info=True),
    lambda: SAY("e", stack_info=False, stacklevel=2),
    lambda: logging.getLogger("asyncio").error("a task"),
    lambda: logging.LoggerAdapter(LOG, {"a": 1}).info("adapted"),
    lambda: logging.getLogger().info("root's own"),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_light_record_becomes_the_line_that_a_whole_one_becomes(
    call: Callable[[], object], alone: CapturedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pytest()
    call()
    set_factory(monkeypatch)
    call()
    one, other = map(without_time, alone)
    assert list(one.items()) == list(other.items())


def test_the_place_of_a_call_is_known_where_it_is_asked_for() -> None:
    with capture_logs(callsite=True) as logs:
        LOG.info("the first one looks around")
        without_pytest()
        LOG.info("here")
        line = sys._getframe().f_lineno - 1
    assert (logs[-1]["module"], logs[-1]["lineno"]) == ("test_integrations_light_record", line)
