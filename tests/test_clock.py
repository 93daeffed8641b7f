"""Stamps: six digits and Z, whatever the clock says."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logbraid.clock import Stamper, day_of

STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800 * 10**9
LAST = 253_402_300_800 * 10**9 - 1


@pytest.mark.parametrize(
    ("time_ns", "stamp"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-(10**9), "1969-12-31T23:59:59.000000Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (1_795_257_000_123_456_789, "2026-11-21T10:30:00.123456Z"),
        (1_795_257_000_000_000_000, "2026-11-21T10:30:00.000000Z"),
        (FIRST, "0001-01-01T00:00:00.000000Z"),
        (LAST, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_stamp_of_a_time_is(time_ns: int, stamp: str) -> None:
    assert Stamper().stamp(time_ns) == stamp


@settings(deadline=None)
@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=5))
def test_stamp_equals_what_datetime_says(times: list[int]) -> None:
    stamper = Stamper()
    for time_ns in times:
        moment = EPOCH + timedelta(microseconds=time_ns // 1000)
        wanted = moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        assert stamper.stamp(time_ns) == wanted


@settings(deadline=None)
@given(st.integers(-(2**80), 2**80))
@example(FIRST - 1)
@example(LAST + 1)
@example(2**63)
@example(-(2**63))
def test_what_no_date_can_hold_is_clamped_in_the_same_form(time_ns: int) -> None:
    stamp = Stamper().stamp(time_ns)
    assert STAMP.fullmatch(stamp)
    if time_ns > LAST:
        assert stamp.startswith("9999-12-31T23:59:59.")
    if time_ns < FIRST:
        assert stamp.startswith("0001-01-01T00:00:00.")


def test_day_is_the_utc_day_of_the_stamp() -> None:
    midnight = 1_795_219_200 * 10**9
    stamper = Stamper()
    assert day_of(stamper.stamp(midnight)) == "2026-11-21"
    assert day_of(stamper.stamp(midnight - 1)) == "2026-11-20"


def test_a_clock_that_goes_back_stamps_what_it_says() -> None:
    stamper = Stamper()
    later = stamper.stamp(2_000_000_000)
    assert stamper.stamp(1_000_000_000) < later == stamper.stamp(2_000_000_000)


def test_threads_that_share_a_stamper_never_mix_two_seconds() -> None:
    stamper = Stamper()
    wrong: list[str] = []

    def run(second: int) -> None:
        wanted = f"1970-01-01T00:00:{second:02d}.000000Z"
        got = (stamper.stamp(second * 10**9) for _ in range(5000))
        wrong.extend(stamp for stamp in got if stamp != wanted)

    threads = [threading.Thread(target=run, args=(second,)) for second in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
