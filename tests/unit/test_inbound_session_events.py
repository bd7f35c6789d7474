from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from wagate.errors import BadRequestError, FieldError
from wagate.events import EVENT_KINDS, NewEvent
from wagate.inbound.session.events import parse_session
from wagate.parsing.jsonbody import read_json

MINE = {"id": {"fromMe": True, "remote": "15550001111@c.us", "id": "3EB0", "_serialized": "true_15550001111@c.us_3EB0"}}
THEIRS = {
    "id": "false_15550001111@c.us_3EB1",
    "from": "15550001111@c.us",
    "to": "15559990000@c.us",
    "body": "new",
    "type": "chat",
}


def parse(event: str, data: Any = None) -> NewEvent:
    [parsed] = parse_session({"event": event, "data": data}, account="main")
    return parsed


def wrong_field(document: Any) -> str:
    with pytest.raises(BadRequestError) as caught:
        parse_session(document, account="main")
    [error] = caught.value.errors
    return error.field


@pytest.mark.parametrize(
    ("ack", "name", "status"),
    [
        (-1, "ERROR", "failed"),
        (0, "PENDING", "pending"),
        (1, "SERVER", "sent"),
        (2, "DEVICE", "delivered"),
        (3, "READ", "read"),
        (4, "PLAYED", "played"),
        (9, "UNKNOWN", "unknown"),
    ],
)
def test_acks_say_how_far_a_message_got(ack: int, name: str, status: str) -> None:
    event = parse("message_ack", {"message": MINE, "ack": ack})
    assert (event.kind, event.provider_id, event.variant) == ("message.ack", "true_15550001111@c.us_3EB0", str(ack))
    assert event.extra == {"ack": ack, "ackName": name, "status": status}
    assert (event.chat, event.from_me, event.content, event.timestamp) == ("15550001111@c.us", True, "", None)


def test_an_ack_may_stand_in_the_message() -> None:
    assert parse("message_ack", {"message": MINE | {"ack": 3}}).variant == "3"


def test_a_reaction_is_about_another_message() -> None:
    reaction = {
        "id": {"fromMe": False, "remote": "15550001111@c.us", "id": "3A", "_serialized": "false_15550001111@c.us_3A"},
        "msgId": MINE["id"],
        "reaction": "👍",
        "senderId": "15550001111@c.us",
        "timestamp": 1700000000,
    }
    event = parse("message_reaction", {"reaction": reaction})
    assert (event.kind, event.provider_id) == ("message.reaction", "false_15550001111@c.us_3A")
    assert event.variant == "👍2023-11-14T22:13:20+00:00"
    assert (event.message_id, event.chat, event.content) == ("true_15550001111@c.us_3EB0", "15550001111@c.us", "👍")
    assert event.extra == {"reaction": {"text": "👍", "messageId": "true_15550001111@c.us_3EB0"}}
    taken_back = parse("message_reaction", {"reaction": reaction | {"reaction": ""}})
    assert taken_back.variant != event.variant
    assert taken_back.content == ""


def test_reactions_of_two_people_are_two_even_without_ids_of_their_own() -> None:
    shared = {"msgId": "false_120363041234567890@g.us_3EB0", "reaction": "👍", "timestamp": 1700000000}
    first = parse("message_reaction", {"reaction": shared | {"senderId": "15550001111@c.us"}})
    second = parse("message_reaction", shared | {"senderId": "15550002222@c.us"})
    assert first.provider_id != second.provider_id
    assert first.chat == second.chat == "120363041234567890@g.us"


def test_an_edit_carries_the_new_text_and_when() -> None:
    message = THEIRS | {"latestEditSenderTimestampMs": 1700000000500}
    event = parse("message_edit", {"message": message, "newBody": "new", "prevBody": "old"})
    assert (event.kind, event.content, event.extra) == (
        "message.edited",
        "new",
        {"editedMessageId": "false_15550001111@c.us_3EB1", "previous": "old"},
    )
    assert event.timestamp == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)


