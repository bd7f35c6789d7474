"""When a target counts as down, and when it is up again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.settling import decision, retries, retry_at, waits_for_target
from wagate.rules.settle import in_doubt, settle
from wagate.rules.states import Accepted, DeliveryState, Failed, Happened, Policy, Rejected, Settled, Try
from wagate.rules.targets import TargetState

T0 = datetime(2025, 1, 20, 10, 0, tzinfo=UTC)
FRESH = DeliveryState(attempt_count=0, max_retries=3, held=False, created_at=T0, first_attempt_at=None)
FAILED = Failed(error="Server error (503)", http_status=503)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def tried(target: TargetState, happened: Happened, seconds: float = 0, **fields: object) -> Settled:
    options = {"delivery": FRESH, "started": at(seconds), "now": at(seconds)} | fields
    return settle(Try(happened=happened, **options), target, Policy())  # type: ignore[arg-type]


def failures(count: int, *, apart: float) -> Settled:
    target = TargetState()
    for number in range(count):
        settled = tried(target, FAILED, number * apart)
        target = settled.target
    return settled


def test_ten_failures_in_a_row_within_a_minute_mean_that_a_target_is_down() -> None:
    assert not failures(9, apart=1).target.down
    settled = failures(10, apart=1)
    assert settled.opened
    assert settled.target.down_since == at(9)
    assert decision(settled) == retry_at(at(9 + 15))


def test_ten_failures_over_more_than_a_minute_do_not() -> None:
    settled = failures(10, apart=7)
    assert not settled.target.down
    assert retries(settled)


def test_a_success_in_between_begins_the_count_anew() -> None:
    target = failures(9, apart=1).target
    target = tried(target, Accepted(), 10).target
    assert tried(target, FAILED, 11).target.streak == 1


def test_answers_that_reject_are_no_sign_of_a_dead_target() -> None:
    target = TargetState()
    for number in range(20):
        target = tried(target, Rejected(error="Client error (404)"), number).target
    assert not target.down
    assert target.failure_count == 20
    assert target.status == "failed"


def test_each_failed_probe_doubles_the_wait_for_the_next() -> None:
    target = failures(10, apart=1).target
    waits = []
    for _ in range(8):
        assert target.next_probe_at is not None
        now = target.next_probe_at
        target = tried(target, FAILED, started=now, now=now, probe=True).target
        assert target.next_probe_at is not None
        waits.append((target.next_probe_at - now).total_seconds())
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_try_that_was_under_way_when_the_target_went_down_leaves_the_probes_as_they_are() -> None:
    target = failures(10, apart=1).target
    after = tried(target, FAILED, 12)
    assert after.target.next_probe_at == target.next_probe_at
    assert after.counted
    assert waits_for_target(after)


@pytest.mark.parametrize("probe", [True, False])
def test_the_first_success_opens_it_again_and_forgets_its_failures(probe: bool) -> None:
    target = replace(failures(10, apart=1).target, failure_count=4, status="failed", alerted=2, probes=5)
    settled = tried(target, Accepted(), 30, probe=probe)
    assert settled.reopened
    assert settled.target == TargetState(
        last_success_at=at(30), last_attempt_at=at(30), last_error="Server error (503)"
    )


def test_a_success_does_not_switch_a_disabled_target_on() -> None:
    target = tried(TargetState(), Rejected(error="Client error (410)", disable=True)).target
    assert target.status == "disabled"
    assert tried(target, Accepted(), 1).target.status == "disabled"
    assert tried(target, FAILED, 1).target.status == "disabled"


def test_a_probe_that_is_rejected_leaves_the_target_down() -> None:
    target = failures(10, apart=1).target
    after = tried(target, Rejected(error="Client error (404)"), 24, probe=True).target
    assert after.down
    assert after.next_probe_at == at(24 + 15)


def test_one_delivery_alone_leaves_doubt_and_a_second_one_ends_it() -> None:
    last = replace(FRESH, attempt_count=2, first_attempt_at=T0)
    alone = tried(TargetState(), FAILED, 15, delivery=last).target
    assert alone.down
    assert in_doubt(alone)
    held = replace(last, attempt_count=3, held=True)
    alone = tried(alone, FAILED, 30, delivery=held, probe=True).target
    assert in_doubt(alone)
    assert not in_doubt(tried(alone, FAILED, 60, probe=True).target)
    assert not in_doubt(failures(10, apart=1).target)
    assert not in_doubt(TargetState())


def test_a_receiver_that_fails_half_of_all_requests_is_not_down_for_minutes() -> None:
    """Eight requests a second for half an hour; while it is down only the probes."""
    chance = random.Random(9)
    target, seconds, down, longest = TargetState(last_success_at=at(0)), 0.0, 0.0, 0.0
    while seconds < 1800:
        happened: Happened = FAILED if chance.random() < 0.5 else Accepted()
        target = tried(target, happened, seconds, probe=target.down).target
        if target.down:
            assert target.next_probe_at is not None
            passed = (target.next_probe_at - at(seconds)).total_seconds()
            down, longest = down + passed, max(longest, down + passed)
        else:
            passed, down = 1 / 8, 0.0
        seconds += passed
    assert longest < 20


def test_one_that_accepted_something_just_before_is_probed_soon() -> None:
    target = tried(TargetState(), Accepted(), 0).target
    for number in range(30):
        target = tried(target, FAILED, number / 4).target
    assert target.down_since == at(5)
    assert target.next_probe_at == at(7)
    assert tried(target, FAILED, 7, probe=True).target.next_probe_at == at(11)
