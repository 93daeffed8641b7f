"""The WSGI middleware under wsgiref, werkzeug and Django's server, and by hand for the edges."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import queue
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from socket import SO_LINGER, SOL_SOCKET, create_connection
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import django.core.cache
import django.http
import django.urls
import flask
import httpx
import pytest
import structlog
import werkzeug.serving
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from logbraid import pipeline
from logbraid.context import bind_context, bound_context, current_context
from logbraid.health import health
from logbraid.level import levels
from logbraid.middleware.request import response_metadata
from logbraid.middleware.wsgi import TracingWSGIMiddleware
from logbraid.record import INFO, WARNING
from logbraid.settings import Settings
from logbraid.sinks.memory import MemorySink

if not django_settings.configured:
    django_settings.configure(LOGGING_CONFIG=None, SECRET_KEY="t", ALLOWED_HOSTS=["*"])


@pytest.fixture
def sink() -> Iterator[MemorySink]:
    memory = MemorySink()
    health.reset()
    levels.configure(INFO, {})
    pipeline.activate(pipeline.Pipeline(Settings(), [memory]))
    yield memory
    pipeline.activate(None)
    levels.configure(WARNING, {})


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        return


class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    request_queue_size = 64


@contextlib.contextmanager
def served(app: Any, server_class: type[WSGIServer] = ThreadingServer) -> Iterator[str]:
    """Serve *app* with wsgiref; all requests are over when the block is left."""
    server = server_class(("127.0.0.1", 0), QuietHandler)
    server.set_app(app)
    with running(server) as host:
        yield host


@contextlib.contextmanager
def running(server: Any) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def access_lines(sink: MemorySink) -> list[dict[str, Any]]:
    return [line for line in sink.records if line["logger"] == "logbraid.access"]


def the_access_line(sink: MemorySink) -> dict[str, Any]:
    (line,) = access_lines(sink)
    return line


def log(event: str, **fields: object) -> None:
    pipeline.emit(INFO, "app", event, fields)


class Server:
    """A server made by hand: calls the application and keeps what it said."""

    def __init__(self, **environ: Any) -> None:
        self.environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "10.0.0.9",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **environ,
        }
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self.written.append

    def begin(self, app: Any) -> Any:
        return app(self.environ, self.start_response)

    def serve(self, app: Any) -> bytes:
        body = self.begin(app)
        try:
            for chunk in body:
                self.written.append(chunk)
        finally:
            if hasattr(body, "close"):
                body.close()
        return b"".join(self.written)

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


# What a request gives the context and gets back


def test_request_id_of_the_header_is_bound_and_comes_back(sink: MemorySink) -> None:
    server = Server(HTTP_X_REQUEST_ID="req-4")
    assert server.serve(TracingWSGIMiddleware(hello)) == b"hello"
    assert server.header("x-request-id") == ["req-4"]
    assert the_access_line(sink)["request_id"] == "req-4"


@pytest.mark.parametrize("forged", ["", "a b", "a\nb", "x" * 10_240, "ä", "one,two"])
def test_request_id_that_does_not_fit_is_replaced(sink: MemorySink, forged: str) -> None:
    server = Server(HTTP_X_REQUEST_ID=forged)
    server.serve(TracingWSGIMiddleware(hello))
    (given,) = server.header("x-request-id")
    assert len(given) == 36
    assert the_access_line(sink)["request_id"] == given


FORGED = {
    "HTTP_X_TENANT_ID": "victim",
    "HTTP_X_USER_ID": "root",
    "HTTP_X_SESSION_ID": "s-1",
    "HTTP_X_RUN_ID": "run-9",
}


def test_ids_are_not_taken_from_headers(sink: MemorySink) -> None:
    Server(**FORGED).serve(TracingWSGIMiddleware(hello))
    assert not {"tenant_id", "user_id", "session_id", "run_id"} & set(the_access_line(sink))


def test_trusted_headers_give_session_and_run_but_never_tenant_or_user(sink: MemorySink) -> None:
    Server(**FORGED).serve(TracingWSGIMiddleware(hello, trust_headers=True))
    line = the_access_line(sink)
    assert (line["session_id"], line["run_id"]) == ("s-1", "run-9")
    assert not {"tenant_id", "user_id"} & set(line)


def test_request_id_header_that_the_application_set_stays_alone(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-REQUEST-ID", "mine")])
        return [b""]

    server = Server()
    server.serve(TracingWSGIMiddleware(app))
    assert server.headers == [("X-REQUEST-ID", "mine")]


def test_keeps_to_the_standard(sink: MemorySink) -> None:
    server = Server()
    server.serve(validator(TracingWSGIMiddleware(validator(hello))))
    assert the_access_line(sink)["status"] == 200


def test_one_request_after_another_in_one_thread_starts_anew(sink: MemorySink) -> None:
    def binding(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        structlog.contextvars.bind_contextvars(user_id="u-7")
        return hello(environ, start_response)

    def asking(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.append({**current_context().to_dict(), **structlog.contextvars.get_contextvars()})
        return hello(environ, start_response)

    seen: list[dict[str, Any]] = []
    Server().serve(TracingWSGIMiddleware(binding))
    Server().serve(TracingWSGIMiddleware(asking))
    assert seen[0].keys() == {"request_id"}
    assert current_context().to_dict() == {}


# The body


def test_stream_keeps_the_context_in_every_step_and_in_its_close(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        start_response("200 OK", [])

        def stream() -> Iterator[bytes]:
            try:
                with bound_context(run_id="stream"):
                    for number in range(2):
                        log("step", number=number)
                        yield b"ab"
            finally:
                log("closing")

        return stream()

    server = Server()
    body = server.begin(TracingWSGIMiddleware(app))
    assert next(body) == b"ab"
    assert current_context().to_dict() == {}
    assert b"".join(body) == b"ab"
    body.close()
    body.close()
    assert [line["event"] for line in sink.records] == ["step", "step", "closing", "request"]
    assert {line["tenant_id"] for line in sink.records} == {"acme"}
    assert the_access_line(sink)["bytes_out"] == 4
    assert "run_id" not in the_access_line(sink)
    assert "client_disconnected" not in the_access_line(sink)


def test_two_streams_taken_in_turns_in_one_thread_stay_apart(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        tenant = environ["PATH_INFO"].strip("/")
        bind_context(tenant_id=tenant)
        start_response("200 OK", [])
        for number in range(3):
            log("step", of=tenant, number=number)
            yield b"x"

    wrapped = TracingWSGIMiddleware(app)
    first, second = (Server(PATH_INFO=f"/{name}").begin(wrapped) for name in ("acme", "globex"))
    for _ in zip(first, second, strict=False):
        continue
    first.close()
    second.close()
    steps = [line for line in sink.records if line["event"] == "step"]
    assert len(steps) >= 5
    assert all(line["of"] == line["tenant_id"] for line in steps)
    assert {line["tenant_id"] for line in access_lines(sink)} == {"acme", "globex"}


def test_body_given_up_early_tells_that_the_client_left(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"1"
        yield b"2"

    body = Server().begin(TracingWSGIMiddleware(app))
    next(body)
    body.close()
    line = the_access_line(sink)
    assert (line["status"], line["client_disconnected"], line["bytes_out"]) == (200, True, 1)


def test_body_that_raises_writes_one_line(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        start_response("200 OK", [])
        yield b"1"
        raise ValueError("password=hunter2")

    with pytest.raises(ValueError, match="hunter2"):
        Server().serve(TracingWSGIMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["error_type"]) == (200, "error", "ValueError")
    assert line["tenant_id"] == "acme"
    assert b"hunter2" not in sink.lines[0]


def test_body_that_is_never_closed_gets_its_line_when_it_is_collected(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        start_response("200 OK", [])
        return iter([b"1"])

    body = Server().begin(TracingWSGIMiddleware(app))
    assert list(body) == [b"1"]
    assert not sink.records

    def stranger() -> None:
        nonlocal body
        bind_context(tenant_id="globex", user_id="u-1")
        del body
        gc.collect()

    copy_context().run(stranger)
    line = the_access_line(sink)
    assert line["tenant_id"] == "acme"
    assert "user_id" not in line


def test_body_collected_while_a_step_of_its_request_runs_still_has_its_line(
    sink: MemorySink,
) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        return hello(environ, start_response)

    body = Server().begin(TracingWSGIMiddleware(app))
    body._exchange.context.run(body._exchange.finish)
    body.close()
    assert the_access_line(sink)["tenant_id"] == "acme"


def test_close_that_raises_is_told_and_raised_on(sink: MemorySink) -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"1"])

        def close(self) -> None:
            raise OSError("close")

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body()

    with pytest.raises(OSError, match="close"):
        Server().serve(TracingWSGIMiddleware(app))
    assert the_access_line(sink)["error_type"] == "OSError"


def test_start_response_may_come_with_the_first_step(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("404 Not Found", [])
        yield b"no"

    server = Server()
    server.serve(TracingWSGIMiddleware(app))
    assert server.header("x-request-id")
    assert (the_access_line(sink)["status"], the_access_line(sink)["level"]) == (404, "warning")


def test_second_start_response_replaces_the_first(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("503 Busy", [], (ValueError, ValueError("late"), None))
        return [b"sorry"]

    server = Server()
    server.serve(TracingWSGIMiddleware(app))
    assert server.status == "503 Busy"
    assert len(server.header("x-request-id")) == 1
    assert (the_access_line(sink)["status"], the_access_line(sink)["level"]) == (503, "error")


def test_start_response_that_comes_too_late_keeps_the_status_that_was_sent(
    sink: MemorySink,
) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"half")
        error = ValueError("late")
        start_response("500 Oops", [], (ValueError, error, None))
        return []

    with pytest.raises(ValueError, match="late"):
        Server().serve(TracingWSGIMiddleware(app))
    assert (the_access_line(sink)["status"], the_access_line(sink)["bytes_out"]) == (200, 4)


def test_write_callable_is_counted(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written ")
        return [b"and given"]

    server = Server()
    assert server.serve(TracingWSGIMiddleware(app)) == b"written and given"
    assert the_access_line(sink)["bytes_out"] == 17


def test_head_counts_no_body_and_is_no_early_end(sink: MemorySink) -> None:
    body = Server(REQUEST_METHOD="HEAD").begin(TracingWSGIMiddleware(hello))
    body.close()
    line = the_access_line(sink)
    assert line["bytes_out"] == 0
    assert "client_disconnected" not in line


def test_file_wrapper_is_sent_and_its_file_closed(sink: MemorySink) -> None:
    file = io.BytesIO(b"x" * 20_000)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]  # the server's

    server = Server(**{"wsgi.file_wrapper": FileWrapper})
    assert len(server.serve(TracingWSGIMiddleware(app))) == 20_000
    assert file.closed
    assert the_access_line(sink)["bytes_out"] == 20_000


def test_body_of_one_chunk_keeps_its_length_for_the_server(sink: MemorySink) -> None:
    body = Server().begin(TracingWSGIMiddleware(hello))
    assert len(body) == 1
    body.close()
    assert the_access_line(sink)["event"] == "request"


# The line


def test_access_line_says_what_happened(sink: MemorySink) -> None:
    path = "/a b/ü?".encode().decode("latin-1")
    server = Server(SCRIPT_NAME="/shop", PATH_INFO=path, QUERY_STRING="page=2")
    server.serve(TracingWSGIMiddleware(hello))
    line = the_access_line(sink)
    assert (line["event"], line["level"], line["method"]) == ("request", "info", "GET")
    assert line["path"] == "/shop/a%20b/%C3%BC%3F?page=2"
    assert (line["status"], line["bytes_out"], line["client"]) == (200, 5, "10.0.0.9")
    assert line["duration_ms"] >= 0


def test_application_that_raises_is_told_by_its_class_alone(sink: MemorySink) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        bind_context(tenant_id="acme")
        raise ValueError("password=hunter2")

    with pytest.raises(ValueError, match="hunter2"):
        Server().serve(TracingWSGIMiddleware(app))
    line = the_access_line(sink)
    assert (line["status"], line["level"], line["error_type"]) == (500, "error", "ValueError")
    assert line["tenant_id"] == "acme"
    assert b"hunter2" not in sink.lines[0]
    assert current_context().to_dict() == {}


def test_nested_middlewares_write_one_line_with_one_request_id(sink: MemorySink) -> None:
    server = Server()
    server.serve(TracingWSGIMiddleware(TracingWSGIMiddleware(hello)))
    assert server.header("x-request-id") == [the_access_line(sink)["request_id"]]


def test_health_paths_write_no_access_line(sink: MemorySink) -> None:
    Server(PATH_INFO="/healthz").serve(TracingWSGIMiddleware(hello))
    assert not sink.records


def test_identify_binds_what_it_returns(sink: MemorySink) -> None:
    def identify(environ: Any) -> dict[str, str]:
        return {"tenant_id": environ["PATH_INFO"].strip("/")}

    Server(PATH_INFO="/acme").serve(TracingWSGIMiddleware(hello, identify=identify))
    assert the_access_line(sink)["tenant_id"] == "acme"


def test_broken_identify_is_counted_and_the_request_goes_on(sink: MemorySink) -> None:
    def identify(environ: Any) -> Any:
        raise LookupError

    server = Server()
    assert server.serve(TracingWSGIMiddleware(hello, identify=identify)) == b"hello"
    assert health.identify_errors.value == 1
    assert the_access_line(sink)["status"] == 200


# Served


def flask_shop() -> flask.Flask:
    app = flask.Flask("shop")

    @app.get("/orders/<order_id>")
    def order(order_id: str) -> dict[str, str]:
        bind_context(tenant_id=flask.request.headers["authorization"])
        log("looked_up", order=order_id)
        return response_metadata()

    @app.get("/events")
    def events() -> flask.Response:
        tenant = flask.request.headers["authorization"]
        bind_context(tenant_id=tenant)

        def stream() -> Iterator[str]:
            for number in range(int(flask.request.args["count"])):
                log("event_sent", of=tenant)
                yield f"data: {number} {flask.request.path}\n\n"

        return flask.Response(flask.stream_with_context(stream()), mimetype="text/event-stream")

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("boom")

    return app


def test_flask_keeps_the_context_to_the_access_line(sink: MemorySink) -> None:
    app = flask_shop()
    app.wsgi_app = TracingWSGIMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask's way
    with served(app) as host:
        answer = httpx.get(
            f"{host}/orders/7?q=1", headers={"authorization": "acme", "x-request-id": "r-1"}
        )
        broken = httpx.get(f"{host}/broken")
    assert answer.json() == {"tenant_id": "acme", "request_id": "r-1"}
    assert answer.headers["x-request-id"] == "r-1"
    assert broken.status_code == 500
    assert broken.headers["x-request-id"]
    inside, line = [one for one in sink.records if one["request_id"] == "r-1"]
    assert inside["tenant_id"] == line["tenant_id"] == "acme"
    assert (line["route"], line["path"]) == ("/orders/<order_id>", "/orders/7?q=1")


def test_flask_test_client_still_keeps_its_own_context(sink: MemorySink) -> None:
    app = flask_shop()
    app.wsgi_app = TracingWSGIMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask's way
    with app.test_client() as client:
        client.get("/orders/7", headers={"authorization": "acme"})
        assert flask.request.path == "/orders/7"
        client.get("/orders/8", headers={"authorization": "globex"})
        assert flask.request.path == "/orders/8"
    assert current_context().to_dict() == {}
    assert [line["tenant_id"] for line in access_lines(sink)] == ["acme", "globex"]


def test_flask_stream_keeps_both_contexts_under_werkzeugs_server(sink: MemorySink) -> None:
    app = TracingWSGIMiddleware(flask_shop())
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    vars(server)["daemon_threads"] = False  # so that closing it waits for its requests
    with running(server) as host:
        answer = httpx.get(f"{host}/events?count=3", headers={"authorization": "acme"})
    assert answer.text.count("/events") == 3
    assert [line["event"] for line in sink.records] == ["event_sent"] * 3 + ["request"]
    assert {line["tenant_id"] for line in sink.records} == {"acme"}


def test_client_that_resets_its_connection_gives_one_line(sink: MemorySink) -> None:
    class Silent(ThreadingServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            return

    with served(TracingWSGIMiddleware(flask_shop()), Silent) as host:
        name, _, port = host.removeprefix("http://").partition(":")
        with create_connection((name, int(port))) as raw:
            raw.sendall(b"GET /events?count=1000000 HTTP/1.0\r\nauthorization: acme\r\n\r\n")
            assert raw.recv(64)
            raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    line = the_access_line(sink)
    assert (line["status"], line["client_disconnected"], line["tenant_id"]) == (200, True, "acme")


def django_view(request: Any, number: int) -> django.http.HttpResponse:
    bind_context(tenant_id=request.headers["authorization"])
    log("looked_up", number=number)
    return django.http.JsonResponse(response_metadata())


def django_stream(request: Any) -> django.http.StreamingHttpResponse:
    bind_context(tenant_id=request.headers["authorization"])

    def stream() -> Iterator[str]:
        for _ in range(3):
            log("event_sent")
            yield "x"

    return django.http.StreamingHttpResponse(stream())


def django_broken(request: Any) -> None:
    raise RuntimeError("boom")


URLS = (
    django.urls.path("orders/<int:number>", django_view),
    django.urls.path("events", django_stream),
    django.urls.path("broken", django_broken),
)


@pytest.fixture
def django_app() -> Iterator[WSGIHandler]:
    with override_settings(ROOT_URLCONF=URLS):
        django.setup(set_prefix=False)
        yield WSGIHandler()


def test_django_keeps_the_context_to_the_access_line(
    sink: MemorySink, django_app: WSGIHandler
) -> None:
    with served(TracingWSGIMiddleware(django_app)) as host:
        answer = httpx.get(f"{host}/orders/7", headers={"authorization": "acme"})
        streamed = httpx.get(f"{host}/events", headers={"authorization": "globex"})
        broken = httpx.get(f"{host}/broken")
    assert answer.json()["tenant_id"] == "acme"
    assert streamed.text == "xxx"
    assert (broken.status_code, bool(broken.headers["x-request-id"])) == (500, True)
    by_path = {line["path"]: line for line in access_lines(sink)}
    assert by_path["/orders/7"]["tenant_id"] == "acme"
    assert by_path["/events"]["tenant_id"] == "globex"
    assert (by_path["/broken"]["level"], by_path["/broken"]["status"]) == ("error", 500)
    events = [line for line in sink.records if line["event"] == "event_sent"]
    assert [line["tenant_id"] for line in events] == ["globex"] * 3


def test_what_django_keeps_for_its_thread_is_made_once(
    sink: MemorySink, django_app: WSGIHandler
) -> None:
    handler = django.core.cache.CacheHandler()
    seen: list[object] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.append(handler["default"])
        return hello(environ, start_response)

    wrapped = TracingWSGIMiddleware(app)
    copy_context().run(lambda: [Server().serve(wrapped) for _ in range(3)])
    assert len(seen) == 3
    assert len({id(cache) for cache in seen}) == 1


def test_other_libraries_variables_do_not_leak_into_the_thread(sink: MemorySink) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        variable.set("of the request")
        return hello(environ, start_response)

    Server().serve(TracingWSGIMiddleware(app))
    assert variable.get() == "unset"


def test_a_thousand_requests_over_few_threads_never_show_a_foreign_tenant(
    sink: MemorySink,
) -> None:
    """Worker threads are used again, every fifth request binds nobody, streams are left early."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        tenant = environ["PATH_INFO"].strip("/")
        if tenant != "nobody":
            bind_context(tenant_id=tenant)
        log("begun", of=tenant)
        start_response("200 OK", [])
        for _ in range(3):
            log("step", of=tenant)
            yield b"x"

    wrapped = TracingWSGIMiddleware(app)
    open_bodies: queue.Queue[Any] = queue.Queue()

    def request(number: int) -> None:
        tenant = "nobody" if number % 5 == 0 else f"t-{number % 20}"
        body = Server(PATH_INFO=f"/{tenant}").begin(wrapped)
        next(body)
        open_bodies.put(body)
        other = open_bodies.get()  # most often begun by another request in another thread
        if number % 3:
            list(other)
        other.close()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(request, range(1000)))
    lines = sink.records
    assert len(access_lines(sink)) == 1000
    for line in lines:
        owner = line.get("of", line.get("path", "").strip("/"))
        assert line.get("tenant_id", "nobody") == owner


