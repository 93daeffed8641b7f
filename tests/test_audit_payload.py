"""What of a payload reaches the disk: ciphertext, keyed digests, or nothing at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from logbraid import bound_context
from logbraid.audit import (
    AuditError,
    AuditInputError,
    AuditLog,
    Policy,
    decrypt,
    keygen,
    read,
    verify,
)
from logbraid.audit.crypto import recipient_key
from logbraid.audit.payload import Ephemeral

QUIET = Policy(head_seconds=0)
PAYLOAD = {"name": "c4n4ry-Ada", "amount": 30, "tags": ["c4n4ry-vip", "c4n4ry-vip"], "none": None}


def make(folder: Path, **more: Any) -> tuple[AuditLog, dict[str, Path]]:
    keys = keygen(folder / "keys")
    given = {"flush": "none", "policy": QUIET, "key": keys["signing"],
             "recipient": keys["recipient"], **more}  # fmt: skip
    return AuditLog(folder / "log", **given), keys


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


# -- none ------------------------------------------------------------------------------------

_LEAK = """
import asyncio, os, sys
from logbraid import bound_context, configure_logging
from logbraid.audit import AuditError, AuditLog, Policy

folder, key, recipient = sys.argv[1:4]
class Canary:
    def __repr__(self): raise RuntimeError("c4n4ry-repr")
with configure_logging(output="stdout,files", log_dir=folder + "/logs", format="json"):
    log = AuditLog(folder + "/log", key=key, recipient=recipient, flush="none",
                   policy=Policy(payload="none"))
    for number in range(10_000):
        odd = Canary() if number % 50 == 0 else 1
        payload = {"text": f"c4n4ry-{number}", f"c4n4ry-key-{number}": odd}
        with bound_context(tenant_id="acme", user_id="u-1"):
            log.record("x", resource_id=str(number), payload=payload, event_class="data_modified")
    with log.audited("y") as work:
        work.payload = "c4n4ry-work"
    asyncio.run(log.arecord("z", payload="c4n4ry-async"))
    log.close()
    for attempt in (lambda: log.record("late", payload="c4n4ry-late"),
                    lambda: log.record("bad", payload="c4n4ry-bad", event_class="nothing")):
        try:
            attempt()
        except AuditError as error:
            print(repr(error), error, file=sys.stderr)
