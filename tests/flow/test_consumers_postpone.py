"""Deliveries that are put off, and targets that say that they take nothing at all."""

from __future__ import annotations

from pathlib import Path

from tests.consuming import World, open_world, word
from wagate.consumers import Policy
from wagate.errors import Postpone, Retry

pytest_plugins = ("tests.valkey",)

LATER = Postpone("waits for its turn", after=60)
MUCH_LATER = Postpone("waits for its turn", after=600)
ITS_OWN = Postpone("waits for its turn: a new chat", after=600, own=True)


async def told(world: World) -> None:
    """Until the queue was told what waits."""
    consumers = world.consumers
    assert consumers is not None
    await world.until(lambda: not consumers._pool and consumers._consumer.told)
    await consumers.stats()


async def test_what_is_put_off_waits_at_the_head_of_its_chat_and_it_was_no_try(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["a1"] = [MUCH_LATER, MUCH_LATER, MUCH_LATER, MUCH_LATER, 200]
        a1, a2 = await world.send("a", "a1", "a2")
        (b1,) = await world.send("b", "b1")
        await world.status(b1, "delivered")
        for calls in range(2, 6):
            await world.calls(calls)
            await told(world)
            detail = await world.row(a1)
            assert (word(detail), detail.delivery.attempt_count, detail.attempts) == ("pending", 0, [])
            await world.passes(540)
            assert len(world.receiver.calls) == calls
            await world.passes(61)
        await world.status(a2, "delivered")
        assert world.receiver.contents("a") == ["a1"] * 5 + ["a2"]
        detail = await world.row(a1)
        assert (detail.delivery.attempt_count, len(detail.attempts)) == (1, 1)
        assert (await world.target()).streak == 0


async def test_what_is_put_off_for_too_long_is_given_up(external_url: str, tmp_path: Path) -> None:
    for name, policy, hours in (("r", Policy(), 24), ("n", Policy(recover=0), 24), ("s", Policy(recover=3600), 1)):
        folder = tmp_path / name
        folder.mkdir()
        async with open_world(external_url, folder, policy=policy) as world, world.running():
            world.receiver.by_content["a1"] = [LATER]
            a1, a2 = await world.send("a", "a1", "a2")
            await world.calls(1)
            await told(world)
            await world.passes(hours * 3600 - 120)
            await world.calls(2)
            await told(world)
            assert word(await world.row(a1)) == "pending"
            await world.passes(181)
            await world.status(a2, "delivered")
            detail = await world.row(a1)
            assert (word(detail), detail.delivery.error) == ("final", f"gave up after {hours}h: waits for its turn")


async def test_a_target_that_takes_nothing_at_all_is_down_at_once_and_spends_no_attempts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.by_content["w"] = [200]
        (witness,) = await world.send("w", "w")
        await world.status(witness, "delivered")
        world.receiver.default = Retry("Client error (401)", after=60, down=True, http_status=401)
        a1, a2 = await world.send("a", "a1", "a2")
        detail = await world.status(a1, "waiting")
        assert detail.delivery.attempt_count == 0
        state = await world.target()
        assert (state.down, state.last_error) == (True, "Client error (401)")
        (b1,) = await world.send("b", "b1")
        for _ in range(8):
            await world.passes(901)
        assert word(await world.row(a1)) == "waiting"
        assert "a2" not in world.receiver.contents("a")
        world.receiver.default = 200
        await world.passes(901)
        await world.statuses([a1, a2, b1], "delivered")
        assert list(dict.fromkeys(world.receiver.contents("a"))) == ["a1", "a2"]


async def test_what_waits_for_something_of_its_own_uses_no_probe_up(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = Retry("not connected", after=60, down=True)
        strangers = [(await world.send(f"s{number}", f"s{number}"))[0] for number in range(4)]
        await world.status(strangers[0], "waiting")
        (reply,) = await world.send("known", "known")
        await told(world)
        for number in range(4):
            world.receiver.by_content[f"s{number}"] = [ITS_OWN]
        world.receiver.default = 200
        asked = len(world.receiver.calls)
        await world.passes(61)  # one probe is due
        await world.status(reply, "delivered")
        assert len(world.receiver.calls) <= asked + 5  # each stranger asked once at most
        assert not (await world.target()).down


async def test_what_is_routed_at_last_uses_no_probe_up(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        router, broken = world.cannot_route("w1")
        async with world.running():
            unrouted = []
            for number in range(6):
                made = world.event(f"c{number}", f"c{number}")
                unrouted.append(await world.store(made, router.routes(made)))
            for _ in range(3):
                await told(world)
                await world.passes(20)
            for each in unrouted:
                await world.status(each, "held", "waiting")
            assert (await world.target("webhook:unrouted")).down
            broken.clear()
            await world.passes(901)  # one probe is due
            await world.statuses(unrouted, "cancelled")
            await world.calls(6)


async def test_a_probe_that_is_put_off_by_its_target_is_the_only_one_of_its_round(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = Retry("not connected", after=60, down=True)
        waiting = [(await world.send(f"c{number}", f"c{number}"))[0] for number in range(12)]
        await world.status(waiting[0], "waiting")
        await told(world)
        world.receiver.default = Postpone("the engine is being started", after=20)
        for _ in range(4):
            asked = len(world.receiver.calls)
            await world.passes(121)  # a probe is due
            await world.calls(asked + 1)
            for _ in range(5):  # Whoever gets its permit now would be tried.
                await told(world)
                await world.passes(1)
            assert len(world.receiver.calls) == asked + 1
        world.receiver.default = 200
        await world.passes(121)
        await world.statuses(waiting, "delivered")


async def test_a_probe_of_a_target_in_doubt_makes_no_permit(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        world.receiver.default = 503
        (first,) = await world.send("a", "a1")
        for _ in range(3):
            await told(world)
            await world.passes(20)
        await world.status(first, "held")
        world.receiver.default = ITS_OWN
        for number in range(6):
            asked = len(world.receiver.calls)
            await world.send(f"s{number}", f"s{number}")
            await world.calls(asked + 1)
            await told(world)
            assert consumers._pool._permits == set()
