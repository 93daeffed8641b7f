"""Lines that go out by OTLP: to a real receiver, and to receivers that stall, refuse or die."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import logbraid
from logbraid.errors import ConfigError
from logbraid.sinks.otlp_post import target_from_env
from logbraid.sinks.otlp_records import request_of, resource_of

logs_service = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")

CANARY = "sk-proj-CanaryCanaryCanary0123456789abcdefXYZ"
KEY_IN_TEXT = f"key {CANARY}"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Receiver:
    """An OTLP/HTTP receiver on loopback: keeps what it gets, answers what it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[bytes] = []
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[int] = []  # for the next requests, then 200
        self.reply = b""
        self.retry_after = ""
        self.release = threading.Event()
        self.release.set()
        self.got = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.release.wait(30)
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = outer.answers.pop(0) if outer.answers else 200
                with outer.got:
                    outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                    outer.paths.append(self.path)
                    if status == 200:
                        outer.bodies.append(body)
                        request = logs_service.ExportLogsServiceRequest.FromString(body)
                        outer.requests.append(request)
                    outer.got.notify_all()
                self.send_response(status)
                self.send_header("content-length", str(len(outer.reply)))
                if status != 200 and outer.retry_after:
                    self.send_header("retry-after", outer.retry_after)
                self.end_headers()
                self.wfile.write(outer.reply)

            def log_message(self, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:
                pass  # who asked has gone: some tests want that

        self.server = Server(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def records(self) -> list[Any]:
        return [
            record
            for request in self.requests
            for logs in request.resource_logs
            for scope in logs.scope_logs
            for record in scope.log_records
        ]

    def wait_for(self, records: int) -> None:
        with self.got:
            assert self.got.wait_for(lambda: len(self.records) >= records, 20)

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def plain(value: Any) -> Any:
    """Return an ``AnyValue`` as Python's own."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, kind)


def attributes(owner: Any) -> dict[str, Any]:
    return {item.key: plain(item.value) for item in owner.attributes}


def start(monkeypatch: pytest.MonkeyPatch, url: str, **changes: Any) -> logbraid.LoggingHandle:
    monkeypatch.setenv(ENDPOINT, url)
    changes.setdefault("output", "otlp")
    return logbraid.configure_logging(**changes)


def test_a_record_arrives_with_its_time_level_event_ids_and_fields(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=a%2Cb, service.name=lost")
    start(monkeypatch, receiver.url, service="shop", env="prod", version="1.2")
    trace_id, span_id = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    before = time.time_ns()
    with logbraid.bound_context(tenant_id="acme", run_id="r-1", trace_id=trace_id, span_id=span_id):
        logbraid.get_logger("app").warning("paid", amount=3, deep={"a": [1, None, 2.5, True]})
    receiver.wait_for(1)
    (record,) = receiver.records
    assert record.body.string_value == "paid"
    assert (record.severity_number, record.severity_text) == (13, "warning")
    assert before - 1000 <= record.time_unix_nano <= time.time_ns()
    assert record.trace_id.hex() == trace_id
    assert record.span_id.hex() == span_id
    assert attributes(record) == {
        "logger": "app",
        "tenant_id": "acme",
        "run_id": "r-1",
        "amount": 3,
        "deep": {"a": [1, None, 2.5, True]},
    }
    assert attributes(receiver.requests[0].resource_logs[0].resource) == {
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment.name": "prod",
        "k8s.pod.name": "a,b",
    }
    assert receiver.paths == ["/v1/logs"]


def test_an_exception_arrives_with_its_traceback(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, receiver.url)
    try:
        raise ValueError("no stock")  # noqa: TRY301 - the traceback is the point
    except ValueError:
        logbraid.get_logger("app").exception("failed")
    receiver.wait_for(1)
    told = attributes(receiver.records[0])
    assert told["error_type"] == "ValueError"
    assert "no stock" in told["exception"]


def test_a_trace_id_that_is_any_text_stays_an_attribute(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, receiver.url)
    with logbraid.bound_context(trace_id="ticket-4711"):
        logbraid.get_logger("app").info("x")
    receiver.wait_for(1)
    assert receiver.records[0].trace_id == b""
    assert attributes(receiver.records[0])["trace_id"] == "ticket-4711"


def test_nothing_secret_is_in_what_arrives(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = start(monkeypatch, receiver.url)
    log = logbraid.get_logger("app")
    log.info(KEY_IN_TEXT, password=CANARY, nested={"authorization": f"Bearer {CANARY}"})
    with logbraid.bound_context(session_id=CANARY):
        log.info("as an id")
    try:
        raise ValueError(CANARY)  # noqa: TRY301 - as above
    except ValueError:
        log.exception("failed")
    assert handle.flush()
    assert len(receiver.records) == 3
    assert not [body for body in receiver.bodies if CANARY.encode() in body]


def test_many_lines_arrive_in_few_messages_each_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = start(monkeypatch, receiver.url)
    log = logbraid.get_logger("app")
    for number in range(1000):
        log.info("n", number=number)
    assert handle.flush()
    numbers = [attributes(record)["number"] for record in receiver.records]
    assert numbers == list(range(1000))
    assert len(receiver.requests) <= 10
    assert logbraid.stats().sinks["otlp"].written == 1000
    assert not logbraid.stats().dropped


def test_lines_go_to_standard_output_too(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    handle = start(monkeypatch, receiver.url, output="stdout,otlp", format="json")
    logbraid.get_logger("app").info("both")
    assert handle.flush()
    assert json.loads(capfd.readouterr().out)["event"] == "both"
    assert receiver.records[0].body.string_value == "both"


def test_with_a_queue_for_the_other_sinks_lines_still_arrive_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handle = start(
        monkeypatch, receiver.url, output="files,otlp", delivery="queue", log_dir=tmp_path
    )
    logbraid.get_logger("app").info("once")
    assert handle.flush()
    assert len(receiver.records) == 1
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1


def test_headers_and_gzip_of_the_environment_are_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Key=a%20b,broken,y=1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    start(monkeypatch, receiver.url)
    logbraid.get_logger("app").info("x")
    receiver.wait_for(1)
    assert receiver.headers[0]["x-key"] == "a b"
    assert receiver.headers[0]["y"] == "1"
    assert receiver.headers[0]["content-encoding"] == "gzip"
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"


def test_a_receiver_that_is_busy_is_asked_again_and_loses_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [503, 429]
    start(monkeypatch, receiver.url)
    logbraid.get_logger("app").info("x")
    receiver.wait_for(1)
    assert len(receiver.headers) == 3
    assert not logbraid.stats().dropped


def test_a_receiver_that_asks_for_a_minute_is_not_given_up_at_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers, receiver.retry_after = [503], "60"
    handle = start(monkeypatch, receiver.url)
    logbraid.get_logger("app").info("x")
    with receiver.got:
        assert receiver.got.wait_for(lambda: len(receiver.headers) == 1, 20)
    assert handle.flush()  # which does not wait for the minute
    receiver.wait_for(1)
    assert not logbraid.stats().dropped


def test_what_a_receiver_refuses_for_good_is_counted_and_not_sent_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [400]
    handle = start(monkeypatch, receiver.url)
    logbraid.get_logger("app").info("x")
    assert handle.flush()
    assert len(receiver.headers) == 1
    assert logbraid.stats().sinks["otlp"].dropped == {"http_400": 1}
    assert "sink otlp: the receiver answered 400" in capfd.readouterr().err


def test_records_that_a_receiver_says_it_rejected_are_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = logs_service.ExportLogsServiceResponse()
    reply.partial_success.rejected_log_records = 2
    receiver.reply = reply.SerializeToString()
    handle = start(monkeypatch, receiver.url)
    for _ in range(3):
        logbraid.get_logger("app").info("x")
    assert handle.flush()
    assert logbraid.stats().dropped == {"rejected": 2}
    assert logbraid.stats().sinks["otlp"].written == 1


def test_a_redirect_is_not_followed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.answers = [302]
    handle = start(monkeypatch, receiver.url)
    logbraid.get_logger("app").info("x")
    assert handle.flush()
    assert logbraid.stats().dropped == {"http_302": 1}


def test_a_stalling_receiver_never_holds_up_who_logs_and_drops_are_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.release.clear()
    handle = start(monkeypatch, receiver.url, queue_bytes="64KiB")
    log = logbraid.get_logger("app")
    longest = 0.0
    for number in range(2000):
        began = time.perf_counter()
        log.info("x", number=number, filler="y" * 500)
        longest = max(longest, time.perf_counter() - began)
    assert longest < 0.5
    assert logbraid.stats().sinks["otlp"].dropped["queue_full"] > 1000
    assert capfd.readouterr().err.count("drops lines") == 1
    began = time.perf_counter()
    handle.close()
    assert time.perf_counter() - began < 3
    figures = logbraid.stats().sinks
    assert figures["otlp_queue"].written == 2000
    assert sum(figures["otlp"].dropped.values()) == 2000


def test_what_waits_for_a_receiver_that_comes_back_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handle = start(monkeypatch, f"http://127.0.0.1:{port}")
    logbraid.get_logger("app").info("early")
    assert not handle.flush()
    late = Receiver(port)
    late.wait_for(1)
    late.close()
    assert late.records[0].body.string_value == "early"


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not ended.wait(0.1):
                    try:
                        connection.sendall(b"y")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        target = target_from_env({ENDPOINT: f"http://127.0.0.1:{server.getsockname()[1]}"})
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            target.post(b"x", 0.5)
        assert time.monotonic() - began < 2
        ended.set()
        thread.join()


CHILD = """
import os, sys, time
import logbraid
handle = logbraid.configure_logging(output="otlp")
log = logbraid.get_logger("child")
for number in range(int(sys.argv[1])):
    log.info("n", number=number, filler="y" * 200)
{}
print(time.time(), flush=True)
"""


def child(url: str, lines: int, *, more: str = "", **environ: str) -> tuple[float, Any]:
    """Run a child that logs and ends; return how long its end took, and how it went."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(more), str(lines)],
        env={**os.environ, ENDPOINT: url, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return time.time() - float(done.stdout.split()[-1]), done


def test_at_exit_everything_is_sent(receiver: Receiver) -> None:
    took, done = child(receiver.url, 500)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.records) == 500
    assert took < 4


@pytest.mark.parametrize("how", ["stalls", "refuses", "answers 503"])
def test_no_receiver_holds_up_exit_for_more_than_two_seconds(receiver: Receiver, how: str) -> None:
    url = receiver.url
    if how == "stalls":
        receiver.release.clear()
    elif how == "answers 503":
        receiver.answers = [503] * 10_000
    else:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    took, done = child(url, 3000, OTEL_EXPORTER_OTLP_TIMEOUT="30")
    assert took < 4, "1.3 s on a machine that does nothing else; 30 without a bound"
    assert done.returncode == 0
    assert "sink otlp" in done.stderr


def test_a_forked_child_sends_its_own_lines_once(receiver: Receiver) -> None:
    more = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12: the process has a thread
pid = os.fork()
log.info("after", who="child" if pid == 0 else "parent")
if pid == 0:
    handle.flush()
    os._exit(0)
os.waitpid(pid, 0)
"""
    _, done = child(receiver.url, 3, more=more)
    assert done.returncode == 0, done.stderr
    events = sorted(record.body.string_value for record in receiver.records)
    assert events == ["after", "after", "n", "n", "n"]
    told = {attributes(record).get("who") for record in receiver.records}
    assert {"child", "parent"} <= told


def test_without_the_extra_the_error_names_it() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import logbraid\n"
        "try: logbraid.configure_logging(output='otlp')\n"
        "except logbraid.ConfigError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'logbraid[otel]'" in done.stdout


def test_an_unknown_output_is_told_with_otlp_among_the_words() -> None:
    with pytest.raises(ConfigError, match="otlp"):
        logbraid.configure_logging(output="oltp")


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "http://localhost:4318/v1/logs"),
        ({ENDPOINT: "https://otel.example:4318/"}, "https://otel.example:4318/v1/logs"),
        ({ENDPOINT: "http://h/base"}, "http://h/base/v1/logs"),
        (
            {ENDPOINT: "http://h", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://l/mine"},
            "http://l/mine",
        ),
        ({ENDPOINT: "collector:4317"}, "http://localhost:4318/v1/logs"),
        ({ENDPOINT: "http://h:port"}, "http://localhost:4318/v1/logs"),
        ({ENDPOINT: "http://h/\r\nx: y"}, "http://localhost:4318/v1/logs"),
    ],
)
def test_the_address_is_that_of_the_environment(environ: dict[str, str], address: str) -> None:
    assert target_from_env(environ).url.geturl() == address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 2.0), ("5", 5.0), ("0.5", 0.5), ("10000", 10.0), ("soon", 2.0), ("0", 2.0), ("-1", 2.0)],
)
def test_a_timeout_may_be_told_in_seconds_or_milliseconds(text: str, seconds: float) -> None:
    assert target_from_env({"OTEL_EXPORTER_OTLP_TIMEOUT": text}).timeout_seconds == seconds


def test_what_a_header_or_an_address_hides_is_never_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    environ = {
        ENDPOINT: f"http://user:{CANARY}@h:1",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARY},{CANARY},a=%0d%0a{CANARY}",
    }
    target = target_from_env(environ)
    assert target.headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in repr(target)
    assert CANARY not in capfd.readouterr().err


def test_a_line_of_any_fields_becomes_a_record() -> None:
    line = json.dumps(
        {"timestamp": "no time", "level": "odd", "event": {"a": 1}, "big": 2**62, "none": None}
    )
    request = logs_service.ExportLogsServiceRequest.FromString(
        request_of([line.encode()], resource_of(logbraid.Settings(), {}))
    )
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    assert (record.time_unix_nano, record.severity_number) == (0, 0)
    assert plain(record.body) == {"a": 1}
    assert attributes(record) == {"big": 2**62, "none": None}
    resource = attributes(request.resource_logs[0].resource)
    assert re.fullmatch("unknown_service", resource["service.name"])
