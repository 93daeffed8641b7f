"""The shippers' configurations say what the line needs, and real readers take real lines."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

import logbraid

SHIPPING: Final = Path(__file__).parent.parent / "examples" / "shipping"
LABELS: Final = {"service", "env", "level"}
IDS: Final = {
    "tenant_id",
    "user_id",
    "session_id",
    "run_id",
    "request_id",
    "trace_id",
    "span_id",
}
PATH: Final = "/var/log/app/*/*.jsonl"
HAZARDS: Final[dict[str, Any]] = {
    "nan": math.nan,
    "infinity": -math.inf,
    "surrogate": "lone \udc80 surrogate",
    "nul": "a\x00b",
    "controls": "\x1b[31mred\x7f\x85\u2028\u2029",
    "big": 2**64,
    "huge": 10**5000,
    "unsigned": 2**63 + 1,
    "tiny": 5e-324,
    "nested": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}},
    "keys": {"": 1, 1: 2, "1": 3, None: 4},
    "bytes": b"\xff\xfe",
    "when": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    "uuid": uuid.UUID(int=7),
    "long": "x" * 100_000,
    "forged": 'one"}\n{"timestamp":"2026-11-21T00:00:00.000000Z","event":"forged"}',
    "time": "not the time",
    "list": [1, "two", None, [3.5]],
    "emoji": "\U0001f600",
}


def read(name: str) -> str:
    return (SHIPPING / name).read_text(encoding="utf-8")


def code_of(name: str, comment: str = "#") -> str:
    """Return a configuration without its comments."""
    lines = read(name).splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith(comment))


def block(text: str, begin: str, end: str) -> set[str]:
    """Return the names that stand first on the lines between *begin* and *end*."""
    inner = text.split(begin, 1)[1].split(end, 1)[0]
    return set(re.findall(r"^\s*(\w+)\s*[:=]", inner, re.MULTILINE))


def log_lines(log_dir: Path) -> list[Path]:
    """Log hazardous values of several tenants, with an exception; return the files."""
    settings: dict[str, Any] = {"service": "shop", "env": "test", "level": "debug"}
    with logbraid.configure_logging(output="files", log_dir=log_dir, **settings):
        log = logbraid.get_logger("shop")
        for tenant in ("acme", "../../etc", "globex"):
            ids = {name: f"{name}-1" for name in IDS - {"tenant_id", "trace_id", "span_id"}}
            with logbraid.bound_context(tenant_id=tenant, trace_id="4bf92f35" * 4, **ids):
                for name, value in HAZARDS.items():
                    log.info("hazard " + name, **{name: value})  # noqa: G003 - a name each
                log.debug("no error found", status=200)
                log.warning("careful")
                try:
                    int("seven")
                except ValueError:
                    log.exception("failed")
                log.critical("down", status="down")
    return sorted(log_dir.glob("*/*.jsonl"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return log_lines(tmp_path_factory.mktemp("shipping"))


def lines_of(files: list[Path]) -> list[str]:
    return [line for file in files for line in file.read_text("utf-8").split("\n") if line]


def microseconds(line: str) -> int:
    stamp = dt.datetime.fromisoformat(json.loads(line)["timestamp"])
    return (stamp - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


# -- real readers, real lines ----------------------------------------------------------------


def test_hazardous_values_become_strict_json_of_bounded_length(files: list[Path]) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names))
        assert "" not in names
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = lines_of(files)
    assert len(lines) == 3 * (len(HAZARDS) + 4)
    for line in lines:
        record = json.loads(line, object_pairs_hook=unique, parse_constant=refuse)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["timestamp"])
        assert record["level"] in {"debug", "info", "warning", "error", "critical"}
        assert len(line.encode()) + 1 <= 15_360


def test_duckdb_finds_every_row_of_hazardous_lines(files: list[Path]) -> None:
    root = files[0].parent.parent
    table = f"read_json('{root}/*/*.jsonl', format='newline_delimited', union_by_name=true)"
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT event, tenant_id, epoch_us(timestamp) FROM {table}"
        ).fetchall()
        errors = connection.execute(
            f"SELECT error_type, count(*) FROM {table} WHERE level = 'error' GROUP BY ALL"
        ).fetchall()
    assert len(rows) == len(lines_of(files))
    assert {event for event, _, _ in rows} >= {f"hazard {name}" for name in HAZARDS}
    assert {tenant for _, tenant, _ in rows} == {"acme", "../../etc", "globex"}
    assert {stamp for _, _, stamp in rows} == {microseconds(line) for line in lines_of(files)}
    assert errors == [("ValueError", 3)]


def test_lnav_takes_every_line_with_its_level(files: list[Path], tmp_path: Path) -> None:
    lnav = shutil.which("lnav")
    if lnav is None:
        pytest.skip("lnav is not installed")
    environ = {"HOME": str(tmp_path), "TERM": "dumb", "PATH": "/usr/bin:/bin", "TZ": "UTC"}

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [lnav, *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("-i", str(SHIPPING / "logbraid.lnav.json"))
    query = ";SELECT log_level, tenant_id, log_body, request_id FROM logbraid_log"
    paths = [str(file) for file in files]
    rows = json.loads(call("-n", "-c", query, "-c", ":write-json-to -", *paths))
    assert len(rows) == len(lines_of(files))
    of_level = {row["log_body"]: row["log_level"] for row in rows}
    assert of_level["no error found"] == "debug"
    assert of_level["careful"] == "warning"
    assert of_level["failed"] == "error"
    assert of_level["down"] == "critical"
    assert {row["tenant_id"] for row in rows} == {"acme", "../../etc", "globex"}
    assert {row["request_id"] for row in rows} == {"request_id-1"}


def test_vrl_gives_each_line_its_time_its_labels_and_its_ids(files: list[Path]) -> None:
    vector_vrl = pytest.importorskip("vector_vrl", reason="vector-vrl needs Python 3.12")
    lines = lines_of(files)
    others = ["not of us", "[1]", '{"a":1}', "null"]
    events = [json.dumps({"message": line}) for line in (*lines, *others)]
    told = vector_vrl.execute_vrl(read("normalise.vrl"), events)
    assert len(told) == len(events)
    for line, event in zip(lines, told, strict=False):
        record = json.loads(line)
        assert event["message"] == line
        assert set(json.loads(event["labels"])) == LABELS
        wanted = {name: record[name] for name in IDS if name in record}
        assert json.loads(event["ids"]) == wanted
        stamp = dt.datetime.fromisoformat(event["timestamp"].replace(" UTC", "+00:00"))
        assert stamp == dt.datetime.fromisoformat(record["timestamp"])
    assert [json.loads(event["labels"]) for event in told[len(lines) :]] == [
        {"level": "warning"},
        {"level": "warning"},
        {},
        {"level": "warning"},
    ]


# -- what the configurations say -------------------------------------------------------------


@pytest.mark.parametrize("name", ["cloudwatch-agent.json", "logbraid.lnav.json"])
def test_json_configurations_are_json(name: str) -> None:
    assert isinstance(json.loads(read(name)), dict)


@pytest.mark.parametrize(
    "name",
    [
        "alloy.alloy",
        "promtail.yaml",
        "fluent-bit.conf",
        "vector.yaml",
        "otel-collector.yaml",
        "cloudwatch-agent.json",
    ],
)
def test_shippers_read_every_tenants_every_day(name: str) -> None:
    assert PATH in code_of(name)


@pytest.mark.parametrize("name", ["promtail.yaml", "vector.yaml", "otel-collector.yaml"])
def test_yaml_is_indented_by_spaces_and_has_no_key_twice(name: str) -> None:
    text = code_of(name)
    assert "\t" not in text
    seen: dict[int, set[str]] = {}
    for line in text.splitlines():
        found = re.match(r"( *)(- )?([\w/\"*]+):", line)
        if found is None:
            continue
        indent = len(found[1]) + len(found[2] or "")
        seen = {depth: keys for depth, keys in seen.items() if depth <= indent}
        if found[2]:
            seen.pop(indent, None)  # a new item of a list
        assert found[3] not in seen.setdefault(indent, set()), line
        seen[indent].add(found[3])


def test_alloy_labels_are_three_and_ids_are_structured_metadata() -> None:
    text = code_of("alloy.alloy", "//")
    assert block(text, "stage.labels {\n    values = {", "}") == LABELS
    assert block(text, "stage.structured_metadata {\n    values = {", "}") == IDS
    assert block(text, "expressions = {", "}") == {"timestamp", *LABELS, *IDS}
    assert re.search(r'source = "timestamp"\s+format = "RFC3339Nano"', text)
    assert re.search(r'stage\.label_drop \{\s+values = \["filename"\]', text)
    assert text.count("{") == text.count("}")


def test_promtail_labels_are_three_and_ids_are_structured_metadata() -> None:
    text = code_of("promtail.yaml")
    assert block(text, "- labels:", "- ") == LABELS
    assert block(text, "- structured_metadata:", "- ") == IDS
    assert block(text, "expressions:", "- ") == {"timestamp", *LABELS, *IDS}
    assert re.search(r"source: timestamp\s+format: RFC3339Nano", text)
    assert re.search(r"labeldrop:\s+- filename", text)


def test_fluent_bit_labels_are_three_and_ids_are_structured_metadata() -> None:
    text = code_of("fluent-bit.conf")
    pairs = {
        key: dict(pair.strip().split("=$") for pair in value.split(","))
        for key, value in re.findall(r"^ +(Labels|Structured_Metadata) +(.+)$", text, re.MULTILINE)
    }
    assert pairs["Labels"] == {name: name for name in LABELS}
    assert pairs["Structured_Metadata"] == {name: name for name in IDS}
    parsers = code_of("fluent-bit-parsers.conf")
    assert re.search(r"Time_Key +timestamp\n +Time_Format +%Y-%m-%dT%H:%M:%S\.%LZ\n", parsers)
    assert re.search(r"Time_Keep +On", parsers)
    assert re.search(r"Parser +logbraid\n", text)
    assert re.search(r"Parsers_File +fluent-bit-parsers\.conf", text)


def test_vector_labels_and_ids_come_from_its_program_alone() -> None:
    text = code_of("vector.yaml")
    assert re.search(r'^    labels:\n      "\*": "\{\{ labels \}\}"$', text, re.MULTILINE)
    assert re.search(r'^    structured_metadata:\n      "\*": "\{\{ ids \}\}"$', text, re.MULTILINE)
    program = code_of("normalise.vrl")
    quoted = set(re.findall(r'"(\w+)": line\.(\w+)', program))
    assert quoted == {(name, name) for name in LABELS | IDS}


def test_collector_makes_resource_of_service_and_env_and_keeps_only_ids() -> None:
    text = code_of("otel-collector.yaml")
    kept = set(re.findall(r"^ +- attributes\.(\w+)$", text, re.MULTILINE))
    assert kept == IDS - {"span_id"}  # the span stands in the record's own place for it
    assert 'to: resource["service.name"]' in text
    assert 'to: resource["deployment.environment.name"]' in text
    assert 'layout: "%Y-%m-%dT%H:%M:%S.%fZ"' in text
    assert "location: UTC" in text


def test_cloudwatch_publishes_all_files_and_knows_the_time() -> None:
    config = json.loads(read("cloudwatch-agent.json"))
    (entry,) = config["logs"]["logs_collected"]["files"]["collect_list"]
    assert entry["publish_multi_logs"] is True  # else the newest file alone is read
    assert entry["timestamp_format"] == "%Y-%m-%dT%H:%M:%S.%fZ"
    assert entry["timezone"] == "UTC"


def test_readme_names_every_file_and_no_other() -> None:
    told = set(re.findall(r"`([\w.-]+\.(?:alloy|yaml|conf|vrl|json))`", read("README.md")))
    assert told == {file.name for file in SHIPPING.iterdir()} - {"README.md"}
