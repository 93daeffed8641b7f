"""Settings: one table, four sources, every problem of the arguments in one error."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logbraid.errors import ConfigError
from logbraid.parsing import parse_level, shown
from logbraid.settings import (
    TABLE,
    ScrubRules,
    Settings,
    SettingsChanges,
    markdown_table,
    resolve,
)

NAMES = [row.name for row in TABLE]
DESIGNED = (
    "level levels level_file output format log_dir retention_days file_mode instance max_open_files"
    " max_tenants tenant service env version fields callsite max_summary_chars max_exception_chars"
    " max_line_bytes delivery queue_bytes queue_policy stdout_lock debug_buffer scrub processors"
    " context_providers sinks clock sdk_debug"
).split()
CANARY = "hunter2-canary-zQ9x"


def problems_of(changes: Mapping[str, Any], settings: Any = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        resolve(settings, changes, {})
    return caught.value.problems


def outcome(changes: Mapping[str, Any]) -> Settings | ConfigError:
    try:
        return resolve(None, changes, {}).settings
    except ConfigError as error:
        return error


def value_of(name: str, value: Any) -> Any:
    return getattr(resolve(None, {name: value}, {}).settings, name)


# The table


def test_table_settings_and_changes_have_the_same_names_in_the_same_order() -> None:
    assert NAMES == DESIGNED
    assert [one.name for one in fields(Settings)] == NAMES
    assert list(get_type_hints(SettingsChanges)) == NAMES


def test_defaults_of_the_class_are_those_of_the_table() -> None:
    assert Settings() == resolve(None, {}, {}).settings == Settings.from_env({})


def test_defaults_are_those_of_the_design() -> None:
    made = Settings()
    assert (made.level, made.output, made.format) == (20, ("stdout",), "auto")
    assert (made.log_dir, made.retention_days, made.file_mode) == (Path.cwd() / "logs", 14, 0o600)
    assert (made.max_open_files, made.max_tenants) == (128, 10_000)
    assert (made.max_summary_chars, made.max_exception_chars) == (2000, 8000)
    assert (made.max_line_bytes, made.queue_bytes) == (15_360, 8 * 1024 * 1024)
    assert (made.delivery, made.queue_policy, made.stdout_lock) == ("sync", "block", True)
    assert made.scrub == ScrubRules()


def test_every_stored_value_is_parsed_to_itself_again() -> None:
    made = resolve(
        None,
        {
            "level": "TRACE",
            "levels": "httpx=warn",
            "level_file": "level",
            "output": "files,stderr",
            "file_mode": "640",
            "queue_bytes": "1gib",
            "fields": "a=b",
            "scrub": ScrubRules(extra_keys=("pin",), patterns={"order": "O-[0-9]+"}),
            "sinks": [print],
        },
        {},
    ).settings
    assert resolve(made, {}, {}).settings == made


def test_readme_table_has_one_row_a_setting_with_four_cells() -> None:
    rows = markdown_table().splitlines()
    assert rows[0].startswith("| `level` | `LOG_LEVEL` | `info` | ")
    assert [row.split("`")[1] for row in rows] == NAMES
    assert all(row.count("|") == 5 for row in rows)


def test_each_default_text_of_a_variable_means_the_default() -> None:
    for row in TABLE:
        if row.variable is not None and row.default_text != "none":
            assert row.parse(row.default_text) == row.parse(row.default), row.name


def test_settings_are_frozen_and_have_no_room_for_other_names() -> None:
    made = Settings()
    with pytest.raises(FrozenInstanceError):
        made.level = 10  # type: ignore[misc]  # that it cannot be set is the claim
    assert not hasattr(made, "__dict__")


def test_settings_survive_pickle_and_copy() -> None:
    made = Settings(levels={"a": 10}, fields={"region": "eu"})
    assert pickle.loads(pickle.dumps(made)) == made  # spawned children get their parent's
    assert copy.deepcopy(made) == made


def test_repr_shows_no_value_that_may_be_secret() -> None:
    made = Settings(
        fields={"x": CANARY},
        scrub=ScrubRules(patterns={"ours": CANARY}),
        context_providers=({"x": CANARY},),
    )
    assert CANARY not in repr(made)


def test_defaults_are_not_shared_between_settings() -> None:
    assert Settings().levels is not Settings().levels


def test_import_takes_neither_structlog_nor_loguru_nor_logging() -> None:
    code = (
        "import sys, types\n"
        "bare = sys.modules['logbraid'] = types.ModuleType('logbraid')\n"  # not the whole house
        "bare.__path__ = [sys.argv[1]]\n"
        "import logbraid.settings\n"
        "logbraid.settings.Settings(); print(sorted(sys.modules))"
    )
    package = str(Path(inspect.getfile(Settings)).parent)
    run = subprocess.run(
        [sys.executable, "-c", code, package], capture_output=True, text=True, check=True
    )
    for heavy in ("structlog", "loguru", "pythonjsonlogger", "orjson", "asyncio", "'logging'"):
        assert heavy not in run.stdout


# Who wins


def test_argument_beats_our_variable_beats_the_plain_one_beats_the_default() -> None:
    environ = {"LOGBRAID_LEVEL": "error", "LOG_LEVEL": "debug"}
    cases: list[tuple[dict[str, Any], dict[str, str], int, str]] = [
        ({"level": "trace"}, environ, 5, "argument"),
        ({}, environ, 40, "LOGBRAID_LEVEL"),
        ({}, {"LOG_LEVEL": "debug"}, 10, "LOG_LEVEL"),
        ({}, {}, 20, "default"),
    ]
    for changes, variables, number, source in cases:
        found = resolve(None, changes, variables)
        assert (found.settings.level, found.sources["level"]) == (number, source)


def test_sources_name_every_setting() -> None:
    assert list(resolve(None, {}, {}).sources) == NAMES
    assert sorted(resolve(Settings(), {"env": "x"}, {}).sources) == sorted(NAMES)


def test_service_falls_back_to_the_name_opentelemetry_knows() -> None:
    otel = {"OTEL_SERVICE_NAME": "pay"}
    found = resolve(None, {}, otel)
    assert (found.settings.service, found.sources["service"]) == ("pay", "OTEL_SERVICE_NAME")
    assert resolve(None, {}, {**otel, "LOG_SERVICE": "ours"}).settings.service == "ours"


def test_log_dir_is_read_from_log_dir() -> None:
    assert resolve(None, {}, {"LOG_DIR": "/var/x"}).settings.log_dir == Path("/var/x")


def test_a_blank_variable_is_not_set() -> None:
    found = resolve(None, {}, {"LOGBRAID_LEVEL": " ", "LOG_LEVEL": "error", "LOG_FORMAT": ""})
    assert (found.settings.level, found.settings.format) == (40, "auto")
    assert found.sources["format"] == "default"
    assert found.notices == ()


def test_none_beats_a_variable_where_none_is_a_value() -> None:
    found = resolve(None, {"service": None}, {"LOG_SERVICE": "x"})
    assert (found.settings.service, found.sources["service"]) == (None, "argument")


def test_settings_object_is_complete_and_changes_stand_on_top() -> None:
    base = Settings(level=40, env="prod")
    found = resolve(base, {"level": "debug"}, {"LOG_LEVEL": "error", "LOG_SERVICE": "x"})
    assert (found.settings.level, found.settings.env, found.settings.service) == (10, "prod", None)
    assert found.sources["level"] == "argument"
    assert found.sources["service"] == found.sources["env"] == "settings object"


def test_values_of_a_settings_object_are_checked_too() -> None:
    wrong: Any = {"format": "jsn"}
    assert problems_of({}, Settings(**wrong)) == ("format is 'jsn'; use auto, terminal or json",)


def test_words_in_a_settings_object_are_stored_as_numbers() -> None:
    word: Any = "debug"
    assert resolve(Settings(level=word), {}, {}).settings.level == 10


def test_first_argument_that_is_no_settings_is_told() -> None:
    assert problems_of({}, "debug") == (
        "the first argument is 'debug'; use Settings(...) or keywords",
    )


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "LOGBRAID_LEVEL", "critical")
    assert resolve(None, {}).settings.level == 50
    assert Settings.from_env().level == 50


# Problems


def test_all_problems_come_in_one_error() -> None:
    problems = problems_of({"levl": 1, "format": "jsn", "retention_days": -1, "sinks": [3]})
    assert problems == (
        "'levl' is not a setting; use level",
        "format is 'jsn'; use auto, terminal or json",
        "retention_days is -1; use a whole number from 0 to 36500",
        "sinks is an object of type list; item 0 is an object of type int: use a callable",
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("Level", "level"), ("log_level", "level"), ("outputs", "output"), ("logdir", "log_dir"),
     ("max_line_byte", "max_line_bytes"), ("service_name", "service"),
     ("retention", "retention_days"),
     ("processor", "processors"), ("sink", "sinks")],
)  # fmt: skip
def test_unknown_name_is_told_with_the_nearest(wrong: str, right: str) -> None:
    assert problems_of({wrong: 1}) == (f"'{wrong}' is not a setting; use {right}",)


def test_name_like_no_other_is_told_without_a_guess() -> None:
    assert problems_of({"zzz": 1}) == ("'zzz' is not a setting; the README lists all settings",)


def test_value_of_an_unknown_name_is_never_shown() -> None:
    problems = problems_of({"api_key": CANARY, "password": CANARY, "x": CANARY})
    assert CANARY not in str(problems)


@pytest.mark.parametrize("name", [row.name for row in TABLE if row.name not in ("service", "env")])
@pytest.mark.parametrize(
    "secret",
    ["postgres://u:hunter2@db/x", "password=hunter2", "sk-hunter2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
)
def test_no_message_shows_a_secret_in_the_wrong_place(name: str, secret: str) -> None:
    for value in (secret, [secret], {"x": object(), secret: secret}, (print, secret)):
        found = outcome({name: value})
        assert not (isinstance(found, ConfigError) and "hunter2" in str(found))
    row = next(row for row in TABLE if row.name == name)
    if row.variable is not None:
        notices = resolve(None, {}, {f"LOG_{row.variable}": secret}).notices
        assert "hunter2" not in str(notices)


def test_values_of_bad_fields_are_never_shown() -> None:
    assert "alpha" not in problems_of({"fields": "alpha"})[0]
    assert "alpha" not in resolve(None, {}, {"LOG_FIELDS": "a=b,alpha"}).notices[0]


@pytest.mark.parametrize("name", [row.name for row in TABLE if row.variable is not None])
def test_a_strange_variable_is_never_fatal(name: str) -> None:
    row = next(row for row in TABLE if row.name == name)
    for text in ("\x00", "=", ",", "-1", "\udcff", "9" * 5000, "a" * 5000, "~nobody-here/x"):
        found = resolve(None, {}, {f"LOG_{row.variable}": text})
        assert len(found.notices) <= 1
        if found.notices:
            assert found.sources[name] == "default"
            assert getattr(found.settings, name) == getattr(Settings(), name)
            assert len(found.notices[0]) < 400


def test_bad_variable_gives_one_notice_and_the_default() -> None:
    levels = "trace, debug, info, warning, error, critical or a number"
    found = resolve(None, {}, {"LOG_FORMAT": "jsn", "LOGBRAID_LEVEL": "loud"})
    assert found.notices == (
        f"LOGBRAID_LEVEL is 'loud'; use {levels}; using info",
        "LOG_FORMAT is 'jsn'; use auto, terminal or json; using auto",
    )
    assert (found.settings.level, found.settings.format) == (20, "auto")


def test_bad_variable_under_an_argument_is_not_told() -> None:
    assert resolve(None, {"format": "json"}, {"LOG_FORMAT": "jsn"}).notices == ()


def test_from_env_tells_a_bad_variable_once_on_standard_error() -> None:
    code = "from logbraid.settings import Settings as S; S.from_env(); print(S.from_env().level)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "LOG_LEVEL": "loud"},
    )  # fmt: skip
    assert run.stdout == "20\n"
    assert run.stderr.count("LOG_LEVEL is 'loud'") == run.stderr.count("\n") == 1


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.booleans() | st.integers()
       | st.floats() | st.text() | st.binary() | st.lists(st.text() | st.integers())
       | st.dictionaries(st.text(), st.text() | st.integers())))  # fmt: skip
def test_anything_is_either_used_or_a_config_error(changes: dict[str, Any]) -> None:
    found = outcome(changes)
    if isinstance(found, ConfigError):
        assert 1 <= len(found.problems) <= len(changes)
    else:
        assert resolve(found, {}, {}).settings == found


@settings(deadline=None)
@given(st.sampled_from([row.variable for row in TABLE if row.variable]), st.text())
def test_any_text_of_a_variable_is_used_or_told(variable: str, text: str) -> None:
    found = resolve(None, {}, {f"LOG_{variable}": text})
    assert len(found.notices) <= 1


class Explosive:
    def __repr__(self) -> str:
        raise RuntimeError(CANARY)

    __str__ = __repr__


def test_an_object_that_cannot_be_shown_is_told_by_its_type() -> None:
    assert problems_of({"service": Explosive()})[0].startswith(
        "service is an object of type Explosive; "
    )


@settings(deadline=None)
@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_shown_values_fit_eighty_characters_on_one_line(value: object) -> None:
    text = shown(value)
    assert len(text) <= 80
    assert text.isprintable()


# Levels


@pytest.mark.parametrize(
    ("given_level", "number"),
    [("trace", 5), ("debug", 10), ("INFO", 20), (" Info\n", 20), ("success", 25), ("warn", 30),
     ("Warning", 30), ("error", 40), ("exception", 40), ("critical", 50), ("FATAL", 50),
     ("notset", 0), (0, 0), (15, 15), ("15", 15), (" 7 ", 7), (1_000_000, 1_000_000)],
)  # fmt: skip
def test_level_words_and_numbers_are_known(given_level: str | int, number: int) -> None:
    assert parse_level(given_level) == number


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "loud", "-1", -1, True, None, 20.0, b"info", "1e1", "\u0661\u0660", "9" * 5000, [],
     1_000_001, "info warning", "1_0"],
)  # fmt: skip
def test_what_is_no_level_is_none(wrong: object) -> None:
    assert parse_level(wrong) is None


class Severity(IntEnum):
    LOW = 10


class Colour(str, Enum):  # noqa: UP042 - StrEnum has another __str__, this one is the trap
    RED = "red"


def test_levels_of_an_enum_are_stored_as_plain_numbers() -> None:
    assert type(value_of("level", Severity.LOW)) is int


def test_text_of_an_enum_is_its_value() -> None:
    assert value_of("service", Colour.RED) == "red"
    assert type(value_of("service", Colour.RED)) is str
    assert value_of("fields", {"c": Colour.RED}) == {"c": "red"}


def test_levels_come_as_text_or_mapping() -> None:
    wanted = {"httpx": 30, "sqlalchemy.engine": 40}
    assert value_of("levels", "httpx=warning, sqlalchemy.engine = error,") == wanted
    assert value_of("levels", {"httpx": "WARN", "sqlalchemy.engine": 40}) == wanted


@pytest.mark.parametrize(
    "wrong", ["httpx", "=info", "httpx=", "httpx=loud", {"a": None}, {1: 2}, 3]
)
def test_levels_that_cannot_be_used_are_told(wrong: object) -> None:
    assert problems_of({"levels": wrong})[0].startswith("levels is ")


# Each kind of value


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("output", "stdout,files", ("stdout", "files")),
        ("output", ["files", "FILES", " stderr "], ("files", "stderr")),
        ("output", (), ()),
        ("format", "JSON", "json"),
        ("retention_days", "0", 0),
        ("file_mode", "0640", 0o640),
        ("file_mode", "640", 0o640),
        ("file_mode", "0o640", 0o640),
        ("file_mode", 0o640, 0o640),
        ("instance", "node-1_a", "node-1_a"),
        ("max_line_bytes", "1024", 1024),
        ("max_line_bytes", 1_000_000, 1_000_000),
        ("max_line_bytes", "16KiB", 16_384),
        ("queue_bytes", "8MiB", 8 * 1024 * 1024),
        ("queue_bytes", "8mb", 8_000_000),
        ("queue_bytes", "64 k", 65_536),
        ("queue_bytes", "65536b", 65_536),
        ("queue_policy", "drop_oldest", "drop_oldest"),
        ("delivery", "queue", "queue"),
        ("max_summary_chars", 64, 64),
        ("max_exception_chars", 256, 256),
        ("fields", "region=eu,team=a=b", {"region": "eu", "team": "a=b"}),
        ("tenant", " acme ", "acme"),
        ("level_file", None, None),
    ],
)
def test_value_is_stored_as(name: str, value: object, stored: object) -> None:
    assert value_of(name, value) == stored


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output", "stdin"), ("output", ""), ("output", [1]), ("output", b"stdout"), ("output", 1),
        ("format", None), ("format", 1), ("delivery", "async"), ("queue_policy", "drop"),
        ("retention_days", -1), ("retention_days", 1.5), ("retention_days", True),
        ("retention_days", 10**9), ("retention_days", None),
        ("file_mode", 640), ("file_mode", "0888"), ("file_mode", 0o400), ("file_mode", True),
        ("file_mode", "0200"), ("file_mode", 0o1600),
        ("instance", "a.b"), ("instance", "../x"), ("instance", ""), ("instance", "a" * 65),
        ("max_open_files", 0), ("max_tenants", 0), ("max_summary_chars", 63),
        ("max_exception_chars", 255), ("max_line_bytes", 1023), ("max_line_bytes", 1_000_001),
        ("queue_bytes", 65_535), ("queue_bytes", "8 parsecs"), ("queue_bytes", "-8MiB"),
        ("tenant", "a" * 129), ("tenant", "a\nb"), ("service", ""), ("service", 1),
        ("version", 1.0), ("env", "a\u200bb"), ("callsite", "maybe"), ("callsite", 2),
        ("stdout_lock", None), ("log_dir", ""), ("log_dir", "a\0b"), ("log_dir", b"logs"),
        ("log_dir", None), ("fields", {"a": 1}), ("fields", {"": "x"}), ("fields", "a"),
        ("clock", None), ("clock", 3), ("processors", print), ("processors", [None]),
        ("sinks", "stdout"), ("context_providers", {"tenant_id": "x"}), ("sdk_debug", None),
        ("scrub", {"extra_keys": ["pin"]}), ("scrub", None),
    ],
)  # fmt: skip
def test_value_is_refused(name: str, value: object) -> None:
    (problem,) = problems_of({name: value})
    assert problem.startswith(f"{name} is ")
    assert "; " in problem


@pytest.mark.parametrize(
    ("word", "claim"),
    [("1", True), ("TRUE", True), ("yes", True), (" on ", True), (1, True), (True, True),
     ("0", False), ("False", False), ("no", False), ("off", False), (0, False), (False, False)],
)  # fmt: skip
def test_switch_words_are_known(word: object, claim: bool) -> None:
    assert value_of("callsite", word) is claim


def test_log_dir_is_absolute_and_keeps_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert value_of("log_dir", "logs") == tmp_path / "logs"
    (tmp_path / "link").symlink_to(tmp_path)
    assert value_of("log_dir", Path("link")) == tmp_path / "link"


def test_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert value_of("log_dir", "~/logs") == tmp_path / "logs"


def test_defaults_work_in_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from logbraid.settings import Settings, resolve\n"
        "resolve(Settings(), {}, {}); print(resolve(None, {}, {}).settings.level)"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=True
    )
    assert run.stdout == "20\n"


class Registry(dict[str, str]):
    def __call__(self) -> None:
        raise AssertionError("a mapping is asked as a mapping")


def test_a_mapping_that_is_callable_is_a_provider_as_it_is() -> None:
    registry = Registry()
    assert value_of("context_providers", [registry, dict])[0] is registry


def test_mapping_is_copied_so_that_later_changes_do_not_reach_in() -> None:
    mine = {"region": "eu"}
    made = resolve(None, {"fields": mine}, {}).settings
    mine["region"] = "us"
    assert made.fields == {"region": "eu"}


async def _sink(line: bytes, record: object) -> None:
    raise AssertionError((line, record))


@pytest.mark.parametrize("name", ["sinks", "processors", "sdk_debug", "context_providers"])
def test_async_callables_are_refused(name: str) -> None:
    assert "plain function" in problems_of({name: [_sink]})[0]


# Scrub rules


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"patterns": {"ours": "("}}, "does not compile"),
        ({"patterns": {"ours": "a*"}}, "matches the empty text"),
        ({"patterns": {"ours": b"a"}}, "neither text nor"),
        ({"patterns": {"": "a"}}, "use kinds of"),
        ({"patterns": {"a]b": "a"}}, "use kinds of"),
        ({"patterns": ["a"]}, "use a mapping"),
        ({"extra_keys": "pin"}, "extra_keys: use a sequence"),
        ({"safe_keys": ["", "x"]}, "safe_keys: use names"),
        ({"extra_keys": [1]}, "extra_keys: use names"),
        ({"personal_data": "no"}, "personal_data: use True or False"),
    ],
)
def test_scrub_rules_that_cannot_be_used_are_told(rules: dict[str, Any], said: str) -> None:
    assert said in problems_of({"scrub": ScrubRules(**rules)})[0]


def test_scrub_rules_are_stored_as_tuples_and_a_copy() -> None:
    keys: Any = ["pin"]
    stored = value_of("scrub", ScrubRules(extra_keys=keys, patterns={"order": "O-[0-9]+"}))
    assert stored == ScrubRules(extra_keys=("pin",), patterns={"order": "O-[0-9]+"})


def test_a_pattern_is_never_shown() -> None:
    assert CANARY not in problems_of({"scrub": ScrubRules(patterns={"x": f"({CANARY}"})})[0]


def test_a_variable_with_our_prefix_that_is_no_setting_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    environ = {"LOGBRAID_FORMT": "json", "LOG_FORMT": "x", "LOGBRAID_CONTEXT": "{}"}
    assert Settings.from_env(environ) == Settings()
    told = capfd.readouterr().err
    assert told == "logbraid: LOGBRAID_FORMT is left out: 'FORMT' is not a setting; use format\n"
