"""What we ask of WAHA fits its OpenAPI document, and our fake of it serves a client that others wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import trio
import waha as waha_py
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

from tests.openapi_documents import openapi
from tests.waha_site import outgoing, waha
from wagate.hooks import SESSION_ACTIONS, Edit, OutFile, OutLocation, OutPoll, OutPreview, OutReaction, Signal
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Seen, running

THEM = "19990000000@c.us"
PREVIEW = OutPreview(url="https://a.example", title="A", description="B", thumbnail="/9j/")


def document() -> OpenAPI:
    spec = openapi("waha")
    spec["servers"] = [{"url": "http://waha.example"}]
    for schema in spec["components"]["schemas"].values():
        for name in ("mimetype", "filename"):
            # Its defect: files' names and types are said to be objects, with text as their default.
            part = schema.get("properties", {}).get(name)
            if part and part.get("type") == "object":
                part["type"] = "string"
    # Another: whether several answers may be chosen is said to be an object, with false as its default.
    spec["components"]["schemas"]["MessagePoll"]["properties"]["multipleAnswers"]["type"] = "boolean"
    # And a third: a file by URL needs none.
    spec["components"]["schemas"]["FileURL"]["required"] = ["url"]
    # The document itself breaks the rules in places that no request of ours touches.
    return OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))


def as_request(seen: Seen) -> MockRequest:
    return MockRequest(
        "http://waha.example",
        seen.method.lower(),
        seen.path,
        args=seen.query,
        data=seen.body or None,
        content_type=seen.headers.get("content-type", ""),
        headers={"X-Api-Key": seen.headers.get("x-api-key", "")},
    )


async def test_every_request_fits_wahas_document() -> None:
    spec = document()
    fake = FakeWaha(api_key="k")
    fake.chats[THEM] = [fake.incoming("hi", bare="AA")]
    url = OutFile(mimetype="image/jpeg", filename="a.jpg", url="https://files.example/a.jpg")
    messages: list[dict[str, Any]] = [
        {"kind": "text", "text": "hi", "reply_to": f"false_{THEM}_AA", "mentions": (THEM,)},
        *({"kind": kind, "file": url, "text": "look"} for kind in ("image", "video", "voice", "audio", "document")),
        {"kind": "location", "location": OutLocation(latitude=1.5, longitude=2.5)},
        {"kind": "contacts", "contacts": ({"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+1999"}]},)},
        {"kind": "poll", "poll": OutPoll(name="When?", options=("now", "later"), multiple=True)},
        {"kind": "text", "text": "see https://a.example", "preview": PREVIEW},
        {"kind": "reaction", "reaction": OutReaction(message_id=f"false_{THEM}_AA", emoji="👍")},
    ]
    async with waha(fake, api_key="k") as (provider, to):
        assert provider.send is not None
        assert provider.signal is not None
        assert provider.check is not None
        assert provider.missed is not None
        for fields in messages:
            await provider.send(outgoing(to, **fields))
        for kind in ("seen", "typing", "recording", "paused", "watch"):
            await provider.signal(Signal(kind=kind, chat=THEM, message_ids=(f"false_{THEM}_AA",)), to)
        await provider.check(to)
        assert [event async for event in provider.missed(to, datetime(2026, 1, 1, tzinfo=UTC))]
        assert provider.revoke is not None
        await provider.revoke(fake.sent[0]["_id"], THEM, to)
        assert provider.edit is not None
        await provider.edit(Edit(message_id=fake.sent[0]["_id"], chat=THEM, type="text", text="hello"), to)
        assert provider.profile is not None
        for chat in (THEM, "12036300000000@g.us", "12036300000001@newsletter"):
            await provider.profile(chat, to)
        assert provider.control is not None
        assert provider.qr is not None
        for action in SESSION_ACTIONS:
            await provider.control(action, to)
        assert await provider.qr(to) == fake.qr
    assert len(fake.sent) == len(messages)
    for seen in fake.seen:
        spec.validate_request(as_request(seen))


async def test_a_wrong_request_would_be_noticed() -> None:
    spec = document()
    request = MockRequest(
        "http://waha.example",
        "post",
        "/api/sendText",
        data=b'{"chatId": 7}',
        content_type="application/json",
        headers={"X-Api-Key": "k"},
    )
    with pytest.raises(Exception, match=r"[Ii]nvalid|[Vv]alid"):
        spec.validate_request(request)


async def test_waha_py_works_with_the_fake() -> None:
    fake = FakeWaha(api_key="k")
    async with running(fake):

        def use() -> list[Any]:
            client = waha_py.WahaClient(fake.url, api_key="k")
            body = {"session": "default", "chatId": THEM, "text": "hi", "reply_to": ""}
            taken = [client.ping.ping(), client.chatting.send_text(body), client.sessions.get("default")]
            client.close()
            return taken

        pong, sent, session = await trio.to_thread.run_sync(use)
    assert pong == {"message": "pong"}
    assert sent["id"] == fake.sent[0]["_id"]
    assert session["status"] == "WORKING"
