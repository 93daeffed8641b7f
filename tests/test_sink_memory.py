"""The sinks of tests and of the user's own callables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logbraid.health import health
from logbraid.sinks.function import FunctionSink
from logbraid.sinks.memory import MemorySink
from logbraid.sinks.sink import Sink, SinkClosedError, guard, runs_foreign_code

DAY = "2026-11-21"


def test_memory_keeps_lines_and_decodes_them_on_access() -> None:
    sink = MemorySink()
    sink.write(b'{"a":1}\n', "acme", DAY)
    sink.write(b'{"a":2}\n', None, DAY)
    assert sink.lines == [b'{"a":1}\n', b'{"a":2}\n']
    assert sink.records == [{"a": 1}, {"a": 2}]


def test_memory_keeps_the_last_lines_only() -> None:
    sink = MemorySink(max_lines=2)
    for number in range(5):
        sink.write(b"%d\n" % number, None, DAY)
    assert sink.lines == [b"3\n", b"4\n"]


def test_memory_can_be_cleared_and_read_after_close() -> None:
    sink = MemorySink(name="mine")
    sink.write(b"1\n", None, DAY)
    sink.close()
    assert sink.lines == [b"1\n"]
    sink.clear()
    assert (sink.lines, sink.name, sink.flush()) == ([], "mine", True)


def test_function_gets_the_line_and_its_record() -> None:
    got: list[tuple[bytes, dict[str, Any]]] = []
    sink = FunctionSink(lambda line, record: got.append((line, record)), name="mine")
    sink.write(b'{"event":"paid"}\n', "acme", DAY)
    assert got == [(b'{"event":"paid"}\n', {"event": "paid"})]


def test_function_sink_is_named_after_its_function() -> None:
    def ship(line: bytes, record: dict[str, Any]) -> None:
        """Do nothing."""

    assert FunctionSink(ship).name == "ship"
    assert FunctionSink(print, name="other").name == "other"


def test_function_sink_says_that_it_runs_foreign_code() -> None:
    assert runs_foreign_code(FunctionSink(print))
    assert not runs_foreign_code(MemorySink())


def test_what_a_function_raises_is_counted_and_not_felt(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(line: bytes, record: dict[str, Any]) -> None:
        raise KeyError(record["secret"])

    health.reset()
    written = guard(FunctionSink(fail, name="mine"))(b'{"secret":"hunter2"}\n', None, DAY)
    assert not written
    assert health.snapshot().sinks["mine"].dropped == {"sink_error": 1}
    told = capfd.readouterr().err
    assert "KeyError" in told
    assert "hunter2" not in told


def test_closed_function_sink_calls_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[object] = []
    sink = FunctionSink(lambda line, record: calls.append(line), name="mine")
    sink.close()
    health.reset()
    assert not guard(sink)(b"{}\n", None, DAY)
    with pytest.raises(SinkClosedError):
        sink.write(b"{}\n", None, DAY)
    assert calls == []
    assert health.snapshot().dropped == {"closed": 1}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("sink", [MemorySink(), FunctionSink(lambda line, record: None)])
def test_conformance_of_every_method(sink: Sink) -> None:
    sink.write(json.dumps({"a": 1}).encode() + b"\n", None, DAY)
    assert sink.flush(0.1)
    sink.reopen()
    sink.reopen()
    sink.close()
    sink.close()
