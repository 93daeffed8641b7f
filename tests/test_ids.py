"""Ids: new ones are unique and sorted, unusable ones are replaced whole and stay distinct."""

from __future__ import annotations

import os
import re
import threading
import unicodedata
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.context import TracingContext
from logbraid.health import health
from logbraid.ids import MAX_ID_CHARS, digest16, id_text, is_usable, new_id

REPLACED = re.compile(r"invalid-[0-9a-f]{16}")
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # with surrogates
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def test_new_id_is_a_version_7_uuid_of_now() -> None:
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert str(made) == str(made).lower()
    later = uuid.UUID(new_id())
    assert 0 <= (later.int >> 80) - (made.int >> 80) < 60_000


def test_new_ids_of_one_process_are_sorted_and_unique() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_new_ids_of_many_threads_are_unique_and_sorted_in_each() -> None:
    made: list[list[str]] = [[] for _ in range(8)]

    def run(mine: list[str]) -> None:
        mine.extend(new_id() for _ in range(2000))

    threads = [threading.Thread(target=run, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == 16_000


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks on purpose
def test_new_ids_of_forked_children_are_unique() -> None:
    new_id()
    made: list[str] = []
    for _ in range(4):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, "\n".join(new_id() for _ in range(100)).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as stream:
            made.extend(stream.read().splitlines())
        assert os.waitpid(child, 0)[1] == 0
    assert len(set(made)) == len(made) == 400


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks on purpose
def test_child_forked_while_a_thread_makes_an_id_can_make_one() -> None:
    with new_id._lock:  # as another thread would hold it
        child = os.fork()
        if child == 0:
            taken: list[bool] = []
            other = threading.Thread(
                target=lambda: taken.append(new_id._lock.acquire(blocking=False))
            )
            other.start()
            other.join()
            os._exit(0 if taken == [True] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_usable_text_is_kept_as_it_is() -> None:
    for text in ("acme", "a b", "Ünï-cödé", "日本", "a" * 128, "😀", "", "a/../b"):
        assert id_text(text) == (text, False)


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\x00", "\x7f", "a\u0085", "a\u2028", "a\u2029", "a\u200b", "\u202eevil", "\ufeffa",
     "\ud800", "a" * 129, "\x1b[31m"],
)  # fmt: skip
def test_an_unusable_text_is_replaced_whole(text: str) -> None:
    found, replaced = id_text(text)
    assert replaced
    assert REPLACED.fullmatch(found)
    assert found == f"invalid-{digest16(text)}"


@settings(deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (id_text(one) == id_text(other)) is (one == other)


def test_composed_and_decomposed_letters_are_two_ids() -> None:
    composed = unicodedata.normalize("NFC", "é")
    decomposed = unicodedata.normalize("NFD", "é")
    assert id_text(composed)[0] != id_text(decomposed)[0]
    long = 200
    assert id_text(composed * long)[0] != id_text(decomposed * long)[0]


@settings(deadline=None)
@given(ANY_TEXT)
def test_every_id_fits_one_line_and_utf8(text: str) -> None:
    found, _ = id_text(text)
    assert len(found) <= MAX_ID_CHARS
    assert is_usable(found)
    assert found.encode().decode() == found
    assert len(f"{found}.".splitlines()) == 1


def test_other_types_are_taken_as_their_text() -> None:
    number = uuid.UUID(int=7)
    assert id_text(number) == (str(number), False)
    assert id_text(42) == ("42", False)


def test_replaced_ids_are_counted_when_bound() -> None:
    before = health.invalid_ids.value
    context = TracingContext({"tenant_id": "a\nb", "user_id": "u", "other": "a\nb"})
    assert REPLACED.fullmatch(context["tenant_id"])
    assert context["other"] == "a\nb"
    assert health.invalid_ids.value == before + 1


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


def test_an_id_that_has_no_text_is_replaced_and_never_raises() -> None:
    before = health.invalid_ids.value
    assert REPLACED.fullmatch(TracingContext({"run_id": Unspeakable()})["run_id"])
    assert health.invalid_ids.value == before + 1
