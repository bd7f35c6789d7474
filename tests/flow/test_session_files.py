"""Files of session engines in a whole gateway: by a webhook of their own, inside a large body, or asked for by id."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Any

import pytest
import trio

from tests.inprocess import Gateway, running_gateway
from wagate.testing.chatwoot import FakeChatwoot, Message
from wagate.testing.providers.session import FakeSessions
from wagate.testing.server import running
from wagate_chatwoot.to_chatwoot import incoming

SECRET = "what the engine posts with"
THEM = "19990000001@c.us"
GROUP = "120363040000000001@g.us"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
LARGE = PNG + bytes(3 * 1024 * 1024)
"""In base64 far over `MAX_BODY`."""
MAX_BODY = "2MiB"
"""server.max_body, in place of ten."""
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try waits in real time; the waits between tries are the clock's."""
    monkeypatch.setattr(incoming, "FILE_PATIENCE", 0.05)


@dataclass
class Engine:
    """A session engine before a gateway, and Chatwoot and n8n behind it."""

    gateway: Gateway
    fake: FakeSessions
    chatwoot: FakeChatwoot

    async def posts(self, event: str, data: Json, expected: int = 200, *, door: str = "/webhooks/web") -> Json:
        return await self.sends(self.fake.webhook(event, data, session="web"), {"X-Api-Key": SECRET}, expected, door)

    async def sends(self, body: bytes, headers: dict[str, str], expected: int, door: str = "/webhooks/web") -> Json:
        answer = await self.gateway.http.post(door, content=body, headers={"Authorization": "", **headers})
        assert answer.status_code == expected, answer.text
        got: Json = answer.json()
        return got

    async def jobs(self) -> list[Json]:
        """What n8n gets first, when there is no more than that."""
        with sqlite3.connect(self.gateway.folder / "data" / "wagate.db") as database:
            events = database.execute("SELECT kind FROM events").fetchall()
        assert len(events) < 2, events
        job = await self.gateway.ask("GET", "/queue/next-job")
        return [job["payload"]] if "payload" in job else []

    async def shown(self, count: int, *, step: float = 2, most: float = 40) -> list[Message]:
        """What stands in Chatwoot once there is so much."""
        await self.gateway.passes_until(lambda: len(self.chatwoot.posted()) >= count, step=step, most=most)
        return self.chatwoot.posted()

    async def file(self, media: Json) -> bytes:
        answer = await self.gateway.http.get(media["url"], headers={"Authorization": ""})
        assert answer.status_code == 200, answer.text
        return bytes(answer.content)

    def left(self) -> list[str]:
        """What lies half written."""
        incoming = self.gateway.folder / "data" / "media" / "incoming"
        return [each.name for each in incoming.iterdir()] if incoming.exists() else []


@asynccontextmanager
async def engine(**account: Any) -> AsyncIterator[Engine]:
    fake, chatwoot = FakeSessions(api_key="k", session="web"), FakeChatwoot()
    chatwoot.habits.timeout = 60.0
    async with running(fake), running(chatwoot):
        one = {"provider": "session", "base_url": fake.url, "api_key": "k", "webhook_secret": SECRET, **account}
        tables = {
            "server": {"max_body": MAX_BODY},
            "accounts.web": one,
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "plugins.n8n": {},
            "plugins.chatwoot.inboxes.desk": chatwoot.settings(accounts=["web"], status_conversation=False),
        }
        async with running_gateway(tables) as gateway:
            chatwoot.state.now = gateway.clock.time
            fake.now = gateway.clock.time
            yield Engine(gateway, fake, chatwoot)


@pytest.mark.parametrize("order", [["message", "media"], ["media", "message"], ["message", "message_create", "media"]])
@pytest.mark.parametrize("door", ["/webhooks/web", "/api/whatsapp/webhook/web"])
async def test_a_message_and_its_media_are_one_event_one_message_and_one_link(order: list[str], door: str) -> None:
    async with engine() as at:
        about = at.fake.picture("IMG1", body="my receipt")
        with_file = at.fake.media(about, PNG)
        ids = {(await at.posts(each, with_file if each == "media" else about, door=door))["event_id"] for each in order}
        assert len(ids) == 1
        assert (await at.posts("media", with_file, door=door))["duplicate"] is True
        [message] = await at.shown(1)
        assert (message.content, [each.size for each in message.attachments]) == ("my receipt", [len(PNG)])
        [job] = await at.jobs()
        assert (job["event"], job["type"], job["message"]) == ("message", "image", "my receipt")
        assert await at.file(job["media"]) == PNG
        assert "inside" not in job["details"]
        assert at.fake.seen == [], "nobody had to ask the engine"


