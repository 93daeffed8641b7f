"""Secrets in fields: by name, by a name beside them, in pairs, in lists of arguments."""

# ruff: noqa: RUF001 - payloads stand as they are logged

from __future__ import annotations

import base64
import random
import string
from typing import Any

import pytest

from logbraid.scrub import Scrubber

_LETTERS = string.ascii_letters + string.digits


def _password(draw: random.Random) -> str:
    shapes = (
        lambda: "".join(draw.choices(_LETTERS, k=draw.randint(8, 14))) + draw.choice(string.digits),
        lambda: (
            draw.choice(("blueFish", "winter", "Sommer"))
            + str(draw.randint(100, 9999))
            + draw.choice(("", "!", "#x"))
        ),
        lambda: "-".join(draw.choices(("horse", "lamp", "zebra"), k=3)) + f"-{draw.randint(1, 99)}",
        lambda: "".join(draw.choices("0123456789abcdef", k=32)),
    )
    return draw.choice(shapes)()


def _fill(value: Any, draw: random.Random, secrets: list[str]) -> Any:
    """Put secrets where the marks stand: S any, K a long key, B base64, U upper case."""
    if isinstance(value, dict):
        return {
            _fill(name, draw, secrets): _fill(item, draw, secrets) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, draw, secrets) for item in value]
    if not isinstance(value, str):
        return value
    while "\u00a7" in value:
        mark = value[value.index("\u00a7") + 1]
        secret = {
            "S": lambda: _password(draw),
            "K": lambda: "q7" + "".join(draw.choices(_LETTERS, k=38)) + "Z3",
            "B": lambda: base64.b64encode(b"bob:" + _password(draw).encode()).decode(),
            "U": lambda: "".join(draw.choices(string.ascii_uppercase + string.digits, k=16)),
        }[mark]()
        secrets.append(secret)
        value = value.replace(f"\u00a7{mark}", secret, 1)
    return value


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, *_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


