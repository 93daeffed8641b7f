"""Every example runs by itself, as a newcomer runs it, and shows what its docstring says."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
CANARIES: Final = (
    "7f3kd82hs01mzq",
    "1m9xk2p47vbt",
    "5tq0vz8rw2jn",
    "4kx82ns7",
    "93hd82hsj2kq",
    "hunter2",
    "4111 1111",
)
NOT_SERVICES: Final = {"terminal_picture"}  # draws the README's picture, with a library of its own

Record = dict[str, Any]


class Run(NamedTuple):
    """What an example wrote: to standard output, to standard error, and to files by tenant."""

    stdout: bytes
    stderr: str
    files: dict[str, bytes]

    @property
    def records(self) -> list[Record]:
        return [strict(line) for line in self.stdout.splitlines()]


def unique(pairs: list[tuple[str, Any]]) -> Record:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def strict(line: bytes | str) -> Record:
    record = json.loads(line, object_pairs_hook=unique, parse_constant=refuse)
    assert isinstance(record, dict)
    return record


def run(name: str, home: Path) -> Run:
    """Run an example with an empty home and an empty working directory."""
    mine = ("LOG_", "LOGBRAID_", "TOOL_TRACE_ID", "TRACEPARENT", "OTEL_SERVICE_NAME")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(mine)}
    log_dir, work = home / "logs", home / "work"
    work.mkdir()
    environ |= {"HOME": str(home), "TMPDIR": str(home), "LOG_DIR": str(log_dir)}
    environ |= {"PYTHONWARNINGS": "default"}
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(
        command, cwd=work, env=environ, capture_output=True, timeout=60, check=False
    )
    stderr = done.stderr.decode()
    assert done.returncode == 0, stderr
    assert not [line for line in stderr.splitlines() if line.startswith("Traceback")]
    assert not list(work.iterdir()), "the example left files where it was started"
    files = {file.parent.name: file.read_bytes() for file in log_dir.glob("*/*.jsonl")}
    everything = b"\n".join([done.stdout, done.stderr, *files.values()])
    source = (EXAMPLES / f"{name}.py").read_text()
    assert any(canary in source for canary in CANARIES), "nothing was at stake"
    for number, canary in enumerate(CANARIES):
        assert canary.encode() not in everything, f"canary {number} came out"
    return Run(done.stdout, stderr, files)


def by_event(records: list[Record]) -> dict[str, Record]:
    return {record["event"]: record for record in records}


# -- the service -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("agent_service", tmp_path_factory.mktemp("service"))


def test_agent_service_gives_every_library_the_same_line(service: Run) -> None:
    records = service.records
    loggers = {record["logger"] for record in records}
    assert {"agent", "agent.billing", "httpx", "logbraid.access", "py.warnings"} <= loggers
    assert {"uvicorn.error", "__main__"} <= loggers  # loguru calls a script's module __main__
    assert "uvicorn.access" not in loggers  # the access line stands for it
    assert {record["service"] for record in records} == {"agent-service"}
    head = ["timestamp", "level", "logger", "event", "service"]
    assert all(list(record)[:5] == head for record in records)


def test_agent_service_gives_each_line_the_ids_of_its_own_request(service: Run) -> None:
    users = {"acme": "u-7", "globex": "u-12", "initech": "u-31"}
    requests = set()
    for record in service.records:
        tenant = record.get("tenant_id")
        if tenant is None:
            continue
        assert record["user_id"] == users[tenant], record
        assert record["request_id"].startswith(f"req-{tenant[:4]}-"), record
        if "run_id" in record:
            assert record["request_id"].endswith(record["run_id"][-2:]), record
        requests.add(record["request_id"])
    assert len(requests) == 6


def test_agent_service_runs_its_requests_at_the_same_time(service: Run) -> None:
    ids = [record["request_id"] for record in service.records if record.get("tenant_id")]
    changes = sum(one != other for one, other in itertools.pairwise(ids))
    assert changes > len(set(ids)), "each request's lines stand together: nothing was proved"


def test_agent_service_puts_each_line_into_the_file_of_its_tenant(service: Run) -> None:
    assert set(service.files) == {"acme", "globex", "initech", "_unknown"}
    for tenant, lines in service.files.items():
        told = {strict(line).get("tenant_id", "_unknown") for line in lines.splitlines()}
        assert told == {tenant}
    in_files = b"".join(service.files.values()).splitlines()
    assert sorted(in_files) == sorted(service.stdout.splitlines())


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_agent_service_tells_every_step_of_a_tenants_runs(service: Run, tenant: str) -> None:
    records = [strict(line) for line in service.files[tenant].splitlines()]
    events = [record["event"] for record in records]
    for event in ("agent_begin", "agent_end", "charged", "tool_failed", "converted 30 USD"):
        assert events.count(event) == 2, event
    assert events.count("tool_complete") == 4
    assert events.count("request") == 4  # two of its own, two that its tool made
    failed = by_event(records)["tool_failed"]
    assert failed["error_type"] == "ConnectionError"
    assert failed["exception"].startswith("Traceback")
    assert failed["arguments"] == {"table": "orders", "password": "[REDACTED:password]"}
    assert by_event(records)["charged"]["prompt_tokens"] == 812  # no secret, whatever it sounds
    queries = [record["event"] for record in records if record["logger"] == "httpx"]
    assert queries
    assert all("token=[REDACTED:token]" in query for query in queries)


def test_agent_service_refuses_a_stranger_without_showing_the_key(service: Run) -> None:
    refused = by_event(service.records)["login_refused"]
    assert refused["level"] == "warning"
    assert refused["request_id"] == "req-stra-1"
    assert "tenant_id" not in refused
    statuses = [one["status"] for one in service.records if one["event"] == "request"]
    assert sorted(statuses) == [200] * 12 + [401]


def test_agent_service_tells_people_where_the_files_are(service: Run) -> None:
    lines = len(service.stdout.splitlines())
    assert f"written {lines}, dropped 0" in service.stderr
    assert all(f"{tenant}/2" in service.stderr for tenant in service.files)


# -- the others ------------------------------------------------------------------------------


def check_structlog(done: Run) -> None:
    records = by_event(done.records)
    assert {one["tenant_id"] for one in done.records} == {"acme"}
    assert records["cart_opened"]["component"] == "cart"  # of a logger bound before
    assert records["positional arguments too"]["campaign"] == "autumn"
    assert records["order_failed"]["error_type"] == "PermissionError"
    assert records["who_am_i"]["tenant_id_"] == "globex"
    assert "not_shown" not in records


def check_logging(done: Run) -> None:
    records = by_event(done.records)
    assert len(records) == len(done.records) == 10  # no line twice, "not shown" not at all
    assert records["names that logging refuses"]["name_"] == "Ada"
    assert records["the library's own line"]["tenant_id"] == "acme"
    assert records["this call goes away"]["category"] == "DeprecationWarning"
    assert "format_error" in records["missing: %s and %s"]
    assert records["shown: this tenant is being looked at"]["tenant_id"] == "globex"


def check_loguru(done: Run) -> None:
    records = by_event(done.records)
    assert {one["run_id"] for one in done.records} == {"run-9"}
    assert records["paid 27.4 EUR"]["amount"] == 27.4
    assert records["a level of loguru's own"]["level_name"] == "success"
    assert records["computed late: 45"]["level"] == "debug"
    failed = next(one for one in done.records if one["level"] == "error")
    assert failed["error_type"] == "ConnectionError"


def check_json_logger(done: Run) -> None:
    assert [one["tenant_id"] for one in done.records] == ["acme", "acme", "globex", "globex"]
    assert {one["team"] for one in done.records} == {"payments"}
    assert {one["threadName"] for one in done.records} == {"MainThread"}
    assert set(done.files) == {"acme", "globex"}
    assert all(len(lines.splitlines()) == 2 for lines in done.files.values())


def check_web(done: Run, *, route: str | None) -> None:
    access = [one for one in done.records if one["logger"] == "logbraid.access"]
    assert [one["status"] for one in access] == [200, 200, 500, 401]
    assert [one.get("tenant_id") for one in access] == ["acme", "globex", "acme", None]
    assert access[0]["path"] == "/orders/7?access_token=[REDACTED:token]"
    assert access[0].get("route") == route
    assert len({one["request_id"] for one in access}) == 4
    assert {one["request_id"] for one in done.records} == {one["request_id"] for one in access}
    failed = next(one for one in done.records if "exception" in one)
    assert failed["tenant_id"] == "acme"
    assert failed["error_type"] == "RuntimeError"
    looked_up = [one for one in done.records if one["event"] == "looked up"]
    assert [one["tenant_id"] for one in looked_up] == ["acme", "globex"]


def check_worker(done: Run) -> None:
    for record in done.records:
        if record["run_id"] != "run-child":
            assert record["run_id"].split("-")[1] == record["tenant_id"], record
    events = [record["event"] for record in done.records]
    assert (events.count("begin"), events.count("done")) == (12, 11)
    assert by_event(done.records)["a job failed"]["run_id"] == "run-acme-0"
    assert by_event(done.records)["converting"]["tenant_id"] == "acme"  # in the child
    assert set(done.files) == {"acme", "globex", "initech"}


def check_mcp(done: Run) -> None:
    assert [reply["id"] for reply in done.records] == [1, 2, 3]  # nothing but the protocol
    assert all(reply["jsonrpc"] == "2.0" for reply in done.records)
    logged = [strict(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert by_event(logged)["tool_failed"]["request_id"] == "rpc-3"
    assert any(one["logger"] == "weather.api" for one in logged)


def check_registry(done: Run) -> None:
    first, second, third, last = done.records
    assert "tenant_id" not in first
    assert (second["tenant_id"], second["user_id"]) == ("acme", "u-7")
    assert (third["user_id"], third["run_id"], third["locale"]) == ("u-8", "run-9", "lv")
    assert "tenant_id" not in last


def check_agent_loop(done: Run) -> None:
    runs = {record["run_id"]: record for record in done.records if record["event"] == "agent_run"}
    assert len(runs) == 4
    assert {record["tenant_id"] for record in runs.values()} == {"acme", "globex"}
    for run_id, summary in runs.items():
        lines = [record for record in done.records if record.get("run_id") == run_id]
        calls = [line for line in lines if line["event"] == "llm_call"]
        assert len(calls) == summary["llm_calls"]
        assert sum(line["total_tokens"] for line in calls) == summary["tokens"]
        assert len({line["trace_id"] for line in lines}) == 1
        actions = sum(line["logger"] == "logbraid.agent" for line in lines)
        assert f"run {run_id} of {summary['tenant_id']}: {actions} spans" in done.stderr
    failed = [one for one in done.records if one["event"] == "tool_call" and one["status"] != "ok"]
    assert [one["operation"] for one in failed] == ["refund"]
    confirms = [one["metadata"]["outcome"] for one in done.records if one["event"] == "confirm"]
    assert sorted(confirms) == ["allow", "allow", "timeout"]
    assert done.stderr.count("turn_begin") == 4
    assert 'agent_tool_calls_total{status="error",tool="refund"} 1.0' in done.stderr
    assert "agent_max_iterations_total 1.0" in done.stderr


def check_audited_agent(done: Run) -> None:
    assert [one["event"] for one in done.records].count("audit_head") == 2
    told = done.stderr
    assert told.count("ok: 4 records in 3 segments") == 1
    assert told.count("tampered: 4 records in 3 segments") == 1
    assert "record 2: the record is not the one that was sealed" in told
    assert "the amounts: [30, 30]" in told
    assert "forgotten: the user's key is not in _keys" in told
    assert "ok: 5 records in 4 segments" in told


CHECKS: Final[dict[str, Callable[[Run], None]]] = {
    "with_structlog": check_structlog,
    "with_logging": check_logging,
    "with_loguru": check_loguru,
    "with_json_logger": check_json_logger,
    "flask_app": partial(check_web, route="/orders/<int:number>"),
    "django_app": partial(check_web, route=None),
    "threaded_worker": check_worker,
    "mcp_stdio": check_mcp,
    "registry": check_registry,
    "agent_loop": check_agent_loop,
    "audited_agent": check_audited_agent,
}


@pytest.mark.parametrize("name", CHECKS)
def test_example_shows_what_it_says_and_no_secret(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    CHECKS[name](done)
    assert done.stderr.strip(), "the example tells people nothing"


def test_every_example_is_run() -> None:
    found = {file.stem for file in EXAMPLES.glob("*.py")}
    assert found - NOT_SERVICES == {*CHECKS, "agent_service"}
