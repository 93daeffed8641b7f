"""``logbraid audit verify``, ``decrypt``, ``keygen``, ``prune``: the audit wing from a terminal.

Only words and exit codes are here; what they do stands in ``logbraid.audit``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from logbraid.cli import options
from logbraid.cli.options import Output, bad_input, ends_with, filter_of
from logbraid.cli.output import Printer, json_line, print_json, print_text


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install where a library of the wing is missing."""
    try:
        yield
    except ImportError as error:
        name = error.name or "a library"
        raise bad_input(f"{name} is not installed: pip install 'logbraid[audit]'") from error


def verify(
    root: options.AuditRoot,
    key: options.PublicKey = None,
    anchor: options.Anchor = None,
    through: options.Through = None,
    expect: options.Expect = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Tell whether an audit log is as it was written: every record, seal and deletion.

    \b
    logbraid audit verify /var/lib/app/audit --key audit-verifying.pem
    logbraid audit verify /var/lib/app/audit --key audit-verifying.pem --anchor heads.log
    logbraid audit verify /var/lib/app/audit --key audit-verifying.pem --through yesterday

    Without --key the log is held to the key that it names itself; without --anchor, heads that a
    witness kept, a cut after the last checkpoint and an older copy of all of it look like the
    truth. --through and --expect say what must be sealed, by what you know and the host does not.
    Exit code 0: all is well, or only the tail is torn; 1: something was tampered with; 2: there
    is nothing to verify.
    """
    day = _yesterday() if through == "yesterday" else through
    with _installed():
        from logbraid import audit  # noqa: PLC0415 - a wing with libraries of its own

        report = audit.verify(root, key, anchor, through=day, expect=expect or ())
    if output is Output.table:
        print_text(str(report))
    else:
        print_json(report.to_dict(), output)
    raise ends_with(report.exit_code)


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def decrypt(
    root: options.AuditRoot,
    key: options.PrivateKey = None,
    tenant: options.Tenant = None,
    user: options.User = None,
    since: options.Since = None,
    until: options.Until = None,
    output: options.OutputOption = Output.jsonl,
) -> None:
    """Show the records of an audit log with their payloads decrypted, oldest first.

    \b
    logbraid audit decrypt /var/lib/app/audit --key audit-reading.pem --since 2026-11-01
    logbraid audit decrypt /var/lib/app/audit --key audit-reading.pem --user u-7

    Nothing of it is written anywhere but to standard output. A payload that cannot be read says
    why: its user's key is not in _keys, another key, a damaged text.
    """
    if key is None:
        raise bad_input("give --key, the private key that belongs to the recipient")
    times = filter_of(ids={}, since=since, until=until)
    wanted: dict[str, Any] = {"tenant": tenant, "user_id": user}
    printer = Printer(output, draw=lambda record: json_line(record).decode())
    with _installed():
        from logbraid import audit  # noqa: PLC0415 - a wing with libraries of its own

        for record in audit.decrypt(root, key, since=times.since, until=times.until, **wanted):
            printer.record(record)
    printer.end()


def keygen(directory: options.KeyDirectory, output: options.OutputOption = Output.table) -> None:
    """Make the keys of an audit log: two pairs, four files, none of them ever overwritten.

    \b
    logbraid audit keygen /etc/app/keys

    The service gets the signing key and the recipient; the verifying and the reading key belong
    elsewhere: the one proves, the other decrypts.
    """
    with _installed():
        from logbraid import audit  # noqa: PLC0415 - a wing with libraries of its own

        made = {use: str(path) for use, path in audit.keygen(directory).items()}
    if output is Output.table:
        print_text("\n".join(f"{use:<10} {path}" for use, path in made.items()))
    else:
        print_json(made, output)


def prune(
    root: options.AuditRoot,
    key: options.PrivateKey = None,
    output: options.OutputOption = Output.table,
) -> None:
    """Delete what is past the retention of its class, and write down that it was deleted.

    \b
    logbraid audit prune /var/lib/app/audit --key audit-signing.pem

    No day early. May run beside the service, and again after it was killed. A signed log needs
    its signing key.
    """
    with _installed():
        from logbraid import audit  # noqa: PLC0415 - a wing with libraries of its own

        report = audit.prune(root, key=None if key is None else os.fspath(key))
    if output is Output.table:
        print_text(str(report))
    else:
        document = {"segments": report.segments, "resumed": report.resumed, "kept": report.kept}
        print_json(document, output)
