"""Who is judged dead, by the reaper's own clock."""

from __future__ import annotations

from wagate.consumers.reap import Reaper
from wagate.queue.results import DeadWorker


def test_a_worker_whose_heart_stood_still_for_one_lease_is_dead() -> None:
    reaper = Reaper(lease=10.0)
    assert reaper.dead({"a": 5, "b": 7}, 100.0) == []
    assert reaper.dead({"a": 5, "b": 8}, 105.0) == []
    assert reaper.dead({"a": 5, "b": 8}, 110.0) == [DeadWorker(name="a", heartbeat=5)]


def test_a_heartbeat_starts_the_lease_anew() -> None:
    reaper = Reaper(lease=10.0)
    reaper.dead({"a": 1}, 0.0)
    assert reaper.dead({"a": 2}, 5.0) == []
    assert reaper.dead({"a": 2}, 10.0) == []
    assert reaper.dead({"a": 2}, 14.0) == []
    assert reaper.dead({"a": 2}, 15.0) == [DeadWorker(name="a", heartbeat=2)]


def test_the_reaper_never_judges_itself() -> None:
    reaper = Reaper(lease=10.0)
    reaper.dead({"me": 1}, 0.0, me={"me"})
    assert reaper.dead({"me": 1}, 5.0, me={"me"}) == []
    assert reaper.dead({"me": 1}, 10.0, me={"me"}) == []


def test_a_worker_that_was_gone_in_between_is_judged_anew() -> None:
    reaper = Reaper(lease=10.0)
    reaper.dead({"a": 1}, 0.0)
    reaper.dead({}, 5.0)
    assert reaper.dead({"a": 1}, 11.0) == []


def test_nobody_is_judged_by_the_time_in_which_redis_was_away() -> None:
    reaper = Reaper(lease=10.0)
    reaper.dead({"a": 1}, 0.0)
    reaper.forget()
    assert reaper.dead({"a": 1}, 60.0) == []
    assert reaper.dead({"a": 1}, 65.0) == []
    assert reaper.dead({"a": 1}, 70.0) == [DeadWorker(name="a", heartbeat=1)]


def test_who_stood_still_itself_judges_nobody_by_that_time() -> None:
    reaper = Reaper(lease=10.0)
    reaper.dead({"a": 1}, 0.0)
    assert reaper.dead({"a": 1}, 3.0) == []
    assert reaper.dead({"a": 1}, 600.0) == []
    assert reaper.dead({"a": 2}, 603.0) == []
