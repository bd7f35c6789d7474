"""Rates of targets: what may begin now, and when the next may."""

from __future__ import annotations

import math

import pytest

from wagate.clock import Clock
from wagate.consumers.pool import Pool
from wagate.consumers.rates import Rates
from wagate.hooks.contracts import Handler, TargetLimits
from wagate.queue.results import Parked, Take, Taken

PACED = "w:paced"


class StandingClock(Clock):
    """Only `shift` moves it."""

    def monotonic(self) -> float:
        return self.offset


class Site:
    """One paced target among others."""

    def __init__(self, **limits: float) -> None:
        self.clock = StandingClock()
        self.limits = TargetLimits(**limits)  # type: ignore[arg-type]
        handler = Handler(name="w", targets=lambda _event: (), limits=self._limits)
        self.rates = Rates({"w": handler}, self.clock)
        self.pool = Pool(64, lambda _bucket: 32, self.rates)

    def _limits(self, target: str) -> TargetLimits:
        if target == "broken":
            raise KeyError(target)
        return self.limits if target == "paced" else TargetLimits()

    def take(self, name: str, target: str = PACED) -> bool:
        return self.pool.take(Taken(key=f"{target}|m|{name}", id="", token="1", crashes=0)) is not None


def test_attempts_are_spaced_and_after_a_pause_a_burst_may_go() -> None:
    site = Site(rate=2, burst=3)
    assert [site.take(str(number)) for number in range(5)] == [True, True, True, False, False]
    assert site.rates.wait(PACED) == pytest.approx(0.5)
    site.clock.shift(0.5)
    assert [site.take("5"), site.take("6")] == [True, False]
    site.clock.shift(3600)
    assert [site.take(f"x{number}") for number in range(5)] == [True, True, True, False, False]


def test_without_a_burst_they_go_one_by_one() -> None:
    site = Site(rate=0.1)
    site.clock.shift(3600)
    assert [site.take("1"), site.take("2")] == [True, False]
    assert site.rates.wait(PACED) == pytest.approx(10)


def test_a_fast_rate_is_not_bound_to_how_often_the_queue_is_asked() -> None:
    site = Site(rate=1000)
    began = 0
    for _ in range(100):
        began += site.rates.room(PACED) or 0
        site.rates.begin(PACED, site.rates.room(PACED) or 0)
        site.clock.shift(0.01)
    assert 1000 <= began <= 1100


def test_others_and_a_handler_that_fails_have_no_limit() -> None:
    site = Site(rate=1)
    site.take("1")
    for target in ("w:other", "w:broken", "unknown:x"):
        assert site.rates.room(target) is None
        assert site.take("1", target)


def test_what_was_not_begun_costs_nothing() -> None:
    site = Site(rate=1)
    hand = site.pool.take(Taken(key=f"{PACED}|m|1", id="", token="1", crashes=0))
    assert hand is not None
    site.pool.give_back(hand)
    assert site.take("2")


def test_parked_keys_are_taken_as_the_rate_allows_and_the_next_turn_is_known() -> None:
    site = Site(rate=0.5)
    assert site.pool.next_turn == math.inf
    site.take("1")
    site.pool.see_parked([Parked(target=PACED, keys=9), Parked(target="w:other", keys=1)])
    assert site.pool.takes() == [Take(target="w:other", most=1)]
    assert site.pool.next_turn == pytest.approx(2)
    site.clock.shift(2)
    assert Take(target=PACED, most=1) in site.pool.takes()
    site.take("2")
    site.pool.shut(PACED)
    assert site.pool.next_turn == math.inf


def test_a_change_counts_at_once() -> None:
    site = Site(rate=0.01)
    site.take("1")
    site.limits = TargetLimits(rate=10)
    site.clock.shift(0.1)
    assert site.take("2")
    site.limits = TargetLimits()
    assert site.take("3")


def test_processes_share_a_rate() -> None:
    site = Site(rate=4, burst=4)
    site.rates.share(2)
    assert [site.take(str(number)) for number in range(3)] == [True, True, False]
    assert site.rates.wait(PACED) == pytest.approx(0.5)


def test_a_target_that_asks_to_slow_down_is_left_alone_and_then_goes_at_its_pace() -> None:
    site = Site()
    site.clock.shift(100)
    for number in range(10):
        assert site.take(str(number))
        site.rates.accepted(PACED)
        site.clock.shift(0.099)
    site.rates.slowed(PACED, 2.0)
    assert not site.take("x")
    assert site.take("x", "w:other")
    assert site.rates.wait(PACED) >= 2.0
    site.pool.see_parked([Parked(target=PACED, keys=9)])
    assert site.pool.takes() == []
    assert site.pool.next_turn == pytest.approx(site.rates.wait(PACED))
    site.clock.shift(2 + 1 / 7)
    assert [site.take("y"), site.take("z")] == [True, False]


def test_a_target_without_a_refusal_for_a_minute_has_no_pace_any_more() -> None:
    site = Site()
    site.rates.slowed(PACED, None)
    assert site.rates.room(PACED) is not None
    site.clock.shift(61)
    assert site.rates.room(PACED) is None
