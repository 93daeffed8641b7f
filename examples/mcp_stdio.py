"""A tool server that speaks JSON-RPC on standard input and output, as MCP servers on stdio do.

Standard output belongs to the protocol: one stray line there breaks the client. With
``output="stderr"`` every line of every library goes to standard error. The same file is the
client: it starts the server, calls two tools, and prints the replies.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import logbraid

log = logbraid.get_logger("mcp.server")


def weather(arguments: dict[str, Any]) -> str:
    """Answer; a library below logs in its own way."""
    logging.getLogger("weather.api").info("GET /forecast?api_key=%s", "k-93hd82hsj2kqzz7")
    return f"sunny in {arguments['city']}"


def broken(_: dict[str, Any]) -> str:
    """Fail, with a secret in the error's text."""
    raise RuntimeError("upstream said: invalid password hunter2-8sk2j")


TOOLS = {"weather": weather, "broken": broken}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the result, or the error, of one request."""
    if request["method"] == "tools/list":
        return {"result": {"tools": [{"name": name} for name in TOOLS]}}
    name, arguments = request["params"]["name"], request["params"]["arguments"]
    try:
        text = TOOLS[name](arguments)
    except RuntimeError:
        log.exception("tool_failed", tool=name, arguments=arguments)
        return {"error": {"code": -32000, "message": f"{name} failed"}}
    log.info("tool_complete", tool=name, arguments=arguments)
    return {"result": {"content": [{"type": "text", "text": text}]}}


def serve() -> None:
    """Read a request a line, write a reply a line, log to standard error."""
    logbraid.configure_logging(output="stderr", service="mcp-weather", tenant="desktop")
    log.info("ready", tools=list(TOOLS))
    for line in sys.stdin:
        request = json.loads(line)
        with logbraid.bound_context(session_id="s-1", request_id=f"rpc-{request['id']}"):
            reply = {"jsonrpc": "2.0", "id": request["id"], **answer(request)}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    log.info("client_gone")


def main() -> None:
    """Be the client: start the server, ask it, print what it answered."""
    calls = [
        ("tools/list", {}),
        ("tools/call", {"name": "weather", "arguments": {"city": "Riga"}}),
        ("tools/call", {"name": "broken", "arguments": {"token": "tok-93hd82hsj2kq"}}),
    ]
    requests = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate(calls, 1)
    ]
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, __file__, "serve"],
        input="\n".join(requests) + "\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(f"{len(done.stdout.splitlines())} replies to {len(requests)} requests\n")


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
