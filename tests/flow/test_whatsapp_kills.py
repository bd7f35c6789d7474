"""The gateway of a linked number is killed while it changes or sends something; through the real engine."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx2
import pytest
import trio

from tests.whatsapp_gateway import PATIENCE, Whole, whole
from tests.whatsapp_site import ANA


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
