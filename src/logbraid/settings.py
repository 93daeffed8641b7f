"""The one table of settings: names, variables, defaults, rules and what the README says of them.

Settings are read once, at configuration. This module decides what they are and where each came
from; it opens no file and changes nothing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, TypedDict

from logbraid import parsing
from logbraid.errors import ConfigError
from logbraid.health import health
from logbraid.parsing import UnusableError, shown

__all__ = [
    "TABLE",
    "Resolved",
    "ScrubRules",
    "Setting",
    "Settings",
    "SettingsChanges",
    "markdown_table",
    "resolve",
]

Processor: TypeAlias = Callable[[Any, str, dict[str, Any]], Any]
Provider: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any] | None]
LineSink: TypeAlias = Callable[[bytes, dict[str, Any]], object]
SdkDebug: TypeAlias = Callable[[bool], object]


@dataclass(frozen=True, slots=True)
class ScrubRules:
    """What the scrubber does beyond its own rules.

    ``extra_keys`` are further field names whose values are secret, ``safe_keys`` names that never
    are (both match like the built-in ones: by words, so ``"customer pin"`` is ``customerPin`` too).
    ``patterns`` maps a kind to a pattern that is looked for in every string. ``personal_data``
    also redacts e-mail addresses, phone numbers, IBANs and US social security numbers.
    """

    extra_keys: tuple[str, ...] = ()
    safe_keys: tuple[str, ...] = ()
    patterns: Mapping[str, str | re.Pattern[str]] = field(default_factory=dict)
    personal_data: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    ``variable`` comes after ``LOGBRAID_`` or ``LOG_`` (none: the setting is an argument only),
    ``also`` names variables of others that are asked last. ``default`` is as a user would write
    it, ``parse`` makes of it what is stored or raises, ``text`` explains the setting in one line.
    """

    name: str
    variable: str | None
    default: Any
    parse: parsing.Parser
    text: str
    also: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment by name, the first that is set wins."""
        if self.variable is None:
            return ()
        return (f"LOGBRAID_{self.variable}", f"LOG_{self.variable}", *self.also)

    @property
    def default_text(self) -> str:
        """The default as a user would write it: ``none`` for nothing, ``on`` or ``off``."""
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        if self.default is None or self.default in ((), {}):
            return "none"
        if callable(self.default):
            return f"{self.default.__module__}.{self.default.__name__}"
        return f"{type(self.default).__name__}()" if self.name == "scrub" else str(self.default)


def _scrub(value: object) -> ScrubRules:
    if not isinstance(value, ScrubRules):
        raise UnusableError("use ScrubRules(extra_keys=..., safe_keys=..., patterns=...)")
    return ScrubRules(
        extra_keys=parsing.names("extra_keys", value.extra_keys),
        safe_keys=parsing.names("safe_keys", value.safe_keys),
        patterns=parsing.patterns(value.patterns),
        personal_data=parsing.flag("personal_data", value.personal_data),
    )


_text: Final = parsing.optional(parsing.text)
_functions: Final = parsing.several(parsing.function, "callables")
_providers: Final = parsing.several(parsing.provider, "mappings or callables")
_many: Final = 1_000_000

TABLE: Final = (
    Setting("level", "LEVEL", "info", parsing.level,
            "the lowest level that is written: a word in any case or a number"),
    Setting("levels", "LEVELS", {}, parsing.levels,
            "levels of loggers and their children: `httpx=warning,sqlalchemy.engine=error`"),
    Setting("level_file", "LEVEL_FILE", None, parsing.optional(parsing.path),
            "a file whose text is the level, looked at once a second"),
    Setting("output", "OUTPUT", "stdout", parsing.outputs("stdout", "stderr", "files", "otlp"),
            "where lines go: `stdout`, `stderr`, `files`, `otlp`, several with commas"),
    Setting("format", "FORMAT", "auto", parsing.words("auto", "terminal", "json"),
            "`terminal` for people, `json`; `auto` is `terminal` on a terminal, else `json`"),
    Setting("log_dir", "DIR", "logs", parsing.path,
            "the directory of the tenants' files, made absolute at configuration"),
    Setting("retention_days", "RETENTION_DAYS", 14, parsing.whole(0, 36_500),
            "days after which files of tenants are deleted; 0 keeps them"),
    Setting("file_mode", "FILE_MODE", "0600", parsing.file_mode, "the mode of new files, octal"),
    Setting("instance", "INSTANCE", None, parsing.optional(parsing.instance),
            "a word in the files' names; needed where several hosts share a volume"),
    Setting("max_open_files", "MAX_OPEN_FILES", 128, parsing.whole(1, _many),
            "files of tenants kept open at once, at most a quarter of the process's descriptors"),
    Setting("max_tenants", "MAX_TENANTS", 10_000, parsing.whole(1, _many),
            "directories of tenants a day; further ones share `_overflow`"),
    Setting("tenant", "TENANT", None, parsing.optional(parsing.tenant),
            "the tenant of records without one"),
    Setting("service", "SERVICE", None, _text,
            "the name of the service in every line, else `OTEL_SERVICE_NAME`",
            also=("OTEL_SERVICE_NAME",)),
    Setting("env", "ENV", None, _text, "the environment in every line, such as `production`"),
    Setting("version", "VERSION", None, _text, "the version of the service in every line"),
    Setting("fields", "FIELDS", {}, parsing.fields,
            "further fields of every line: `region=eu,team=payments`"),
    Setting("callsite", "CALLSITE", False, parsing.switch,
            "adds module, function and line number of the call"),
    Setting("max_summary_chars", "MAX_SUMMARY_CHARS", 2000, parsing.whole(64, _many),
            "characters at which a text is cut"),
    Setting("max_exception_chars", "MAX_EXCEPTION_CHARS", 8000, parsing.whole(256, _many),
            "characters at which a traceback is cut"),
    Setting("max_line_bytes", "MAX_LINE_BYTES", 15_360, parsing.size(1024, _many),
            "bytes of a line at most, with its end"),
    Setting("delivery", "DELIVERY", "sync", parsing.words("sync", "queue"),
            "`sync` writes before the call returns, `queue` in a thread"),
    Setting("queue_bytes", "QUEUE_BYTES", "8MiB", parsing.size(64 * 1024, 1 << 40),
            "bytes of lines that may wait in the queue"),
    Setting("queue_policy", "QUEUE_POLICY", "block", parsing.words("block", "drop_oldest"),
            "what a full queue does: `block` or `drop_oldest`"),
    Setting("stdout_lock", "STDOUT_LOCK", True, parsing.switch,
            "keeps lines of several processes on one pipe whole"),
    Setting("debug_buffer", "DEBUG_BUFFER", 0, parsing.whole(0, 10_000),
            "records below the level kept for each run, written if it logs an error; 0: none"),
    Setting("scrub", None, ScrubRules(), _scrub,
            "`ScrubRules(extra_keys, safe_keys, patterns, personal_data)`"),
    Setting("processors", None, (), _functions, "structlog processors that run before scrubbing"),
    Setting("context_providers", None, (), _providers,
            "mappings or callables without arguments that know more context"),
    Setting("sinks", None, (), _functions, "callables `(line, record)` that get every line too"),
    Setting("clock", None, time.time_ns, parsing.function, "gives nanoseconds since the epoch"),
    Setting("sdk_debug", None, (), _functions,
            "callables `(debug)` told at each change whether the level is debug"),
)  # fmt: skip
"""All settings, in the order in which they are explained."""

_NAME_CHARS: Final = 40
_ROWS: Final = {row.name: row for row in TABLE}


def _default(name: str) -> Callable[[], Any]:
    row = _ROWS[name]
    return lambda: row.parse(row.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings as they are stored; ``Settings()`` holds the defaults.

    A ``Settings`` is complete: where one is given, variables of the environment are not asked.
    ``Settings.from_env()`` makes one that did. Values are checked by ``configure_logging()``.
    """

    level: int = field(default_factory=_default("level"))
    levels: Mapping[str, int] = field(default_factory=_default("levels"))
    level_file: Path | None = field(default_factory=_default("level_file"))
    output: tuple[str, ...] = field(default_factory=_default("output"))
    format: Literal["auto", "terminal", "json"] = field(default_factory=_default("format"))
    log_dir: Path = field(default_factory=_default("log_dir"))
    retention_days: int = field(default_factory=_default("retention_days"))
    file_mode: int = field(default_factory=_default("file_mode"))
    instance: str | None = field(default_factory=_default("instance"))
    max_open_files: int = field(default_factory=_default("max_open_files"))
    max_tenants: int = field(default_factory=_default("max_tenants"))
    tenant: str | None = field(default_factory=_default("tenant"))
    service: str | None = field(default_factory=_default("service"))
    env: str | None = field(default_factory=_default("env"))
    version: str | None = field(default_factory=_default("version"))
    fields: Mapping[str, str] = field(
        default_factory=_default("fields"), repr=False
    )  # values of anyone's
    callsite: bool = field(default_factory=_default("callsite"))
    max_summary_chars: int = field(default_factory=_default("max_summary_chars"))
    max_exception_chars: int = field(default_factory=_default("max_exception_chars"))
    max_line_bytes: int = field(default_factory=_default("max_line_bytes"))
    delivery: Literal["sync", "queue"] = field(default_factory=_default("delivery"))
    queue_bytes: int = field(default_factory=_default("queue_bytes"))
    queue_policy: Literal["block", "drop_oldest"] = field(default_factory=_default("queue_policy"))
    stdout_lock: bool = field(default_factory=_default("stdout_lock"))
    debug_buffer: int = field(default_factory=_default("debug_buffer"))
    scrub: ScrubRules = field(
        default_factory=_default("scrub"), repr=False
    )  # a pattern may spell what it hides
    processors: tuple[Processor, ...] = field(default_factory=_default("processors"), repr=False)
    context_providers: tuple[Provider, ...] = field(
        default_factory=_default("context_providers"), repr=False
    )
    sinks: tuple[LineSink, ...] = field(default_factory=_default("sinks"), repr=False)
    clock: Callable[[], int] = field(default_factory=_default("clock"), repr=False)
    sdk_debug: tuple[SdkDebug, ...] = field(default_factory=_default("sdk_debug"), repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the defaults with the variables of *environ* on top.

        A variable that cannot be used is told on standard error once, and the default stays.
        """
        values, _sources, notices = _read_environment(environ)
        for notice in notices:
            health.tell_once(notice, notice)
        return cls(**values)


class SettingsChanges(TypedDict, total=False):
    """The keywords of ``configure_logging()``, with the types a user may give."""

    level: str | int
    levels: Mapping[str, str | int] | str
    level_file: str | os.PathLike[str] | None
    output: str | Sequence[str]
    format: Literal["auto", "terminal", "json"]
    log_dir: str | os.PathLike[str]
    retention_days: int
    file_mode: int | str
    instance: str | None
    max_open_files: int
    max_tenants: int
    tenant: str | None
    service: str | None
    env: str | None
    version: str | None
    fields: Mapping[str, str] | str
    callsite: bool
    max_summary_chars: int
    max_exception_chars: int
    max_line_bytes: int | str
    delivery: Literal["sync", "queue"]
    queue_bytes: int | str
    queue_policy: Literal["block", "drop_oldest"]
    stdout_lock: bool
    debug_buffer: int
    scrub: ScrubRules
    processors: Sequence[Processor]
    context_providers: Sequence[Provider]
    sinks: Sequence[LineSink]
    clock: Callable[[], int]
    sdk_debug: Sequence[SdkDebug]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings in force, where each came from, and what was wrong with the environment.

    ``sources`` says for each name ``argument``, ``settings object``, ``default`` or the variable.
    """

    settings: Settings
    sources: Mapping[str, str]
    notices: tuple[str, ...]


def resolve(
    settings: Settings | None,
    changes: Mapping[str, object],
    environ: Mapping[str, str] = os.environ,
) -> Resolved:
    """Return *changes* over *settings*, or over *environ* and the defaults where it is ``None``.

    Raises ``ConfigError`` with every problem of *settings* and *changes*. Problems of *environ*
    are never raised: each becomes a notice, and the default is used.
    """
    problems: list[str] = []
    given = dict(changes)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    if settings is None:
        values, sources, notices = _read_environment(environ, without=given)
    elif isinstance(settings, Settings):
        given = {row.name: getattr(settings, row.name) for row in TABLE} | given
        sources = dict.fromkeys(_ROWS, "settings object")
    else:
        problems.append(f"the first argument is {shown(settings)}; use Settings(...) or keywords")
    for name, value in given.items():
        row = _ROWS.get(name)
        if row is None:
            problems.append(_unknown(name))
            continue
        try:
            values[name] = row.parse(value)
        except UnusableError as error:
            problems.append(f"{name} is {_shown(row, value)}; {error}")
    if problems:
        raise ConfigError(problems)
    sources.update(dict.fromkeys(changes, "argument"))
    return Resolved(Settings(**values), sources, notices)


def _read_environment(
    environ: Mapping[str, str], without: Mapping[str, object] | None = None
) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    """Return values, sources and notices of all settings except those named in *without*."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    notices: list[str] = []
    for row in TABLE:
        sources[row.name] = "default"
        # An empty variable is one that a compose file or a chart left blank: not set
        variable = next((key for key in row.variables if environ.get(key, "").strip()), None)
        if variable is None or (without and row.name in without):
            continue
        value = environ[variable]
        try:
            values[row.name] = row.parse(value)
            sources[row.name] = variable
        except UnusableError as error:
            shown_value = _shown(row, value)
            notices.append(f"{variable} is {shown_value}; {error}; using {row.default_text}")
    notices += _misspelt(environ)
    return values, sources, tuple(notices)


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Return what to say of variables that begin as ours and are none.

    Only with the long prefix: ``LOG_X`` may be any program's.
    """
    strange = {name for name in environ if name.startswith(_OURS)} - _VARIABLES
    return [
        f"{name[:_NAME_CHARS]} is left out: {_unknown(name.removeprefix(_OURS))}"
        for name in sorted(strange)
    ]


def _shown(row: Setting, value: object) -> str:
    """Return *value* for a message; of fields, which hold values of anyone's, the type alone."""
    return f"a {type(value).__name__}" if row.name == "fields" else shown(value)


_OURS: Final = "LOGBRAID_"
_VARIABLES: Final = {"LOGBRAID_CONTEXT", *(name for row in TABLE for name in row.variables)}


def _unknown(name: str) -> str:
    """Tell of an unknown name, never of its value: it may be a password in the wrong place."""
    import difflib  # noqa: PLC0415 - a tenth of our import, needed by none but mistakes

    told = f"'{name}'" if name.isidentifier() and len(name) <= _NAME_CHARS else shown(name)
    near = difflib.get_close_matches(name.lower(), list(_ROWS), n=1, cutoff=0.5)
    advice = f"use {near[0]}" if near else "the README lists all settings"
    return f"{told} is not a setting; {advice}"


def markdown_table() -> str:
    """Return the rows of the README's table: setting, variable, default, explanation."""
    return "\n".join(
        f"| `{row.name}` | {f'`LOG_{row.variable}`' if row.variable else ''} "
        f"| {row.default_text if row.default_text == 'none' else f'`{row.default_text}`'} "
        f"| {row.text} |"
        for row in TABLE
    )