GEVENT = """
import {order}
import gevent, gevent.pywsgi, json, sys, urllib.request
lines = []
handle = logbraid.configure_logging(
    output="stderr", level="info", sinks=[lambda line, record: lines.append(record)])
log = logbraid.get_logger("app")

def app(environ, start_response):
    tenant = environ["PATH_INFO"].strip("/")
    logbraid.bind_context(tenant_id=tenant)
    start_response("200 OK", [])
    for _ in range(3):
        gevent.sleep(0.001)
        log.info("step", of=tenant)
        yield b"x"

wrapped = logbraid.TracingWSGIMiddleware(app)
server = gevent.pywsgi.WSGIServer(("127.0.0.1", 0), wrapped, log=None, spawn=50)
server.start()
def ask(number):
    url = f"http://127.0.0.1:{{server.server_port}}/t-{{number % 7}}"
    return urllib.request.urlopen(url).read()
jobs = [gevent.spawn(ask, number) for number in range(70)]
gevent.joinall(jobs, raise_error=True)
server.stop()
handle.close()
json.dump([(r.get("of") or r["path"].strip("/"), r["tenant_id"]) for r in lines], sys.stdout)
"""


@pytest.mark.parametrize(
    "order",
    [
        "gevent.monkey; gevent.monkey.patch_all(); import logbraid",
        "logbraid; import gevent.monkey; gevent.monkey.patch_all()",
    ],
    ids=["patched_before", "patched_after"],
)
def test_greenlets_keep_their_tenants_apart(order: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GEVENT.format(order=order)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pairs = json.loads(done.stdout)
    assert len(pairs) == 280
    assert not [pair for pair in pairs if pair[0] != pair[1]]
