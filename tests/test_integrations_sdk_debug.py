"""Agno's debug mode, and other switches, follow our level."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

import pytest

import logbraid
from logbraid.integrations.sdk_debug import AgnoSwitch, DebugSwitches
from logbraid.testing import capture_logs


def test_debug_sets_agnos_variable_and_what_it_said_comes_back() -> None:
    for before in ({}, {"AGNO_DEBUG": "false"}):
        environ: dict[str, str] = dict(before)
        switch = AgnoSwitch(environ)
        switch(True)
        assert environ == {"AGNO_DEBUG": "true"}
        switch(True)
        switch(False)
        assert environ == before
        switch(False)
        assert environ == before


def test_the_loggers_of_an_agno_that_is_imported_are_switched_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    module: Any = types.ModuleType("agno.utils.log")
    module.set_log_level_to_debug = lambda: called.append("debug")
    module.set_log_level_to_info = lambda: called.append("info")
    monkeypatch.setitem(sys.modules, "agno.utils.log", module)
    switch = AgnoSwitch({})
    switch(True)
    switch(False)
    assert called == ["debug", "info"]


def test_a_level_of_debug_switches_agno_on_while_it_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AGNO_DEBUG", raising=False)
    with capture_logs(level="info"):
        assert "AGNO_DEBUG" not in os.environ
        logbraid.set_level("debug")
        assert os.environ["AGNO_DEBUG"] == "true"
        logbraid.set_level("info")
        assert "AGNO_DEBUG" not in os.environ
        logbraid.set_level("debug")
    assert "AGNO_DEBUG" not in os.environ


def test_a_second_configuration_does_not_take_the_firsts_switch_for_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AGNO_DEBUG", raising=False)
    logbraid.configure_logging(level="debug")
    logbraid.configure_logging(level="debug").close()
    assert "AGNO_DEBUG" not in os.environ


def test_a_switch_that_fails_is_told_and_the_next_one_still_called(
    capfd: pytest.CaptureFixture[str],
) -> None:
    heard: list[bool] = []

    def failing(debug: bool) -> None:
        raise ValueError("password=hunter2secret")

    with capture_logs(level="debug", sdk_debug=[failing, heard.append]):
        assert heard == [True]
    assert heard == [True, False]
    said = capfd.readouterr().err
    assert "sdk debug switch: ValueError" in said
    assert "hunter2secret" not in said


def test_switches_that_were_told_nothing_of_debug_are_left_alone_at_the_end() -> None:
    heard: list[bool] = []
    switches = DebugSwitches([heard.append])
    switches.restore()
    assert heard == []
