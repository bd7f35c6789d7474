"""What stands in an engine's raw data alone: the protocol's own message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from wagate.parsing.protobuf import read_protobuf
from wagate.parsing.raw_content import answers_text
from wagate.parsing.webmodel import read_model

NATIVE = {"name": "cta_url", "buttonParamsJson": '{"display_text": "Open", "url": "https://x.example"}'}
# In each pair the first is as Baileys writes it, the second as whatsmeow does.
PROTOBUF: dict[str, tuple[dict[str, Any], str, str, dict[str, Any]]] = {
    "poll": (
        {"messageContextInfo": {}, "pollCreationMessageV3": {"name": "When?", "options": [{"optionName": "Mon"}]}},
        "poll",
        "When?\n- Mon",
        {"poll": {"name": "When?", "options": [{"name": "Mon"}]}},
    ),
    "event": (
        {"eventMessage": {"name": "Fair", "startTime": {"low": 1893492000, "high": 0}, "location": {"name": "Hall"}}},
        "event",
        "Fair\n2030-01-01T10:00:00Z\nHall",
        {"calendar_event": {"name": "Fair", "start": "2030-01-01T10:00:00Z", "location": {"name": "Hall"}}},
    ),
    "product": (
        {
            "productMessage": {
                "product": {"productID": "77", "title": "Shoes", "currencyCode": "BRL", "priceAmount1000": 9900}
            }
        },
        "product",
        "Shoes\n9.90 BRL",
        {"product": {"id": "77", "title": "Shoes", "price": "9.90", "currency": "BRL"}},
    ),
    "order": (
        {
            "orderMessage": {
                "orderId": "O",
                "orderTitle": "Shop",
                "itemCount": 2,
                "message": "Quick",
                "totalAmount1000": "5000",
            }
        },
        "order",
        "2 × Shop\n5.00\nQuick",
        {"order": {"id": "O", "title": "Shop", "text": "Quick", "item_count": 2, "total": "5.00"}},
    ),
    "list reply": (
        {"listResponseMessage": {"title": "One", "description": "first", "singleSelectReply": {"selectedRowID": "1"}}},
        "interactive",
        "One",
        {"interactive": {"type": "list_reply", "id": "1", "title": "One", "description": "first"}},
    ),
    "button reply": (
        {"buttonsResponseMessage": {"selectedButtonId": "b", "selectedDisplayText": "Yes"}},
        "interactive",
        "Yes",
        {"interactive": {"type": "button_reply", "id": "b", "title": "Yes"}},
    ),
    "button reply in Go": (
        {"buttonsResponseMessage": {"selectedButtonID": "b", "Response": {"SelectedDisplayText": "Yes"}}},
        "interactive",
        "Yes",
        {"interactive": {"type": "button_reply", "id": "b", "title": "Yes"}},
    ),
    "template reply": (
        {"templateButtonReplyMessage": {"selectedId": "t", "selectedDisplayText": "Track"}},
        "interactive",
        "Track",
        {"interactive": {"type": "button_reply", "id": "t", "title": "Track"}},
    ),
    "quick reply": (
        {
            "interactiveResponseMessage": {
                "body": {"text": "Yes"},
                "nativeFlowResponseMessage": {"name": "quick_reply", "paramsJson": '{"id": "y"}'},
            }
        },
        "interactive",
        "Yes",
        {"interactive": {"type": "button_reply", "id": "y", "title": "Yes"}},
    ),
    "flow": (
        {
            "interactiveResponseMessage": {
                "body": {"text": "Sent"},
                "InteractiveResponseMessage": {
                    "NativeFlowResponseMessage": {
                        "name": "flow",
                        "paramsJSON": '{"slot": ["10h", "11h"], "flow_token": "t"}',
                    }
                },
            }
        },
        "interactive",
        "slot: 10h, 11h",
        {
            "interactive": {
                "type": "nfm_reply",
                "name": "flow",
                "body": "Sent",
                "response": {"slot": ["10h", "11h"], "flow_token": "t"},
            }
        },
    ),
    "template": (
        {
            "templateMessage": {
                "hydratedTemplate": {
                    "hydratedTitleText": "Code",
                    "hydratedContentText": "Your code is 1",
                    "hydratedButtons": [{"urlButton": {"displayText": "Open", "url": "https://x.example"}}],
                }
            }
        },
        "template",
        "Code\nYour code is 1\n- Open: https://x.example",
        {
            "template": {
                "header": "Code",
                "body": "Your code is 1",
                "buttons": [{"title": "Open", "url": "https://x.example"}],
            }
        },
    ),
    "template in Go": (
        {"templateMessage": {"Format": {"HydratedFourRowTemplate": {"hydratedContentText": "Your code is 1"}}}},
        "template",
        "Your code is 1",
        {"template": {"body": "Your code is 1"}},
    ),
    "list": (
        {"listMessage": {"title": "T", "description": "D", "sections": [{"rows": [{"rowId": "1", "title": "One"}]}]}},
        "interactive",
        "T\nD\n- One",
        {"interactive": {"type": "list", "header": "T", "body": "D", "buttons": [{"id": "1", "title": "One"}]}},
    ),
    "native buttons": (
        {"interactiveMessage": {"body": {"text": "Look"}, "nativeFlowMessage": {"buttons": [NATIVE]}}},
        "interactive",
        "Look\n- Open: https://x.example",
        {
            "interactive": {
                "type": "interactive",
                "body": "Look",
                "buttons": [{"title": "Open", "url": "https://x.example"}],
            }
        },
    ),
    "invite": (
        {"groupInviteMessage": {"groupJid": "120363@g.us", "groupName": "Garden", "inviteCode": "Abc"}},
        "invite",
        "Garden\nhttps://chat.whatsapp.com/Abc",
        {
            "invite": {
                "chat": "120363@g.us",
                "name": "Garden",
                "code": "Abc",
                "link": "https://chat.whatsapp.com/Abc",
            }
        },
    ),
    "payment": (
        {
            "requestPaymentMessage": {
                "amount1000": "5000",
                "currencyCodeIso4217": "INR",
                "noteMessage": {"conversation": "rent"},
            }
        },
        "payment",
        "5.00 INR\nrent",
        {"payment": {"amount": "5.00 INR", "text": "rent"}},
    ),
    "view once": (
        {"viewOnceMessageV2": {"message": {"imageMessage": {"caption": "look"}}}},
        "image",
        "look",
        {"view_once": True},
    ),
    "forwarded from an ad": (
        {
            "extendedTextMessage": {
                "text": "Is it there?",
                "contextInfo": {
                    "isForwarded": True,
                    "externalAdReply": {
                        "title": "Sale",
                        "sourceID": "9",
                        "sourceType": "ad",
                        "sourceURL": "https://fb.me/1",
                    },
                },
            }
        },
        "text",
        "Is it there?",
        {
            "forwarded": True,
            "referral": {"headline": "Sale", "source_id": "9", "source_type": "ad", "source_url": "https://fb.me/1"},
        },
    ),
    "of next year": (
        {"hologramMessage": {"body": {"text": "Hi"}}},
        "unknown",
        "Hi",
        {"type": "hologrammessage"},
    ),
}


@pytest.mark.parametrize("name", PROTOBUF)
def test_the_words_of_the_protocols_message_are_told(name: str) -> None:
    message, kind, text, details = PROTOBUF[name]
    told = read_protobuf(message)
    assert (told.type, told.text, told.details, told.notice) == (kind, text, details, "")


@pytest.mark.parametrize("name", ["poll", "order", "list reply", "view once"])
def test_wrappers_are_taken_off(name: str) -> None:
    message, kind, text, _ = PROTOBUF[name]
    told = read_protobuf({"ephemeralMessage": {"message": {"associatedChildMessage": {"message": message}}}})
    assert (told.type, told.text) == (kind, text)


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        ({"messageContextInfo": {}, "albumMessage": {"expectedImageCount": 3}}, "album"),
        ({"pinInChatMessage": {"type": 1}}, "pin"),
        ({"keepInChatMessage": {"keepType": 1}}, "keep"),
        ({"protocolMessage": {"type": "EPHEMERAL_SETTING"}}, "protocol"),
        ({"senderKeyDistributionMessage": {"groupId": "g"}}, "empty"),
        ({"pollUpdateMessage": {"vote": {"encPayload": "x"}}}, "poll_vote"),
        ({"editedMessage": {"message": {"protocolMessage": {"editedMessage": {"conversation": "x"}}}}}, "protocol"),
        ({"callLogMesssage": {"callOutcome": 1}}, "call_log"),
    ],
)
def test_placeholders_are_no_messages(message: dict[str, Any], notice: str) -> None:
    assert read_protobuf(message).notice == notice


def test_a_preview_of_a_link_is_no_ad() -> None:
    context = {"externalAdReply": {"title": "A page", "mediaUrl": "https://x.example"}}
    assert read_protobuf({"extendedTextMessage": {"text": "x", "contextInfo": context}}).details == {}


def test_answers_are_told_in_full() -> None:
    answers = {
        "flow_token": "t",
        "slot": ["10h", "11h"],
        "address": {"city": "SP", "parts": [{"no": 1}]},
        "agree": True,
        "none": [],
        "count": 2,
    }
    assert answers_text(answers).splitlines() == [
        "slot: 10h, 11h",
        "address.city: SP",
        "address.parts.1.no: 1",
        "agree: true",
        "none: —",
        "count: 2",
    ]


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "contextInfo", "type", "name", "options", "product", "body", "sections", "title"]
            )
            | st.sampled_from(sorted({key for message, *_ in PROTOBUF.values() for key in message})),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@examples(3)
@given(ANYTHING)
def test_anything_at_all_can_be_read(raw: Any) -> None:
    assert isinstance(read_protobuf(raw).text, str)
    if isinstance(raw, dict):
        assert isinstance(read_model(raw, {}).text, str)
        assert isinstance(read_model({}, raw).text, str)