async def test_a_picture_in_a_group_belongs_to_its_message() -> None:
    async with engine() as at:
        whole = f"false_{GROUP}_IMG1_{THEM}"
        key = {"fromMe": False, "remote": GROUP, "id": "IMG1", "participant": THEM, "_serialized": whole}
        about = at.fake.picture("IMG1", sender=GROUP, id=key, author=THEM)
        await at.posts("message", about)
        await at.posts("media", at.fake.media(about, PNG))
        [message] = await at.shown(1)
        assert [each.size for each in message.attachments] == [len(PNG)]


async def test_the_chat_waits_for_the_media_and_then_goes_on_without_it() -> None:
    async with engine(base_url="") as at:
        about = at.fake.picture("IMG1", body="my receipt")
        await at.posts("message", about)
        text = {"id": "T1", "type": "chat", "body": "well?", "hasMedia": False}
        await at.posts("message", {"message": about["message"] | text})
        await at.gateway.passes(5, step=2.5)  # of 14.5: a busy machine may take the rest
        assert at.chatwoot.posted() == []
        receipt, question = await at.shown(2)
        assert receipt.attachments == []
        assert (receipt.content or "").startswith("my receipt\n")
        await at.posts("media", at.fake.media(about, PNG))
        *_, late = await at.shown(3)
        assert (question.content or "").endswith("well?")
        assert [each.size for each in late.attachments] == [len(PNG)]
        assert late.content_attributes["in_reply_to"] == receipt.id
        await at.posts("media", at.fake.media(about, PNG))
        await at.gateway.passes(30, step=10)
        assert len(at.chatwoot.posted()) == 3


async def test_the_engine_is_asked_by_the_messages_id_for_what_it_did_not_post() -> None:
    async with engine() as at:
        at.fake.files["IMG1"] = (PNG, "image/png")
        await at.posts("message", at.fake.picture("IMG1"))
        await at.gateway.passes(4, step=2)
        assert at.fake.seen == [], "it may still post it"
        [message] = await at.shown(1)
        assert [each.size for each in message.attachments] == [len(PNG)]
        [asked] = at.fake.seen
        assert (asked.path, asked.json) == ("/message/downloadMedia/web", {"chatId": THEM, "messageId": "IMG1"})


async def test_a_file_of_our_own_phone_is_asked_for() -> None:
    async with engine() as at:
        at.fake.files["OWN1"] = (PNG, "image/png")
        key = {"fromMe": True, "remote": THEM, "id": "OWN1", "_serialized": f"true_{THEM}_OWN1"}
        ours = {"id": key, "fromMe": True, "from": "15550000001@c.us", "to": THEM}
        await at.posts("message_create", at.fake.picture("OWN1", **ours) | {})
        [message] = await at.shown(1)
        assert (message.message_type, [each.size for each in message.attachments]) == ("outgoing", [len(PNG)])


async def test_what_the_engine_can_not_find_costs_that_file_alone_and_its_media_may_still_come() -> None:
    async with engine() as at:
        at.fake.files["GOOD"] = (PNG, "image/png")
        lost = [at.fake.picture(f"LOST{number}") for number in range(6)]
        for each in lost:
            await at.posts("message", each)
        await at.posts("message", at.fake.picture("GOOD", sender="18880000000@c.us"))
        await at.gateway.passes_until(lambda: bool(at.chatwoot.posted("18880000000@c.us")), step=2, most=14)
        [good] = at.chatwoot.posted("18880000000@c.us")
        assert [each.size for each in good.attachments] == [len(PNG)]
        messages = await at.shown(7)
        await at.posts("media", at.fake.media(lost[0], PNG))
        late = (await at.shown(8))[-1]
        first = next(each for each in messages if each.source_id == f"false_{THEM}_LOST0")
        assert late.content_attributes["in_reply_to"] == first.id
        assert [each.size for each in late.attachments] == [len(PNG)]


