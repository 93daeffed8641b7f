"""A hint that says no is right: the search that it stands before finds nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logbraid.scrub import hints, notation, prose, shell
from logbraid.scrub.glance import STEMS
from logbraid.scrub.keys import NameRules
from logbraid.scrub.programs import FLAGS
from logbraid.scrub.spans import Span
from logbraid.scrub.text import _LOWER as LOWER

RULES = NameRules()

pieces = st.sampled_from(
    [
        *(
            "password passwd passphrase api_key token secret credentials key code pin user admin "
            "hunter2secret Tr0ub4dor&3 4821 k3y9f8a7b6c5d4e3f2 Correct-Horse x 17 is was to my "
            "the order - -- -p -u --password --token= isn't it's identified by crypt( login( "
            "setPassword( .api_key( <password> </password> <key> <string> <a value= echo printf "
            "contrase\u00f1a CL\u00c9 API has\u0142o \u015fifre l\u00f6senord \u5bc6\u7801 "
            "\u043f\u0430\u0440\u043e\u043b\u044c \u041f\u0430\u0440\u041e\u043b\u044c "
            "set config vault add_user /p:x auth( gr\u00f6\u00dfer"
        ).split(),
        *sorted(FLAGS),
        *" ' \" '\" , ( ) < > | = : / \n \t \\ n' N' \", \" ',' (' ( ' .exe - -x".split(" "),
    ]
)
texts = st.lists(pieces, min_size=1, max_size=12).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda sign: sign.join(parts) or " ")
)


def forms(text: str) -> tuple[bytes, bytes]:
    raw = text.encode("ascii", "replace")
    return raw, raw.translate(LOWER)


@settings(max_examples=1500, deadline=None)
@given(texts)
@example("PASSWORD N'hunter2secret'")
@example("('password' , \"hunter2secret\")")
@example("<password>hunter2secret</password>")
@example("setPassword('hunter2secret')")
@example("die contrase\u00f1a hunter2secret")
def test_what_a_hint_denies_no_search_finds(text: str) -> None:
    raw, low = forms(text)
    found: list[Span] = []
    if not hints.has_option(text):
        shell.find_options(text, RULES, found)
    if not hints.quotes_behind_blank(text):
        notation.find_sql(text, low, found)
    if not hints.sets_by_call(raw):
        notation.find_calls(text, found)
    if not hints.has_pair(text, raw, RULES):
        notation.find_quoted_pairs(text, RULES, found)
    if not hints.has_tag(text, RULES):
        notation.find_elements(text, RULES, found)
        notation.find_tags(text, RULES, found)
    if not hints.echoes(text):
        shell.find_piped(text, found)
    if not hints.tells_abroad(text, low):
        prose.find_told_abroad(text, found)
    if not hints.tells_reversed(low, hints.ALL):
        prose.find_reversed(text, low, found)
    if not hints.has_option(text) and not hints.takes_by_place(text, low):
        shell.find_programs(text, RULES, found)
    assert found == []


@settings(deadline=None)
@given(texts)
def test_digits_and_commands_are_seen_as_a_pattern_sees_them(text: str) -> None:
    _, low = forms(text)
    assert hints.has_digit(text) == (re.search("[0-9]", text) is not None)
    pattern = rb"setx |setenv |env |config|rabbitmqctl |htpasswd |net use|authtoken |vault |snyk "
    assert hints.has_command(low, hints.ALL) == (re.search(pattern, low) is not None)


@pytest.mark.parametrize("stem", STEMS.split("|"))
@pytest.mark.parametrize("far", [0, 20, 80, 200, 900])
def test_a_stem_is_heard_near_a_digit_only(stem: str, far: int) -> None:
    for text in (f"{stem} {'x' * far} 7", f"7 {'x' * far} {stem} "):
        _, low = forms(text)
        near = re.search(STEMS, text) is not None
        assert bool(hints.heard(low)) == (near and far < (90 if text[0] != "7" else 50))


@pytest.mark.parametrize(
    "text", ["It's on Monday - or not; a well-known order.", "the team isn't here - he said."]
)
def test_prose_has_no_options_and_opens_no_quotes(text: str) -> None:
    assert not hints.has_option(text)
    assert not hints.quotes_behind_blank(text)


@settings(deadline=None)
@given(texts)
def test_programs_are_found_where_a_search_for_all_finds_them(text: str) -> None:
    at = 0
    expected = []
    while (found := shell._PROGRAM.search(text, at)) is not None:
        expected.append(found.start())
        at = found.end()
    assert [at for at in shell._programs(text) if at in expected] == expected, (
        "each name stands among the places that are tried"
    )
