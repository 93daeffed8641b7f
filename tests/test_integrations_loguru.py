"""The door from loguru: every way of its API, and what users do to its handlers."""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import loguru
import pytest

import logbraid
from logbraid.context import bound_context
from logbraid.integrations import loguru as integration
from logbraid.testing import CapturedLogs, capture_logs

log: Any = loguru.logger


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.fixture
def captured() -> Iterator[CapturedLogs]:
    with capture_logs() as logs:
        log.info("the first one looks around")
        logs.clear()
        yield logs


@pytest.mark.parametrize(
    ("method", "level", "name"),
    [
        ("trace", "debug", "trace"),
        ("debug", "debug", None),
        ("info", "info", None),
        ("success", "info", "success"),
        ("warning", "warning", None),
        ("error", "error", None),
        ("critical", "critical", None),
        ("exception", "error", None),
    ],
)
def test_every_level_has_its_word_and_keeps_its_name(
    method: str, level: str, name: str | None
) -> None:
    with capture_logs(level="trace") as captured:
        getattr(log, method)("e")
    assert (captured[0]["level"], captured[0].get("level_name")) == (level, name)


def test_a_level_of_ones_own_keeps_its_name(captured: CapturedLogs) -> None:
    log.log(33, "by number")
    assert (captured[0]["level"], captured[0]["level_name"]) == ("warning", "level 33")


def test_keywords_fill_the_braces_and_are_fields(captured: CapturedLogs) -> None:
    log.info("paid {amount} to {}", "bob", amount=3)  # noqa: PLE1205 - braces are loguru's
    assert captured[0]["event"] == "paid 3 to bob"
    assert captured[0]["amount"] == 3


def test_bind_shows_on_lines_of_that_logger_only(captured: CapturedLogs) -> None:
    log.bind(part="a", password="hunter2secret").info("bound")
    log.info("plain")
    assert (captured[0]["part"], captured[0]["password"]) == ("a", "[REDACTED:password]")
    assert "part" not in captured[1]


def test_contextualize_shows_on_lines_of_loguru_only(captured: CapturedLogs) -> None:
    with log.contextualize(task="t-1", user_id="u-1"):
        log.info("loguru")
        logbraid.get_logger().info("ours")
    log.info("after")
    assert (captured[0]["task"], captured[0]["user_id"]) == ("t-1", "u-1")
    assert "task" not in captured[1]
    assert "task" not in captured[2]


def test_the_context_is_on_lines_of_loguru_and_its_tenant_stays(captured: CapturedLogs) -> None:
    with bound_context(tenant_id="acme", run_id="r"):
        log.bind(tenant_id="evil").info("e")
        log.info("{tenant_id}", tenant_id="evil")
    assert [(one["tenant_id"], one["tenant_id_"], one["run_id"]) for one in captured] == [
        ("acme", "evil", "r")
    ] * 2


def test_opt_exception_in_every_form_is_written(captured: CapturedLogs) -> None:
    try:
        fail("told")
    except ValueError as error:
        log.exception("exception")
        log.opt(exception=True).warning("true")
        log.opt(exception=error).warning("one")
        log.opt(exception=(ValueError, error, error.__traceback__)).warning("tuple")
    assert [one["error_message"] for one in captured] == ["told"] * 4
    assert all("Traceback" in one["exception"] for one in captured)


def test_local_variables_never_stand_in_a_traceback(captured: CapturedLogs) -> None:
    # F40
    def with_local(secret: str) -> None:
        fail("told")

    try:
        with_local("value-local-canary"[::-1])  # the text of this line is in the traceback
    except ValueError:
        log.exception("failed")
    assert "with_local" in captured[0]["exception"]
    assert "yranac-lacol-eulav" not in str(captured)


def test_opt_exception_outside_of_except_leaves_no_field(captured: CapturedLogs) -> None:
    log.opt(exception=True).info("none")
    log.exception("none either")  # noqa: LOG004 - this is what is tested
    assert captured.events == ["none", "none either"]
    assert all("exception" not in one for one in captured)


def test_opt_lazy_is_called_only_where_it_is_wanted() -> None:
    called: list[str] = []

    def costly() -> str:
        called.append("yes")
        return "value"

    with capture_logs(level="info") as captured:
        log.opt(lazy=True).debug("no {}", costly)
        log.opt(lazy=True).info("yes {}", costly)
    assert captured.events == ["yes value"]
    assert called == ["yes"]


def test_opt_record_raw_colors_and_depth_work(captured: CapturedLogs) -> None:
    log.opt(record=True).info("level {record[level].name}")
    log.opt(raw=True).info("raw\n")
    log.opt(colors=True).info("<red>red</red>")
    log.opt(depth=0).info("depth")
    assert captured.events == ["level INFO", "raw\n", "red", "depth"]


def test_patch_changes_the_record_that_is_written(captured: CapturedLogs) -> None:
    log.patch(lambda record: record["extra"].update(patched=True)).info("e")
    odd: Any = {1: "one", None: "two"}
    log.patch(lambda record: record["extra"].update(odd)).info("odd names")
    assert captured[0]["patched"] is True
    assert captured[1]["1"] == "one"


