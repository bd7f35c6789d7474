"""A number of our own between a person, Chatwoot, a webhook and jobs: each way, in one gateway."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.chatwoot_spec import assert_requests_valid
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink, authority, https_sink
from tests.whatsapp_site import ANA, OURS, redirected
from wagate.testing.chatwoot import FakeChatwoot, Message, Upload
from wagate.testing.server import running
from wagate.testing.whatsapp import Arrived, Running, World, running_whatsapp
from wagate.testing.whatsapp.protobuf import unpack

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
CHAT = f"{ANA}@c.us"
PATIENCE = 120.0


@dataclass
class All:
    """All of it, with a linked number."""

    gateway: Gateway
    fake: Running
    world: World
    chatwoot: FakeChatwoot
    sink: Sink

    def came(self, kind: str = "message") -> list[dict[str, Any]]:
        """What the webhook got, in order."""
        return [each.json for each in self.sink.accepted if each.json["event"] == kind]

    def posted(self) -> list[Message]:
        """What stands in Chatwoot of Ana."""
        return [each for each in self.chatwoot.posted(CHAT) if not each.private]

    @property
    def phone(self) -> list[Arrived]:
        """What Ana got."""
        return self.fake.server.messages

    async def until(self, there: Callable[[], bool]) -> None:
        """Several servers change: look again and again."""
        with trio.fail_after(PATIENCE):
            while not there():
                await trio.sleep(0.02)

    async def take(self) -> dict[str, Any]:
        """The next job."""
        with trio.fail_after(PATIENCE):
            while (job := await self.gateway.ask("GET", "/queue/next-job", params={"wait": 5}))["status"] == "no_jobs":
                pass
        return job


@asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[All]:
    """Linked, with a webhook for messages and ticks."""
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(running_whatsapp(folder, authority()))
        stack.enter_context(redirected(fake))
        sink = await stack.enter_async_context(https_sink())
        chatwoot = FakeChatwoot()
        chatwoot.habits.timeout = PATIENCE
        await stack.enter_async_context(running(chatwoot))
        tables = {
            "accounts.main": {"provider": "whatsapp", "proxy": fake.proxy, "typing": False},
            "plugins.chatwoot.inboxes.desk": chatwoot.settings(accounts=["main"], status_conversation=False),
        }
        ca_file = Path(fake.environment["SSL_CERT_FILE"])
        gateway = await stack.enter_async_context(running_gateway(tables, ca_file=ca_file))
        chatwoot.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/main/desk"
        await gateway.register(sink.url, events=["message", "message.ack"])
        here = All(gateway, fake, fake.world(OURS), chatwoot, sink)
        fake.server.person(ANA, "Ana")
        await link(here)
        yield here
    assert fake.server.errors == []
    assert_requests_valid(chatwoot)


async def link(here: All) -> None:
    """Scan the code that the API shows."""
    scanned = False
    with trio.fail_after(PATIENCE):
        while not (shown := (await here.gateway.ask("GET", "/api/whatsapp/session/status/main"))["data"])[
            "isConnected"
        ]:
            if shown["qr"] and not scanned:
                await here.fake.server.scan(shown["qr"], OURS)
                scanned = True
            await trio.sleep(0.05)


def quoted(message: Arrived) -> str:
    """The id of what it answers."""
    return str(unpack(unpack(message.fields[6][0])[17][0])[1][0].decode())


async def test_texts_pictures_quotes_and_ticks_pass_between_a_person_and_all_who_listen(tmp_path: Path) -> None:
    async with everything(tmp_path) as here:
        hello = await a_worker_answers(here)
        written = await an_agent_answers(here, hello)
        await she_answers(here, written)
        await pictures_pass(here)
        await our_own_phone_writes(here)
        # Nothing came twice, anywhere.
        await here.chatwoot.webhooks.settled()
        assert (await here.take())["payload"]["message"] == "thanks"
        assert [each.text for each in here.phone] == ["by a worker", "by an agent", ""]
        assert [each["content"] for each in here.came()] == ["hello", "thanks", "look"]
        contents = ["hello", "by a worker", "thanks", "look", "by thumb"]
        assert [each.content for each in here.posted()] == contents
        assert here.sink.duplicates == 0


async def a_worker_answers(here: All) -> str:
    """A text comes in: to the webhook, to Chatwoot, and as a job that is answered with a quote. Its id."""
    hello = await here.world.text(ANA, "hello")
    await here.until(lambda: len(here.posted()) == 1 and len(here.came()) == 1)
    assert (here.came()[0]["content"], here.came()[0]["from"]) == ("hello", ANA)
    assert (here.posted()[0].content, here.posted()[0].source_id) == ("hello", f"false_{CHAT}_{hello}")
    job = await here.take()
    assert (job["payload"]["message"], job["payload"]["chat"]) == ("hello", CHAT)
    body = {"to": CHAT, "message": "by a worker", "reply_to_message_id": job["payload"]["message_id"]}
    lease = {name: job[name] for name in ("job_id", "lease_id")}
    await here.gateway.ask("POST", "/messages/send", json={"account": "main"} | body | lease)
    assert (await here.gateway.ask("GET", f"/queue/job/{job['job_id']}"))["status"] == "completed"
    await here.until(lambda: len(here.phone) == 1)
    assert (here.phone[0].text, quoted(here.phone[0])) == ("by a worker", hello)
    await here.until(lambda: len(here.posted()) == 2)  # agents see it
    assert (here.posted()[1].content, here.posted()[1].message_type) == ("by a worker", "outgoing")
    return hello


async def an_agent_answers(here: All, hello: str) -> Message:
    """With a quote; Chatwoot tells of it twice, it arrives once, and each tick comes back."""
    here.fake.server.receipts, here.chatwoot.habits.twice = 1, True
    written = here.chatwoot.agent.replies(here.posted()[0], "by an agent")
    await here.until(lambda: len(here.phone) == 2 and written.status == "delivered")
    assert (here.phone[1].text, quoted(here.phone[1])) == ("by an agent", hello)
    await here.world.receipt(ANA, here.phone[1].id, "read")
    await here.until(lambda: written.status == "read")
    await here.until(lambda: [each["status"] for each in ticks(here, here.phone[1].id)] == ["delivered", "read"])
    return written


async def she_answers(here: All, written: Message) -> None:
    """A quote of the agent's message is one in Chatwoot and at the webhook."""
    await here.world.reply(ANA, "thanks", here.phone[1].id)
    await here.until(lambda: len(here.came()) == 2 and here.posted()[-1].content == "thanks")
    assert here.posted()[-1].content_attributes["in_reply_to"] == written.id
    assert here.came()[1]["reply_to"] == f"true_{CHAT}_{here.phone[1].id}"