def test_edits_are_told_apart_by_text_and_time() -> None:
    def variant(text: str, moment: int) -> str:
        message = THEIRS | {"latestEditSenderTimestampMs": moment}
        return parse("message_edit", {"message": message, "newBody": text}).variant

    assert variant("a", 1700000000000) == variant("a", 1700000000000)
    assert len({variant("a", 1700000000000), variant("b", 1700000000000), variant("a", 1700000009000)}) == 3


def test_a_revoked_message_is_named_by_its_own_id() -> None:
    event = parse(
        "message_revoke_everyone",
        {"message": THEIRS | {"type": "revoked", "protocolMessageKey": {"_serialized": "X1"}}},
    )
    assert (event.kind, event.provider_id, event.message_id, event.variant) == (
        "message.revoked",
        "X1",
        "X1",
        "everyone",
    )
    assert event.extra == {"revokedMessageId": "X1", "scope": "everyone"}
    assert parse("message_revoke_me", {"message": THEIRS}).variant == "me"


@pytest.mark.parametrize(
    "data",
    [{"call": {"id": "call_123", "from": "6281234567890@c.us"}}, {"id": "call_123", "from": "6281234567890@c.us"}],
)
def test_a_call_is_in_its_callers_chat(data: dict[str, Any]) -> None:
    event = parse("call", data)
    assert (event.kind, event.type, event.provider_id, event.chat) == (
        "call.received",
        "call",
        "call_123",
        "6281234567890@c.us",
    )
    assert event.extra == {"call": {"id": "call_123", "from": "6281234567890@c.us"}}


@pytest.mark.parametrize(
    "event", ["group_join", "group_leave", "group_update", "group_admin_changed", "group_membership_request"]
)
def test_group_events_say_who_did_what_to_whom(event: str) -> None:
    notification = {
        "id": {"remote": "120363041234567890@g.us", "_serialized": "x"},
        "type": "add",
        "timestamp": 1700000000,
        "chatId": "120363041234567890@g.us",
        "author": "15550001111@c.us",
        "recipientIds": ["15550002222@c.us"],
    }
    parsed = parse(event, {"notification": notification})
    assert (parsed.kind, parsed.chat) == (f"group.{event.removeprefix('group_')}", "120363041234567890@g.us")
    assert parsed.extra["participants"] == ["15550002222@c.us"]
    later = parse(event, {"notification": notification | {"recipientIds": ["15550003333@c.us"]}})
    assert (later.provider_id, later.variant == parsed.variant) == (parsed.provider_id, False)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("unread_count", {"chat": {"unreadCount": 3}}),
        ("vote_update", {"vote": []}),
        ("of_next_year", ["any", "shape"]),
        ("battery", 55),
        ("nothing", None),
        ("group_of_next_year", {"x": 1}),
    ],
)
def test_an_unknown_event_is_kept_with_its_data(event: str, data: object) -> None:
    parsed = parse(event, data)
    assert (parsed.kind, parsed.provider_id, parsed.session) == ("unknown", "", None)
    assert parsed.extra == {"event": event, "data": data}


def test_an_unknown_event_about_a_message_is_in_its_chat_but_never_a_duplicate_of_it() -> None:
    parsed = parse("message_ciphertext", {"message": THEIRS})
    assert (parsed.kind, parsed.chat, parsed.provider_id) == ("unknown", "15550001111@c.us", "")


