"""A backup that is made under load, restored into a second gateway that delivers what was waiting."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from pathlib import Path

import trio

from tests import commands
from tests.gateway import GatewayProcess, gateway, register
from tests.sink import Sink, https_sink

CHATS = 20
DOWN = (500, {"retry-after": "600"})
WAITING = {"status": "pending", "connector": "webhook"}


async def wagate(server: GatewayProcess, *arguments: str) -> None:
    """Run a command on the gateway's configuration."""
    done = await commands.wagate(*arguments, "--config", str(server.config))
    assert done.exit_code == 0, done.stderr


async def post(server: GatewayProcess, text: str, chat: int) -> None:
    body = {"from": f"+55119{chat:08}", "to": "+5511888888888", "message": {"text": text}, "message_id": text}
    answer = await server.http.post("/webhook/inbound", json=body | {"tenant_id": "default"})
    assert answer.status_code == 202, answer.text


async def load(server: GatewayProcess, chat: int, taken: list[str], stop: trio.Event) -> None:
    """Messages of one chat, one after the other; ``taken`` has those that got their 2xx."""
    for number in itertools.count():
        if stop.is_set():
            return
        text = f"{chat}:{number}"
        await post(server, text, chat)
        taken.append(text)


def texts(sink: Sink, since: int = 0) -> list[str]:
    return [got.json["content"] for got in sink.accepted[since:]]


async def test_what_was_waiting_is_delivered_by_the_gateway_that_a_backup_is_restored_into(tmp_path: Path) -> None:
    file, taken = tmp_path / "backup.tar", list[str]()
    async with (
        https_sink() as sink,
        gateway(ca_file=sink.ca_file) as first,
        gateway(ca_file=sink.ca_file, start=False) as second,
    ):
        await register(first, sink.url)
        for chat in range(CHATS):
            await post(first, f"{chat}:early", chat)
        await sink.until_accepted(CHATS)
        await until_settled(first)
        sink.script = lambda _: DOWN
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            for chat in range(CHATS):
                nursery.start_soon(load, first, chat, taken, stop)
            while len(taken) < 5 * CHATS:
                await trio.sleep(0.02)
            before = set(taken)
            await wagate(first, "backup", str(file), "--media", str(tmp_path / "media"))
            stop.set()
        assert len(taken) > len(before)  # It served all the while.

        # What the first one still delivers is what the second one repeats.
        sink.script = lambda _: 200
        await try_heads(first, most=1)
        await sink.until_accepted(CHATS + 1)
        first.kill()
        first.kill_valkey()
        again = len(sink.accepted)

        await wagate(second, "restore", str(file), "--media", str(tmp_path / "media"))
        await second.start()
        with trio.fail_after(120):
            while not before <= set(texts(sink, again)):
                await try_heads(second)
        await until_settled(second)
        assert await second.stop() == 0

    late, repeated = texts(sink, again), {got.id for got in sink.accepted[again:]}
    assert set(late) <= set(taken)
    assert Counter(late).most_common(1)[0][1] == 1
    # The same webhook-id for the same message, so that a receiver knows it again.
    assert {got.id for got in sink.accepted[CHATS:again]} & repeated == {
        got.id for got in sink.accepted[CHATS:again] if got.json["content"] in late
    }
    order = defaultdict(list)
    for text in late:
        chat, _, number = text.partition(":")
        order[chat].append(int(number))
    assert all(numbers == sorted(numbers) for numbers in order.values())
    assert len(order) == CHATS


async def try_heads(server: GatewayProcess, *, most: int = CHATS) -> None:
    """Try again what was tried before: the receiver had said when, and is back earlier."""
    query = WAITING | {"limit": "200"}
    tried: list[str] = []
    while len(tried) < most:
        page = (await server.http.get("/api/jobs", params=query)).json()
        tried += [row["id"] for row in page["data"] if row["attempt_count"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    for each in tried[:most]:
        await server.http.post(f"/api/jobs/{each}/retry")


async def until_settled(server: GatewayProcess) -> None:
    """Until every outcome is written."""
    with trio.fail_after(120):
        while (await server.http.get("/api/jobs", params=WAITING)).json()["data"]:
            await trio.sleep(0.05)
