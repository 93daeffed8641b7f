"""An agent whose actions are evidence: recorded, verified, tampered with and caught, forgotten.

Run it: ``python examples/audited_agent.py`` (needs ``pip install 'logbraid[audit]'``). It refunds
two orders for one tenant and has a dangerous tool of another one denied. Then somebody edits a
record, and ``verify`` names it; a user asks to be forgotten, and nobody can read their payloads
any more. Standard output has the log with the head of the audit log among its lines: whoever
collects those lines is the witness. Everything goes to ``LOG_DIR`` and, beside it, ``...-audit``,
else to a temporary directory.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import logbraid
from logbraid.audit import AuditLog, decrypt, keygen, verify

ACCOUNT = "hunter2-DE02120300000000202051"


def act(audit: AuditLog) -> None:
    """Do what agents do, each action with its record."""
    log = logbraid.get_logger("agent")
    with logbraid.bound_context(tenant_id="acme", user_id="u-7", run_id="run-9"):
        audit.record("tool.approved", event_class="tool_approved", metadata={"tool": "refund"})
        for order in ("o-7", "o-8"):
            with audit.audited("order.refund", event_class="data_modified", mutating=True) as work:
                work.resource_type, work.resource_id = "order", order
                work.payload = {"account": ACCOUNT, "amount": 30}
                log.info("refunded", order=order, password=ACCOUNT)
    with logbraid.bound_context(tenant_id="globex", user_id="u-12", run_id="run-10"):
        audit.record("tool.denied", event_class="rule_denied", outcome="denied", status_code=403)


def say(text: object) -> None:
    """Tell the person who runs this."""
    print(text, file=sys.stderr)


def main() -> None:
    """Record, verify, tamper, verify, forget."""
    logs = Path(os.environ.get("LOG_DIR") or Path(tempfile.mkdtemp(prefix="audited-"), "logs"))
    home = logs.with_name(f"{logs.name}-audit")
    keys = keygen(home / "keys")
    root, reading = home / "log", keys["reading"]
    with logbraid.configure_logging(output="stdout", format="json"):
        with AuditLog(root, key=keys["signing"], recipient=keys["recipient"]) as audit:
            act(audit)
        say(verify(root, keys["verifying"]))

        (path,) = root.glob("acme/data_modified.*.jsonl")
        text = path.read_text()
        path.write_text(text.replace("o-8", "o-9"))
        say(verify(root, keys["verifying"]))
        path.write_text(text)

        payloads = [one["payload"] for one in decrypt(root, reading, event_class="data_modified")]
        say(f"decrypted {len(payloads)}, the amounts: {[one['amount'] for one in payloads]}")
        with AuditLog(root, key=keys["signing"], recipient=keys["recipient"]) as audit:
            audit.forget("u-7", tenant_id="acme")
        payloads = [one["payload"] for one in decrypt(root, reading, event_class="data_modified")]
        say(f"after forget: {payloads[0]['unreadable']}")
        say(verify(root, keys["verifying"]))
    say(f"\nlogbraid audit verify {root} --key {keys['verifying']}")


if __name__ == "__main__":
    main()
