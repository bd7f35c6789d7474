"""What others do to groups, names and pictures: from the fake server through the whole gateway to a webhook."""

from __future__ import annotations

from typing import Any

from tests.whatsapp_gateway import Whole, whole
from tests.whatsapp_site import ANA, BOB, OURS

EVA = "5511988880003"
ANAS, BOBS, EVAS, OURSELVES = (f"{each}@c.us" for each in (ANA, BOB, EVA, OURS))


def came(here: Whole) -> list[dict[str, Any]]:
    """What the webhook got about groups."""
    return [each.json for each in here.sink.accepted if each.json["event"].startswith("group.")]


async def told(here: Whole, at: int) -> dict[str, Any]:
    """The event at this place, once it is there; who did it, and when, is in each."""
    await here.sink.until(lambda _: len(came(here)) > at)
    event = came(here)[at]
    assert (event["type"], event["session"]) == ("group", "main")
    return event


async def test_what_others_do_to_groups_comes_as_events() -> None:
    async with whole() as here:
        here.fake.server.person(EVA)
        await listen(here)
        await here.link()
        world = here.world
        group = await world.make_group(ANA, "Team", BOB)
        chat = f"{group}@g.us"
        joined = await told(here, 0)
        assert (joined["event"], joined["chat"], joined["group_name"]) == ("group.v2.join", chat, "Team")
        roles = {ANAS: "superadmin", OURSELVES: "participant", BOBS: "participant"}
        assert {each["id"]: each["role"] for each in joined["group"]["participants"]} == roles
        assert (joined["members"], joined["group"]["description"]) == (3, "")

        await world.rename_group(ANA, group, "Crew 🚢")
        await world.describe_group(ANA, group, "Who sails")
        await world.describe_group(BOB, group, "")
        await world.rule_group(ANA, group, "announcement")
        await world.rule_group(ANA, group, "unlocked")
        changes: list[dict[str, Any]] = [
            {"subject": "Crew 🚢"},
            {"description": "Who sails"},
            {"description": ""},
            {"membersCanSendMessages": False},
            {"membersCanEditInfo": True},
        ]
        for place, change in enumerate(changes, start=1):
            event = await told(here, place)
            assert (event["event"], event["group"]) == ("group.v2.update", {"id": chat, **change})
            assert event["author"] == (BOBS if place == 3 else ANAS)
        assert (await told(here, 1))["group_name"] == "Crew 🚢"

        for verb, phones in (("add", (EVA,)), ("promote", (BOB, EVA)), ("demote", (BOB,)), ("remove", (EVA, OURS))):
            await world.change_members(ANA, group, verb, *phones)
        people = [await told(here, place) for place in range(6, 11)]
        assert [(each["event"], each["provider_type"], each["participants"]) for each in people] == [
            ("group.v2.participants", "join", [EVAS]),
            ("group.v2.participants", "promote", [BOBS, EVAS]),
            ("group.v2.participants", "demote", [BOBS]),
            ("group.v2.leave", "leave", [OURSELVES]),
            ("group.v2.participants", "leave", [EVAS]),
        ]
        assert [each.get("members") for each in people] == [0, None, None, 0, 0]
        assert here.sink.duplicates == 0
        assert here.fake.server.errors == []


async def test_what_happens_to_groups_while_the_gateway_is_down_comes_after_it_once() -> None:
    async with whole() as here:
        await listen(here)
        await here.link()
        group = await here.world.make_group(ANA, "Team", BOB)
        await told(here, 0)
        assert await here.server.stop() == 0
        await here.world.rename_group(ANA, group, "Crew")
        await here.server.start()
        assert (await told(here, 1))["group_name"] == "Crew"
        device = here.fake.server.device(OURS)
        await here.fake.server.until(lambda: not device.queue)  # WhatsApp has the receipt
        await here.world.text(ANA, "last")
        await here.sink.until(lambda _: here.texts == ["last"])
        assert len(came(here)) == 2


async def test_names_and_pictures_of_people_and_groups_are_asked_of_whatsapp() -> None:
    async with whole() as here:
        await here.link()
        world = here.world
        group = world.group("Friends", ANA, BOB)
        await world.text(ANA, "hello")  # her name comes along
        await here.sink.until(lambda _: here.texts == ["hello"])

        async def picture_of(chat: str) -> Any:
            asked = {"session": "main", "contactId": chat}
            return (await ask(here, "/api/contacts/profile-picture", **asked))["profilePictureURL"]

        assert await picture_of(ANAS) is None
        shown = world.show(ANA, b"\xff\xd8\xff of Ana")
        assert await picture_of(ANAS) == shown
        assert await picture_of(BOBS) is None
        assert (await ask(here, f"/api/main/groups/{group}@g.us/picture"))["url"] is None
        shown = world.show(group, b"\xff\xd8\xff of friends")
        assert (await ask(here, f"/api/main/groups/{group}@g.us/picture"))["url"] == shown
        assert (await ask(here, f"/api/main/groups/{group}@g.us"))["subject"] == "Friends"
        assert here.fake.server.errors == []


async def listen(here: Whole) -> None:
    """The receiver wants to hear of groups, too."""
    body = {"phone_number": "*", "webhook_url": f"{here.sink.url}?groups", "name": "groups", "events": ["group.*"]}
    answer = await here.server.http.post("/api/webhooks/register", json=body)
    assert answer.status_code == 201, answer.text


async def ask(here: Whole, path: str, **query: str) -> Any:
    """By WAHA's paths."""
    answer = await here.server.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()
