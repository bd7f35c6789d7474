"""Messages of ours as the forms that Twilio takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.twilio_accounts import OURS, THEM, account, outgoing
from wagate.errors import AccountStoppedError, SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMedia, OutMessage
from wagate_twilio.outgoing import prepare

FILE = OutFile(mimetype="image/png", filename="a.png", url="https://gate.example/media/1", size=1000)


def sends(type_: str = "text", **fields: Any) -> OutMessage:
    return OutMessage(chat=THEM, type=type_, **fields)


HELLO = sends(text="Hello")


def form(message: OutMessage, file: OutFile | None = None, **options: Any) -> dict[str, str]:
    """What is sent beside recipient, sender and callback."""
    made = prepare(outgoing(account(**options), message, file))
    return {name: text for name, text in made.items() if name not in {"To", "From", "StatusCallback"}}


@pytest.mark.parametrize(
    ("options", "sender"),
    [
        ({}, {"From": f"whatsapp:+{OURS}"}),
        ({"from_number": "whatsapp:+1 555 000"}, {"From": "whatsapp:+1555000"}),
        ({"messaging_service_sid": "MG" + "0" * 32}, {"MessagingServiceSid": "MG" + "0" * 32}),
    ],
)
def test_the_sender_is_a_number_or_a_messaging_service(options: dict[str, Any], sender: dict[str, str]) -> None:
    made = prepare(outgoing(account(**options), HELLO))
    assert {name: text for name, text in made.items() if name in {"From", "MessagingServiceSid"}} == sender


def test_an_account_without_a_number_is_stopped() -> None:
    with pytest.raises(AccountStoppedError, match="from_number"):
        prepare(outgoing(account(phone=""), HELLO))


@pytest.mark.parametrize("options", [{"url": ""}, {"status_callbacks": False}])
def test_statuses_are_asked_for_only_where_they_can_come(options: dict[str, Any]) -> None:
    assert "StatusCallback" not in prepare(outgoing(account(**options), HELLO))


@pytest.mark.parametrize(("chat", "to"), [(THEM, "whatsapp:+5511999990000"), ("BR.1@user", "whatsapp:BR.1")])
def test_a_person_is_addressed_by_number_or_business_scoped_id(chat: str, to: str) -> None:
    assert prepare(outgoing(account(), OutMessage(chat=chat, type="text", text="x")))["To"] == to


@pytest.mark.parametrize(
    ("message", "file", "expected"),
    [
        (sends("image", text="Look"), FILE, {"MediaUrl": FILE.url, "Body": "Look"}),
        (sends("voice"), FILE, {"MediaUrl": FILE.url}),
        (sends("document", media=OutMedia(url="https://cdn.example/a")), None, {"MediaUrl": "https://cdn.example/a"}),
        (
            sends("location", location=OutLocation(latitude=1.5, longitude=-2.0, name="Shop", address="Main 1")),
            None,
            {"Body": "Shop", "PersistentAction": "geo:1.5,-2.0|Main 1"},
        ),
        (
            sends("location", location=OutLocation(latitude=1.5, longitude=2)),
            None,
            {"Body": "1.5,2", "PersistentAction": "geo:1.5,2"},
        ),
    ],
)
def test_each_type_is_the_form_that_twilio_takes(
    message: OutMessage, file: OutFile | None, expected: dict[str, str]
) -> None:
    assert form(message, file) == expected


SID = "HX" + "0" * 32
BODY = {"type": "body", "parameters": [{"type": "text", "text": "Eva"}, {"type": "text", "text": "17"}]}
NAMED = {"type": "body", "parameters": [{"type": "text", "text": "Eva", "parameter_name": "who"}]}
CURRENCY = {"type": "body", "parameters": [{"type": "currency", "currency": {"fallback_value": "10 €"}}]}


@pytest.mark.parametrize(
    ("template", "variables"),
    [
        ({"name": SID}, None),
        ({"content_sid": SID, "name": "order"}, None),
        ({"name": SID, "components": [BODY]}, {"1": "Eva", "2": "17"}),
        ({"name": SID, "components": [NAMED]}, {"who": "Eva"}),
        ({"name": SID, "components": [CURRENCY]}, {"1": "10 €"}),
        ({"name": SID, "content_variables": {"3": "x"}, "components": [BODY]}, {"3": "x"}),
        ({"name": SID, "content_variables": '{"3":"x"}'}, {"3": "x"}),
        ({"name": SID, "components": [{"type": "header", "parameters": []}]}, None),
    ],
)
def test_a_template_is_a_content_sid_and_its_variables(
    template: dict[str, Any], variables: dict[str, str] | None
) -> None:
    made = form(sends("template", template=template))
    assert made.pop("ContentSid") == SID
    assert (json.loads(made["ContentVariables"]) if made else None) == variables


@pytest.mark.parametrize(
    ("message", "file", "reason"),
    [
        (sends(text="x" * 1601), None, "1601 characters"),
        (sends("image"), OutFile(mimetype="image/png", filename="a.png"), "server.public_url"),
        (sends("image"), None, "server.public_url"),
        (sends("audio", text="Listen"), FILE, "send it as a separate message"),
        (sends("template", template={"name": "order_update"}), None, "content SID"),
        (
            sends("template", template={"name": SID, "components": [{"type": "header", "parameters": [{}]}]}),
            None,
            "content_variables",
        ),
        (sends("contacts", contacts=({"vcard": "x"},)), None, "can't send"),
        (OutMessage(chat="1@g.us", type="text", text="x"), None, "individuals"),
    ],
)
def test_what_twilio_can_not_send_is_refused_with_the_reason(
    message: OutMessage, file: OutFile | None, reason: str
) -> None:
    with pytest.raises(SendRefusedError, match=reason):
        form(message, file)


def test_a_text_of_exactly_1600_characters_goes_out() -> None:
    assert form(sends(text="x" * 1600)) == {"Body": "x" * 1600}


def test_a_file_that_is_too_large_is_refused_before_it_is_offered() -> None:
    large = OutFile(mimetype="video/mp4", filename="a.mp4", url="https://gate.example/1", size=(16 << 20) + 1)
    with pytest.raises(SendRefusedError, match=r"16\.0 MiB, Twilio takes 16"):
        form(sends("video"), large)
