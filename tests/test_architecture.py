"""The house stands as it was drawn: imports run downward, rooms are small, libraries have doors."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import logbraid

HOUSE = Path(logbraid.__file__).parent
ROWS = """
    record errors clock ids outcome parsing
    drive context level settings health process inside level_file debug_buffer span_ids
    plain scrub truncate shrink encode tenant merge failure identity userland
    sinks
    pipeline fastpath
    integrations processors handlers
    middleware propagation
    assembly configure takeover doctor testing __main__ logbraid
""".strip().splitlines()
"""From the ground up; a name stands for a module or a package with all that is in it."""

WINGS = ("agent", "audit", "reading", "web")
ROOF = "cli"
ROW_OF = {name: number for number, names in enumerate(ROWS) for name in names.split()}

DOORS = {
    "structlog": 9,
    "orjson": 25,
    "loguru": 1,
    "pythonjsonlogger": 1,
    "celery": 1,
    "cryptography": 1,
    "pytest": 1,
    "opentelemetry": 5,
    "prometheus_client": 1,
    "duckdb": 1,
    "typer": 2,
    "rich": 2,
}
"""How many of our modules may import a library; whatever is not here and not Python's: none."""


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name, ``logbraid`` itself among them."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = list(path.relative_to(HOUSE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts) or "logbraid"] = path
    return found


MODULES = modules()


class Imports(ast.NodeVisitor):
    """Collect what a module imports at run time: not what stands under TYPE_CHECKING."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, "imports are absolute"
        module = node.module or ""
        for alias in node.names:
            whole = f"{module}.{alias.name}"
            is_module = whole.removeprefix("logbraid.") in MODULES
            self.names.add(whole if is_module and module.startswith("logbraid") else module)


def imports_of(path: Path) -> set[str]:
    visitor = Imports()
    visitor.visit(ast.parse(path.read_text()))
    return visitor.names


def ours(name: str) -> Iterator[str]:
    """Yield the names in the package of what *name* imports of us."""
    for imported in imports_of(MODULES[name]):
        if imported == "logbraid":
            yield "logbraid"
        elif imported.startswith("logbraid."):
            yield imported.removeprefix("logbraid.")


def room(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) not in (*WINGS, ROOF)])
def test_a_module_imports_only_what_stands_on_its_row_or_below(name: str) -> None:
    assert room(name) in ROW_OF, f"{name} has no row: give it one here and in its docstring"
    row = ROW_OF[room(name)]
    above = sorted(one for one in ours(name) if ROW_OF.get(room(one), len(ROWS)) > row)
    assert above == []


def test_a_wing_imports_no_other_wing_and_nothing_imports_the_roof() -> None:
    for name in MODULES:
        outside = {*WINGS, ROOF} - {room(name)} if room(name) != ROOF else set()
        assert sorted(one for one in ours(name) if room(one) in outside) == [], name


def test_no_module_imports_itself_around_a_corner() -> None:
    graph = {name: set(ours(name)) & set(MODULES) for name in MODULES if name != "logbraid"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("library", DOORS)
def test_a_library_of_someone_else_has_few_doors(library: str) -> None:
    importers = sorted(
        name
        for name, path in MODULES.items()
        if any(room(imported) == library for imported in imports_of(path))
    )
    assert len(importers) <= DOORS[library], importers


def test_no_other_library_is_imported() -> None:
    import sys  # noqa: PLC0415 - one use

    known = {*sys.stdlib_module_names, *DOORS, "logbraid"}
    found = {room(one) for path in MODULES.values() for one in imports_of(path)}
    assert sorted(found - known) == []


def code_lines(path: Path) -> set[int]:
    """Return the numbers of the lines that hold code: no comment, no docstring, not empty."""
    text = path.read_text()
    lines: set[int] = set()
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return lines


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_four_hundred_lines_of_code_at_most(name: str) -> None:
    assert len(code_lines(MODULES[name])) <= 400


@pytest.mark.parametrize("name", MODULES)
def test_a_function_fits_a_screen(name: str) -> None:
    path = MODULES[name]
    code = code_lines(path)
    longer = {
        node.name: size
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := len(code & set(range(node.lineno, (node.end_lineno or 0) + 1)))) > 50
    }
    assert longer == {}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is(name: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[name].read_text()))
    assert text
    assert text.rstrip().endswith((".", "``", "```")), "its docstring is whole sentences"
