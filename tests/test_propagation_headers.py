"""The ids in headers: to the hosts of the list, and by no trick to any other."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logbraid
from logbraid.context import RequestSlot, bind_context, bound_context, current_context
from logbraid.middleware.wsgi import TracingWSGIMiddleware
from logbraid.propagation import httpx_hook, inject_headers, parse_traceparent
from logbraid.propagation.hosts import Allowed, host_of
from logbraid.testing import capture_logs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
IDS = {
    "tenant_id": "acme",
    "user_id": "u-7",
    "session_id": "s-1",
    "run_id": "run-9",
    "request_id": "req-4",
    "trace_id": TRACE,
    "span_id": SPAN,
}
HEADERS = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "x-request-id": "req-4",
    "x-session-id": "s-1",
    "x-run-id": "run-9",
}


def injected(url: object, *allow: str) -> dict[str, str]:
    with bound_context(**IDS):
        return inject_headers({}, url=url, allow=allow)


# what is sent


def test_allowed_host_gets_four_ids_and_neither_tenant_nor_user() -> None:
    assert injected("https://api.example.com/x?y=1", "api.example.com") == HEADERS


def test_a_new_dict_is_returned_and_the_callers_stays_as_it_was() -> None:
    mine = {"accept": "*/*"}
    with bound_context(**IDS):
        made = inject_headers(mine, url="https://a.example", allow=["a.example"])
        other = inject_headers(mine, url="https://evil.example", allow=["a.example"])
    assert made == {"accept": "*/*", **HEADERS}
    assert mine == other == {"accept": "*/*"}
    assert inject_headers(None, url="https://a.example", allow=["a.example"]) == {}


def test_what_the_caller_set_stays_in_any_case() -> None:
    mine = {"X-Request-ID": "mine", "TraceParent": "theirs"}
    with bound_context(**IDS):
        made = inject_headers(mine, url="https://a.example", allow=["a.example"])
    assert made == {**mine, "x-session-id": "s-1", "x-run-id": "run-9"}


def test_an_id_that_no_header_can_hold_is_left_out() -> None:
    with bound_context(request_id="a b", run_id="ü", session_id="x\r\ny: z", trace_id="any text"):
        made = inject_headers({}, url="https://a.example", allow=["a.example"])
    assert list(made) == ["x-session-id"]
    assert made["x-session-id"].startswith("invalid-")


def test_a_session_id_that_is_a_credential_is_not_sent() -> None:
    token = "ghp_" + "a1B2" * 9
    with capture_logs(), bound_context(session_id=token, run_id="run-9"):
        made = inject_headers({}, url="https://a.example", allow=["a.example"])
    assert made == {"x-run-id": "run-9"}


def test_without_a_span_a_new_one_is_made_and_without_a_trace_none() -> None:
    with bound_context(trace_id=TRACE):
        made = inject_headers({}, url="https://a.example", allow=["a.example"])
    parsed = parse_traceparent(made["traceparent"])
    assert parsed is not None
    assert parsed[0] == TRACE
    assert inject_headers({}, url="https://a.example", allow=["a.example"]) == {}


def test_ids_bound_in_a_copy_of_the_request_are_sent() -> None:
    slot = RequestSlot()
    slot.note({"run_id": "run-9"})
    with bound_context(request_id="req-4"):
        current_context().slot = slot
        bind_context(run_id=None)
        slot.fields["run_id"] = "run-9"
        made = inject_headers({}, url="https://a.example", allow=["a.example"])
    assert made == {"x-request-id": "req-4", "x-run-id": "run-9"}


def test_the_middleware_of_the_other_service_reads_what_is_sent() -> None:
    seen: dict[str, Any] = {}

    def app(_: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(current_context())
        start("200 OK", [])
        return [b""]

    wrapped = TracingWSGIMiddleware(app, trust_headers=True, access_log=False)
    made = injected("https://a.example", "a.example")
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in made.items()}
    environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "x"}
    list(wrapped({**environ, "wsgi.url_scheme": "http"}, lambda *_: lambda _: None))
    assert seen["request_id"] == "req-4"
    assert (seen["session_id"], seen["run_id"], seen["trace_id"]) == ("s-1", "run-9", TRACE)
    assert "tenant_id" not in seen
    assert "user_id" not in seen


# to whom


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://api.example.com", "api.example.com"),
        ("https://API.Example.COM/x", "api.example.com"),
        ("https://api.example.com", "API.EXAMPLE.COM"),
        ("https://api.example.com./", "api.example.com"),
        ("https://api.example.com:8443", "api.example.com"),
        ("http://localhost:8080/x", "localhost:8080"),
        ("https://api.example.com/", "api.example.com:443"),
        ("http://api.example.com", "api.example.com:80"),
        ("https://u:p@api.example.com", "api.example.com"),
        ("https://a.example.com", "*.example.com"),
        ("https://a.b.example.com:9", "*.example.com"),
        ("https://a.example.com:9", "*.example.com:9"),
        ("http://127.0.0.1:5000", "127.0.0.1"),
        ("http://[::1]:5000", "::1"),
        ("http://[::1]:5000", "[::1]"),
        ("http://[0:0:0:0:0:0:0:1]:5000", "[::1]:5000"),
        ("http://bücher.example", "xn--bcher-kva.example"),
        ("http://xn--bcher-kva.example", "bücher.example"),
        ("HTTPS://api.example.com", "api.example.com"),
        ("http://svc_a.local", "*.local"),
    ],
)
def test_a_host_of_the_list_is_told(url: str, allow: str) -> None:
    assert injected(url, "other.example", allow) == HEADERS
    assert injected(httpx.URL(url), allow) == HEADERS


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("https://evil.com", "api.example.com"),
        ("https://api.example.com.evil.com", "api.example.com"),
        ("https://evilapi.example.com", "api.example.com"),
        ("https://sub.api.example.com", "api.example.com"),
        ("https://example.com", "*.example.com"),
        ("https://evilexample.com", "*.example.com"),
        ("https://example.com.evil.com", "*.example.com"),
        ("https://.example.com", "*.example.com"),
        ("https://api.example.com@evil.com", "api.example.com"),
        ("https://evil.com#@api.example.com", "api.example.com"),
        ("https://evil.com?@api.example.com", "api.example.com"),
        ("https://evil.com/@api.example.com", "api.example.com"),
        ("https://evil.com\\@api.example.com", "api.example.com"),
        ("https://api.example.com\\@evil.com", "api.example.com"),
        ("https:\\\\api.example.com", "api.example.com"),
        ("https://a@api.example.com@evil.com", "api.example.com"),
        ("https://evil.com@a@api.example.com", "api.example.com"),
        ("https://api.example.com%2eevil.com", "api.example.com"),
        ("https://api%2eexample.com", "api.example.com"),
        ("https://api.example.com%00.evil.com", "api.example.com"),
        ("https://api.example.com\t.evil.com", "api.example.com"),
        ("https://api.example.com\n", "api.example.com"),
        (" https://api.example.com", "api.example.com"),
        ("https://api.example.com:0443x", "api.example.com"),
        ("https://api.example.com:99999", "api.example.com"),
        ("https://api.example.com:-1", "api.example.com"),
        ("https://api.example.com:8443", "api.example.com:443"),
        ("http://api.example.com", "api.example.com:443"),
        ("https://api.example.com..", "api.example.com"),
        ("//api.example.com", "api.example.com"),
        ("api.example.com", "api.example.com"),
        ("ftp://api.example.com", "api.example.com"),
        ("file://api.example.com/etc", "api.example.com"),
        ("javascript://api.example.com", "api.example.com"),
        ("https:///api.example.com", "api.example.com"),
        ("https:api.example.com", "api.example.com"),
        ("", "api.example.com"),
        ("http://faß.example", "fass.example"),
        ("http://fass.example", "xn--fa-hia.example"),
        ("http://\u0430pi.example.com", "api.example.com"),
        ("http://\uff41pi.example.com", "api.example.com"),
        ("http://2130706433", "127.0.0.1"),
        ("http://0x7f.0.0.1", "127.0.0.1"),
        ("http://127.1", "127.0.0.1"),
        ("http://[::ffff:127.0.0.1]", "127.0.0.1"),
        ("http://[::1%25eth0]", "::1"),
        ("http://[::1].evil.com", "::1"),
        ("http://[::1", "::1"),
        ("http://[api.example.com]", "api.example.com"),
        ("http://localhost", "127.0.0.1"),
        ("http://10.0.0.1", "*.0.0.0"),
        ("https://api.example.com/" + "x" * 70_000, "api.example.com"),
    ],
)
def test_no_trick_reaches_another_host(url: str, allow: str) -> None:
    assert injected(url, allow) == {}


@pytest.mark.parametrize(
    "pattern",
    ["", "*", "*.", "*.*.com", "a.*.com", "https://api.example.com", "a b", "a/b", "*.127.0.0.1",
     "*.[::1]", "u@h", "h:x", "h:0", "h:70000", "[::1", "faß.example", ".example.com"],
)  # fmt: skip
def test_a_pattern_that_is_no_host_raises(pattern: str) -> None:
    with pytest.raises(ValueError, match="allow has"):
        inject_headers({}, url="https://a.example", allow=[pattern])
    with pytest.raises(ValueError, match="allow has"):
        httpx_hook(allow=[pattern])


def test_one_pattern_may_stand_alone_and_none_allows_nothing() -> None:
    with bound_context(**IDS):
        assert inject_headers({}, url="https://a.example", allow="a.example") == HEADERS
        assert inject_headers({}, url="https://a.example", allow=[]) == {}


@given(st.text(alphabet="ab.:/@\\#?[]%*-é \t", max_size=30))
def test_what_is_told_is_where_httpx_connects_to(rest: str) -> None:
    url = f"http://{rest}"
    host = host_of(url)
    if host is None or not Allowed(["a.b", "*.a"]).has(host):
        return
    name = httpx.URL(url).raw_host.decode().rstrip(".").lower()
    assert name == "a.b" or name.endswith(".a")


# httpx, with real servers


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that it got, or redirects to where its server says."""

    def do_GET(self) -> None:
        location = self.server.redirects.get(self.path)  # type: ignore[attr-defined]  # set below
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]  # set below
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(302 if location else 200)
        if location:
            self.send_header("location", location)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    made.redirects, made.seen = {}, []
    made.port = made.server_address[1]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def ours(headers: dict[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: lower[name] for name in HEADERS if name in lower}


def test_one_hook_serves_both_clients() -> None:
    hook = httpx_hook(allow=["127.0.0.1"])

    async def main(url: str) -> dict[str, str]:
        async with httpx.AsyncClient(event_hooks={"request": [hook]}, trust_env=False) as client:
            return dict((await client.get(url)).json())

    with server() as one, bound_context(**IDS):
        url = f"http://127.0.0.1:{one.port}/"
        with httpx.Client(event_hooks={"request": [hook]}, trust_env=False) as client:
            assert ours(client.get(url).json()) == HEADERS
            assert ours(client.get(url, headers={"X-Run-Id": "mine"}).json()) == {
                **HEADERS,
                "x-run-id": "mine",
            }
            assert ours(client.get(f"http://localhost:{one.port}/").json()) == {}
        assert ours(asyncio.run(main(url))) == HEADERS


def test_a_redirect_to_another_host_does_not_carry_them_and_one_back_does() -> None:
    hook = httpx_hook(allow=["127.0.0.1"])
    with server() as inner, server() as outer, bound_context(**IDS):
        inner.redirects["/away"] = f"http://localhost:{outer.port}/there"
        outer.redirects["/there"] = f"http://127.0.0.1:{inner.port}/back"
        with httpx.Client(
            event_hooks={"request": [hook]}, follow_redirects=True, trust_env=False
        ) as client:
            client.get(f"http://127.0.0.1:{inner.port}/away", headers={"x-mine": "1"})
        (_, first), (_, last) = inner.seen
        ((_, away),) = outer.seen
    assert ours(first) == HEADERS
    assert ours(away) == {}
    assert away["x-mine"] == "1"
    assert ours(last) == HEADERS


def test_redirects_of_the_async_client_do_not_carry_them_either() -> None:
    hook = httpx_hook(allow=["localhost"])

    async def main(url: str) -> None:
        async with httpx.AsyncClient(
            event_hooks={"request": [hook]}, follow_redirects=True, trust_env=False
        ) as client:
            await client.get(url, headers={"x-request-id": "mine"})

    with server() as one, bound_context(**IDS):
        one.redirects["/away"] = f"http://127.0.0.1:{one.port}/there"
        asyncio.run(main(f"http://localhost:{one.port}/away"))
        (_, first), (_, away) = one.seen
    assert ours(first) == {**HEADERS, "x-request-id": "mine"}
    assert ours(away) == {"x-request-id": "mine"}


def test_each_task_sends_its_own_ids_through_one_client() -> None:
    hook = httpx_hook(allow=["127.0.0.1"])

    async def one_of(client: httpx.AsyncClient, url: str, number: int) -> bool:
        with bound_context(run_id=f"r-{number}"):
            return bool((await client.get(url)).json().get("x-run-id") == f"r-{number}")

    async def main(url: str) -> list[bool]:
        async with httpx.AsyncClient(event_hooks={"request": [hook]}, trust_env=False) as client:
            return await asyncio.gather(*(one_of(client, url, number) for number in range(30)))

    with server() as one:
        assert all(asyncio.run(main(f"http://127.0.0.1:{one.port}/")))
    assert dict(logbraid.current_context()) == {}