def test_long_texts_of_unknown_events_are_left_to_the_raw_body() -> None:
    assert parse("of_next_year", {"file": "A" * 5000}).extra["data"] == {"file": "(5000 characters, see the raw body)"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], ""),
        (None, ""),
        ("x", ""),
        ({}, "event"),
        ({"invalid": "payload"}, "event"),
        ({"data": {}}, "event"),
        ({"event": None, "data": {}}, "event"),
        ({"event": 5}, "event"),
        ({"event": " "}, "event"),
        ({"dataType": {}}, "dataType"),
        ({"event": "qr"}, "data.qr"),
        ({"event": "qr", "data": {}}, "data.qr"),
        ({"event": "qr", "data": {"qr": ""}}, "data.qr"),
        ({"event": "qr", "data": {"qr": 5}}, "data.qr"),
        ({"event": "qr", "data": "1@ABC"}, "data"),
        ({"event": "ready", "data": "x"}, "data"),
        ({"event": "authenticated", "data": []}, "data"),
        ({"event": "disconnected", "data": {"reason": 5}}, "data.reason"),
        ({"event": "auth_failure", "data": {"msg": []}}, "data.msg"),
        ({"event": "change_state", "data": {}}, "data.state"),
        ({"event": "change_state", "data": {"state": None}}, "data.state"),
        ({"event": "loading_screen", "data": {}}, "data.percent"),
        ({"event": "loading_screen", "data": {"percent": "most"}}, "data.percent"),
        ({"event": "loading_screen", "data": {"percent": True}}, "data.percent"),
        ({"event": "loading_screen", "data": {"percent": 5, "message": 5}}, "data.message"),
        ({"event": "message"}, "data.message"),
        ({"event": "message", "data": {}}, "data.message"),
        ({"event": "message", "data": {"message": "hi"}}, "data.message"),
        ({"event": "message", "data": ["hi"]}, "data"),
        ({"event": "message_create", "data": {"message": None}}, "data.message"),
        ({"event": "message_ack", "data": {"message": MINE}}, "data.ack"),
        ({"event": "message_ack", "data": {"message": MINE, "ack": "two"}}, "data.ack"),
        ({"event": "message_ack", "data": {"message": MINE, "ack": "2"}}, "data.ack"),
        ({"event": "message_ack", "data": {"message": MINE, "ack": 2.5}}, "data.ack"),
        ({"event": "message_ack", "data": {"ack": 2}}, "data.message"),
        ({"event": "message_reaction", "data": {}}, "data.reaction"),
        ({"event": "message_edit", "data": {"message": THEIRS, "newBody": 5}}, "data.newBody"),
        ({"event": "call", "data": {}}, "data.call"),
        ({"event": "call", "data": {"call": "x"}}, "data.call"),
        ({"type": "call", "payload": {"call": "x"}}, "payload.call"),
    ],
)
def test_a_bad_payload_is_refused_and_its_field_named(document: object, field: str) -> None:
    assert wrong_field(document) == field


EVENTS = [
    *(
        "qr",
        "ready",
        "authenticated",
        "disconnected",
        "auth_failure",
        "change_state",
        "loading_screen",
        "status",
        "message",
    ),
    *("message_create", "message_ack", "message_reaction", "message_edit", "message_revoke_everyone", "media", "call"),
    *("group_join", "group_x", "unread_count", ""),
]
KEYS = [
    *(
        "message",
        "_data",
        "id",
        "_serialized",
        "remote",
        "fromMe",
        "from",
        "to",
        "body",
        "type",
        "timestamp",
        "t",
        "hasMedia",
    ),
    *(
        "messageMedia",
        "media",
        "data",
        "mimetype",
        "filesize",
        "author",
        "location",
        "latitude",
        "description",
        "vCards",
    ),
    *(
        "quotedMsgId",
        "ack",
        "reaction",
        "msgId",
        "senderId",
        "notification",
        "recipientIds",
        "call",
        "newBody",
        "qr",
        "state",
    ),
    *("percent", "reason", "msg", "status", "protocolMessageKey", "latestEditSenderTimestampMs", "isStatus", "contact"),
]
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [10**400, "true_15550001111@c.us_3EB0", "15550001111@c.us", "120363041234567890@g.us", "image", "CONNECTED"]
    )
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@examples(6)
@given(
    st.sampled_from(EVENTS),
    st.sampled_from(["event", "dataType", "type"]),
    st.dictionaries(st.sampled_from(KEYS), VALUE) | VALUE,
)
def test_arbitrary_json_is_parsed_or_refused_with_a_named_field(event: str, name: str, data: Any) -> None:
    named: tuple[FieldError, ...] = ()
    parsed: NewEvent | None = None
    try:
        [parsed] = parse_session({name: event, "data": data}, account="main")
    except BadRequestError as error:
        named = error.errors
    assert named or parsed is not None
    if parsed is not None:
        assert parsed.kind in EVENT_KINDS or parsed.kind.startswith("group.")
        assert len(parsed.provider_id) < 256
        read_json(msgspec.json.encode(parsed))
