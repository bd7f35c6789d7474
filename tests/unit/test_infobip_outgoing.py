"""Messages of ours as Infobip wants them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infobip_accounts import OUR_ID, OURS, THEM, URL, account, outgoing
from wagate.errors import SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMedia, OutMessage, OutReaction
from wagate_infobip.outgoing import prepare

FILE = OutFile(mimetype="application/pdf", filename="bill.pdf", url="https://gate.example/media/1")


def content(message: OutMessage, file: OutFile | None = None, **settings: Any) -> tuple[str, dict[str, Any]]:
    """Path behind ``/whatsapp/1/message/`` and the content."""
    prepared = prepare(outgoing(account(**settings), message, file))
    [body] = prepared.body["messages"] if message.type == "template" else [prepared.body]
    return prepared.path.removeprefix("/whatsapp/1/message/"), body["content"]


def sends(type_: str, **fields: Any) -> OutMessage:
    return OutMessage(chat=THEM, type=type_, **fields)


def test_a_text_goes_out_under_our_own_id() -> None:
    prepared = prepare(outgoing(account(), sends("text", text="Hello")))
    assert prepared.path == "/whatsapp/1/message/text"
    assert prepared.body == {
        "from": OURS,
        "to": "5511988880001",
        "messageId": OUR_ID,
        "content": {"text": "Hello"},
        "callbackData": OUR_ID,
    }


def test_quote_tenant_and_reports_stand_beside_the_content() -> None:
    shop = account(secret="a/b&c", url=URL, entity_id="e", application_id="a")
    body = prepare(outgoing(shop, sends("text", text="Hello", reply_to="wamid.1"))).body
    assert body["context"] == {"replyToMessageId": "wamid.1"}
    assert (body["entityId"], body["applicationId"]) == ("e", "a")
    assert body["notifyUrl"] == f"{URL}?token=a%2Fb%26c"


@pytest.mark.parametrize(
    "options", [{"secret": "s"}, {"url": URL}, {"secret": "s", "url": URL, "reports": False}], ids=str
)
def test_no_reports_are_asked_for_that_could_not_come_or_not_be_believed(options: dict[str, Any]) -> None:
    assert "notifyUrl" not in prepare(outgoing(account(**options), sends("text", text="Hello"))).body


@pytest.mark.parametrize(
    ("text", "preview", "shown"),
    [("see https://x.example", True, True), ("see https://x.example", False, None), ("no link", True, None)],
)
def test_a_preview_is_asked_for_only_where_there_is_a_link(text: str, preview: bool, shown: bool | None) -> None:
    assert content(sends("text", text=text, preview_url=preview))[1].get("previewUrl") is shown


@pytest.mark.parametrize(("chat", "to"), [(THEM, "5511988880001"), ("BR.2000000000000001@user", "BR.2000000000000001")])
def test_a_person_is_addressed_by_number_or_business_scoped_id(chat: str, to: str) -> None:
    assert prepare(outgoing(account(), OutMessage(chat=chat, type="text", text="x"))).body["to"] == to


@pytest.mark.parametrize("chat", ["1203630@g.us", "123@lid", "status@broadcast", ""])
def test_a_chat_that_is_no_single_person_is_refused(chat: str) -> None:
    with pytest.raises(SendRefusedError, match="individuals"):
        prepare(outgoing(account(), OutMessage(chat=chat, type="text", text="x")))


@pytest.mark.parametrize(
    ("message", "path", "expected"),
    [
        (sends("image", text="Look"), "image", {"caption": "Look"}),
        (sends("video"), "video", {}),
        (sends("audio"), "audio", {}),
        (sends("voice"), "audio", {"voice": True}),
        (sends("sticker"), "sticker", {}),
        (sends("document", text="Look"), "document", {"caption": "Look", "filename": "bill.pdf"}),
    ],
)
def test_a_file_is_sent_by_its_url(message: OutMessage, path: str, expected: dict[str, str]) -> None:
    assert content(message, FILE) == (path, {"mediaUrl": FILE.url, **expected})


def test_a_public_url_of_the_caller_is_passed_on() -> None:
    message = sends("image", media=OutMedia(url="https://cdn.example/a.png"))
    assert content(message) == ("image", {"mediaUrl": "https://cdn.example/a.png"})


@pytest.mark.parametrize(
    ("message", "file", "reason"),
    [
        (sends("image"), OutFile(mimetype="image/png", filename="a.png"), "server.public_url"),
        (sends("image"), None, "server.public_url"),
        (sends("audio", text="Listen"), FILE, "send it as a separate message"),
        (sends("reaction", reaction=OutReaction(message_id="x", emoji="👍")), None, "can't send"),
        (sends("location"), None, "content is missing"),
        (sends("interactive", interactive={"type": "catalog_message"}), None, "catalog_message"),
        (sends("template", template={"name": "x"}), None, "language"),
        (sends("template", template={"language": {"code": "en"}}), None, "name"),
    ],
)
def test_what_infobip_can_not_send_is_refused_with_the_reason(
    message: OutMessage, file: OutFile | None, reason: str
) -> None:
    with pytest.raises(SendRefusedError, match=reason):
        prepare(outgoing(account(), message, file))


def test_a_location_is_sent_with_what_is_known_of_it() -> None:
    place = OutLocation(latitude=1.5, longitude=-2.25, name="Shop")
    assert content(sends("location", location=place)) == (
        "location",
        {"latitude": 1.5, "longitude": -2.25, "name": "Shop"},
    )


def test_contact_cards_are_spelled_as_infobip_spells_them() -> None:
    card = {
        "name": {"formatted_name": "Eva R", "prefix": "Dr."},
        "phones": [{"phone": "+34 6", "wa_id": "346", "type": "Cell"}],
    }
    vcard = "BEGIN:VCARD\nFN:Max\nTEL;type=WORK:+49 1\nEND:VCARD"
    path, sent = content(sends("contacts", contacts=(card, {"vcard": vcard})))
    assert path == "contact"
    assert sent["contacts"] == [
        {
            "name": {"firstName": "Eva R", "formattedName": "Eva R", "namePrefix": "Dr."},
            "phones": [{"phone": "+34 6", "waId": "346", "type": "CELL"}],
        },
        {"name": {"firstName": "Max", "formattedName": "Max"}, "phones": [{"phone": "+49 1", "type": "WORK"}]},
    ]
    assert card["phones"][0]["type"] == "Cell"  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "path", "expected"),
    [
        (
            {
                "type": "button",
                "header": {"type": "image", "image": {"link": "https://x.example/a.png"}},
                "body": {"text": "Sure?"},
                "footer": {"text": "f"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]},
            },
            "interactive/buttons",
            {
                "header": {"type": "IMAGE", "mediaUrl": "https://x.example/a.png"},
                "body": {"text": "Sure?"},
                "footer": {"text": "f"},
                "action": {"buttons": [{"type": "REPLY", "id": "1", "title": "Yes"}]},
            },
        ),
        (
            {
                "type": "list",
                "header": {"type": "text", "text": "h"},
                "body": {"text": "Pick"},
                "action": {"button": "Open", "sections": [{"title": "s", "rows": [{"id": "1", "title": "One"}]}]},
            },
            "interactive/list",
            {
                "header": {"type": "TEXT", "text": "h"},
                "body": {"text": "Pick"},
                "action": {"title": "Open", "sections": [{"title": "s", "rows": [{"id": "1", "title": "One"}]}]},
            },
        ),
        (
            {
                "type": "cta_url",
                "header": {"type": "document", "document": {"link": "https://x.example/a", "filename": "a.pdf"}},
                "body": {"text": "Go"},
                "action": {"name": "cta_url", "parameters": {"display_text": "Here", "url": "https://x.example"}},
            },
            "interactive/url-button",
            {
                "header": {"type": "DOCUMENT", "mediaUrl": "https://x.example/a", "filename": "a.pdf"},
                "body": {"text": "Go"},
                "action": {"displayText": "Here", "url": "https://x.example"},
            },
        ),
        (
            {"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}},
            "interactive/location-request",
            {"body": {"text": "Where?"}},
        ),
        (
            {
                "type": "flow",
                "body": {"text": "Fill in"},
                "action": {
                    "name": "flow",
                    "parameters": {
                        "flow_message_version": "3",
                        "flow_token": "t",
                        "flow_id": "1",
                        "flow_cta": "Begin",
                        "mode": "draft",
                        "flow_action": "navigate",
                        "flow_action_payload": {"screen": "first"},
                    },
                },
            },
            "interactive/flow",
            {
                "body": {"text": "Fill in"},
                "action": {
                    "flowMessageVersion": 3,
                    "flowToken": "t",
                    "flowId": "1",
                    "callToActionButton": "Begin",
                    "mode": "DRAFT",
                    "flowAction": "NAVIGATE",
                    "flowActionPayload": {"screen": "first"},
                },
            },
        ),
    ],
)
def test_interactive_messages_in_the_common_form_become_infobips(
    given: dict[str, Any], path: str, expected: dict[str, Any]
) -> None:
    assert content(sends("interactive", interactive=given)) == (path, expected)


def test_a_template_in_the_common_form_becomes_infobips() -> None:
    template = {
        "name": "order_update",
        "language": {"code": "en_GB"},
        "components": [
            {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "17"}]},
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.example/a.png"}}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "Eva"},
                    {"type": "currency", "currency": {"fallback_value": "10 €", "code": "EUR"}},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": 0,
                "parameters": [{"type": "payload", "payload": "track"}],
            },
        ],
    }
    path, sent = content(sends("template", template=template))
    assert path == "template"
    assert sent == {
        "templateName": "order_update",
        "language": "en_GB",
        "templateData": {
            "body": {"placeholders": ["Eva", "10 €"]},
            "header": {"type": "IMAGE", "mediaUrl": "https://x.example/a.png"},
            "buttons": [{"type": "QUICK_REPLY", "parameter": "track"}, {"type": "URL", "parameter": "17"}],
        },
    }


@pytest.mark.parametrize(
    ("parameter", "header"),
    [
        ({"type": "text", "text": "Big"}, {"type": "TEXT", "placeholder": "Big"}),
        (
            {"type": "document", "document": {}},
            {"type": "DOCUMENT", "mediaUrl": FILE.url, "filename": "document"},
        ),
        (
            {"type": "location", "location": {"latitude": 1, "longitude": 2}},
            {"type": "LOCATION", "latitude": 1, "longitude": 2},
        ),
    ],
)
def test_a_templates_header_may_be_text_place_or_the_messages_file(
    parameter: dict[str, Any], header: dict[str, Any]
) -> None:
    components = [{"type": "header", "parameters": [parameter]}]
    template = {"name": "x", "language": {"code": "en"}, "components": components}
    assert content(sends("template", template=template), FILE)[1]["templateData"]["header"] == header


def test_template_data_in_infobips_own_words_is_passed_on() -> None:
    data = {"body": {"placeholders": ["Eva"]}, "buttons": [{"type": "FLOW", "parameter": {"token": "t"}}]}
    template = {"name": "x", "language": {"code": "en"}, "templateData": data}
    assert content(sends("template", template=template))[1]["templateData"] == data
