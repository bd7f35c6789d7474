"""The pace of a receiver that asks to slow down."""

from __future__ import annotations

import random

import pytest

from wagate.rules.pace import DECREASE, FORGOTTEN, LONGEST, SLOWEST, Pace, accepted, current, slowed


def taught(rate: int, now: float = 100.0) -> Pace:
    """One that accepted so many within a second, and then asked to slow down."""
    pace = Pace()
    for number in range(rate):
        pace = accepted(pace, now + number / rate)
    return slowed(pace, now + 0.99, None)


def test_without_a_refusal_there_is_no_pace() -> None:
    pace = Pace()
    for number in range(100):
        pace = accepted(pace, number / 10)
    assert pace.rate is None


def test_the_first_refusal_teaches_what_it_accepted_lately() -> None:
    assert taught(20).rate == pytest.approx(20 * DECREASE, rel=0.02)
    assert slowed(Pace(), 0.5, None).rate == pytest.approx(DECREASE)


def test_refusals_of_one_moment_are_one() -> None:
    pace = taught(20)
    for _ in range(30):
        pace = slowed(pace, 101.5, None)
    assert pace.rate == pytest.approx(20 * DECREASE, rel=0.02)
    assert slowed(pace, 103, None).rate == pytest.approx(20 * DECREASE**2, rel=0.02)


def test_a_closed_receiver_opens_when_it_said_and_within_a_minute_for_others() -> None:
    assert slowed(Pace(), 10, 3).closed_until == 13
    assert slowed(Pace(), 10, 86_400).closed_until == 10 + LONGEST


def test_what_is_accepted_brings_the_pace_back_in_about_ten_seconds() -> None:
    pace, now = taught(20), 102.0
    while (rate := pace.rate or 20) < 20:
        pace, now = accepted(pace, now), now + 1 / rate
    assert 5 < now - 102 < 15


def test_one_that_refuses_everything_is_asked_every_half_minute_in_the_end_and_a_quiet_minute_forgets() -> None:
    pace, now = Pace(), 0.0
    for _ in range(50):
        now += 2
        pace = slowed(pace, now, None)
    assert pace.rate == pytest.approx(SLOWEST)
    assert current(pace, now + FORGOTTEN - 1).rate is not None
    assert current(pace, now + FORGOTTEN).rate is None


@pytest.mark.parametrize("seed", range(5))
def test_most_of_what_a_receiver_takes_is_used_and_few_are_refused(seed: int) -> None:
    """A receiver that takes five in each second, asked as fast as the pace allows."""
    chance = random.Random(seed)
    pace, now, taken, refused, second, count = Pace(), 0.0, 0, 0, 0, 0
    while now < 300:
        if int(now) != second:
            second, count = int(now), 0
        count += 1
        if count > 5:
            refused += 1
            pace = slowed(pace, now, 1.0)
        else:
            taken += 1
            pace = accepted(pace, now)
        rate = current(pace, now).rate or 8.0
        now = max(now + chance.uniform(0.8, 1.2) / min(rate, 8.0), pace.closed_until)
    assert taken >= 0.6 * 5 * 300
    assert refused <= 0.12 * taken
