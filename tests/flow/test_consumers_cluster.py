"""Two processes whose queue is shared by the nodes of a real Redis Cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Node, until_whole, valkey_cluster
from tests.consuming import open_world

CHATS = [f"c{number}" for number in range(24)]
SHARDS = 6


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[Node]]]:
    with valkey_cluster() as made:
        yield made


async def test_a_node_that_restarts_empty_costs_no_message_and_no_order(
    cluster: tuple[str, list[Node]], tmp_path: Path, database_url: str
) -> None:
    url, nodes = cluster
    async with open_world(url, tmp_path, database_url=database_url, shared=True, shards=SHARDS) as world:
        async with world.running() as one, world.running():
            ids = [each for chat in CHATS for each in await world.send(chat, f"{chat}:0", f"{chat}:1")]
            await world.statuses(ids, "delivered")
            push = one._queues.push
            there = f"redis://127.0.0.1:{nodes[1].port}/0"
            keys = await world.sql("SELECT DISTINCT chat, key FROM deliveries")
            homes = {chat.removesuffix("@c.us"): await push.of(key).home() for chat, key in keys}
            elsewhere = [chat for chat in CHATS if homes[chat] != there]
            assert 0 < len(elsewhere) < len(CHATS)
            nodes[1].kill()
            later = {chat: await world.send(chat, f"{chat}:2", f"{chat}:3") for chat in CHATS}
            for chat in elsewhere:
                await world.statuses(later[chat], "delivered")
            held = [each for chat in CHATS if chat not in elsewhere for each in later[chat]]
            assert {(await world.row(each)).delivery.status for each in held} == {"pending"}
            nodes[1].start()
            until_whole(nodes)
            assert not nodes[1].client.keys("{wg:*k:*"), "it begins with nothing"
            await world.statuses(held, "delivered")
        for chat in CHATS:
            assert world.receiver.contents(chat) == [f"{chat}:{number}" for number in range(4)]
        assert set(Counter(world.receiver.contents()).values()) == {1}
