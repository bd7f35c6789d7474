"""Deliveries tried again: by the schedule, by hand, and when the target comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consuming import World, open_world, seconds_between
from wagate.consumers import Policy
from wagate.errors import Retry
from wagate.storage.rows import DeliveryDetail

pytest_plugins = ("tests.valkey",)

HOUR = 3600
LATER = Retry("Server error (500)", after=600, http_status=500)
"""A failure whose next try does not come by itself while the test looks."""


async def test_three_attempts_at_0_5_and_15_seconds_while_other_chats_go_on(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["a1"] = [500, 500, 200]
        a1, a2, a3 = await world.send("a", "a1", "a2", "a3")
        detail = await world.status(a1, "waiting")
        assert detail.delivery.error == "Server error (500)"
        assert detail.delivery.http_status == 500
        assert_due(world, detail, 5)
        (b1,) = await world.send("b", "b1")
        await world.status(b1, "delivered")
        await world.passes(2)
        (b2,) = await world.send("b", "b2")
        await world.status(b2, "delivered")
        await world.passes(4.1)
        detail = await world.attempts(a1, 2)
        assert_due(world, detail, 5)
        await world.passes(12.1)
        await world.status(a3, "delivered")
        first, second, third = world.receiver.times("a1")
        assert second - first >= 5
        assert third - second >= 10
        assert world.receiver.contents("a") == ["a1", "a1", "a1", "a2", "a3"]
        detail = await world.row(a1)
        assert [each.http_status for each in detail.attempts] == [500, 500, 200]
        assert [each.number for each in detail.attempts] == [1, 2, 3]
        assert detail.delivery.attempt_count == 3
        assert detail.delivery.error is None
        assert detail.delivery.next_retry_at is None
        assert detail.delivery.delivered_at is not None
        assert (await world.row(a2)).delivery.attempt_count == 1
        state = await world.target()
        assert (state.status, state.failure_count, state.streak) == ("active", 0, 0)


def assert_due(world: World, detail: DeliveryDetail, wait: float) -> None:
    """The next try is due after so many seconds, doubled for each try but the first, and a fifth more at most."""
    wait *= 2 ** (len(detail.attempts) - 1)
    assert seconds_between(detail.attempts[-1].started_at, detail.delivery.next_retry_at) >= wait
    assert seconds_between(world.clock.now(), detail.delivery.next_retry_at) <= 1.2 * wait


async def test_retry_after_is_waited_for(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["a1"] = [Retry("Client error (429)", after=600, http_status=429), 200]
        (a1,) = await world.send("a", "a1")
        detail = await world.status(a1, "waiting")
        assert seconds_between(detail.attempts[0].started_at, detail.delivery.next_retry_at) >= 600
        await world.passes(540)
        (b1,) = await world.send("b", "b1")
        await world.status(b1, "delivered")
        assert len(world.receiver.times("a1")) == 1
        await world.passes(61)
        await world.status(a1, "delivered")


async def test_a_client_error_is_final_at_once_and_the_chat_goes_on(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["a1"] = [404]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.status(a2, "delivered")
        detail = await world.row(a1)
        assert (detail.delivery.status, detail.delivery.settled) == ("failed", True)
        assert detail.delivery.error == "Client error (404)"
        assert detail.delivery.next_retry_at is None
        assert len(detail.attempts) == 1


async def test_gone_disables_the_target_and_what_waits_stays(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.by_content["a1"] = [410]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.status(a1, "final")
        assert (await world.target()).disabled
        (b1,) = await world.send("b", "b1", target="w2")
        await world.status(b1, "delivered")
        assert (await world.row(a2)).delivery.status == "pending"
        assert world.receiver.contents("a") == ["a1"]
        await world.database.write(
            lambda db: db.execute_sql("UPDATE targets SET status = 'active' WHERE id = 'webhook:w1'").rowcount
        )
        await consumers.control.changed("webhook:w1")
        await world.status(a2, "delivered")


async def test_an_exception_of_a_handler_is_a_failure_with_its_name(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["a1"] = [KeyError("secret"), ExceptionGroup("x", [Retry("Server error (502)")]), 200]
        (a1,) = await world.send("a", "a1")
        await world.attempts(a1, 1)
        await world.passes(6.1)
        await world.attempts(a1, 2)
        await world.passes(12.1)
        detail = await world.status(a1, "delivered")
        assert [each.error for each in detail.attempts] == ["KeyError", "Server error (502)", None]


async def test_with_skip_a_failing_delivery_does_not_hold_its_chat(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with (
        open_world(external_url, tmp_path, database_url=database_url, policy=Policy(strict=False)) as world,
        world.running(),
    ):
        world.receiver.by_content["a1"] = [LATER, 200]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.status(a2, "delivered")
        await world.status(a1, "waiting")
        (a3,) = await world.send("a", "a3")
        await world.status(a3, "delivered")
        assert world.receiver.contents("a") == ["a1", "a2", "a3"]
        await world.passes(601)
        await world.status(a1, "delivered")
        assert world.receiver.contents("a") == ["a1", "a2", "a3", "a1"]


async def test_a_retry_by_hand_runs_what_waits_now_and_what_is_final_at_the_end(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.by_content |= {"a1": [404, LATER], "a2": [LATER, 200]}
        a1, a2, a3 = await world.send("a", "a1", "a2", "a3")
        await world.status(a1, "final")
        await world.attempts(a2, 1)
        await consumers.control.retry(a1, client_id=1)
        await consumers.control.retry(a2, client_id=None)
        await world.status(a3, "delivered")
        detail = await world.status(a1, "waiting")
        assert world.receiver.contents("a") == ["a1", "a2", "a2", "a3", "a1"]
        assert (detail.delivery.attempt_count, detail.delivery.max_retries) == (2, 4)
        assert [each.number for each in detail.attempts] == [1, 2]


async def test_a_retry_by_hand_begins_a_fresh_round_of_attempts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.by_content["a1"] = [500]
        (a1,) = await world.send("a", "a1")
        for number, seconds in ((1, 6.1), (2, 1)):
            await world.attempts(a1, number)
            await world.passes(seconds)
        for tries in range(2, 5):
            await consumers.control.retry(a1, client_id=1)
            detail = await world.attempts(a1, tries + 1)
            wait = seconds_between(detail.attempts[-1].started_at, detail.delivery.next_retry_at)
            assert 5 <= wait < 5 * 1.2 + 1
            assert detail.delivery.max_retries == tries + 3


async def test_a_cancelled_head_lets_its_chat_go_on(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.by_content["a1"] = [500]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.attempts(a1, 1)
        await consumers.control.cancel(a1, client_id=1)
        await world.status(a2, "delivered")
        assert (await world.row(a1)).delivery.status == "cancelled"
        with pytest.raises(Exception, match="already final"):
            await consumers.control.cancel(a1, client_id=1)
        with pytest.raises(Exception, match="no such delivery"):
            await consumers.control.retry(a1, client_id=2)
        with pytest.raises(Exception, match="already delivered"):
            await consumers.control.retry(a2, client_id=1)


async def test_recover_replays_what_failed_in_order(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.default = 404
        ids = await world.send("a", "a1", "a2", "a3")
        await world.statuses(ids, "final")
        await world.passes(2 * HOUR)
        late = await world.send("a", "a4", "a5")
        await world.statuses(late, "final")
        world.receiver.default = 200
        assert await consumers.control.recover("webhook:w1", since=HOUR) == 2
        await world.statuses(late, "delivered")
        assert await consumers.control.recover("webhook:w1", since=3 * HOUR) == 3
        await world.statuses(ids, "delivered")
        assert world.receiver.contents()[5:] == ["a4", "a5", "a1", "a2", "a3"]
