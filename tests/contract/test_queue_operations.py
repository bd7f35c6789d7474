"""Each operation of the queue, on the embedded server and on an external one over TCP."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from wagate.clock import Clock
from wagate.queue.queue import STEADY, Queue
from wagate.queue.redis import RedisThread
from wagate.queue.results import Ack, DeadWorker, Delay, Doorbell, Park, Pumped, Release, Take, Taken

pytest_plugins = ("tests.valkey",)


def bell(key: str, id_: str, target: str = "t") -> Doorbell:
    return Doorbell(key=key, target=target, id=id_)


async def take(queue: Queue, want: int = 10, *takes: Take) -> tuple[Taken, ...]:
    return (await queue.pump([], want=want, takes=takes)).taken


def keys(pumped: Pumped | tuple[Taken, ...]) -> list[str]:
    return [each.key for each in (pumped.taken if isinstance(pumped, Pumped) else pumped)]


async def test_ids_of_a_key_come_one_after_the_other_in_order(queue: Queue) -> None:
    await queue.enqueue([bell("a", str(number)) for number in range(3)])
    seen = []
    pumped = await queue.pump([], want=10)
    while pumped.taken:
        (taken,) = pumped.taken
        seen.append(taken.id)
        pumped = await queue.pump([Ack(key="a", token=taken.token, more=False)], want=10)
    assert seen == ["0", "1", "2"]
    assert await queue.missing(["a"]) == ["a"]
    assert (await queue.stats()).depth == 0


async def test_keys_come_in_the_order_in_which_they_became_ready(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "2"), bell("a", "3"), bell("c", "4")])
    pumped = await queue.pump([], want=2)
    assert keys(pumped) == ["a", "b"]
    assert pumped.ready == 1
    pumped = await queue.pump([Ack(key="a", token=pumped.taken[0].token, more=False)], want=10)
    assert keys(pumped) == ["c", "a"]


async def test_a_pump_rings_first_so_that_what_it_rings_for_can_be_taken(queue: Queue) -> None:
    pumped = await queue.pump([], want=10, bells=[bell("a", "1"), bell("b", "2"), bell("a", "3")])
    assert [(each.key, each.id) for each in pumped.taken] == [("a", "1"), ("b", "2")]
    assert (pumped.depth, pumped.unrung) == (3, None)
    done = Ack(key="a", token=pumped.taken[0].token, more=False)
    pumped = await queue.pump([done], want=10, bells=[bell("a", "4")])
    assert [(each.key, each.id) for each in pumped.taken] == [("a", "3")]


async def test_an_id_enqueued_twice_at_the_tail_is_kept_once(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("a", "1")])
    await queue.enqueue([bell("a", "1")])
    assert (await queue.stats()).depth == 1


async def test_more_in_the_tables_keeps_the_key_going_with_an_unknown_id(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1")])
    (taken,) = await take(queue)
    pumped = await queue.pump([Ack(key="a", token=taken.token, more=True)], want=1)
    assert [each.id for each in pumped.taken] == ["+"]
    await queue.pump([Ack(key="a", token=pumped.taken[0].token, more=False)], want=1)
    assert (await queue.stats()).depth == 0


async def test_a_full_queue_refuses_and_remembers_that_it_did(redis: RedisThread, clock: Clock, queue: Queue) -> None:
    small = Queue(redis, queue.name, clock=clock, max_depth=2)
    assert await small.enqueue([bell("a", "1"), bell("b", "2"), bell("c", "3"), bell("a", "4")]) == 2
    pumped = await small.pump([], want=10)
    assert keys(pumped) == ["a", "b"]
    assert pumped.overflow
    assert await small.missing(["a", "b", "c"]) == ["c"]
    assert await small.clear_overflow()
    assert not await small.clear_overflow()
    assert not (await small.stats()).overflow


async def test_a_stale_token_does_not_count(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("a", "2")])
    (taken,) = await take(queue)
    wrong = Ack(key="a", token="1", more=False)
    pumped = await queue.pump([wrong], want=10)
    assert pumped.fenced == (wrong,)
    assert pumped.taken == ()
    pumped = await queue.pump([Ack(key="a", token=taken.token, more=False)], want=10)
    assert [each.id for each in pumped.taken] == ["2"]


async def test_a_delayed_key_comes_back_when_its_time_has_come_and_before_the_others(
    queue: Queue, clock: Clock
) -> None:
    await queue.enqueue([bell("a", "1"), bell("a", "2"), bell("b", "3")])
    (taken,) = await take(queue, 1)
    pumped = await queue.pump([Delay(key="a", token=taken.token, after=60)], want=0)
    assert pumped.next_due is not None
    assert 59 < pumped.next_due <= 60
    assert (await queue.stats()).backoff == 1
    clock.shift(60)
    again = await take(queue)
    assert [(each.key, each.id) for each in again] == [("a", "1"), ("b", "3")]


async def test_parked_keys_wait_for_their_target_and_are_taken_by_it(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "2"), bell("c", "3")])
    parks = [Park(key=each.key, token=each.token, target="t") for each in await take(queue)]
    pumped = await queue.pump(parks, want=10)
    assert pumped.taken == ()
    assert [(each.target, each.keys) for each in pumped.parked] == [("t", 3)]
    assert keys(await take(queue, 10, Take(target="t", most=1))) == ["a"]
    assert await queue.unpark("t", 1) == 1
    assert keys(await take(queue)) == ["b"]
    assert await queue.unpark_all() == 1
    assert keys(await take(queue)) == ["c"]
    stats = await queue.stats()
    assert (stats.parked, stats.parked_targets, stats.active) == (0, 0, 3)


async def test_all_of_many_parked_targets_get_reported_in_turn(queue: Queue) -> None:
    names = [f"k{number:03}" for number in range(250)]
    await queue.enqueue([bell(name, "1", f"t-{name}") for name in names])
    taken = await take(queue, 250)
    pumped = await queue.pump([Park(key=each.key, token=each.token, target=f"t-{each.key}") for each in taken], want=0)
    reported = {each.target for each in pumped.parked}
    assert len(reported) == 100
    for _ in range(2):
        reported |= {each.target for each in (await queue.pump([], want=0)).parked}
    assert reported == {f"t-{name}" for name in names}


async def test_a_released_key_is_next_again(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "2")])
    (taken,) = await take(queue, 1)
    pumped = await queue.pump([Release(key="a", token=taken.token)], want=10)
    assert keys(pumped) == ["a", "b"]


async def test_what_a_dead_worker_held_goes_to_the_others_and_its_crashes_are_counted(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell("a", "1")])
    for crashes in range(3):
        victim = Queue(redis, queue.name, clock=clock)
        clock.offset += STEADY
        (taken,) = await take(victim)
        assert taken.crashes == crashes
        beats = await queue.workers()
        assert await queue.reap(DeadWorker(name=victim.worker, heartbeat=beats[victim.worker])) == 1
        assert victim.worker not in await queue.workers()
    (taken,) = await take(queue)
    assert taken.crashes == 3
    pumped = await queue.pump([Ack(key="a", token=taken.token, more=True)], want=1)
    assert pumped.taken[0].crashes == 0


async def kill(queue: Queue, redis: RedisThread, clock: Clock, want: int = 100) -> list[Taken]:
    """A worker takes what it may, and dies; what it held."""
    victim = Queue(redis, queue.name, clock=clock)
    clock.offset += STEADY
    held = [each for _ in range(2) for each in await take(victim, want)]
    assert await queue.release_all_workers(died=True) == len(held)
    clock.offset += 1
    return held


async def test_those_that_died_together_are_parted_until_one_runs_without_another(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell(f"k{number:02}", "1") for number in range(64)])
    together = {0: 64, 1: 64, 2: 16, 3: 4, 4: 1}
    for deaths in range(8):
        held = await kill(queue, redis, clock)
        worst = max(each.crashes for each in held)
        assert worst <= deaths
        assert len(held) <= together[min(worst, 4)]
        assert max(each.alone for each in held) <= 1


async def test_the_guilty_one_is_found_after_seven_deaths_and_the_others_are_done(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell(f"k{number:02}", "1") for number in range(64)])
    deaths, done = 0, set[str]()
    while len(done) < 64:
        worker = Queue(redis, queue.name, clock=clock)
        clock.offset += STEADY + 1
        taken = {each.key: each for each in await take(worker, 64)}
        assert all(each.alone == 0 for each in taken.values() if each.key != "k07")
        if "k07" in taken and taken["k07"].alone < 3:
            deaths += 1
            await queue.release_all_workers(died=True)
            continue
        done.update(taken)
        await worker.pump([Ack(key=each.key, token=each.token, more=False) for each in taken.values()], want=0)
        await worker.release()
    assert deaths == 7


async def test_a_death_counts_against_a_key_only_when_nothing_else_was_in_hand(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "1")])
    for _ in range(3):
        await kill(queue, redis, clock, want=2)
    taken = await take(queue, 1)
    assert [each.alone for each in taken] == [0]
    await queue.pump([Ack(key=each.key, token=each.token, more=False) for each in taken], want=0)
    for deaths in range(3):
        assert [(each.crashes, each.alone) for each in await kill(queue, redis, clock, want=1)] == [
            (3 + deaths, deaths)
        ]


async def test_what_was_tried_is_no_suspect_and_what_only_waits_stays_one(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell(key, "1") for key in "abc"])
    for _ in range(2):
        await kill(queue, redis, clock)
    clock.offset += STEADY
    a, b, c = sorted(await take(queue), key=lambda each: each.key)
    await queue.pump(
        [
            Delay(key="a", token=a.token, after=1, tried=True),
            Delay(key="b", token=b.token, after=1),
            Park(key="c", token=c.token, target="t", tried=True),
        ],
        want=0,
    )
    await queue.unpark("t")
    clock.offset += 1
    assert {each.key: each.crashes for each in await take(queue)} == {"a": 0, "b": 2, "c": 0}


async def test_a_worker_that_has_just_begun_takes_no_suspect(
    queue: Queue, redis: RedisThread, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue.enqueue([bell(key, "1") for key in "abc"])
    for _ in range(2):
        await kill(queue, redis, clock)
    monkeypatch.setattr("wagate.queue.queue.STEADY", 600.0)  # more than this test ever takes
    await queue.enqueue([bell("fresh", "1")])
    fresh = Queue(redis, queue.name, clock=clock)
    assert [each.key for each in await take(fresh)] == ["fresh"]
    clock.offset += 600
    assert sorted(each.key for each in await take(fresh)) == ["a", "b", "c"]


async def test_a_worker_whose_heart_beat_since_keeps_its_keys(queue: Queue, redis: RedisThread, clock: Clock) -> None:
    await queue.enqueue([bell("a", "1")])
    other = Queue(redis, queue.name, clock=clock)
    await take(other)
    seen = (await queue.workers())[other.worker]
    await other.pump([], want=0)
    assert await queue.reap(DeadWorker(name=other.worker, heartbeat=seen)) == 0
    assert await take(queue) == ()


async def test_a_zombies_ack_does_not_count_after_its_key_was_taken_over(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell("a", "1"), bell("a", "2")])
    zombie = Queue(redis, queue.name, clock=clock)
    (old,) = await take(zombie)
    await queue.reap(DeadWorker(name=zombie.worker, heartbeat=(await queue.workers())[zombie.worker]))
    (new,) = await take(queue)
    late = Ack(key="a", token=old.token, more=False)
    assert (await zombie.pump([late], want=10)).fenced == (late,)
    pumped = await queue.pump([Ack(key="a", token=new.token, more=False)], want=1)
    assert [each.id for each in pumped.taken] == ["2"]


async def test_a_graceful_stop_gives_back_without_a_crash(queue: Queue, redis: RedisThread, clock: Clock) -> None:
    await queue.enqueue([bell(f"k{number}", "1") for number in range(500)])
    leaver = Queue(redis, queue.name, clock=clock)
    assert len(await take(leaver, 500)) == 500
    assert await leaver.release() == 500
    taken = await take(queue, 500)
    assert len(taken) == 500
    assert {each.crashes for each in taken} == {0}


async def test_the_only_process_frees_its_dead_predecessor_at_once(
    queue: Queue, redis: RedisThread, clock: Clock
) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "2")])
    await take(Queue(redis, queue.name, clock=clock), 1)
    await take(Queue(redis, queue.name, clock=clock), 1)
    assert await queue.release_all_workers(died=True) == 2
    assert sorted((each.key, each.crashes) for each in await take(queue)) == [("a", 1), ("b", 1)]


async def test_a_paused_queue_hands_out_nothing_until_it_is_resumed(queue: Queue) -> None:
    await queue.pause()
    await queue.enqueue([bell("a", "1")])
    pumped = await queue.pump([], want=10)
    assert pumped.paused
    assert pumped.taken == ()
    assert (await queue.stats()).wake == 0
    await queue.resume()
    assert keys(await take(queue)) == ["a"]


async def test_a_paused_key_waits_while_others_go_on(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1"), bell("b", "2")])
    await queue.pause("a")
    assert keys(await take(queue)) == ["b"]
    assert await queue.missing(["a"]) == []
    assert await queue.resume("a") == 1
    assert keys(await take(queue)) == ["a"]


async def test_a_lease_that_ends_brings_the_key_back(queue: Queue, clock: Clock) -> None:
    await queue.enqueue([bell("a", "1")])
    first = await queue.take_leased(lease=60)
    (old,) = first.taken
    assert first.next_due is not None
    assert 59 < first.next_due <= 60
    assert (await queue.take_leased(lease=60)).taken == ()
    clock.shift(61)
    (new,) = (await queue.take_leased(lease=60)).taken
    assert (new.key, new.id) == ("a", "1")
    assert not await queue.finish(Ack(key="a", token=old.token, more=False))
    assert not await queue.extend("a", old.token, 60)
    assert await queue.finish(Ack(key="a", token=new.token, more=False))
    stats = await queue.stats()
    assert (stats.depth, stats.leased, stats.backoff) == (0, 0, 0)


async def test_a_lease_can_be_extended_and_the_job_put_back(queue: Queue, clock: Clock) -> None:
    await queue.enqueue([bell("a", "1")])
    (taken,) = (await queue.take_leased(lease=600)).taken
    clock.shift(400)
    assert await queue.extend("a", taken.token, 600)
    clock.shift(400)
    assert (await queue.take_leased(lease=600)).taken == ()
    assert await queue.finish(Delay(key="a", token=taken.token, after=30))
    assert (await queue.stats()).backoff == 1
    clock.shift(30)
    (again,) = (await queue.take_leased(lease=60)).taken
    assert await queue.finish(Release(key="a", token=again.token))
    assert (await queue.stats()).ready == 1


async def test_a_nudged_key_does_not_wait_for_its_time(queue: Queue) -> None:
    await queue.enqueue([bell("a", "1")])
    (taken,) = await take(queue)
    await queue.pump([Delay(key="a", token=taken.token, after=3600)], want=0)
    assert await queue.nudge(["a", "unknown"]) == 1
    assert keys(await take(queue)) == ["a"]


async def test_a_dropped_key_is_forgotten_at_once_or_when_its_turn_comes(queue: Queue) -> None:
    await queue.enqueue([bell("late", "1"), bell("active", "1"), bell("ready", "1"), bell("ready", "2")])
    late, active = await take(queue, 2)
    await queue.pump([Delay(key="late", token=late.token, after=3600)], want=0)
    assert await queue.drop(["late", "active", "ready", "unknown"]) == 1
    assert await queue.missing(["late", "active", "ready"]) == ["late"]
    pumped = await queue.pump([Ack(key="active", token=active.token, more=False)], want=10)
    assert [(each.key, each.id) for each in pumped.taken] == [("ready", "+")]
    await queue.pump([Ack(key="ready", token=pumped.taken[0].token, more=False)], want=0)
    stats = await queue.stats()
    assert (stats.depth, stats.ready, stats.active, stats.backoff) == (0, 0, 0, 0)


async def test_wake_tokens_follow_the_ready_keys_and_stay_few(queue: Queue) -> None:
    await queue.enqueue([bell(f"k{number}", "1") for number in range(3)])
    assert (await queue.stats()).wake == 3
    await queue.enqueue([bell(f"l{number}", "1") for number in range(100)])
    assert (await queue.stats()).wake == 16
    await take(queue, 200)
    assert (await queue.stats()).wake == 0


async def test_more_keys_than_lua_can_unpack_are_no_trouble(queue: Queue) -> None:
    many = [f"k{number}" for number in range(10_000)]
    assert await queue.missing(many) == many
    assert await queue.enqueue([bell(key, "1") for key in many]) == 0
    taken = await take(queue, 10_000)
    pumped = await queue.pump([Ack(key=each.key, token=each.token, more=False) for each in taken], want=10)
    assert pumped.depth == 0
    assert await queue.missing(many) == many


def test_each_script_is_tried_here() -> None:
    scripts = {each.name.removesuffix(".lua") for each in (resources.files("wagate.queue") / "lua").iterdir()}
    here = Path(__file__).read_text("utf-8")
    # The layout stands on top of every script; what a lost pump took is adopted by the next one.
    assert not [name for name in scripts - {"layout", "adopt"} if f".{name}(" not in here]
