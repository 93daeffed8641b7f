"""The way of one record: its order, its last resort, and what stands in before configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import logbraid
from logbraid import pipeline
from logbraid.context import EMPTY, TracingContext, bound_context
from logbraid.health import health
from logbraid.pipeline import Pipeline, Unconfigured
from logbraid.record import CONTEXT_ORDER, ENVELOPE, FAILURE, Record
from logbraid.settings import Settings
from logbraid.sinks.memory import MemorySink
from logbraid.testing import capture_logs

NOW = 1_795_257_000_123_456_789


def made_of(**changes: Any) -> tuple[Pipeline, MemorySink]:
    sink = MemorySink()
    return Pipeline(Settings(clock=lambda: NOW, **changes), [sink]), sink


def line_of(made: Pipeline, record: Record) -> dict[str, Any]:
    line = made.make(record)
    assert line is not None
    told: dict[str, Any] = json.loads(line.text)
    return told


def test_fields_stand_in_the_order_that_was_drawn() -> None:
    made, _ = made_of(service="shop", env="test", version="1", level=10)
    error = ValueError("x" * 3000)
    with bound_context(shop=7, trace_id="t", run_id="r", tenant_id="acme"):
        told = line_of(
            made,
            Record(
                35,
                "app",
                "paid",
                {"z": 1, "a": 2},
                {"carried": 3},
                error=error,
                stack="the stack",
                level_name="notice",
            ),
        )
    assert list(told) == [
        "timestamp",
        "level",
        "logger",
        "event",
        "service",
        "env",
        "version",
        "tenant_id",
        "run_id",
        "trace_id",
        "shop",
        "carried",
        "z",
        "a",
        "error_type",
        "error_message",
        "exception",
        "stack",
        "truncated",
        "level_name",
    ]  # fmt: skip
    assert told["timestamp"] == "2026-11-21T10:30:00.123456Z"


def test_a_line_knows_its_tenant_and_its_utc_day() -> None:
    made, _ = made_of()
    with bound_context(tenant_id="acme"):
        line = made.make(Record(30, "app", "e", time_ns=0))
    assert line is not None
    assert (line.tenant, line.day) == ("acme", "1970-01-01")


def test_a_records_own_context_replaces_the_current_one() -> None:
    made, _ = made_of()
    with bound_context(tenant_id="stranger"):
        told = line_of(made, Record(30, "app", "e", context=EMPTY))
    assert "tenant_id" not in told


def test_a_fault_of_a_step_loses_the_text_and_not_the_event(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made, sink = made_of()

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2secret")

    monkeypatch.setattr(made.scrubber, "scrub_fields", failing, raising=True)
    health.reset()
    with bound_context(tenant_id="acme"):
        made.emit(Record(40, "app", "password=hunter2secret", {"a": "hunter2secret"}))
    (told,) = sink.records
    assert told["event"] == "[LINE_ERROR]"
    assert (told["level"], told["tenant_id"]) == ("error", "acme")
    assert b"hunter2secret" not in sink.lines[0]
    said = capfd.readouterr().err
    assert said == "logbraid: pipeline: RuntimeError\n"


def test_no_step_leaks_a_secret_whatever_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("normaliser.fields", "scrubber.scrub_fields", "scrubber.scrub_text", "ids.split"):
        made, sink = made_of()
        owner, _, name = step.partition(".")

        class Failing:
            def __init__(self, real: object, name: str) -> None:
                self.real, self.name = real, name

            def __getattr__(self, asked: str) -> Any:
                if asked == self.name:
                    raise ValueError("hunter2secret")
                return getattr(self.real, asked)

        if owner != "ids":
            monkeypatch.setattr(made, owner, Failing(getattr(made, owner), name))
            made.emit(Record(40, "app", "hunter2secret", error=ValueError("hunter2secret")))
            assert len(sink.lines) == 1
            assert b"hunter2secret" not in sink.lines[0]


def test_names_of_loggers_are_cut_cleaned_and_scrubbed() -> None:
    made, _ = made_of()
    secret = "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ"
    told = line_of(made, Record(30, f"app.{secret}", "e"))
    assert secret not in told["logger"]
    assert told["scrubbed"] == {"openai_key": 1}
    assert len(line_of(made, Record(30, "x" * 1000, "e"))["logger"]) == 200
    assert line_of(made, Record(30, "", "e"))["logger"] == "root"


def test_notes_count_secrets_by_kind_and_cuts_by_original_length() -> None:
    made, _ = made_of()
    told = line_of(
        made,
        Record(30, "app", "e", {"password": "hunter2secret", "t": "word " * 1000, "l": [1] * 500}),
    )
    assert told["scrubbed"] == {"password": 1}
    assert told["truncated"]["t"] == 5000
    assert told["truncated"]["..."] > 300


def test_a_record_below_its_gate_is_no_line() -> None:
    with capture_logs(level="warning"):
        made, _ = made_of()
        assert made.make(Record(20, "app", "e")) is None
        assert made.make(Record(20, "app", "e", admitted=True)) is not None


def test_close_closes_every_sink_even_if_one_fails(capfd: pytest.CaptureFixture[str]) -> None:
    closed: list[str] = []

    class Bad(MemorySink):
        def close(self) -> None:
            closed.append("bad")
            raise OSError(5, "no")

    class Good(MemorySink):
        def close(self) -> None:
            closed.append("good")

    health.reset()
    Pipeline(Settings(), [Bad("bad"), Good("good")]).close()
    assert closed == ["bad", "good"]
    assert "sink bad: OSError (errno 5)" in capfd.readouterr().err


def test_a_sink_that_fails_does_not_keep_a_line_from_the_next() -> None:
    class Full(MemorySink):
        def write(self, line: bytes, tenant: str | None, day: str) -> None:
            raise OSError(28, "No space left on device")

    health.reset()
    good = MemorySink("good")
    made = Pipeline(Settings(), [Full("full"), good])
    for _ in range(3):
        made.emit(Record(30, "app", "e"))
    told = logbraid.stats()
    assert len(good.lines) == 3
    assert told.written == 3
    assert dict(told.sinks["full"].dropped) == {"disk_full": 3}


def test_before_configuration_warnings_go_to_stderr_as_scrubbed_json(
    capfd: pytest.CaptureFixture[str],
) -> None:
    standing_in = Unconfigured()
    assert standing_in.fast() is False
    standing_in.emit(Record(20, "app", "no"))
    standing_in.emit(Record(30, "app", "yes", {"password": "hunter2secret"}))
    told = json.loads(capfd.readouterr().err)
    assert (told["event"], told["password"]) == ("yes", "[REDACTED:password]")


def test_emit_asks_the_gate() -> None:
    with capture_logs(level="warning") as logs:
        pipeline.emit(20, "app", "no")
        pipeline.emit(30, "app", "yes", {"a": 1})
    assert [(one["event"], one["a"]) for one in logs] == [("yes", 1)]


def test_the_caller_s_objects_are_never_changed() -> None:
    made, _ = made_of()
    tree: Mapping[str, Any] = {
        "password": "hunter2secret",
        "l": [{"token": "abc"}],
        "t": "w" * 9000,
    }
    before = json.dumps(tree)
    made.make(Record(30, "app", "e", tree, {"carried": tree}))
    assert json.dumps(tree) == before


# Names that clash

CLASHING = sorted({*ENVELOPE, *FAILURE, *CONTEXT_ORDER, "a", "module"})
"""Names that are ours, and two that are nobody's."""

