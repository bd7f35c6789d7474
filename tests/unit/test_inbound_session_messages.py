from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from wagate.events import NewEvent
from wagate.inbound.receive import dedupe_key
from wagate.inbound.session.events import parse_session
from wagate.storage.owners.directory import Account

OUR = "6289876543210"
ACCOUNT = Account(
    id="a1",
    name="main",
    client_id=1,
    tenant="default",
    provider="session",
    phone="",
    metadata={},
    ignore={},
    webhook_secret="",
    source="",
)
SPEC = {
    "id": "msg_123",
    "body": "Hello World",
    "from": "6281234567890@c.us",
    "to": "6289876543210@c.us",
    "timestamp": 1640995200,
}


def parse(event: str, data: Any, *, phone: str = "") -> NewEvent:
    [parsed] = parse_session({"event": event, "data": data}, account="main", phone=phone)
    return parsed


def full(**changes: Any) -> dict[str, Any]:
    """A message as whatsapp-web.js sends it: the class's fields, with ``_data`` beside them."""
    own = bool(changes.get("fromMe"))
    remote = changes.pop("remote", "15550001111@c.us")
    serialized = f"{'true' if own else 'false'}_{remote}_3EB0"
    key = {"fromMe": own, "remote": remote, "id": "3EB0", "_serialized": serialized}
    data = {"id": key, "type": changes.get("type", "chat"), "t": 1700000000, "notifyName": "Ana"} | changes.pop(
        "_data", {}
    )
    sides = {"from": "15559990000@c.us", "to": remote} if own else {"from": remote, "to": "15559990000@c.us"}
    base = {
        "_data": data,
        "id": key,
        "hasMedia": False,
        "body": "hi",
        "type": "chat",
        "timestamp": 1700000000,
        "fromMe": own,
    }
    return base | sides | changes


def seen(**changes: Any) -> NewEvent:
    return parse("message", {"message": full(**changes)})


def test_the_specs_flat_message_becomes_a_message() -> None:
    assert parse("message", {"message": SPEC}) == NewEvent(
        kind="message",
        dedupe_kind="message",
        provider_id="msg_123",
        message_id="msg_123",
        chat="6281234567890@c.us",
        sender="6281234567890@c.us",
        recipient="6289876543210@c.us",
        type="text",
        content="Hello World",
        timestamp=datetime(2022, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "envelope",
    [
        {"event": "message", "data": {"message": SPEC}},
        {"event": "message", "data": SPEC},
        {"dataType": "message", "data": {"message": SPEC}, "sessionId": "main"},
        {"type": "message", "payload": {"message": SPEC}, "session": "main"},
        {"event": "message", "message": SPEC, "sessionId": "main"},
        {"event": "message", **SPEC},
    ],
)
def test_every_envelope_holds_the_same_message(envelope: dict[str, Any]) -> None:
    assert parse_session(envelope, account="main") == [parse("message", {"message": SPEC})]


def test_a_full_message_is_read_from_its_own_fields() -> None:
    event = seen()
    assert event.provider_id == event.message_id == "false_15550001111@c.us_3EB0"
    assert (event.chat, event.sender, event.recipient) == ("15550001111@c.us", "15550001111@c.us", "15559990000@c.us")
    assert (event.kind, event.type, event.content, event.contact_name, event.from_me) == (
        "message",
        "text",
        "hi",
        "Ana",
        False,
    )


def test_a_bare_data_object_is_a_message_too() -> None:
    event = parse("message", full()["_data"] | {"from": {"server": "c.us", "user": "15550001111"}, "body": "raw"})
    assert (event.chat, event.content, event.contact_name) == ("15550001111@c.us", "raw", "Ana")
    assert event.timestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_message_and_message_create_of_one_message_are_duplicates() -> None:
    first, second = parse("message", {"message": full()}), parse("message_create", {"message": full()})
    assert first == second
    assert first.dedupe_kind == "message"


def test_our_own_message_is_message_any_in_the_other_sides_chat() -> None:
    event = parse("message_create", {"message": full(fromMe=True)})
    assert (event.kind, event.dedupe_kind, event.from_me) == ("message.any", "message", True)
    assert (event.chat, event.sender, event.contact_name) == ("15550001111@c.us", "15559990000@c.us", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "true_15550001111@c.us_3EB0"},
        {"id": {"fromMe": True, "remote": "15550001111@c.us", "id": "3EB0"}},
        {"fromMe": True},
    ],
)
def test_any_sign_that_it_is_ours_counts(changes: dict[str, Any]) -> None:
    sides = {"from": "15559990000@c.us", "to": "15550001111@c.us"}
    event = parse("message_create", {"message": {"body": "hi", **sides, **changes}})
    assert (event.kind, event.chat) == ("message.any", "15550001111@c.us")


