"""How gently a linked number begins chats, with nothing set: through the whole gateway and the real engine."""

from __future__ import annotations

from typing import Any

import trio

from tests.whatsapp_gateway import PATIENCE, Whole, whole
from tests.whatsapp_site import ANA

STRANGERS = [f"551197777000{number}" for number in range(6)]
WAITS = "waits for its turn: a new chat, and the number begins 6 an hour"


async def test_of_six_strangers_five_are_written_to_and_the_sixth_waits_alone() -> None:
    async with whole() as here:
        server = here.fake.server
        for each in STRANGERS:
            server.person(each)
        await here.link()
        await here.world.text(ANA, "hello")
        await here.sink.until(lambda _: here.texts == ["hello"])
        ids = [await queued(here, each) for each in STRANGERS]
        await server.until(lambda: len(server.messages) >= 5)
        waiting = await waits(here, ids[5])
        await arrives(here, ANA, 6)  # known, and behind nobody
        assert await here.server.stop() == 0
        await here.server.start()
        await arrives(here, ANA, 7)
        await arrives(here, STRANGERS[0], 8)  # begun before
        assert await waits(here, ids[5]) == waiting  # a restart gives no turns for nothing
        to = [each.to for each in server.messages]
        assert (sorted(to[:5]), to[5:]) == (STRANGERS[:5], [ANA, ANA, STRANGERS[0]])
        assert server.errors == []


async def arrives(here: Whole, to: str, count: int) -> None:
    """Somebody is written to, and gets it; the fake has seen so many messages then."""
    await queued(here, to)
    await here.fake.server.until(lambda: len(here.fake.server.messages) == count)


async def queued(here: Whole, to: str) -> str:
    """Hand over a message; our id of it."""
    body = {"to": to, "message": "who are you?", "account": "main", "tenant_id": "default"}
    answer = await here.server.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def waits(here: Whole, id_: str) -> dict[str, Any]:
    """The message, once it says that it waits."""
    with trio.fail_after(PATIENCE):
        while (seen := (await here.server.http.get(f"/messages/{id_}")).json())["error"] != WAITS:
            await trio.sleep(0.05)
    assert seen["status"] == "queued"
    return {name: seen[name] for name in ("id", "chat", "status", "error")}
