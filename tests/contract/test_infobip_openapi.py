"""What we ask of Infobip fits its OpenAPI document, 3.210.0; what it would refuse we refuse first, with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infobip_accounts import THEM, URL, account, outgoing
from tests.infobip_document import PREFIX, faults
from wagate.errors import SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMedia, OutMessage
from wagate_infobip.lengths import LENGTHS
from wagate_infobip.outgoing import prepare

FILE = OutFile(mimetype="application/pdf", filename="bill.pdf", url="https://gate.example/media/1")
LINK = {"link": "https://x.example/a.png"}
HEADERS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": "h"},
    "image": {"type": "image", "image": LINK},
    "video": {"type": "video", "video": LINK},
    "document": {"type": "document", "document": {"link": "https://x.example/bill.pdf"}},
}
WORDS: dict[str, Any] = {"body": {"text": "b"}, "footer": {"text": "f"}}
FLOW = {"name": "flow", "parameters": {"flow_id": 1, "flow_cta": "Go", "mode": "published", "flow_action": "navigate"}}
ORDER = {
    "name": "review_and_pay",
    "parameters": {
        "reference_id": "order-204",
        "type": "physical-goods",
        "currency": "BRL",
        "total_amount": {"value": 1250, "offset": 100},
        "payment_settings": [
            {
                "type": "pix_dynamic_code",
                "pix_dynamic_code": {"code": "0002", "merchant_name": "Shop", "key": "1", "key_type": "CPF"},
            },
            {"type": "payment_link", "payment_link": {"uri": "https://pay.example/204"}},
        ],
        "order": {
            "catalog_id": "c",
            "items": [{"retailer_id": "sku", "name": "Pot", "amount": {"value": 1000, "offset": 100}, "quantity": 1}],
            "subtotal": {"value": 1000, "offset": 100},
            "tax": {"value": 250, "offset": 100, "description": "VAT"},
            "shipping": {"value": 0, "offset": 100},
            "discount": {"value": 0, "offset": 100, "discount_program_name": "spring"},
            "expiration": {"seconds": 600, "description": "soon"},
        },
    },
}


def card(at: int, action: dict[str, Any]) -> dict[str, Any]:
    return {"card_index": at, "header": HEADERS["image"], "body": {"text": "c"}, "action": action}


QUICK = {"buttons": [{"type": "quick_reply", "quick_reply": {"id": "1", "title": "Yes"}}]}
OPEN = {"name": "cta_url", "parameters": {"display_text": "See", "url": "https://x.example"}}
INTERACTIVE: dict[str, dict[str, Any]] = {
    **{
        f"buttons under {kind}": WORDS
        | {
            "type": "button",
            "header": header,
            "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]},
        }
        for kind, header in HEADERS.items()
    },
    "list": WORDS
    | {
        "type": "list",
        "header": HEADERS["text"],
        "action": {
            "button": "Open",
            "sections": [{"title": "s", "rows": [{"id": "1", "title": "t", "description": "d"}]}],
        },
    },
    "url": WORDS | {"type": "cta_url", "header": HEADERS["document"], "action": OPEN},
    "flow without a token": WORDS | {"type": "flow", "header": HEADERS["text"], "action": FLOW},
    "location request": {"type": "location_request_message", "body": {"text": "Where?"}},
    "product": WORDS | {"type": "product", "action": {"catalog_id": "c", "product_retailer_id": "p"}},
    "product list": WORDS
    | {
        "type": "product_list",
        "header": HEADERS["text"],
        "action": {
            "catalog_id": "c",
            "sections": [{"title": "s", "product_items": [{"product_retailer_id": "p"}]}],
        },
    },
    "order details": WORDS | {"type": "order_details", "header": HEADERS["image"], "action": ORDER},
    "order status": WORDS
    | {
        "type": "order_status",
        "action": {
            "name": "review_order",
            "parameters": {
                "reference_id": "order-204",
                "payment": {"type": "BRAZIL"},
                "order": {"status": "partially-shipped", "description": "half"},
            },
        },
    },
    "carousel of links": {
        "type": "carousel",
        "body": {"text": "b"},
        "action": {"cards": [card(0, OPEN), card(1, OPEN)]},
    },
    "carousel of replies": {
        "type": "carousel",
        "body": {"text": "b"},
        "action": {"cards": [card(0, QUICK), card(1, QUICK)]},
    },
    "call permission": {"type": "call_permission_request", "body": {"text": "May we?"}, "action": {}},
    "voice call": {
        "type": "voice_call",
        "body": {"text": "Call us"},
        "action": {
            "name": "voice_call",
            "parameters": {"display_text": "Call", "ttl_minutes": 60, "payload": "x"},
        },
    },
    "contact info": {"type": "request_contact_info", "body": {"text": "Who are you?"}},
}
SECTIONS = [{"title": "s", "product_items": [{"product_retailer_id": "p"}]}]
BUTTONS: dict[str, list[dict[str, Any]]] = {
    "quick_reply": [{"type": "payload", "payload": "yes"}],
    "url": [{"type": "text", "text": "204"}],
    "copy_code": [{"type": "coupon_code", "coupon_code": "SPRING"}],
    "flow": [{"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": {}}}}],
    "catalog": [{"type": "action", "action": {"thumbnail_product_retailer_id": "p"}}],
    "mpm": [{"type": "action", "action": {"thumbnail_product_retailer_id": "p", "sections": SECTIONS}}],
    "order_details": [{"type": "action", "action": {"order_details": ORDER["parameters"]}}],
    "voice_call": [{"type": "ttl_minutes", "ttl_minutes": 60}, {"type": "payload", "payload": "x"}],
}


def template(*components: dict[str, Any]) -> OutMessage:
    made = {"name": "parcel_sent", "language": {"code": "en"}, "components": list(components)}
    return OutMessage(chat=THEM, type="template", template=made)


MESSAGES: dict[str, OutMessage] = {
    "text": OutMessage(chat=THEM, type="text", text="see https://x.example", reply_to="wamid.1"),
    **{kind: OutMessage(chat=THEM, type=kind) for kind in ("image", "video", "audio", "voice", "document", "sticker")},
    "location": OutMessage(chat=THEM, type="location", location=OutLocation(latitude=1, longitude=2, name="n")),
    "contacts": OutMessage(
        chat=THEM,
        type="contacts",
        contacts=(
            {
                "name": {"formatted_name": "Eva"},
                "org": {"company": "Shop"},
                "phones": [{"phone": "+1", "type": "Mobile"}, {"phone": "+2", "type": "FAX"}],
                "emails": [{"email": "e@x.example", "type": "work"}, {"email": "f@x.example", "type": "OTHER"}],
            },
        ),
    ),
    **{name: OutMessage(chat=THEM, type="interactive", interactive=given) for name, given in INTERACTIVE.items()},
    "template": template({"type": "body", "parameters": [{"type": "text", "text": "Eva"}]}, {"type": "footer"}),
    **{
        f"template under {kind}": template({"type": "header", "parameters": [header]})
        for kind, header in HEADERS.items()
    },
    **{
        f"template with {kind}": template({"type": "button", "sub_type": kind, "index": "0", "parameters": parameters})
        for kind, parameters in BUTTONS.items()
    },
    "template of a carousel": template(
        {
            "type": "carousel",
            "cards": [
                {
                    "card_index": 0,
                    "components": [
                        {"type": "header", "parameters": [HEADERS["image"]]},
                        {"type": "body", "parameters": [{"type": "text", "text": "x"}]},
                        {"type": "button", "sub_type": "url", "index": 0, "parameters": BUTTONS["url"]},
                    ],
                }
            ],
        }
    ),
    "template of an offer": template(
        {
            "type": "limited_time_offer",
            "parameters": [{"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1893492000000}}],
        }
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_request_fits_infobips_document(name: str) -> None:
    shop = account(secret="s", url=URL, entity_id="e", application_id="a")
    prepared = prepare(outgoing(shop, MESSAGES[name], FILE))
    assert faults(prepared.path, prepared.body) == []


def test_a_recording_is_sent_as_one_and_an_offer_says_when_it_ends() -> None:
    voice = prepare(outgoing(account(), MESSAGES["voice"], FILE))
    assert voice.body["content"] == {"mediaUrl": FILE.url, "voice": True}
    offer = prepare(outgoing(account(), MESSAGES["template of an offer"], FILE))
    [sent] = offer.body["messages"]
    assert sent["content"]["templateData"]["limitedTimeOffer"] == {"expirationTime": "2030-01-01T10:00:00.000Z"}


def test_paths_that_we_send_to_are_the_documents() -> None:
    paths = {prepare(outgoing(account(), message, FILE)).path.removeprefix(PREFIX) for message in MESSAGES.values()}
    assert paths - {"interactive/call-permission-request"} == set(LENGTHS)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (OutMessage(chat=THEM, type="text", text="x" * 4097), "content.text has 4097 characters.*4096"),
        (OutMessage(chat=THEM, type="image", text="x" * 3001), "content.caption has 3001"),
        (INTERACTIVE["list"] | {"header": HEADERS["image"]}, "no header of type 'image'"),
        (
            INTERACTIVE["url"] | {"header": {"type": "image", "image": {"id": "17"}}},
            "takes no media ids: give image.link",
        ),
        (
            INTERACTIVE["list"] | {"action": {"button": "x" * 21, "sections": [{"rows": []}]}},
            "content.action.title has 21 characters; Infobip takes 1 to 20",
        ),
        (INTERACTIVE["flow without a token"] | {"action": {"parameters": {"flow_name": "n"}}}, "flow_id"),
        (INTERACTIVE["carousel of links"] | {"action": {"cards": [card(0, OPEN), card(1, QUICK)]}}, "all cards"),
        (INTERACTIVE["product"] | {"type": "address_message"}, "can't send interactive"),
        (template({"type": "order_status", "parameters": []}), "no component of type 'order_status'"),
        (template({"type": "button", "sub_type": "spm", "index": 0, "parameters": []}), "no button of type 'spm'"),
        (template({"type": "header", "parameters": [{"type": "product", "product": {}}]}), "no header of type"),
        (
            template(
                {
                    "type": "button",
                    "sub_type": "copy_code",
                    "parameters": [{"type": "coupon_code", "coupon_code": "x" * 16}],
                }
            ),
            "parameter has 16 characters",
        ),
    ],
)
def test_what_infobip_would_refuse_is_refused_with_the_place_and_the_cure(
    message: OutMessage | dict[str, Any], reason: str
) -> None:
    if isinstance(message, dict):
        message = OutMessage(chat=THEM, type="interactive", interactive=message)
    file = FILE if message.type == "image" else None
    with pytest.raises(SendRefusedError, match=reason):
        prepare(outgoing(account(), message, file))


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://x.example/a/bill%20204.pdf?x=1", "bill 204.pdf"), ("https://x.example/file", "document")],
)
def test_a_document_always_has_a_name(url: str, name: str) -> None:
    message = OutMessage(chat=THEM, type="document", media=OutMedia(url=url))
    assert prepare(outgoing(account(), message, None)).body["content"]["filename"] == name


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("text", {"to": "1", "content": {"text": ""}}, "body.from: is required"),
        ("text", {"from": "1", "to": "1", "content": {"text": ""}}, "body.content.text: has 0"),
        ("text", {"from": "1", "to": "1", "content": {"text": "x", "bold": True}}, "bold: there is no such field"),
        ("audio", {"from": "1", "to": "1", "content": {"mediaUrl": "u", "voice": "yes"}}, "voice: must be boolean"),
        ("fax", {}, "no such path"),
    ],
)
def test_the_judge_sees_what_is_wrong(path: str, body: dict[str, Any], fault: str) -> None:
    assert any(fault in each for each in faults(PREFIX + path, body))
