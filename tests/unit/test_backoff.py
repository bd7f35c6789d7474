"""Waits after failures, and before probes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.rules.settle import probe_wait, wait

HOURS = 3600.0


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (10, 2560)])
def test_the_wait_doubles_from_five_seconds(failures: int, seconds: float) -> None:
    assert wait(failures, max_delay=6 * HOURS, chance=0) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 10 * HOURS))
def test_jitter_adds_a_fifth_at_most_and_no_wait_is_longer_than_allowed(
    failures: int, chance: float, after: float
) -> None:
    without = wait(failures, max_delay=6 * HOURS, chance=0)
    waited = wait(failures, max_delay=6 * HOURS, chance=chance)
    assert without <= waited <= min(without * 1.2, 6 * HOURS)
    assert min(after, 6 * HOURS) <= wait(failures, max_delay=6 * HOURS, chance=chance, after=after) <= 6 * HOURS


def test_retry_after_lengthens_a_wait_but_never_shortens_it() -> None:
    assert wait(1, max_delay=6 * HOURS, chance=0, after=120) == 120
    assert wait(4, max_delay=6 * HOURS, chance=0, after=1) == 40
    assert wait(1, max_delay=60, chance=0, after=86400) == 60


def test_probes_are_15_seconds_apart_then_double_to_15_minutes() -> None:
    waits = [probe_wait(probes, max_delay=6 * HOURS) for probes in range(9)]
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert probe_wait(1000, max_delay=6 * HOURS) == 900
    assert probe_wait(0, max_delay=6 * HOURS, after=3600) == 3600
    assert probe_wait(0, max_delay=6 * HOURS, after=1e9) == 6 * HOURS
