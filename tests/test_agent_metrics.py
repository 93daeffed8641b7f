"""Metrics: what is counted from traces and events, bounded labels, scrapes, and the alert rules."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import uvicorn
from prometheus_client import CollectorRegistry

import logbraid
from logbraid.agent import ActionTracer, AgentMetrics, TraceEntry, metrics_app
from logbraid.agent.metrics_table import SEMCONV, TABLE, rows_of

EXAMPLES = Path(__file__).parent.parent / "examples" / "prometheus"
PROMTOOL = shutil.which("promtool")
PROMETHEUS = shutil.which("prometheus")
SECRET = "sk-proj-Zk3vQ9xR7tB2mN8cL5wY1aD4"


class EventType(str, Enum):  # noqa: UP042 - as agentao has it
    TURN_BEGIN = "turn_begin"
    TURN_END = "turn_end"
    TOOL_COMPLETE = "tool_complete"
    LLM_CALL_COMPLETED = "llm_call_completed"
    TOOL_CONFIRMATION = "tool_confirmation"


class AgentEvent:
    def __init__(self, kind: EventType, **data: Any) -> None:
        self.type = kind
        self.data = data


class Setting:
    """Metrics in a registry of their own, and what they say."""

    def __init__(self, **options: Any) -> None:
        self.registry = CollectorRegistry()
        self.metrics = AgentMetrics(registry=self.registry, **options)
        self.tracer = ActionTracer(log=False)
        self.metrics.attach(self.tracer)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def text(self) -> str:
        return prometheus_client.generate_latest(self.registry).decode()

    def run_one_turn(self) -> None:
        with self.tracer.trace("turn"):
            with self.tracer.trace("llm_call", connector="openai") as call:
                call.model = "gpt-4o"
                call.prompt_tokens, call.completion_tokens = 1000, 50
                call.cached_tokens, call.reasoning_tokens = 400, 10
            with self.tracer.trace("tool_call", operation="search"):
                pass
            with suppress(RuntimeError), self.tracer.trace("tool_call", operation="search"):
                raise RuntimeError


# From traces


def test_the_eleven_are_counted_from_the_entries_of_a_tracer() -> None:
    one = Setting()
    one.run_one_turn()
    tracer = one.tracer
    tracer.record(TraceEntry(action="llm_call", status="error", status_code=503))
    tracer.record(TraceEntry(action="llm_call", status="timeout"))
    tracer.record(TraceEntry(action="llm_call", status="error", error_class="openai.APIError"))
    tracer.record(TraceEntry(action="confirm", metadata={"outcome": "reject"}))
    tracer.record(TraceEntry(action="confirm"))
    tracer.record(TraceEntry(action="confirm", status="timeout"))
    tracer.record(TraceEntry(action="max_iterations"))
    tracer.record(TraceEntry(action="load_assets"))
    assert one.value("agent_turns_total") == 1
    assert one.value("agent_turn_duration_seconds_count") == 1
    assert one.value("agent_tool_calls_total", tool="search", status="ok") == 1
    assert one.value("agent_tool_calls_total", tool="search", status="error") == 1
    assert one.value("agent_tool_duration_seconds_count", tool="search") == 2
    assert one.value("agent_llm_tokens_total", kind="prompt") == 1000
    assert one.value("agent_llm_tokens_total", kind="completion") == 50
    assert one.value("agent_llm_tokens_total", kind="cached") == 400
    assert one.value("agent_llm_tokens_total", kind="reasoning") == 10
    assert one.value("agent_llm_errors_total", error_type="http_503") == 1
    assert one.value("agent_llm_errors_total", error_type="timeout") == 1
    assert one.value("agent_llm_errors_total", error_type="APIError") == 1
    assert one.value("agent_llm_calls_total", status="ok") == 1
    for outcome in ("reject", "allow", "timeout"):
        assert one.value("agent_confirm_requests_total", outcome=outcome) == 1
    assert one.value("agent_max_iterations_total") == 1


def test_durations_are_in_seconds() -> None:
    one = Setting()
    one.tracer.record(TraceEntry(action="turn", duration_ms=1500.0))
    one.tracer.record(TraceEntry(action="tool_call", operation="x", duration_ms=250.0))
    assert one.value("agent_turn_duration_seconds_sum") == 1.5
    assert one.value("agent_tool_duration_seconds_sum", tool="x") == 0.25


def test_attach_counts_once_and_detach_ends_it() -> None:
    one = Setting()
    one.metrics.attach(one.tracer)
    one.tracer.record(TraceEntry(action="turn"))
    one.metrics.detach()
    one.tracer.record(TraceEntry(action="turn"))
    assert one.value("agent_turns_total") == 1


def test_two_objects_share_the_metrics_of_one_registry() -> None:
    registry = CollectorRegistry()
    tracers = [ActionTracer(log=False) for _ in range(2)]
    for tracer, semconv in zip(tracers, SEMCONV, strict=False):
        AgentMetrics(registry=registry, semconv=semconv).attach(tracer)
        tracer.record(TraceEntry(action="turn"))
    assert registry.get_sample_value("agent_turns_total") == 2


# From events


def test_the_events_of_an_agent_framework_are_counted() -> None:
    one = Setting()
    on_event = one.metrics.on_event
    with logbraid.bound_context(session_id="s-1"):
        on_event(AgentEvent(EventType.TURN_BEGIN, user_message="hi"))
        on_event(
            AgentEvent(
                EventType.TOOL_COMPLETE, tool="read", status="ok", duration_ms=100, error=None
            )
        )
        on_event(AgentEvent(EventType.TOOL_COMPLETE, tool="read", status="error", duration_ms=5))
        on_event(
            AgentEvent(
                EventType.LLM_CALL_COMPLETED,
                duration_ms=900,
                prompt_tokens=70,
                completion_tokens=7,
            )
        )
        on_event(
            AgentEvent(EventType.LLM_CALL_COMPLETED, status="error", error_class="RateLimitError")
        )
        on_event(AgentEvent(EventType.TOOL_CONFIRMATION, tool="rm", args={}))
        on_event(AgentEvent(EventType.TURN_END, status="ok", incomplete_reason="max_iterations"))
    assert one.value("agent_turns_total") == 1
    assert one.value("agent_turn_duration_seconds_count") == 1
    assert one.value("agent_tool_calls_total", tool="read", status="ok") == 1
    assert one.value("agent_tool_calls_total", tool="read", status="error") == 1
    assert one.value("agent_tool_duration_seconds_sum", tool="read") == pytest.approx(0.105)
    assert one.value("agent_llm_tokens_total", kind="prompt") == 70
    assert one.value("agent_llm_errors_total", error_type="RateLimitError") == 1
    assert one.value("agent_confirm_requests_total", outcome="request") == 1
    assert one.value("agent_max_iterations_total") == 1


def test_a_turn_lasts_from_its_own_begin_to_its_own_end() -> None:
    one = Setting()

    async def turn(session: str, seconds: float) -> None:
        with logbraid.bound_context(session_id=session):
            one.metrics.on_event(AgentEvent(EventType.TURN_BEGIN))
            await asyncio.sleep(seconds)
            one.metrics.on_event(AgentEvent(EventType.TURN_END))

    async def main() -> None:
        await asyncio.gather(turn("a", 0.3), turn("b", 0.05))

    asyncio.run(main())
    total = one.value("agent_turn_duration_seconds_sum")
    assert total is not None
    assert 0.3 < total < 2.0


@pytest.mark.parametrize(
    "event",
    [
        None,
        3,
        AgentEvent(EventType.TOOL_COMPLETE, tool=None, status=7, duration_ms="soon"),
        AgentEvent(EventType.LLM_CALL_COMPLETED, prompt_tokens=float("nan"), model=[1]),
        AgentEvent(EventType.TURN_END, duration_ms=-5),
        AgentEvent(EventType.TOOL_CONFIRMATION, outcome=object()),
        {"type": "tool_complete", "data": None},
    ],
)
def test_no_event_raises_and_the_next_one_counts(event: Any) -> None:
    one = Setting()
    one.metrics.on_event(event)
    one.metrics.on_event(AgentEvent(EventType.TOOL_COMPLETE, tool="next", status="ok"))
    assert one.value("agent_tool_calls_total", tool="next", status="ok") == 1
    assert "nan" not in one.text().lower()


@pytest.mark.parametrize("value", [math.nan, math.inf, -5, "12", "x", None, 10**400, 1e300, [1]])
@pytest.mark.parametrize(
    "name",
    ["duration_ms", "prompt_tokens", "cached_tokens", "status_code", "status", "error_class",
     "operation", "metadata"],
)  # fmt: skip
def test_no_number_of_an_entry_spoils_a_sum(name: str, value: Any) -> None:
    one = Setting(semconv="both")
    for action in ("turn", "llm_call", "tool_call", "confirm"):
        entry = TraceEntry(action=action, operation="search", status="error")
        setattr(entry, name, value)
        one.metrics.on_entry(entry)
        one.tracer.record(entry)
    values = [float(line.split()[-1]) for line in one.text().splitlines() if line[0] != "#"]
    assert all(0 <= value < 1e12 for value in values)
    assert one.value("agent_turns_total") == 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({}, "ok"),
        ({"status": "success"}, "ok"),
        ({"status": "Completed"}, "ok"),
        ({"status": "failed"}, "error"),
        ({"status": "what?"}, "error"),
        ({"status": "canceled"}, "cancelled"),
        ({"status": "timed_out"}, "timeout"),
        ({"error": "boom"}, "error"),
        ({"error": None, "success": True}, "ok"),
        ({"success": False}, "error"),
    ],
)
def test_the_words_of_frameworks_for_how_a_tool_ended_are_known(
    data: dict[str, Any], status: str
) -> None:
    one = Setting()
    one.metrics.on_event({"type": "tool_complete", "data": {"tool": "read", **data}})
    assert one.value("agent_tool_calls_total", tool="read", status=status) == 1


def test_no_number_of_error_classes_hides_the_status_codes_that_alerts_ask_for() -> None:
    one = Setting()
    for number in range(100):
        one.tracer.record(TraceEntry(action="llm_call", status="error", error_class=f"E{number}"))
    one.tracer.record(TraceEntry(action="llm_call", status="error", status_code=503))
    assert one.value("agent_llm_errors_total", error_type="http_503") == 1
    assert one.value("agent_llm_errors_total", error_type="_other") == 50


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("approve", "allow"),
        (True, "allow"),
        ("declined", "reject"),
        ("timed_out", "timeout"),
        ("?", "_other"),
    ],
)
def test_the_words_for_the_outcome_of_a_confirmation_are_known(word: object, outcome: str) -> None:
    one = Setting()
    with one.tracer.trace("confirm", outcome=word):
        pass
    assert one.value("agent_confirm_requests_total", outcome=outcome) == 1


def test_a_duration_that_nobody_told_is_no_duration_of_zero() -> None:
    one = Setting()
    one.metrics.on_event(AgentEvent(EventType.TURN_END, status="ok"))
    one.metrics.on_event(AgentEvent(EventType.TOOL_COMPLETE, tool="read", status="ok"))
    assert one.value("agent_tool_calls_total", tool="read", status="ok") == 1
    assert one.value("agent_turn_duration_seconds_count") == 0
    assert one.value("agent_tool_duration_seconds_count", tool="read") is None


def test_who_tells_of_no_cached_tokens_has_no_hits_and_who_tells_nothing_is_not_asked() -> None:
    silent, tells, told = Setting(), Setting(), Setting()
    with silent.tracer.trace("llm_call") as call:
        call.prompt_tokens = 100
    silent.tracer.record(TraceEntry(action="llm_call", prompt_tokens=100))
    silent.metrics.on_event(AgentEvent(EventType.LLM_CALL_COMPLETED, prompt_tokens=100))
    with tells.tracer.trace("llm_call") as call:
        call.prompt_tokens, call.cached_tokens = 100, 0
    told.metrics.on_event(AgentEvent(EventType.LLM_CALL_COMPLETED, cache_read_tokens=0))
    cached = [one.value("agent_llm_tokens_total", kind="cached") for one in (silent, tells, told)]
    assert cached == [None, 0, 0]


# Labels


def test_beyond_max_tools_the_rest_is_other() -> None:
    one = Setting(max_tools=3)
    for number in range(50):
        one.tracer.record(TraceEntry(action="tool_call", operation=f"tool{number}"))
    assert one.value("agent_tool_calls_total", tool="_other", status="ok") == 47
    assert one.text().count("agent_tool_calls_total{") == 4


def test_names_made_up_for_one_call_take_no_place() -> None:
    one = Setting(max_tools=5)
    for number in range(50):
        for name in (f"call_{uuid.uuid4()}", f"get_{number:08x}", f"order-{12345 + number}"):
            one.tracer.record(TraceEntry(action="tool_call", operation=name))
    real = ("sha256_of", "base64_decode", "iso8601_parse", "get_facade", "search_20250305")
    for name in real:
        one.tracer.record(TraceEntry(action="tool_call", operation=name))
    assert one.value("agent_tool_calls_total", tool="_other", status="ok") == 150
    for name in real:
        assert one.value("agent_tool_calls_total", tool=name, status="ok") == 1


def test_a_model_may_have_any_number_in_its_name() -> None:
    one = Setting(semconv="latest")
    for model in ("claude-3-opus-20240229", "ft-gpt-4o-0f3c9a1b"):
        one.tracer.record(TraceEntry(action="llm_call", model=model))
        assert f'gen_ai_request_model="{model}"' in one.text()


def test_no_label_holds_a_secret_a_sentence_or_an_id() -> None:
    one = Setting(semconv="both")
    with logbraid.bound_context(tenant_id="acme-tenant", user_id="u-777", session_id="s-888"):
        for name in (SECRET, "please run rm -rf /", "a\nb", "", "x" * 500, f"get?token={SECRET}"):
            one.tracer.record(TraceEntry(action="tool_call", operation=name))
            one.tracer.record(
                TraceEntry(
                    action="llm_call", model=name, connector=name, status="error", error_class=name
                )
            )
    text = one.text()
    for canary in (SECRET, "please", "acme-tenant", "u-777", "s-888", "x" * 65):
        assert canary not in text
    assert one.value("agent_tool_calls_total", tool="_other", status="ok") == 6


# Names


def test_semconv_says_which_genai_names_there_are() -> None:
    names = {semconv: {row.name for row in rows_of(semconv)} for semconv in SEMCONV}
    assert "gen_ai_client_token_usage" in names["1.41"] - names["latest"]
    assert "gen_ai_execute_tool_duration_seconds" in names["latest"] - names["1.41"]
    assert names["both"] == names["1.41"] | names["latest"]
    ours = {name for name in names["1.41"] if name.startswith("agent_")}
    assert all(ours <= each for each in names.values())
    with pytest.raises(ValueError, match=r"semconv is '1\.40': use one of '1\.41', 'latest'"):
        AgentMetrics(registry=CollectorRegistry(), semconv="1.40")


def test_genai_metrics_count_the_same_calls() -> None:
    one = Setting(semconv="both")
    one.run_one_turn()
    call = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "openai",
        "gen_ai_request_model": "gpt-4o",
    }
    assert one.value("gen_ai_client_operation_duration_seconds_count", **call, error_type="") == 1
    assert one.value("gen_ai_client_token_usage_sum", **call, gen_ai_token_type="input") == 1000
    assert one.value("gen_ai_client_inference_usage_output_tokens_total", **call) == 50
    assert one.value("gen_ai_invoke_agent_duration_seconds_count", error_type="") == 1
    failed = {"gen_ai_tool_name": "search", "error_type": "RuntimeError"}
    assert one.value("gen_ai_execute_tool_duration_seconds_count", **failed) == 1


def test_every_row_of_the_table_has_a_name_and_a_help_of_its_own() -> None:
    assert len({row.name for row in TABLE}) == len({row.key for row in TABLE}) == len(TABLE)
    assert all(row.help for row in TABLE)


# Scrapes


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve *app* with uvicorn on a free port; yield its host and port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)  # a client may come before the server has started
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def test_metrics_app_answers_a_scrape_over_http() -> None:
    one = Setting()
    one.run_one_turn()
    with served(metrics_app(one.registry)) as address:
        text = get(f"http://{address}/metrics")
    assert 'agent_tool_calls_total{status="ok",tool="search"} 1.0' in text


MULTIPROCESS = """
    import os, sys
    from logbraid.agent import ActionTracer, AgentMetrics, TraceEntry
    tracer = ActionTracer(log=False)
    AgentMetrics().attach(tracer)
    children = [os.fork() for _ in range(1)]
    for _ in range(10):
        tracer.record(TraceEntry(action="turn"))
    if children[0] == 0:
        os._exit(0)
    os.waitpid(children[0], 0)
    import asyncio
    from logbraid.agent import metrics_app
    async def scrape():
        sent = []
        async def send(message): sent.append(message)
        async def receive(): return {"type": "http.request"}
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        await metrics_app()(scope, receive, send)
        return b"".join(message.get("body", b"") for message in sent).decode()
    print(asyncio.run(scrape()))