def test_catch_writes_the_exception_and_goes_on(captured: CapturedLogs) -> None:
    log.catch(fail)("caught")
    with log.catch(message="in a block"):
        fail("blocked")
    assert [one["error_message"] for one in captured] == ["caught", "blocked"]
    assert captured[1]["event"] == "in a block"


def test_braces_that_do_not_fit_raise_in_loguru_with_us_as_without(captured: CapturedLogs) -> None:
    # F35
    with pytest.raises(KeyError):
        log.info("body {status}", code=503)
    log.info("body {status} alone is text")
    assert captured.events == ["body {status} alone is text"]


def test_remove_at_start_up_takes_us_away_and_check_brings_us_back(
    captured: CapturedLogs,
) -> None:
    log.remove()
    log.info("not heard")
    logbraid.check()
    log.info("heard")
    assert captured.events == ["heard"]


def test_a_sink_added_afterwards_is_told_by_check(captured: CapturedLogs) -> None:
    stream = StringIO()
    number = log.add(stream, diagnose=True)
    try:
        problems = " ".join(logbraid.check().problems)
    finally:
        log.remove(number)
    assert "loguru has a sink that was added after configure_logging()" in problems
    assert "diagnose=True" in problems
    log.info("still ours")
    assert captured.events == ["still ours"]


def test_handlers_from_before_are_silent_meanwhile_and_alive_again_afterwards() -> None:
    stream = StringIO()
    number = log.add(stream, format="{message}", level="INFO")
    try:
        log.info("before")
        with capture_logs() as captured:
            log.info("ours")
        log.info("after")
        assert captured.events == ["ours"]
        assert stream.getvalue() == "before\nafter\n"
    finally:
        log.remove(number)


def test_the_level_of_loguru_is_put_back() -> None:
    core: Any = log._core
    before = core.min_level
    with capture_logs(level="error"):
        assert core.min_level == 40
    assert core.min_level == before


def test_a_sink_added_while_we_are_configured_stays_at_the_end() -> None:
    stream = StringIO()
    with capture_logs():
        number = log.add(stream, format="{message}")
    try:
        log.info("theirs")
        assert stream.getvalue() == "theirs\n"
    finally:
        log.remove(number)


def test_a_logger_copied_or_pickled_still_reaches_us(captured: CapturedLogs) -> None:
    log.bind(a=1).bind(b=2).opt(depth=0).info("derived")
    assert (captured[0]["a"], captured[0]["b"]) == (1, 2)
    assert pickle.dumps({"logged": captured[0]})


def test_a_repr_that_logs_does_not_deadlock(captured: CapturedLogs) -> None:
    class Loud:
        def __repr__(self) -> str:
            log.info("inner")
            return "Loud()"

    log.bind(loud=Loud()).info("outer")
    assert sorted(captured.events) == ["inner", "outer"]
    assert captured.only(event="inner")[0]["reentrant"] is True


def test_lines_of_many_threads_carry_their_own_context(captured: CapturedLogs) -> None:
    def work(number: int) -> None:
        with bound_context(tenant_id=f"t{number}"):
            for _ in range(20):
                log.info("{}", number)  # noqa: PLE1205 - braces are loguru's

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(captured) == 160
    assert all(one["tenant_id"] == f"t{one['event']}" for one in captured)


def test_complete_in_asyncio_returns_at_once(captured: CapturedLogs) -> None:
    # F13
    async def go() -> None:
        log.info("async")
        await asyncio.wait_for(_complete(), 5)

    async def _complete() -> None:
        await log.complete()

    asyncio.run(go())
    assert captured.events == ["async"]


def test_loguru_imported_after_configuration_is_taken_over() -> None:
    kept = {name: module for name, module in sys.modules.items() if name.startswith("loguru")}
    for name in kept:
        del sys.modules[name]
    try:
        with capture_logs() as captured:
            import loguru as anew  # noqa: PLC0415 - this is what is tested

            assert anew is not loguru
            anew.logger.info("at first use", a=1)
            waiting = [getattr(one, "_name", None) for one in sys.meta_path]
            assert "loguru" not in waiting
        assert captured.events == ["at first use"]
    finally:
        for name in [name for name in sys.modules if name.startswith("loguru")]:
            del sys.modules[name]
        sys.modules.update(kept)


def test_names_of_loguru_are_modules_and_follow_their_parents_level() -> None:
    with capture_logs(levels={__name__.rpartition(".")[0] or __name__: "error"}) as captured:
        log.warning("no")
        log.error("yes")
    assert [(one["logger"], one["event"]) for one in captured] == [(__name__, "yes")]


def test_a_loguru_whose_table_has_another_shape_loses_its_handlers_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = StringIO()
    log.add(stream, format="{message}")
    monkeypatch.setattr(integration, "_core", lambda _: None)
    with capture_logs(level="info") as captured:
        log.info("ours")
        log.debug("no")
        logbraid.set_level("debug")
        log.debug("yes")
        logbraid.check()
    log.info("nobody is left")
    assert captured.events == ["ours", "yes"]
    assert stream.getvalue() == ""
    said = capfd.readouterr().err
    assert said.count("loguru's handlers were removed: its table has a new shape") == 1
