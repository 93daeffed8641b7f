"""A Flask application behind ``TracingWSGIMiddleware``, called over HTTP by two tenants.

The tenant is bound after the application's own authentication; every line of the request has it,
Flask's own about the exception too, and so has the one access line, which stands for werkzeug's.
"""

from __future__ import annotations

import http.client
import logging
import sys
import threading
from contextlib import closing

from flask import Flask, abort, request
from werkzeug.serving import make_server

import logbraid

logbraid.configure_logging(service="flask-app")
log = logging.getLogger("shop")

API_KEYS = {"sk-acme-7f3kd82hs01mzq": "acme", "sk-globex-1m9xk2p47vbt": "globex"}

app = Flask("shop")


@app.before_request
def authenticate() -> None:
    key = request.headers.get("X-Api-Key", "")
    if key not in API_KEYS:
        log.warning("refused, X-Api-Key: %s", key)
        abort(401)
    logbraid.bind_context(tenant_id=API_KEYS[key], user_id="u-7")


@app.get("/orders/<int:number>")
def order(number: int) -> dict[str, object]:
    log.info("looked up", extra={"order": number})
    return {"order": number, "meta": logbraid.response_metadata()}


@app.get("/pay")
def pay() -> str:
    raise RuntimeError("declined, client_secret=cs-93hd82hsj2kqzz7")


wsgi = logbraid.TracingWSGIMiddleware(app)  # the last line of the web module


def call(port: int, path: str, key: str) -> int:
    """Be a client of the service; return the status."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path, headers={"X-Api-Key": key})
        reply = connection.getresponse()
        reply.read()
        return reply.status


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, wsgi)
    threading.Thread(target=server.serve_forever).start()
    acme, globex = API_KEYS
    statuses = [
        call(server.port, "/orders/7?access_token=tok-93hd82hsj2kq", acme),
        call(server.port, "/orders/8", globex),
        call(server.port, "/pay", acme),
        call(server.port, "/orders/9", "sk-stranger-4kx82ns7"),
    ]
    server.shutdown()
    server.server_close()
    sys.stderr.write(f"{logbraid.stats().written} lines, statuses {statuses}\n")
