"""The queue in parts on a real Redis Cluster: who has which part, and what a node's absence costs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import trio
from outcome import Error, Outcome
from redis.crc import key_slot
from redis.exceptions import MovedError

from tests.cluster import Node, until_whole, valkey_cluster
from wagate.clock import Clock
from wagate.errors import ConfigError, QueueError
from wagate.queue.cluster import RedisCluster, open_redis
from wagate.queue.queue import Queue, name_of_process
from wagate.queue.redis import Call, RedisThread, check_policy
from wagate.queue.results import Ack, DeadWorker, Doorbell, Park, Pumped, Take
from wagate.queue.shards import Shards, sharded
from wagate.queue.wakeup import Wakeup, listen

SHARDS = 6
KEYS = [f"webhook:w1|support|c{number}" for number in range(30)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[Node]]]:
    with valkey_cluster() as made:
        yield made


@pytest.fixture
async def redis(cluster: tuple[str, list[Node]]) -> AsyncIterator[RedisThread]:
    thread = open_redis(cluster[0])
    yield thread
    await thread.close()


def parts(redis: RedisThread, name: str) -> Shards:
    """As a process has it; each call is another process."""
    make = partial(Queue, redis, clock=(clock := Clock()), process=name_of_process())
    made = sharded(make, name, SHARDS, max_depth=1000, clock=clock)
    assert isinstance(made, Shards)
    return made


def bells(*ids: str) -> list[Doorbell]:
    """For each id one at each of the keys."""
    return [Doorbell(key=key, target="webhook:w1", id=id_) for id_ in ids for key in KEYS]


def acks(pumped: Pumped) -> list[Ack]:
    return [Ack(key=each.key, token=each.token, more=False) for each in pumped.taken]


def pick(nodes: Sequence[Node], name: str) -> Node:
    """The node that has the first part of a queue."""
    slot = key_slot(f"{{wg:{name}:0}}:".encode())
    for first, last, primary, *_ in nodes[0].client.execute_command("CLUSTER SLOTS"):
        if first <= slot <= last:
            return next(node for node in nodes if node.port == primary[1])
    raise AssertionError("not reached")


def move(nodes: Sequence[Node], name: str, after: Node) -> None:
    """Give the slot of the first part of a queue to another node."""
    slot = key_slot(f"{{wg:{name}:0}}:".encode())
    for node in (after, *(each for each in nodes if each is not after)):
        node.client.execute_command("CLUSTER SETSLOT", slot, "NODE", after.id)
    until_whole(list(nodes))


async def test_its_parts_lie_on_several_nodes_and_give_each_chat_in_order(
    redis: RedisThread, cluster: tuple[str, list[Node]]
) -> None:
    queue = parts(redis, name := uuid.uuid4().hex)
    assert await queue.enqueue(bells("1", "2")) == 0
    found = [bool(node.client.keys(f"{{wg:{name}:*")) for node in cluster[1]]
    assert sum(found) > 1
    assert (await queue.stats()).depth == 2 * len(KEYS)
    seen: list[tuple[str, str]] = []
    pumped = await queue.pump((), want=len(KEYS) * SHARDS)
    while pumped.taken:
        assert len({each.key for each in pumped.taken}) == len(pumped.taken)
        seen += [(each.key, each.id) for each in pumped.taken]
        pumped = await queue.pump(acks(pumped), want=len(KEYS) * SHARDS)
    assert sorted(seen) == sorted((key, id_) for key in KEYS for id_ in ("1", "2"))
    for key in KEYS:
        assert [id_ for each, id_ in seen if each == key] == ["1", "2"]
    assert (pumped.depth, pumped.ready) == (0, 0)


async def test_one_part_is_the_queue_as_it_is(redis: RedisThread) -> None:
    queue = sharded(partial(Queue, redis, clock=Clock()), "push", 1, max_depth=10, clock=Clock())
    assert isinstance(queue, Queue)
    assert (queue.prefix, queue.shards) == ("{wg:push}:", (queue,))


async def test_parked_keys_are_taken_from_all_parts_but_no_more_than_wanted(redis: RedisThread) -> None:
    queue = parts(redis, uuid.uuid4().hex)
    await queue.enqueue(bells("1"))
    taken = (await queue.pump((), want=len(KEYS) * SHARDS)).taken
    parked = await queue.pump([Park(key=each.key, token=each.token, target="w1") for each in taken], want=0)
    assert [(each.target, each.keys) for each in parked.parked] == [("w1", len(KEYS))]
    some = await queue.pump((), want=0, takes=[Take(target="w1", most=7)])
    assert len(some.taken) == 7
    rest = await queue.pump((), want=0, takes=[Take(target="w1", most=len(KEYS))])
    assert len(rest.taken) == len(KEYS) - 7


@pytest.mark.parametrize("others", ["know", "have not heard"])
async def test_a_slot_that_moved_is_found_at_its_new_node(
    redis: RedisThread, cluster: tuple[str, list[Node]], others: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = parts(redis, name := uuid.uuid4().hex)
    await queue.stats()  # It knows who has which slot by now.
    before = pick(cluster[1], name)
    after = next(node for node in cluster[1] if node is not before)
    move(cluster[1], name, after)
    if others != "know":
        monkeypatch.setattr(redis, "_look", trio.lowlevel.checkpoint)  # Whoever is asked would say what was.
    assert await queue.enqueue(bells("1")) == 0
    assert after.client.exists(f"{{wg:{name}:0}}:state")
    assert len((await queue.pump((), want=len(KEYS) * SHARDS)).taken) == len(KEYS)


async def test_nodes_that_refer_to_each_other_are_asked_again_soon_and_remembered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redis = RedisCluster("redis+cluster://one:1,two:2")
    nodes = {"redis://one:1/0": "two:2", "redis://two:2/0": "one:1"}
    key, asked = f"{{wg:{uuid.uuid4().hex}}}:state", 0
    slot = key_slot(key.encode())

    class Node:
        def __init__(self, url: str) -> None:
            self.other = nodes[url]

        async def submit(self, *calls: Call) -> list[Outcome[Any]]:
            error = QueueError("refused")
            error.__cause__ = MovedError(f"{slot} {self.other}")
            return [Error(error) for _ in calls]

    async def ask_all() -> list[QueueError]:
        nonlocal asked
        asked += 1
        redis._ranges = [(0, 16383, "redis://one:1/0")]
        redis._doubted = False
        return []

    monkeypatch.setattr(redis, "_node", Node)
    monkeypatch.setattr(redis, "_ask_all", ask_all)
    for times in range(1, 8):
        assert isinstance(*await redis.submit(Call(words=("GET", key))), Error)
        assert asked == times, "CLUSTER SLOTS is asked before each new round"
        assert len(redis._ranges) == 2
    await redis.close()


async def test_a_node_that_is_away_holds_up_its_own_chats_alone(
    redis: RedisThread, cluster: tuple[str, list[Node]]
) -> None:
    queue = parts(redis, name := uuid.uuid4().hex)
    await queue.enqueue(bells("1"))
    away = pick(cluster[1], name)
    on_it = {key for key in KEYS if await queue.of(key).home() == f"redis://127.0.0.1:{away.port}/0"}
    away.kill()
    try:
        pumped = await queue.pump((), want=len(KEYS) * SHARDS)
        assert {each.key for each in pumped.taken} == set(KEYS) - on_it != set(KEYS)
        assert set(await queue.missing([*KEYS, "webhook:w1|support|new"])) <= {"webhook:w1|support|new"}
        with pytest.raises(QueueError):
            await queue.enqueue(bells("2"))
        told = await queue.pump(acks(pumped), want=0, bells=bells("3"))
        assert isinstance(told.unrung, QueueError)
        assert not told.overflow
    finally:
        away.start()
        until_whole(cluster[1])
    with trio.fail_after(60):
        while not (back := await queue.pump((), want=0)).overflow:
            assert back.next_due is not None
            await trio.sleep(back.next_due)
    assert set(await queue.missing(KEYS)) == on_it, "the tables know what it forgot"


async def test_who_waits_hears_of_each_part(redis: RedisThread) -> None:
    queue = parts(redis, uuid.uuid4().hex)
    for shard in queue.shards:
        wakeup = Wakeup(Clock())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, shard, wakeup)
            await shard.enqueue([Doorbell(key="k", target="t", id="1")])
            assert await wakeup.wait(60)
            nursery.cancel_scope.cancel()


async def test_who_waits_follows_its_part_to_another_node(redis: RedisThread, cluster: tuple[str, list[Node]]) -> None:
    queue = parts(redis, name := uuid.uuid4().hex)
    before, home = pick(cluster[1], name), await queue.shards[0].home()
    after = next(node for node in cluster[1] if node is not before)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, queue.shards[0], Wakeup(Clock()))
        move(cluster[1], name, after)
        with trio.fail_after(60):
            while (found := await queue.shards[0].home()) == home:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert found == f"redis://127.0.0.1:{after.port}/0"


async def test_dead_workers_are_reaped_where_they_were(redis: RedisThread) -> None:
    name = uuid.uuid4().hex
    victim, heir = parts(redis, name), parts(redis, name)
    await victim.enqueue(bells("1"))
    await victim.pump((), want=len(KEYS) * SHARDS)
    await heir.pump((), want=0)
    workers = await heir.workers()
    assert len(workers) == 2 * SHARDS
    dead = [each.worker for each in victim.shards]
    freed = sum([await heir.reap(DeadWorker(name=each, heartbeat=workers[each])) for each in dead])
    assert freed == len(KEYS)
    assert len((await heir.pump((), want=len(KEYS) * SHARDS)).taken) == len(KEYS)


async def test_every_node_is_asked_for_its_policy(redis: RedisThread, cluster: tuple[str, list[Node]]) -> None:
    await check_policy(redis)
    cluster[1][2].client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(QueueError, match=f"allkeys-lru .*{cluster[1][2].port}"):
        await check_policy(redis)
    cluster[1][2].client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("url", ["redis+cluster://", "redis+cluster://one:1/0", "redis+cluster://u:hidden@one:x"])
async def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"redis\.url can't be read; write redis\+cluster://") as caught:
        open_redis(url)
    assert "hidden" not in str(caught.value)