async def pictures_pass(here: All) -> None:
    """Both ways, byte for byte."""
    await here.world.file(ANA, "image", PNG, "image/png", "look")
    await here.until(lambda: len(here.came()) == 3 and bool(here.posted()[-1].attachments))
    [file] = here.posted()[-1].attachments
    assert (here.posted()[-1].content, file.sha256) == ("look", hashlib.sha256(PNG).hexdigest())
    answer = await here.gateway.http.get(here.came()[2]["media"]["url"])
    assert answer.content == PNG
    upload = Upload(filename="bill.png", content_type="image/png", content=PNG + b"the agent's")
    here.chatwoot.agent.writes(here.posted()[-1].conversation, "your bill", upload)
    await here.until(lambda: len(here.phone) == 3)
    assert here.world.received(here.phone[2]) == upload.content


async def our_own_phone_writes(here: All) -> None:
    """Agents see it, and it is not sent once more."""
    await here.world.write_by_thumb(ANA, "by thumb")
    await here.until(lambda: here.posted()[-1].content == "by thumb")
    assert here.posted()[-1].message_type == "outgoing"


def ticks(here: All, ident: str) -> list[dict[str, Any]]:
    """Of one message of ours, at the webhook."""
    return [each for each in here.came("message.ack") if each["message_id"].endswith(ident)]


