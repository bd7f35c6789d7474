"""Sending through Meta's fake with the real HTTP client: what goes out, and what comes of every fault."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from tests.meta import SETTINGS, account, at, meta_provider, outgoing
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import OutFile, OutLocation, OutReaction, Signal
from wagate.http import HttpClient, HttpError, NetworkError, TimedOutError
from wagate.outbound.handover import as_send_error
from wagate.testing.providers.meta import FakeMeta, failed, fake_meta
from wagate.testing.server import Fault, Reply
from wagate_meta.api import LEFT_TO_TELL
from wagate_meta.bodies import message_body, recipient
from wagate_meta.send import LEFT_TO_SEND

LINK = OutFile(mimetype="image/jpeg", filename="a.jpg", url="https://files.example/a.jpg")
PDF = OutFile(mimetype="application/pdf", filename='Größe "1".pdf', url="https://files.example/a.pdf")
LIST = {"type": "list", "body": {"text": "b"}, "action": {"button": "x", "sections": []}}


async def sent(fake: FakeMeta, **message: Any) -> dict[str, Any]:
    """The body that the fake got."""
    async with meta_provider() as provider:
        assert provider.send
        result = await provider.send(outgoing(at(fake), **message))
    assert result.message_id == fake.messages[-1]["wamid"]
    return fake.messages[-1]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"text": "Hi"}, {"type": "text", "text": {"body": "Hi", "preview_url": True}}),
        ({"text": "Hi", "preview_url": False}, {"type": "text", "text": {"body": "Hi", "preview_url": False}}),
        ({"text": "Hi", "reply_to": "wamid.0"}, {"context": {"message_id": "wamid.0"}}),
        ({"type": "image", "text": "Look", "file": LINK}, {"image": {"link": LINK.url, "caption": "Look"}}),
        ({"type": "video", "file": LINK}, {"type": "video", "video": {"link": LINK.url}}),
        ({"type": "audio", "file": LINK}, {"type": "audio", "audio": {"link": LINK.url}}),
        ({"type": "voice", "file": LINK}, {"type": "audio", "audio": {"link": LINK.url, "voice": True}}),
        ({"type": "sticker", "file": LINK}, {"type": "sticker", "sticker": {"link": LINK.url}}),
        ({"type": "document", "file": PDF}, {"document": {"link": PDF.url, "filename": PDF.filename}}),
        (
            {"type": "location", "location": OutLocation(latitude=1.5, longitude=2, name="Cafe")},
            {"location": {"latitude": 1.5, "longitude": 2, "name": "Cafe"}},
        ),
        (
            {"type": "reaction", "reaction": OutReaction(message_id="wamid.0", emoji=""), "reply_to": "wamid.7"},
            {"type": "reaction", "reaction": {"message_id": "wamid.0", "emoji": ""}},
        ),
        (
            {"type": "template", "template": {"name": "t", "language": "en_US", "content_sid": "H"}},
            {"template": {"name": "t", "language": {"code": "en_US"}}},
        ),
        ({"type": "interactive", "interactive": LIST}, {"type": "interactive", "interactive": LIST}),
        ({"type": "contacts", "contacts": ({"name": {"formatted_name": "Bo"}},)}, {"type": "contacts"}),
    ],
)
async def test_each_type_goes_out_in_metas_form(message: dict[str, Any], expected: dict[str, Any]) -> None:
    async with fake_meta() as fake:
        body = await sent(fake, **message)
    head = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "15550002222"}
    head["biz_opaque_callback_data"] = "01900000-0000-7000-8000-000000000001"
    assert body | head | expected == body
    assert ("context" in body) == ("context" in expected)
    assert fake.server.seen[0].path == f"/v23.0/{fake.phone_number_id}/messages"


async def test_a_vcard_becomes_a_card() -> None:
    vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Bo\nTEL;type=CELL;waid=1555:+1 555\nEND:VCARD"
    async with fake_meta() as fake:
        body = await sent(fake, type="contacts", contacts=({"vcard": vcard},))
    [card] = body["contacts"]
    assert card["name"] == {"formatted_name": "Bo", "first_name": "Bo"}
    assert card["phones"] == [{"phone": "+1 555", "type": "CELL", "wa_id": "1555"}]


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ("1555@c.us", {"recipient_type": "individual", "to": "1555"}),
        ("US.1@user", {"recipient_type": "individual", "recipient": "US.1"}),
        ("Y2Fw@g.us", {"recipient_type": "group", "to": "Y2Fw"}),
    ],
)
def test_a_chat_is_a_number_a_user_id_or_a_group(chat: str, expected: dict[str, str]) -> None:
    assert recipient(chat) == expected


@pytest.mark.parametrize(
    "message",
    [
        {"chat": "1@lid"},
        {"text": ""},
        {"type": "image"},
        {"type": "voice", "file": LINK, "text": "no captions here"},
        {"type": "template", "template": {"name": "t"}},
        {"type": "location"},
        {"type": "reaction"},
        {"type": "contacts"},
        {"type": "interactive"},
        {"type": "poll"},
    ],
)
def test_what_a_message_lacks_is_said_before_anything_is_sent(message: dict[str, Any]) -> None:
    with pytest.raises(SendRefusedError):
        message_body(outgoing(account(), **message))


# Files


async def test_a_file_that_we_hold_is_uploaded_in_pieces_and_named_by_its_id(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    async with fake_meta() as fake:
        file = OutFile(mimetype=PDF.mimetype, filename=PDF.filename, path=path, url=PDF.url)
        body = await sent(fake, type="document", file=file, text="Here")
        [(media_id, upload)] = fake.uploads.items()
        seen = fake.server.seen[0]
    assert body["document"] == {"id": media_id, "caption": "Here", "filename": PDF.filename}
    assert (upload.mimetype, upload.filename) == ("application/pdf", "Größe %221%22.pdf")
    assert upload.size == int(seen.headers["content-length"]) > len(content)
    head, _, _ = seen.body.partition(content[:1000])
    tail = b"\r\n--" + seen.headers["content-type"].partition("boundary=")[2].encode() + b"--\r\n"
    assert hashlib.sha256(head + content + tail).hexdigest() == seen.sha256


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(drop=True), NotSentError),
        (Fault(accept=True, drop=True), NotSentError),
        (Fault(reply=Reply(body=b"{")), NotSentError),
        (Fault(reply=failed(400, 131053, "bad file")), SendRefusedError),
        (Fault(reply=failed(401, 190, "no")), AccountStoppedError),
        (Fault(reply=Reply(status=503)), NotSentError),
    ],
)
async def test_a_file_that_did_not_arrive_means_that_nothing_was_sent(
    tmp_path: Path, fault: Fault, kind: type[SendError]
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"jpeg")
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.send
        fake.server.fail(fault)
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", path=path)
        with pytest.raises(kind):
            await provider.send(outgoing(at(fake), type="image", file=file))
        assert fake.messages == []


async def test_an_upload_that_takes_the_cores_time_means_that_nothing_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"jpeg")
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.send
        fake.server.fail(Fault(wait=60.0))
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", path=path)
        with trio.fail_after(LEFT_TO_SEND + 1), pytest.raises(NotSentError, match="not uploaded within"):
            await provider.send(outgoing(at(fake), type="image", file=file))
        assert fake.messages == []


async def test_a_connection_that_stalls_in_the_cores_last_seconds_means_that_nothing_was_sent() -> None:
    async with meta_provider() as provider:
        assert provider.send
        with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and never greets by TLS
            here = outgoing(account(replace(SETTINGS, base_url=f"https://127.0.0.1:{silent.getsockname()[1]}")))
            with trio.fail_after(LEFT_TO_TELL + 0.5), pytest.raises(TimedOutError) as stalled:
                await provider.send(here)
    assert isinstance(as_send_error(stalled.value), NotSentError)


async def test_a_file_that_is_gone_from_the_disk_is_refused(tmp_path: Path) -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.send
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", path=tmp_path / "a.jpg")
        with pytest.raises(SendRefusedError, match="no longer exists"):
            await provider.send(outgoing(at(fake), type="image", file=file))
        assert fake.server.seen == []


# Faults


async def failing(fault: Fault, **settings: Any) -> tuple[Exception, FakeMeta]:
    """The error of one message that meets this fault."""
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.send
        fake.server.fail(fault)
        with pytest.raises((SendError, HttpError)) as raised:
            await provider.send(outgoing(at(fake, **settings)))
    return raised.value, fake


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (failed(400, 131056, "slow"), NotSentError),
        (failed(429, 130429, "slow"), NotSentError),
        (Reply(status=429, headers={"Retry-After": "3"}), NotSentError),
        (Reply(status=429), NotSentError),
        (failed(500, 131000, "oops"), NotSentError),
        (Reply(status=502, body=b"<html>"), NotSentError),
        (failed(400, 131047, "window"), SendRefusedError),
        (failed(400, 131026, "nobody"), SendRefusedError),
        (failed(400, 131049, "no"), SendRefusedError),
        (failed(403, 131048, "spam"), AccountStoppedError),
        (failed(401, 190, "expired", subcode=463), AccountStoppedError),
        (Reply(body=b"{"), OutcomeUnknownError),
        (Reply(json={"messages": []}), OutcomeUnknownError),
        (Reply(json={"messages": [{"id": 0}]} | {"messages": None}), OutcomeUnknownError),
        (Reply(status=504), OutcomeUnknownError),
    ],
)
async def test_every_answer_has_its_class(reply: Reply, kind: type[SendError]) -> None:
    error, _ = await failing(Fault(reply=reply))
    assert type(error) is kind
    assert isinstance(error, SendError)
    assert error.http_status == reply.status


async def test_an_answer_that_never_comes_says_whether_the_request_left() -> None:
    error, fake = await failing(Fault(accept=True, drop=True))
    assert isinstance(error, NetworkError)
    assert error.sent
    assert len(fake.messages) == 1
    refused, _ = await failing(Fault(), base_url="http://127.0.0.1:1")
    assert isinstance(refused, HttpError)
    assert not refused.sent


async def test_the_provider_says_how_fast_a_number_may_send_and_that_nothing_may_be_sent_twice() -> None:
    async with meta_provider() as provider:
        assert (provider.limits.per_second, provider.limits.chat_burst, provider.idempotent) == (80, 45, False)
        assert provider.limits.chat_per_second == pytest.approx(1 / 6)
        assert {"text", "voice", "reaction", "template", "reply", "seen", "typing"} <= provider.abilities


async def test_a_wrong_token_is_not_in_the_error() -> None:
    error, _ = await failing(Fault(path="nowhere"), access_token="EAAwrongtoken00001")
    assert isinstance(error, AccountStoppedError)
    assert "EAAwrong" not in f"{error.reason} {error.response}"


@pytest.mark.parametrize(
    ("told", "status"), [("accepted", "sent"), ("held_for_quality_assessment", "queued"), ("paused", "queued")]
)
async def test_a_message_that_meta_holds_back_is_queued(told: str, status: str) -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.send
        fake.server.fail(Fault(reply=Reply(json={"messages": [{"id": "wamid.7", "message_status": told}]})))
        result = await provider.send(outgoing(at(fake)))
    assert (result.message_id, result.status, result.http_status) == ("wamid.7", status, 200)


# Marks and typing


async def test_messages_are_marked_as_read_one_by_one_and_typing_marks_the_last() -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.signal
        await provider.signal(Signal(kind="seen", chat="1555@c.us", message_ids=("a", "b")), at(fake))
        await provider.signal(Signal(kind="typing", chat="1555@c.us", message_ids=("a", "b")), at(fake))
        await provider.signal(Signal(kind="paused", chat="1555@c.us"), at(fake))
    base = {"messaging_product": "whatsapp", "status": "read"}
    typing = {"typing_indicator": {"type": "text"}}
    assert fake.signals == [base | {"message_id": "a"}, base | {"message_id": "b"}, base | {"message_id": "b"} | typing]


@pytest.mark.parametrize("kind", ["seen", "typing"])
async def test_a_signal_without_a_message_is_refused_plainly(kind: str) -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.signal
        with pytest.raises(SendRefusedError, match="id of a message"):
            await provider.signal(Signal(kind=kind, chat="1555@c.us"), at(fake))
        fake.server.fail(Fault(reply=failed(400, 131009, "no such message")))
        with pytest.raises(SendRefusedError, match="no such message"):
            await provider.signal(Signal(kind=kind, chat="1555@c.us", message_ids=("a",)), at(fake))


# Files that came in


async def test_a_file_is_asked_for_by_its_id_and_fetched_with_the_token() -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.locate_media
        media_id = fake.hold(b"jpeg", "image/jpeg")
        found = await provider.locate_media(Media(provider_id=media_id), at(fake))
        assert fake.server.seen[0].query == {"phone_number_id": fake.phone_number_id}
    assert found.url == fake.file_url(media_id)
    assert found.headers == {"Authorization": f"Bearer {fake.token}"}
    assert (found.mimetype, found.size, found.trust) == ("image/jpeg", 4, "operator")


async def test_when_the_address_of_a_file_has_lapsed_its_id_gives_a_new_one() -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.locate_media
        media_id, http = fake.hold(b"jpeg", "image/jpeg"), HttpClient()
        first = await provider.locate_media(Media(provider_id=media_id), at(fake))
        fake.lapse(media_id)
        second = await provider.locate_media(Media(provider_id=media_id, url=first.url), at(fake))
        for where, status in ((first, 404), (second, 200)):
            assert (await http.request("GET", where.url, headers=where.headers, trust="operator")).status == status
        await http.aclose()


async def test_a_file_that_is_gone_is_asked_for_once_more_and_then_refused() -> None:
    async with fake_meta() as fake, meta_provider() as provider:
        assert provider.locate_media
        with pytest.raises(SendRefusedError, match="no longer exists"):
            await provider.locate_media(Media(provider_id="5"), at(fake))
        assert len(fake.server.seen) == 2
        media_id = fake.hold(b"x", "image/jpeg")
        fake.server.fail(Fault(reply=Reply(status=404)))
        assert (await provider.locate_media(Media(provider_id=media_id), at(fake))).size == 1
        fake.server.fail(Fault(reply=Reply(status=503)))
        with pytest.raises(NotSentError):
            await provider.locate_media(Media(provider_id=media_id), at(fake))
        fake.server.fail(Fault(reply=Reply(json={})))
        with pytest.raises(NotSentError, match="address"):
            await provider.locate_media(Media(provider_id=media_id), at(fake))


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://lookaside.fbsbx.com/x?mid=1", True),
        ("https://fbsbx.com.evil.example/x", False),
        ("https://evilfbsbx.com/x", False),
        ("http://lookaside.fbsbx.com/x", False),
    ],
)
async def test_a_direct_url_gets_the_token_only_at_metas_hosts(url: str, known: bool) -> None:
    async with meta_provider() as provider:
        assert provider.locate_media
        found = await provider.locate_media(Media(url=url), account())
        assert (bool(found.headers), found.trust, found.url) == (known, "public", url)
        with pytest.raises(SendRefusedError):
            await provider.locate_media(Media(), account())
