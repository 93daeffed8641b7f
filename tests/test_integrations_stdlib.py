"""The door from ``logging``: records of any library, none lost, none raising, none changed."""

from __future__ import annotations

import copy
import json
import logging
import logging.config
import logging.handlers
import queue
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.stdlib import BraidHandler
from logbraid.testing import CapturedLogs, capture_logs

LOG = logging.getLogger("door.stdlib")
BLANK = logging.LogRecord("", 0, "", 0, "", None, None)


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        LOG.info("the first one looks around")
        logs.clear()
        yield logs


def without_pytest() -> None:
    """Take pytest's handlers off, which raise where a text does not fit its arguments."""
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if isinstance(one, BraidHandler)]


@pytest.mark.parametrize("name", sorted({*BLANK.__dict__, "message", "asctime", "taskName"}))
def test_extra_that_clashes_with_logging_is_renamed_and_never_raises(
    name: str, captured: CapturedLogs
) -> None:
    LOG.info("e", extra={name: "mine", "other": 1})
    assert captured[0][f"{name}_"] == "mine"
    assert captured[0]["other"] == 1


def test_what_logging_itself_puts_on_a_record_is_no_field(captured: CapturedLogs) -> None:
    LOG.info("e")
    assert set(captured[0]) == {"timestamp", "level", "logger", "event"}


def test_extra_is_written_in_its_order_and_wins_over_the_context(captured: CapturedLogs) -> None:
    with bound_context(shop="context", user_id="context"):
        LOG.info("e", extra={"z": 1, "a": 2, "shop": "extra", "user_id": "extra"})
    told = captured[0]
    assert [name for name in told if name in {"z", "a"}] == ["z", "a"]
    assert (told["shop"], told["user_id"]) == ("extra", "extra")


def test_extra_cannot_change_a_bound_tenant(captured: CapturedLogs) -> None:
    with bound_context(tenant_id="acme"):
        LOG.info("e", extra={"tenant_id": "evil"})
    assert (captured[0]["tenant_id"], captured[0]["tenant_id_"]) == ("acme", "evil")


def test_a_logger_adapter_shows_its_extra_on_its_own_lines(captured: CapturedLogs) -> None:
    adapter = logging.LoggerAdapter(LOG, {"part": "a", "password": "hunter2secret"})
    adapter.info("e %s", 1)
    LOG.info("without")
    assert (captured[0]["event"], captured[0]["part"]) == ("e 1", "a")
    assert captured[0]["password"] == "[REDACTED:password]"
    assert "part" not in captured[1]


def test_every_form_of_exc_info_means_the_same(captured: CapturedLogs) -> None:
    try:
        fail("told")
    except ValueError as error:
        LOG.exception("exception")
        LOG.warning("true", exc_info=True)
        LOG.warning("one", exc_info=error)
        LOG.warning("tuple", exc_info=(ValueError, error, error.__traceback__))
    assert [one["error_message"] for one in captured] == ["told"] * 4
    assert all("Traceback" in one["exception"] for one in captured)


def test_exc_info_outside_of_except_leaves_no_field(captured: CapturedLogs) -> None:
    LOG.warning("true", exc_info=True)  # noqa: LOG014 - this is what is tested
    LOG.warning("nones", exc_info=(None, None, None))
    LOG.exception("exception")  # noqa: LOG004 - this is what is tested
    assert captured.events == ["true", "nones", "exception"]
    assert all("exception" not in one for one in captured)


def test_stack_info_is_written(captured: CapturedLogs) -> None:
    LOG.info("e", stack_info=True)
    assert "test_stack_info_is_written" in captured[0]["stack"]


def test_arguments_that_do_not_fit_keep_the_line_with_text_arguments_and_reason(
    captured: CapturedLogs,
) -> None:
    without_pytest()
    LOG.info("n %d", "x")
    LOG.info("too few %s %s", 1)  # noqa: PLE1206 - this is what is tested
    LOG.info("too many", 1, 2)  # noqa: PLE1205 - this is what is tested
    LOG.info("name %(missing)s", {"other": 1})
    assert captured.events == ["n %d", "too few %s %s", "too many", "name %(missing)s"]
    assert [one["args"] for one in captured] == [["x"], [1], [1, 2], {"other": 1}]
    assert [one["format_error"].partition(":")[0] for one in captured] == [
        "TypeError",
        "TypeError",
        "TypeError",
        "KeyError",
    ]


def test_a_secret_in_arguments_that_do_not_fit_is_redacted(captured: CapturedLogs) -> None:
    without_pytest()
    LOG.info("n %d", "password=hunter2secret")
    assert "hunter2secret" not in str(captured)


def test_a_dict_as_message_becomes_fields(captured: CapturedLogs) -> None:
    LOG.info({"event": "paid", "amount": 3, "password": "hunter2secret"})
    LOG.info({"message": "sent", 1: "one"})
    LOG.info({"only": "fields"})
    assert captured.events == ["paid", "sent", ""]
    assert (captured[0]["amount"], captured[0]["password"]) == (3, "[REDACTED:password]")
    assert captured[1]["1"] == "one"
    assert captured[2]["only"] == "fields"


