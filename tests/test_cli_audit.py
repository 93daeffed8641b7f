"""``logbraid audit``: words and exit codes; what they stand on is tested with the wing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")
pytest.importorskip("cryptography", reason="the audit log needs the extra audit")
audit: Any = pytest.importorskip("logbraid.audit", reason="needs the wing of audit logs")

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
