"""Levels: live in all four libraries, for loggers made, cached and captured before."""

from __future__ import annotations

import gc
import logging
import pickle
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import loguru
import pytest
import structlog

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.json_logger import TracingJsonFormatter
from logbraid.level import NOISY, Levels, levels
from logbraid.record import DEBUG, ERROR, INFO, WARNING
from logbraid.testing import CapturedLogs, capture_logs

HERE = __name__


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs(level="info") as logs:
        yield logs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(levels, "_monotonic", made)
    return made


def doors() -> dict[str, Callable[..., Any]]:
    """Return captured bound methods of all libraries, for debug and from loggers made now."""
    return {
        "logbraid": logbraid.get_logger(HERE).debug,
        "bound": logbraid.get_logger(HERE).bind(a=1).debug,
        "structlog": structlog.get_logger(HERE).debug,
        "cached": structlog.get_logger(HERE).bind(b=2).debug,
        "logging": logging.getLogger(HERE).debug,
        "adapter": logging.LoggerAdapter(logging.getLogger(HERE), {}).debug,
        "loguru": loguru.logger.debug,
        "loguru_bound": loguru.logger.bind(c=3).debug,
    }


def test_a_change_counts_at_once_in_all_libraries_for_captured_methods(
    captured: CapturedLogs,
) -> None:
    methods = doors()
    for name, debug in methods.items():
        debug(name)
    assert captured.events == []
    logbraid.set_level("debug")
    for name, debug in methods.items():
        debug(name)
    assert captured.events == list(methods)
    logbraid.set_level("error")
    for name, debug in methods.items():
        debug(name)
    assert captured.events == list(methods)


def test_the_formatter_follows_the_level_of_its_logger() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TracingJsonFormatter())
    with capture_logs(level="info"):
        logger = logging.getLogger("level.formatter")
        logger.addHandler(handler)
        try:
            logger.debug("no")
            logbraid.set_level("debug", logger="level.formatter")
            logger.debug("yes")
        finally:
            logger.removeHandler(handler)
    assert stream.getvalue().count("\n") == 1
    assert '"event":"yes"' in stream.getvalue()


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("debug", 10),
        ("INFO", 20),
        ("Warn", 30),
        ("warning", 30),
        (35, 35),
        ("25", 25),
        ("trace", 5),
    ],
)
def test_a_level_is_a_word_in_any_case_or_a_number(given: str | int, number: int) -> None:
    with capture_logs():
        logbraid.set_level(given)
        assert logbraid.get_level() == number


def test_an_unknown_level_raises_and_changes_nothing(captured: CapturedLogs) -> None:
    with pytest.raises(ValueError, match="level is 'loud'"):
        logbraid.set_level("loud")
    assert logbraid.get_level() == INFO


def test_children_follow_their_parent_in_all_libraries(captured: CapturedLogs) -> None:
    logbraid.set_level("debug", logger="level.parent")
    logbraid.get_logger("level.parent.child").debug("ours")
    logging.getLogger("level.parent.child.grand").debug("logging")
    loguru.logger.patch(_named("level.parent.child")).debug("loguru")
    logbraid.get_logger("level.parents").debug("a stranger with a longer name")
    logging.getLogger("level.other").debug("no")
    loguru.logger.patch(_named("level.other")).debug("no")
    assert captured.events == ["ours", "logging", "loguru"]
    assert logbraid.get_level("level.parent.child") == DEBUG
    assert logbraid.get_level("level.other") == INFO


def _named(name: str) -> Any:
    return lambda record: record.__setitem__("name", name)


def test_none_takes_the_level_of_a_name_back(captured: CapturedLogs) -> None:
    log, std = logbraid.get_logger("level.back"), logging.getLogger("level.back")
    logbraid.set_level("error", logger="level.back")
    log.info("no")
    std.info("no")
    assert std.level == ERROR
    logbraid.set_level(None, logger="level.back")
    log.info("ours")
    std.info("logging")
    assert captured.events == ["ours", "logging"]
    assert std.level == logging.NOTSET


def test_none_for_everything_means_info(captured: CapturedLogs) -> None:
    logbraid.set_level("error")
    logbraid.set_level(None)
    assert logbraid.get_level() == INFO


def test_names_in_levels_keep_theirs_when_everything_changes() -> None:
    with capture_logs(level="info", levels={"level.quiet": "error"}) as captured:
        logbraid.set_level("debug")
        for name in ("level.quiet", "level.quiet.child", "level.loud"):
            logbraid.get_logger(name).warning(name)
            logging.getLogger(name).warning(name)
            loguru.logger.patch(_named(name)).warning(name)
    assert captured.events == ["level.loud"] * 3


def test_a_logger_that_someone_gave_a_level_keeps_it() -> None:
    own = logging.getLogger("level.own")
    own.setLevel(DEBUG)
    try:
        with capture_logs(level="warning") as captured:
            own.debug("its own level lets it in")
            logging.getLogger("level.own.child").debug("and its child")
            logbraid.set_level("error")
            own.debug("still")
            logging.getLogger("level.foreign").warning("no")
            assert own.level == DEBUG
        assert captured.events == ["its own level lets it in", "and its child", "still"]
    finally:
        own.setLevel(logging.NOTSET)


