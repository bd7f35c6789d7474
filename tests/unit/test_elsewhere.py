"""Keys whose target another process serves: handed on, and not over and over."""

from __future__ import annotations

from wagate.clock import Clock
from wagate.consumers.elsewhere import SOON, Elsewhere
from wagate.queue.results import Delay, Release, Taken


def taken(key: str) -> Taken:
    return Taken(key=key, id="1", token="t", crashes=0, alone=0)


def test_a_key_is_ready_again_at_once_and_rests_longer_each_time_that_it_comes_back() -> None:
    clock = Clock()
    elsewhere = Elsewhere(clock)
    assert not elsewhere.asks("outbound:a")
    given: list[Release | Delay] = []
    for _ in range(14):
        given.append(elsewhere.hand_on(taken("outbound:a|1")))
        clock.shift(given[-1].after if isinstance(given[-1], Delay) else 0.0)
    assert all(isinstance(each, Release) for each in given[::2])
    rests = [each.after for each in given[1::2] if isinstance(each, Delay)]
    assert rests == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert isinstance(elsewhere.hand_on(taken("outbound:a|2")), Release)
    clock.shift(SOON + 0.1)
    assert isinstance(elsewhere.hand_on(taken("outbound:a|1")), Release)
    second = elsewhere.hand_on(taken("outbound:a|1"))
    assert isinstance(second, Delay)
    assert second.after == 0.1
    clock.shift(0.1 + SOON + 0.1)
    assert isinstance(elsewhere.hand_on(taken("outbound:a|1")), Release)
