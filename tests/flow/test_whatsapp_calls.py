"""Calls: each rings, and then was answered or was not; against the fake server, with the library's own events."""

from __future__ import annotations

from pathlib import Path

from tests.whatsapp_gateway import PATIENCE, whole
from tests.whatsapp_site import ANA, of_kind, site
from wagate.events import NewEvent

RECEIVED, ACCEPTED, REJECTED = "call.received", "call.accepted", "call.rejected"


async def test_a_call_rings_and_is_answered_or_not(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        world = here.world
        for call in ("MISSED", "REFUSED", "ELSEWHERE", "ANSWERED"):
            await world.call(ANA, call)
        await world.hang_up(ANA, "MISSED")
        await world.hang_up(ANA, "REFUSED", reason="rejected_elsewhere")
        await world.hang_up(ANA, "ELSEWHERE", reason="accepted_elsewhere")
        await world.pick_up(ANA, "ANSWERED")
        await inlet.until(lambda: len(of_kind(inlet, ACCEPTED)) == 2)
        for call in ("ELSEWHERE", "ANSWERED"):  # the talk is over
            await world.hang_up(ANA, call, reason="")
        await world.text(ANA, "last")
        await inlet.until(lambda: inlet.texts == ["last"])

        def became(call: str) -> list[str]:
            return [each.kind for each in calls if each.extra["call"]["id"] == call]

        calls: list[NewEvent] = [each for each in inlet.events if each.type == "call"]
        assert became("MISSED") == became("REFUSED") == [RECEIVED, REJECTED]
        assert became("ELSEWHERE") == became("ANSWERED") == [RECEIVED, ACCEPTED]
        assert {(each.chat, each.sender, each.extra["call"]["from"]) for each in calls} == {(f"{ANA}@c.us",) * 3}
        assert here.fake.server.errors == []


async def test_the_end_of_an_answered_call_reaches_no_webhook() -> None:
    async with whole() as here:
        wanted = {
            "phone_number": "*",
            "name": "calls",
            "webhook_url": f"{here.sink.url}?calls",
            "events": [RECEIVED, ACCEPTED, REJECTED],
        }
        made = await here.server.http.post("/api/webhooks/register", json=wanted)
        assert made.status_code == 201, made.text
        await here.link()
        await here.world.call(ANA, "CALL1")
        await here.world.pick_up(ANA, "CALL1")
        await here.world.hang_up(ANA, "CALL1", reason="")
        await here.world.call(ANA, "CALL2")
        await here.world.hang_up(ANA, "CALL2")
        await here.sink.until(lambda _: len(here.sink.accepted) >= 4, PATIENCE)
        got = [(each.json["event"], each.json["message_id"]) for each in here.sink.accepted]
        assert got == [(RECEIVED, "CALL1"), (ACCEPTED, "CALL1"), (RECEIVED, "CALL2"), (REJECTED, "CALL2")]
