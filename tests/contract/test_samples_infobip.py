"""Every sample of Infobip's webhooks, requests, answers and errors (they lie beside the repository)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.infobip_accounts import account, outgoing, request
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMessage
from wagate.http import Response
from wagate.testing.providers.infobip import FakeInfobip
from wagate_infobip.answers import read_sent
from wagate_infobip.outgoing import prepare
from wagate_infobip.parse import parse

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples" / "infobip"
BIA, OUT = "5511988880001@c.us", "447700900100@c.us"
NOTICES = {
    "php_identity_change": "user_identity_changed",
    "php_payment_notification": "payment",
    "php_template_update": "template_status_update",
    "ref_identity_change_reports": "user_identity_changed",
    "ref_payment_notification": "payment",
    "ref_payment_payu_notification": "payment",
    "ref_stop_notification": "notification_messages_stop",
    "ref_template_approved_event": "template_status_update",
    "ref_template_category_change_event": "template_category_update",
    "ref_template_flagged_event": "template_status_update",
    "ref_template_rejected_event": "template_status_update",
}
INBOUND = {
    "ref_inbound_audio": ("audio", ""),
    "ref_inbound_button": ("interactive", "Track order"),
    "ref_inbound_contact": ("contacts", ""),
    "ref_inbound_document": ("document", "Invoice 17"),
    "ref_inbound_image": ("image", "Broken part"),
    "ref_inbound_interactive_button_reply": ("interactive", "Track order"),
    "ref_inbound_interactive_call_permission_reply": ("interactive", "ACCEPT"),
    "ref_inbound_interactive_in_thread_authentication_reply": ("interactive", "VERIFIED"),
    "ref_inbound_interactive_list_reply": ("interactive", "Store hours"),
    "ref_inbound_interactive_payment_acknowledgement": ("interactive", ""),
    "ref_inbound_location": ("location", ""),
    "ref_inbound_order": ("order", "Two of these please"),
    "ref_inbound_text": ("text", "Good morning, is the shop open?"),
    "ref_inbound_text_with_ad_referral": ("text", "Good morning, is the shop open?"),
    "ref_inbound_video": ("video", "See how it shakes"),
}
REPORTS = {
    "adapted_delivery_report_7010_no_session": ("failed", "outbound-000017"),
    "php_seen_report": ("read", "1215f543ab19-345f-adbd-12ad31451ed25f35"),
    "ref_delivery_reports": ("delivered", "outbound-000017"),
    "ref_seen_reports": ("read", "outbound-000017"),
}
OTHERS = {"adapted_batch_text_image", "ref_inbound_reaction"}
ERRORS: dict[str, tuple[int, type[SendError]]] = {
    "ref_error_401": (401, AccountStoppedError),
    "ref_error_429": (429, NotSentError),
    "ref_error_500": (500, OutcomeUnknownError),
    "ref_send_text_response_400_bad_request": (400, SendRefusedError),
    "ref_send_text_response_400_text_validation_error_response": (400, SendRefusedError),
}
KINDS = ("contact", "document", "image", "interactive_buttons", "interactive_list", "location", "template", "text")
ANSWERS = {f"java_send_{kind}_response" for kind in KINDS}


def sample(name: str) -> Any:
    path = SAMPLES / f"{name}.json"
    if not path.is_file():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    return msgspec.json.decode(path.read_bytes())


def events(name: str) -> Any:
    return parse(request(msgspec.json.encode(sample(name))), account())


@pytest.mark.parametrize("name", INBOUND)
def test_a_message_is_what_its_sample_says(name: str) -> None:
    [event] = events(name)
    assert (event.kind, event.type, event.content) == ("message", *INBOUND[name])
    assert (event.chat, event.recipient, event.contact_name) == (BIA, OUT, "Bia")
    assert event.provider_id == sample(name)["results"][0]["messageId"]
    assert event.aliases == ("BR.2000000000000001@user", "BR.ENT.2000000000000009@user")
    assert event.timestamp is not None
    assert event.timestamp.isoformat() == "2025-01-01T10:10:00+00:00"


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_what_its_sample_says(name: str) -> None:
    [event] = events(name)
    assert (event.kind, event.extra["status"], event.message_id) == ("message.ack", *REPORTS[name])
    assert event.timestamp is not None


def test_a_closed_window_is_told_by_its_code() -> None:
    [event] = events("adapted_delivery_report_7010_no_session")
    assert event.extra["error"]["code"] == "7010"
    assert "24 h window" in event.extra["error"]["reason"]


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_is_kept_under_its_name(name: str) -> None:
    [event] = events(name)
    assert (event.kind, event.extra["event"], event.extra["data"]) == ("unknown", NOTICES[name], sample(name))


def test_a_batch_is_as_many_events() -> None:
    assert [event.type for event in events("adapted_batch_text_image")] == ["text", "image"]


def test_a_reaction_is_about_the_message_that_it_names() -> None:
    [event] = events("ref_inbound_reaction")
    assert event.extra["reaction"] == {"text": "🤓", "messageId": "outbound-000017"}


def message(kind: str, given: dict[str, Any]) -> tuple[OutMessage, OutFile | None]:
    """The message in our words that a request's sample would be sent for."""
    content = given["content"]
    file = OutFile(mimetype="", filename=content.get("filename", ""), url=content.get("mediaUrl", ""))
    text = content.get("caption", content.get("text", ""))
    values: dict[str, Any] = {"type": kind, "text": text}
    match kind:
        case "contact":
            values = {"type": "contacts", "contacts": (META_CARD,)}
        case "location":
            values = {"type": kind, "location": msgspec.convert(content, OutLocation)}
        case "template":
            parameters = [{"type": "text", "text": each} for each in content["templateData"]["body"]["placeholders"]]
            component = {"type": "body", "parameters": parameters}
            language = {"code": content["language"]}
            template = {"name": content["templateName"], "language": language, "components": [component]}
            values = {"type": kind, "template": template}
        case "interactive_buttons":
            buttons = [
                {"type": "reply", "reply": {"id": b["id"], "title": b["title"]}} for b in content["action"]["buttons"]
            ]
            values = {
                "type": "interactive",
                "interactive": {**content, "type": "button", "action": {"buttons": buttons}},
            }
        case "interactive_list":
            action = {"button": content["action"]["title"], "sections": content["action"]["sections"]}
            values = {"type": "interactive", "interactive": {**content, "type": "list", "action": action}}
    has_file = kind in {"image", "document", "video", "audio", "sticker"}
    return OutMessage(chat=f"{given['to']}@c.us", **values), file if has_file else None


