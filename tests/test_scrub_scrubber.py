"""What the Scrubber promises whatever it is given: it copies, it bounds, it never raises."""

# ruff: noqa: E501, RUF001 - hostile texts stand as they are

from __future__ import annotations

import copy
import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.record import Plain
from logbraid.scrub import Scrubber
from logbraid.scrub.glance import looking
from logbraid.scrub.keys import NameRules
from logbraid.scrub.text import TextScanner
from logbraid.settings import ScrubRules

SCRUBBER = Scrubber()
SECRETS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map(
    lambda text: f"q7{text}Z9"
)
NAMES = st.sampled_from(
    ["password", "db_password", "apiKey", "X-Api-Key", "client_secret", "accessToken", "DB_PASS"]
)
LEADS = st.sampled_from(["", "app_", "my-", "PROD_", "user."])
SURROUNDINGS = st.sampled_from(
    [
        "{name}={value}",
        "{name}: {value}",
        "{name} = '{value}'",
        '{{"{name}": "{value}"}}',
        "{{'{name}': '{value}', 'n': 1}}",
        "log a=1 {name}={value} b=2",
        "https://x.example.com/?a=1&{name}={value}&b=2",
        'x {{\\"{name}\\": \\"{value}\\"}} y',
        "<{name}>{value}</{name}>",
        "--{name} {value}",
        "tool --{name}={value} --n 3",
        "a: 1\n{name}: {value}\nb: 2",
        '[["{name}", "{value}"]]',
        '[{{"name": "{name}", "value": "{value}"}}]',
        "f(a, {name}='{value}')",
    ]
)
INNOCENT_NAMES = st.sampled_from(
    ["status", "tool", "query", "items", "page", "city", "path", "count"]
)
INNOCENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abc xyz.,", max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(INNOCENT_NAMES, inner, max_size=4),
    max_leaves=12,
)
PARTS = (
    *"abAB01 =:\"'\\{}[](),;&@/-_.\n<>|%*é密",
    *("password", "token", "eyJ", "Bearer ", "key", "-p ", "://", "[REDACTED:x]", "cookie", "auth"),
    *("is ", "mysql ", "https://a:b@c", "name", "value", "secret", "--", "a=b", "code ", "\\n"),
)
ANY_TEXT = st.lists(st.sampled_from(PARTS), max_size=60).map("".join)


@given(lead=LEADS, name=NAMES, value=SECRETS, around=SURROUNDINGS)
def test_secret_under_any_name_in_any_surroundings_never_survives(
    lead: str, name: str, value: str, around: str
) -> None:
    text = around.format(name=lead + name, value=value)

    assert value not in SCRUBBER.scrub_text(text, {})


@given(name=NAMES, value=SECRETS, depth=st.integers(0, 6), kind=st.sampled_from(["dict", "list"]))
def test_secret_at_any_depth_never_survives(name: str, value: str, depth: int, kind: str) -> None:
    tree: Any = {name: value}
    for _ in range(depth):
        tree = {"inner": tree} if kind == "dict" else {"inner": [tree]}
    before = copy.deepcopy(tree)

    scrubbed = SCRUBBER.scrub_fields(tree, {})

    assert value not in json.dumps(scrubbed)
    assert tree == before


@given(value=SECRETS, levels=st.integers(1, 3))
def test_json_in_json_stays_json(value: str, levels: int) -> None:
    text = json.dumps({"password": value, "n": 1})
    for _ in range(levels - 1):
        text = json.dumps({"inner": text})

    scrubbed: Any = SCRUBBER.scrub_text(text, {})

    for _ in range(levels - 1):
        scrubbed = json.loads(scrubbed)["inner"]
    assert json.loads(scrubbed) == {"password": "[REDACTED:password]", "n": 1}


@given(st.dictionaries(INNOCENT_NAMES, INNOCENT, max_size=5))
def test_innocent_structure_comes_back_as_the_same_object(fields: dict[str, Plain]) -> None:
    counts: dict[str, int] = {}

    assert SCRUBBER.scrub_fields(fields, counts) is fields
    assert counts == {}


