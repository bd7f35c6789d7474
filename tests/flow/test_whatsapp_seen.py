"""What the owner of a number does on the phone with what came in: read it; through the whole gateway."""

from __future__ import annotations

import trio

from tests.whatsapp_gateway import PATIENCE, Whole, whole
from tests.whatsapp_site import ANA, BOB


async def unread(here: Whole) -> dict[str, int]:
    """How much is unread, by chat."""
    answer = await here.server.http.get("/api/main/chats")
    assert answer.status_code == 200, answer.text
    return {each["id"]: each["unreadCount"] for each in answer.json()}


async def until(here: Whole, expected: dict[str, int]) -> None:
    with trio.fail_after(PATIENCE):
        while await unread(here) != expected:
            await trio.sleep(0.05)


async def test_what_is_read_on_the_phone_is_unread_no_more() -> None:
    async with whole() as here:
        await here.link()
        world, ana = here.world, f"{ANA}@c.us"
        group = await world.make_group(ANA, "Team", BOB)
        team = f"{group}@g.us"
        for kind in ("read", "read-self"):
            hello, hi = await world.text(ANA, "hello"), await world.text_in_group(BOB, group, "hi")
            await until(here, {ana: 1, team: 1})
            await world.read_on_phone(ANA, hello, kind)
            await until(here, {ana: 0, team: 1})
            await world.read_on_phone(BOB, hi, kind, group=group)
            await until(here, {ana: 0, team: 0})
