"""Distinct tenants get distinct directories, whatever their ids are made of."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logbraid import tenant as module
from logbraid.ids import digest16
from logbraid.tenant import OVERFLOW, UNKNOWN, directory_name

WELL_FORMED = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
any_text = st.text(st.characters(), min_size=1, max_size=80)
near_names = st.from_regex(r"[a-zA-Z0-9._-]{1,20}(-[0-9a-f]{16})?", fullmatch=True)
ids = st.one_of(any_text, near_names)


@pytest.mark.parametrize("plain", ["acme", "a", "0", "a_b-c", "x" * 64, "tenant-0123456789abcde"])
def test_plain_id_keeps_its_name(plain: str) -> None:
    assert directory_name(plain) == plain


@pytest.mark.parametrize("nobody", [None, ""])
def test_no_tenant_goes_to_unknown(nobody: str | None) -> None:
    assert directory_name(nobody) == UNKNOWN == "_unknown"


@pytest.mark.parametrize(
    "odd",
    [
        *("Acme", "ACME", "acme.", "acme ", " acme", "acme\n", "..", ".", "/", "../../etc/passwd"),
        *(
            "a/b",
            "a\\b",
            "C:",
            "-a",
            "_a",
            ".a",
            "x" * 65,
            "é",
            "e\u0301",
            "日本",
            "\x00",
            "\ud800",
        ),
        *("con", "nul", "com1", "lpt9", "aux", "prn", "CON", "com0", "💥", "\u202e"),
    ],
)
def test_every_other_id_takes_the_digest_of_its_raw_text(odd: str) -> None:
    name = directory_name(odd)
    assert WELL_FORMED.fullmatch(name)
    assert name.endswith(f"-{digest16(odd)}")


def test_reserved_directories_are_produced_by_no_id() -> None:
    for name in (UNKNOWN, OVERFLOW):
        assert directory_name(name) not in {UNKNOWN, OVERFLOW}
        assert directory_name(name.upper()) not in {UNKNOWN, OVERFLOW}


def test_slug_is_at_most_40_characters() -> None:
    name = directory_name("A" * 5000)
    assert name == f"{'a' * 40}-{digest16('A' * 5000)}"


def test_id_that_looks_hashed_is_hashed_itself() -> None:
    victim = directory_name("Acme")
    assert directory_name(victim) != victim


def test_composed_and_decomposed_stay_two_tenants() -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    assert directory_name(composed) != directory_name(decomposed)


@given(ids)
def test_name_is_safe_on_every_file_system(one: str) -> None:
    name = directory_name(one)
    assert WELL_FORMED.fullmatch(name)
    assert len(name.encode()) <= 64


@given(ids, ids)
def test_distinct_ids_give_names_distinct_without_case(one: str, other: str) -> None:
    same_name = directory_name(one).casefold() == directory_name(other).casefold()
    assert same_name == (one == other)


@given(ids)
def test_name_of_a_name_belongs_to_nobody_else(one: str) -> None:
    name = directory_name(one)
    assert (directory_name(name) == name) == (name == one)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        normal = unicodedata.normalize(form, one)
        assert (directory_name(normal) == name) == (normal == one)


def test_memory_of_names_is_bounded() -> None:
    for number in range(45_000):
        directory_name(f"T{number}")
    assert len(module._known) <= 20_000