@settings(max_examples=400)
@given(ANY_TEXT)
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = SCRUBBER.scrub_text(text, {})
    counts: dict[str, int] = {}

    assert SCRUBBER.scrub_text(once, counts) == once
    assert counts == {}


@settings(max_examples=300)
@given(ANY_TEXT, NAMES)
def test_any_text_under_any_name_is_scrubbed_without_error(text: str, name: str) -> None:
    fields: dict[str, Plain] = {name: text, "plain": [text, {text: text}], text: 1}
    before = copy.deepcopy(fields)
    counts: dict[str, int] = {}

    SCRUBBER.scrub_fields(fields, counts)

    assert fields == before
    assert "scrub_error" not in counts


@given(st.text(max_size=80))
def test_text_is_clean_tells_exactly_what_scrub_text_does(text: str) -> None:
    assert SCRUBBER.text_is_clean(text) == (SCRUBBER.scrub_text(text, {}) == text)


ADVERSARIAL = [
    "eyJ", "eyJ-", "eyJa.", "=", ":", '"', "'", "-----BEGIN", "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----", "\\", "a.", "{", "[", "password=", "password: ", 'password="',
    "password is ", "a@", "://", "https://a:", "sk-", "ghp_", "xoxb-", "curl -u ", "mysql -p",
    "--password ", "echo a | ", "insert into a (", "| password ", "password,a\n", '"name":"password",',
    'name="password" value=', "bearer ", "token ", "key ", "secret ", "cookie: a=b;",
    "authorization: basic a, ", "%3D", "4111 ", "1111-", "0", "<a>", "</", "@tcp(", '("password","',
    '\\"password\\": \\"', "é=", "密码：", "a ", "\n", "_", "-", "A", "[REDACTED:x] password=a ",
    "<a value=", "<key>a</key>", "from a to b password ", " is my password", "password {", "password: {'",
]  # fmt: skip


