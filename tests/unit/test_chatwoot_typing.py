"""Agents see that a customer types."""

from __future__ import annotations

import msgspec
import pytest

from tests.chatwoot_desk import CHAT, Desk, a_desk
from wagate.events import Event
from wagate.testing import make_delivery, make_event
from wagate.testing.server import Fault, Reply


def presence(state: str, chat: str = CHAT) -> Event:
    extra = {"presences": [{"participant": chat, "lastKnownPresence": state}]}
    return make_event(kind="presence.update", chat=chat, sender=chat, type="presence", extra=extra)


def targets(desk: Desk, event: Event) -> list[str]:
    return [each.id for each in desk.handler.targets(event)]


async def comes(desk: Desk, state: str, *, after: float = 0.0) -> None:
    event = msgspec.structs.replace(presence(state), created_at=desk.fakes.clock.now())
    desk.fakes.clock.shift(after)
    await desk.handle(make_delivery(event, target="typing/support"))


def shown(desk: Desk) -> list[str]:
    found = [each.json["typing_status"] for each in desk.server.seen if each.path.endswith("/toggle_typing")]
    told = [each.event for each in desk.server.webhooks.sent if each.event.startswith("conversation_typing")]
    assert [f"conversation_typing_{each}" for each in found] == told or not desk.server.inbox.webhook_url
    return found


async def test_a_customer_who_types_or_records_is_shown_to_agents_until_they_stop() -> None:
    async with a_desk() as desk:
        await desk.takes()
        for state in ("typing", "typing", "paused", "recording", "online", "offline"):
            await comes(desk, state)
        assert shown(desk) == ["on", "off", "on", "off"]
        await comes(desk, "typing")
        desk.fakes.clock.shift(20)
        await comes(desk, "typing")
        assert shown(desk)[4:] == ["on", "on"]
        assert sum(each.path.endswith("/inboxes/7") for each in desk.server.seen) == 1


async def test_nothing_is_shown_where_there_is_no_conversation_or_it_is_too_late() -> None:
    async with a_desk() as desk:
        await comes(desk, "typing")
        await desk.takes()
        await comes(desk, "recording", after=60)
        assert shown(desk) == []


async def test_a_chatwoot_that_is_away_costs_nothing_but_the_sight() -> None:
    async with a_desk() as desk:
        await desk.takes()
        desk.server.fail(*[Fault(reply=Reply(status=503))] * 2)
        await comes(desk, "typing")
        await comes(desk, "paused")
        assert shown(desk) == []


@pytest.mark.parametrize(("state", "count"), [("typing", 1), ("paused", 1), ("offline", 1), ("", 0), ("sleeping", 0)])
async def test_only_what_tells_of_typing_has_a_target_apart_from_messages(state: str, count: int) -> None:
    async with a_desk() as desk:
        assert targets(desk, presence(state)) == ["typing/support"] * count
        assert targets(desk, presence(state, "120363000000000000@g.us")) == []
    async with a_desk(show_typing=False) as desk:
        assert targets(desk, presence(state)) == []
