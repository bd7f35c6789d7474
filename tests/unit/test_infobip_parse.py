"""Infobip's webhooks as events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infobip_accounts import OURS, THEM, account, event, events, request
from wagate.errors import BadRequestError
from wagate.parsing.chats import chat_key
from wagate.testing.providers.infobip import DUPLICATE, NOT_DELIVERED, TO_HANDSET, TO_OPERATOR, FakeInfobip
from wagate_infobip.webhook import parse

FAKE = FakeInfobip()
AT = "2025-01-01T10:10:00.000+0000"
FILE = "https://x.api.infobip.com/whatsapp/1/senders/447700900100/media/1"
WINDOW = {"id": 7010, "name": "EC_NO_SESSION", "description": "Session has expired", "permanent": True}


@pytest.mark.parametrize(
    ("message", "type_", "content", "extra"),
    [
        ({"type": "TEXT", "text": "Hi"}, "text", "Hi", {}),
        ({"type": "text", "text": "Hi"}, "text", "Hi", {}),
        (
            {"type": "LOCATION", "latitude": 1.5, "longitude": -2, "address": "Main St 1", "url": "https://x.example"},
            "location",
            "",
            {"location": {"latitude": 1.5, "longitude": -2, "address": "Main St 1", "url": "https://x.example"}},
        ),
        (
            {"type": "BUTTON", "text": "Yes", "payload": "y"},
            "interactive",
            "Yes",
            {"interactive": {"type": "button", "id": "y", "title": "Yes"}},
        ),
        (
            {"type": "INTERACTIVE_BUTTON_REPLY", "id": "1", "title": "One"},
            "interactive",
            "One",
            {"interactive": {"type": "button_reply", "id": "1", "title": "One"}},
        ),
        (
            {"type": "INTERACTIVE_LIST_REPLY", "id": "1", "title": "One", "description": "the first"},
            "interactive",
            "One",
            {"interactive": {"type": "list_reply", "id": "1", "title": "One", "description": "the first"}},
        ),
        (
            {"type": "INTERACTIVE_FLOW_REPLY", "text": "Sent", "response": '{"flow_token":"t","size":"L"}'},
            "interactive",
            "size: L",
            {"interactive": {"type": "nfm_reply", "name": "flow", "response": {"flow_token": "t", "size": "L"}}},
        ),
        (
            {"type": "INTERACTIVE_FLOW_REPLY", "text": "Sent", "response": "{"},
            "interactive",
            "Sent",
            {"interactive": {"type": "nfm_reply", "name": "flow", "response": "{"}},
        ),
        (
            {"type": "INTERACTIVE_PAYMENT_CONFIRMATION", "paymentId": "p1"},
            "interactive",
            "",
            {"interactive": {"type": "payment_confirmation", "payment_id": "p1"}},
        ),
        (
            {"type": "ORDER", "catalogId": "c", "productItems": [{"productRetailerId": "sku", "quantity": 2}]},
            "order",
            "2 × sku",
            {"order": {"catalog_id": "c", "product_items": [{"product_retailer_id": "sku", "quantity": 2}]}},
        ),
        (
            {"type": "INFECTED_CONTENT", "malware": "EICAR"},
            "unknown",
            "",
            {"type": "infected_content", "malware": "EICAR"},
        ),
        ({"type": "UNSUPPORTED"}, "unknown", "", {"type": "unsupported"}),
        ({"type": "HOLOGRAM", "text": "boo"}, "unknown", "boo", {"type": "hologram", "text": "boo"}),
        ({}, "unknown", "", {"type": ""}),
    ],
)
def test_a_message_of_each_type_is_read(
    message: dict[str, Any], type_: str, content: str, extra: dict[str, Any]
) -> None:
    found = event(message)
    assert (found.kind, found.type, found.content, found.extra) == ("message", type_, content, extra)
    assert (found.chat, found.sender, found.recipient, found.number) == (THEM, THEM, f"{OURS}@c.us", OURS)


@pytest.mark.parametrize("name", ["IMAGE", "VIDEO", "AUDIO", "VOICE", "DOCUMENT", "STICKER"])
def test_a_file_is_read_by_its_url(name: str) -> None:
    found = event({"type": name, "url": FILE, "caption": "bill.pdf"})
    assert found.type == name.lower()
    assert found.content == "bill.pdf"
    assert found.media is not None
    assert (found.media.url, found.media.caption, found.media.mimetype) == (FILE, "bill.pdf", "")
    assert found.media.filename == ("bill.pdf" if name == "DOCUMENT" else None)


def test_contacts_are_read_into_the_common_form_and_vcards() -> None:
    card = {"name": {"firstName": "Eva", "formattedName": "Eva R"}, "phones": [{"phone": "+34 6", "waId": "346"}]}
    found = event({"type": "CONTACT", "contacts": [card]})
    assert found.type == "contacts"
    assert found.content == "", "neither text nor caption"
    assert found.extra["contacts"][0]["phones"] == [{"phone": "+34 6", "wa_id": "346"}]
    assert "TEL;type=CELL;waid=346:+34 6" in found.extra["vcards"][0]


@pytest.mark.parametrize(
    ("given", "emoji"),
    [
        ({"emoji": "👍", "action": "ADDED"}, "👍"),
        ({"action": "REMOVED"}, ""),
        ({"emoji": "👍", "action": "REMOVED"}, ""),
        ({}, ""),
    ],
)
def test_a_reaction_is_about_another_message(given: dict[str, Any], emoji: str) -> None:
    found = event({"type": "REACTION", "context": {"id": "out-1"}, **given}, messageId="in-1")
    assert (found.kind, found.type, found.content) == ("message.reaction", "reaction", emoji)
    assert (found.message_id, found.provider_id) == ("out-1", "in-1")
    assert found.extra == {"reaction": {"text": emoji, "messageId": "out-1"}}
    assert found.variant.startswith(emoji + "2025-01-01T10:10")


def test_quote_and_advertisement_come_along() -> None:
    found = event(
        {
            "type": "TEXT",
            "text": "Hi",
            "context": {"from": OURS, "id": "out-1", "referredProduct": {"catalogId": "c"}},
            "referral": {"sourceId": "ad1", "ctwaClickId": "click"},
        }
    )
    assert found.reply_to == "out-1"
    assert found.extra == {
        "referral": {"source_id": "ad1", "ctwa_clid": "click"},
        "referredProduct": {"catalog_id": "c"},
    }


@pytest.mark.parametrize(
    ("item", "chat", "aliases"),
    [
        ({"from": "5511988880001", "contact": {"userId": "BR.1"}}, THEM, ("BR.1@user",)),
        ({"from": "BR.1", "contact": {"userId": "BR.1"}}, "BR.1@user", ()),
        ({"from": None, "contact": {"userId": "BR.1", "username": "bia"}}, "BR.1@user", ()),
        ({"from": None, "contact": {"phoneNumber": "5511988880001", "userId": "BR.1"}}, THEM, ("BR.1@user",)),
        ({"from": 5511988880001, "contact": None}, THEM, ()),
        ({"from": None, "contact": None}, "", ()),
    ],
)
def test_a_person_is_known_by_phone_or_by_business_scoped_id(
    item: dict[str, Any], chat: str, aliases: tuple[str, ...]
) -> None:
    found = event({"type": "TEXT", "text": "Hi"}, **item)
    assert (found.chat, found.sender, found.aliases) == (chat, chat, aliases)


def test_a_name_that_is_missing_is_replaced_by_the_username() -> None:
    assert event({}, contact={"name": "Bia", "username": "bia.r"}).contact_name == "Bia"
    assert event({}, contact={"username": "bia.r"}).contact_name == "bia.r"
    assert event({}, contact={}).contact_name is None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-01-01T10:10:00.000+0000", datetime(2025, 1, 1, 10, 10, tzinfo=UTC)),
        ("2025-01-01T10:10:00.123+00:00", datetime(2025, 1, 1, 10, 10, 0, 123000, tzinfo=UTC)),
        ("2025-01-01T10:10:00.000-0300", datetime(2025, 1, 1, 13, 10, tzinfo=UTC)),
        ("2025-01-01T10:10:00-03:00", datetime(2025, 1, 1, 13, 10, tzinfo=UTC)),
        ("soon", None),
    ],
)
def test_every_way_of_writing_a_time_is_read(written: str, moment: datetime | None) -> None:
    assert event({"type": "TEXT"}, receivedAt=written).timestamp == moment


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        ({"groupId": 1, "id": 7}, {}, "pending"),
        ({"groupId": 0, "id": 0}, {}, "pending"),
        (TO_OPERATOR, {}, "sent"),
        (TO_HANDSET, {}, "delivered"),
        ({"groupId": 3, "id": 99}, {}, "delivered"),
        (NOT_DELIVERED, WINDOW, "failed"),
        ({"groupId": 4, "id": 15}, {}, "failed"),
        ({"groupId": 5, "id": 12}, {}, "failed"),
        (DUPLICATE, {}, "pending"),
        ({}, {}, "pending"),
    ],
)
def test_a_delivery_report_tells_how_far_a_message_got(
    status: dict[str, Any], error: dict[str, Any], word: str
) -> None:
    [found] = events(FAKE.delivery("out-1", status, error))
    assert found.kind == "message.ack"
    assert found.extra["status"] == word
    assert (found.message_id, found.reference, found.chat, found.from_me) == ("out-1", "out-1", THEM, True)


@pytest.mark.parametrize(
    ("status", "error", "code", "reason"),
    [
        (
            NOT_DELIVERED,
            WINDOW,
            "7010",
            "EC_NO_SESSION: Session has expired (outside the 24 h window: send a template)",
        ),
        (NOT_DELIVERED, {"id": 0, "name": "NO_ERROR"}, "9", "UNDELIVERABLE_NOT_DELIVERED"),
        ({"groupId": 4, "groupName": "EXPIRED"}, {}, "", "EXPIRED"),
    ],
)
def test_a_failure_says_why(status: dict[str, Any], error: dict[str, Any], code: str, reason: str) -> None:
    [found] = events(FAKE.delivery("out-1", status, error))
    assert found.extra["error"]["code"] == code
    assert found.extra["error"]["reason"] == reason
    assert found.extra["error"].get("permanent") == error.get("permanent")
    assert found.extra["error"].get("window", False) == (error is WINDOW)


def test_reports_of_one_message_are_told_apart_and_repetitions_are_not() -> None:
    statuses: list[dict[str, Any]] = [TO_OPERATOR, TO_HANDSET, TO_HANDSET, NOT_DELIVERED, {"groupId": 4, "id": 15}]
    keys = [(e.provider_id, e.variant) for status in statuses for e in events(FAKE.delivery("out-1", status))]
    keys += [(e.provider_id, e.variant) for e in events(FAKE.seen("out-1"))]
    assert len(set(keys)) == 5


def test_what_we_sent_along_is_the_reference() -> None:
    document = FAKE.delivery("their-id")
    document["results"][0]["callbackData"] = "our-id"
    assert events(document)[0].reference == "our-id"


@pytest.mark.parametrize(
    ("item", "chat", "number"),
    [
        ({"from": OURS, "to": "5511988880001"}, THEM, OURS),
        ({"from": "5511988880001", "to": OURS}, THEM, OURS),
        ({"from": "111", "to": "5511988880001"}, THEM, ""),
        ({"from": "111", "to": "222", "contact": {"phoneNumber": "111"}}, "111@c.us", "222"),
        ({"to": "5511988880001"}, THEM, ""),
        ({"from": OURS}, "", OURS),
    ],
)
def test_a_seen_report_is_about_the_other_side_whichever_way_it_is_written(
    item: dict[str, Any], chat: str, number: str
) -> None:
    [found] = events({"results": [{"messageId": "out-1", "seenAt": "2025-01-01T10:10:00.000+0000", **item}]})
    assert (found.kind, found.extra["status"], found.reference) == ("message.ack", "read", "out-1")
    assert (found.chat, found.number) == (chat, number)


def test_a_bad_item_costs_no_other_and_keeps_its_own_bytes() -> None:
    good = FAKE.item({"type": "TEXT", "text": "olá"})
    found = events({"results": [good, 17, {"strange": True}, None, {**good, "messageId": "x"}]})
    assert [each.kind for each in found] == ["message", "unknown", "unknown", "unknown", "message"]
    raws = [json.loads(each.raw.body) for each in found if each.raw is not None]
    assert raws == [good, 17, {"strange": True}, None, {**good, "messageId": "x"}]


def test_a_single_item_leaves_the_raw_body_to_the_request() -> None:
    assert event({"type": "TEXT"}).raw is None


def test_no_results_are_no_events() -> None:
    assert events({"results": [], "messageCount": 0}) == []


@pytest.mark.parametrize(
    ("document", "name", "chat"),
    [
        (
            {
                "from": OURS,
                "content": {"type": "user_identity_changed", "userNumber": "5511988880001"},
                "createdAt": AT,
            },
            "user_identity_changed",
            THEM,
        ),
        (
            {
                "from": OURS,
                "content": {"from": "5511988880001", "notificationMessagesStatus": "resume"},
                "createdAt": AT,
            },
            "notification_messages_resume",
            THEM,
        ),
        (
            {"messageTemplateId": 1, "timestamp": AT, "change": {"type": "TEMPLATE_STATUS_UPDATE"}},
            "template_status_update",
            "",
        ),
        ({"something": "else"}, "", ""),
        ({"results": "none"}, "", ""),
    ],
)
def test_what_is_neither_message_nor_report_is_kept_whole(document: dict[str, Any], name: str, chat: str) -> None:
    [found] = events(document)
    assert (found.kind, found.extra["event"], found.chat) == ("unknown", name, chat)
    assert found.extra["data"] == document
    assert bool(found.provider_id) == bool(name)
    assert events(document)[0].provider_id == found.provider_id


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"17", b"\xff", b"results=1"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(request(body), account())


FIELDS = [
    "results", "message", "type", "from", "to", "contact", "context", "id", "status", "error", "groupId", "seenAt",
    "messageId", "receivedAt", "content", "change", "contacts", "name", "phones", "productItems", "referral",
    "response", "latitude", "createdAt", "userId", "callbackData",
]  # fmt: skip
WORDS = ["TEXT", "IMAGE", "LOCATION", "CONTACT", "ORDER", "REACTION", "INTERACTIVE_FLOW_REPLY", "INTERACTIVE_X", "5511"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=15,
)
BODIES = st.one_of(
    JSON,
    st.lists(JSON, max_size=3).map(lambda items: {"results": items}),
    JSON.map(lambda message: {"results": [{"message": message, "seenAt": None, "status": message}]}),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(lambda message: {"results": [{"message": message}]}),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(lambda item: {"results": [{"status": {}} | item]}),
)


@given(BODIES)
def test_any_json_is_events_or_a_bad_request(document: Any) -> None:
    body = json.dumps(document).encode()
    try:
        found = parse(request(body), account())
    except BadRequestError:
        return
    for each in found:
        assert each.chat == chat_key(each.chat)
        assert len(each.provider_id) <= 255
        json.dumps(each.extra, allow_nan=False)


@given(st.binary(max_size=60))
def test_any_bytes_are_events_or_a_bad_request(body: bytes) -> None:
    try:
        parse(request(body), account())
    except BadRequestError:
        return


def test_a_forms_lists_and_objects_are_told_in_full() -> None:
    answers = {"slot": ["10h", "11h"], "address": {"city": "SP"}}
    found = event({"type": "INTERACTIVE_FLOW_REPLY", "text": "Sent", "response": answers})
    assert found.content == "slot: 10h, 11h\naddress.city: SP"


def test_a_call_permission_keeps_its_answer() -> None:
    reply = {"response": "ACCEPT", "expirationTimestamp": "2030-01-01T10:00:00.000+0000"}
    found = event({"type": "INTERACTIVE_CALL_PERMISSION_REPLY", "callPermissionReply": reply})
    assert found.content == "ACCEPT"
    assert found.extra["interactive"]["expiration_timestamp"] == reply["expirationTimestamp"]


def test_what_stands_beside_a_message_is_kept() -> None:
    identity = {"acknowledged": False, "hash": "h", "createdAt": "2025-01-01T10:00:00.000+0000"}
    found = event(
        {"type": "TEXT", "text": "Hi"}, identity=identity, callbackData="order 204", pairedMessageId="p1", keyword="HI"
    )
    assert found.extra["identity"] == {"acknowledged": False, "hash": "h", "created_at": identity["createdAt"]}
    assert (found.extra["callback_data"], found.extra["paired_message_id"]) == ("order 204", "p1")
    assert found.extra["keyword"] == "HI"
