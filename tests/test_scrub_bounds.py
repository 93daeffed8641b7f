"""Whatever a text holds, scrubbing it takes a bounded number of steps."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from logbraid.scrub import Scrubber

WINDOW = 2512
UNITS = [
    *r'- -- ( (a: (ab: ghp_ sk- eyJ \ \\" a=b& @ a@b u:p@h <a> <password> |a = : %3D'.split(),
    *"' \" ', :// a://u:p@h AKIA :AA 0 ----- /p: <<< | \t \n".split(" "),
    *("-----BEGIN ", "-----END ", "4111 ", "4111111111111111 ", "1234-5678-", "k: v\n", "a,b\n"),
    *("password: ", "password=x ", 'password="', '"password": "x", ', "password is ", "password '"),
    *("api key 7 token ", "key: ", "pin 1234 ", "type:", "Bearer a1 ", "is my password "),
    *("\u043f\u0430\u0440\u043e\u043b\u044c ", "\u00e9: ", '"name": "password" '),
    *("curl -u a:b ", "mysql -p", " -p", "--password ", "net use \\\\a ", "echo a|"),
    *("name=password value=", "insert into a (b) values (", "setPassword('a", "login('a','"),
    *("requirepass a1b2\n", "cookie: a=b; ", "secret:\n  a: b\n", "log in as a / b1 ", "a\tb\n"),
    *("password: (", "password=[a ", "token: ({[ \n", "cookie: x ", "cookie=& "),
]
MOST_STEPS = 28_000
"""Calls for a window: a call takes 50 ns and more, most of them are C's."""


def steps(text: str) -> int:
    """Return how many functions are called to scrub *text* once its words are known."""
    scanner = Scrubber()._walker.scanner
    scanner.scrub(text, {})
    count = 0

    def counted(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        scanner.scrub(text, {})
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", UNITS)
def test_steps_are_bounded_and_grow_no_faster_than_the_text(unit: str) -> None:
    short, long = (steps((unit * WINDOW)[:size]) for size in (WINDOW, 4 * WINDOW))
    assert short < MOST_STEPS
    assert long < 4.5 * short + 2_500


@pytest.mark.parametrize(
    "line",
    [
        "password: {}\n",
        "DB_PASSWORD={}\n",
        '"api_key": "{}",\n',
        "the password is {}.\n",
        "api key: {}\n",
        "password:\n  {}\n",
        "password: |\n  {}\n",
        "cookie: theme=dark; sid={}\n",
        "- name: DB_PASSWORD\n  value: {}\n",
        '<add key="ApiKey" value="{}"/>\n',
        '("name": "password", "value": "{}"),\n',
    ],
)
def test_the_last_of_many_secrets_is_redacted_like_the_first(line: str) -> None:
    values = [f"Xq{number}vT7zLp" for number in range(200)]
    scrubbed = Scrubber().scrub_text("".join(map(line.format, values)), {})
    assert [value for value in values if value in scrubbed] == []


@pytest.mark.parametrize("bracket", "([{")
@pytest.mark.parametrize("before", [0, 30])
@pytest.mark.parametrize("tail", ["", 'it\'s "so"\n', "(a) [b] {c} )]}\n"])
def test_a_password_that_begins_with_a_bracket_hides_no_other(
    bracket: str, before: int, tail: str
) -> None:
    text = "password: Kx7vR2mQ9p\n" * before
    text += f"db_password: {bracket}Vb3tY8nL2w\nsecret_key: Hs4jD6fG1k\ntoken: Pq9zX5cM3r\n{tail}"
    told = Scrubber().scrub_text(text, {})
    for secret in ("Vb3tY8nL2w", "Hs4jD6fG1k", "Pq9zX5cM3r"):
        assert secret not in told


def test_a_cookie_among_many_secrets_is_found_on_the_next_line_too() -> None:
    text = "password: Kx7vR2mQ9p\n" * 30 + "cookie:\n  Y6z7dnHjTV9Y==\nname: x"
    told = Scrubber().scrub_text(text, {})
    assert "Y6z7dnHjTV9Y" not in told
    assert told.endswith("name: x")


def test_what_is_no_secret_stays_however_many_secrets_stand_around_it() -> None:
    lines = [f'"api_key": "Xq{number}vT7zLp",\n' for number in range(200)]
    plain = '"token": null, "secret": 4821, "password": "required",\nthe secret: expired,\n'
    scrubbed = Scrubber().scrub_text("".join([*lines, plain]), {})
    assert scrubbed.endswith(plain)
