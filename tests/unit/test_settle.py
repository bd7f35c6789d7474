"""What becomes of a delivery after a try: the table of outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.settling import DONE, decision, failed_with, gave_up, held_until, retries, retry_at, waits_for_target
from wagate.rules.settle import settle
from wagate.rules.states import Accepted, DeliveryState, Failed, Happened, Policy, Rejected, Settled, Try
from wagate.rules.targets import TargetState

T0 = datetime(2025, 1, 20, 10, 0, tzinfo=UTC)
HOUR = 3600
ERROR = "Server error (503)"
FAILED = Failed(error=ERROR, http_status=503)
UP = TargetState()
DOWN = TargetState(status="failed", failure_count=1, down_since=T0, next_probe_at=T0, failing_since=T0)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def delivery(attempts: int = 0, **fields: object) -> DeliveryState:
    made = {"attempt_count": attempts, "max_retries": 3, "held": False, "created_at": T0}
    made["first_attempt_at"] = T0 if attempts else None
    return DeliveryState(**(made | fields))  # type: ignore[arg-type]


def tried(
    happened: Happened,
    what: DeliveryState,
    target: TargetState = UP,
    seconds: float = 15,
    *,
    policy: Policy | None = None,
    probe: bool = False,
) -> Settled:
    return settle(
        Try(happened=happened, delivery=what, started=at(seconds), now=at(seconds), probe=probe),
        target,
        policy or Policy(),
    )


def test_accepted_is_done() -> None:
    settled = tried(Accepted(http_status=200), delivery())
    assert decision(settled) == DONE
    assert settled.target.last_success_at == at(15)
    assert settled.target.failure_count == 0


@pytest.mark.parametrize(("attempts", "wait"), [(0, 5), (1, 10)])
def test_a_failure_is_tried_again_by_the_schedule(attempts: int, wait: float) -> None:
    settled = tried(FAILED, delivery(attempts), seconds=15)
    assert decision(settled) == retry_at(at(15 + wait))
    assert settled.counted
    assert settled.target.failure_count == 0
    assert settled.target.status == "active"


SLOW = Failed(error="Client error (429)", http_status=429, after=90)


def test_retry_after_is_honoured() -> None:
    assert decision(tried(Failed(error=ERROR, after=90), delivery())) == retry_at(at(15 + 90))
    assert decision(tried(SLOW, delivery())) == retry_at(at(15 + 90))


@pytest.mark.parametrize(
    ("status", "after", "slow"),
    [(429, None, True), (408, None, True), (425, None, True), (503, 1, True), (503, None, False), (500, 1, False)],
)
def test_some_answers_speak_of_the_receivers_pace(status: int, after: float | None, *, slow: bool) -> None:
    happened = Failed(error=ERROR, http_status=status, after=after)
    assert happened.slow is slow
    assert tried(happened, delivery()).counted is not slow


def test_a_receiver_that_asks_to_slow_down_costs_no_attempt_and_nobody_bears_witness() -> None:
    witnessed = replace(UP, last_success_at=at(10))
    for what in (delivery(), delivery(2), delivery(3, held=True)):
        settled = tried(SLOW, what, witnessed)
        assert not settled.final
        assert not settled.counted
        assert settled.next_retry_at == at(15 + 90)
        assert not settled.target.down
        assert settled.target.streak == 0


def test_it_waits_until_recover_and_not_longer() -> None:
    aged = tried(SLOW, delivery(), UP, 24 * HOUR)
    assert decision(aged) == failed_with("gave up after 24h: Client error (429)")
    assert not gave_up(tried(SLOW, delivery(), UP, 24 * HOUR - 1))
    assert tried(SLOW, delivery(), policy=Policy(recover=0)).counted


def test_a_probe_that_is_asked_to_slow_down_comes_back_when_it_was_asked_to() -> None:
    settled = tried(SLOW, delivery(3, held=True), DOWN, probe=True)
    assert settled.target.next_probe_at == settled.next_retry_at == at(15 + 90)
    assert settled.target.probes == 0
    assert settled.held


def test_a_rejected_delivery_is_final_at_once() -> None:
    settled = tried(Rejected(error="Client error (404)"), delivery())
    assert decision(settled) == failed_with("Client error (404)")
    assert settled.target.status == "failed"
    assert settled.target.failure_count == 1


def test_gone_disables_the_target() -> None:
    assert tried(Rejected(error="Client error (410)", disable=True), delivery()).target.disabled


def test_out_of_attempts_without_a_witness_is_held_and_the_target_is_down() -> None:
    settled = tried(FAILED, delivery(2))
    assert decision(settled) == held_until(at(30))
    assert settled.opened
    assert settled.target.down_since == at(15)
    assert settled.target.failure_count == 1
    assert settled.target.status == "failed"


@pytest.mark.parametrize(
    ("success", "final"),
    [(None, False), (-60, False), (0, False), (1, True), (14, True)],
)
def test_only_a_success_since_its_first_attempt_is_a_witness(success: float | None, final: bool) -> None:
    target = replace(UP, last_success_at=None if success is None else at(success))
    settled = tried(FAILED, delivery(2), target)
    assert decision(settled) == (failed_with(ERROR) if final else held_until(at(30)))
    assert settled.target.down is not final
    assert settled.target.failure_count == 1


def test_with_one_attempt_the_witness_must_come_while_it_runs() -> None:
    once = delivery(0, max_retries=1)
    before = replace(UP, last_success_at=at(14))
    during = replace(UP, last_success_at=at(16))
    assert waits_for_target(tried(FAILED, once, before))
    slow = Try(happened=FAILED, delivery=once, started=at(15), now=at(17))
    assert gave_up(settle(slow, during, Policy()))


def test_a_failed_probe_costs_no_attempt_and_is_never_final_by_a_witness() -> None:
    witnessed = replace(DOWN, last_success_at=at(10))
    settled = tried(FAILED, delivery(3, held=True), witnessed, probe=True)
    assert not settled.counted
    assert waits_for_target(settled)
    assert settled.target.failure_count == 1


def test_a_held_delivery_that_fails_again_after_the_target_opened_gave_up() -> None:
    opened = tried(Accepted(), delivery(), DOWN, 60, probe=True).target
    settled = tried(FAILED, delivery(3, held=True), opened, 61)
    assert decision(settled) == failed_with(ERROR)
    assert settled.target.failure_count == 1
    assert not settled.target.down


def test_what_waited_longer_than_recover_is_given_up() -> None:
    settled = tried(FAILED, delivery(3, held=True), DOWN, 24 * HOUR, probe=True)
    assert decision(settled) == failed_with(f"gave up after 24h: {ERROR}")
    assert waits_for_target(tried(FAILED, delivery(3, held=True), DOWN, 24 * HOUR - 1, probe=True))
    fresh = tried(FAILED, delivery(), DOWN, 24 * HOUR, probe=True)
    assert gave_up(fresh)
    assert fresh.target.failure_count == 2


def test_a_retry_by_hand_begins_the_time_to_recover_anew() -> None:
    again = delivery(3, held=True, expires_at=at(48 * HOUR))
    assert waits_for_target(tried(FAILED, again, DOWN, 25 * HOUR, probe=True))
    assert gave_up(tried(FAILED, again, DOWN, 48 * HOUR, probe=True))


def test_an_old_delivery_has_all_its_attempts_while_its_target_is_up() -> None:
    patient = delivery(5, max_retries=30)
    assert retries(tried(FAILED, patient, UP, 48 * HOUR))


def test_with_no_time_to_recover_out_of_attempts_gave_up() -> None:
    policy = Policy(recover=0)
    settled = tried(FAILED, delivery(2), policy=policy)
    assert decision(settled) == failed_with(ERROR)
    assert not settled.target.down
    assert retries(tried(FAILED, delivery(0), policy=policy))
    probed = tried(FAILED, delivery(2), DOWN, policy=policy, probe=True)
    assert decision(probed) == failed_with(ERROR)
    assert probed.target.probes == 1


def test_a_failure_at_a_target_that_was_switched_off_waits_without_a_date() -> None:
    off = replace(UP, status="disabled")
    assert decision(tried(FAILED, delivery(), off)) == retry_at(None)


OUTCOMES = st.sampled_from([Accepted(), FAILED, Rejected(error="Client error (404)")])


@given(st.lists(st.tuples(OUTCOMES, st.booleans(), st.floats(0, 900)), max_size=60))
def test_nothing_is_given_up_without_a_witness_a_rejection_or_the_time_to_recover(
    tries: list[tuple[Happened, bool, float]],
) -> None:
    target, what, seconds = UP, delivery(), 0.0
    for happened, probe, passed in tries:
        seconds += passed
        settled = tried(happened, what, target, seconds, probe=probe and target.down)
        witness = target.last_success_at is not None and target.last_success_at > (what.first_attempt_at or at(seconds))
        if gave_up(settled):
            assert isinstance(happened, Rejected) or witness or seconds >= 24 * HOUR
        assert settled.target.down == (settled.target.next_probe_at is not None)
        if settled.final:
            what = delivery(created_at=at(seconds))
        else:
            held = settled.held
            first = what.first_attempt_at or at(seconds)
            what = replace(what, attempt_count=what.attempt_count + settled.counted, held=held, first_attempt_at=first)
        target = settled.target