def test_a_level_given_while_we_are_configured_is_kept(captured: CapturedLogs) -> None:
    own = logging.getLogger("level.given_later")
    own.setLevel(ERROR)
    try:
        logbraid.set_level("debug")
        own.info("no")
        own.error("yes")
        assert captured.events == ["yes"]
    finally:
        own.setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", NOISY)
def test_a_noisy_library_stays_at_info_when_everything_is_debug(name: str) -> None:
    with capture_logs(level="debug") as captured:
        logging.getLogger(f"{name}.connection").debug("a packet")
        logbraid.get_logger(name).debug("a packet")
        logging.getLogger(f"{name}.connection").info("told")
    assert captured.events == ["told"]


def test_a_noisy_library_that_is_named_is_heard() -> None:
    with capture_logs(level="info", levels="urllib3=debug") as captured:
        logging.getLogger("urllib3.connectionpool").debug("a packet")
    assert captured.events == ["a packet"]


def test_a_secret_is_redacted_at_debug_too(captured: CapturedLogs) -> None:
    logbraid.set_level("debug")
    for debug in doors().values():
        debug("password=hunter2secret")
    logbraid.get_logger().debug("x", password="hunter2secret")
    assert len(captured) == 9
    assert "hunter2secret" not in str(captured)


def test_levels_of_logging_are_put_back_at_the_end() -> None:
    root, named = logging.getLogger(), logging.getLogger("level.named")
    before = root.level
    named.setLevel(DEBUG)
    try:
        with capture_logs(level="error", levels={"level.named": "critical"}):
            assert root.level == ERROR
            assert named.level == logging.CRITICAL
        assert root.level == before
        assert named.level == DEBUG
        assert logging.getLogger("urllib3").level == logging.NOTSET
    finally:
        named.setLevel(logging.NOTSET)


# debug_for


def test_debug_for_shows_only_records_whose_context_matches(captured: CapturedLogs) -> None:
    methods = doors()
    with logbraid.debug_for(seconds=60, tenant_id="acme"):
        for name, debug in methods.items():
            debug(f"{name} of nobody")
            with bound_context(tenant_id="acme"):
                debug(name)
            with bound_context(tenant_id="other"):
                debug(f"{name} of another")
    assert captured.events == list(methods)
    assert {record["tenant_id"] for record in captured} == {"acme"}


def test_debug_for_asks_the_context_and_never_the_fields_of_a_call(
    captured: CapturedLogs,
) -> None:
    with logbraid.debug_for(seconds=60, tenant_id="acme"), bound_context(tenant_id="other"):
        logbraid.get_logger(HERE).debug("no", tenant_id="acme")
        logging.getLogger(HERE).debug("no", extra={"tenant_id": "acme"})
        loguru.logger.bind(tenant_id="acme").debug("no")
        with bound_context(shop="7"):
            logbraid.get_logger(HERE).debug("no", shop="8")
    assert captured.events == []


def test_debug_for_ends_by_its_clock_without_anyone_looking(
    captured: CapturedLogs, clock: Clock
) -> None:
    methods = doors()
    logbraid.debug_for(seconds=10, run_id="r")
    with bound_context(run_id="r"):
        clock.now = 9.9
        for name, debug in methods.items():
            debug(name)
        clock.now = 10.0
        for debug in methods.values():
            debug("too late")
    assert captured.events == list(methods)
    assert levels.windows == ()
    assert levels.gate(HERE).level == INFO
    assert not logging.getLogger(HERE).isEnabledFor(DEBUG)


def test_debug_for_ends_with_its_block_and_by_cancel_as_often_as_one_likes(
    captured: CapturedLogs,
) -> None:
    with bound_context(run_id="r"):
        window = logbraid.debug_for(seconds=60, run_id="r")
        logbraid.get_logger(HERE).debug("one")
        window.cancel()
        window.cancel()
        logbraid.get_logger(HERE).debug("no")
        with logbraid.debug_for(seconds=60, run_id="r"):
            logging.getLogger(HERE).debug("two")
        logging.getLogger(HERE).debug("no")
    assert captured.events == ["one", "two"]


def test_two_windows_at_once_each_end_by_themselves(captured: CapturedLogs, clock: Clock) -> None:
    log = logbraid.get_logger(HERE)
    logbraid.debug_for(seconds=10, tenant_id="a")
    logbraid.debug_for(seconds=20, tenant_id="b")
    for now in (5, 15, 25):
        clock.now = now
        for tenant in ("a", "b"):
            with bound_context(tenant_id=tenant):
                log.debug("%s%d", tenant, now)
    assert captured.events == ["a5", "b5", "b15"]


