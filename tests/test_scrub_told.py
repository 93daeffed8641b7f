"""A secret that a sentence tells is found, wherever the sentence puts it; innocent ones stay."""

from __future__ import annotations

import pytest

from logbraid.scrub import Scrubber, told

VALUE = "k3y9f8a7b6c5d4e3f2"


@pytest.mark.parametrize("value", [VALUE, "Zx8Qw3Er5Ty7Ui", "9f8e7d6c5b4a"])
@pytest.mark.parametrize(
    "sentence",
    [
        "api key {} was rejected",
        "the access token {} has expired",
        "secret {} is no longer valid for file upload",
        "Incorrect API key provided: {}. You can find yours at https://keys.example.",
        "Invalid token supplied: {}",
        "Wrong password given: {}",
        "The password you entered ({}) is wrong",
        "user:{}@host",
        "cannot connect to admin:{}@db-host",
        "login as root / {} (password)",
        "Log in with admin / {}",
        "signed in as bob / {}, then left",
    ],
)
def test_a_told_secret_is_redacted(sentence: str, value: str) -> None:
    scrubbed = Scrubber().scrub_text(sentence.format(value), {})
    assert value not in scrubbed
    assert scrubbed.startswith(sentence.partition("{")[0]), "and nothing before it"


@pytest.mark.parametrize(
    "text",
    [
        "api key rotation was rejected",
        "the API key id 4411 was rejected",
        "Incorrect API key provided: see https://keys.example/42.",
        "Invalid API key provided: 401",
        "Primary key provided: customer_4411",
        "cache key order-4411-v2 was evicted",
        "The token 48213 was rejected",
        "unexpected token name_2: expected }",
        "Password attempts used: 3 of 5",
        "Unsupported token type provided: urn:ietf:params:oauth:token-type:jwt2",
        "user:bob42@host",
        "mail me at bob:carol@example.com",
        "job:build42@runner7",
        "app:release20240512@sha256:abc123",
        "time 12:30@office2",
        "login as root / admin (2 accounts)",
        "page 3 / 12 (password policy)",
        "Log in with admin / viewer2",
        "either / or3",
    ],
)
def test_what_only_reads_like_one_stays(text: str) -> None:
    assert Scrubber().scrub_text(text, {}) == text


@pytest.mark.parametrize("tail", [" is {}", ": {}", ' "{}"', " was {}.", "=`{}`"])
def test_in_haste_no_value_with_a_digit_is_missed(tail: str) -> None:
    text = f"password{tail.format(VALUE)}"
    span = told.hasty(text.replace("=", " = "), len("password"))
    assert span is not None
    assert VALUE in text.replace("=", " = ")[slice(*span)]


def test_in_haste_masks_and_plain_words_stay() -> None:
    assert told.hasty("password is ******", 8) is None
    assert told.hasty("password is wrong", 8) is None
