"""Agents take back what has not left yet, through a whole gateway."""

from __future__ import annotations

from tests.chatwoot_office import office


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


async def test_what_was_sent_stays_and_a_note_says_so() -> None:
    async with office() as here:
        talk = await here.talk()
        written = here.chatwoot.agent.writes(talk, "too late")
        await here.until_sent(1)
        here.chatwoot.agent.deletes(written)
        await here.until(lambda: any(each.private for each in here.chatwoot.posted()))
        [note] = [each for each in here.chatwoot.posted() if each.private]
        assert "WhatsApp still" in (note.content or "")
        assert here.sent() == ["too late"]