"""


def test_nothing_of_ten_thousand_payloads_is_anywhere_under_policy_none(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _LEAK, str(tmp_path), str(keys["signing"]), str(keys["recipient"])],
        check=True,
        capture_output=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert b"closed" in done.stderr
    assert b"c4n4ry" not in done.stdout + done.stderr
    assert b"c4n4ry" not in everything_under(tmp_path)
    told = list(read(tmp_path / "log", event_class="data_modified"))
    assert len(told) == 10_000
    assert {json.dumps(one["payload"]) for one in told} == {'{"policy": "none"}'}
    assert {one["user_id"] for one in told} == {"u-1"}
    assert verify(tmp_path / "log", keys["verifying"]).verdict == "ok"


# -- hmac ------------------------------------------------------------------------------------


def test_digests_keep_names_and_shapes_and_equality(tmp_path: Path) -> None:
    log, _ = make(tmp_path, policy=Policy(payload="hmac", head_seconds=0))
    log.record("x", payload=PAYLOAD)
    log.close()
    log = AuditLog(tmp_path / "log", key=tmp_path / "keys" / "audit-signing.pem",
                   flush="none", policy=Policy(payload="hmac", head_seconds=0))  # fmt: skip
    log.record("x", payload={**PAYLOAD, "amount": "30"})
    log.close()

    first, second = (one["payload"]["shape"] for one in read(log.root))
    assert list(first) == list(PAYLOAD)
    assert first["tags"][0] == first["tags"][1] != first["name"]
    assert first["name"] == second["name"]
    assert first["amount"] != second["amount"]
    assert first["amount"].startswith("int:")
    assert b"c4n4ry" not in everything_under(tmp_path / "log")


def test_digests_of_another_log_are_other_ones(tmp_path: Path) -> None:
    told = []
    for name in ("a", "b"):
        with AuditLog(tmp_path / name, flush="none", policy=QUIET) as log:
            log.record("x", payload="same")
        told.append(next(read(log.root))["payload"]["shape"])

    assert told[0] != told[1]


# -- full ------------------------------------------------------------------------------------


def test_encrypted_payload_is_read_with_the_reading_key_only(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    with bound_context(tenant_id="acme", user_id="u-7"):
        log.record("x", payload=PAYLOAD, event_class="data_modified")
    log.record("y", payload=["no user"], event_class="data_modified")
    log.record("z", event_class="data_modified")
    log.close()

    assert b"c4n4ry" not in everything_under(tmp_path)
    told = list(decrypt(log.root, keys["reading"]))
    assert [one.get("payload") for one in told] == [PAYLOAD, ["no user"], None]
    other = keygen(tmp_path / "others")
    told = list(decrypt(log.root, other["reading"], tenant="acme"))
    assert "another reading key" in told[0]["payload"]["unreadable"]
    with pytest.raises(AuditInputError, match="X25519 private"):
        decrypt(log.root, keys["signing"])


def test_full_without_a_recipient_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    log, _ = make(tmp_path, recipient=None)

    with pytest.raises(AuditInputError, match="recipient") as caught:
        log.record("x", payload=PAYLOAD, event_class="data_modified")
    assert "c4n4ry" not in str(caught.value)
    log.close()


def test_flipped_byte_of_a_ciphertext_is_told_with_its_record(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    for number in range(3):
        log.record("x", payload=f"c4n4ry-{number}", event_class="data_modified")
    log.close()
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    text = json.loads(lines[2])["payload"]["ciphertext"]
    raw = b64decode(text)

    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        mended = lines[2].replace(text.encode(), b64encode(changed))
        path.write_bytes(b"".join([*lines[:2], mended, *lines[3:]]))
        told = {one["seq"]: one["payload"] for one in decrypt(log.root, keys["reading"])}
        assert told[1] == "c4n4ry-0"
        assert "unreadable" in told[2]
        assert told[3] == "c4n4ry-2"
    assert verify(log.root, keys["verifying"]).tampered[0].record == 2


def test_ciphertext_moved_to_another_record_cannot_be_read(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    log.record("x", payload="one", event_class="data_modified")
    log.record("x", payload="two", event_class="data_modified")
    log.close()
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    head, first, second = path.read_bytes().splitlines(keepends=True)
    one, two = (json.dumps(json.loads(raw)["payload"], separators=(",", ":")).encode()
                for raw in (first, second))  # fmt: skip
    path.write_bytes(head + first.replace(one, two) + second.replace(two, one))

    assert all("unreadable" in one["payload"] for one in decrypt(log.root, keys["reading"]))


def test_no_nonce_comes_twice_in_a_million_nor_after_a_fork(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    ephemeral = Ephemeral(recipient_key(keys["recipient"]))
    seen: set[bytes] = set()
    for _ in range(1_000_000):
        if ephemeral.is_used_up():
            ephemeral = Ephemeral(recipient_key(keys["recipient"]))
        seen.add(ephemeral.encrypt(b"", b"", b"")[0])
    assert len(seen) == 1_000_000

    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, bytes([ephemeral.is_used_up()]))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(read_end, 1) == b"\x01"
    os.close(read_end)
    os.close(write_end)


def test_payload_that_is_too_long_is_kept_as_its_digest(tmp_path: Path) -> None:
    log, keys = make(tmp_path, policy=Policy(max_payload_bytes=1000, head_seconds=0))
    log.record("x", payload="c4n4ry" * 1000, event_class="data_modified")
    log.close()

    (record,) = decrypt(log.root, keys["reading"])
    assert record["payload"]["omitted"] == "too long"
    assert record["payload"]["bytes"] == 6002
    assert b"c4n4ry" not in everything_under(tmp_path / "log")


def test_any_object_may_be_a_payload(tmp_path: Path) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    circle: list[Any] = [Odd(), float("nan"), b"\xff", {1: object, "d": Path("x")}, 2**70]
    circle.append(circle)
    log, keys = make(tmp_path)
    for kind in ("data_modified", "action", "forget_me"):
        log.record("x", payload=circle, event_class=kind)
    log.close()

    assert len(list(decrypt(log.root, keys["reading"]))) == 3
    assert verify(log.root).verdict == "ok"


# -- forget me -------------------------------------------------------------------------------


def test_forgotten_user_is_unreadable_for_everyone_and_the_evidence_stays(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    other = AuditLog(log.root, key=keys["signing"], recipient=keys["recipient"], flush="none",
                     policy=QUIET)  # fmt: skip
    with bound_context(tenant_id="acme"):
        for user in ("u-7", "u-8"):
            for one in (log, other):
                with bound_context(user_id=user):
                    one.record("x", payload=user, event_class="data_modified")
        log.forget("u-7")
        with bound_context(user_id="u-7"):  # another process goes on with the same user
            other.record("x", payload="again", event_class="data_modified")
    log.close()
    other.close()

    told = [
        one["payload"] for one in decrypt(log.root, keys["reading"], event_class="data_modified")
    ]
    unreadable = [one for one in told if isinstance(one, dict)]
    assert [one for one in told if isinstance(one, str)] == ["u-8", "u-8", "again"]
    assert len(unreadable) == 2
    assert "forgotten" in unreadable[0]["unreadable"]
    (evidence,) = read(log.root, event_class="forget_me")
    assert evidence["action"] == "audit.forget_me"
    assert (evidence["resource_id"], evidence["tenant_id"]) == ("u-7", "acme")
    assert evidence["metadata"] == {"had_encrypted_payloads": True}
    assert verify(log.root, keys["verifying"]).verdict == "ok"


def test_same_user_of_another_tenant_is_not_forgotten(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    for tenant in ("acme", "globex"):
        with bound_context(tenant_id=tenant, user_id="u-7"):
            log.record("x", payload=tenant, event_class="data_modified")
    log.forget("u-7", tenant_id="acme")
    log.close()

    told = [
        one["payload"] for one in decrypt(log.root, keys["reading"], event_class="data_modified")
    ]
    assert "globex" in told
    assert "acme" not in told


def test_temporary_directory_is_not_used(tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).iterdir())
    log, _ = make(tmp_path)
    log.record("x", payload=PAYLOAD, event_class="data_modified")
    log.close()

    new = set(Path(tempfile.gettempdir()).iterdir()) - before
    assert not [one for one in new if "audit" in one.name or "logbraid" in one.name]


@pytest.mark.parametrize(
    ("tenant", "user"),
    [
        ("acme", "u" * 200),
        ("acme", "u\u202e7"),
        ("../x", "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"),
    ],
)
def test_user_with_an_id_that_records_hide_is_forgotten_too(
    tmp_path: Path, tenant: str, user: str
) -> None:
    log, keys = make(tmp_path)
    with bound_context(tenant_id=tenant, user_id=user):
        log.record("x", payload=PAYLOAD, event_class="data_modified")
    log.forget(user, tenant_id=tenant)
    log.close()

    (record,) = decrypt(log.root, keys["reading"], event_class="data_modified")
    assert "forgotten" in record["payload"]["unreadable"]
    (evidence,) = read(log.root, event_class="forget_me")
    assert evidence["metadata"] == {"had_encrypted_payloads": True}
    assert evidence["resource_id"] == record["user_id"]


def test_closed_log_forgets_nobody_because_nothing_would_say_so(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    with bound_context(user_id="u-7"):
        log.record("x", payload="still there", event_class="data_modified")
    log.close()

    with pytest.raises(AuditError, match="closed"):
        log.forget("u-7")
    (record,) = decrypt(log.root, keys["reading"])
    assert record["payload"] == "still there"


def test_link_in_place_of_a_users_key_is_not_followed_when_it_is_destroyed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    log, _ = make(tmp_path)
    with bound_context(user_id="u-7"):
        log.record("x", payload="x", event_class="data_modified")
    (secret,) = Path(log.root, "_keys").glob("user-*")
    secret.unlink()
    secret.symlink_to(tmp_path / "target")

    with pytest.raises(AuditError):
        log.forget("u-7")
    assert (tmp_path / "target").read_text() == "untouched"
    log.close()


def test_each_reading_key_reads_what_was_encrypted_to_it(tmp_path: Path) -> None:
    log, keys = make(tmp_path)
    log.record("x", payload="first", event_class="data_modified")
    log.close()
    later = keygen(tmp_path / "later")
    with AuditLog(log.root, key=keys["signing"], recipient=later["recipient"], flush="none",
                  policy=QUIET) as other:  # fmt: skip
        other.record("x", payload="second", event_class="data_modified")

    for key, place, text in ((keys["reading"], 0, "first"), (later["reading"], 1, "second")):
        told = [one["payload"] for one in decrypt(log.root, key)]
        assert told[place] == text
        assert "another reading key" in told[1 - place]["unreadable"]


_KILLED = """
import os, sys
from logbraid import bound_context
from logbraid.audit import AuditLog, Policy
log = AuditLog(sys.argv[1], key=sys.argv[2], recipient=sys.argv[3], policy=Policy(head_seconds=0))
with bound_context(user_id="u-7"):
    for number in range(50):
        log.record("x", payload=f"c4n4ry-{number}", event_class="data_modified")