async def test_changes_signals_and_what_clients_of_waha_ask_pass_as_well(tmp_path: Path) -> None:
    async with everything(tmp_path) as here:
        hello = await here.world.text(ANA, "hello")
        await here.until(lambda: len(here.posted()) == 1)
        await an_agent_takes_back(here, hello)
        await she_changes_her_mind(here, hello)
        await waha_is_asked(here)


async def an_agent_takes_back(here: All, hello: str) -> None:
    """Typing shows, an answer marks what was read, and a deletion revokes."""
    talk = here.posted()[0].conversation
    here.chatwoot.agent.types(talk)
    await here.until(lambda: bool(here.fake.server.typed))
    assert here.fake.server.typed[0].endswith("composing")
    written = here.chatwoot.agent.writes(talk, "a mistake")
    await here.until(lambda: len(here.phone) == 1 and hello in here.fake.server.read)
    here.chatwoot.agent.deletes(written)
    await here.until(lambda: len(here.phone) == 2)
    protocol = unpack(here.phone[1].fields[12][0])
    assert (here.phone[1].edit, unpack(protocol[1][0])[3]) == ("7", [here.phone[0].id.encode()])


async def she_changes_her_mind(here: All, hello: str) -> None:
    """A reaction, an edit, a deletion and a call are in Chatwoot."""
    talk = here.posted()[0].conversation
    here.chatwoot.agent.writes(talk, "right")
    await here.until(lambda: len(here.phone) == 3)
    await here.world.react(ANA, here.phone[2].id, "👍")
    await here.until(lambda: "👍" in (here.posted()[-1].content or ""))
    await here.world.edit(ANA, hello, "hello!")
    await here.until(lambda: "hello!" in (here.posted()[-1].content or ""))
    for act in (here.world.revoke(ANA, hello), here.world.call(ANA, "CALL01")):
        before = len(here.chatwoot.posted(CHAT))
        await act
        await here.until(lambda before=before: len(here.chatwoot.posted(CHAT)) > before)
        assert here.chatwoot.posted(CHAT)[-1].private


async def waha_is_asked(here: All) -> None:
    """An edit, a poll, a link with a preview of one's own."""
    before, chat = len(here.phone), {"session": "main", "chatId": CHAT}
    sent = await here.gateway.ask("POST", "/api/sendText", 201, json=chat | {"text": "helo"})
    path = f"/api/main/chats/{CHAT}/messages/{sent['id']}"
    await here.gateway.ask("PUT", path, json={"text": "hello"})
    poll = {"name": "Lunch?", "options": ["yes", "no"], "multipleAnswers": False}
    await here.gateway.ask("POST", "/api/sendPoll", 201, json=chat | {"poll": poll})
    preview = {"url": "https://example.com/a", "title": "A page", "description": "About a"}
    link = {"text": "see https://example.com/a", "preview": preview}
    await here.gateway.ask("POST", "/api/send/link-custom-preview", 201, json=chat | link)
    await here.until(lambda: len(here.phone) == before + 4)
    text, edit, asked, shown = here.phone[before:]
    protocol = unpack(unpack(unpack(edit.fields[58][0])[1][0])[12][0])
    assert (text.text, edit.edit, unpack(protocol[14][0])[1]) == ("helo", "1", [b"hello"])
    assert [unpack(each)[1] for each in unpack(asked.fields[64][0])[3]] == [[b"yes"], [b"no"]]
    extended = unpack(shown.fields[6][0])
    assert (extended[1], extended[6]) == ([b"see https://example.com/a"], [b"A page"])
