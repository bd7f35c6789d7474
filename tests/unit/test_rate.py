"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.rate import TokenBuckets


def test_a_full_bucket_gives_its_burst_at_once_and_then_one_token_an_interval() -> None:
    buckets = TokenBuckets()
    assert [buckets.take("a", interval=2.0, burst=3, now=10.0) for _ in range(5)] == [10.0, 10.0, 10.0, 12.0, 14.0]
    assert buckets.take("b", interval=2.0, burst=3, now=10.0) == 10.0


def test_to_ask_takes_nothing() -> None:
    buckets = TokenBuckets()
    buckets.take("a", interval=2.0, burst=1, now=10.0)
    assert [buckets.ready_at("a", interval=2.0, burst=1, now=10.5) for _ in range(3)] == [12.0] * 3
    assert buckets.ready_at("a", interval=2.0, burst=1, now=13.0) == 13.0


def test_a_bucket_fills_up_to_its_burst_and_no_further() -> None:
    buckets = TokenBuckets()
    for _ in range(2):
        buckets.take("a", interval=1.0, burst=2, now=0.0)
    assert [buckets.take("a", interval=1.0, burst=2, now=1000.0) for _ in range(3)] == [1000.0, 1000.0, 1001.0]


def test_the_key_unused_for_longest_is_forgotten_first() -> None:
    buckets = TokenBuckets(most=2)
    for key in ("old", "kept", "old", "new"):
        buckets.take(key, interval=5.0, burst=1, now=0.0)
    assert buckets.ready_at("kept", interval=5.0, burst=1, now=0.0) == 0.0
    assert buckets.ready_at("old", interval=5.0, burst=1, now=0.0) == 10.0


@given(
    interval=st.integers(1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.integers(0, 100), min_size=1, max_size=60),
)
def test_it_gives_what_a_counted_bucket_gives(interval: int, burst: int, steps: list[int]) -> None:
    # The model counts tokens in units of time: whole numbers, so that both are exact.
    buckets, now, filled, seen = TokenBuckets(), 0, burst * interval, 0
    for step in steps:
        now += step
        filled = min(filled + now - seen, burst * interval) - interval
        seen = now
        expected = now + max(0, -filled)
        assert buckets.take("a", interval=interval, burst=burst, now=now) == pytest.approx(expected)
