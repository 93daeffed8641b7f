"""Context that others keep: registries, mappings, callables, and OpenTelemetry's current span."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextvars import ContextVar
from typing import Any

import pytest

import logbraid
from logbraid.context import bound_context
from logbraid.integrations.providers import layer_of
from logbraid.testing import capture_logs

VARIABLE: ContextVar[str] = ContextVar("providers_variable", default="unset")


def test_a_callable_and_a_mapping_add_context_and_ours_wins() -> None:
    state = {"shop": "mapping", "both": "mapping"}
    with (
        capture_logs(
            context_providers=[state, lambda: {"variable": VARIABLE.get(), "shop": "callable"}]
        ) as logs,
        bound_context(both="ours"),
    ):
        VARIABLE.set("now")
        logbraid.get_logger("p").info("ours")
        logging.getLogger("p").info("std")
        state["later"] = "seen"
        logbraid.get_logger("p").info("ours")
    assert [one["variable"] for one in logs] == ["now"] * 3
    assert [one["shop"] for one in logs] == ["callable"] * 3
    assert [one["both"] for one in logs] == ["ours"] * 3
    assert [one.get("later") for one in logs] == [None, None, "seen"]


def test_a_provider_that_fails_or_knows_nothing_costs_no_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def failing() -> dict[str, Any]:
        raise ValueError("password=hunter2secret")

    with capture_logs(context_providers=[failing, lambda: None, lambda: {"a": 1}]) as logs:
        logbraid.get_logger("p").info("e")
        logbraid.get_logger("p").info("e")
    assert [one["a"] for one in logs] == [1, 1]
    said = capfd.readouterr().err
    assert said.count("context provider: ValueError") == 1
    assert "hunter2secret" not in said


def test_secrets_and_reserved_names_of_a_provider_are_treated_like_any() -> None:
    with capture_logs(
        context_providers=[lambda: {"password": "hunter2secret", "level": "forged", "user_id": "u"}]
    ) as logs:
        logbraid.get_logger("p").info("e")
    told = logs[0]
    assert told["password"] == "[REDACTED:password]"
    assert (told["level"], told["level_"], told["user_id"]) == ("info", "forged", "u")


def test_a_tenant_of_a_provider_counts_as_bound() -> None:
    with capture_logs(context_providers=[lambda: {"tenant_id": "acme"}]) as logs:
        logbraid.get_logger("p").info("e", tenant_id="evil")
    assert (logs[0]["tenant_id"], logs[0]["tenant_id_"]) == ("acme", "evil")


def test_a_registry_of_contextvars_extras_is_a_provider() -> None:
    extras = pytest.importorskip("contextvars_extras")

    class Registry(extras.ContextVarsRegistry):  # type: ignore[misc,name-defined]  # untyped
        user_id: str = "u-default"
        shop: str = "s-default"
        unset: str

    registry = Registry()
    with capture_logs(context_providers=[registry]) as logs:
        with registry(user_id="u-1"):
            logbraid.get_logger("p").info("within")
            logging.getLogger("p").info("std")
        logbraid.get_logger("p").info("after")
    assert [one["user_id"] for one in logs] == ["u-1", "u-1", "u-default"]
    assert [one["shop"] for one in logs] == ["s-default"] * 3
    assert "unset" not in logs[0]


def test_a_mapping_is_read_anew_at_each_record() -> None:
    state: dict[str, Any] = {}
    layer = layer_of(state)
    assert layer() == {}
    state["a"] = 1
    assert layer() == {"a": 1}


def test_the_current_span_of_opentelemetry_gives_trace_and_span() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    tracer = sdk.TracerProvider().get_tracer("test")
    with capture_logs() as logs:
        with tracer.start_as_current_span("work") as span:
            logbraid.get_logger("p").info("ours")
            logging.getLogger("p").info("std")
            with bound_context(trace_id=format(span.get_span_context().trace_id, "032x")):
                logbraid.get_logger("p").info("part of ours")
            with bound_context(trace_id="of-another-trace"):
                logbraid.get_logger("p").info("another trace")
        logbraid.get_logger("p").info("after")
    context = span.get_span_context()
    expected = (format(context.trace_id, "032x"), format(context.span_id, "016x"))
    assert [(one["trace_id"], one["span_id"]) for one in logs[:3]] == [expected] * 3
    assert logs[3]["trace_id"] == "of-another-trace"
    assert "span_id" not in logs[3]
    assert "trace_id" not in logs[4]


def test_nobody_imports_opentelemetry_for_a_span() -> None:
    text = (
        "import sys, logbraid; logbraid.configure_logging(); logbraid.get_logger().info('e')\n"
        "sys.exit('opentelemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