"""


def test_several_processes_are_added_up_in_multiprocess_mode(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MULTIPROCESS)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "agent_turns_total 20.0" in done.stdout


@pytest.mark.skipif(PROMETHEUS is None, reason="Debian's package prometheus is not installed")
def test_prometheus_scrapes_and_answers(tmp_path: Path) -> None:
    one = Setting()
    one.run_one_turn()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with served(metrics_app(one.registry)) as address:
        config = (EXAMPLES / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:8000", address).replace("15s", "1s")
        (tmp_path / "prometheus.yml").write_text(config)
        shutil.copy(EXAMPLES / "rules.yml", tmp_path)
        process = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            query = urllib.parse.quote('agent_llm_tokens_total{kind="prompt"}')
            answer = _until_it_knows(f"http://127.0.0.1:{port}/api/v1/query?query={query}")
        finally:
            process.terminate()
            process.wait(30)
    (result,) = answer["data"]["result"]
    assert result["metric"]["kind"] == "prompt"
    assert result["value"][1] == "1000"


def _until_it_knows(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        try:
            answer: dict[str, Any] = json.loads(get(url))
            if answer["data"]["result"]:
                return answer
        except OSError:
            pass  # it is not up yet
        assert time.monotonic() < deadline, "Prometheus scraped nothing"
        time.sleep(0.2)


# Rules and dashboard


@pytest.mark.skipif(PROMTOOL is None, reason="Debian's package prometheus is not installed")
def test_the_alert_rules_pass_promtool_and_fire_at_their_thresholds() -> None:
    for arguments in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run(
            [str(PROMTOOL), *arguments], cwd=EXAMPLES, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["rules.yml", "rules_test.yml", "dashboard.json"])
def test_rules_and_dashboard_ask_only_for_metrics_that_exist(name: str) -> None:
    known = {row.name for row in TABLE}
    asked = re.findall(r"\bagent_[a-z_]+", (EXAMPLES / name).read_text())
    assert asked
    assert {re.sub(r"_(bucket|sum|count)$", "", one) for one in asked} <= known


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    board = json.loads((EXAMPLES / "dashboard.json").read_text())
    assert board["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) == 8
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])
