"""Who wins: the call, its logger, our context, everyone else; and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from logbraid.health import health
from logbraid.merge import merge
from logbraid.record import CONTEXT_ORDER, ENVELOPE, FAILURE


def merged(
    *layers: dict[str, Any], calls: tuple[dict[str, Any], ...] = (), failed: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    return merge(layers, calls, failed=failed)


def test_later_layers_and_calls_win() -> None:
    context, fields = merged(
        {"a": 1, "b": 1, "c": 1, "d": 1},
        {"b": 2, "c": 2, "d": 2},
        calls=({"c": 3, "d": 3}, {"d": 4}),
    )
    assert context == {"a": 1, "b": 2}
    assert fields == {"c": 3, "d": 4}


@pytest.mark.parametrize("name", CONTEXT_ORDER)
def test_an_id_of_a_call_is_context(name: str) -> None:
    context, fields = merged(calls=({name: "x"},))
    assert context == {name: "x"}
    assert fields == {}


@pytest.mark.parametrize("name", [name for name in CONTEXT_ORDER if name != "tenant_id"])
def test_a_call_wins_over_a_bound_id(name: str) -> None:
    assert merged({name: "bound"}, calls=({name: "call"},)) == ({name: "call"}, {})


@pytest.mark.parametrize("unset", [None, ""])
def test_an_id_that_is_not_set_changes_nothing(unset: Any) -> None:
    assert merged({"run_id": "r"}, calls=({"run_id": unset},)) == ({"run_id": "r"}, {})


def test_a_bound_tenant_stays_and_the_other_is_counted() -> None:
    health.reset()
    context, fields = merged(
        {"tenant_id": "acme"}, calls=({"tenant_id": "one"}, {"tenant_id": "two"})
    )
    assert context == {"tenant_id": "acme"}
    assert fields == {"tenant_id_": "two"}
    assert health.snapshot().tenant_conflicts == 2


def test_the_same_tenant_is_no_conflict_also_as_a_number() -> None:
    health.reset()
    assert merged({"tenant_id": "7"}, calls=({"tenant_id": 7},)) == ({"tenant_id": "7"}, {})
    assert health.snapshot().tenant_conflicts == 0


def test_a_stronger_layer_may_name_the_tenant() -> None:
    context, _ = merged({"tenant_id": "theirs"}, {"tenant_id": "ours"})
    assert context == {"tenant_id": "ours"}


@pytest.mark.parametrize("name", sorted(ENVELOPE))
def test_names_of_the_envelope_get_a_trailing_line_in_context_and_fields(name: str) -> None:
    assert merged({name: 1}) == ({f"{name}_": 1}, {})
    assert merged(calls=({name: 1},)) == ({}, {f"{name}_": 1})


@pytest.mark.parametrize("name", sorted(set(FAILURE) - ENVELOPE))
def test_names_of_a_failure_are_free_where_nothing_failed(name: str) -> None:
    assert merged(calls=({name: 1},)) == ({}, {name: 1})
    assert merged(calls=({name: 1},), failed=True) == ({}, {f"{name}_": 1})


def test_ids_that_cannot_be_used_are_replaced_whole_and_stay_different() -> None:
    health.reset()
    one, _ = merged(calls=({"run_id": "a\nb"},))
    two, _ = merged(calls=({"run_id": "a\rb"},))
    assert one["run_id"].startswith("invalid-")
    assert one["run_id"] != two["run_id"]
    assert health.snapshot().invalid_ids == 2


def test_an_id_whose_text_fails_is_invalid_and_raises_nothing() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    context, _ = merged(calls=({"user_id": Mute()},))
    assert context["user_id"].startswith("invalid-")


def test_a_value_of_none_is_a_field_but_no_context() -> None:
    assert merged({"a": None, "b": ""}, calls=({"c": None, "d": ""},)) == (
        {},
        {"c": None, "d": ""},
    )
