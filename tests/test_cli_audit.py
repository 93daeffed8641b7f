"""``logbraid audit``: words and exit codes; what they stand on is tested with the wing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")
pytest.importorskip("cryptography", reason="the audit log needs the extra audit")
audit: Any = pytest.importorskip("logbraid.audit", reason="needs the wing of audit logs")

from cryptography.hazmat.primitives import serialization  # noqa: E402 - likewise
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402 - likewise
from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: E402 - likewise
    Ed25519PrivateKey,
)

from logbraid.cli.main import main  # noqa: E402 - it needs the extra


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["audit", "keygen", str(tmp_path / "keys"), "-o", "json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"signing", "verifying", "reading", "recipient"}
    assert main(["audit", "keygen", str(tmp_path / "keys")]) == 2
    assert "not overwritten" in capsys.readouterr().err
    return tmp_path / "keys"


@pytest.fixture
def root(tmp_path: Path, keys: Path) -> Path:
    with audit.AuditLog(tmp_path / "audit", key=keys / "audit-signing.pem") as log:
        log.record("order.refund", payload={"amount": 3})
        log.record("order.cancel")
    return tmp_path / "audit"


def test_verify_ends_with_0_1_or_2(
    root: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["audit", "verify", str(root), "--key", str(keys / "audit-verifying.pem")]
    assert main(arguments) == 0
    (segment,) = (path for path in root.glob("*/*.jsonl") if path.parent.name != "_log")
    segment.write_bytes(segment.read_bytes().replace(b"order.cancel", b"order.refund"))
    capsys.readouterr()
    assert main([*arguments, "-o", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["findings"][0]["kind"] == "modified"
    assert main(["audit", "verify", str(tmp_path / "nowhere")]) == 2
    assert main(["audit", "verify", str(root), "--key", str(root / "nowhere.pem")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_prune_and_decrypt_answer(
    root: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["audit", "prune", str(root), "--key", str(keys / "audit-signing.pem")]) == 0
    assert "deleted 0 segments" in capsys.readouterr().out
    assert main(["audit", "decrypt", str(root), "--key", str(keys / "audit-reading.pem")]) == 0
    actions = [json.loads(line)["action"] for line in capsys.readouterr().out.splitlines()]
    assert actions == ["order.refund", "order.cancel"]
    assert main(["audit", "decrypt", str(root)]) == 2
    assert "give --key" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "prune", "keygen"])
def test_missing_library_is_named_with_what_to_install(tmp_path: Path, command: str) -> None:
    program = (
        "import sys\nsys.modules['cryptography'] = None\n"
        "from logbraid.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "audit", command, str(tmp_path)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "logbraid: cryptography is not installed: pip install 'logbraid[audit]'\n"
    )


def test_verify_holds_the_log_against_what_must_be_sealed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = ["audit", "verify", str(root)]
    assert main([*verify, "--through", "yesterday", "--expect", "_unknown/action"]) == 0
    capsys.readouterr()
    assert main([*verify, "--expect", "_unknown/action", "--expect", "acme/action"]) == 1
    assert "seal missing: acme/action" in capsys.readouterr().out
    assert main([*verify, "--through", "2099-01-01"]) == 1
    assert "expected until 2099-01-01" in capsys.readouterr().out
    assert main([*verify, "--through", "soon"]) == 2
    assert "is no day" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["empty", "text", "encrypted", "rsa", "directory", "nowhere"])
@pytest.mark.parametrize("command", ["verify", "decrypt", "prune"])
def test_key_of_another_kind_is_bad_input_and_no_traceback(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    path = tmp_path / f"{name}.pem"
    if name == "directory":
        path.mkdir()
    elif name != "nowhere":
        path.write_bytes(key_text(name))
    capsys.readouterr()

    assert main(["audit", command, str(root), "--key", str(path)]) == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert name in told.err or "Ed25519" in told.err or "X25519" in told.err


def key_text(name: str) -> bytes:
    secret = serialization.BestAvailableEncryption(b"password")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    if name == "encrypted":
        return Ed25519PrivateKey.generate().private_bytes(pem, form, secret)
    if name == "rsa":
        made = rsa.generate_private_key(65537, 2048)
        return made.private_bytes(pem, form, serialization.NoEncryption())
    return b"no key" if name == "text" else b""
