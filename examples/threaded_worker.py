"""A worker that takes jobs of several tenants from a queue and does them in a pool of threads.

``ContextExecutor`` hands the context of who submits to the thread that works, and nothing stays
in the thread for the next job. A child process gets the ids through its environment.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import logbraid
from logbraid.propagation import ContextExecutor, child_env

log = logging.getLogger("worker")


class Job(NamedTuple):
    """One piece of work of one tenant."""

    tenant_id: str
    run_id: str
    text: str


def summarise(job: Job) -> None:
    """Work in a thread of the pool: every line has the ids of this job."""
    log.info("begin")
    words = len(job.text.split())
    if not words:
        raise ValueError("nothing to summarise, token=tok-93hd82hsj2kq")
    log.info("done", extra={"words": words})


def attempt(job: Job) -> bool:
    """Do one job; tell whether it worked. A failure is logged where it is known whose it is."""
    try:
        summarise(job)
    except ValueError:
        log.exception("a job failed")
        return False
    return True


def convert() -> None:
    """Work in a child process: it configures logging again, and has the parent's ids."""
    logbraid.configure_logging(service="converter")
    log.info("converting")


def work(jobs: queue.SimpleQueue[Job | None]) -> int:
    """Do all jobs; return how many failed."""
    attempts = []
    with ContextExecutor(max_workers=4) as pool:
        while (job := jobs.get()) is not None:
            with logbraid.bound_context(tenant_id=job.tenant_id, run_id=job.run_id):
                attempts.append(pool.submit(attempt, job))
    return sum(not one.result() for one in attempts)


def main() -> None:
    """Fill the queue, work it off, and let a child work for one tenant."""
    log_dir = Path(os.environ.get("LOG_DIR") or tempfile.mkdtemp(prefix="worker-"))
    logbraid.configure_logging(output="stdout,files", log_dir=log_dir, service="worker")
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    for number in range(12):
        tenant = ("acme", "globex", "initech")[number % 3]
        jobs.put(Job(tenant, f"run-{tenant}-{number}", "a few words" if number else ""))
    jobs.put(None)
    failed = work(jobs)
    with logbraid.bound_context(tenant_id="acme", run_id="run-child"):
        command = [sys.executable, __file__, "convert"]
        subprocess.run(command, env=child_env(), check=True)  # noqa: S603 - ourselves
    sys.stderr.write(f"12 jobs, {failed} failed; tenants' files in {log_dir}\n")


if __name__ == "__main__":
    convert() if sys.argv[1:] == ["convert"] else main()
