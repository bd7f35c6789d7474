"""Contacts and older messages written in Chatwoot, and what agents wrote while nobody listened: in whole gateways."""

from __future__ import annotations

from typing import Any

from tests.chatwoot_office import ANA, Office, office, phone
from wagate.testing.chatwoot import faults
from wagate.testing.server import Fault, Reply, Seen

BEN = phone(2)
Json = dict[str, Any]


def refuse(request: Seen) -> Fault | None:
    """Chatwoot takes no message: what comes now is in wagate's archive alone."""
    wrong = Reply(status=422, json={"error": "Content is invalid"})
    return Fault(reply=wrong) if request.method == "POST" and request.path.endswith("/messages") else None


def take(_request: Seen) -> Fault | None:
    return None


async def archive(here: Office, count: int) -> None:
    """Messages of two people that never reached Chatwoot."""
    here.chatwoot.chance = refuse
    for number in range(count):
        await here.comes(f"old {number}", (ANA, BEN)[number % 2])
    await given_up(here, count)
    here.chatwoot.chance = take
    here.chatwoot.seen.clear()


async def given_up(here: Office, count: int) -> None:
    """Wait until Chatwoot has refused so many deliveries for good."""

    async def there() -> bool:
        rows = await here.gateway.ask("GET", "/api/jobs", params={"connector": "chatwoot", "limit": 200})
        return [row["status"] for row in rows["data"]] == ["failed"] * count

    await here.gateway.until(there)


async def begin(here: Office, what: str, **fields: str) -> None:
    await here.gateway.ask("POST", "/plugins/chatwoot/pulls", 202, json={"inbox": "desk", "what": what, **fields})


async def ended(here: Office, what: str, state: str = "finished") -> tuple[int, int, int]:
    """(written, known already, failed) when it came to its end."""
    found: Json = {}

    async def there() -> bool:
        rows = await here.gateway.http.get("/plugins/chatwoot/pulls", params={"inbox": "desk"})
        found.update(next(row for row in rows.json()["data"] if row["what"] == what))
        return bool(found["state"] == state)

    await here.gateway.until(there, lambda: str(found))
    return found["done"], found["skipped"], found["failed"]


async def test_older_messages_are_written_in_the_order_of_each_chat_with_their_dates_and_once() -> None:
    async with office(pull="off") as here:
        await archive(here, 6)
        here.gateway.clock.shift(7200)
        await begin(here, "messages", since="7d")
        assert await ended(here, "messages") == (6, 0, 0)
        for chat, ids in here.written.items():
            assert here.sources(chat) == ids
        assert [each.content for each in here.chatwoot.posted(ANA) if not (each.content or "").startswith("🗓️ 2")] == []
        await begin(here, "messages", since="7d")
        assert await ended(here, "messages") == (0, 6, 0)
        assert len(here.chatwoot.posted()) == 6


async def test_a_message_that_came_by_itself_is_not_written_again_and_older_ones_than_asked_for_are_left() -> None:
    async with office(pull="off") as here:
        await archive(here, 2)
        here.gateway.clock.shift(7200)
        await here.talk(ANA, "by itself")
        await begin(here, "messages", since="1h")
        assert await ended(here, "messages") == (0, 1, 0)
        assert len(here.chatwoot.posted()) == 1


async def test_a_pull_waits_while_chatwoot_is_away_and_goes_on_when_it_is_back() -> None:
    async with office(pull="off") as here:
        await archive(here, 3)
        here.chatwoot.chance = lambda request: faults.bad_gateway(path=request.path)
        await begin(here, "messages", since="7d")
        await here.chatwoot.until(lambda: any("/messages" in seen.path for seen in here.chatwoot.seen))
        here.chatwoot.chance = take
        await here.gateway.passes_until(lambda: len(here.chatwoot.posted()) == 3, step=5, most=600)
        assert await ended(here, "messages") == (3, 0, 0)
        assert here.sources(ANA) == here.written[ANA]


async def test_a_message_that_chatwoot_refuses_is_counted_and_the_others_are_written() -> None:
    async with office(pull="off") as here:
        await archive(here, 3)
        here.chatwoot.chance = lambda request: refuse(request) if b"old 1" in request.body else None
        await begin(here, "messages", since="7d")
        done, skipped, failed = await ended(here, "messages")
        assert (done, skipped, failed) == (2, 0, 1)


async def test_contacts_are_made_without_conversations_and_once() -> None:
    async with office(pull="off") as here:
        here.chatwoot.chance = lambda request: (
            Fault(reply=Reply(status=422, json={"error": "no"})) if "contact" in request.path else None
        )
        await here.comes("old", ANA)
        await here.comes("old", BEN)
        await given_up(here, 2)
        here.chatwoot.chance = take
        await begin(here, "contacts")
        assert await ended(here, "contacts") == (2, 0, 0)
        assert {each.phone_number for each in here.chatwoot.state.contacts} == {"+19990000000", "+19990000002"}
        assert here.chatwoot.state.conversations == []
        await here.talk(ANA)
        assert len(here.chatwoot.state.contacts) == 2


async def test_a_strangers_inbox_is_not_there() -> None:
    async with office() as here:
        client = await here.gateway.client("acme")
        headers = {"Authorization": f"Bearer {client['token']}"}
        body = {"inbox": "desk", "what": "contacts"}
        await here.gateway.ask("POST", "/plugins/chatwoot/pulls", 404, json=body, headers=headers)
        answer = await here.gateway.http.get("/plugins/chatwoot/pulls", headers=headers)
        assert answer.json()["data"] == []
        await here.gateway.ask("POST", "/plugins/chatwoot/pulls", 422, json={**body, "since": "soon"})
