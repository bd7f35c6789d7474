"""Every sample of Twilio's webhooks, answers and errors, and its OpenAPI document over what we send.

The samples and the document lie beside the repository.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from tests.twilio_accounts import OUR_ID, URL, account, outgoing, request
from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMessage
from wagate.http import Response
from wagate.testing.providers.twilio import FakeTwilio
from wagate_twilio.client import read_sent
from wagate_twilio.outgoing import prepare
from wagate_twilio.parse import parse

SHARED = Path(__file__).parents[2].parent / "shared"
SAMPLES = SHARED / "samples" / "twilio"
DOCUMENT = SHARED / "openapi" / "twilio" / "twilio_api_v2010.json"
ANA, OUR_CHAT = "5511999990000@c.us", "14155238886@c.us"
INBOUND: dict[str, dict[str, Any]] = {
    "adapted_inbound_contact_vcard": {"type": "contacts", "chat": ANA, "contact_name": "Ana"},
    "adapted_inbound_reply": {
        "type": "text",
        "chat": ANA,
        "content": "re: ok",
        "reply_to": "SM0000000000000000000000000000000A",
    },
    "adapted_inbound_voice": {"type": "voice", "chat": ANA, "recipient": OUR_CHAT, "content": ""},
    "bbc_inbound_image": {"type": "image", "chat": "31612345678@c.us", "contact_name": None},
    "bbc_inbound_text": {"type": "text", "chat": "31612345678@c.us", "content": "test"},
    "seen_inbound_text_profilename": {
        "type": "text",
        "chat": "5511999990003@c.us",
        "content": "Olá",
        "contact_name": "Davi",
    },
}
STATUSES = {
    "adapted_status_failed_63016": "failed",
    "adapted_status_read": "read",
    "bbc_status_delivered": "delivered",
    "bbc_status_sent": "sent",
}
OTHERS = {
    "adapted_error_400_21211.json",
    "oas_create_message_response_201.json",
    "seen_error_429_20429.json",
    "signature_vectors.json",  # tests/unit/test_twilio_verify.py
}


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    return path.read_bytes()


def answer(status: int, name: str) -> Response:
    return Response(status=status, headers={}, body=sample(name), truncated=False, duration_ms=1.0)


@pytest.mark.parametrize("name", INBOUND)
def test_a_message_is_what_its_sample_says(name: str) -> None:
    body = sample(f"{name}.form.txt")
    [event] = parse(request(body), account())
    assert {field: getattr(event, field) for field in INBOUND[name]} == INBOUND[name]
    form = dict(parse_qsl(body.decode()))
    assert (event.kind, event.provider_id) == ("message", form["MessageSid"])
    assert (event.media.url if event.media else None) == form.get("MediaUrl0")


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_is_what_its_sample_says(name: str) -> None:
    url = f"{URL}?wagate_id={OUR_ID}"
    [event] = parse(request(sample(f"{name}.form.txt"), url=url), account())
    assert (event.kind, event.extra["status"], event.reference) == ("message.ack", STATUSES[name], OUR_ID)


def test_a_closed_window_is_told_by_its_code() -> None:
    [event] = parse(request(sample("adapted_status_failed_63016.form.txt")), account())
    assert event.extra["error"]["code"] == "63016"
    assert "24 h window" in event.extra["error"]["reason"]


def test_an_answer_of_the_document_is_a_message_sent() -> None:
    assert read_sent(answer(201, "oas_create_message_response_201.json")).message_id == "SM" + "a" * 32


def test_errors_are_of_the_class_that_their_codes_say() -> None:
    with pytest.raises(SendRefusedError, match="not a valid phone number") as refused:
        read_sent(answer(400, "adapted_error_400_21211.json"))
    assert refused.value.code == "21211"
    with pytest.raises(NotSentError) as later:
        read_sent(answer(429, "seen_error_429_20429.json"))
    assert (later.value.code, later.value.slow) == ("20429", "account")


def test_every_sample_is_used_here() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    used = OTHERS | {f"{name}.form.txt" for name in (*INBOUND, *STATUSES)}
    assert {path.name for path in SAMPLES.iterdir()} == used


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The part of Twilio's document about sending a message."""
    if not DOCUMENT.is_file():
        pytest.skip("../shared/openapi is not here: what is sent was not held to Twilio's document")
    whole = json.loads(DOCUMENT.read_bytes())
    [path] = [path for path in whole["paths"] if path.endswith("/Messages.json")]
    post = {"post": whole["paths"][path]["post"], "servers": whole["servers"]}
    return {**whole, "paths": {path: post}}


def schema() -> dict[str, Any]:
    [path] = document()["paths"].values()
    found: dict[str, Any] = path["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return found


def validate(form: dict[str, str]) -> None:
    """Raises OpenAPIError when Twilio's document does not allow the form."""
    path = f"/2010-04-01/Accounts/{account().settings.account_sid}/Messages.json"
    OpenAPI.from_dict(document()).validate_request(
        MockRequest(
            "https://api.twilio.com",
            "post",
            path,
            headers={"Authorization": "Basic eDp5"},
            data=urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
        )
    )


FILE = OutFile(mimetype="image/png", filename="a.png", url="https://gate.example/media/1")
TEMPLATE = {"name": "HX" + "0" * 32, "content_variables": {"1": "Eva"}}
MESSAGES = [
    OutMessage(chat=ANA, type="text", text="Hello"),
    OutMessage(chat=ANA, type="image", text="Look"),
    OutMessage(chat=ANA, type="location", location=OutLocation(latitude=1.5, longitude=2, name="Shop")),
    OutMessage(chat=ANA, type="template", template=TEMPLATE),
]


@pytest.mark.parametrize("service", ["", "MG" + "0" * 32], ids=["number", "service"])
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_what_we_send_is_what_twilios_document_allows(message: OutMessage, service: str) -> None:
    form = prepare(outgoing(account(messaging_service_sid=service), message, FILE))
    validate(form)
    assert set(form) <= set(schema()["properties"])


@pytest.mark.parametrize("wrong", [{"ContentSid": "order_update"}, {"MessagingServiceSid": "x"}])
def test_the_judge_catches_a_wrong_form(wrong: dict[str, str]) -> None:
    with pytest.raises(OpenAPIError):
        validate({"To": "whatsapp:+5511", **wrong})


def test_the_judge_misses_a_recipient() -> None:
    with pytest.raises(OpenAPIError):
        validate({"Body": "Hello"})


def test_the_fake_answers_in_the_documents_form() -> None:
    row = FakeTwilio()._row("SM1", "whatsapp:+1", "whatsapp:+2", {"Body": "Hi"})
    assert set(row) == set(msgspec.json.decode(sample("oas_create_message_response_201.json")))
    assert set(row) == set(document()["components"]["schemas"]["api.v2010.account.message"]["properties"])
