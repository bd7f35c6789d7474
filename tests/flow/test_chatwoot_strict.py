"""The connector before a Chatwoot that does by itself what the real one does."""

from __future__ import annotations

from tests.chatwoot_office import ANA, KEY, office
from wagate.testing.server import Fault, Reply


async def test_greetings_and_what_is_said_out_of_office_reach_the_customer() -> None:
    async with office() as here:
        here.chatwoot.inbox.greeting = "Welcome to **Acme**"
        await here.comes("hello")
        await here.until_sent(1)
        here.chatwoot.inbox.out_of_office = "We are back\non Monday"
        await here.comes("anybody?", "19990000002@c.us")
        await here.until_sent(2)
        assert here.sent(ANA) == ["Welcome to *Acme*"]
        assert here.sent("19990000002@c.us") == ["We are back\non Monday"]


async def test_a_reply_that_failed_is_sent_again_by_a_newer_retry() -> None:
    async with office() as here:
        talk = await here.talk()
        here.waha.fail(Fault(reply=Reply(status=422, json={"message": "no such number"}), path="/api/sendText"))
        quoted = here.posts()[0]
        reply = here.chatwoot.agent.replies(quoted, "yes")
        await here.until(lambda: reply.status == "failed")
        here.chatwoot.agent.retries(reply, newer=True)
        await here.until_sent(1)
        [taken] = here.waha.sent
        assert (taken["text"], taken["reply_to"]) == ("yes", quoted.source_id)
        assert talk.id == reply.conversation.id


async def test_a_customers_typing_is_seen_by_agents() -> None:
    async with office() as here:
        await here.talk()
        rows = [{"participant": ANA, "lastKnownPresence": "recording", "lastSeen": None}]
        await here.waha_says(here.waha.webhook("presence.update", {"id": ANA, "presences": rows}, key=KEY))
        await here.until(lambda: any(seen.path.endswith("/toggle_typing") for seen in here.chatwoot.seen))


async def test_a_contact_that_somebody_makes_at_the_same_moment_is_found() -> None:
    async with office() as here:
        here.chatwoot.state.racing = [{"identifier": ANA, "name": "Ana"}]
        await here.comes("hello")
        await here.chatwoot.until_posted(1)
        assert len(here.chatwoot.state.contacts) == 1