some_names = st.builds(
    lambda name, behind: name + behind,
    st.sampled_from(CLASHING),
    st.sampled_from(["", "", "_", "__", "_#2", "_#3"]),
)


def some_fields(first: int) -> st.SearchStrategy[dict[str, int]]:
    """Return fields whose values are numbers that no other place has."""
    return st.lists(some_names, unique=True, max_size=8).map(
        lambda found: {name: first + place for place, name in enumerate(found)}
    )


@given(
    settings_fields=some_fields(100_000),
    context=some_fields(200_000),
    carried=some_fields(300_000),
    called=some_fields(400_000),
    options=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_every_value_is_in_the_line_under_some_name_whatever_names_clash(
    settings_fields: dict[str, int],
    context: dict[str, int],
    carried: dict[str, int],
    called: dict[str, int],
    options: tuple[bool, bool, bool],
) -> None:
    failed, has_callsite, has_processor = options
    made, _ = made_of(
        fields={name: str(value) for name, value in settings_fields.items()},
        callsite=has_callsite,
        processors=(lambda _, __, told: told,) if has_processor else (),
    )
    record = Record(
        40,
        "app",
        "e",
        called,
        carried,
        error=ValueError("no") if failed else None,
        context=TracingContext(context),
        callsite=("here", "f", 7),
    )
    told = line_of(made, record)
    wanted = {**settings_fields, **context, **carried, **called}
    if "tenant_id" in context:
        wanted["tenant_id"] = context["tenant_id"]
        refused = {**carried, **called}.get("tenant_id")
        assert refused is None or refused in told.values()
    said = {str(value) for value in told.values()}
    assert {str(value) for value in wanted.values()} <= said


@given(fields=some_fields(0), carried=some_fields(100), bound=some_fields(200))
def test_every_door_keeps_every_value_whatever_names_clash(
    fields: dict[str, int], carried: dict[str, int], bound: dict[str, int]
) -> None:
    with capture_logs() as logs:
        bound.pop("tenant_id", None)
        with bound_context(**bound):
            logbraid.get_logger("app", **carried).info("e", **fields)
    said = {str(value) for value in logs[0].values()}
    assert {str(value) for value in {**bound, **carried, **fields}.values()} <= said


def test_who_gave_the_name_with_a_trailing_line_keeps_it() -> None:
    with capture_logs() as logs:
        logbraid.get_logger("app").info("e", level=1, level_=2)
        with bound_context(level=3):
            logbraid.get_logger("app").info("e", level_=4)
        with bound_context(tenant_id="acme"):
            logbraid.get_logger("app").info("e", tenant_id="evil", tenant_id_="kept")
    first, second, third = logs
    assert (first["level"], first["level_"], first["level_#2"]) == ("info", 2, 1)
    assert (second["level_"], second["level_#2"]) == (4, 3)
    assert (third["tenant_id"], third["tenant_id_"], third["tenant_id_#2"]) == (
        "acme",
        "kept",
        "evil",
    )


def test_a_service_that_holds_a_secret_is_scrubbed_in_every_line() -> None:
    secret = "sk-proj-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ"
    with capture_logs(service=f"shop {secret}", env="dev") as logs:
        logbraid.get_logger("app").info("e")
        logbraid.get_logger("app").info("e", a=object())
    assert [one["service"] for one in logs] == ["shop [REDACTED:openai_key]"] * 2
    assert logs[0]["env"] == "dev"


def test_a_hundred_thousand_names_cost_no_more_than_a_thousand() -> None:
    many = {f"name{number}": number for number in range(100_000)}
    with capture_logs() as records:
        logbraid.get_logger("app").info("fields", **many)
        with bound_context(**many):
            logbraid.get_logger("app").info("context")
    assert all(len(line) <= 200 for line in records)
    assert records[0]["truncated"]["..."] > 99_000


def test_of_more_text_than_a_line_can_hold_only_the_length_is_told() -> None:
    tree = {f"k{number}": f"{number} " + "4111 " * 600 for number in range(40)}
    with capture_logs() as records:
        logbraid.get_logger("app").info("much", tree=tree, last="x" * 3000)
    (record,) = records
    assert record["tree"]["k0"].startswith("0 4")
    assert record["tree"]["k39"] == "...[3003 chars]"
    assert record["last"] == "...[3000 chars]"
    assert record["truncated"]["last"] == 3000
