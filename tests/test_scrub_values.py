"""Formats that tell themselves: each is redacted wherever it stands, and near misses stay."""

# ruff: noqa: ISC003 - heads are kept apart from bodies, so that no scanner of code stops at them

from __future__ import annotations

import random
import string

import pytest

from logbraid.ids import digest16
from logbraid.scrub import Scrubber
from logbraid.scrub.cards import is_card, luhn

ALNUM = string.ascii_letters + string.digits
URL = ALNUM + "-_"
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits

# kind, head, alphabet of the body, length of the body: from the vendors' own documentation
TABLE = [
    ("aws_access_key", "AK" + "IA", UPPER, 16),
    ("aws_access_key", "AS" + "IA", UPPER, 16),
    ("github_token", "gh" + "p_", ALNUM, 36),
    ("github_token", "gh" + "o_", ALNUM, 36),
    ("github_token", "gh" + "s_", ALNUM, 36),
    ("github_token", "github" + "_pat_", ALNUM, 82),
    ("gitlab_token", "gl" + "pat-", ALNUM, 20),
    ("slack_token", "xo" + "xb-", "0123456789", 40),
    ("slack_token", "xo" + "xp-", ALNUM, 40),
    ("stripe_key", "sk_" + "live_", ALNUM, 24),
    ("stripe_key", "rk_" + "live_", ALNUM, 24),
    ("webhook_secret", "wh" + "sec_", ALNUM, 32),
    ("anthropic_key", "sk-" + "ant-api03-", URL, 90),
    ("openai_key", "sk-" + "proj-", ALNUM, 48),
    ("api_key", "sk" + "-", ALNUM, 48),
    ("openrouter_key", "sk-" + "or-v1-", HEX, 64),
    ("langfuse_key", "sk-" + "lf-", HEX, 36),
    ("google_key", "AI" + "za", URL, 35),
    ("google_token", "ya" + "29.", URL, 80),
    ("google_secret", "GOC" + "SPX-", ALNUM, 28),
    ("huggingface_token", "hf" + "_", string.ascii_letters, 34),
    ("npm_token", "np" + "m_", ALNUM, 36),
    ("pypi_token", "py" + "pi-", ALNUM, 80),
    ("twilio_key", "S" + "K", HEX, 32),
    ("digitalocean_token", "dop" + "_v1_", HEX, 64),
    ("databricks_token", "da" + "pi", HEX, 32),
    ("groq_key", "gs" + "k_", ALNUM, 52),
    ("xai_key", "xa" + "i-", ALNUM, 80),
    ("replicate_token", "r" + "8_", ALNUM, 37),
    ("perplexity_key", "pp" + "lx-", ALNUM, 48),
    ("langsmith_key", "lsv2" + "_pt_", HEX, 32),
    ("pinecone_key", "pc" + "sk_", ALNUM, 60),
    ("supabase_key", "sb" + "p_", HEX, 40),
    ("vault_token", "hv" + "s.", URL, 90),
    ("doppler_token", "dp." + "pt.", ALNUM, 43),
    ("linear_key", "lin" + "_api_", ALNUM, 40),
    ("notion_token", "nt" + "n_", ALNUM, 46),
    ("figma_token", "fi" + "gd_", ALNUM, 40),
    ("shopify_token", "shp" + "at_", HEX, 32),
    ("mailgun_key", "ke" + "y-", HEX, 32),
    ("newrelic_key", "NR" + "AK-", UPPER, 27),
    ("sentry_token", "sntr" + "ys_", ALNUM, 60),
    ("grafana_token", "gl" + "sa_", ALNUM, 41),
    ("age_key", "AGE-" + "SECRET-KEY-1", UPPER, 58),
    ("docker_token", "dckr" + "_pat_", ALNUM, 27),
    ("nvidia_key", "nv" + "api-", ALNUM, 64),
    ("tavily_key", "tv" + "ly-", ALNUM, 32),
    ("tailscale_key", "tsk" + "ey-auth-", ALNUM, 24),
    ("atlassian_token", "ATA" + "TT3", ALNUM, 60),
]


def _body(seed: str, alphabet: str, size: int) -> str:
    draw = random.Random(seed)
    body = "".join(draw.choices(alphabet, k=size - 2))
    return body[: size // 2] + ("A1" if alphabet is not HEX else "a1") + body[size // 2 :]


@pytest.mark.parametrize(
    "around", ["{}", "see {} there", "x={},", "prefix_{}", '"{}"', "({})", "a\n{}\nb"]
)
@pytest.mark.parametrize(("kind", "head", "alphabet", "size"), TABLE)
def test_format_is_redacted_whatever_stands_around_it(
    kind: str, head: str, alphabet: str, size: int, around: str
) -> None:
    token = head + _body(head, alphabet, size)
    counts: dict[str, int] = {}

    scrubbed = Scrubber().scrub_text(around.format(token), counts)

    assert scrubbed == around.format(f"[REDACTED:{kind}]")
    assert counts == {kind: 1}


@pytest.mark.parametrize(("kind", "head", "alphabet", "size"), TABLE)
def test_head_with_too_little_after_it_stays(
    kind: str, head: str, alphabet: str, size: int
) -> None:
    text = f"tokens begin with {head} and {head}{_body(head, alphabet, 6)} is none"

    assert Scrubber().scrub_text(text, {}) is text
    assert kind


@pytest.mark.parametrize(("kind", "head", "alphabet", "size"), TABLE)
def test_format_as_an_id_becomes_a_digest(kind: str, head: str, alphabet: str, size: int) -> None:
    token = head + _body(head, alphabet, size)

    assert Scrubber().scrub_id(token) == (f"{kind}~{digest16(token)}", kind)


def test_address_with_a_password_as_an_id_becomes_a_digest() -> None:
    text = "postgres://billing:hunter2-canary@db/orders"

    assert Scrubber().scrub_id(text) == (f"password~{digest16(text)}", "password")


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example.com:8443/c/7",
        "https://bob@app.example.com",
        "s-1",
        "password",
        "4111 1111 1111 1111",
        "bob@example.com",
        "acme",
        "a" * 128,
    ],
)
def test_plain_id_stays(text: str) -> None:
    assert Scrubber().scrub_id(text) == (text, None)


