"""A session engine in a whole gateway: messages go out through it, and its echoes and acks come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink
from wagate.testing.providers.session import FakeSessions
from wagate.testing.server import running

THEM = "19990000000@c.us"
SECRET = "what the engine posts with"
DOORS = ["/api/whatsapp/webhook/main", "/webhooks/main"]


@asynccontextmanager
async def gateway(fake: FakeSessions, *, ca_file: Path | None = None, **settings: Any) -> AsyncIterator[Gateway]:
    async with running(fake):
        account = {"provider": "session", "base_url": fake.url, "api_key": "k", "webhook_secret": SECRET} | settings
        tables = {"accounts.main": account, "plugins.n8n": {}, "plugins.webhook": {}}
        async with running_gateway(tables, ca_file=ca_file) as found:
            yield found


async def post(found: Gateway, body: bytes, *, door: str = DOORS[0], expected: int = 200, secret: str = SECRET) -> Any:
    answer = await found.http.post(door, content=body, headers={"X-Api-Key": secret, "Authorization": ""})
    assert answer.status_code == expected, answer.text
    return answer.json()


async def send(found: Gateway, expected: int = 200, text: str = "hi") -> dict[str, Any]:
    body = {"account": "main", "to": THEM, "message": {"type": "text", "text": text}}
    return await found.ask("POST", "/messages/send", expected, json=body)


@pytest.mark.parametrize("door", DOORS)
async def test_a_message_goes_out_and_its_acks_move_it_on(door: str) -> None:
    fake = FakeSessions(api_key="k")
    async with gateway(fake) as found:
        sent = await send(found)
        [taken] = fake.sent
        assert sent["message_id"] == taken["_id"]
        for number, status in ((1, "sent"), (2, "delivered"), (3, "read")):
            await post(found, fake.ack(taken, number), door=door)
            assert (await found.ask("GET", f"/messages/{sent['id']}"))["status"] == status
        await post(found, fake.ack(taken, 3), door=door, expected=401, secret="wrong")


async def test_an_echo_of_ours_is_the_same_event_whichever_comes_first_and_nothing_loops() -> None:
    fake = FakeSessions(api_key="k")
    async with https_sink() as sink, gateway(fake, ca_file=sink.ca_file) as found:
        await found.register(sink.url, events=["message.any"])
        await send(found, text="one")
        again = await post(found, fake.echo(fake.sent[0]))
        assert again["duplicate"] is True
        # The engine tells of its next message before its answer is here.
        key = fake.sent[0]["_id"].replace("0001", "0002")
        number = {"fromMe": True, "remote": THEM, "id": key.split("_")[2], "_serialized": key}
        await post(found, fake.webhook("message_create", {"message": fake.sent[0]["message"] | {"id": number}}))
        assert (await send(found, text="two"))["message_id"] == key
        await sink.until_accepted(2)
        assert [got.json["message_id"] for got in sink.accepted] == [fake.sent[0]["_id"], key]
        assert len(fake.sent) == 2


async def test_an_account_without_an_engine_only_receives() -> None:
    fake = FakeSessions()
    async with gateway(fake, base_url="") as found:
        refused = await send(found, 422)
        assert "base_url" in refused["detail"]
        assert fake.seen == []


async def test_a_session_that_is_down_holds_its_messages_in_order() -> None:
    fake = FakeSessions(api_key="k")
    async with gateway(fake) as found:
        fake.states["main"] = None
        for text in ("one", "two"):
            body = {"account": "main", "to": THEM, "message": {"type": "text", "text": text}}
            headers = {"Prefer": "respond-async"}
            assert (await found.http.post("/messages/send", json=body, headers=headers)).status_code == 202
        await fake.until(lambda: bool(fake.seen))
        fake.states["main"] = "CONNECTED"
        await found.passes_until(lambda: len(fake.sent) == 2, step=5, most=90)
        assert [taken["content"] for taken in fake.sent] == ["one", "two"]
