"""Every sample of Twilio's webhooks, answers and errors, and its OpenAPI document over what we send."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from tests.corpus import Corpus, each_corpus, each_sample
from tests.openapi_documents import openapi
from tests.twilio_accounts import OUR_ID, URL, account, outgoing, request
from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMessage
from wagate.http import Response
from wagate.testing.providers.twilio import FakeTwilio
from wagate_twilio.client import read_sent
from wagate_twilio.outgoing import prepare
from wagate_twilio.webhook import parse

ANA = "5511999990000@c.us"
OTHERS = ("answer", "refused", "later")


def answer(status: int, body: bytes) -> Response:
    return Response(status=status, headers={}, body=body, truncated=False, duration_ms=1.0)


@each_sample("messages", "twilio")
def test_a_message_is_what_its_sample_says(corpus: Corpus, name: str) -> None:
    body, expected = corpus.bytes_of(name), corpus.expected["messages"][name]
    [event] = parse(request(body), account())
    assert {field: getattr(event, field) for field in expected} == expected
    form = dict(parse_qsl(body.decode()))
    assert (event.kind, event.provider_id) == ("message", form["MessageSid"])
    assert (event.media.url if event.media else None) == form.get("MediaUrl0")


@each_sample("statuses", "twilio")
def test_a_status_is_what_its_sample_says(corpus: Corpus, name: str) -> None:
    url = f"{URL}?wagate_id={OUR_ID}"
    [event] = parse(request(corpus.bytes_of(name), url=url), account())
    word = corpus.expected["statuses"][name]
    assert (event.kind, event.extra["status"], event.reference) == ("message.ack", word, OUR_ID)


@each_corpus("twilio")
def test_a_closed_window_is_told_by_its_code(corpus: Corpus) -> None:
    [event] = parse(request(corpus.bytes_of(corpus.expected["closed_window"])), account())
    assert event.extra["error"]["code"] == "63016"
    assert "24 h window" in event.extra["error"]["reason"]


@each_corpus("twilio")
def test_an_answer_of_the_document_is_a_message_sent(corpus: Corpus) -> None:
    sent = read_sent(answer(201, corpus.bytes_of(corpus.expected["answer"])))
    assert sent.message_id == corpus.expected["message_id"]


@each_corpus("twilio")
def test_errors_are_of_the_class_that_their_codes_say(corpus: Corpus) -> None:
    with pytest.raises(SendRefusedError, match="not a valid phone number") as refused:
        read_sent(answer(400, corpus.bytes_of(corpus.expected["refused"])))
    assert refused.value.code == "21211"
    with pytest.raises(NotSentError) as later:
        read_sent(answer(429, corpus.bytes_of(corpus.expected["later"])))
    assert (later.value.code, later.value.slow) == ("20429", "account")


@each_corpus("twilio")
def test_every_sample_is_used_here(corpus: Corpus) -> None:
    expected = corpus.expected
    assert corpus.names() == {*expected["messages"], *expected["statuses"], *(expected[name] for name in OTHERS)}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Twilio's document about sending a message."""
    return openapi("twilio")


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


@each_corpus("twilio")
def test_the_fake_answers_in_the_documents_form(corpus: Corpus) -> None:
    row = FakeTwilio()._row("SM1", "whatsapp:+1", "whatsapp:+2", {"Body": "Hi"})
    assert set(row) == set(corpus.json_of(corpus.expected["answer"]))
    assert set(row) == set(document()["components"]["schemas"]["api.v2010.account.message"]["properties"])
