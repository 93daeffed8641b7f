"""A Django project in one file behind ``TracingWSGIMiddleware``, called over HTTP by two tenants.

``LOGGING_CONFIG = None`` keeps Django from configuring ``logging`` itself. A Django middleware
authenticates and binds the tenant; Django's own lines about errors carry the ids as well.
"""

from __future__ import annotations

import http.client
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

import logbraid

logbraid.configure_logging(service="django-app")
log = logging.getLogger("shop")

API_KEYS = {"sk-acme-7f3kd82hs01mzq": "acme", "sk-globex-1m9xk2p47vbt": "globex"}

Respond = Callable[[HttpRequest], HttpResponse]


def authenticate(respond: Respond) -> Respond:
    """Make the Django middleware that binds who is calling."""

    def middleware(request: HttpRequest) -> HttpResponse:
        key = request.headers.get("X-Api-Key", "")
        if key not in API_KEYS:
            log.warning("refused, X-Api-Key: %s", key)
            return HttpResponse(status=401)
        logbraid.bind_context(tenant_id=API_KEYS[key], user_id="u-7")
        return respond(request)

    return middleware


def order(_: HttpRequest, number: int) -> JsonResponse:
    log.info("looked up", extra={"order": number})
    return JsonResponse({"order": number, "meta": logbraid.response_metadata()})


def pay(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("declined, client_secret=cs-93hd82hsj2kqzz7")


urlpatterns = [path("orders/<int:number>", order), path("pay", pay)]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[f"{__name__}.authenticate"],
    ROOT_URLCONF=__name__,
)
django.setup()
application = logbraid.TracingWSGIMiddleware(get_wsgi_application())


class Handler(WSGIRequestHandler):
    """The request handler of ``wsgiref``, without its own access line."""

    def log_message(self, *_: object) -> None:
        """Say nothing: the middleware writes the access line."""


def call(port: int, target: str, key: str) -> int:
    """Be a client of the service; return the status."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", target, headers={"X-Api-Key": key})
        reply = connection.getresponse()
        reply.read()
        return reply.status


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, application, handler_class=Handler)
    threading.Thread(target=server.serve_forever).start()
    acme, globex = API_KEYS
    statuses = [
        call(server.server_port, "/orders/7?access_token=tok-93hd82hsj2kq", acme),
        call(server.server_port, "/orders/8", globex),
        call(server.server_port, "/pay", acme),
        call(server.server_port, "/orders/9?token=tok-93hd82hsj2kq", "sk-stranger-4kx82ns7"),
    ]
    server.shutdown()
    server.server_close()
    sys.stderr.write(f"{logbraid.stats().written} lines, statuses {statuses}\n")
