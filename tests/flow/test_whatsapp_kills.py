"""The gateway of a linked number is killed while it changes or sends something; through the real engine."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import httpx2
import pytest
import trio

from tests.effort import effort
from tests.whatsapp_gateway import PATIENCE, Whole, whole
from tests.whatsapp_site import ANA, BOB

ROUNDS = effort(1, 7)
"""Of each way to kill."""
EACH = 6
"""Messages each way in a round."""
SETTLE = 300.0


@pytest.mark.parametrize("verb", ["edit", "revoke"])
async def test_a_kill_between_a_change_and_its_note_leaves_the_conversation_right(verb: str) -> None:
    async with whole() as here:
        await here.link()
        server = here.fake.server
        sent = await here.send("helo")
        await server.until(lambda: len(server.messages) == 1)
        server.held = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(change, here, verb, sent["id"])
            await server.until(lambda: len(server.messages) == 2)  # Ana has it, and WhatsApp has not said so
            here.server.kill()
            server.held.set()
        server.held = None
        await here.engines_gone()
        await here.server.start()
        with trio.fail_after(PATIENCE):
            while not (seen := await newest(here))["edited_at" if verb == "edit" else "revoked_at"]:
                await trio.sleep(0.05)
        assert verb == "revoke" or seen["content"] == "hello"
        assert len(server.messages) == 2  # and nothing is done again
        assert server.errors == []


async def change(here: Whole, verb: str, id_: str) -> None:
    """By API; the gateway is killed meanwhile."""
    with contextlib.suppress(httpx2.HTTPError):
        if verb == "edit":
            await here.server.http.put(f"/messages/{id_}", json={"text": "hello"})
        else:
            await here.server.http.delete(f"/messages/{id_}")


async def newest(here: Whole) -> dict[str, Any]:
    """Of Ana's conversation."""
    answer = await here.server.http.get(f"/api/conversations/{ANA}@c.us/messages")
    found: dict[str, Any] = answer.json()["data"][0]
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_kills_while_messages_go_both_ways_send_none_twice_and_lose_none() -> None:
    async with whole() as here:
        await here.link()
        server = here.fake.server
        server.receipts = 0  # nothing settles a doubt
        for each in (ANA, BOB):
            await here.world.text(each, "warm")
        await here.sink.until(lambda _: here.texts == ["warm", "warm"])
        ids: dict[str, str] = {}
        for way in ("gateway", "engine", "both"):
            for number in range(ROUNDS):
                await killed(here, f"{way} {number}", ids)
        became = {text: await settled(here, id_) for text, id_ in ids.items()}
        arrived = Counter(each.text for each in server.messages)
        doubts = [text for text, status in became.items() if status == "unknown"]
        print("\nin doubt", doubts, "of them arrived", [text for text in doubts if arrived[text]])
        assert set(became.values()) <= {"sent", "unknown"}
        assert set(arrived.values()) == {1}  # none twice
        assert [text for text in ids if not arrived[text] and text not in doubts] == []  # none lost without a word
        assert len(doubts) <= 2 * 3 * ROUNDS  # of each chat what was under way
        for who in (ANA, BOB):  # nor is a chat reordered
            texts = [each.text for each in server.messages if each.to == who]
            assert texts == [text for text in ids if text in set(texts)]


async def killed(here: Whole, name: str, ids: dict[str, str]) -> None:
    """Messages both ways, and a kill once the first of ours is out."""
    server, before = here.fake.server, len(here.fake.server.messages)

    async def they() -> None:
        for place in range(EACH):
            await here.world.text(ANA, f"in {name} {place}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(they)
        for place in range(EACH):
            text, to = f"out {name} {place}", (ANA, BOB)[place % 2]
            body = {"to": to, "message": text, "account": "main", "tenant_id": "default"}
            answer = await here.server.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202, answer.text
            ids[text] = answer.json()["id"]
        await server.until(lambda: len(server.messages) > before)
        {"gateway": here.server.kill, "engine": here.kill_engine, "both": here.kill_both}[name.partition(" ")[0]]()
        if not name.startswith("engine"):
            await here.server.start()
    for place in range(EACH):
        await settled(here, ids[f"out {name} {place}"])
    await here.world.text(BOB, f"last {name}")
    await here.sink.until(lambda _: f"last {name}" in here.texts, PATIENCE)


async def settled(here: Whole, id_: str) -> str:
    """What became of a message of ours, once that is known or never will be."""
    with trio.fail_after(SETTLE):
        while (found := (await here.server.http.get(f"/messages/{id_}")).json()["status"]) in {"queued", "sending"}:
            await trio.sleep(0.2)
    return str(found)