@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_adversarial_text_of_200_kilobytes_is_scanned_in_time(unit: str) -> None:
    text = (unit * (200_000 // len(unit) + 1))[:200_000]
    counts: dict[str, int] = {}

    assert isinstance(SCRUBBER.scrub_text(text, counts), str)
    assert "scrub_error" not in counts


def test_input_is_never_changed_and_untouched_branches_are_shared() -> None:
    fields: dict[str, Plain] = {"a": {"b": [1, {"c": "x"}]}, "d": {"password": "hunter2x"}}
    before = copy.deepcopy(fields)

    scrubbed = SCRUBBER.scrub_fields(fields, {})

    assert fields == before
    assert scrubbed == {"a": fields["a"], "d": {"password": "[REDACTED:password]"}}
    assert scrubbed["a"] is fields["a"]


def test_secret_in_a_name_is_redacted_and_names_stay_unique() -> None:
    first = "Bearer " + "q7Rk2mXv9Lp4Tz8Wb3Nc6"
    second = "Bearer " + "q7Rk2mXv9Lp4Tz8Wb3Nc7"

    scrubbed = SCRUBBER.scrub_fields({"inner": {first: 1, second: 2}}, {})

    assert scrubbed == {"inner": {"Bearer [REDACTED:bearer]": 1, "Bearer [REDACTED:bearer]_2": 2}}


def test_every_leaf_below_a_secret_name_is_redacted() -> None:
    fields: dict[str, Plain] = {
        "credentials": {"a": "one1", "b": ["two2", {"c": "three3"}], "n": 5, "t": True, "z": None}
    }
    counts: dict[str, int] = {}

    assert SCRUBBER.scrub_fields(fields, counts) == {
        "credentials": {
            "a": "[REDACTED:secret]",
            "b": ["[REDACTED:secret]", {"c": "[REDACTED:secret]"}],
            "n": 5,
            "t": True,
            "z": None,
        }
    }
    assert counts == {"secret": 3}


def test_schema_of_a_secret_is_no_secret_but_its_default_is() -> None:
    schema: dict[str, Plain] = {"type": "string", "description": "The key", "default": "q7Rk2mXv9L"}

    assert SCRUBBER.scrub_fields({"api_key": schema}, {}) == {
        "api_key": {"type": "string", "description": "The key", "default": "[REDACTED:api_key]"}
    }


def test_scheme_and_host_stay() -> None:
    fields: dict[str, Plain] = {
        "Authorization": "Bearer " + "q7Rk2mXv9Lp4",
        "url": "postgres://app:s3cr3t@db/x",
    }

    assert SCRUBBER.scrub_fields(fields, {}) == {
        "Authorization": "Bearer [REDACTED:bearer]",
        "url": "postgres://app:[REDACTED:password]@db/x",
    }


def test_user_pattern_is_looked_for_in_every_string() -> None:
    scrubber = Scrubber(ScrubRules(patterns={"badge": r"B-\d{4}", "seat": re.compile("S[0-9]+X")}))
    counts: dict[str, int] = {}

    scrubbed = scrubber.scrub_fields({"a": "see B-1234", "b": [{"c": "S77X"}]}, counts)

    assert scrubbed == {"a": "see [REDACTED:badge]", "b": [{"c": "[REDACTED:seat]"}]}
    assert counts == {"badge": 1, "seat": 1}


PERSONAL = [
    ("write to bob.smith@example.com now", "write to [REDACTED:email] now"),
    ("ssn 123-45-6789 on file", "ssn [REDACTED:ssn] on file"),
    ("call +49 151 12345678 today", "call [REDACTED:phone] today"),
    ("call (555) 123-4567", "call [REDACTED:phone]"),
    ("iban DE89 3704 0044 0532 0130 00", "iban [REDACTED:iban]"),
]


@pytest.mark.parametrize(("text", "expected"), PERSONAL)
def test_personal_data_is_redacted_where_asked_for(text: str, expected: str) -> None:
    assert Scrubber(ScrubRules(personal_data=True)).scrub_text(text, {}) == expected


@pytest.mark.parametrize("text", [text for text, _ in PERSONAL if "ssn" not in text])
def test_personal_data_stays_by_default(text: str) -> None:
    assert Scrubber().scrub_text(text, {}) is text


def test_value_that_cannot_be_scrubbed_is_replaced_and_counted(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Trap(str):
        __slots__ = ()

        def isascii(self) -> bool:
            raise RuntimeError("the secret")

    counts: dict[str, int] = {}
    assert Scrubber().scrub_text(Trap("some text"), counts) == "[SCRUB_ERROR]"
    assert counts == {"scrub_error": 1}
    assert "the secret" not in capfd.readouterr().err


def test_tree_deeper_than_the_stack_is_replaced() -> None:
    tree: Any = "x"
    for _ in range(100_000):
        tree = [tree]
    counts: dict[str, int] = {}

    assert Scrubber().scrub_fields({"deep": tree, "ok": 1}, counts) == {
        "deep": "[SCRUB_ERROR]",
        "ok": 1,
    }
    assert counts == {"scrub_error": 1}


def test_caches_stay_bounded() -> None:
    scrubber = Scrubber()
    for number in range(20_000):
        scrubber.scrub_fields({f"name {number}": f"text {number}"}, {})

    assert len(scrubber.plain_names) <= 4096
    assert len(scrubber.clean_texts) <= 8192
    assert scrubber.scrub_fields({"password": "hunter2x"}, {}) == {
        "password": "[REDACTED:password]"
    }


def test_secret_is_never_kept_in_a_cache() -> None:
    scrubber = Scrubber()
    scrubber.scrub_fields({"password": "hunter2x", "note": "password=hunter2x"}, {})

    assert "hunter2x" not in repr((scrubber.plain_names, scrubber.clean_texts))


@given(ANY_TEXT.map(lambda text: text[:64]))
def test_shortcut_for_short_texts_agrees_with_the_whole_search(text: str) -> None:
    scanner = TextScanner(NameRules(), {}, personal_data=False)

    assert not looking(set(), 1)(text) or scanner.spans(text) == []