def test_a_window_needs_every_value_and_takes_numbers_as_their_text(
    captured: CapturedLogs,
) -> None:
    log = logbraid.get_logger(HERE)
    with logbraid.debug_for(seconds=60, tenant_id="a", shop=7):
        with bound_context(tenant_id="a"):
            log.debug("no")
        with bound_context(tenant_id="a", shop=7):
            log.debug("yes")
        with bound_context(tenant_id="a", shop="7"):
            log.debug("as text")
    assert captured.events == ["yes", "as text"]


def test_records_at_their_level_are_written_for_everyone_while_a_window_is_open(
    captured: CapturedLogs,
) -> None:
    with logbraid.debug_for(seconds=60, tenant_id="acme"):
        for method in doors().values():
            method("no")
        logbraid.get_logger(HERE).info("ours")
        logging.getLogger(HERE).info("logging")
        loguru.logger.info("loguru")
    assert captured.events == ["ours", "logging", "loguru"]


def test_named_loggers_come_in_too_while_a_window_is_open() -> None:
    with capture_logs(level="info", levels={"level.quiet": "error"}) as captured:
        with logbraid.debug_for(seconds=60, run_id="r"), bound_context(run_id="r"):
            logbraid.get_logger("level.quiet").debug("ours")
            logging.getLogger("level.quiet").debug("logging")
            loguru.logger.patch(_named("level.quiet")).debug("loguru")
        logging.getLogger("level.quiet").warning("no")
    assert captured.events == ["ours", "logging", "loguru"]


def test_loggers_with_foreign_handlers_are_left_out_and_named() -> None:
    stream = StringIO()
    foreign = logging.getLogger("level.foreign")
    handler = logging.StreamHandler(stream)
    foreign.addHandler(handler)
    try:
        with capture_logs(level="info") as captured:
            with logbraid.debug_for(seconds=60, run_id="r") as window, bound_context(run_id="r"):
                foreign.debug("not into someone else's file")
                logging.getLogger("level.foreign.child").debug("nor from below")
                logging.getLogger("level.mine").debug("mine")
                assert window.skipped == ("level.foreign",)
            assert captured.events == ["mine"]
        assert stream.getvalue() == ""
    finally:
        foreign.removeHandler(handler)


def test_a_foreign_handler_on_root_keeps_all_of_logging_out_of_a_window() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with capture_logs(level="info", levels={"level.named": "error"}) as captured:
            with logbraid.debug_for(seconds=60, run_id="r") as window, bound_context(run_id="r"):
                logging.getLogger("level.mine").debug("not into someone else's file")
                logging.getLogger("level.named").debug("neither")
                logbraid.get_logger("level.mine").debug("ours")
                assert window.skipped == ("root",)
            assert captured.events == ["ours"]
        assert stream.getvalue() == ""
    finally:
        root.removeHandler(handler)


def test_a_new_configuration_ends_every_window(captured: CapturedLogs) -> None:
    logbraid.debug_for(seconds=60, run_id="r")
    with capture_logs(level="info") as inner, bound_context(run_id="r"):
        logbraid.get_logger(HERE).debug("no")
        assert inner == []
    assert levels.windows == ()


# The parts


def test_a_gate_is_one_per_name_and_forgotten_with_its_last_logger() -> None:
    own = Levels()
    gate = own.gate("a.b")
    assert own.gate("a.b") is gate
    del gate
    gc.collect()
    assert "a.b" not in own._gates


def test_a_gate_comes_out_of_a_pickle_as_the_one_of_its_name() -> None:
    gate = levels.gate("level.pickled")
    assert pickle.loads(pickle.dumps(gate)) is gate


def test_a_gate_made_while_a_window_is_open_lets_debug_in() -> None:
    own = Levels()
    own.configure(INFO, {})
    with own.open(10, {"run_id": "r"}):
        gate = own.gate("new")
        assert (gate.own, gate.level) == (INFO, DEBUG)
    assert (gate.own, gate.level) == (INFO, INFO)


def test_the_nearest_name_decides() -> None:
    own = Levels()
    own.configure(WARNING, {"a": DEBUG, "a.b": ERROR})
    found = {name: own.effective(name) for name in ("a", "a.x", "a.b", "a.b.c", "ab", "")}
    assert found == {
        "a": DEBUG,
        "a.x": DEBUG,
        "a.b": ERROR,
        "a.b.c": ERROR,
        "ab": WARNING,
        "": WARNING,
    }


def test_the_lowest_level_counts_names_and_windows() -> None:
    own = Levels()
    own.configure(WARNING, {"a": INFO})
    assert own.lowest() == INFO
    with own.open(10, {}):
        assert own.lowest() == DEBUG
    assert own.lowest() == INFO


def test_a_listener_hears_every_change_until_it_is_undone() -> None:
    own = Levels()
    heard: list[int] = []
    undo = own.listen(lambda: heard.append(own.root))
    own.set(ERROR)
    own.set(DEBUG)
    undo()
    undo()
    own.set(INFO)
    assert heard == [ERROR, DEBUG]
