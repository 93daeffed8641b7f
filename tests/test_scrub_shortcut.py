"""The glance at short texts never says clean where the whole search finds something."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logbraid.scrub import Scrubber, gates, keys
from logbraid.scrub.formats import FORMATS
from logbraid.scrub.glance import MAX_CHARS, STEMS, looking
from logbraid.scrub.keys import NameRules, Verdict
from logbraid.scrub.pairs import PairFinder
from logbraid.scrub.quiet import QuietWords
from logbraid.scrub.spans import Span
from logbraid.scrub.text import _MARKS as MARKS
from logbraid.scrub.text import TextScanner
from logbraid.scrub.tree import Walker
from logbraid.settings import ScrubRules

SCANNER = TextScanner(NameRules(), {}, personal_data=False)

HEADS = sorted({head for row in FORMATS for head in row.heads})
words = st.sampled_from(
    (
        "password passwd passphrase passcode pass pwd pw pin otp cvv ssn code key keys token "
        "secret credential credentials api access secret_key private bearer Bearer basic Basic "
        "Token mot de passe mdp senha kennwort wachtwoord my the our is was were set to from now "
        "reset changed as equals should be config auth authtoken login user admin root db prod "
        "curl mysql psql redis-cli sshpass setx setenv export env htpasswd net use vault snyk "
        "rabbitmqctl add_user insert into values select set identified by card amex number note "
        "order customer status ok failed verification security AWS_SECRET_ACCESS_KEY DB_PASSWORD "
        "null None true redacted xxxx **** SKILL ACCOUNT cal call"
    ).split()
)
values = st.sampled_from(
    (
        "hunter2secret Tr0ub4dor&3 k3y9f8a7b6c5d4e3f2 1234 4821 123456 4111111111111111 "
        "378282246310005 4111-1111-1111-1111 4111/1111/1111/1111 eyJhbGciOiJIUzI1NiJ9 "
        "eyJzdWIiOiIxMjM0NTY3ODkwIn0 dXNlcjpodW50ZXIyc2VjcmV0 user:pass1word "
        "postgres://u:hunter2secret@db/app 10.0.0.1 https://x.example/?token=abcdef012345 "
        "a3f8e1b2c4d5968778695a4b3c2d1e0f 3fa85f64-5717-4562-b3fc-2c963f66afa6 2024-01-02 v2.3.4 "
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8LzXcVbNmQ "
        "-p -u --password --token -phunter2secret -----BEGIN"
    ).split()
)
signs = st.one_of(
    st.just(" "),
    st.sampled_from("=:-/_.,;\n\t\"'\\&|<>@()[]{}~+#`!?*$%\x00\x0b\x1c\x7f\u00e9\uff1a\u200b"),
    st.sampled_from([": ", "--", " -", "%3D", "%22", "&quot;", "\\n", "-----"]),
)
bodies = st.one_of(
    st.text("0123456789abcdef", min_size=4, max_size=44),
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~+/", max_size=48),
    st.text("0123456789 -/", min_size=12, max_size=24),
)
credentials = st.builds(str.__add__, st.sampled_from(HEADS), bodies)
fragments = st.one_of(
    words, words, values, signs, signs, bodies, credentials, st.text(max_size=6), st.just(" is ")
)
woven = st.lists(fragments, min_size=1, max_size=9).map(lambda parts: "".join(parts)[:260])
spoken = st.lists(st.one_of(words, words, values, credentials), min_size=1, max_size=7).map(
    " ".join
)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(woven, spoken))
@example("")
@example("-p hunter2secret")
@example("the pin is 4821")
@example("call_a3f8e1b2c4d5968778695a4b3c2d1e0f")
@example("AC" + "0123456789abcdef" * 2 + " fedcba98765432100123456789abcdef")
def test_what_looks_clean_is_clean(text: str) -> None:
    if looking(set(), 8)(text):
        assert SCANNER.spans(text) == []
        assert Walker(NameRules(), {}, personal_data=False).scanner.scrub(text, {}) is text


@settings(max_examples=500, deadline=None)
@given(st.one_of(woven, spoken))
def test_clean_texts_are_exactly_those_that_scrubbing_leaves_alone(text: str) -> None:
    scrubber = Scrubber()
    is_clean = scrubber.text_is_clean(text)
    assert is_clean == (Scrubber().scrub_text(text, {}) == text)
    assert is_clean == scrubber.text_is_clean(text), "and a second look says the same"


@settings(deadline=None)
@given(credentials)
def test_no_credential_looks_clean(text: str) -> None:
    for told in (text, f"x {text}", f"({text})"):
        assert not looking(set(), 8)(told) or SCANNER.spans(told) == []


@pytest.mark.parametrize("stem", STEMS.split("|"))
def test_a_stem_beside_a_digit_is_left_to_the_whole_search(stem: str) -> None:
    looks_clean = looking(set(), 8)
    assert not looks_clean(f"x{stem}y 17")
    assert not looks_clean(f"17 x{stem.upper()}y")


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "get_customer_orders",
        "a3f8e1b2c4d5968778695a4b3c2d1e0f",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "the note a3f8e1b2c4d5968778695a4b3c2d1e0f",
        "call_a3f8e1b2c4d5968778695a4b",
        "/api/v1/orders/1234",
        "The customer asked for it on Monday, and the agent said no.",
    ],
)
def test_everyday_texts_look_clean(text: str) -> None:
    assert looking(set(), 8)(text)


def test_ids_do_not_flush_what_comes_again() -> None:
    seen: set[str] = set()
    looks_clean = looking(seen, 8)
    looks_clean("get_orders")
    for number in range(100):
        looks_clean(f"a3f8e1b2c4d5968778695a4b{number}")
    assert seen == {"get_orders"}


def test_memory_is_bounded() -> None:
    seen: set[str] = set()
    looks_clean = looking(seen, 8)
    for number in range(100):
        looks_clean(f"word{number}")
    assert len(seen) <= 8


def test_long_texts_and_texts_beyond_ascii_are_left_to_the_whole_search() -> None:
    looks_clean = looking(set(), 8)
    assert looks_clean("x" * MAX_CHARS)
    assert not looks_clean("x" * (MAX_CHARS + 1))
    assert not looks_clean("größe")


def test_rules_of_the_user_close_the_shortcut() -> None:
    scrubber = Scrubber(ScrubRules(patterns={"order": r"ord-\d+"}))
    assert not scrubber.looks_clean("ord-17")
    assert not scrubber.text_is_clean("ord-17")


def test_a_search_that_fails_says_not_clean() -> None:
    def broken(*_: object) -> str:
        raise RuntimeError

    scrubber = Scrubber()
    scrubber._walker.scanner.scrub = broken  # type: ignore[method-assign, assignment]
    assert not scrubber.text_is_clean("password: x")


one_word = st.one_of(
    st.from_regex(r"[A-Za-z0-9]{6,66}", fullmatch=True),
    st.from_regex(r"(your|my|test|oauth|none|null|xxxx|sha|md|v)[0-9a-zA-Z]{1,12}", fullmatch=True),
    st.builds(str.__add__, words, st.sampled_from(["1", "22", "2024", "x9"])),
    st.from_regex(r"([A-Za-z0-9]{1,9}-){1,6}[A-Za-z0-9]{0,9}", fullmatch=True),
    st.sampled_from("scram-sha-256 aws4-hmac-sha256 2024-01-02T03 your-token-2 xxxx-1".split()),
    woven,
)


@settings(max_examples=1000, deadline=None)
@given(
    one_word,
    st.sampled_from("password api_key token secret secret_key pin otp auth custom_key".split()),
    st.integers(keys.NUMBERS_TOO, keys.RANDOM),
)
def test_what_is_told_at_once_is_what_is_judged(text: str, kind: str, gate: int) -> None:
    verdict = Verdict(kind, gate)
    assert gates.is_secret(text, verdict) == gates.is_judged_secret(text, verdict)


def test_a_password_of_letters_and_digits_is_plainly_secret() -> None:
    assert gates.is_any_secret(Verdict("password", keys.NUMBERS_TOO))
    assert gates.is_mixed_word("hunter2secret")


@settings(deadline=None)
@given(st.lists(st.one_of(words, values, one_word), max_size=6))
def test_a_row_seen_before_is_scrubbed_as_at_the_first_time(row: list[str]) -> None:
    scrubber = Scrubber()
    first = scrubber.scrub_fields({"row": [*row]}, {})
    scrubber.scrub_fields({"each": [[one, one] for one in row]}, {})
    assert scrubber.scrub_fields({"row": [*row]}, {}) == first
    assert scrubber.scrub_fields({"row": [*row]}, {}) == first


def test_a_header_seen_before_is_redacted_and_counted_again_but_not_kept() -> None:
    scrubber = Scrubber()
    header = "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789"
    told = [
        (scrubber.scrub_text(header, counts), counts) for counts in ({}, {"bearer": 1}, {"x": 2})
    ]
    assert [text for text, _ in told] == ["Authorization: Bearer [REDACTED:bearer]"] * 3
    assert [counts for _, counts in told] == [{"bearer": 1}, {"bearer": 2}, {"x": 2, "bearer": 1}]
    assert "abcdefghij" not in repr(scrubber._walker._redacted)


def test_json_is_looked_into_as_deep_as_it_may_be_though_it_was_seen_before() -> None:
    inner = json.dumps({"password": "hunter2secret"})
    nested = json.dumps([json.dumps([json.dumps([json.dumps([inner])])])])
    scrubber = Scrubber()
    first = [scrubber.scrub_text(text, {}) for text in (inner, nested)]
    assert [scrubber.scrub_text(text, {}) for text in (inner, nested)] == first
    assert [Scrubber().scrub_text(text, {}) for text in (inner, nested)] == first


def test_memory_of_what_was_redacted_is_bounded() -> None:
    scrubber = Scrubber()
    for number in range(1100):
        scrubber.scrub_text(f"password={number}hunter2x", {})
    assert len(scrubber._walker._redacted) <= 1024


class EveryLoud(dict[str, int]):
    """What a scanner knows that looks around at every sign."""

    def __missing__(self, _: str) -> int:
        return 0


told = st.lists(
    st.one_of(
        words, words, values, one_word, st.sampled_from("Note Warehouse name type key from".split())
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(st.one_of(told, woven), min_size=2, max_size=5),
    st.sampled_from([": ", ":", " : ", ":\n", "=", " = ", '": "', "::", ":=", "\uff1a", "(x: "]),
)
@example(["the password", "hunter2secret"], ": ")
@example(["a note", "db_password=hunter2secret and more"], ": ")
@example(["name", "password value", "hunter2secret"], ": ")
@example(["api", "key", "k3y9f8a7b6c5d4e3f2a1"], ":")
@example(["login(password", "hunter2secret"], ": ")
@example(["contrase\u00f1a nueva", "hunter2secret"], ": ")
def test_quiet_words_before_a_sign_are_passed_over_only_where_no_pair_is(
    parts: list[str], sign: str
) -> None:
    text = sign.join(parts).replace("\uff1a", ":")
    marks = text.encode("ascii", "replace").translate(MARKS)
    found: tuple[list[Span], list[Span]] = ([], [])
    PairFinder(text, marks, NameRules(), found[0]).find(EveryLoud())
    PairFinder(text, marks, NameRules(), found[1]).find(QuietWords(NameRules()))
    assert found[0] == found[1]


def test_plain_words_are_quiet_and_names_of_secrets_are_not() -> None:
    known = QuietWords(NameRules())
    assert [known[word] for word in ("warehouse", "10", "call(x1", "order_id")] == [2, 2, 2, 1]
    assert known["name"] == 3
    assert [known[word] for word in ("password", "code", "call(token", "(note")] == [0] * 4


def test_memory_of_words_before_signs_is_bounded() -> None:
    known = QuietWords(NameRules())
    for number in range(5000):
        known[f"word{number}"]
    known["x" * 100]
    assert len(known) <= 4096
    assert "x" * 100 not in known
