"""Meta and 360dialog through a whole gateway, both directions, against their fakes."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.corpus import corpora
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink, https_sink
from wagate.testing.providers.dialog360 import FakeDialog360
from wagate.testing.providers.meta import FakeMeta, failed, fake_meta
from wagate.testing.server import Fault

THEM = "15550002222"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def settings_of(fake: FakeMeta) -> dict[str, str]:
    if isinstance(fake, FakeDialog360):
        return {
            "provider": "dialog360",
            "api_key": fake.token,
            "base_url": fake.url,
            "webhook_secret": fake.webhook_secret,
        }
    return {
        "provider": "meta",
        "access_token": fake.token,
        "phone_number_id": fake.phone_number_id,
        "app_secret": fake.app_secret,
        "verify_token": "let-me-in",
        "base_url": fake.url,
    }


@asynccontextmanager
async def gateway_with(fake: FakeMeta) -> AsyncIterator[tuple[Gateway, Sink]]:
    """A gateway with the account ``shop`` at the fake, and a webhook that gets everything."""
    async with fake_meta(fake), https_sink() as sink:
        accounts = {"accounts.shop": {"phone": fake.phone, **settings_of(fake)}}
        async with running_gateway(accounts, ca_file=sink.ca_file) as running:
            await running.register(sink.url, events=["*", "message.any"])
            yield running, sink


async def post(running: Gateway, fake: FakeMeta, document: dict[str, Any], expected: int = 200) -> None:
    body, headers = fake.signed(document)
    answer = await running.http.post("/webhooks/shop", content=body, headers={"Authorization": "", **headers})
    assert answer.status_code == expected, answer.text


async def stored(running: Gateway) -> int:
    """How many deliveries there are."""
    return len((await running.ask("GET", "/api/jobs", params={"limit": 200, "connector": "webhook"}))["data"])


@pytest.mark.parametrize("make", [FakeMeta, FakeDialog360])
async def test_a_message_goes_from_the_webhook_to_a_receiver_once(make: type[FakeMeta]) -> None:
    fake = make()
    async with gateway_with(fake) as (running, sink):
        document = fake.incoming(fake.text("Olá 😀"), name="Ana", user_id="US.1")
        for _ in range(3):
            await post(running, fake, document)
        await post(running, fake, fake.incoming(fake.text("two")))
        await sink.until_accepted(2)
        assert await stored(running) == 2
    first, second = (got.json for got in sink.accepted)
    assert (first["content"], second["content"]) == ("Olá 😀", "two")
    assert (first["from"], first["to"], first["type"], first["session"]) == (THEM, fake.phone, "text", "shop")


@pytest.mark.parametrize("make", [FakeMeta, FakeDialog360])
async def test_a_webhook_with_a_wrong_proof_is_refused_and_nothing_is_stored(make: type[FakeMeta]) -> None:
    fake, wrong = make(), make()
    wrong.app_secret = "another"
    if isinstance(wrong, FakeDialog360):
        wrong.webhook_secret = "another"
    async with gateway_with(fake) as (running, _):
        await post(running, wrong, fake.incoming(fake.text("Hi")), 401)
        bare = await running.http.post("/webhooks/shop", content=b"{}", headers={"Authorization": ""})
        assert bare.status_code == 401
        assert await stored(running) == 0


async def test_metas_handshake_is_answered_with_the_bare_challenge() -> None:
    async with gateway_with(FakeMeta()) as (running, _):
        query = {"hub.mode": "subscribe", "hub.verify_token": "let-me-in", "hub.challenge": "1158201444"}
        answer = await running.http.get("/webhooks/shop", params=query, headers={"Authorization": ""})
        assert (answer.status_code, answer.content) == (200, b"1158201444")
        assert answer.headers["content-type"].startswith("text/plain")
        wrong = await running.http.get("/webhooks/shop", params=query | {"hub.verify_token": "x"})
        assert wrong.status_code == 403


def written(running: Gateway) -> int:
    """The same by the tables, for those who look hundreds of times."""
    with sqlite3.connect(f"file:{running.folder / 'data' / 'wagate.db'}?mode=ro", uri=True) as database:
        [(count,)] = database.execute("SELECT count(*) FROM deliveries WHERE handler = 'webhook'")
    return int(count)


async def test_every_sample_posted_twice_is_stored_once() -> None:
    found = [
        (name, corpus.bytes_of(name))
        for corpus in corpora("meta")
        for name in sorted(corpus.names())
        if "entry" in corpus.json_of(name)
    ]
    fake = FakeMeta()
    async with gateway_with(fake) as (running, _):
        for name, sample in found:
            # Each sample names a number of its own; a webhook for one that no account has goes to nobody.
            ours = re.sub(rb'("phone_number_id"\s*:\s*")\d+', rb"\g<1>" + fake.phone_number_id.encode(), sample)
            body, headers = fake.signed_bytes(ours)
            counts = []
            for _ in range(2):
                answer = await running.http.post("/webhooks/shop", content=body, headers=headers)
                assert answer.status_code == 200, (name, answer.text)
                counts.append(written(running))
            assert counts[0] == counts[1], name
        # Some of the samples have one id between them.
        assert len(found) // 2 < counts[1] == await stored(running) < 200


async def test_a_webhook_of_some_megabytes_is_taken_in_whole() -> None:
    """Meta gathers what waits, up to 3 MB (source: its page on webhooks)."""
    fake = FakeMeta()
    async with gateway_with(fake) as (running, sink):
        document = fake.incoming(fake.text("x" * 1_500_000))
        await post(running, fake, document)
        await sink.until_accepted(1)
        assert await stored(running) == 1


async def sent(running: Gateway, fake: FakeMeta, expected: int = 200, **message: Any) -> dict[str, Any]:
    """Send a message and its answer."""
    body = {"to": f"+{THEM}", "account": "shop", "message": message or {"type": "text", "text": "Hello"}}
    return await running.ask("POST", "/messages/send", expected, json=body)


@pytest.mark.parametrize("make", [FakeMeta, FakeDialog360])
async def test_a_message_out_is_followed_by_its_statuses_until_it_is_read(make: type[FakeMeta]) -> None:
    fake = make()
    async with gateway_with(fake) as (running, sink):
        answer = await sent(running, fake)
        [message] = fake.messages
        assert (answer["status"], answer["message_id"], answer["provider"]) == (
            "sent",
            message["wamid"],
            settings_of(fake)["provider"],
        )
        assert message["biz_opaque_callback_data"] == answer["id"]
        assert message["text"]["body"] == "Hello"
        await post(running, fake, fake.statuses(message, "read", "delivered", "sent"))
        view = await running.ask("GET", f"/messages/{answer['id']}")
        assert (view["status"], view["message_id"]) == ("read", message["wamid"])
        assert view["read_at"]
        await sink.until_accepted(4)
    kinds = {got.json["event"] for got in sink.accepted}
    assert kinds == {"message.any", "message.ack"}


async def test_a_refusal_is_told_with_its_code_and_a_plain_reason() -> None:
    fake = FakeMeta()
    async with gateway_with(fake) as (running, _):
        fake.server.fail(Fault(reply=failed(400, 131047, "Re-engagement message")))
        problem = await sent(running, fake, 422)
        assert problem["code"] == "131047"
        assert "24 h" in problem["detail"]
        assert (await sent(running, fake))["status"] == "sent"


async def test_a_lost_answer_is_not_sent_again_and_a_status_settles_it() -> None:
    fake = FakeMeta()
    async with gateway_with(fake) as (running, _):
        fake.server.fail(Fault(accept=True, drop=True))
        answer = await sent(running, fake, 202)
        assert answer["status"] == "unknown"
        [message] = fake.messages
        await post(running, fake, fake.statuses(message, "delivered"))
        view = await running.ask("GET", f"/messages/{answer['id']}")
        assert (view["status"], view["message_id"]) == ("delivered", message["wamid"])
        assert len(fake.messages) == 1


async def test_an_async_failure_is_told_by_the_message_and_by_an_event() -> None:
    fake = FakeMeta()
    async with gateway_with(fake) as (running, _):
        answer = await sent(running, fake)
        await post(running, fake, fake.statuses(fake.messages[0], "failed", error=131047))
        view = await running.ask("GET", f"/messages/{answer['id']}")
        assert (view["status"], view["error_code"]) == ("failed", "131047")
        assert "24 h" in view["error"]


@pytest.mark.parametrize("make", [FakeMeta, FakeDialog360])
async def test_a_file_that_came_is_fetched_with_the_accounts_key_and_handed_on_by_a_link(make: type[FakeMeta]) -> None:
    fake = make()
    async with gateway_with(fake) as (running, sink):
        image = {"id": fake.hold(PNG, "image/png"), "mime_type": "image/png", "caption": "Look"}
        await post(running, fake, fake.incoming(fake.text("") | {"type": "image", "image": image}))
        await sink.until_accepted(1)
        got = sink.accepted[0].json
        assert (got["type"], got["content"], got["media"]["mimetype"]) == ("image", "Look", "image/png")
        file = await running.http.get(got["media"]["url"], headers={"Authorization": ""})
        assert (file.status_code, file.content) == (200, PNG)


@pytest.mark.parametrize("make", [FakeMeta, FakeDialog360])
async def test_a_file_in_base64_is_uploaded_and_sent_by_its_id(make: type[FakeMeta]) -> None:
    fake = make()
    async with gateway_with(fake) as (running, _):
        await sent(running, fake, image={"data": base64.b64encode(PNG).decode(), "caption": "Look"})
        [(media_id, upload)] = fake.uploads.items()
        assert (upload.content, upload.mimetype) == (PNG, "image/png")
        assert fake.messages[0]["image"] == {"id": media_id, "caption": "Look"}
