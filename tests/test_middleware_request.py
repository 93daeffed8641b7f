"""What both middlewares share: levels of lines, and the servers' own access lines."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import werkzeug.serving
from django.conf import settings as django_settings
from django.core.servers import basehttp

from logbraid import pipeline
from logbraid.level import levels
from logbraid.middleware.request import (
    level_of,
    restore_access_loggers,
    shown_path,
    silence_access_loggers,
)
from logbraid.middleware.wsgi import TracingWSGIMiddleware
from logbraid.record import ERROR, INFO, WARNING
from logbraid.settings import Settings
from logbraid.sinks.memory import MemorySink

SERVERS = ("uvicorn.access", "gunicorn.access", "werkzeug", "django.server")

if not django_settings.configured:
    django_settings.configure(LOGGING_CONFIG=None, SECRET_KEY="t", ALLOWED_HOSTS=["*"])


class Heard(logging.Handler):
    """Keep what the handlers of a logger get."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    before = {name: logging.getLogger(name).level for name in SERVERS}
    for name in SERVERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    restore_access_loggers()
    yield handler
    restore_access_loggers()
    for name, level in before.items():
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def configured() -> Iterator[MemorySink]:
    memory = MemorySink()
    levels.configure(INFO, {})
    pipeline.activate(pipeline.Pipeline(Settings(), [memory]))
    yield memory
    pipeline.activate(None)
    levels.configure(WARNING, {})


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@contextlib.contextmanager
def running(server: Any) -> Iterator[str]:
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def werkzeug_server(app: Any) -> Any:
    return werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)


def django_server(app: Any) -> Any:
    server = basehttp.ThreadedWSGIServer(("127.0.0.1", 0), basehttp.WSGIRequestHandler)
    server.set_app(app)
    return server


@pytest.mark.parametrize("make", [werkzeug_server, django_server])
def test_access_lines_of_the_server_are_silent_while_ours_are_written(
    make: Any, heard: Heard, configured: MemorySink
) -> None:
    with running(make(TracingWSGIMiddleware(hello))) as url:
        httpx.get(url)
    assert [line["event"] for line in configured.records] == ["request"]
    assert not heard.records


@pytest.mark.parametrize("make", [werkzeug_server, django_server])
def test_access_lines_of_the_server_stay_where_ours_are_off(
    make: Any, heard: Heard, configured: MemorySink
) -> None:
    with running(make(TracingWSGIMiddleware(hello, access_log=False))) as url:
        httpx.get(url)
    assert not configured.records
    assert ['"GET / HTTP/1.1" 200' in record.getMessage() for record in heard.records] == [True]


def test_access_lines_of_the_server_stay_before_configuration(heard: Heard) -> None:
    with running(werkzeug_server(TracingWSGIMiddleware(hello))) as url:
        httpx.get(url)
    assert len(heard.records) == 1


def test_other_lines_of_the_servers_stay(heard: Heard) -> None:
    silence_access_loggers()
    logging.getLogger("werkzeug").error("%s - - [now] code %d, message %s", "::1", 400, "Bad")
    logging.getLogger("werkzeug").info("Press CTRL+C to quit")
    logging.getLogger("django.server").info("- Broken pipe from %s", ("::1", 1))
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "::1", "GET", "/", "1.1", 200
    )
    logging.getLogger("gunicorn.access").info("%(h)s", {"h": "::1"})
    texts = [record.getMessage() for record in heard.records]
    assert [text[:5] for text in texts] == ["::1 -", "Press", "- Bro"]


def test_silencing_is_idempotent_and_can_be_taken_back(heard: Heard) -> None:
    before = [list(logging.getLogger(name).filters) for name in SERVERS]
    silence_access_loggers()
    silence_access_loggers()
    added = [len(logging.getLogger(name).filters) for name in SERVERS]
    assert added == [len(filters) + 1 for filters in before]
    restore_access_loggers()
    restore_access_loggers()
    assert [list(logging.getLogger(name).filters) for name in SERVERS] == before
    logging.getLogger("uvicorn.access").info("heard again")
    assert len(heard.records) == 1


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (None, WARNING), (101, INFO), (204, INFO), (304, INFO), (400, WARNING), (499, WARNING),
        (500, ERROR), (599, ERROR), (1000, INFO), (1001, INFO), (1005, INFO), (1006, INFO),
        (1002, WARNING), (1008, WARNING), (1011, ERROR), (1014, ERROR), (4401, WARNING),
    ],
)  # fmt: skip
def test_level_of_a_status_or_close_code(status: int | None, level: int) -> None:
    assert level_of(status) == level


@pytest.mark.parametrize(
    ("path", "query", "shown"),
    [
        ("/", "", "/"),
        ("/a/b-c_d.e~f", "x=1&y=%20", "/a/b-c_d.e~f?x=1&y=%20"),
        ("/a?b", "", "/a%3Fb"),
        ("/line\nbreak", "", "/line%0Abreak"),
        ("/\udc80", "", "/%3F"),
        ("/ü".encode(), "", "/%C3%BC"),
    ],
)
def test_path_is_shown_as_it_stands_in_a_url(path: str | bytes, query: str, shown: str) -> None:
    assert shown_path(path, query) == shown
