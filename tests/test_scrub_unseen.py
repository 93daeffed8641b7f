"""Rules that were found wanting on payloads nobody had tuned to, and the traps beside them."""

from __future__ import annotations

import json
import time

import pytest

from logbraid.record import Plain
from logbraid.scrub import Scrubber

SCRUBBER = Scrubber()
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzMPLE9KEY"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
RANDOM = "Qx7fT2mZ9kLw4RbN8sVc"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"AKIAQWERTYUIOPASDFGH:{AWS_SECRET}", AWS_SECRET),
        (f"creds AKIAQWERTYUIOPASDFGH {AWS_SECRET}", AWS_SECRET),
        (f"Client('AC{'12ab' * 8}', '{HEX}')", HEX),
        (f"vault login {RANDOM}", RANDOM),
        (f"got 's.{RANDOM}Ab1d'.", f"s.{RANDOM}Ab1d"),
        ("root:hunter2@10.0.0.1", "hunter2"),
        ("connect app:S3cr!t@db.internal:5432 now", "S3cr!t"),
        ("postgres://u:p@ss:w/rd#1@db.host/x", "p@ss:w/rd#1"),
        ("https://u:a?b&c@host.org/", "a?b&c"),
        ("JSESSIONID=8A7F3C2B1D9E4F60A1B2C3D4E5F60718", "8A7F3C2B1D9E4F60"),
        (f"https://x.org/reset-password/{RANDOM}", RANDOM),
        (f"https://x.org/?signature={HEX}&a=1", HEX),
        (f"key={RANDOM}&q=maps", RANDOM),
        ("net use Z: \\\\srv\\share Zx9!QaxP /user:bob", "Zx9!QaxP"),
        ("openssl enc -aes-256-cbc -k Zx9QaxP -in a", "Zx9QaxP"),
        ("etcdctl --user root:Zx9QaxP get x", "Zx9QaxP"),
        ('conn.setPassword("aVm09Vzwi0gV");', "aVm09Vzwi0gV"),
        ("HTTPBasicAuth('bob', 'Sommer%06rd')", "Sommer%06rd"),
        ("new NetworkCredential('bob', 'Sommer%06rd')", "Sommer%06rd"),
        ("db_password: !str Sommer06rd", "Sommer06rd"),
        ("- name: DB_PASSWORD\n  value: Sommer06rd", "Sommer06rd"),
        ("Password set to: N5PIhf6SIQ", "N5PIhf6SIQ"),
        ("Dein neues Passwort lautet: mein39Tdzd", "mein39Tdzd"),
        ("creds are bob:dFeM5m9jbnaY3", "dFeM5m9jbnaY3"),
        ("requirepass a01DGMKpUpZhnJ4", "a01DGMKpUpZhnJ4"),
        ("basic_auth: {username: bob, password: TOc4Gx9Z}", "TOc4Gx9Z"),
        ("CREATE LOGIN x WITH PASSWORD=N'Zug4trxlT'", "Zug4trxlT"),
        (f"tfp_{RANDOM}{RANDOM}9", f"tfp_{RANDOM}"),
        (f"cfat_{RANDOM}{RANDOM}", f"cfat_{RANDOM}"),
        (f"https://x.org/cb?code=4/0A{RANDOM}x&state=a", f"4/0A{RANDOM}"),
    ],
)
def test_secret_goes(text: str, secret: str) -> None:
    once = SCRUBBER.scrub_text(text, {})
    assert secret not in once
    assert "[REDACTED:" in once
    assert SCRUBBER.scrub_text(once, {}) == once


@pytest.mark.parametrize(
    "text",
    [
        "La contraseña es obligatoria.",
        "Mot de passe : obligatoire",
        "La password è obbligatoria.",
        "if password == '': return",
        "if self.auth:\n    return self.auth_type",
        "def pass_on(item: Item, lineno: int) -> None:",
        'headers["Authorization"] = _basic_auth_str(user, password)',
        "cookies = cookiejar_from_dict({})",
        "if current_token == 'rbracket':",
        "auth_token: str | None,\n    mode: str | None,",
        "pin: 13 (GPIO)",
        "PASS: test_login",
        "All checks pass: 12/12",
        "She kept the secret: nobody knew.",
        "a token such as ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "OPENAI_API_KEY=${OPENAI_API_KEY:?missing}",
        "imagePullSecrets:\n- name: regcred",
        "  --api-key TEXT   API key to use  [required]",
        "The --password option is deprecated; use --password-file.",
        "docker build --secret id=npm,src=.npmrc .",
        "redis key user:42:session expired",
        "pip install PyJWT==2.8.0",
        "feat(auth): add refresh token rotation (#123)",
        "image: ghcr.io/acme/auth:1.2.3@sha256:9f86d081884c7d65",
        "dkim=pass header.i=@x.org; spf=pass",
        "email:bob99@example.com",
        "npm:left-pad@1.3.0",
        '"AWS::IAM::AccessKey": "72c2d9dd90025459"',
        "https://user:password@host:port/path",
        "session_id=8f1a2b3c4d5e6f708f1a2b3c4d5e6f70",
        "arguments to pass to :py:class:`subprocess.Popen`",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    assert SCRUBBER.scrub_text(text, {}) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"frase_secreta": "sol luna mar"},
        {"phrase secrète": "soleil lune"},
        {"Zugriffsschlüssel": RANDOM},
        {"password_utente": "Zug4x"},
        {"JWTSECRET": "Zug4x"},
        {"adminpwd": "Zug4x"},
        {"app.sas": RANDOM},
        {"X-Hub-Signature-256": f"sha256={HEX}"},
        {"password": "q"},
        {"argv": ["vault", "login", RANDOM]},
    ],
)
def test_named_secret_goes(fields: dict[str, Plain]) -> None:
    assert "[REDACTED:" in json.dumps(SCRUBBER.scrub_fields(fields, {}))


@pytest.mark.parametrize(
    "fields",
    [
        {"contrasena_expira": "2025-01-01"},
        {"OLDPWD": "/tmp"},
        {"AWS::IAM::AccessKey": "72c2d9dd90025459"},
        {"argv": ["smbclient", "-U", "bob%[REDACTED:password]"]},
        {"token": "#d8dee9"},
    ],
)
def test_named_innocent_stays(fields: dict[str, Plain]) -> None:
    assert SCRUBBER.scrub_fields(fields, {}) is fields


def test_json_in_a_text_stays_json_and_keeps_its_keys() -> None:
    tree = {
        "password": "q",
        f"tfp_{RANDOM}{RANDOM}9": 1,
        "n": [{"pin": 1234, "url": "root:hunter2@10.0.0.1"}],
    }
    new = json.loads(SCRUBBER.scrub_text(json.dumps(tree), {}))
    assert len(new) == len(tree)
    assert new["n"][0]["pin"] == "[REDACTED:pin]"
    assert "hunter2" not in json.dumps(new)


@pytest.mark.parametrize(
    "unit",
    [
        "root:hunter2@",
        "://a/reset/abcdefghij/",
        "password set to: ",
        "Das Passwort lautet: ",
        'setPassword("',
        "s.aA1",
        "bindpw ",
        "a:b@",
        "\n \n ",
    ],
)
def test_new_rules_are_linear(unit: str) -> None:
    start = time.perf_counter()
    SCRUBBER.scrub_text(unit * (100_000 // len(unit)), {})
    assert time.perf_counter() - start < 10