META_CARD = {
    "addresses": [
        {
            "street": "Istarska",
            "city": "Vodnjan",
            "zip": "52215",
            "country": "Croatia",
            "country_code": "HR",
            "type": kind,
        }
        for kind in ("work", "home")
    ],
    "birthday": "2010-01-01",
    "emails": [
        {"email": "John.Smith@example.com", "type": "work"},
        {"email": "John.Smith.priv@example.com", "type": "home"},
    ],
    "name": {
        "first_name": "John",
        "last_name": "Smith",
        "middle_name": "B",
        "prefix": "Mr.",
        "formatted_name": "Mr. John Smith",
    },
    "org": {"company": "Company Name", "department": "Department", "title": "Director"},
    "phones": [
        {"phone": "+441134960019", "type": "home", "wa_id": "441134960019"},
        {"phone": "+441134960000", "type": "work", "wa_id": "441134960000"},
    ],
    "urls": [
        {"url": "http://example.com/John.Smith", "type": "work"},
        {"url": "http://example.com/home/John.Smith", "type": "home"},
    ],
}
REQUESTS = {f"java_send_{kind}_request": kind for kind in KINDS} | {
    "ref_send_audio_request": "audio",
    "ref_send_sticker_request": "sticker",
    "ref_send_video_request": "video",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_we_send_is_the_clients_own_request(name: str) -> None:
    expected = sample(name)
    [expected] = expected.get("messages", [expected])
    shop = account(sender=expected["from"], secret="s", url="https://gate.example/webhooks/shop")
    prepared = prepare(outgoing(shop, *message(REQUESTS[name], expected)))
    [body] = prepared.body.get("messages", [prepared.body])
    assert body["content"] == expected["content"]
    assert (body["from"], body["to"]) == (expected["from"], expected["to"])
    # Shortening of links is not ours to ask for.
    assert set(body) == set(expected) - {"urlOptions"}
    assert prepared.path == "/whatsapp/1/message/" + REQUESTS[name].replace("_", "/")


def answer(status: int, name: str) -> Response:
    body = msgspec.json.encode(sample(name))
    return Response(status=status, headers={}, body=body, truncated=False, duration_ms=1.0)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_of_the_clients_is_a_message_sent(name: str) -> None:
    assert read_sent(answer(200, name), "ours").message_id == "a28dd97c-1ffb-4fcf-99f1-0b557ed381da"


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_of_the_class_that_its_status_says(name: str) -> None:
    status, error = ERRORS[name]
    with pytest.raises(error) as raised:
        read_sent(answer(status, name), "ours")
    assert type(raised.value) is error
    assert raised.value.code


def test_the_fake_answers_and_posts_in_the_samples_form() -> None:
    fake = FakeInfobip()
    body = {"to": "441134960001", "messageId": "m"}
    [info] = [fake._take("text", {"from": fake.sender, "content": {}, **body})]
    assert set(info) == set(sample("java_send_text_response"))
    [item] = sample("ref_inbound_text")["results"]
    assert set(fake.item({"type": "TEXT"})) <= set(item)
    [report] = sample("ref_delivery_reports")["results"]
    assert set(fake.delivery("m")["results"][0]) <= set(report)
    [seen] = sample("ref_seen_reports")["results"]
    assert set(fake.seen("m")["results"][0]) <= set(seen)


def test_every_sample_is_used_here() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    used = {*INBOUND, *REPORTS, *NOTICES, *OTHERS, *ERRORS, *ANSWERS, *REQUESTS}
    assert {path.stem for path in SAMPLES.glob("*.json")} == used
