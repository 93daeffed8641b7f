"""What only looks like a secret stays: the same object, nothing counted."""

# ruff: noqa: E501 - payloads stand as they are logged

from __future__ import annotations

from typing import Any

import pytest

from logbraid.scrub import Scrubber

INNOCENT: list[dict[str, Any]] = [
    {
        "prompt_tokens": 5,
        "max_tokens": 100,
        "token_count": 9,
        "tokenizer": "cl100k_base",
        "total_tokens": 14,
        "token_usage": {"input": 5, "output": 9},
    },
    {
        "next_page_token": "CAUQAA",
        "nextPageToken": "eyJvZmZzZXQiOjEwMCwibGltaXQiOjUwfQ==",
        "cursor": "eyJpZCI6MTIzNDU2Nzg5MH0",
        "continuation_token": "abc123def456",
    },
    {
        "primary_key": "id",
        "cache_key": "user:123:profile",
        "sort_key": "created#2024-01-01",
        "public_key": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
        "idempotency_key": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "partition_key": "tenant#9",
    },
    {
        "Key": "uploads/2024/report-9f8e7d6c5b4a.pdf",
        "Bucket": "my-bucket",
        "s3_key": "a/b/c.json",
        "object_key": "d41d8cd98f00b204e9800998ecf8427e",
    },
    {
        "key": "user_preferences_v2",
        "keys": ["a", "b"],
        "author": "Jane",
        "authority": "ca.example.com",
        "authorized": True,
        "auth_method": "oauth2",
    },
    {
        "password_changed_at": "2024-01-01T00:00:00Z",
        "secretary": "Bob",
        "compass": "north",
        "monkey": "chimp",
        "passenger": "Al",
        "bypass": "yes",
        "passport_country": "DE",
    },
    {
        "session_id": "s-8f14e45fceea167a5a36dedd4bea2543",
        "request_id": "req_01HXYZABCDEF1234567890",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "run_id": "run_abc123DEF456",
    },
    {
        "password_policy": "strong",
        "password_length": 12,
        "password_strength": "weak",
        "password_min_length": 8,
        "password_reset_required": True,
    },
    {
        "token_type": "Bearer",
        "has_password": True,
        "secret_name": "prod/db",
        "secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
        "key_id": "abcd-1234",
        "kid": "2024-key-1",
        "credential_type": "oauth",
    },
    {
        "secretRef": {"name": "db", "key": "password"},
        "valueFrom": {"secretKeyRef": {"name": "db-creds", "key": "password"}},
    },
    {
        "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    },
    {
        "sha": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "version": "1.2.3-rc.1+build.5",
        "uuid": "123e4567-e89b-12d3-a456-426614174000",
    },
    {
        "order": "ORD-20240101-000123",
        "phone_id": "4915112345678",
        "order_number": "4111111111111111",
        "imei": "490154203237518",
    },
    {
        "email": "bob@example.com",
        "url": "https://api.example.com/v1/users?page=2&limit=50#top",
        "git": "git@github.com:org/repo.git",
    },
    {
        "code": "def check(password: str) -> bool:\n    return hash(password) == stored",
        "c2": "password = get_password()",
        "c3": 'os.environ["API_KEY"]',
        "c4": 'token = request.headers.get("x")',
        "c5": "const token = await getToken();",
        "c6": "self.password = password",
        "c7": "api_key = os.getenv('API_KEY')",
        "c8": "if not token: raise ValueError('missing token')",
    },
    {
        "m1": "password is required",
        "m2": "password must be 8 characters",
        "m3": "token expired",
        "m4": "invalid api key provided",
        "m5": "secret not found",
        "m6": "password: <none>",
        "m7": "Your password has been changed.",
        "m8": "Please enter your password to continue",
        "m9": "Authentication failed: invalid credentials",
        "m10": "Password: required field",
    },
    {"e": {"password": ["This field is required."], "token": ["Token has expired"]}},
    {
        "p": {
            "password": "${DB_PASSWORD}",
            "token": "<your-token>",
            "api_key": "****",
            "secret": None,
            "auth": "none",
        }
    },
    {"q": "SELECT id, password_changed_at FROM users WHERE name = 'bob' AND token_count > 5"},
    {"q": "SELECT password FROM users"},
    {"q": "ALTER TABLE users ADD COLUMN password varchar(255) NOT NULL"},
    {
        "schema": {
            "type": "object",
            "properties": {
                "api_key": {"type": "string", "description": "The API key"},
                "password": {"type": "string", "minLength": 8},
            },
            "required": ["api_key", "password"],
        }
    },
    {
        "path": "/etc/ssl/private/server.key",
        "credentials_file": "/home/bob/.aws/credentials",
        "token_path": "/var/run/secrets/token",
        "secret_path": "secret/data/prod",
    },
    {"GOOGLE_APPLICATION_CREDENTIALS": "/secrets/sa.json"},
    {"text": "The token bucket algorithm allows 100 tokens per second."},
    {"text": "Use the secret santa list, and the password manager of your choice."},
    {"text": "key: value pairs are separated by commas"},
    {"text": "Note: the author: Jane; license: MIT; status: ok"},
    {"text": "Bearer authentication is used"},
    {"text": "Basic auth is not supported"},
    {"text": 'WWW-Authenticate: Bearer realm="api", error="invalid_token"'},
    {"text": "10:30:00 INFO started pid=123 threads=4"},
    {
        "stack": "Traceback (most recent call last):\n  File \"/app/auth/password.py\", line 10, in check_password\n    raise InvalidToken(token_id=5)\nKeyError: 'api_key'"
    },
    {"token": " the", "logprob": -0.3},
    {"token": "Hello", "index": 3},
    {"tokens": ["Hel", "lo"]},
    {"special_tokens": {"eos_token": "<|endoftext|>", "pad_token": "[PAD]"}},
    {"keyboard": "qwerty", "hotkey": "ctrl+c", "keyword": "shoes", "keypoints": [1, 2]},
    {"signature": "def foo(a: int) -> str"},
    {"author_token_count": 3, "secrets_found": 2, "credentials_count": 4},
    {"cookie_consent": True, "cookies_enabled": "yes", "cookie_policy": "strict"},
    {
        "auth_type": "bearer",
        "auth_url": "https://x.example.com/auth",
        "authentication_method": "password",
        "auth_status": "ok",
    },
    {"pin_map": "A1", "pinned": True, "pins": [1, 2], "spin": "x", "pin": 13},
    {"otp_enabled": True, "otp_length": 6},
    {"pwd": "/home/bob/project", "OLDPWD": "/tmp", "cwd": "/srv"},
    {"text": "PWD=/home/bob\nSHELL=/bin/bash"},
    {"arn": "arn:aws:iam::123456789012:role/Admin", "account": "123456789012"},
    {"AccessKeyId_last4": "ABCD", "key_name": "deploy", "key_type": "rsa", "key_size": 2048},
    {
        "cert": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ\n-----END CERTIFICATE-----",
        "pub": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n-----END PUBLIC KEY-----",
    },
    {
        "text": "Deploy finished in 3m: 5 pods, image registry.example.com/app:1.2.3@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    },
    {"required": ["password", "email"], "fields": ["token", "name"]},
    {"columns": ["id", "password_hash", "token"]},
    {"text": "--token-limit 500 --max-tokens=300 --key-file /a/b.pem -p 8080:80"},
    {"cmd": ["docker", "run", "-p", "8080:80", "nginx"]},
    {"cmd": "docker run -p 8080:80 nginx"},
    {"cmd": "ssh -p 2222 bob@host; mkdir -p /tmp/x; ps -p 1234; nc -u host 53"},
    {"cmd": "curl -u bob https://x.example.com"},
    {
        "text": 'export PATH=$PATH:/bin && export TOKEN=$(cat /run/token) && curl -H "Authorization: Bearer $TOKEN" https://x.example.com'
    },
    {"text": "Authorization: Bearer <token>"},
    {"text": "-H 'Authorization: Bearer ${TOKEN}'"},
    {"text": "password=${DB_PASSWORD} user=app"},
    {"url": "postgres://user:${PASSWORD}@host/db"},
    {"url": "postgres://localhost/db"},
    {"url": "https://example.com/a@b/c"},
    {"url": "http://localhost:8080/x?email=a@b.example"},
    {
        "reset_token_sent": True,
        "token_expires_at": "2024-01-01T00:00:00Z",
        "token_id": "tok-1",
        "api_key_id": "ak-1",
        "api_key_name": "prod",
        "access_key_id_hint": "x",
    },
    {"text": "user forgot password; link to reset password was sent"},
    {"text": "The password field is empty"},
    {"text": "the secret is safe with me"},
    {"text": "the key is under the mat"},
    {"text": "this token is invalid"},
    {"text": "Authorization: required"},
    {"text": "Cookie: none"},
    {"lang": "en", "text": "Das Passwort ist falsch"},
    {"text": "La contraseña es incorrecta"},
    {"text": "password reset token is invalid or expired"},
    {
        "text": "class Config:\n    api_key: str\n    password: Optional[str] = None\n    token: SecretStr = Field(...)\n"
    },
    {"text": "function login(user: string, password: string): Promise<Token> {}"},
    {"text": "db.connect(password=settings.DB_PASSWORD, token=token)"},
    {"text": "{{ secrets.API_KEY }} and ${{ secrets.TOKEN }}"},
    {"text": "token: ${{ secrets.GITHUB_TOKEN }}"},
    {"text": 'api_key = "YOUR_API_KEY"'},
    {"text": "password: '********'"},
    {"text": 'secret_key_base: <%= ENV["SECRET_KEY_BASE"] %>'},
    {
        "text": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: app\n    env:\n    - name: DB_PASSWORD\n      valueFrom:\n        secretKeyRef:\n          name: db\n          key: password\n"
    },
    {"text": "SecretStr('**********')"},
    {"tool": "get_secret", "args": {"name": "prod/db/password"}},
    {"event": "password_reset_requested", "user": "bob"},
    {"event": "token refreshed", "provider": "google"},
    {"msg": "Rotated 3 api keys: ok"},
    {"text": "pass: 12, fail: 3"},
    {"pass": True, "passed": 12, "pass_count": 3},
    {"text": "test_password_reset PASSED\ntest_token_refresh PASSED"},
    {
        "model": "gpt-4o-mini",
        "temperature": 0.2,
        "stop": ["\n"],
        "seed": 42,
        "hash": "5d41402abc4b2a76b9719d911017c592",
    },
    {"text": "see https://docs.example.com/guides/api-keys#rotating-your-secret-key for details"},
    {"text": "rate limit: 40000 tokens/min; used: 1234"},
    {"text": "time to first token: 230 ms"},
    {"text": "max token: 4096"},
    {"text": "Unexpected token: } at position 12"},
    {"text": "SyntaxError: Unexpected token '<', \"<!DOCTYPE\" is not valid JSON"},
    {"license": "MIT", "licence_key_required": False},
    {"etag": '"33a64df551425fcc55e4d42a148795d9f25f89d4"', "nonce": "abc", "state": "xyz"},
    {
        "text": "sk-learn 1.2 and hf_hub, npm_config_cache, key-value store, sk_buff pointer, SG.1, pk_id"
    },
    {
        "i18n": {
            "password": "Password",
            "token": "Token",
            "apiKey": "API Key",
            "forgot_password": "Forgot password?",
            "login.password.label": "Your password",
        }
    },
    {"html": '<input type="password" name="password" placeholder="Enter password" required>'},
    {"html": '<label for="password">Password:</label>'},
    {"css": ".password-field { color: red; } #token:hover { top: 0 }"},
    {
        "volumes": [{"name": "creds", "secret": {"secretName": "db-creds"}}],
        "imagePullSecrets": [{"name": "regcred"}],
    },
    {"secrets": ["DB_PASSWORD", "API_KEY"]},
    {"scopes": ["secrets:read", "token:write"], "action": "secretsmanager:GetSecretValue"},
    {"text": "granted secrets:read and password:reset to role"},
    {"ts": "interface Login { username: string; password: string; token?: string | null }"},
    {
        "go": 'type Config struct {\n\tPassword string `json:"password"`\n\tToken    string `json:"token,omitempty"`\n}'
    },
    {
        "java": "private String password;\npublic void setPassword(String password) { this.password = password; }"
    },
    {"rs": 'let token: String = env::var("TOKEN").unwrap();'},
    {"js": "const password = process.env.DB_PASSWORD || '';"},
    {"js2": "const { password, token } = req.body;"},
    {"js3": "headers: { Authorization: `Bearer ${token}` }"},
    {"py": "headers = {'Authorization': f'Bearer {token}'}"},
    {"py2": "token = jwt.encode(payload, key, algorithm='HS256')"},
    {"py3": "if user.password != password: return None"},
    {"py4": "@app.post('/token')\ndef login(form: OAuth2PasswordRequestForm = Depends()):"},
    {"sh": "read -s -p 'Password: ' password"},
    {"sh2": "if [ -z \"$API_KEY\" ]; then echo 'API_KEY is not set'; fi"},
    {"tf": 'variable "db_password" {\n  type = string\n  sensitive = true\n}'},
    {"tf2": "password = var.db_password\nsecret_id = aws_secretsmanager_secret.db.id"},
    {"yaml": "env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\n  DB_PASSWORD: !vault x"},
    {"gql": "mutation Login($password: String!) { login(password: $password) { token } }"},
    {
        "ddl": "CREATE TABLE users (id int primary key, password varchar(255), token text, api_key varchar(64) NOT NULL)"
    },
    {"proto": "string password = 2;\nstring token = 3;"},
    {"sql": "SELECT token, count(*) FROM t GROUP BY token"},
    {
        "openapi": {
            "securitySchemes": {
                "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
        }
    },
    {
        "tool": {
            "name": "login",
            "input_schema": {
                "type": "object",
                "properties": {
                    "password": {"type": "string", "description": "Password of the user"},
                    "token": {"type": ["string", "null"]},
                },
            },
        }
    },
    {
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 0},
            "cache_read_input_tokens": 5,
        }
    },
    {
        "max_output_tokens": 4096,
        "tokens_per_second": 33.2,
        "time_to_first_token": 0.21,
        "stop_token": "</s>",
        "eos_token_id": 2,
    },
    {"logprobs": [{"token": " world", "logprob": -0.1, "bytes": [32]}]},
    {"token_budget": "high", "tokens_used": "1234", "token_limit": "8k"},
    {"text": "Error: token limit exceeded: 4097 tokens > 4096"},
    {"text": "Password updated successfully for user bob"},
    {"text": 'password authentication failed for user "bob"'},
    {"text": "FATAL: password authentication failed for user app"},
    {"text": "Access denied for user 'root'@'localhost' (using password: YES)"},
    {"text": "Permission denied (publickey,password)."},
    {"text": "bob@host's password:"},
    {"text": "Invalid API key. Please check your API key and try again."},
    {
        "text": "Incorrect API key provided: sk-...abcd. You can find your API key at https://platform.example.com"
    },
    {"text": "Could not find secret: db-creds in namespace prod"},
    {"text": "Missing required header: Authorization"},
    {"text": "Bearer token missing in Authorization header"},
    {"text": "401 Unauthorized: Bearer token expired at 2024-01-01T00:00:00Z"},
    {"text": "The session cookie is set with SameSite=Lax"},
    {"text": "cookie: SameSite=Lax is default now"},
    {"text": "Key: value"},
    {"text": "Use your API key as the username."},
    {"text": "Your secret is safe. Keep your password private; never share a token."},
    {"text": "pin: GPIO 13, pin 4 is high"},
    {"text": "error code is 12345 and exit code 137"},
    {"text": "zip code is 90210; area code 415; status code is 200"},
    {"text": "country code is 49 and error code: 4001"},
    {"text": "the passing grade is 70 and the key is C major"},
    {"text": "pass the salt; pass 2 of 3"},
    {"text": "password_min_length=12 token_ttl=3600 secret_rotation_days=30"},
    {"text": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDJ8Zk0q bob@host"},
    {"text": "commit 3f2a9c1b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a by bob"},
    {"text": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    {"text": "trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    {"text": "2024-01-01T10:00:00Z GET /api/v1/users?page=2&sort=name 200 12ms"},
    {"text": "s3://bucket/path/key=1/part-0000-abc.parquet"},
    {"text": "/home/bob/.ssh/id_rsa and C:\\Users\\bob\\secret.txt"},
    {"text": "npm install --save token-types password-validator"},
    {"text": "pip install keyring==24.3.0 tokenizers==0.15.0"},
    {"text": "from auth import password, token"},
    {"text": "grep -r password src/ | wc -l"},
    {"text": "git commit -m 'rotate api key' -a"},
    {"text": "tar -xzf a.tgz -C /tmp; ls -la; cp -p a b; python -u x.py; mkdir -p a/b"},
    {"text": "kubectl get secret db -o yaml -n prod"},
    {"text": "aws secretsmanager get-secret-value --secret-id prod/db"},
    {"text": "gcloud auth print-access-token"},
    {"text": "vault kv get secret/prod/db"},
    {"text": "vault login -method=oidc"},
    {"text": "docker run --env-file .env -u 1000:1000 -p 80:80 app"},
    {"text": "mysql -u root -p shop"},
    {"text": 'curl -u "$USER:$PASS" https://x.example.com'},
    {"text": 'curl -H "Authorization: Bearer $(get_token)" https://x.example.com'},
    {"text": "ssh -i ~/.ssh/key.pem -p 2222 ubuntu@1.2.3.4"},
    {"url": "https://example.com/reset-password?step=2"},
    {"url": "https://example.com/docs/api-keys/create?ref=token"},
    {"url": "https://x.example.com/search?q=password+reset&key=title"},
    {"redirect_uri": "https://x.example.com/callback?state=xyz"},
    {
        "token_endpoint": "https://x.example.com/oauth/token",
        "jwks_uri": "https://x.example.com/.well-known/jwks.json",
    },
    {
        "password_last_changed": "2024-01-01",
        "passwordPolicy": {"minLength": 8, "requireSymbols": True},
        "require_password": "yes",
        "passwordExpired": False,
        "password_hint": "pet name",
    },
    {
        "apiKeyCount": 3,
        "api_key_status": "active",
        "api_key_created": "2024-01-01",
        "api_key_scopes": ["read"],
    },
    {"public_key_pem": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----"},
    {"fingerprint": "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"},
    {
        "account_id": "1234567890123456",
        "customer_key": "cust-2024-0001",
        "translation_key": "home.title",
        "message_key": "msg.welcome.v2",
        "config_key": "feature.x.enabled",
    },
    {
        "auth": {"type": "none"},
        "authn": "oidc",
        "authenticated": "yes",
        "auth_provider": "google",
        "auth_time": 123,
    },
    {"authors": ["A", "B"], "author": {"name": "Jane"}},
    {"tokenize": True, "tokenization": "bpe", "detokenized": "hello"},
    {"cookie_domain": "example.com", "cookie_name": "sid", "session_cookie_name": "sid"},
    {
        "secret_count": 3,
        "secret_version": "AWSCURRENT",
        "secretId": "prod/db",
        "has_secret": "true",
    },
    {
        "credentials_path": "/a/b.json",
        "credential_source": "Ec2InstanceMetadata",
        "credential_provider": "vault",
    },
    {"signature_algorithm": "RS256", "signature_valid": True, "signature": "v1"},
    {"pin_code": "560001", "pincode": 560001},
    {"otp_sent": True, "code": "ABC123", "error_code": "E1234", "promo_code": "SAVE20"},
    {
        "hostkey_checking": False,
        "keyspace": "prod",
        "key_prefix": "app:",
        "key_pattern": "user:*",
        "monkeypatch": "x",
        "hockey": "puck",
    },
    {"dsn": "sqlite:///app.db", "database_url": "postgres://localhost:5432/app"},
    {"connection_string": "Server=db;Database=x;Trusted_Connection=True"},
    {
        "phone": "+49 151 12345678",
        "iban": "DE89 3704 0044 0532 0130 00",
        "card_last4": "1111",
        "card_brand": "visa",
        "bin": "411111",
    },
    {
        "timestamp": 1700000000123,
        "id": "01HF7YAT8Z5V3X2W1Q0P9N8M7K",
        "ksuid": "2FJ8Lk3nQ1R5tXzP7vB9mW4cYdE",
    },
    {"tracking": "1Z999AA10123456784", "isbn": "978-3-16-148410-0", "order": "5500 0000 0000 0005"},
]


@pytest.mark.parametrize("fields", INNOCENT)
def test_innocent_record_comes_back_as_the_same_object(fields: dict[str, Any]) -> None:
    counts: dict[str, int] = {}

    assert Scrubber().scrub_fields(fields, counts) is fields
    assert counts == {}


TEXTS = [
    "password_reset_token_ttl=3600",
    "The token count was 512 and the key insight is that 3 of 4 agents agreed.",
    "Key findings: revenue grew 12% in Q3 2024",
    "token: 512 of 4096",
    "Tokens: 1,234 in / 567 out",
    "secret: null",
    "Password must contain at least 8 characters, 1 digit and 1 symbol",
    "API key: required",
    "api_key: str = Field(default=None)",
    "key=user:42 ttl=300",
    "cache key user:42:profile-v2 hit",
    "primary key (id, tenant_id2)",
    "session key rotated at 2024-01-01T10:00:00Z",
    "key: 5f3a9c2e-1b2c-4d5e-8f90-123456789abc",
    "Idempotency-Key: 5f3a9c2e-1b2c-4d5e-8f90-123456789abc",
    "public key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx3",
    "the code is ABC-123 in block 7",
    "pass rate is 97.5%",
    "Tests: 12 passed, 3 failed",
    "sort key is created_at2",
    "encryption key id is key-2024-01",
    "secret santa 2024 list v2",
    "auth: oauth2",
    "authentication: mtls",
    "author: bob2",
    "tokenizer: gpt2",
    "max_tokens: 4096",
    "pin 13 is high, pin 7 is low",
    "Enter your PIN code at checkout 24",
    "GET /api/keys?limit=10&sort=key",
    "DELETE /sessions/abc123def456",
    "Uploaded s3://bkt/key/2024/01/file-9f8e.json etag=9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "user.password.reset event v2 sent",
    "spring.security.user.roles=admin",
    "password=${env:DB_PASSWORD}",
    "password: {{ vault_db_password }}",
    "password: !Ref DbPassword",
    "password: '{{resolve:secretsmanager:db:SecretString:password}}'",
    'token: "$TOKEN"',
    "--password-stdin",
    "--password-file /run/secrets/pw",
    "echo $TOKEN | docker login --password-stdin",
    "api_key=os.environ['API_KEY']",
    "password = input('Password: ')",
    "password = getpass.getpass()",
    "assert token == expected_token",
    "token=None",
    "return token",
    "credentials: include",
    "{credentials: 'same-origin'}",
    "Credential type: OAuth2",
    "secretName: db-creds",
    "key_vault: https://v1.vault.azure.net",
    "model=gpt-4o-2024-08-06 tokens=812 cost=0.0123",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "ref: refs/heads/fix-token-bug2",
    "image: ghcr.io/org/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
]


@pytest.mark.parametrize("text", TEXTS)
def test_innocent_text_comes_back_as_the_same_object(text: str) -> None:
    counts: dict[str, int] = {}

    assert Scrubber().scrub_text(text, counts) is text
    assert counts == {}
