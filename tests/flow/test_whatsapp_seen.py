"""What WhatsApp tells beside messages: that its owner read a chat on the phone, and that a picture changed."""

from __future__ import annotations

from typing import Any

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


async def test_a_picture_that_changes_is_an_event() -> None:
    async with whole() as here:
        body = {"phone_number": "*", "webhook_url": f"{here.sink.url}?pictures", "name": "pictures"}
        answer = await here.server.http.post("/api/webhooks/register", json=body | {"events": ["unknown", "group.*"]})
        assert answer.status_code == 201, answer.text
        await here.link()
        world = here.world
        group = await world.make_group(ANA, "Team", BOB)
        await world.text(ANA, "hello")
        await world.change_picture(ANA)
        await world.change_picture(ANA, group)
        await world.change_picture(BOB, removed=True)

        def came() -> list[dict[str, Any]]:
            return [each.json for each in here.sink.accepted if each.json["event"] in {"unknown", "group.v2.update"}]

        await here.sink.until(lambda _: len(came()) == 3)
        told = {(each["event"], each["chat"]): each for each in came()}
        assert told["unknown", ANA]["picture"] == "changed"
        assert told["unknown", BOB]["picture"] == "removed"
        of_group = told["group.v2.update", f"{group}@g.us"]
        assert (of_group["group"], of_group["author"]) == ({"id": f"{group}@g.us", "picture": "changed"}, f"{ANA}@c.us")
