"""Targets that are down: nothing lost, nothing swapped, and a poison message holds nobody for long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.consuming import World, open_world, seconds_between, word
from wagate.consumers import Policy
from wagate.errors import QueueError
from wagate.testing.rest import at_rest

pytest_plugins = ("tests.valkey",)

HOUR = 3600


async def exhaust(world: World, delivery_id: str) -> None:
    """Let a delivery fail until it is out of attempts; each time until it is due, so that no probe comes with it."""
    for number in (1, 2):
        detail = await world.attempts(delivery_id, number)
        if word(detail) == "waiting":
            await world.passes(max(0.0, seconds_between(world.clock.now(), detail.delivery.next_retry_at)) + 0.1)


async def test_a_receiver_down_for_25_seconds_gets_everything_in_order(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = 503
        a = await world.send("a", "a1", "a2", "a3")
        b = await world.send("b", "b1", "b2")
        await world.calls(2)
        await world.passes(6.1)
        await world.calls(4)
        await world.passes(12.1)
        await world.until_async(lambda: _down(world))
        held = [row for each in (a[0], b[0]) if (row := (await world.row(each)).delivery).held]
        assert held
        assert held[0].status == "failed"
        assert held[0].next_retry_at is not None
        state = await world.target()
        assert (state.status, state.down) == ("failed", True)
        # When the two came one after the other, the second one was a probe already.
        since = state.last_attempt_at if state.probes else state.down_since
        assert seconds_between(since, state.next_probe_at) == 15 * 2**state.probes
        world.receiver.default = 200
        await world.passes(15 * 2**state.probes + 1)
        await world.statuses([*a, *b], "delivered")
        assert world.receiver.contents("a")[-3:] == ["a1", "a2", "a3"]
        assert world.receiver.contents("b")[-2:] == ["b1", "b2"]
        state = await world.target()
        assert (state.status, state.down, state.failure_count) == ("active", False, 0)


async def test_a_receiver_down_for_six_hours_is_probed_and_costs_no_attempts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = 503
        a1, a2 = await world.send("a", "a1", "a2")
        await exhaust(world, a1)
        await world.status(a1, "held")
        (b1,) = await world.send("b", "b1")
        # One more delivery may be the witness at once; its failure leaves no doubt.
        await world.calls(4)
        assert world.receiver.contents()[-1] == "b1"
        await world.until_async(lambda: _probed(world, 0))
        waits, calls, passed = [], 4, 0.0
        while passed < 6 * HOUR:
            state = await world.target()
            left = seconds_between(world.clock.now(), state.next_probe_at)
            await world.passes(max(left, 0.0) + 0.01)
            calls += 1
            await world.calls(calls)
            waits.append(seconds_between(state.last_attempt_at, state.next_probe_at))
            passed += waits[-1]
            await world.until_async(lambda probes=state.probes: _probed(world, probes))
        assert waits[:6] == [30, 60, 120, 240, 480, 900]
        assert set(waits[6:]) == {900}
        assert set(world.receiver.contents()[4:]) == {"a1", "b1"}
        assert (await world.row(a1)).delivery.attempt_count == 3
        assert (await world.row(b1)).delivery.attempt_count == 0
        assert (await world.row(a2)).attempts == []
        world.receiver.default = 200
        await world.passes(901)
        await world.statuses([a1, a2, b1], "delivered")
        assert world.receiver.contents("a")[-2:] == ["a1", "a2"]


async def _probed(world: World, before: int) -> bool:
    return (await world.target()).probes > before


async def test_after_25_hours_what_waited_longer_than_a_day_is_given_up(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.default = 503
        a1, a2 = await world.send("a", "a1", "a2")
        await exhaust(world, a1)
        await world.status(a1, "held")
        await world.passes(3 * HOUR)
        a3, b1 = await world.send("a", "a3") + await world.send("b", "b1")
        await world.passes(22 * HOUR)
        consumers.sweep()
        await world.status(a1, "final")
        detail = await world.status(a2, "final")
        assert detail.delivery.error == "gave up after 24h: the target did not answer"
        assert (await world.row(a1)).delivery.error == "gave up after 24h: Server error (503)"
        assert (await world.row(a1)).delivery.next_retry_at is None
        world.receiver.default = 200
        await world.passes(901)
        await world.statuses([a3, b1], "delivered")
        assert "a2" not in world.receiver.contents()


async def test_a_day_without_redis_gives_up_nothing_that_waits_for_a_receiver(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        queue, away, refused = consumers._queues.push, [False], list[str]()

        def cut(name: str) -> None:
            call = getattr(queue, name)

            async def cut_off(*args: Any, **kwargs: Any) -> Any:
                if away[0]:
                    refused.append(name)
                    raise QueueError("Redis is away")
                return await call(*args, **kwargs)

            monkeypatch.setattr(queue, name, cut_off)

        for name in ("pump", "clear_overflow"):
            cut(name)
        world.receiver.default = 503
        a1, a2 = await world.send("a", "a1", "a2")
        await exhaust(world, a1)
        await world.status(a1, "held")
        away[0] = True
        await world.passes(25 * HOUR)
        await world.until(lambda: {"pump", "clear_overflow"} <= set(refused))
        await world.passes(60)
        away[0] = False
        for _ in range(4):
            await world.passes(31)
        world.receiver.default = 200
        await world.passes(901)
        await world.statuses([a1, a2], "delivered")


async def test_a_poison_message_alone_holds_its_chat_until_there_is_a_witness(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["poison"] = [500]
        poison, after = await world.send("a", "poison", "after")
        await exhaust(world, poison)
        await world.status(poison, "held")
        assert (await world.target()).down
        await world.passes(10 * HOUR)
        await world.calls(4)
        assert (await world.row(poison)).delivery.held
        assert "after" not in world.receiver.contents()
        # Hours later, one other message is let through at once: the witness.
        (b1,) = await world.send("b", "b1")
        await world.status(b1, "delivered")
        await world.status(poison, "final")
        await world.status(after, "delivered")
        state = await world.target()
        assert not state.down


async def test_a_poison_message_among_other_traffic_holds_its_chat_for_15_seconds(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["poison"] = [500]
        poison, after = await world.send("a", "poison", "after")
        await world.status(poison, "waiting")
        (b1,) = await world.send("b", "b1")
        await world.status(b1, "delivered")
        await exhaust(world, poison)
        detail = await world.status(poison, "final")
        assert len(detail.attempts) == 3
        await world.status(after, "delivered")
        assert not (await world.target()).down
        assert world.receiver.contents("b") == ["b1"]


async def test_ten_failures_in_a_row_stop_all_but_probes(
    external_url: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five minutes instead of 15 s: no probe comes while the test looks.
    monkeypatch.setattr("wagate.rules.settle.FIRST_PROBE", 300.0)
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = 503
        first = [(await world.send(f"c{number}", f"m{number}"))[0] for number in range(10)]
        await world.calls(10)
        await world.until_async(lambda: _down(world))
        await at_rest()
        calls = world.receiver.contents(target="w1")
        later = [(await world.send(f"d{number}", f"n{number}"))[0] for number in range(10)]
        await world.send("x", "x1", target="w2")
        await world.until(lambda: "x1" in world.receiver.contents())
        await world.passes(6.1)
        await world.send("x", "x2", target="w3")
        await world.until(lambda: "x2" in world.receiver.contents())
        # Nothing but the others' own calls: neither first tries nor those due by the schedule.
        assert world.receiver.contents(target="w1") == calls
        world.receiver.default = 200
        await world.passes(301)
        await world.statuses([*first, *later], "delivered")
        assert (await world.row(later[0])).delivery.attempt_count == 1


async def _down(world: World) -> bool:
    return (await world.target()).down


async def test_with_no_time_to_recover_a_dead_target_loses_what_is_out_of_attempts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with (
        open_world(external_url, tmp_path, database_url=database_url, policy=Policy(recover=0)) as world,
        world.running() as consumers,
    ):
        world.receiver.default = 503
        a1, a2 = await world.send("a", "a1", "a2")
        await exhaust(world, a1)
        await world.status(a1, "final")
        await exhaust(world, a2)
        await world.status(a2, "final")
        world.receiver.default = 200
        assert await consumers.control.recover("webhook:w1", since=HOUR) == 2
        await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents()[-2:] == ["a1", "a2"]


async def test_a_retry_by_hand_probes_a_target_that_is_down_at_once(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        world.receiver.default = 503
        a1, a2 = await world.send("a", "a1", "a2")
        await exhaust(world, a1)
        await world.status(a1, "held")
        world.receiver.default = 200
        await consumers.control.retry(a1, client_id=1)
        await world.statuses([a1, a2], "delivered")


async def test_a_target_failing_for_long_raises_alerts_and_is_disabled_after_five_days(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with (
        open_world(external_url, tmp_path, database_url=database_url, policy=Policy(recover=240 * HOUR)) as world,
        world.running(),
    ):
        world.receiver.default = 503
        (a1,) = await world.send("a", "a1")
        await exhaust(world, a1)
        await world.status(a1, "held")
        calls = len(world.receiver.calls)
        for hours, count in ((1.5, 1), (24, 2), (120, 3)):
            await world.passes(hours * HOUR)
            calls += 1
            await world.calls(calls)
            await world.passes(61)
            await world.until(lambda count=count: len(world.emitted) == count)
        assert [event.kind for event, _, _ in world.emitted] == [
            "webhook.failing",
            "webhook.failing",
            "webhook.disabled",
        ]
        assert {(client, without) for _, client, without in world.emitted} == {(1, "webhook:w1")}
        assert (await world.target()).disabled
        assert (await world.row(a1)).delivery.settled is False