os.kill(os.getpid(), 9)
"""


def test_killed_process_leaves_no_plain_text(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "log"), str(keys["signing"]),
               str(keys["recipient"])]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True,
                          env={**os.environ, "TMPDIR": str(tmp_path)})  # fmt: skip

    assert done.returncode == -9
    assert b"c4n4ry" not in everything_under(tmp_path) + done.stdout + done.stderr
    told = [one["payload"] for one in decrypt(tmp_path / "log", keys["reading"])]
    assert told == [f"c4n4ry-{number}" for number in range(50)]


def test_key_that_a_killed_process_left_half_destroyed_is_destroyed_by_the_next(
    tmp_path: Path,
) -> None:
    log, keys = make(tmp_path)
    with bound_context(user_id="u-7"):
        log.record("x", payload="before", event_class="data_modified")
        (secret,) = Path(log.root, "_keys").glob("user-*")
        secret.rename(secret.with_name(f".{secret.name}.gone"))  # the first step of it
        log.record("x", payload="after", event_class="data_modified")

    told = [one["payload"] for one in decrypt(log.root, keys["reading"])]
    assert "forgotten" in told[0]["unreadable"]
    assert told[1] == "after"
    log.forget("u-7")
    log.close()
    assert list(Path(log.root, "_keys").iterdir()) == []


_FORGETTING = """
import sys
from logbraid import bound_context
from logbraid.audit import AuditLog, Policy
with AuditLog(sys.argv[1], key=sys.argv[2], recipient=sys.argv[3], flush="none",
              policy=Policy(head_seconds=0)) as log, bound_context(user_id="u-7"):
    for number in range(50):
        log.record("x", payload=number, event_class="data_modified")
        log.forget("u-7")
"""


def test_processes_that_forget_a_user_while_others_write_disturb_nobody(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    command = [sys.executable, "-c", _FORGETTING, str(tmp_path / "log"), str(keys["signing"]),
               str(keys["recipient"])]  # fmt: skip
    running = [subprocess.Popen(command) for _ in range(3)]

    assert [one.wait() for one in running] == [0, 0, 0]
    told = [one["payload"] for one in decrypt(tmp_path / "log", keys["reading"], action="x")]
    assert len(told) == 150
    assert all("forgotten" in one["unreadable"] for one in told)
    assert verify(tmp_path / "log", keys["verifying"]).verdict == "ok"
