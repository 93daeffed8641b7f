"""Names that make a value secret, and names that only look so."""

from __future__ import annotations

import pytest

from logbraid.record import Plain
from logbraid.scrub import Scrubber
from logbraid.settings import ScrubRules

SECRET = """password passwd passphrase pwd pass db_pass secret secrets credential credentials
authorization proxy-authorization cookie set-cookie api_key apikey access_key private_key secret_key
signing_key encryption_key master_key client_secret webhook_secret auth passcode
mnemonic seed_phrase bearer jwt csrf xsrf otp_secret totp_secret access_token refreshToken
X-Auth-Token DB_PASSWORD AWS_SECRET_ACCESS_KEY userPassword PassWord APIKey x-api-key ApiKey
passwordConfirmation password2 new_password clientSecret spring.datasource.password config/password
db:password passwort kennwort motDePasse contraseña senha chave_api clé_secrète api_schlüssel
PGPASSWORD token GITHUB_TOKEN slackBotToken session_token csrfmiddlewaretoken""".split()

PLAIN = """prompt_tokens max_tokens token_count token_usage token_type token_limit tokenizer tokens
primary_key foreign_key sort_key partition_key cache_key idempotency_key routing_key public_key key
keys next_page_token nextPageToken continuation_token author authority authorized auth_method
password_changed_at secretary compass monkey session_id user_id tenant_id run_id request_id trace_id
password_policy password_length password_strength has_password secret_name secret_arn secretRef
key_id kid credential_type bypass passenger passport keyboard turkey hockey donkey spinner pinned
cookie_consent cookies_enabled auth_url token_endpoint api_key_id api_key_name password_hint
is_secret use_token tokenized expiration encoding passed_tests compassion""".split()

RANDOM = "q7Rk2mXv9Lp4Tz8Wb3Nc6"


@pytest.mark.parametrize("name", SECRET)
def test_value_of_secret_name_is_redacted(name: str) -> None:
    scrubbed = Scrubber().scrub_fields({name: RANDOM}, {})

    assert RANDOM not in str(scrubbed[name])
    assert "[REDACTED:" in str(scrubbed[name])


@pytest.mark.parametrize("name", PLAIN)
def test_value_of_plain_name_stays(name: str) -> None:
    fields: dict[str, Plain] = {name: RANDOM}
    scrubber = Scrubber()

    assert scrubber.scrub_fields(fields, {}) is fields


@pytest.mark.parametrize("name", SECRET)
@pytest.mark.parametrize(
    "value", [None, True, False, "", "***", "${SECRET}", "<secret>", "null", 0]
)
def test_no_value_and_placeholder_stay_under_secret_name(
    name: str, value: str | bool | None
) -> None:
    fields: dict[str, Plain] = {name: value}

    assert Scrubber().scrub_fields(fields, {}) is fields


@pytest.mark.parametrize(
    ("name", "number"),
    [("password", 12345678), ("pin", 4821), ("cvv", 123), ("ssn", 123456789), ("otp", 483920)],
)
def test_number_that_is_itself_the_secret_is_redacted(name: str, number: int) -> None:
    assert Scrubber().scrub_fields({name: number}, {}) == {name: f"[REDACTED:{name}]"}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("password", 3),
        ("token", 1234),
        ("secrets", 12),
        ("credentials", 4),
        ("pin", 13),
        ("api_key", 7),
    ],
)
def test_number_that_counts_stays(name: str, number: int) -> None:
    fields: dict[str, Plain] = {name: number}

    assert Scrubber().scrub_fields(fields, {}) is fields


@pytest.mark.parametrize(
    "name",
    [
        "pass\u200bword",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
        "PASS\u00adWORD",
        "p\u2060assword",
    ],
)
def test_name_in_disguise_is_seen_through(name: str) -> None:
    assert Scrubber().scrub_fields({name: RANDOM}, {})[name] == "[REDACTED:password]"


def test_extra_key_matches_by_words() -> None:
    scrubber = Scrubber(ScrubRules(extra_keys=("customer badge",)))

    for name in ("customerBadge", "customer_badge", "CUSTOMER-BADGE", "the.customer.badge"):
        assert scrubber.scrub_fields({name: "x1"}, {}) == {name: "[REDACTED:custom_key]"}
    assert scrubber.scrub_fields({"customer_badges": "x1"}, {}) == {"customer_badges": "x1"}


def test_safe_key_overrides_built_in_rule() -> None:
    scrubber = Scrubber(ScrubRules(safe_keys=("demo token",)))
    fields: dict[str, Plain] = {"demoToken": RANDOM}

    assert scrubber.scrub_fields(fields, {}) is fields
    assert scrubber.scrub_fields({"token": RANDOM}, {}) == {"token": "[REDACTED:token]"}


def test_name_is_plain_tells_names_apart() -> None:
    scrubber = Scrubber()

    assert scrubber.name_is_plain("status")
    assert scrubber.plain_names["status"] is True
    assert not scrubber.name_is_plain("password")
    assert scrubber.plain_names["password"] is False
    assert not scrubber.name_is_plain("card_number")
