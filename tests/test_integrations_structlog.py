"""The door from structlog: the whole API of its bound loggers, before and after configuration."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs as structlogs_capture

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.structlog import BoundLogger
from logbraid.testing import CapturedLogs, capture_logs


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        yield logs


def log_of(**fields: Any) -> BoundLogger:
    return logbraid.get_logger("door", **fields)


def fail(text: str) -> None:
    raise ValueError(text)


def test_get_logger_gives_a_structlog_bound_logger_and_never_the_lazy_proxy() -> None:
    assert isinstance(log_of(), structlog.BoundLoggerBase)
    assert type(log_of()) is BoundLogger


def test_without_a_name_a_logger_has_that_of_the_calling_module(captured: CapturedLogs) -> None:
    logbraid.get_logger().info("ours")
    structlog.get_logger().info("theirs")
    assert [record["logger"] for record in captured] == [__name__, __name__]


def test_fields_given_at_birth_are_on_every_line(captured: CapturedLogs) -> None:
    log_of(shop=7).info("e", n=1)
    structlog.get_logger("door", shop=7).info("e", n=1)
    assert [(one["shop"], one["n"]) for one in captured] == [(7, 1), (7, 1)]


def test_bind_unbind_try_unbind_and_new_make_new_loggers(captured: CapturedLogs) -> None:
    log = log_of(a=1)
    two = log.bind(b=2)
    two.info("bind")
    two.unbind("a").info("unbind")
    two.try_unbind("b", "never there").info("try_unbind")
    two.new(c=3).info("new")
    log.info("as before")
    told = [{n: one[n] for n in ("a", "b", "c") if n in one} for one in captured]
    assert told == [{"a": 1, "b": 2}, {"b": 2}, {"a": 1}, {"c": 3}, {"a": 1}]
    with pytest.raises(KeyError):
        log.unbind("never there")


def test_the_call_wins_over_the_logger_and_the_logger_over_the_context(
    captured: CapturedLogs,
) -> None:
    with bound_context(a="context", b="context", c="context", user_id="context"):
        log_of(a="logger", b="logger", user_id="logger").info("e", a="call")
    told = captured[0]
    assert (told["a"], told["b"], told["c"]) == ("call", "logger", "context")
    assert told["user_id"] == "logger"


def test_a_bound_tenant_is_never_changed_by_a_logger_or_a_call(captured: CapturedLogs) -> None:
    with bound_context(tenant_id="acme"):
        log_of().info("e", tenant_id="evil")
        log_of(tenant_id="evil").info("e")
        log_of().info("e", extra={"tenant_id": "evil"})
        log_of().info("the same", tenant_id="acme")
    assert [one["tenant_id"] for one in captured] == ["acme"] * 4
    assert [one.get("tenant_id_") for one in captured] == ["evil"] * 3 + [None]
    assert logbraid.stats().tenant_conflicts == 3


def test_a_tenant_of_a_call_fills_in_where_none_is_bound(captured: CapturedLogs) -> None:
    log_of().info("e", tenant_id="acme")
    assert captured[0]["tenant_id"] == "acme"


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "debug"),
        ("info", "info"),
        ("msg", "info"),
        ("warning", "warning"),
        ("warn", "warning"),
        ("error", "error"),
        ("err", "error"),
        ("critical", "critical"),
        ("fatal", "critical"),
        ("exception", "error"),
        ("failure", "error"),
    ],
)
def test_every_method_has_its_level(method: str, level: str, captured: CapturedLogs) -> None:
    assert getattr(log_of(), method)("e", a=1) is None
    assert getattr(structlog.get_logger("door"), method)("e", a=1) is None
    assert [(one["level"], one["a"]) for one in captured] == [(level, 1)] * 2


@pytest.mark.parametrize(
    "method",
    ["adebug", "ainfo", "amsg", "awarning", "awarn", "aerror", "acritical", "afatal"],
)
def test_the_async_twins_write_before_they_return(method: str, captured: CapturedLogs) -> None:
    async def go() -> None:
        thread = threading.get_ident()
        with bound_context(run_id="r"):
            await getattr(log_of(), method)("paid %s", 3, a=1)
        assert threading.get_ident() == thread

    asyncio.run(go())
    assert captured[0]["event"] == "paid 3"
    assert captured[0]["run_id"] == "r"


def test_aexception_has_the_exception_that_is_being_handled(captured: CapturedLogs) -> None:
    async def go() -> None:
        try:
            fail("async")
        except ValueError:
            await log_of().aexception("failed")
        await log_of().alog("error", "alog", a=1)

    asyncio.run(go())
    assert captured[0]["error_message"] == "async"
    assert (captured[1]["level"], captured[1]["a"]) == ("error", 1)


def test_log_takes_numbers_and_words(captured: CapturedLogs) -> None:
    log = log_of()
    for level in (10, "info", "WARNING", 40, "critical", 25, 60, "nonsense"):
        log.log(level, str(level))
    assert [one["level"] for one in captured] == [
        "debug",
        "info",
        "warning",
        "error",
        "critical",
        "info",
        "critical",
        "info",
    ]


def test_a_level_that_has_no_word_keeps_its_name() -> None:
    with capture_logs(level="trace") as captured:
        log_of().log("trace", "e")
        log_of().log(25, "e")
        log_of().log(20, "e")
    assert [one.get("level_name") for one in captured] == ["trace", "level 25", None]


def test_positional_arguments_are_put_into_the_text(captured: CapturedLogs) -> None:
    log = log_of()
    log.info("paid %s of %d", "a", 3)
    log.info("user %(name)s", {"name": "bob"})
    log.info("100%")
    log.info("n %d", "x", args="mine")
    assert captured.events == ["paid a of 3", "user bob", "100%", "n %d"]
    assert captured[3]["args"] == "mine"
    assert captured[3]["format_error"].startswith("TypeError")


@pytest.mark.parametrize("name", ["self", "event", "level", "args", "fields", "msg", "method_name"])
def test_any_word_may_be_a_field(name: str, captured: CapturedLogs) -> None:
    log_of().info("e", **{name: "mine"})
    log_of().log("info", "e", **{name: "mine"})
    log_of(**{name: "mine"}).info("e")
    log_of().bind(a=1).info("e", **{name: "mine"})
    written = f"{name}_" if name in {"event", "level"} else name
    assert [one[written] for one in captured] == ["mine"] * 4
    assert captured.events == ["e"] * 4


def test_extra_is_spread_and_the_call_wins_over_it(captured: CapturedLogs) -> None:
    log_of().info("e", extra={"a": 1, "b": 2}, b=3)
    log_of().info("e", extra="not a mapping")
    assert (captured[0]["a"], captured[0]["b"]) == (1, 3)
    assert captured[1]["extra"] == "not a mapping"


def test_an_event_that_is_no_text_is_shown(captured: CapturedLogs) -> None:
    log_of().info(None)
    log_of().info(42)
    log_of().info({"a": 1})
    log_of().info()
    assert captured.events == ["", 42, {"a": 1}, ""]


def test_every_form_of_exc_info_means_the_same(captured: CapturedLogs) -> None:
    log = log_of()
    try:
        fail("told")
    except ValueError as error:
        log.exception("exception")
        log.warning("true", exc_info=True)
        log.warning("one", exc_info=error)
        log.warning("tuple", exc_info=(ValueError, error, error.__traceback__))
        log.warning("on warning", exc_info=1)
    assert [one["error_message"] for one in captured] == ["told"] * 5
    assert [one["error_type"] for one in captured] == ["ValueError"] * 5
    assert all("Traceback" in one["exception"] for one in captured)
    assert all("exc_info" not in one for one in captured)


@pytest.mark.parametrize("nothing", [True, False, None, (None, None, None), 0, ()])
def test_no_exception_leaves_no_field(nothing: object, captured: CapturedLogs) -> None:
    log_of().error("e", exc_info=nothing)
    log_of().exception("outside of except")
    assert all("exception" not in one and "exc_info" not in one for one in captured)


def test_stack_info_tells_the_stack_of_the_caller(captured: CapturedLogs) -> None:
    log_of().info("e", stack_info=True)
    log_of().info("e", stack_info="given")
    log_of().info("e", stack_info=False, stacklevel=2)
    assert captured[0]["stack"].startswith("Stack (most recent call last):")
    assert "test_stack_info_tells" in captured[0]["stack"]
    assert "logbraid/integrations" not in captured[0]["stack"]
    assert captured[1]["stack"] == "given"
    assert "stack" not in captured[2]
    assert "stacklevel" not in captured[2]


def test_is_enabled_for_and_the_effective_level_follow_the_gate() -> None:
    log = log_of()
    with capture_logs(level="warning"):
        assert log.is_enabled_for(30)
        assert not log.isEnabledFor(20)
        assert log.get_effective_level() == log.getEffectiveLevel() == 30
        logbraid.set_level("debug", logger="door")
        assert log.is_enabled_for(10)
        assert log.getEffectiveLevel() == 10


def test_a_record_below_the_gate_builds_nothing() -> None:
    class Touched:
        def __repr__(self) -> str:
            raise AssertionError("shown")

    with capture_logs(level="error") as captured:
        log_of().info("e %s", Touched(), a=Touched())
        log_of().exception("no exception to look for")
    assert captured.events == ["no exception to look for"]


def test_structlogs_own_capture_gets_the_records_while_it_is_open(captured: CapturedLogs) -> None:
    log = log_of(a=1)
    theirs = structlog.get_logger("door")
    theirs.info("cached before")
    with structlogs_capture() as entries:
        log.info("ours %s", 1, b=2)
        theirs.warning("theirs", c=3)
    log.info("after")
    assert [dict(one) for one in entries] == [
        {"a": 1, "b": 2, "event": "ours 1", "log_level": "info"},
        {"c": 3, "event": "theirs", "log_level": "warning"},
    ]
    assert captured.events == ["cached before", "after"]


def test_a_logger_comes_out_of_a_pickle_and_a_deep_copy_with_what_is_bound(
    captured: CapturedLogs,
) -> None:
    log = log_of(a=1)
    for one in (pickle.loads(pickle.dumps(log)), copy.deepcopy(log), copy.copy(log)):
        one.info("e")
        assert type(one) is BoundLogger
    assert [(one["logger"], one["a"]) for one in captured] == [("door", 1)] * 3


def test_a_logger_out_of_a_pickle_follows_the_level_of_its_name() -> None:
    log = pickle.loads(pickle.dumps(log_of()))
    with capture_logs(level="info") as captured:
        log.debug("no")
        logbraid.set_level("debug", logger="door")
        log.debug("yes")
    assert captured.events == ["yes"]


def test_a_deep_copy_still_hands_over_to_the_next_configuration() -> None:
    with capture_logs():
        log = copy.deepcopy(log_of())
    with capture_logs() as captured:
        log.info("e")
    assert captured.events == ["e"]


def test_the_repr_names_what_is_bound_and_never_its_value() -> None:
    text = repr(log_of(password="hunter2secret"))
    assert "password" in text
    assert "hunter2secret" not in text


def test_wrap_logger_with_a_chain_of_its_own_runs_that_chain(captured: CapturedLogs) -> None:
    kept: list[Any] = []

    def keep(_: Any, method: str, event_dict: Any) -> Any:
        kept.append((method, dict(event_dict)))
        raise structlog.DropEvent

    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[keep])
    log.info("theirs %s", 1, a=1)
    assert kept == [("info", {"a": 1, "event": "theirs 1"})]
    assert captured == []


def test_a_chain_of_its_own_writes_with_its_own_logger(
    captured: CapturedLogs, capsys: pytest.CaptureFixture[str]
) -> None:
    log = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[structlog.processors.JSONRenderer()]
    )
    log.warning("theirs", a=1)
    assert capsys.readouterr().out == '{"a": 1, "event": "theirs"}\n'
    assert captured == []


def test_a_chain_may_end_in_arguments_or_keywords_for_its_own_logger() -> None:
    class Writer:
        def __init__(self) -> None:
            self.heard: list[Any] = []

        def info(self, *args: Any, **fields: Any) -> None:
            self.heard.append((args, fields))

    with capture_logs():
        writer = Writer()

        def as_arguments(_: Any, __: str, told: Any) -> Any:
            return (told["event"],), {"a": told["a"]}

        for chain in ([as_arguments], [lambda _, __, told: told], []):
            structlog.wrap_logger(writer, processors=chain).info("e", a=1)
    assert writer.heard == [(("e",), {"a": 1})] + [((), {"event": "e", "a": 1})] * 2


# Loggers from before configuration


def test_loggers_bound_before_configuration_reach_us_scrubbed() -> None:
    structlog.reset_defaults()
    lazy = structlog.get_logger("lazy")
    old = structlog.get_logger("old").bind(a=1)
    with capture_logs() as captured, bound_context(tenant_id="acme"):
        lazy.info("lazy")
        old.info("old %s", 1, password="hunter2secret")
        old.bind(b=2).warning("bound further")
        try:
            fail("told")
        except ValueError:
            old.exception("failed")
    assert captured.events == ["lazy", "old 1", "bound further", "failed"]
    assert {one["tenant_id"] for one in captured} == {"acme"}
    assert captured[1]["password"] == "[REDACTED:password]"
    assert (captured[2]["a"], captured[2]["b"], captured[2]["level"]) == (1, 2, "warning")
    assert captured[3]["error_message"] == "told"


def test_a_chain_that_an_application_configured_before_reaches_us_and_comes_back() -> None:
    kept: list[Any] = []

    def keep(_: Any, __: str, event_dict: Any) -> Any:
        kept.append(event_dict["event"])
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.stdlib.add_log_level, keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger("before")
    log.info("theirs")  # cached from here on
    with capture_logs() as captured:
        log.info("ours")
        structlog.get_logger("new").info("new")
    log.info("theirs again")
    structlog.get_logger("newer").info("newer")
    assert captured.events == ["ours", "new"]
    assert kept == ["theirs", "theirs again", "newer"]


def test_a_stdlib_bound_logger_from_before_keeps_its_name_and_its_levels() -> None:
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    old = structlog.get_logger("std.old").bind(a=1)
    with capture_logs(level="info") as captured:
        old.info("paid %s", 3)
        old.error("bad", exc_info=ValueError("told"))
    assert captured.events == ["paid 3", "bad"]
    assert [one["logger"] for one in captured] == ["std.old"] * 2
    assert captured[1]["error_message"] == "told"


def test_our_own_loggers_made_before_configuration_work_after_it() -> None:
    log = log_of(a=1)
    method = log.info
    log.info("not written: below warning")
    with capture_logs() as captured:
        log.info("one")
        method("two")
    assert captured.events == ["one", "two"]


def test_a_configuration_of_someone_else_after_ours_stays_at_the_end() -> None:
    with capture_logs():
        structlog.configure(wrapper_class=structlog.BoundLogger)
        report = logbraid.check()
        assert any("structlog.configure()" in text for text in report.problems)
    assert structlog.get_config()["wrapper_class"] is structlog.BoundLogger


def test_a_chain_configured_after_ours_loses_no_line_and_is_told_by_check(
    captured: CapturedLogs,
) -> None:
    seen: list[str] = []

    def look(_: Any, __: str, event_dict: Any) -> Any:
        seen.append(event_dict["event"])
        return event_dict

    structlog.configure(processors=[look, structlog.processors.JSONRenderer()])
    structlog.get_logger("late").info("paid %s", 3, password="hunter2secret")
    assert seen == ["paid 3"]
    assert captured.events == ["paid 3"]
    assert captured[0]["password"] == "[REDACTED:password]"
    assert any("structlog.configure()" in text for text in logbraid.check().problems)


def test_structlog_is_unconfigured_again_where_it_was() -> None:
    structlog.reset_defaults()
    before = structlog.get_config()
    with capture_logs():
        assert structlog.is_configured()
    assert not structlog.is_configured()
    after = structlog.get_config()
    assert {name: after[name] for name in after if name != "processors"} == {
        name: before[name] for name in before if name != "processors"
    }
    assert after["processors"] == before["processors"]


def test_contextvars_of_structlog_stand_on_lines_of_all_libraries(captured: CapturedLogs) -> None:
    structlog.contextvars.bind_contextvars(peer="p-1", user_id="theirs", both="theirs")
    with bound_context(both="ours"):
        log_of().info("ours")
        logging.getLogger("door").info("logging")
    assert [one["peer"] for one in captured] == ["p-1"] * 2
    assert [one["user_id"] for one in captured] == ["theirs"] * 2
    assert [one["both"] for one in captured] == ["ours"] * 2
    structlog.contextvars.clear_contextvars()
    log_of().info("e")
    assert "peer" not in captured[2]


def test_many_loggers_of_one_name_share_one_gate() -> None:
    with capture_logs():
        assert log_of()._gate is log_of()._gate is structlog.get_logger("door").bind()._gate
