"""What stands in an engine's raw data alone: WhatsApp Web's own message."""

from __future__ import annotations

from typing import Any

import pytest

from wagate.parsing.webmodel import read_model

NATIVE = {"name": "cta_url", "buttonParamsJson": '{"display_text": "Open", "url": "https://x.example"}'}
LINK = {"title": "Open", "url": "https://x.example"}


def poll_of(name: str, *options: str) -> dict[str, Any]:
    return {"name": name, "options": [{"name": option} for option in options]}


MODELS: list[tuple[dict[str, Any], str, str, dict[str, Any]]] = [
    (
        {"type": "poll_creation", "pollName": "When?", "pollOptions": [{"name": "Mon", "localId": 0}]},
        "poll",
        "When?\n- Mon",
        {"poll": {"name": "When?", "options": [{"name": "Mon"}]}},
    ),
    (
        {"type": "scheduled_event_creation", "eventName": "Fair", "eventStartTime": 1893492000},
        "event",
        "Fair\n2030-01-01T10:00:00Z",
        {"calendar_event": {"name": "Fair", "start": "2030-01-01T10:00:00Z"}},
    ),
    (
        {"type": "product", "title": "Shoes", "description": "size 38", "productId": "77", "body": ""},
        "product",
        "Shoes\nsize 38",
        {"product": {"id": "77", "title": "Shoes", "description": "size 38"}},
    ),
    (
        {"type": "order", "orderTitle": "Shop", "itemCount": 1, "body": "Quick", "orderId": "O"},
        "order",
        "1 × Shop\nQuick",
        {"order": {"id": "O", "title": "Shop", "text": "Quick", "item_count": 1}},
    ),
    (
        {
            "type": "list_response",
            "body": "One",
            "listResponse": {"title": "One", "description": "first", "singleSelectReply": {"selectedRowId": "1"}},
        },
        "interactive",
        "One",
        {"interactive": {"type": "list_reply", "id": "1", "title": "One", "description": "first"}},
    ),
    (
        {"type": "buttons_response", "body": "Yes", "selectedButtonId": "b"},
        "interactive",
        "Yes",
        {"interactive": {"type": "button_reply", "id": "b", "title": "Yes"}},
    ),
    (
        {"type": "groups_v4_invite", "inviteCode": "Abc", "inviteGrp": "120363@g.us", "inviteGrpName": "Garden"},
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
    (
        {
            "type": "interactive",
            "body": "Look",
            "footer": "f",
            "dynamicReplyButtons": [{"buttonText": {"displayText": "Yes"}, "buttonId": "y"}],
        },
        "interactive",
        "Look\n- Yes\nf",
        {
            "interactive": {
                "type": "interactive",
                "body": "Look",
                "footer": "f",
                "buttons": [{"id": "y", "title": "Yes"}],
            }
        },
    ),
    ({"type": "poll_creation", "body": "Q", "pollOptions": ["A"]}, "poll", "Q\n- A", {"poll": poll_of("Q", "A")}),
    ({"type": "chat", "body": "x", "ctwaContext": {"title": "Ad"}}, "text", "x", {"referral": {"headline": "Ad"}}),
    (
        {"type": "payment", "paymentAmount1000": 5000, "paymentCurrency": "INR", "paymentNoteMsg": {"body": "Lunch"}},
        "payment",
        "5.00 INR\nLunch",
        {"payment": {"amount": "5.00 INR", "text": "Lunch"}},
    ),
    (
        {"type": "interactive", "body": "Look", "interactivePayload": {"buttons": [NATIVE]}},
        "interactive",
        "Look\n- Open: https://x.example",
        {"interactive": {"type": "interactive", "body": "Look", "buttons": [LINK]}},
    ),
    (
        {"type": "native_flow_response", "body": "Sent", "nativeFlowResponse": {"paramsJson": '{"day": ["1", "2"]}'}},
        "interactive",
        "day: 1, 2",
        {"interactive": {"type": "nfm_reply", "body": "Sent", "response": {"day": ["1", "2"]}}},
    ),
    ({"type": "image", "caption": "x", "isViewOnce": True}, "image", "x", {"view_once": True}),
    ({"type": "chat", "body": "x", "forwardingScore": 1}, "text", "x", {"forwarded": True}),
    ({"type": "hologram", "body": "Hi"}, "unknown", "Hi", {"type": "hologram"}),
]


@pytest.mark.parametrize(("message", "kind", "text", "details"), MODELS)
@pytest.mark.parametrize("beside", [True, False])
def test_the_words_of_whatsapp_webs_message_are_told(
    message: dict[str, Any], kind: str, text: str, details: dict[str, Any], beside: bool
) -> None:
    told = read_model(message, {}) if beside else read_model({"body": message.get("body", "")}, message)
    assert (told.type, told.text, told.details) == (kind, text, details)


@pytest.mark.parametrize(
    "kind",
    [
        *("e2e_notification", "notification_template", "call_log", "protocol", "ciphertext", "album", "gp2"),
        *("broadcast_notification", "group_notification", "pinned_message", "keep_in_chat", "security_notification"),
        "revoked",
    ],
)
def test_notices_are_no_messages(kind: str) -> None:
    assert read_model({"type": kind, "body": "x"}, {}).notice == kind