@pytest.mark.parametrize("order", [["message", "media"], ["media", "message"]])
async def test_a_body_far_over_the_limit_of_bodies_brings_its_file(order: list[str]) -> None:
    async with engine() as at:
        about = at.fake.picture("IMG1", body="a large one")
        for each in order:
            await at.posts(each, at.fake.media(about, LARGE) if each == "media" else about)
        [job] = await at.jobs()
        assert sha256(await at.file(job["media"])).digest() == sha256(LARGE).digest()
        [message] = await at.shown(1)
        assert [each.sha256 for each in message.attachments] == [sha256(LARGE).hexdigest()]
        assert at.left() == []
        with sqlite3.connect(at.gateway.folder / "data" / "wagate.db") as database:
            [(longest,)] = database.execute("SELECT max(length(raw)) FROM events").fetchall()
        assert longest < 100_000, "the file is no part of the event's own body"


@pytest.mark.parametrize("algorithm", ["sha512", "sha256"])
async def test_a_large_body_is_believed_by_its_signature(algorithm: str) -> None:
    async with engine() as at:
        body = at.fake.webhook("media", at.fake.media(at.fake.picture("IMG1"), LARGE), session="web")
        signed = hmac.new(SECRET.encode(), body, {"sha512": sha512, "sha256": sha256}[algorithm]).hexdigest()
        headers = {"X-Webhook-Hmac": signed, "X-Webhook-Hmac-Algorithm": algorithm}
        for wrong in (headers | {"X-Webhook-Hmac": signed[:-1] + "g"}, {"X-Hub-Signature-256": "sha256=0"}):
            await at.sends(body, wrong, 401)
        await at.sends(body, headers, 401, "/webhooks/nobody")
        assert at.left() == []
        assert (await at.jobs()) == []
        await at.sends(body, headers, 200)
        [job] = await at.jobs()
        assert len(await at.file(job["media"])) == len(LARGE)


async def test_a_large_body_of_nobody_and_a_file_over_the_limit_are_refused() -> None:
    async with engine() as at:
        body = at.fake.webhook("media", at.fake.media(at.fake.picture("IMG1"), LARGE), session="web")
        await at.sends(body, {"X-Api-Key": "wrong"}, 413)
        await at.sends(body, {}, 413)
        stream = await trio.open_tcp_stream("127.0.0.1", int(at.gateway.url.rpartition(":")[2]))
        head = f"POST /webhooks/web HTTP/1.1\r\nHost: here\r\nX-Api-Key: {SECRET}\r\nContent-Length: {10**10}\r\n\r\n"
        await stream.send_all(head.encode())
        assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 413")
        await stream.aclose()


@pytest.mark.parametrize("size", [1000, len(LARGE)])
async def test_what_is_no_base64_is_an_error_and_its_message_is_kept_and_asked_for(size: int) -> None:
    async with engine() as at:
        at.fake.files["IMG1"] = (PNG, "image/png")
        about = at.fake.picture("IMG1", body="look")
        broken = at.fake.media(about, bytes(size))
        broken["messageMedia"]["data"] = "!" + broken["messageMedia"]["data"][1:]
        await at.posts("message", about)
        refused = await at.posts("media", broken, 422)
        assert "can't be kept" in refused["detail"]
        [message] = await at.shown(1)
        assert (message.content, [each.size for each in message.attachments]) == ("look", [len(PNG)])
        assert at.left() == []


async def test_a_long_text_under_a_files_name_in_something_else_is_kept_as_it_came() -> None:
    async with engine() as at:
        body = at.fake.webhook("odd_event", {"odd": {"data": "x" * 2_000_000}}, session="web")
        await at.sends(body, {"X-Api-Key": SECRET}, 200)
        with sqlite3.connect(at.gateway.folder / "data" / "wagate.db") as database:
            [(raw,)] = database.execute("SELECT raw FROM events").fetchall()
        assert raw == body
