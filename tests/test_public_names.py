"""The public names are what they say: exported, documented, with the signatures that were drawn."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any, get_type_hints

import pytest

import logbraid
import logbraid.handlers
import logbraid.integrations.json_logger
import logbraid.processors
import logbraid.propagation
import logbraid.testing

NAMES = """
    BoundLogger ConfigError LogbraidError LoggingHandle Report ScrubRules Settings Stats
    TracingContext TracingMiddleware TracingWSGIMiddleware bind_context bound_context check
    clear_context configure_logging current_context debug_for get_level get_logger
    response_metadata set_level stats unbind_context
""".split()

MODULES = {
    logbraid.processors: "merge_tracing_context scrub_secrets truncate_summaries render_json_line",
    logbraid.handlers: "StdoutHandler TenantFileHandler",
    logbraid.integrations.json_logger: "TracingJsonFormatter",
    logbraid.propagation: (
        "in_context ContextExecutor child_env traced_run traced_run_async inject_headers httpx_hook"
    ),
    logbraid.testing: "capture_logs captured_logs assert_no_secret CapturedLogs",
}

SIGNATURES = {
    "configure_logging": "(settings, /, **changes)",
    "get_logger": "(name, /, **fields)",
    "bind_context": "(**fields)",
    "unbind_context": "(*names)",
    "clear_context": "()",
    "bound_context": "(**fields)",
    "current_context": "()",
    "set_level": "(level, *, logger)",
    "get_level": "(logger)",
    "debug_for": "(*, seconds, **match)",
    "stats": "()",
    "check": "()",
    "response_metadata": "()",
    "TracingMiddleware": (
        "(app, *, identify, trust_headers, request_id_header, access_log, access_log_skip)"
    ),
    "TracingWSGIMiddleware": (
        "(app, *, identify, trust_headers, request_id_header, access_log, access_log_skip)"
    ),
}


def shape(target: Any) -> str:
    """Return the signature of *target* without types and defaults."""
    found = inspect.signature(target)
    parameters = [
        one.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty)
        for one in found.parameters.values()
    ]
    return str(
        found.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    ).replace("'", "")


def test_all_is_what_it_says() -> None:
    assert sorted(logbraid.__all__) == sorted(NAMES)
    assert logbraid.__all__ == sorted(logbraid.__all__)
    for name in logbraid.__all__:
        assert hasattr(logbraid, name)


def test_nothing_else_is_public_but_modules() -> None:
    others = {
        name
        for name, value in vars(logbraid).items()
        if not name.startswith("_")
        and name not in logbraid.__all__
        and str(getattr(value, "__module__", "")).startswith("logbraid")
    }
    assert others == set()


def test_no_public_name_equals_a_modules_name() -> None:
    modules = {one.name for one in pkgutil.walk_packages(logbraid.__path__)}
    assert modules.isdisjoint(logbraid.__all__)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_public_module_has_its_names(module: Any) -> None:
    for name in MODULES[module].split():
        assert inspect.getdoc(getattr(module, name)), name


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_the_one_that_was_drawn(name: str) -> None:
    assert shape(getattr(logbraid, name)) == SIGNATURES[name]


@pytest.mark.parametrize(
    "method", ["debug", "info", "warning", "error", "critical", "exception", "adebug", "ainfo"]
)
def test_a_logging_method_takes_any_word_as_a_field(method: str) -> None:
    assert shape(getattr(logbraid.BoundLogger, method)) == "(self, event, /, *args, **fields)"


def public_members(target: type) -> list[str]:
    return [name for name in vars(target) if not name.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_object_and_method_has_a_docstring(name: str) -> None:
    target = getattr(logbraid, name)
    assert inspect.getdoc(target)
    assert target.__module__.startswith("logbraid")
    if not inspect.isclass(target):
        return
    for member in public_members(target):
        value = inspect.getattr_static(target, member)
        if callable(value) or isinstance(value, property | classmethod | staticmethod):
            assert inspect.getdoc(getattr(target, member)), f"{name}.{member}"


@pytest.mark.parametrize("name", NAMES)
def test_annotations_can_be_resolved_at_run_time(name: str) -> None:
    target = getattr(logbraid, name)
    assert isinstance(get_type_hints(target), dict)


def test_errors_are_a_tree_and_a_config_error_is_a_value_error_too() -> None:
    assert issubclass(logbraid.ConfigError, logbraid.LogbraidError)
    assert issubclass(logbraid.LogbraidError, Exception)


def test_every_module_can_be_imported_first() -> None:
    names = [one.name for one in pkgutil.walk_packages(logbraid.__path__, "logbraid.")]
    names.remove("logbraid.__main__")
    text = "\n".join(f"import {name}" for name in reversed(names))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "costly", ["loguru", "structlog.dev", "pythonjsonlogger", "asyncio", "opentelemetry", "celery"]
)
def test_importing_us_does_not_import_what_is_costly(costly: str) -> None:
    text = f"import sys, logbraid; sys.exit({costly!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], check=False)
    if costly in {"asyncio", "structlog.dev"}:  # structlog itself may have imported it
        text = f"import sys, structlog; sys.exit({costly!r} in sys.modules)"
        assert (
            done.returncode <= subprocess.run([sys.executable, "-c", text], check=False).returncode
        )
        return
    assert done.returncode == 0


def test_configuring_does_not_import_what_is_not_used() -> None:
    text = (
        "import sys, logbraid; logbraid.configure_logging(); logbraid.get_logger().info('e')\n"
        "sys.exit(bool({'loguru', 'pythonjsonlogger', 'celery'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0


def test_the_package_is_typed() -> None:
    files = importlib.import_module("importlib.resources").files("logbraid")
    assert files.joinpath("py.typed").is_file()
