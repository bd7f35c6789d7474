"""Sending through WAHA, by a real client, to a WAHA that is a fake."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.waha_site import account, outgoing, waha
from wagate.errors import (
    AccountStoppedError,
    NotSentError,
    OutcomeUnknownError,
    SendError,
    SendRefusedError,
)
from wagate.hooks import (
    Edit,
    OutFile,
    OutLocation,
    OutPoll,
    OutPreview,
    OutReaction,
    Provider,
    ProviderAccount,
    Sent,
    Signal,
)
from wagate.hooks.base64_files import Base64Files
from wagate.http import HttpError
from wagate.testing.providers.waha import Engine, FakeWaha
from wagate.testing.server import Fault, Reply

THEM, GROUP = "19990000000@c.us", "12036300000000@g.us"
PICTURE = OutFile(mimetype="image/jpeg", filename="a.jpg", url="https://files.example/a.jpg")


async def send(provider: Provider, to: ProviderAccount, kind: str = "text", **fields: Any) -> Sent:
    assert provider.send is not None
    return await provider.send(outgoing(to, kind, **fields))


@pytest.mark.parametrize("engine", ["GOWS", "NOWEB", "WEBJS"])
async def test_the_id_is_read_from_each_engines_answer(engine: Engine) -> None:
    fake = FakeWaha(engine=engine, api_key="k")
    async with waha(fake, api_key="k") as (provider, to):
        sent = await send(provider, to, text="hi", reply_to=f"false_{THEM}_AA")
        assert sent.message_id == fake.sent[0]["_id"]
        assert sent.http_status == 201
    assert {name: fake.sent[0][name] for name in ("session", "chatId", "text", "reply_to", "linkPreview")} == {
        "session": "default",
        "chatId": THEM,
        "text": "hi",
        "reply_to": f"false_{THEM}_AA",
        "linkPreview": True,
    }


async def test_groups_lids_and_mentions_go_out_as_they_are() -> None:
    fake = FakeWaha(session="sales")
    async with waha(fake, session="sales") as (provider, to):
        await send(provider, to, chat=GROUP, text="@1", mentions=(THEM,), preview_url=False)
        await send(provider, to, chat="444@lid", text="hi")
        with pytest.raises(SendRefusedError, match="phone numbers, groups and LIDs"):
            await send(provider, to, chat="abc@user", text="hi")
    assert fake.sent[0]["mentions"] == [THEM]
    assert fake.sent[0]["linkPreview"] is False
    assert [each["chatId"] for each in fake.sent] == [GROUP, "444@lid"]


@pytest.mark.parametrize(
    ("kind", "mimetype", "path", "more"),
    [
        ("image", "image/png", "/api/sendImage", {"caption": "look"}),
        ("video", "video/mp4", "/api/sendVideo", {"caption": "look", "convert": False}),
        ("video", "video/quicktime", "/api/sendVideo", {"caption": "look", "convert": True}),
        ("voice", "audio/ogg", "/api/sendVoice", {"convert": False}),
        ("voice", "audio/mpeg", "/api/sendVoice", {"convert": True}),
        ("audio", "audio/mpeg", "/api/sendFile", {"caption": "look"}),
        ("document", "application/pdf", "/api/sendFile", {"caption": "look"}),
    ],
)
async def test_a_file_goes_out_by_its_url(kind: str, mimetype: str, path: str, more: dict[str, Any]) -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        file = OutFile(mimetype=mimetype, filename="a.bin", url="https://files.example/a")
        await send(provider, to, kind, file=file, text="look")
    [taken] = fake.sent
    assert taken["_path"] == path
    assert taken["file"]["url"] == "https://files.example/a"
    assert {name: taken.get(name) for name in more} == more
    assert taken["file"]["mimetype"] == ("audio/ogg; codecs=opus" if mimetype == "audio/ogg" else mimetype)


@pytest.mark.parametrize(("media", "url"), [("base64", "https://gateway.example/m/1"), ("url", "")])
async def test_a_file_that_we_hold_goes_in_the_request(tmp_path: Path, media: str, url: str) -> None:
    content = bytes(range(256)) * 40
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    fake = FakeWaha()
    async with waha(fake, media=media) as (provider, to):
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", path=path, url=url, size=len(content))
        await send(provider, to, "image", file=file, text='"file-00"')
    [taken] = fake.sent
    assert hashlib.sha256(base64.b64decode(taken["file"]["data"])).digest() == hashlib.sha256(content).digest()
    assert (taken["file"]["filename"], taken["caption"]) == ("a.jpg", '"file-00"')


async def test_a_file_too_large_gone_or_without_a_way_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    with large.open("r+b") as file:
        file.truncate(16 * 2**20 + 1)
    fake = FakeWaha()
    async with waha(fake, media="base64") as (provider, to):
        for size in (None, 16 * 2**20 + 1):
            with pytest.raises(SendRefusedError, match="16 MiB"):
                await send(provider, to, "image", file=OutFile(mimetype="i/j", filename="a", path=large, size=size))
        with pytest.raises(SendRefusedError, match="no longer there"):
            await send(provider, to, "image", file=OutFile(mimetype="i/j", filename="a", path=tmp_path / "gone"))
        with pytest.raises(SendRefusedError, match="public_url"):
            await send(provider, to, "image", file=OutFile(mimetype="i/j", filename="a"))
    assert fake.seen == []


async def test_a_third_large_file_waits_and_then_certainly_was_not_sent(autojump_clock: object) -> None:
    files = Base64Files()
    async with files.place(), files.place():
        with pytest.raises(NotSentError) as caught:
            async with files.place():
                pass
    assert caught.value.slow == "account"
    async with files.place():
        pass


async def test_places_cards_and_reactions_have_their_own_requests() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        await send(provider, to, "location", location=OutLocation(latitude=52.5, longitude=13.4, name="Home"))
        card = {"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+1 999", "wa_id": "1999"}]}
        await send(provider, to, "contacts", contacts=(card, {"vcard": "BEGIN:VCARD\nEND:VCARD"}))
        sent = await send(provider, to, "reaction", reaction=OutReaction(message_id=f"false_{THEM}_AA", emoji=""))
        with pytest.raises(SendRefusedError, match="a contact needs"):
            await send(provider, to, "contacts", contacts=({"phones": []},))
        with pytest.raises(SendRefusedError, match="'template'"):
            await send(provider, to, "template", template={"name": "x"})
    place, cards, reaction = fake.sent
    assert (place["latitude"], place["longitude"], place["title"]) == (52.5, 13.4, "Home")
    assert "FN:Ana" in cards["contacts"][0]["vcard"]
    assert cards["contacts"][1] == {"vcard": "BEGIN:VCARD\nEND:VCARD"}
    assert (reaction["reaction"], reaction["messageId"], reaction["_path"]) == ("", f"false_{THEM}_AA", "/api/reaction")
    assert sent.message_id


async def test_seen_and_typing_are_told_to_the_chat() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        assert provider.signal is not None
        for kind in ("seen", "typing", "paused"):
            await provider.signal(Signal(kind=kind, chat=THEM, message_ids=(f"false_{THEM}_AA",)), to)
    assert [path for path, _ in fake.signals] == ["/api/sendSeen", "/api/startTyping", "/api/stopTyping"]
    assert fake.seen[0].json["messageIds"] == [f"false_{THEM}_AA"]


async def test_recording_is_a_presence_of_the_chat() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        assert provider.signal is not None
        await provider.signal(Signal(kind="recording", chat=THEM), to)
    assert [seen.path for seen in fake.seen] == ["/api/default/presence"]
    assert fake.seen[0].json == {"chatId": THEM, "presence": "recording"}


async def test_a_message_is_revoked_by_its_id_and_its_chat() -> None:
    fake = FakeWaha(api_key="k")
    async with waha(fake, api_key="k") as (provider, to):
        assert provider.revoke is not None
        assert "revoke" in provider.abilities
        whole = (await send(provider, to, chat=GROUP, text="hi")).message_id
        for _ in range(2):
            await provider.revoke(whole, GROUP, to)
        with pytest.raises(SendRefusedError, match="phone numbers, groups and LIDs"):
            await provider.revoke(whole, "abc@user", to)
        fake.statuses["default"] = "STARTING"
        with pytest.raises(NotSentError, match="STARTING"):
            await provider.revoke(whole, GROUP, to)
        fake.fail(Fault(reply=Reply(status=500)))
        with pytest.raises(OutcomeUnknownError):
            await provider.revoke(whole, GROUP, to)
    assert fake.revoked == [(GROUP, whole)] * 2
    encoded = f"/api/default/chats/{GROUP}/messages/{whole}".replace("@", "%40")
    assert [(seen.method, seen.path) for seen in fake.seen[1:3]] == [("DELETE", encoded)] * 2


async def test_a_message_is_edited_by_its_id_and_its_chat() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        assert provider.edit is not None
        assert "edit" in provider.abilities
        whole = (await send(provider, to, text="helo")).message_id
        edit = Edit(message_id=whole, chat=THEM, type="text", text="hello")
        await provider.edit(edit, to)
        for said, match in (
            (None, r"engine can't do this \(501\)$"),
            ({"message": "not by WEBJS"}, "this .*: not by WEBJS"),
        ):
            fake.fail(Fault(reply=Reply(status=501, json=said)))
            with pytest.raises(SendRefusedError, match=match):
                await provider.edit(edit, to)
    assert fake.edited == [(THEM, whole, "hello")]


async def test_a_poll_and_a_preview_of_ours_have_requests_of_their_own() -> None:
    fake = FakeWaha()
    shown = OutPreview(url="https://a.example", title="A", thumbnail="/9j/")
    async with waha(fake) as (provider, to):
        await send(provider, to, kind="poll", poll=OutPoll(name="When?", options=("now", "later"), multiple=True))
        await send(provider, to, text="see https://a.example", preview=shown)
    poll, text = fake.sent
    assert poll["poll"] == {"name": "When?", "options": ["now", "later"], "multipleAnswers": True}
    assert (text["_path"], text["text"]) == ("/api/send/link-custom-preview", "see https://a.example")
    image = {"mimetype": "image/jpeg", "filename": "preview.jpg", "data": "/9j/"}
    assert text["preview"] == {"url": "https://a.example", "title": "A", "description": "", "image": image}


def answer(status: int, json: Any = None, **headers: str) -> Fault:
    return Fault(reply=Reply(status=status, json=json if json is not None else {}, headers=headers))


UNREADY = {
    "error": "Session status is not as expected.",
    "session": "default",
    "status": "STOPPED",
    "expected": ["WORKING"],
}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (answer(401, {"message": "Unauthorized", "statusCode": 401}), AccountStoppedError),
        (answer(403), AccountStoppedError),
        (answer(404, {"message": "Session not found"}), AccountStoppedError),
        (answer(307, location="https://elsewhere.example"), AccountStoppedError),
        (answer(422, UNREADY), NotSentError),
        (answer(429, **{"retry-after": "7"}), NotSentError),
        (answer(400, {"message": ["chatId is wrong"], "error": "Bad Request"}), SendRefusedError),
        (answer(413), SendRefusedError),
        (answer(422, {"message": "available only in Plus"}), SendRefusedError),
        (answer(501), SendRefusedError),
        (answer(500), OutcomeUnknownError),
        (answer(502), OutcomeUnknownError),
        (answer(504), OutcomeUnknownError),
        (answer(408), OutcomeUnknownError),
        (Fault(drop=True), HttpError),
    ],
)
async def test_each_answer_says_what_is_certain(fault: Fault, error: type[Exception]) -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        fake.fail(fault)
        with pytest.raises(error) as caught:
            await send(provider, to, text="hi")
        assert type(caught.value) is error or error is HttpError
        assert (await send(provider, to, text="hi")).message_id


async def test_a_session_that_is_not_working_slows_the_account_and_names_its_state() -> None:
    fake = FakeWaha()
    fake.statuses["default"] = "SCAN_QR_CODE"
    async with waha(fake) as (provider, to):
        with pytest.raises(NotSentError, match="SCAN_QR_CODE") as caught:
            await send(provider, to, text="hi")
    assert (caught.value.slow, caught.value.after, caught.value.code) == ("account", 15.0, "SCAN_QR_CODE")


async def test_a_500_that_echoes_the_request_leaves_no_trace() -> None:
    echo = {"statusCode": 500, "exception": {"message": "top secret"}, "request": {"body": {"text": "top secret"}}}
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        fake.fail(answer(500, echo))
        with pytest.raises(OutcomeUnknownError) as caught:
            await send(provider, to, text="top secret")
    assert "secret" not in f"{caught.value!r}{caught.value.reason}{caught.value.response}"


async def test_a_waha_that_is_not_there_was_not_reached() -> None:
    async with waha(FakeWaha()) as (provider, _):
        with pytest.raises(HttpError, match="ECONNREFUSED"):
            await send(provider, account("http://127.0.0.1:1"), text="hi")


async def test_a_wrong_key_stops_the_account() -> None:
    async with waha(FakeWaha(api_key="right"), api_key="wrong") as (provider, to):
        with pytest.raises(AccountStoppedError, match="api_key"):
            await send(provider, to, text="hi")


async def test_an_answer_without_an_id_is_sent_all_the_same() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        for body in ({}, [], "ok", {"id": {}}, {"key": {}}):
            fake.fail(answer(201, body))
            assert (await send(provider, to, text="hi")).message_id == ""


async def test_what_goes_wrong_is_always_a_send_error_or_an_http_error() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        for status in (300, 402, 405, 409, 410, 415, 418, 503, 599):
            fake.fail(Fault(reply=Reply(status=status, body=b"<html>")))
            with pytest.raises(SendError):
                await send(provider, to, text="hi")
