"""Chats that are not taken in: what we send there has its statuses all the same, and nothing else is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.inprocess import Gateway, running_gateway
from tests.sending import FakeProvider, Post, open_post
from wagate.errors import OutcomeUnknownError
from wagate.events import NewEvent
from wagate.events.acks import ack_extra
from wagate.inbound.ignore import IgnoreFilter
from wagate.storage.database import open_database
from wagate.storage.owners.accounts import NewAccount
from wagate.storage.statement import rows
from wagate.testing.providers.session import FakeSessions
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

pytest_plugins = ("tests.patience", "tests.valkey")
pytestmark = pytest.mark.usefixtures("patient")

GROUP = "120363041234567890@g.us"
SECRET = "what the provider posts with"
MAIN = NewAccount(name="main", client_id=1, provider="pigeon", phone="5511888888888", ignore={"groups": True})


async def ack(post: Post, status: str, provider_id: str, **fields: Any) -> int:
    """The provider reports about a message in the group; how many events were stored."""
    event = NewEvent(kind="message.ack", message_id=provider_id, chat=GROUP, extra=ack_extra(status), **fields)
    owned = await IgnoreFilter(post.world.database).taken_in([(post.live.now.accounts["main"], event)])
    return len(await post.receiver.receive_all(owned, b""))


async def test_statuses_of_a_message_to_an_ignored_group_are_folded(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=[MAIN]) as post, post.running():
        first, second = await post.send("1", "2", chat=GROUP)
        await post.status(second, "sent")
        for status in ("delivered", "read"):
            assert await ack(post, status, "pigeon.1") == 1
            assert (await post.view(first)).status == status
        assert await ack(post, "failed", "pigeon.2") == 1
        assert (await post.view(second)).status == "failed"
        assert await ack(post, "read", "from the phone") == 0


@pytest.mark.parametrize("by", ["reference", "chat"])
async def test_what_is_unknown_in_an_ignored_group_takes_reports_in(
    by: str, external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(script={"1": [OutcomeUnknownError("no answer")]})
    async with (
        open_post(external_url, tmp_path, database_url=database_url, accounts=[MAIN], provider=provider) as post,
        post.running(),
    ):
        [first] = await post.send("1", chat=GROUP)
        await post.status(first, "unknown")
        assert await ack(post, "delivered", "late.1", reference=first if by == "reference" else "") == 1
        view = await post.view(first)
        assert (view.status, view.message_id) == (("delivered", "late.1") if by == "reference" else ("unknown", None))
        # With nothing open there any more, only what is known to be ours comes in.
        assert await ack(post, "read", "from the phone") == (0 if by == "reference" else 1)


async def test_a_report_in_an_ignored_group_that_is_quicker_than_the_answer_is_not_lost(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    wait = trio.Event()
    provider = FakeProvider(script={"1": [wait]})
    async with (
        open_post(external_url, tmp_path, database_url=database_url, accounts=[MAIN], provider=provider) as post,
        post.running(),
    ):
        [first] = await post.send("1", chat=GROUP)
        await post.status(first, "sending")
        assert await ack(post, "delivered", "pigeon.1") == 1
        wait.set()
        assert (await post.status(first, "delivered")).message_id == "pigeon.1"


async def acks(found: Gateway, database_url: str) -> list[str]:
    """The provider's ids that the acks stored are about, oldest first."""
    text = "SELECT message_id FROM events WHERE kind = 'message.ack' ORDER BY id"
    async with open_database(database_url, found.folder, readers=1) as database:
        return [message_id for (message_id,) in await database.read(rows, text)]


async def send(found: Gateway) -> dict[str, Any]:
    body = {"account": "main", "to": GROUP, "message": {"type": "text", "text": "hi"}}
    return await found.ask("POST", "/messages/send", json=body)


def tables(database_url: str, **account: Any) -> dict[str, Any]:
    """A gateway whose account ignores groups."""
    return {
        "database": {"url": database_url},
        "accounts.main": account,
        "accounts.main.ignore": {"groups": True},
    }


@pytest.mark.parametrize("door", ["/api/whatsapp/webhook/main", "/webhooks/main"])
async def test_a_session_engines_acks_of_what_we_sent_to_an_ignored_group_count(door: str, database_url: str) -> None:
    fake = FakeSessions(api_key="k")
    settings = {"provider": "session", "api_key": "k", "webhook_secret": SECRET}

    async def post(body: bytes) -> None:
        answer = await found.http.post(door, content=body, headers={"X-Api-Key": SECRET, "Authorization": ""})
        assert answer.status_code == 200, answer.text

    async with running(fake), running_gateway(tables(database_url, base_url=fake.url, **settings)) as found:
        sent = await send(found)
        [taken] = fake.sent
        phone = {"message": {**taken["message"], "id": {**taken["message"]["id"], "_serialized": f"true_{GROUP}_X"}}}
        for number, status in ((2, "delivered"), (3, "read")):
            await post(fake.ack(taken, number))
            assert (await found.ask("GET", f"/messages/{sent['id']}"))["status"] == status
        await post(fake.ack(phone, 3))
        assert await acks(found, database_url) == [sent["message_id"]] * 2


async def test_a_providers_acks_of_what_we_sent_to_an_ignored_group_count(database_url: str) -> None:
    fake = FakeWaha(api_key="k")
    settings = {"provider": "waha", "api_key": "k", "hmac_key": SECRET}

    async def post(message_id: str, ack: int) -> None:
        payload = {"id": message_id, "from": GROUP, "fromMe": True, "participant": None, "ack": ack}
        body, headers = fake.webhook("message.ack", payload, key=SECRET)
        answer = await found.http.post("/webhooks/main", content=body, headers={**headers, "Authorization": ""})
        assert answer.status_code == 200, answer.text

    async with running(fake), running_gateway(tables(database_url, base_url=fake.url, **settings)) as found:
        sent = await send(found)
        for number, status in ((2, "delivered"), (3, "read")):
            await post(sent["message_id"], number)
            assert (await found.ask("GET", f"/messages/{sent['id']}"))["status"] == status
        await post(f"true_{GROUP}_3EB0FROMTHEPHONE", 3)
        assert await acks(found, database_url) == [sent["message_id"]] * 2