def test_our_number_tells_our_own_flat_messages_from_theirs() -> None:
    ours = SPEC | {"from": SPEC["to"], "to": SPEC["from"]}
    assert parse("message_create", {"message": ours}, phone=OUR).kind == "message.any"
    assert parse("message_create", {"message": ours}, phone=OUR).chat == "6281234567890@c.us"
    assert parse("message_create", {"message": SPEC}, phone=OUR).kind == "message"


def test_in_a_group_the_chat_is_the_group_and_the_sender_its_author() -> None:
    event = seen(remote="120363041234567890@g.us", author="15550002222@c.us")
    assert (event.chat, event.sender) == ("120363041234567890@g.us", "15550002222@c.us")
    event = parse("message", {"message": {"id": "false_120363041234567890@g.us_3EB0_15550003333@c.us", "body": "x"}})
    assert (event.chat, event.sender) == ("120363041234567890@g.us", "15550003333@c.us")


def test_our_own_message_in_a_group_stays_in_the_group() -> None:
    event = parse("message_create", {"message": full(remote="120363041234567890@g.us", fromMe=True)})
    assert (event.kind, event.chat) == ("message.any", "120363041234567890@g.us")


def test_a_status_post_is_in_the_status_chat() -> None:
    assert seen(isStatus=True).chat == "status@broadcast"


def test_a_hidden_id_stays_as_it_is() -> None:
    assert seen(remote="123456789012345@lid").chat == "123456789012345@lid"


@pytest.mark.parametrize("body", ["", "😀", "x" * 10_000, "/9j/ is how JPEGs begin"])
def test_any_text_is_taken_as_it_is(body: str) -> None:
    assert seen(body=body).content == body


@pytest.mark.parametrize("key", [None, "", {}, {"remote": "15550001111@c.us"}, [], True, 1.5])
def test_a_message_without_an_id_is_kept_and_never_a_duplicate(key: object) -> None:
    event = parse("message", {"message": SPEC | {"id": key}})
    assert (event.provider_id, event.content) == ("", "Hello World")


def test_a_number_as_id_becomes_text() -> None:
    assert parse("message", {"message": SPEC | {"id": 42}}).provider_id == "42"


def test_a_message_with_nothing_but_a_body_is_kept() -> None:
    event = parse("message_create", {"body": "flat data variant"})
    assert (event.kind, event.chat, event.content) == ("message", "", "flat data variant")


@pytest.mark.parametrize(
    ("stated", "kind_of"),
    [
        ("chat", "text"),
        ("ptt", "voice"),
        ("image", "image"),
        ("video", "video"),
        ("audio", "audio"),
        ("document", "document"),
        ("sticker", "sticker"),
        ("location", "location"),
        ("vcard", "contacts"),
        ("multi_vcard", "contacts"),
        ("poll_creation", "poll"),
        ("list_response", "interactive"),
        ("buttons_response", "interactive"),
        ("call_log", "unknown"),
        ("e2e_notification", "unknown"),
        ("of_next_year", "unknown"),
    ],
)
def test_types_have_our_words(stated: str, kind_of: str) -> None:
    assert seen(type=stated).type == kind_of


@pytest.mark.parametrize(
    ("message", "kind_of"),
    [
        ({"mimetype": "image/png"}, "image"),
        ({"media": {"mimetype": "application/pdf"}}, "document"),
        ({"hasMedia": True}, "document"),
        ({"location": {"latitude": 1, "longitude": 2}}, "location"),
        ({}, "text"),
    ],
)
def test_without_a_type_the_file_or_place_tells(message: dict[str, Any], kind_of: str) -> None:
    assert parse("message", {"message": SPEC | message}).type == kind_of