CASES: list[tuple[Any, list[str]]] = [
    ({"db_password": "§S", "host": "db"}, ["host"]),
    ({"args": {"login": {"user": "bob", "password": "§S"}}}, ["bob"]),
    ({"headers": {"Authorization": "Bearer §S", "Accept": "json"}}, ["json", "Bearer "]),
    ({"headers": {"x-api-key": "§S"}}, []),
    ({"headers": {"Cookie": "a=1; sid=§S"}}, []),
    ({"headers": {"set-cookie": ["sid=§S; Path=/", "b=2; Secure"]}}, ["Path=/"]),
    ({"headers": [["authorization", "Bearer §S"], ["host", "x.example.com"]]}, ["x.example.com"]),
    ({"rawHeaders": ["Host", "x.example.com", "X-Api-Key", "§S"]}, ["x.example.com"]),
    ({"env": ["PATH=/bin", "API_KEY=§S"]}, ["PATH=/bin"]),
    ({"env": [{"name": "DB_PASSWORD", "value": "§S"}, {"name": "HOST", "value": "db"}]}, ["HOST"]),
    ({"Environment": {"Variables": {"SECRET_TOKEN": "§S", "STAGE": "prod"}}}, ["prod"]),
    ({"parameters": [{"ParameterKey": "MasterUserPassword", "ParameterValue": "§S"}]}, []),
    ({"argv": ["prog", "--password", "§S", "--n", "3"]}, ["--n"]),
    ({"argv": ["mysql", "-u", "root", "-p§S"]}, ["root"]),
    ({"cmd": ["curl", "-u", "bob:§S", "https://x.example.com"]}, ["https://x.example.com"]),
    ({"argv": ["sshpass", "-p", "§S", "ssh", "h"]}, ["ssh"]),
    ({"SecretString": '{"username":"u","password":"§S"}', "Name": "prod/db"}, ["prod/db"]),
    ({"Credentials": {"AccessKeyId": "ASIA§U", "SecretAccessKey": "§S", "SessionToken": "§K"}}, []),
    ({"response": {"access_token": "§S", "token_type": "Bearer", "expires_in": 3600}}, ["Bearer"]),
    ({"refresh_token": "§S"}, []),
    ({"id_token": "§S"}, []),
    ({"clientSecret": "§S"}, []),
    ({"client-secret": "§S"}, []),
    ({"x_functions_key": "§K"}, []),
    ({"secrets": {"a": "§S", "b": ["§K"]}}, []),
    ({"credentials": ["§S"]}, []),
    ({"auth": ["bob", "§S"]}, []),
    ({"auth": "§S"}, []),
    ({"basic_auth": {"username": "bob", "password": "§S"}}, []),
    ({"dsn": "postgres://u:§S@h/d"}, ["@h/d"]),
    ({"connection_string": "Server=h;Password=§S;User=u"}, ["Server=h"]),
    ({"DATABASE_URL": "mysql://u:§S@h/d"}, ["@h/d"]),
    ({"body": '{"token": "§S"}'}, []),
    ({"kwargs": {"api_key": "§S", "model": "gpt-4"}}, ["gpt-4"]),
    ({"Passwort": "§S"}, []),
    ({"mot_de_passe": "§S"}, []),
    ({"contraseña": "§S"}, []),
    ({"senha_do_banco": "§S"}, []),
    ({"clé_api": "§S"}, []),
    ({"chave_secreta": "§S"}, []),
    ({"api_schlüssel": "§S"}, []),
    ({"密码": "§S"}, []),
    ({"пароль": "§S"}, []),
    ({"パスワード": "§S"}, []),
    ({"userPassword": "§S"}, []),
    ({"password_confirmation": "§S"}, []),
    ({"new_password": "§S"}, []),
    ({"oldPwd": "§S"}, []),
    ({"PGPASSWORD": "§S"}, []),
    ({"passphrase": "§S"}, []),
    ({"private_key_pem": "§K"}, []),
    ({"api_key_prod": "§S"}, []),
    ({"GITHUB_TOKEN": "§S"}, []),
    ({"slack_bot_token": "§S"}, []),
    ({"webhookSecret": "§S"}, []),
    ({"encryptionKey": "§S"}, []),
    ({"x": {"loc": ["body", "password"], "msg": "too short", "input": "§S"}}, ["too short"]),
    ({"changes": [{"field": "password", "old": "§S", "new": "§K"}]}, []),
    ({"columns": ["name", "password"], "rows": [["bob", "§S"]]}, ["bob"]),
    ({"message": "Bearer §K in header"}, ["in header"]),
    ({"cookies": {"sid": "§S"}}, []),
    ({"session_token": "§S"}, []),
    ({"stripe_key": "§K"}, []),
    ({"jwt": "§S"}, []),
    ({"csrfmiddlewaretoken": "§S"}, []),
    ({"aws_session_token": "§K"}, []),
    ({"pass\u200bword": "§S"}, []),
    ({"ｐａｓｓｗｏｒｄ": "§S"}, []),
    ({"pa\xadssword": "§S"}, []),
    ({"query": {"token": ["§S"]}}, []),
    ({"form": {"pwd": "§S"}}, []),
    ({"smtp": {"user": "u", "pass": "§S"}}, []),
    ({"tls": {"key": "-----BEGIN PRIVATE KEY-----\n§K\n-----END PRIVATE KEY-----"}}, []),
    ({"proxy": "http://u:§S@proxy:3128"}, ["@proxy:3128"]),
    ({"X-Vault-Token": "§S"}, []),
    ({"security_answer": "§S"}, []),
    ({"recovery_codes": ["§S", "§K"]}, []),
    ({"items": [["password", "§S"], ["user", "bob"]]}, ["bob"]),
    ({"config": "password: §S"}, []),
    ({"apiKeys": ["§S"]}, []),
    ({"vault": {"data": {"data": {"db_password": "§S"}}}}, []),
    ({"input": {"tool": "login", "params": {"u": "bob", "p": "x", "secretAccessKey": "§S"}}}, []),
    ({"hash": "x", "password_hash": "$2b$12§S"}, []),
    ({"bearer_token": "§S"}, []),
    ({"bearerToken": "§S"}, []),
    ({"authToken": "§S"}, []),
    ({"x-amz-security-token": "§K"}, []),
    ({"AccountKey": "§K"}, []),
    ({"subscription_key": "§S"}, []),
    ({"signing_secret": "§S"}, []),
    ({"hmacKey": "§S"}, []),
    ({"selector": "#password", "text": "§S"}, ["#password"]),
    ({"element": "Password field", "text": "§S"}, []),
    ({"fields": [{"name": "Password", "type": "textbox", "value": "§S"}]}, []),
    ({"type": "password", "value": "§S"}, []),
    ({"data": {"tls.key": "§B§K", "tls.crt": "abc"}}, ["abc"]),
    ({"users": [{"name": "bob", "user": {"token": "§S"}}]}, ["bob"]),
    ({"x-amz-server-side-encryption-customer-key": "§K"}, []),
    ({"spring.datasource.password": "§S"}, []),
    ({"db": {"PASSWORD": "§S", "NAME": "shop"}}, ["shop"]),
    ({"Jwt:Key": "§K"}, []),
    ({"ConnectionStrings": {"Default": "Server=h;Password=§S"}}, ["Server=h"]),
    ({"ConnectionStrings__Default": "Server=h;Pwd=§S"}, ["Server=h"]),
    ({"appSettings": {"ApiSecret": "§S"}}, []),
    ({"args": ["--api-key=§S", "--n=1"]}, ["--n=1"]),
    ({"args": ["-c", "PGPASSWORD=§S psql"]}, ["psql"]),
    ({"cmd": ["docker", "login", "-u", "bob", "-p", "§S"]}, ["bob"]),
    (
        {"cmd": ["curl", "-H", "Authorization: Bearer §S", "https://x.example.com"]},
        ["https://x.example.com"],
    ),
    ({"cmd": ["redis-cli", "-a", "§S"]}, []),
    ({"env": {"A": "1", "NPM_TOKEN": "§S"}}, []),
    ({"environ": [["DB_PASS", "§S"]]}, []),
    ({"queryString": [{"name": "token", "value": "§S"}]}, []),
    ({"postData": {"params": [{"name": "password", "value": "§S"}]}}, []),
    ({"cookies": [{"name": "sid", "value": "§S", "path": "/"}]}, []),
    ({"headers": {"Authorization": ["Bearer §S"]}}, []),
    ({"multiValueHeaders": {"x-api-key": ["§S"]}}, []),
    ({"header": "X-Api-Key", "value": "§S"}, []),
    ({"key": "password", "value": "§S"}, []),
    ({"Key": "DB_PASSWORD", "Value": "§S"}, []),
    ({"variable": "API_TOKEN", "new_value": "§S", "old_value": "§K"}, []),
    ({"set_cookie": "sid=§S; HttpOnly"}, ["HttpOnly"]),
    ({"Set-Cookie": "sid=§S; Path=/"}, []),
    ({"oauth": {"access": "x", "refresh_token": "§S", "expires_at": 1700000000}}, []),
    ({"tokens": {"access_token": "§S", "refresh_token": "§K"}}, []),
    ({"accessToken": "§S", "idToken": "§K"}, []),
    ({"aws": {"secret_access_key": "§S"}}, []),
    ({"aws_secret_key": "§S"}, []),
    ({"s3": {"secretKey": "§S"}}, []),
    ({"client": {"id": "web", "secret": "§S"}}, ["web"]),
    ({"webhook": {"signing_secret": "§S"}}, []),
    ({"encryption_key_v2": "§S"}, []),
    ({"dbPasswordProd": "§S"}, []),
    ({"ADMIN_PASSWORD_HASH": "§S"}, []),
    ({"openaiApiKey": "§S"}, []),
    ({"OPENAI_KEY": "§K"}, []),
    ({"anthropic-key": "§K"}, []),
    ({"x-goog-api-key": "§S"}, []),
    ({"hfToken": "§S"}, []),
    ({"PAT": "§K"}, []),
    ({"personal_access_token": "§S"}, []),
    ({"deploy_key": "§S"}, []),
    ({"service_role_key": "§S"}, []),
    ({"session_secret": "§S"}, []),
    ({"cookie_secret": "§S"}, []),
    ({"private_key": "§S"}, []),
    ({"privateKey": "§S"}, []),
    ({"keystorePassword": "§S"}, []),
    ({"userpass": "§S"}, []),
    ({"dbpasswd": "§S"}, []),
    ({"loginPwd": "§S"}, []),
    ({"wifi_password": "§S"}, []),
    ({"psk": "§S"}, []),
    ({"proxy_password": "§S"}, []),
    ({"totp_secret": "§S"}, []),
    ({"backup_codes": ["§S"]}, []),
    ({"sig": "§K"}, []),
    ({"csrf": "§S"}, []),
    ({"xsrfToken": "§S"}, []),
    ({"authenticity_token": "§S"}, []),
    ({"__RequestVerificationToken": "§S"}, []),
    ({"x-csrf-token": "§S"}, []),
    ({"authorization": "§S"}, []),
    ({"auth_header": "Bearer §S"}, []),
    ({"proxy-authorization": "Basic §B"}, []),
    ({"bearer": "§S"}, []),
    ({"jwtToken": "§S"}, []),
    ({"kennwort": "§S"}, []),
    ({"Geheimnis": "§S"}, []),
    ({"zugangsdaten": {"x": "§S"}}, []),
    ({"motDePasse": "§S"}, []),
    ({"mdp": "§S"}, []),
    ({"jeton_acces": "§S"}, []),
    ({"cle_privee": "§S"}, []),
    ({"contrasena": "§S"}, []),
    ({"claveSecreta": "§S"}, []),
    ({"clave_api": "§S"}, []),
    ({"secreto": "§S"}, []),
    ({"chaveApi": "§S"}, []),
    ({"chave_privada": "§S"}, []),
    ({"palavra_passe": "§S"}, []),
    ({"segredo": "§S"}, []),
    ({"chiave_segreta": "§S"}, []),
    ({"chiaveApi": "§S"}, []),
    ({"credenziali": {"x": "§S"}}, []),
    ({"parola_dordine": "§S"}, []),
    ({"benutzer_passwort": "§S"}, []),
    ({"Datenbankpasswort": "§S"}, []),
    ({"hasło": "§S"}, []),
    ({"şifre": "§S"}, []),
    ({"비밀번호": "§S"}, []),
    ({"令牌": "§S"}, []),
    ({"密钥": "§S"}, []),
    ({"token_acceso": "§S"}, []),
    ({"senhaUsuario": "§S"}, []),
    ({"contraseña_nueva": "§S"}, []),
    ({"result": {"rows": [{"name": "bob", "password": "§S"}]}}, ["bob"]),
    ({"stdout": "DB_PASSWORD=§S\nA=1"}, ["A=1"]),
    (
        {"stderr": "fatal: Authentication failed for 'https://bob:§S@git.example.com/x.git/'"},
        ["git.example.com/x.git"],
    ),
    ({"messages": [{"role": "user", "content": "my password is §S ok?"}]}, ["my password is"]),
    ({"Bearer §K": 1}, []),
    ({"https://u:§S@h/": {"a": 1}}, []),
    ({"nested": [[["password=§S"]]]}, []),
    ({"tool_input": '{"cmd": "mysql -p§S db"}'}, []),
    ({"query": '{"filter": {"apiKey": "§S"}}'}, []),
    ({"input": {"secret": {"value": "§S"}}}, []),
    ({"password": ["§S", "§K"]}, []),
    ({"secrets": [{"key": "A", "value": "§S"}]}, []),
    ({"login": {"username": "bob", "pass": "§S"}}, []),
    ({"login": {"u": "bob", "pwd": "§S"}}, []),
    ({"ssh": {"passphrase": "§S"}}, []),
    ({"sasl.password": "§S"}, []),
    ({"access_key": "§S"}, []),
    ({"accessKeySecret": "§S"}, []),
    ({"AccessKeySecret": "§S"}, []),
    ({"secret_id": "x", "secret_value": "§S"}, []),
    ({"subscription-key": "§K"}, []),
    ({"storageAccountKey": "§K"}, []),
    ({"sas_token": "?sv=2022&sig=§K"}, []),
    ({"hub.token": "§S"}, []),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("payload", "kept"), CASES)
def test_secret_goes_and_its_surroundings_stay(payload: Any, kept: list[str], seed: int) -> None:
    secrets: list[str] = []
    filled = _fill(payload, random.Random(f"{seed} {payload}"), secrets)
    fields = filled if isinstance(filled, dict) else {"text": filled}
    scrubber = Scrubber()
    counts: dict[str, int] = {}

    scrubbed = scrubber.scrub_fields(fields, counts)

    shown = "\n".join(_texts(scrubbed))
    assert [secret for secret in secrets if secret in shown] == []
    assert [part for part in kept if part not in shown] == []
    assert sum(counts.values()) >= 1
    assert "scrub_error" not in counts
    again: dict[str, int] = {}
    assert scrubber.scrub_fields(scrubbed, again) is scrubbed
    assert again == {}
