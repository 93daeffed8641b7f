"""An agent service for several tenants, with the observability that is the least one needs.

Run it: ``python examples/agent_service.py`` (needs fastapi, uvicorn and httpx). Three tenants
call a FastAPI service under uvicorn over HTTP at the same time. An agent runs tools for them: one
calls another HTTP endpoint, one logs with loguru, one fails. Look at the lines: those of
structlog, ``logging``, uvicorn, httpx, loguru and ``warnings`` have the same shape and the ids of
their own request, no secret is in any of them, and each tenant's lies in the tenant's own file.

Files go to ``LOG_DIR``, else to a temporary directory. A short report goes to standard error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from loguru import logger as loguru_logger

import logbraid

LOG_DIR = Path(os.environ.get("LOG_DIR") or tempfile.mkdtemp(prefix="agent-service-"))

logbraid.configure_logging(
    output="stdout,files", log_dir=LOG_DIR, retention_days=14, service="agent-service"
)
log = logbraid.get_logger("agent")

API_KEYS = {  # whose key it is: a database in real life
    "sk-acme-7f3kd82hs01mzq": ("acme", "u-7"),
    "sk-globex-1m9xk2p47vbt": ("globex", "u-12"),
    "sk-initech-5tq0vz8rw2jn": ("initech", "u-31"),
}


async def authenticated(authorization: Annotated[str, Header()] = "") -> None:
    """Tell who is calling, and bind it: every later line of this request says so."""
    key = authorization.removeprefix("Bearer ")
    if key not in API_KEYS:
        log.warning("login_refused", authorization=authorization)
        raise HTTPException(401, "unknown key")
    tenant_id, user_id = API_KEYS[key]
    logbraid.bind_context(tenant_id=tenant_id, user_id=user_id)


async def get_orders(shop: httpx.AsyncClient, arguments: dict[str, Any]) -> str:
    """Ask another service; httpx logs the URL, with a token in it."""
    reply = await shop.get("/stock/orders", params={"token": arguments["token"]})
    return f"{len(reply.json())} orders"


async def convert_money(_: httpx.AsyncClient, arguments: dict[str, Any]) -> str:
    """Stand for a library that takes its time and logs with loguru."""
    warnings.warn("no rate given, taking yesterday's", UserWarning, stacklevel=2)
    await asyncio.sleep(0.02)
    loguru_logger.info("converted {amount} {currency}", **arguments)
    return "27.40 EUR"


async def query_database(_: httpx.AsyncClient, arguments: dict[str, Any]) -> str:
    """Fail as drivers do: with the password in the error's text."""
    raise ConnectionError(f"cannot connect to postgres://agent:{arguments['password']}@db/shop")


TOOLS = {"get_orders": get_orders, "convert_money": convert_money, "query_database": query_database}

# What a model would answer: the tools to call, with the arguments it made up
PLAN: list[tuple[str, dict[str, Any]]] = [
    ("get_orders", {"customer": 7, "token": "tok-93hd82hsj2kq"}),
    ("convert_money", {"amount": 30, "currency": "USD"}),
    ("query_database", {"table": "orders", "password": "hunter2-8sk2j"}),
]


async def run_agent(shop: httpx.AsyncClient, question: str) -> list[str]:
    """Run the plan, tool by tool; a tool that fails does not end the run."""
    log.info("agent_begin", question=question)
    answers = []
    for name, arguments in PLAN:
        with logbraid.bound_context(tool=name):
            try:
                answers.append(await TOOLS[name](shop, arguments))
                log.info("tool_complete", arguments=arguments, answer=answers[-1])
            except ConnectionError:
                log.exception("tool_failed", arguments=arguments)
    logging.getLogger("agent.billing").info("charged", extra={"prompt_tokens": 812, "cents": 3})
    log.info("agent_end", tools=len(PLAN), answers=len(answers))
    return answers


app = FastAPI()


@app.post("/ask", dependencies=[Depends(authenticated)])
async def ask(request: Request, question: str, run_id: str) -> dict[str, Any]:
    logbraid.bind_context(run_id=run_id)
    meta = logbraid.response_metadata()
    headers = {
        "Authorization": request.headers["authorization"],
        "X-Request-ID": meta["request_id"],  # the other service logs under the same id
    }
    base_url = str(request.base_url)
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as shop:
        answers = await run_agent(shop, question)
    return {"answers": answers, "meta": meta}


@app.get("/stock/orders", dependencies=[Depends(authenticated)])
async def orders() -> list[int]:
    return [1, 2, 3]


service = logbraid.TracingMiddleware(app)  # the last line of the web module


async def call(client: httpx.AsyncClient, key: str, run: int) -> httpx.Response:
    """Be a client of the service."""
    headers = {"Authorization": f"Bearer {key}", "X-Request-ID": f"req-{key[3:7]}-{run}"}
    params = {"question": "What did I order?", "run_id": f"run-{run}"}
    return await client.post("/ask", headers=headers, params=params)


async def serve_and_call() -> None:
    """Serve, let three tenants and a stranger call at the same time, and stop."""
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(service, log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    # No proxy that the environment names: these calls stay on this machine
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as client:
        calls = [call(client, key, run) for run in (1, 2) for key in API_KEYS]
        await asyncio.gather(*calls, call(client, "sk-stranger-4kx82ns7", 1))
    server.should_exit = True
    await serving


def report() -> None:
    """Tell people where the files are and what was counted."""
    figures = logbraid.stats()
    sys.stderr.write(f"\ntenants' files in {LOG_DIR}\n")
    for file in sorted(LOG_DIR.glob("*/*.jsonl")):
        lines = len(file.read_bytes().splitlines())
        sys.stderr.write(f"  {file.relative_to(LOG_DIR)}: {lines} lines\n")
    scrubbed = ", ".join(f"{kind} {number}" for kind, number in figures.scrubbed.items())
    sys.stderr.write(f"written {figures.written}, dropped {sum(figures.dropped.values())}\n")
    sys.stderr.write(f"secrets kept out: {scrubbed}\n")


if __name__ == "__main__":
    asyncio.run(serve_and_call())
    report()