def _jwt() -> str:
    return (
        "ey"
        + "JhbGciOiJIUzI1NiJ9."
        + "ey"
        + "JzdWIiOiIxMjM0NTY3ODkwIn0."
        + "dozjgNryP4J3jVmNHl0w5N"
    )


def test_jwt_is_redacted() -> None:
    assert Scrubber().scrub_text(f"got {_jwt()} back", {}) == "got [REDACTED:jwt] back"


def test_cursor_in_base64_of_json_stays() -> None:
    text = "next page: eyJvZmZzZXQiOjEwMCwibGltaXQiOjUwfQ== of 7"

    assert Scrubber().scrub_text(text, {}) is text


@pytest.mark.parametrize("size", [24, 40, 60])
def test_jwt_that_is_cut_off_is_redacted(size: int) -> None:
    text = "x " * 200 + _jwt()[:size]

    assert Scrubber().scrub_text(text, {}).endswith("x [REDACTED:jwt]")


@pytest.mark.parametrize(
    "head", ["gh" + "p_", "gl" + "pat-", "sk-" + "ant-", "AK" + "IA", "xo" + "xb-"]
)
def test_credential_that_is_cut_off_is_redacted(head: str) -> None:
    text = "x " * 200 + head + "A1b2C3d"

    assert "A1b2C3d" not in Scrubber().scrub_text(text, {})


PEM_HEAD = "-----BEGIN " + "RSA PRIVATE KEY-----"
PEM_TAIL = "-----END " + "RSA PRIVATE KEY-----"
PEM_BODY = "\n".join("".join(random.Random(n).choices(ALNUM + "+/", k=64)) for n in range(6))


@pytest.mark.parametrize("newline", ["\n", "\\n", "\r\n", "\\\\n"])
@pytest.mark.parametrize(
    "parts", [(PEM_HEAD, PEM_BODY, PEM_TAIL), (PEM_HEAD, PEM_BODY), (PEM_BODY, PEM_TAIL)]
)
def test_private_key_is_redacted_whole_or_cut(parts: tuple[str, ...], newline: str) -> None:
    text = "\n".join(parts).replace("\n", newline)

    assert (
        Scrubber()
        .scrub_text(f"key: {text}" if parts[0] == PEM_HEAD else text, {})
        .endswith("[REDACTED:private_key]")
    )


def test_text_after_a_private_key_stays() -> None:
    text = f"a {PEM_HEAD}\n{PEM_BODY}\n{PEM_TAIL} b"

    assert Scrubber().scrub_text(text, {}) == "a [REDACTED:private_key] b"


@pytest.mark.parametrize("label", ["CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST"])
def test_public_pem_stays(label: str) -> None:
    text = f"-----BEGIN {label}-----\n{PEM_BODY}\n-----END {label}-----"

    assert Scrubber().scrub_text(text, {}) is text


def _card(head: str, size: int) -> str:
    body = head + "".join(random.Random(head).choices("0123456789", k=size - 1 - len(head)))
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


CARDS = [_card("4", 16), _card("51", 16), _card("2221", 16), _card("6011", 16)]


@pytest.mark.parametrize("sign", [" ", "-"])
@pytest.mark.parametrize("card", CARDS)
def test_card_in_groups_is_redacted(card: str, sign: str) -> None:
    grouped = sign.join(card[at : at + 4] for at in range(0, 16, 4))

    assert Scrubber().scrub_text(f"paid with {grouped}.", {}) == "paid with [REDACTED:card]."


@pytest.mark.parametrize("sign", [" ", "-"])
def test_american_express_in_groups_is_redacted(sign: str) -> None:
    card = _card("37", 15)
    grouped = sign.join((card[:4], card[4:10], card[10:]))

    assert Scrubber().scrub_text(f"paid with {grouped}", {}) == "paid with [REDACTED:card]"


@pytest.mark.parametrize("card", CARDS)
def test_bare_card_needs_a_card_word(card: str) -> None:
    scrubber = Scrubber()

    assert scrubber.scrub_fields({"order": card}, {}) == {"order": card}
    assert scrubber.scrub_fields({"card_number": card}, {}) == {"card_number": "[REDACTED:card]"}
    assert scrubber.scrub_fields({"cardNumber": int(card)}, {}) == {"cardNumber": "[REDACTED:card]"}


@pytest.mark.parametrize("card", CARDS)
def test_wrong_check_digit_is_no_card(card: str) -> None:
    wrong = card[:-1] + str((int(card[-1]) + 1) % 10)

    assert is_card(card)
    assert not is_card(wrong)
    text = f"ref {wrong[:4]} {wrong[4:8]} {wrong[8:12]} {wrong[12:]}"
    assert Scrubber().scrub_text(text, {}) is text