def test_a_message_that_is_no_text_is_shown(captured: CapturedLogs) -> None:
    class Told:
        def __str__(self) -> str:
            return "told %s"

    LOG.info(Told(), 1)
    LOG.info(42)
    LOG.info(ValueError("an error as text"))
    assert captured.events == ["told 1", "42", "an error as text"]


def test_a_named_argument_fills_its_name(captured: CapturedLogs) -> None:
    LOG.info("user %(name)s", {"name": "bob"})
    assert captured.events == ["user bob"]


def test_child_loggers_propagate_to_us_once(captured: CapturedLogs) -> None:
    logging.getLogger("door.stdlib.a.b.c").info("deep")
    assert [(one["logger"], one["event"]) for one in captured] == [("door.stdlib.a.b.c", "deep")]


def test_a_muted_logger_stays_muted_but_its_warnings_reach_us_and_not_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    quiet = logging.getLogger("stdlib.quiet")
    quiet.propagate = False
    before = logging.lastResort
    try:
        with capture_logs() as captured:
            quiet.info("muted")
            quiet.warning("password=hunter2secret")
            assert not quiet.propagate
        assert captured.events == ["password=[REDACTED:password]"]
        assert logging.lastResort is before
        assert "hunter2" not in capfd.readouterr().err
    finally:
        quiet.propagate = True


def test_a_logger_that_writes_elsewhere_and_does_not_propagate_is_left_alone() -> None:
    stream = StringIO()
    own = logging.getLogger("door.elsewhere")
    handler = logging.StreamHandler(stream)
    own.addHandler(handler)
    own.propagate = False
    try:
        with capture_logs() as captured:
            own.warning("elsewhere")
            assert not own.propagate
            assert own.handlers == [handler]
            problems = " ".join(logbraid.check().problems)
        assert captured.events == []
        assert stream.getvalue() == "elsewhere\n"
        assert "door.elsewhere has handlers of its own (StreamHandler)" in problems
    finally:
        own.removeHandler(handler)
        own.propagate = True


def test_a_disabled_logger_stays_silent_and_is_told_by_check(captured: CapturedLogs) -> None:
    off = logging.getLogger("door.off")
    off.disabled = True
    try:
        off.error("nobody hears it")
        assert captured == []
        assert any("door.off is disabled" in text for text in logbraid.check().problems)
    finally:
        off.disabled = False


def test_another_handler_sees_the_record_as_it_was(captured: CapturedLogs) -> None:
    seen: list[dict[str, Any]] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append({**record.__dict__, "text": record.getMessage()})

    handler = Keeping()
    root = logging.getLogger()
    root.addHandler(handler)
    tree = {"password": "hunter2secret", "list": [1]}
    try:
        LOG.info("token %s", "hunter2secret", extra={"tree": tree})
    finally:
        root.removeHandler(handler)
    assert seen[0]["tree"] is tree
    assert tree == {"password": "hunter2secret", "list": [1]}
    assert seen[0]["args"] == ("hunter2secret",)
    assert not {name for name in seen[0] if "logbraid" in name}


def test_a_filter_on_our_handler_is_asked(captured: CapturedLogs) -> None:
    ours = next(one for one in logging.getLogger().handlers if isinstance(one, BraidHandler))
    ours.addFilter(lambda record: record.getMessage() != "no")
    try:
        LOG.info("no")
        LOG.info("yes")
    finally:
        ours.filters.clear()
    assert captured.events == ["yes"]


def test_a_custom_level_takes_the_word_below_it_and_keeps_its_name(captured: CapturedLogs) -> None:
    logging.addLevelName(25, "NOTICE")
    try:
        LOG.log(25, "e")
        LOG.log(5, "low")
        LOG.log(60, "high")
    finally:
        logging._levelToName.pop(25)
        logging._nameToLevel.pop("NOTICE")
    assert [(one["level"], one["level_name"]) for one in captured] == [
        ("info", "notice"),
        ("critical", "level 60"),
    ]


def test_httpx_info_lines_that_carry_a_key_in_their_url_are_scrubbed(
    captured: CapturedLogs,
) -> None:
    # F41
    logging.getLogger("httpx").info(
        'HTTP Request: %s %s "%s"', "GET", "https://x.example/v1?api_key=k3y9f8a7b6c5d4e3f2", "200"
    )
    assert "k3y9f8a7b6c5d4e3f2" not in captured[0]["event"]
    assert captured[0]["event"].startswith("HTTP Request: GET https://x.example/v1?")


