"""Agents take back what has not left yet, and what has, through a whole gateway."""

from __future__ import annotations

from tests.chatwoot_office import ANA, KEY, office
from wagate.testing.server import Fault, Reply


async def test_what_waits_for_its_provider_is_taken_back_when_it_is_deleted() -> None:
    async with office() as here:
        talk = await here.talk()
        here.waha.statuses["default"] = "STARTING"
        first, second, third = (here.chatwoot.agent.writes(talk, text) for text in ("one", "two", "three"))
        await here.chatwoot.webhooks.settled()
        await here.gateway.passes(30, step=5)
        here.chatwoot.agent.deletes(second)
        await here.chatwoot.webhooks.settled()
        await here.gateway.passes(30, step=5)
        here.waha.statuses["default"] = "WORKING"
        await here.gateway.passes_until(lambda: len(here.waha.sent) == 2, step=30, most=1800)
        await here.gateway.passes(120, step=20)
        assert here.sent() == ["one", "three"]
        assert (first.status, third.status) == ("sent", "sent")
        assert not [each for each in here.chatwoot.posted() if each.private]


async def test_what_was_sent_is_revoked_once_and_nothing_is_written_about_it() -> None:
    async with office() as here:
        talk = await here.talk()
        written, stays = here.chatwoot.agent.writes(talk, "a mistake"), here.chatwoot.agent.writes(talk, "right")
        await here.until_sent(2)
        here.chatwoot.agent.deletes(written)
        await here.waha.until(lambda: len(here.waha.revoked) == 1)
        [sent] = [each for each in here.waha.sent if each["text"] == "a mistake"]
        await here.waha_says(here.waha.webhook("message.revoked", here.waha.revocation(sent), key=KEY))
        await here.comes("thank you")
        await here.until(lambda: here.chatwoot.posted()[-1].content == "thank you")
        await here.gateway.passes(120, step=20)
        assert here.waha.revoked == [(ANA, sent["_id"])]
        assert not [each for each in here.chatwoot.posted() if each.private]
        assert stays.status == "sent"


async def test_a_revocation_waits_until_whatsapp_is_connected_again() -> None:
    async with office() as here:
        talk = await here.talk()
        written = here.chatwoot.agent.writes(talk, "a mistake")
        await here.until_sent(1)
        here.waha.statuses["default"] = "STARTING"
        here.chatwoot.agent.deletes(written)
        await here.chatwoot.webhooks.settled()
        await here.gateway.passes(60, step=5)
        assert here.waha.revoked == []
        here.waha.statuses["default"] = "WORKING"
        await here.gateway.passes_until(lambda: bool(here.waha.revoked), step=5, most=600)
        assert here.waha.revoked == [(ANA, here.waha.sent[0]["_id"])]
        assert not [each for each in here.chatwoot.posted() if each.private]


async def test_what_can_not_be_revoked_stays_and_a_note_says_so() -> None:
    async with office() as here:
        talk = await here.talk()
        written = here.chatwoot.agent.writes(talk, "too late")
        await here.until_sent(1)
        here.waha.fail(Fault(reply=Reply(status=501), path="/api/default/chats/"))
        here.chatwoot.agent.deletes(written)
        await here.until(lambda: any(each.private for each in here.chatwoot.posted()))
        [note] = [each for each in here.chatwoot.posted() if each.private]
        assert "still in WhatsApp" in (note.content or "")
        assert (here.sent(), here.waha.revoked) == (["too late"], [])
