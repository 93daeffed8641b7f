"""The ASGI middleware, served by uvicorn on loopback, and called by hand for the edges."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import socket
import struct
import threading
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    MutableMapping,
)
from contextvars import copy_context
from typing import Annotated, Any

import httpx
import loguru
import pytest
import uvicorn
import websockets
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

import logbraid
from logbraid import pipeline
from logbraid.context import (
    TracingContext,
    bind_context,
    bound_context,
    clear_context,
    current_context,
    leave_on,
)
from logbraid.errors import ConfigError
from logbraid.health import health
from logbraid.integrations.structlog import get_logger
from logbraid.level import levels
from logbraid.middleware.asgi import TracingMiddleware
from logbraid.middleware.request import response_metadata, restore_access_loggers
from logbraid.propagation import ContextExecutor
from logbraid.record import INFO, WARNING
from logbraid.settings import Settings
from logbraid.sinks.memory import MemorySink
from logbraid.testing import capture_logs

Message = MutableMapping[str, Any]


@pytest.fixture
def sink() -> Iterator[MemorySink]:
    memory = MemorySink()
    health.reset()
    levels.configure(INFO, {})
    pipeline.activate(pipeline.Pipeline(Settings(), [memory]))
    yield memory
    pipeline.activate(None)
    levels.configure(WARNING, {})


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve *app* with uvicorn in a thread; all requests are over when the block is left."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)  # clients may connect before the server has started: no waiting for it
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


def access_lines(sink: MemorySink) -> list[dict[str, Any]]:
    return [line for line in sink.records if line["logger"] == "logbraid.access"]


def the_access_line(sink: MemorySink) -> dict[str, Any]:
    (line,) = access_lines(sink)
    return line


def log(event: str, **fields: object) -> None:
    pipeline.emit(INFO, "app", event, fields)


class Client:
    """A client made by hand: what the server side of ASGI sees of it."""

    def __init__(self, *, headers: tuple[tuple[bytes, bytes], ...] = (), **scope: Any) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": list(headers),
            "client": ("10.0.0.9", 4711),
            **scope,
        }
        self.sent: list[Message] = []
        self.incoming: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> Message:
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def call(self, app: Any) -> None:
        asyncio.run(app(self.scope, self.receive, self.send))

    def header(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.sent[0]["headers"] if key.lower() == name]


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


# What a request gives the context and gets back


def test_request_id_of_the_header_is_bound_and_comes_back(sink: MemorySink) -> None:
    client = Client(headers=((b"X-Request-ID", b"req-4"),))
    client.call(TracingMiddleware(hello))
    assert client.header(b"x-request-id") == [b"req-4"]
    assert the_access_line(sink)["request_id"] == "req-4"


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"a b",
        b"a\nb",
        b"a\r\nx-evil: 1",
        b"x" * 10_240,
        b"x" * 129,
        "ä".encode(),
        b"\x00",
        b'"',
    ],
)
def test_request_id_that_does_not_fit_is_replaced_by_a_new_one(
    sink: MemorySink, forged: bytes
) -> None:
    client = Client(headers=((b"x-request-id", forged),))
    client.call(TracingMiddleware(hello))
    (given,) = client.header(b"x-request-id")
    assert len(given) == 36
    assert given[14:15] == b"7"
    assert the_access_line(sink)["request_id"] == given.decode()


def test_request_id_given_twice_is_nobodys(sink: MemorySink) -> None:
    client = Client(headers=((b"x-request-id", b"one"), (b"x-request-id", b"two")))
    client.call(TracingMiddleware(hello))
    assert len(client.header(b"x-request-id")[0]) == 36


def test_request_id_header_can_have_another_name(sink: MemorySink) -> None:
    client = Client(headers=((b"x-correlation-id", b"c-1"),))
    client.call(TracingMiddleware(hello, request_id_header="X-Correlation-ID"))
    assert client.header(b"x-correlation-id") == [b"c-1"]
    assert the_access_line(sink)["request_id"] == "c-1"


def test_request_id_header_that_the_application_set_stays_alone(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Request-Id", b"mine")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    client = Client()
    client.call(TracingMiddleware(app))
    assert client.header(b"x-request-id") == [b"mine"]


def test_traceparent_gives_trace_id_and_parent(sink: MemorySink) -> None:
    header = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    Client(headers=(header,)).call(TracingMiddleware(hello))
    line = the_access_line(sink)
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert line["parent_span_id"] == "00f067aa0ba902b7"


def test_rubbish_in_traceparent_gives_nothing(sink: MemorySink) -> None:
    Client(headers=((b"traceparent", b"00-\xff\xfe\n-x"),)).call(TracingMiddleware(hello))
    assert "trace_id" not in the_access_line(sink)


FORGED = (
    (b"x-tenant-id", b"victim"),
    (b"x-user-id", b"root"),
    (b"x-session-id", b"s-1"),
    (b"x-run-id", b"run-9"),
)


def test_ids_are_not_taken_from_headers(sink: MemorySink) -> None:
    Client(headers=FORGED).call(TracingMiddleware(hello))
    line = the_access_line(sink)
    assert not {"tenant_id", "user_id", "session_id", "run_id"} & set(line)


def test_trusted_headers_give_session_and_run_but_never_tenant_or_user(sink: MemorySink) -> None:
    Client(headers=FORGED).call(TracingMiddleware(hello, trust_headers=True))
    line = the_access_line(sink)
    assert (line["session_id"], line["run_id"]) == ("s-1", "run-9")
    assert not {"tenant_id", "user_id"} & set(line)


def test_response_metadata_holds_the_ids_that_are_set(sink: MemorySink) -> None:
    seen: dict[str, str] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        bind_context(tenant_id="acme", colour="blue")
        await asyncio.to_thread(bind_context, user_id="u-7")
        seen.update(response_metadata())
        await hello(scope, receive, send)

    Client(headers=((b"x-request-id", b"r-1"),)).call(TracingMiddleware(app))
    assert seen == {"tenant_id": "acme", "user_id": "u-7", "request_id": "r-1"}


def test_response_metadata_is_empty_outside_of_a_request() -> None:
    assert copy_context().run(response_metadata) == {}


def test_context_is_as_before_after_a_request(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        bind_context(tenant_id="acme")
        await hello(scope, receive, send)

    async def main() -> dict[str, Any]:
        client = Client()
        await TracingMiddleware(app)(client.scope, client.receive, client.send)
        return current_context().to_dict()

    assert asyncio.run(main()) == {}


# The access line


def test_access_line_says_what_happened(sink: MemorySink) -> None:
    client = Client(path="/a b/ü?", query_string=b"page=2", method="POST")
    client.call(TracingMiddleware(hello))
    line = the_access_line(sink)
    assert line["event"] == "request"
    assert line["level"] == "info"
    assert line["method"] == "POST"
    assert line["path"] == "/a%20b/%C3%BC%3F?page=2"
    assert line["status"] == 200
    assert line["bytes_out"] == 5
    assert line["client"] == "10.0.0.9"
    assert line["duration_ms"] >= 0
    assert not {"route", "error_type", "client_disconnected"} & set(line)


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (200, "info"),
        (302, "info"),
        (404, "warning"),
        (429, "warning"),
        (500, "error"),
        (503, "error"),
    ],
)
def test_level_follows_the_status(sink: MemorySink, status: int, level: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    Client().call(TracingMiddleware(app))
    assert (the_access_line(sink)["status"], the_access_line(sink)["level"]) == (status, level)


@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/metrics"])
def test_health_paths_write_no_access_line_but_get_their_id(sink: MemorySink, path: str) -> None:
    client = Client(path=path)
    client.call(TracingMiddleware(hello))
    assert not access_lines(sink)
    assert client.header(b"x-request-id")


def test_only_exact_paths_are_skipped(sink: MemorySink) -> None:
    Client(path="/health/x").call(TracingMiddleware(hello))
    assert the_access_line(sink)["path"] == "/health/x"


def test_access_log_can_be_switched_off(sink: MemorySink) -> None:
    Client().call(TracingMiddleware(hello, access_log=False))
    assert not sink.records


def test_nested_middlewares_write_one_line_with_one_request_id(sink: MemorySink) -> None:
    client = Client()
    client.call(TracingMiddleware(TracingMiddleware(hello)))
    assert len(client.header(b"x-request-id")) == 1
    assert the_access_line(sink)["request_id"] == client.header(b"x-request-id")[0].decode()


def test_request_served_inside_another_request_starts_without_its_tenant(sink: MemorySink) -> None:
    async def outer(scope: Any, receive: Any, send: Any) -> None:
        bind_context(tenant_id="acme")
        inner = Client(path="/inner")
        await TracingMiddleware(hello)(inner.scope, inner.receive, inner.send)
        await hello(scope, receive, send)

    header = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    Client(path="/outer", headers=(header,)).call(TracingMiddleware(outer))
    first, second = access_lines(sink)
    assert (first["path"], second["path"]) == ("/inner", "/outer")
    assert "tenant_id" not in first
    assert first["trace_id"] == second["trace_id"]
    assert first["request_id"] != second["request_id"]
    assert second["tenant_id"] == "acme"


def test_request_keeps_what_the_process_bound_but_not_its_span(sink: MemorySink) -> None:
    async def main() -> None:
        bind_context(session_id="batch", trace_id="process", span_id="00f067aa0ba902b7")
        for headers in ((), ((b"traceparent", f"00-{'a' * 32}-{'b' * 16}-01".encode()),)):
            client = Client(headers=headers)
            await TracingMiddleware(hello)(client.scope, client.receive, client.send)

    asyncio.run(main())
    plain, traced = access_lines(sink)
    assert (plain["session_id"], plain["trace_id"]) == ("batch", "process")
    assert (traced["trace_id"], traced["parent_span_id"]) == ("a" * 32, "b" * 16)
    assert "span_id" not in traced


def test_exception_is_raised_on_and_told_by_its_class_alone(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("password=hunter2")

    with pytest.raises(ValueError, match="hunter2"):
        Client().call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["error_type"]) == (500, "error", "ValueError")
    assert "exception" not in line
    assert b"hunter2" not in sink.lines[0]


def test_exception_after_the_start_keeps_the_status_that_was_sent(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise KeyError("x")

    with pytest.raises(KeyError):
        Client().call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["bytes_out"]) == (200, "error", 4)
    assert line["error_type"] == "KeyError"


def test_cancelled_request_writes_one_line_without_a_status(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        bind_context(tenant_id="acme")
        await asyncio.Event().wait()

    async def main() -> None:
        client = Client()
        task = asyncio.create_task(
            TracingMiddleware(app)(client.scope, client.receive, client.send)
        )
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(main())
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["tenant_id"]) == (None, "warning", "acme")
    assert line["error_type"].endswith("CancelledError")


def test_send_that_fails_because_the_client_left_is_told(sink: MemorySink) -> None:
    class Gone(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == "http.response.body":
                raise OSError("gone")
            await super().send(message)

    with pytest.raises(OSError, match="gone"):
        Gone().call(TracingMiddleware(hello))
    line = the_access_line(sink)
    assert line["client_disconnected"] is True
    assert (line["status"], line["level"], line["bytes_out"]) == (200, "info", 0)


def test_disconnect_seen_after_the_whole_response_is_no_disconnect(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await receive()
        await receive()

    Client().call(TracingMiddleware(app))
    assert "client_disconnected" not in the_access_line(sink)


def test_application_that_never_answers_counts_as_500(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    Client().call(TracingMiddleware(app))
    assert the_access_line(sink)["status"] == 500


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_file_that_the_server_reads_itself_has_no_count_of_bytes(
    sink: MemorySink, kind: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": kind})
        await receive()
        await receive()

    Client().call(TracingMiddleware(app))
    assert not {"bytes_out", "client_disconnected"} & set(the_access_line(sink))


def test_endpoint_is_named_where_there_is_no_route(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["endpoint"] = hello
        await hello(scope, receive, send)

    Client().call(TracingMiddleware(app))
    assert the_access_line(sink)["route"] == "hello"


def test_head_request_counts_no_body(sink: MemorySink) -> None:
    Client(method="HEAD").call(TracingMiddleware(hello))
    assert the_access_line(sink)["bytes_out"] == 0


def test_request_collected_in_a_strangers_context_keeps_to_its_own(sink: MemorySink) -> None:
    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        bind_context(tenant_id="acme")
        await Never()

    client = Client()
    running = TracingMiddleware(app)(client.scope, client.receive, client.send)
    copy_context().run(running.send, None)

    def stranger() -> dict[str, Any]:
        bind_context(tenant_id="globex", user_id="u-1")
        running.close()
        return current_context().to_dict()

    assert copy_context().run(stranger) == {"tenant_id": "globex", "user_id": "u-1"}
    line = the_access_line(sink)
    assert line["tenant_id"] == "acme"
    assert "user_id" not in line


def test_clearing_the_context_does_not_end_the_request(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        clear_context()
        bind_context(tenant_id="acme")
        await hello(scope, receive, send)

    Client().call(TracingMiddleware(app))
    assert the_access_line(sink)["tenant_id"] == "acme"


def test_two_tenants_bound_in_copies_name_none(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.gather(
            asyncio.to_thread(bind_context, tenant_id="acme"),
            asyncio.to_thread(bind_context, tenant_id="globex"),
        )
        await hello(scope, receive, send)

    Client().call(TracingMiddleware(app))
    assert "tenant_id" not in the_access_line(sink)


def test_lines_of_every_library_carry_the_ids_of_the_request(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        logbraid.bind_context(tenant_id="acme", user_id="u-7")
        logbraid.get_logger("a").info("one")
        logging.getLogger("b").info("two")
        loguru.logger.info("three")
        await asyncio.to_thread(logging.getLogger("c").info, "four")
        await hello(scope, receive, send)

    lines: list[dict[str, Any]] = []
    sinks = [lambda _, record: lines.append(record)]
    with logbraid.configure_logging(output="stderr", format="json", sinks=sinks):
        Client(headers=((b"x-request-id", b"r-1"),)).call(logbraid.TracingMiddleware(app))
        assert logging.getLogger("uvicorn.access").filters
    assert [line["event"] for line in lines] == ["one", "two", "three", "four", "request"]
    assert {(line["tenant_id"], line["user_id"], line["request_id"]) for line in lines} == {
        ("acme", "u-7", "r-1")
    }
    written = capfd.readouterr().err.splitlines()
    assert len([line for line in written if line.startswith("{")]) == 5
    assert not logging.getLogger("uvicorn.access").filters


def test_secret_in_the_query_is_redacted_and_the_rest_kept(sink: MemorySink) -> None:
    query = b"page=2&api_key=sk-live-4eC39HqLyjWDarjtT1zdp7dc&sort=up"
    Client(path="/orders", query_string=query).call(TracingMiddleware(hello))
    line = the_access_line(sink)
    assert b"4eC39HqLyjWDarjtT1zdp7dc" not in sink.lines[0]
    assert line["path"].startswith("/orders?page=2&api_key=[REDACTED")
    assert line["path"].endswith("&sort=up")


# Scopes and wrapping


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_other_scopes_pass_through_untouched(sink: MemorySink, kind: str) -> None:
    passed: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.extend((scope, receive, send, current_context().to_dict()))

    client = Client()
    scope = {"type": kind}
    receive, send = client.receive, client.send
    asyncio.run(TracingMiddleware(app)(scope, receive, send))
    assert passed == [{"type": kind}, receive, send, {}]
    assert passed[0] is scope
    assert not sink.records


def test_attributes_are_the_applications() -> None:
    inner = FastAPI(title="shop")
    wrapped = TracingMiddleware(inner)
    wrapped.state.colour = "blue"
    assert inner.state.colour == "blue"
    assert wrapped.title == "shop"
    with pytest.raises(AttributeError):
        _ = wrapped.no_such_thing
    with pytest.raises(AttributeError):
        _ = TracingMiddleware.__new__(TracingMiddleware).app


def test_test_client_serves_the_wrapped_application(sink: MemorySink) -> None:
    with warnings.catch_warnings():
        # Starlette 1.10 asks for a successor of httpx, which is not what this is about
        warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
        from starlette.testclient import TestClient  # noqa: PLC0415 - it warns when imported
    with TestClient(TracingMiddleware(shop())) as client:
        answer = client.get("/sync/3", headers={"authorization": "acme"})
    assert answer.json() == 3
    assert the_access_line(sink)["tenant_id"] == "acme"


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        TracingMiddleware(
            hello,
            identify="me",  # type: ignore[arg-type]  # the mistake this is about
            request_id_header="x id\n",
            access_log_skip="/health",
        )
    assert len(raised.value.problems) == 3


def test_silent_before_configuration() -> None:
    client = Client()
    client.call(TracingMiddleware(hello))
    assert client.header(b"x-request-id")


# identify


@pytest.mark.parametrize("is_async", [False, True])
def test_identify_binds_what_it_returns(sink: MemorySink, is_async: bool) -> None:
    def identify(scope: Any) -> dict[str, str]:
        return {"tenant_id": scope["path"].strip("/"), "user_id": "u-7"}

    async def identify_later(scope: Any) -> dict[str, str]:
        await asyncio.sleep(0)
        return identify(scope)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        log("inside")
        await hello(scope, receive, send)

    chosen: Callable[[Any], Any] = identify_later if is_async else identify
    Client(path="/acme").call(TracingMiddleware(app, identify=chosen))
    inside, line = sink.records
    assert (inside["tenant_id"], inside["user_id"]) == ("acme", "u-7")
    assert line["tenant_id"] == "acme"


def test_identify_may_know_nobody(sink: MemorySink) -> None:
    Client().call(TracingMiddleware(hello, identify=lambda _: None))
    assert "tenant_id" not in the_access_line(sink)
    assert health.identify_errors.value == 0


def raising(_: Any) -> Any:
    raise LookupError("token=abc")


async def raising_later(_: Any) -> Any:
    raise LookupError("token=abc")


@pytest.mark.parametrize("broken", [raising, raising_later, lambda _: 7, lambda _: {1: "x"}])
def test_broken_identify_is_counted_and_the_request_goes_on(
    sink: MemorySink, broken: Callable[[Any], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client()
    client.call(TracingMiddleware(hello, identify=broken))
    assert client.sent[0]["status"] == 200
    assert "tenant_id" not in the_access_line(sink)
    assert health.identify_errors.value == 1
    told = capfd.readouterr().err
    assert "identify" in told
    assert "abc" not in told


# WebSockets


def socket_client(**scope: Any) -> Client:
    client = Client(type="websocket", path="/ws", **scope)
    del client.scope["method"]
    client.incoming = [{"type": "websocket.connect"}]
    return client


def test_websocket_has_one_line_at_its_close_with_the_code(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "grüß"})
        await send({"type": "websocket.send", "bytes": b"1234"})
        assert not access_lines(sink)
        await send({"type": "websocket.close", "code": 4001})

    client = socket_client()
    client.call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["method"], line["status"], line["level"]) == ("WEBSOCKET", 4001, "warning")
    assert line["bytes_out"] == 10
    assert client.header(b"x-request-id") == [line["request_id"].encode()]


@pytest.mark.parametrize(
    ("code", "level", "gone"), [(1000, "info", None), (1001, "info", None), (1006, "info", True)]
)
def test_websocket_closed_by_its_client_has_the_clients_code(
    sink: MemorySink, code: int, level: str, gone: bool | None
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": []})
        assert (await receive())["type"] == "websocket.disconnect"

    client = socket_client()
    client.incoming.append({"type": "websocket.disconnect", "code": code})
    client.call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"]) == (code, level)
    assert line.get("client_disconnected") is gone


def test_websocket_refused_before_its_begin_has_the_status_its_client_got(
    sink: MemorySink,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})

    socket_client().call(TracingMiddleware(app))
    assert (the_access_line(sink)["status"], the_access_line(sink)["level"]) == (403, "warning")


def test_websocket_denied_with_a_response_has_its_status_and_the_id(sink: MemorySink) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "websocket.http.response.start", "status": 401, "headers": []}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"no"})

    client = socket_client()
    client.call(TracingMiddleware(app))
    assert client.header(b"x-request-id")
    assert (the_access_line(sink)["status"], the_access_line(sink)["bytes_out"]) == (401, 2)


@pytest.mark.parametrize(("accepts", "status"), [(True, 1011), (False, 500)])
def test_websocket_that_raises_has_the_code_its_server_sends(
    sink: MemorySink, accepts: bool, status: int
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if accepts:
            await send({"type": "websocket.accept"})
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        socket_client().call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["error_type"]) == (status, "error", "ValueError")


@pytest.mark.parametrize(("accepts", "status"), [(True, 1000), (False, 500)])
def test_websocket_that_nobody_closed_has_the_code_its_server_sends(
    sink: MemorySink, accepts: bool, status: int
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if accepts:
            await send({"type": "websocket.accept"})

    socket_client().call(TracingMiddleware(app))
    assert the_access_line(sink)["status"] == status


def test_websocket_whose_client_is_gone_has_the_code_of_a_broken_connection(
    sink: MemorySink,
) -> None:
    class Gone(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == "websocket.send":
                raise OSError("gone")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hi"})

    with pytest.raises(OSError, match="gone"):
        Gone(type="websocket", path="/ws").call(TracingMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["client_disconnected"]) == (1006, "info", True)


# Served by uvicorn


def tenant_of(request: Request) -> None:  # a plain function: runs in a thread, in a copy
    bind_context(tenant_id=request.headers["authorization"])


def shop() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/api")

    @router.get("/orders/{order_id}")
    async def order(order_id: str, _: Annotated[None, Depends(tenant_of)]) -> dict[str, str]:
        log("looked_up", order=order_id)
        return response_metadata()

    @app.get("/sync/{number}")
    def sync(number: int, request: Request) -> int:
        bind_context(tenant_id=request.headers["authorization"])
        log("in_thread")
        return number

    @app.get("/events")
    async def events(request: Request) -> StreamingResponse:
        bind_context(tenant_id=request.headers["authorization"])

        async def stream() -> AsyncIterator[str]:
            with bound_context(run_id="stream"):
                for number in range(int(request.query_params["count"])):
                    log("event_sent", number=number)
                    yield f"data: {number}\n\n"
                    await asyncio.sleep(0.001)

        after = BackgroundTask(log, "after_response")
        return StreamingResponse(stream(), media_type="text/event-stream", background=after)

    @app.get("/broken")
    async def broken() -> None:
        bind_context(tenant_id="acme")
        raise RuntimeError("boom")

    @app.websocket("/ws")
    async def chat(socket: WebSocket) -> None:
        bind_context(tenant_id=socket.headers["authorization"])
        await socket.accept()
        async for text in socket.iter_text():
            log("heard", text=text)
            await socket.send_text(text.upper())

    app.include_router(router)
    return app


def test_fastapi_keeps_the_context_from_dependency_to_access_line(sink: MemorySink) -> None:
    with served(TracingMiddleware(shop())) as host:
        answer = httpx.get(
            f"http://{host}/api/orders/7?q=1",
            headers={"authorization": "acme", "x-request-id": "r-1", "x-tenant-id": "victim"},
        )
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.json() == {"tenant_id": "acme", "request_id": "r-1"}
    line = the_access_line(sink)
    assert line["route"] == "/api/orders/{order_id}"
    assert line["path"] == "/api/orders/7?q=1"
    assert (line["tenant_id"], line["request_id"], line["status"]) == ("acme", "r-1", 200)
    assert line["client"] == "127.0.0.1"


def test_add_middleware_works_and_sync_endpoints_reach_the_access_line(sink: MemorySink) -> None:
    app = shop()
    app.add_middleware(TracingMiddleware)
    with served(app) as host:
        answer = httpx.get(f"http://{host}/sync/3", headers={"authorization": "acme"})
    inside, line = sink.records
    assert (inside["event"], inside["tenant_id"]) == ("in_thread", "acme")
    assert (line["tenant_id"], line["route"]) == ("acme", "/sync/{number}")
    assert line["request_id"] == inside["request_id"] == answer.headers["x-request-id"]


def test_access_lines_of_uvicorn_are_silent_while_ours_are_written(sink: MemorySink) -> None:
    heard: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, handler = logging.getLogger("uvicorn.access"), Heard()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        restore_access_loggers()
        with served(shop()) as host:
            httpx.get(f"http://{host}/nowhere")
        with served(TracingMiddleware(shop())) as host:
            httpx.get(f"http://{host}/nowhere")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        restore_access_loggers()
    assert len(heard) == 1
    assert the_access_line(sink)["status"] == 404


def test_stream_and_background_work_keep_the_context_to_the_end(sink: MemorySink) -> None:
    with served(TracingMiddleware(shop())) as host:
        answer = httpx.get(f"http://{host}/events?count=3", headers={"authorization": "acme"})
    assert answer.text.count("data:") == 3
    events = [line["event"] for line in sink.records]
    assert events == ["event_sent"] * 3 + ["after_response", "request"]
    assert {line["tenant_id"] for line in sink.records} == {"acme"}
    assert len({line["request_id"] for line in sink.records}) == 1
    assert sink.records[0]["run_id"] == "stream"
    assert "run_id" not in sink.records[-1]
    assert sink.records[-1]["bytes_out"] == len(answer.content)


def test_client_that_leaves_a_stream_gives_one_line(sink: MemorySink) -> None:
    with (
        served(TracingMiddleware(shop())) as host,
        httpx.stream(
            "GET", f"http://{host}/events?count=100000", headers={"authorization": "acme"}
        ) as answer,
    ):
        assert next(answer.iter_lines()) == "data: 0"
    line = the_access_line(sink)
    assert line["client_disconnected"] is True
    assert (line["status"], line["tenant_id"]) == (200, "acme")
    assert {line["tenant_id"] for line in sink.records if "tenant_id" in line} == {"acme"}


def test_client_that_resets_its_connection_gives_one_line(sink: MemorySink) -> None:
    with served(TracingMiddleware(shop())) as host:
        name, _, port = host.partition(":")
        with socket.create_connection((name, int(port))) as raw:
            raw.sendall(
                b"GET /events?count=100000 HTTP/1.1\r\nhost: x\r\nauthorization: acme\r\n\r\n"
            )
            assert raw.recv(64)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert the_access_line(sink)["client_disconnected"] is True


def test_endpoint_that_raises_gets_its_id_into_the_error_page_from_outside(
    sink: MemorySink,
) -> None:
    with served(TracingMiddleware(shop())) as host:
        answer = httpx.get(f"http://{host}/broken")
    line = the_access_line(sink)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == line["request_id"]
    assert (line["status"], line["error_type"], line["tenant_id"]) == (500, "RuntimeError", "acme")
    assert [one["event"] for one in sink.records] == ["request"]


def test_traceback_that_the_server_logs_carries_the_ids_of_its_request() -> None:
    with capture_logs() as records, served(TracingMiddleware(shop())) as host:
        httpx.get(f"http://{host}/broken")
    (line,) = records.only(event="request")
    (servers,) = records.only(logger="uvicorn.error", level="error")
    assert "RuntimeError" in servers["exception"]
    assert servers["tenant_id"] == line["tenant_id"] == "acme"
    assert servers["request_id"] == line["request_id"]


def test_context_left_on_an_exception_is_taken_once_and_only_where_nothing_is_bound() -> None:
    error = ValueError("shared")
    leave_on(error, TracingContext({"tenant_id": "acme"}))
    with capture_logs() as records:
        with bound_context(tenant_id="globex"):
            get_logger("app").error("mine", exc_info=error)
        get_logger("app").error("server's", exc_info=error)
        get_logger("app").error("again", exc_info=error)
    assert [line.get("tenant_id") for line in records] == ["globex", "acme", None]


def test_unknown_path_is_a_warning_without_a_route(sink: MemorySink) -> None:
    with served(TracingMiddleware(shop())) as host:
        httpx.get(f"http://{host}/nowhere")
    line = the_access_line(sink)
    assert (line["status"], line["level"]) == (404, "warning")
    assert "route" not in line


def test_websocket_served_keeps_the_context_and_gives_back_the_id(sink: MemorySink) -> None:
    async def talk(host: str) -> str:
        headers = {"authorization": "acme"}
        async with websockets.connect(f"ws://{host}/ws?a=1", additional_headers=headers) as chat:
            await chat.send("hi")
            assert await chat.recv() == "HI"
            assert chat.response is not None
            return chat.response.headers["x-request-id"]

    with served(TracingMiddleware(shop())) as host:
        request_id = asyncio.run(talk(host))
    heard, line = sink.records
    assert (heard["event"], heard["tenant_id"]) == ("heard", "acme")
    assert (line["method"], line["status"], line["path"]) == ("WEBSOCKET", 1000, "/ws?a=1")
    assert line["request_id"] == heard["request_id"] == request_id
    assert (line["route"], line["bytes_out"]) == ("/ws", 2)


def test_websocket_whose_client_drops_the_connection_gives_one_line(sink: MemorySink) -> None:
    async def vanish(host: str) -> None:
        headers = {"authorization": "acme"}
        chat = await websockets.connect(f"ws://{host}/ws", additional_headers=headers)
        chat.transport.abort()
        await chat.wait_closed()

    with served(TracingMiddleware(shop())) as host:
        asyncio.run(vanish(host))
    line = the_access_line(sink)
    assert (line["level"], line["tenant_id"]) == ("info", "acme")
    assert line["status"] in {1005, 1006}


def test_mounted_route_and_middleware_that_binds_in_a_copy_are_in_the_line(
    sink: MemorySink,
) -> None:
    async def bind_first(request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
        bind_context(tenant_id="acme")
        return await call_next(request)

    async def item(request: Request) -> PlainTextResponse:
        bind_context(user_id="u-7")  # in the task that BaseHTTPMiddleware makes
        log("inside")
        return PlainTextResponse("ok")

    app = Starlette(routes=[Mount("/sub", routes=[Route("/items/{id}", item)])])
    app.add_middleware(BaseHTTPMiddleware, dispatch=bind_first)
    with served(TracingMiddleware(app)) as host:
        assert httpx.get(f"http://{host}/sub/items/5").text == "ok"
    inside, line = sink.records
    assert (inside["tenant_id"], inside["user_id"]) == ("acme", "u-7")
    assert (line["tenant_id"], line["user_id"]) == ("acme", "u-7")
    assert line["route"] == "/sub/items/{id}"


def test_a_thousand_interleaved_requests_never_show_a_foreign_tenant(sink: MemorySink) -> None:
    app = shop()
    workers = ContextExecutor(4)

    @app.get("/mixed/{tenant}/{way}")
    async def mixed(tenant: str, way: str, request: Request) -> str:
        del request
        bind_context(tenant_id=tenant)
        await asyncio.sleep(random.random() / 1000)
        if way == "thread":
            await asyncio.to_thread(log, "work", of=tenant)
        elif way == "pool":
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(workers, lambda: log("work", of=tenant))
        else:
            await asyncio.gather(*(asyncio.to_thread(log, "work", of=tenant) for _ in range(2)))
        log("done", of=tenant)
        return tenant

    async def ask(client: httpx.AsyncClient, number: int, gate: asyncio.Semaphore) -> None:
        tenant = f"t-{number % 20}"
        way = ("task", "thread", "pool", "sync", "sse")[number // 20 % 5]
        async with gate:
            if way == "sync":
                await client.get(f"/sync/{number}", headers={"authorization": tenant})
            elif way == "sse":
                url = "/events?count=5"
                async with client.stream("GET", url, headers={"authorization": tenant}) as answer:
                    lines = answer.aiter_lines()
                    assert isinstance(lines, AsyncGenerator)
                    async with contextlib.aclosing(lines):
                        await anext(lines)  # and leave
            else:
                await client.get(f"/mixed/{tenant}/{way}")

    async def storm(host: str) -> None:
        gate = asyncio.Semaphore(40)
        async with httpx.AsyncClient(base_url=f"http://{host}", timeout=60) as client:
            await asyncio.gather(*(ask(client, number, gate) for number in range(1000)))

    with served(TracingMiddleware(app)) as host:
        asyncio.run(storm(host))
    workers.shutdown()
    gc.collect()
    lines = sink.records
    owner = {line["request_id"]: line["tenant_id"] for line in lines if line["event"] == "request"}
    assert len(owner) == 1000
    assert len(set(owner.values())) == 20
    assert not [line for line in lines if line["tenant_id"] != owner[line["request_id"]]]
    assert not [line for line in lines if line.get("of", line["tenant_id"]) != line["tenant_id"]]