def test_a_record_out_of_a_queue_keeps_its_time_and_its_traceback(captured: CapturedLogs) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    sender = logging.handlers.QueueHandler(waiting)
    record = logging.LogRecord("far.away", 40, "f.py", 1, "failed %s", ("x",), None)
    try:
        fail("told")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    record.created = time.time() - 3600
    sender.emit(record)
    arrived = waiting.get_nowait()
    logging.getLogger("far.away").handle(copy.copy(arrived))
    told = captured[0]
    assert told["event"].startswith("failed x")
    assert told["event"].endswith("ValueError: told")
    age = time.time() - _seconds(told["timestamp"])
    assert 3590 < age < 3700


def _seconds(stamp: str) -> float:
    from datetime import datetime  # noqa: PLC0415 - one use

    return datetime.fromisoformat(stamp).timestamp()


def test_the_root_logger_and_the_module_functions_are_heard(captured: CapturedLogs) -> None:
    logging.info("by function")  # noqa: LOG015 - this is what is tested
    logging.getLogger().warning("by root")
    assert [(one["logger"], one["event"]) for one in captured] == [
        ("root", "by function"),
        ("root", "by root"),
    ]


def test_basic_config_after_us_does_nothing(captured: CapturedLogs) -> None:
    before = list(logging.getLogger().handlers)
    logging.basicConfig(level=logging.ERROR)
    assert logging.getLogger().handlers == before


def test_dict_config_that_throws_us_out_is_found_and_mended_by_check() -> None:
    # F64
    with capture_logs() as captured:
        gone = logging.getLogger("door.gone")
        logging.config.dictConfig(
            {"version": 1, "root": {"level": "INFO", "handlers": []}, "loggers": {}}
        )
        assert gone.disabled
        LOG.info("not heard")
        report = logbraid.check()
        assert any("door.gone is disabled" in text for text in report.problems)
        LOG.disabled = gone.disabled = False
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                logger.disabled = False
        LOG.info("heard again")
    assert captured.events == ["heard again"]


def test_our_handler_takes_no_lock(captured: CapturedLogs) -> None:
    ours = next(one for one in logging.getLogger().handlers if isinstance(one, BraidHandler))
    assert ours.lock is None
    ours.acquire()
    ours.release()


def test_a_record_made_by_hand_is_written(captured: CapturedLogs) -> None:
    made = logging.makeLogRecord({"name": "hand", "levelno": 20, "msg": "made", "shop": 7})
    logging.getLogger("hand").handle(made)
    assert captured[0]["event"] == "made"
    assert captured[0]["shop"] == 7


def test_a_subclass_of_log_record_and_a_factory_work(captured: CapturedLogs) -> None:
    class Own(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.hostname = "h-1"

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Own)
    try:
        LOG.info("e", extra={"a": 1})
    finally:
        logging.setLogRecordFactory(before)
    assert (captured[0]["hostname"], captured[0]["a"]) == ("h-1", 1)


def test_nothing_of_it_is_lost_in_json(captured: CapturedLogs) -> None:
    LOG.info("e", extra={"nested": {"list": [1, 2.5, None, True, "x"]}})
    assert json.loads(json.dumps(captured[0]))["nested"] == {"list": [1, 2.5, None, True, "x"]}


@pytest.mark.parametrize("how", ["basicConfig", "dictConfig", "removed"])
def test_a_program_of_logging_alone_is_scrubbed_again_from_its_next_record_on(
    how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with logbraid.configure_logging(format="json"):
        if how == "basicConfig":
            logging.basicConfig(force=True, level="INFO")
        elif how == "dictConfig":
            stream = {"class": "logging.StreamHandler"}
            config = {"version": 1, "handlers": {"out": stream}, "root": {"handlers": ["out"]}}
            logging.config.dictConfig({**config, "disable_existing_loggers": False})
        else:
            logging.getLogger().handlers[0].close()
        logging.getLogger("a").warning("api_key=k-93hd82hsj2kd9")
    out, err = capfd.readouterr()
    assert "k-93hd82hsj2kd9" not in out + err
    assert json.loads(out)["logger"] == "a"


def test_an_argument_whose_class_raises_is_logged_all_the_same() -> None:
    class Liar:
        @property  # type: ignore[misc]  # what a broken proxy does
        def __class__(self) -> Any:
            raise RuntimeError("no class")

    with capture_logs() as records:
        logging.getLogger("q").info("%s", Liar())
        logging.getLogger("q").info("%s", Liar(), stack_info=True)
        logging.getLogger("q").info("after")
    assert len(records) == 3


def test_names_of_a_record_in_extra_lose_no_value() -> None:
    with capture_logs() as records:
        extra = {"name": 1, "name_": 2, "lineno": 3}
        logging.getLogger("q").info("x", extra=extra)
    assert {records[0]["name_"], records[0]["name_#2"]} == {1, 2}
    assert records[0]["lineno_"] == 3


def test_a_record_whose_time_is_text_is_logged_at_once() -> None:
    record = logging.LogRecord("q", 20, "f", 1, "x", None, None)
    record.created = "yesterday" * 9  # type: ignore[assignment]  # as a careless filter would
    with capture_logs() as records:
        logging.getLogger("q").handle(record)
    assert records.events == ["x"]
