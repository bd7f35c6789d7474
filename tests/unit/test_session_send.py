"""Sending through a session engine, by a real client, to an engine that is a fake."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import (
    Edit,
    OutFile,
    Outgoing,
    OutLocation,
    OutMessage,
    OutReaction,
    Provider,
    ProviderAccount,
    Sent,
    Signal,
)
from wagate.http import HttpClient, HttpError
from wagate.inbound.session.events import parse_session
from wagate.testing import fake_context
from wagate.testing.providers.session import FakeSessions
from wagate.testing.server import Fault, Reply, running
from wagate_session import make_provider
from wagate_session.client import SessionSettings
from wagate_session.send import message_id

THEM, GROUP = "19990000000@c.us", "12036300000000@g.us"


@asynccontextmanager
async def engine(fake: FakeSessions, **settings: Any) -> AsyncIterator[tuple[Provider, ProviderAccount]]:
    """The provider with a real client, and an account at this engine."""
    client = HttpClient(allow_http=True)
    async with running(fake):
        to = ProviderAccount(
            name="main",
            phone="15550000001",
            settings=SessionSettings(**{"base_url": fake.url, **settings}),
            webhook_secret="",
            webhook_url="",
            trust="operator",
        )
        yield make_provider(replace(fake_context("session").context, http=client)), to
        await client.aclose()


async def send(
    provider: Provider, to: ProviderAccount, kind: str = "text", *, file: OutFile | None = None, **fields: Any
) -> Sent:
    assert provider.send is not None
    message = OutMessage(**{"chat": THEM, "type": kind, **fields})
    return await provider.send(Outgoing(id="0190-1", message=message, account=to, file=file))


async def test_a_text_goes_out_and_its_echo_and_acks_have_the_same_id() -> None:
    fake = FakeSessions(api_key="k")
    async with engine(fake, api_key="k") as (provider, to):
        sent = await send(provider, to, text="hi", reply_to=f"false_{THEM}_AA", mentions=(THEM,), preview_url=False)
    [taken] = fake.sent
    assert sent.message_id == taken["_id"]
    assert (taken["chatId"], taken["contentType"], taken["content"]) == (THEM, "string", "hi")
    assert taken["options"] == {
        "sendSeen": False,
        "quotedMessageId": f"false_{THEM}_AA",
        "mentions": [THEM],
        "linkPreview": False,
        "parseVCards": False,
    }
    [echo] = parse_session(msgspec.json.decode(fake.echo(taken)), account="main")
    assert (echo.kind, echo.dedupe_kind, echo.provider_id) == ("message.any", "message", sent.message_id)
    [ack] = parse_session(msgspec.json.decode(fake.ack(taken, 3)), account="main")
    assert (ack.message_id, ack.extra["status"]) == (sent.message_id, "read")


async def test_a_message_is_deleted_for_everyone() -> None:
    fake = FakeSessions(api_key="k")
    async with engine(fake, api_key="k") as (provider, to):
        assert provider.revoke is not None
        assert "revoke" in provider.abilities
        sent = await send(provider, to, text="hi")
        await provider.revoke(sent.message_id, THEM, to)
        with pytest.raises(SendRefusedError, match="Message not found"):
            await provider.revoke(f"true_{THEM}_GONE", THEM, to)
    bare = fake.sent[0]["message"]["id"]["id"]
    assert fake.revoked == [{"chatId": THEM, "messageId": bare, "everyone": True}]


async def test_a_message_is_edited_unless_it_is_too_old() -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        assert provider.edit is not None
        assert "edit" in provider.abilities
        sent = await send(provider, to, text="helo")
        edit = Edit(message_id=sent.message_id, chat=THEM, type="text", text="hello")
        await provider.edit(edit, to)
        fake.too_old = True
        with pytest.raises(SendRefusedError, match="no longer lets"):
            await provider.edit(edit, to)
    bare = fake.sent[0]["message"]["id"]["id"]
    assert fake.edited == [{"chatId": THEM, "messageId": bare, "content": "hello"}]


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("image", None),
        ("video", None),
        ("audio", None),
        ("voice", "sendAudioAsVoice"),
        ("document", "sendMediaAsDocument"),
        ("sticker", "sendMediaAsSticker"),
    ],
)
async def test_a_file_goes_out_by_its_url(kind: str, option: str | None) -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        file = OutFile(mimetype="a/b", filename="a.bin", url="https://files.example/a")
        await send(provider, to, kind, file=file, text="look")
    [taken] = fake.sent
    assert (taken["contentType"], taken["content"]) == ("MessageMediaFromURL", "https://files.example/a")
    assert taken["mediaFromURLOptions"] == {"filename": "a.bin"}
    assert taken["options"] == {"sendSeen": False, "caption": "look"} | ({option: True} if option else {})


@pytest.mark.parametrize(("media", "url"), [("base64", "https://gateway.example/m/1"), ("url", "")])
async def test_a_file_that_we_hold_goes_in_the_request(tmp_path: Path, media: str, url: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" * 5000)
    fake = FakeSessions()
    async with engine(fake, media=media) as (provider, to):
        await send(provider, to, "image", file=OutFile(mimetype="image/jpeg", filename="a.jpg", path=path, url=url))
        with pytest.raises(SendRefusedError, match="no longer there"):
            await send(provider, to, "image", file=OutFile(mimetype="i/j", filename="a", path=tmp_path / "gone"))
        large = OutFile(mimetype="i/j", filename="a", path=path, size=16 * 2**20 + 1)
        if media == "base64":
            with pytest.raises(SendRefusedError, match="16 MiB"):
                await send(provider, to, "image", file=large)
        with pytest.raises(SendRefusedError, match="no URL"):
            await send(provider, to, "image", file=OutFile(mimetype="i/j", filename="a"))
    [taken] = fake.sent
    assert taken["contentType"] == "MessageMedia"
    assert base64.b64decode(taken["content"]["data"]) == path.read_bytes()
    assert (taken["content"]["mimetype"], taken["content"]["filename"]) == ("image/jpeg", "a.jpg")


async def test_places_cards_and_reactions() -> None:
    fake = FakeSessions()
    fake.known = {"AA", "3A"}
    async with engine(fake) as (provider, to):
        await send(provider, to, "location", location=OutLocation(latitude=1.5, longitude=2.5, name="Home"))
        card = {"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+1 999"}]}
        await send(provider, to, "contacts", contacts=(card,))
        for about in (f"false_{THEM}_AA", "3A"):
            sent = await send(provider, to, "reaction", reaction=OutReaction(message_id=about, emoji="👍"))
            assert sent.message_id == ""
        with pytest.raises(SendRefusedError, match="Message not found"):
            await send(provider, to, "reaction", reaction=OutReaction(message_id="old", emoji="👍"))
        with pytest.raises(SendRefusedError, match="one contact"):
            await send(provider, to, "contacts", contacts=(card, card))
        with pytest.raises(SendRefusedError, match="'template'"):
            await send(provider, to, "template", template={})
        with pytest.raises(SendRefusedError, match="phone numbers"):
            await send(provider, to, chat="x@user", text="hi")
    place, contact = fake.sent
    assert place["content"]["description"] == {"name": "Home", "address": ""}
    assert contact["content"].startswith("BEGIN:VCARD")
    assert "parseVCards" not in contact["options"]
    assert [each["messageId"] for each in fake.reactions] == ["AA", "3A"]


async def test_seen_and_typing_are_told_to_the_chat() -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        assert provider.signal is not None
        for kind in ("seen", "typing", "recording", "paused"):
            await provider.signal(Signal(kind=kind, chat=GROUP), to)
    told = [path.removeprefix("/chat/") for path, _ in fake.signals]
    assert told == ["sendSeen", "sendStateTyping", "sendStateRecording", "clearState"]


def answer(status: int, error: str = "", **headers: str) -> Fault:
    return Fault(reply=Reply(status=status, json={"success": False, "error": error}, headers=headers))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (answer(403, "Invalid API key"), AccountStoppedError),
        (answer(404, "session_not_found"), AccountStoppedError),
        (Fault(reply=Reply(status=404, body=b"<html>")), AccountStoppedError),
        (answer(422, "Session should be alphanumerical or -"), AccountStoppedError),
        (answer(302, location="https://elsewhere.example"), AccountStoppedError),
        (answer(404, "session_not_connected"), NotSentError),
        (answer(404, "browser tab closed"), NotSentError),
        (answer(429, **{"retry-after": "5"}), NotSentError),
        (answer(400, "invalid contentType"), SendRefusedError),
        (answer(413), SendRefusedError),
        (answer(500, "No LID for user"), SendRefusedError),
        (answer(500, "Evaluation failed: Error: wid error: invalid wid"), SendRefusedError),
        (answer(500, "Protocol error: Target closed."), OutcomeUnknownError),
        (answer(503), OutcomeUnknownError),
        (answer(200), OutcomeUnknownError),
        (Fault(drop=True), HttpError),
    ],
)
async def test_each_answer_says_what_is_certain(fault: Fault, error: type[Exception]) -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        fake.fail(fault)
        with pytest.raises(error) as caught:
            await send(provider, to, text="hi")
        assert type(caught.value) is error or error is HttpError
        assert (await send(provider, to, text="hi")).message_id


async def test_a_session_that_is_not_connected_slows_the_account() -> None:
    fake = FakeSessions()
    fake.states["main"] = None
    async with engine(fake) as (provider, to):
        with pytest.raises(NotSentError) as caught:
            await send(provider, to, text="hi")
    assert (caught.value.slow, caught.value.after, caught.value.code) == ("account", 15.0, "session_not_connected")


async def test_an_account_without_an_engine_only_receives() -> None:
    fake = FakeSessions()
    async with engine(fake, base_url="") as (provider, to):
        with pytest.raises(SendRefusedError, match="no base_url"):
            await send(provider, to, text="hi")
        assert provider.check is not None
        assert [each.level for each in await provider.check(to)] == ["warn"]
    assert provider.parse is None
    assert provider.verify is None


@pytest.mark.parametrize("url", ["engine", "ftp://x", "http://"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        SessionSettings(base_url=url)


async def test_doctor_asks_the_engine_for_its_session() -> None:
    fake = FakeSessions(api_key="k", session="s1")
    async with engine(fake, api_key="k", session_id="s1") as (provider, to):
        assert provider.check is not None
        assert [(each.what, each.level) for each in await provider.check(to)] == [
            ("reachable", "ok"),
            ("session", "ok"),
        ]
        fake.states["s1"] = "UNPAIRED"
        assert [each.level for each in await provider.check(to)] == ["ok", "fail"]
        fake.api_key = "other"
        assert [(each.what, each.level) for each in await provider.check(to)] == [("engine", "fail")]
        fake.fail(Fault(reply=Reply(status=503)))
        assert [(each.what, each.level) for each in await provider.check(to)] == [("reachable", "fail")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"id": {"_serialized": f"true_{THEM}_BB"}}, f"true_{THEM}_BB"),
        ({"id": {"fromMe": True, "remote": THEM, "id": "BB"}}, f"true_{THEM}_BB"),
        ({"id": {"remote": {"user": "19990000000", "server": "c.us"}, "id": "BB"}}, f"true_{THEM}_BB"),
        ({"id": {"remote": GROUP, "id": "BB", "participant": {"_serialized": THEM}}}, f"true_{GROUP}_BB_{THEM}"),
        ({"id": "BB"}, "BB"),
        ({"id": {"id": "BB"}}, "BB"),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_id_is_read_from_every_form(message: object, expected: str) -> None:
    assert message_id(message) == expected


async def test_what_goes_wrong_is_always_a_send_error_or_an_http_error() -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        for status in (300, 401, 402, 405, 408, 409, 418, 502, 599):
            fake.fail(Fault(reply=Reply(status=status, body=b"<html>")))
            with pytest.raises(SendError):
                await send(provider, to, text="hi")


# Files that came in


async def test_a_file_is_asked_of_the_engine_by_its_message() -> None:
    fake = FakeSessions(api_key="k")
    async with engine(fake, api_key="k") as (provider, to):
        assert provider.locate_media is not None
        direct = await provider.locate_media(Media(url="https://cdn.example/a.jpg", provider_id="x"), to)
        assert (direct.url, direct.headers, direct.trust) == ("https://cdn.example/a.jpg", {}, "public")
        found = await provider.locate_media(Media(provider_id=f"false_{GROUP}_AA_{THEM}"), to)
        assert found.url == f"{fake.url}/message/downloadMedia/main"
        assert msgspec.json.decode(found.content) == {"chatId": GROUP, "messageId": "AA"}
        assert (found.headers["x-api-key"], found.trust, found.inside) == ("k", "operator", "messageMedia")
        with pytest.raises(SendRefusedError):
            await provider.locate_media(Media(provider_id="a-file-of-its-own"), to)


async def test_a_file_over_the_engines_limit_is_said_to_be_too_large() -> None:
    fake = FakeSessions()
    async with engine(fake) as (provider, to):
        fake.fail(Fault(reply=Reply(status=413, json={"success": False, "error": "request entity too large"})))
        with pytest.raises(SendRefusedError, match=r"larger than the engine takes.*MAX_ATTACHMENT_SIZE") as caught:
            await send(provider, to, text="hi")
        assert caught.value.http_status == 413


async def test_without_an_engine_to_ask_a_file_may_still_come() -> None:
    async with engine(FakeSessions(), base_url="") as (provider, to):
        assert provider.locate_media is not None
        with pytest.raises(NotSentError, match="has not posted"):
            await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)


@pytest.mark.parametrize(
    ("status", "said", "kind", "slow"),
    [
        (500, "Message not found", SendRefusedError, ""),
        (500, "Message media not found", SendRefusedError, ""),
        (413, "request entity too large", SendRefusedError, ""),
        (500, "Protocol error: Target closed", NotSentError, "account"),
        (404, "session_not_connected", NotSentError, "account"),
        (403, "Invalid API key", NotSentError, "account"),
    ],
)
async def test_what_an_answer_without_a_file_means(status: int, said: str, kind: type[SendError], slow: str) -> None:
    async with engine(FakeSessions()) as (provider, _):
        assert provider.media_answer is not None
        error = provider.media_answer(status, msgspec.json.encode({"success": False, "error": said}))
        assert type(error) is kind
        assert said in error.reason
        assert getattr(error, "slow", "") == slow
        assert provider.media_answer(502, b"<html>").http_status == 502
