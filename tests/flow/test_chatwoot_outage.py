"""Chatwoot away for hours, or with a token that is no longer right: nothing lost, nothing done by hand."""

from __future__ import annotations

from typing import Any

from tests.chatwoot_office import ANA, Office, office, phone
from wagate.testing.chatwoot import faults
from wagate.testing.server import Fault, Reply, Seen

HOUR = 3600
CHATS = [phone(number) for number in range(3)]


def away(seen: Seen) -> Fault | None:
    """Chatwoot's proxy answers in its place."""
    return Fault(reply=Reply(status=502, body=faults.BAD_GATEWAY)) if seen.path.startswith("/api/") else None


def nothing(_seen: Seen) -> Fault | None:
    return None


def arrived(here: Office) -> bool:
    return len(here.chatwoot.posted()) >= sum(map(len, here.written.values()))


def assert_all_in_order(here: Office) -> None:
    for chat, ids in here.written.items():
        assert here.sources(chat) == ids, chat


async def waits_longest(here: Office) -> dict[str, Any]:
    """The oldest delivery that waits."""
    found = await here.gateway.ask("GET", "/api/jobs", params={"connector": "chatwoot", "limit": 200})
    rows = [row for row in found["data"] if row["status"] not in {"delivered", "completed"}]
    return rows[-1] if rows else {}


async def held(here: Office) -> dict[str, Any]:
    """The delivery that waits longest, when it was refused for the token and waits for the next look."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        found.update(await waits_longest(here))
        return found.get("status") == "pending" and "Invalid Access Token" in str(found["error"])

    await here.gateway.until(there, lambda: str(found))
    return found


async def test_six_hours_without_chatwoot_lose_nothing_and_swap_nothing() -> None:
    async with office() as here:
        talk = await here.talk(CHATS[0])
        here.chatwoot.chance = away
        for number in range(6):
            for chat in CHATS:
                await here.comes(f"{number}", chat)
            await here.gateway.passes(HOUR, step=HOUR / 6)
        # An agent's screen still works: its webhooks come all the time.
        written = here.chatwoot.agent.writes(talk, "meanwhile")
        await here.until_sent(1)
        await here.ack(here.waha.sent[0]["_id"], 3, CHATS[0])
        tried = len(here.chatwoot.seen)
        assert tried < 400, "it is probed, not hammered"
        assert len(here.chatwoot.posted()) == 1
        here.chatwoot.chance = nothing
        await here.gateway.passes_until(lambda: arrived(here), step=60, most=16 * 60)
        assert_all_in_order(here)
        await here.gateway.passes_until(lambda: written.status == "read", step=60, most=16 * 60)
        assert here.sent(CHATS[0]) == ["meanwhile"]


async def test_a_token_that_is_not_right_pauses_the_inbox_with_a_reason_until_it_is() -> None:
    async with office() as here:
        await here.talk()
        token, here.chatwoot.user.token = here.chatwoot.user.token, "changed by an administrator"
        for number in range(5):
            await here.comes(f"{number}")
        await held(here)
        tried = len(here.chatwoot.seen)
        await here.gateway.passes(2 * HOUR, step=HOUR / 6)
        waiting = await held(here)
        assert waiting["attempt_count"] <= 1, "no attempts are spent on what no attempt can mend"
        assert len(here.chatwoot.seen) - tried < 60, "it is probed, not hammered"
        here.chatwoot.user.token = token
        await here.gateway.passes_until(lambda: arrived(here), step=60, most=HOUR)
        assert_all_in_order(here)


async def test_an_inbox_that_is_away_delays_no_other_inbox_and_not_its_own_agents() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.chance = away
        await here.comes("waits")
        for number in range(3):
            here.chatwoot.agent.writes(talk, f"{number}")
            await here.chatwoot.webhooks.settled()
        await here.until_sent(3)
        assert here.sent() == ["0", "1", "2"]


async def test_what_chatwoot_throttles_comes_later_and_in_order() -> None:
    async with office() as here:
        await here.talk()
        here.chatwoot.fail(faults.throttled(20, path="/messages"), faults.too_many_messages())
        for number in range(3):
            await here.comes(f"{number}")
        await here.gateway.passes_until(lambda: arrived(here), step=5, most=300)
        assert here.sources(ANA) == here.written[ANA]


async def test_more_than_a_conversation_takes_in_a_minute_arrives_in_the_next() -> None:
    async with office() as here:
        here.chatwoot.state.flood = 10
        for number in range(25):
            await here.comes(f"{number}")
        await here.gateway.passes_until(lambda: arrived(here), step=10, most=600)
        assert here.sources(ANA) == here.written[ANA]