def test_a_picture_has_its_caption_as_content_and_its_file_by_reference() -> None:
    event = seen(
        type="image",
        body="a photo",
        hasMedia=True,
        _data={"body": "/9j/4AAQSkZJRg", "caption": "a photo", "mimetype": "image/jpeg", "size": 39418},
    )
    assert (event.type, event.content) == ("image", "a photo")
    by_id = {"provider_id": event.message_id, "size": 39418, "caption": "a photo"}
    assert msgspec.to_builtins(event.media) == {"mimetype": "image/jpeg", **by_id}
    assert event.extra == {"file_follows": True}


@pytest.mark.parametrize(
    "body", ["/9j/4AAQSkZJRgABAQ", "iVBORw0KGgoAAAANSU", "data:image/png;base64,iVBO", "QUJD" * 5000]
)
def test_base64_never_becomes_content(body: str) -> None:
    event = parse("message", {"message": SPEC | {"type": "image", "body": body}})
    assert event.content == ""
    assert event.media is not None
    assert event.media.caption is None
    assert body not in str(event.extra)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (
            {"message": SPEC | {"type": "image"}, "messageMedia": {"mimetype": "image/png", "data": "QUJDRA=="}},
            "data.messageMedia",
        ),
        (
            {"message": SPEC | {"type": "image", "media": {"mimetype": "image/png", "data": "QUJDRA=="}}},
            "data.message.media",
        ),
    ],
)
def test_a_file_sent_along_stays_in_the_raw_body_and_its_place_is_told(data: dict[str, Any], place: str) -> None:
    event = parse("message", data)
    assert event.extra == {"inline_file": place}
    assert event.media is not None
    assert (event.media.mimetype, event.media.size) == ("image/png", 4)


def test_a_file_that_comes_by_itself_is_the_message_that_it_belongs_to() -> None:
    message = full(type="image", hasMedia=True)
    event = parse(
        "media",
        {"message": message, "messageMedia": {"mimetype": "image/png", "data": "QUJDRA==", "filename": "x.png"}},
    )
    first = parse("message", {"message": message})
    assert event.message_id == first.message_id
    assert dedupe_key(ACCOUNT, event) == dedupe_key(ACCOUNT, first) != ""
    assert (event.kind, event.chat, event.content) == (first.kind, first.chat, first.content)
    assert event.extra == {"inline_file": "data.messageMedia"}
    assert event.media is not None
    assert event.media.filename == "x.png"


def test_a_place_is_in_extra_and_its_thumbnail_nowhere() -> None:
    event = seen(
        type="location",
        body="/9j/4AAQSkZJRg",
        location={"latitude": -23.5, "longitude": -46, "description": {"name": "Praça", "address": "São Paulo"}},
    )
    assert event.content == ""
    assert event.extra == {"location": {"latitude": -23.5, "longitude": -46, "name": "Praça", "address": "São Paulo"}}


def test_cards_are_in_extra() -> None:
    one = seen(type="vcard", body="BEGIN:VCARD\nFN:Ana\nEND:VCARD", vCards=[]).extra
    assert one == {"vcards": ["BEGIN:VCARD\nFN:Ana\nEND:VCARD"], "contacts": [{"name": {"formatted_name": "Ana"}}]}
    assert seen(type="multi_vcard", body="", vCards=["A", "B", 3]).extra["vcards"] == ["A", "B"]


@pytest.mark.parametrize(
    "message",
    [
        {"_data": {"quotedStanzaID": "3EB0Q"}},
        {"quotedMsgId": "3EB0Q"},
        {"_data": {"quotedMsgId": {"_serialized": "3EB0Q"}}},
        {"quotedMsg": {"id": "3EB0Q"}},
    ],
)
def test_the_quoted_message_is_named(message: dict[str, Any]) -> None:
    assert seen(**message).reply_to == "3EB0Q"


def test_a_message_with_nothing_around_it_is_one_and_its_type_is_its_own() -> None:
    [bare] = parse_session(full(type="image", hasMedia=True) | {"sessionId": "main"}, account="main")
    assert (bare.kind, bare.type, bare.provider_id) == ("message", "image", "false_15550001111@c.us_3EB0")
    [named] = parse_session(SPEC | {"type": "message"}, account="main")
    assert (named.kind, named.type, named.content) == ("message", "text", "Hello World")


def test_a_message_may_stand_under_msg() -> None:
    assert parse("message", {"msg": full()}).content == "hi"
    [beside] = parse_session({"event": "message_ack", "session": "main", "msg": full(ack=3)}, account="main")
    assert (beside.kind, beside.extra["ack"]) == ("message.ack", 3)
