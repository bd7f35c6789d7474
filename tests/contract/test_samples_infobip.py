"""Every sample of Infobip's webhooks, requests, answers and errors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.corpus import Corpus, each_corpus, each_sample
from tests.infobip_accounts import account, outgoing, request
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.hooks import OutFile, OutLocation, OutMessage
from wagate.http import Response
from wagate.testing.providers.infobip import FakeInfobip
from wagate_infobip.answers import read_sent
from wagate_infobip.outgoing import prepare
from wagate_infobip.webhook import parse

ERRORS: list[type[SendError]] = [AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError]
GROUPS = ("messages", "reports", "notices", "batches", "reactions", "errors", "answers", "requests")


def events(corpus: Corpus, name: str) -> Any:
    return parse(request(msgspec.json.encode(corpus.json_of(name))), account())


@each_sample("messages", "infobip")
def test_a_message_is_what_its_sample_says(corpus: Corpus, name: str) -> None:
    [event] = events(corpus, name)
    expected = corpus.expected
    assert [event.kind, event.type, event.content] == ["message", *expected["messages"][name]]
    assert event.provider_id == corpus.json_of(name)["results"][0]["messageId"]
    for field in ("chat", "recipient", "contact_name"):
        assert getattr(event, field) == expected[field], field
    assert list(event.aliases) == expected["aliases"]
    assert event.timestamp is not None
    assert event.timestamp.isoformat() == "2025-01-01T10:10:00+00:00"


@each_sample("reports", "infobip")
def test_a_report_is_what_its_sample_says(corpus: Corpus, name: str) -> None:
    [event] = events(corpus, name)
    assert [event.extra["status"], event.message_id] == corpus.expected["reports"][name]
    assert event.kind == "message.ack"
    assert event.timestamp is not None


@each_corpus("infobip")
def test_a_closed_window_is_told_by_its_code(corpus: Corpus) -> None:
    [event] = events(corpus, corpus.expected["closed_window"])
    assert event.extra["error"]["code"] == "7010"
    assert "24 h window" in event.extra["error"]["reason"]


@each_sample("notices", "infobip")
def test_a_notice_is_kept_under_its_name(corpus: Corpus, name: str) -> None:
    [event] = events(corpus, name)
    known = ("unknown", corpus.expected["notices"][name], corpus.json_of(name))
    assert (event.kind, event.extra["event"], event.extra["data"]) == known


@each_sample("batches", "infobip")
def test_a_batch_is_as_many_events(corpus: Corpus, name: str) -> None:
    assert [event.type for event in events(corpus, name)] == corpus.expected["batches"][name]


@each_sample("reactions", "infobip")
def test_a_reaction_is_about_the_message_that_it_names(corpus: Corpus, name: str) -> None:
    [event] = events(corpus, name)
    assert event.extra["reaction"] == corpus.expected["reactions"][name]


def message(kind: str, given: dict[str, Any], card: dict[str, Any]) -> tuple[OutMessage, OutFile | None]:
    """The message in our words that a request's sample would be sent for."""
    content = given["content"]
    file = OutFile(mimetype="", filename=content.get("filename", ""), url=content.get("mediaUrl", ""))
    text = content.get("caption", content.get("text", ""))
    values: dict[str, Any] = {"type": kind, "text": text}
    match kind:
        case "contact":
            values = {"type": "contacts", "contacts": (card,)}
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


@each_sample("requests", "infobip")
def test_what_we_send_is_the_clients_own_request(corpus: Corpus, name: str) -> None:
    kind, whole = corpus.expected["requests"][name], corpus.json_of(name)
    [expected] = whole.get("messages", [whole])
    shop = account(sender=expected["from"], secret="s", url="https://gate.example/webhooks/shop")
    prepared = prepare(outgoing(shop, *message(kind, expected, corpus.expected["card"])))
    [body] = prepared.body.get("messages", [prepared.body])
    assert body["content"] == expected["content"]
    assert (body["from"], body["to"]) == (expected["from"], expected["to"])
    # Shortening of links is not ours to ask for.
    assert set(body) == set(expected) - {"urlOptions"}
    assert prepared.path == "/whatsapp/1/message/" + kind.replace("_", "/")


def answer(status: int, body: bytes) -> Response:
    return Response(status=status, headers={}, body=body, truncated=False, duration_ms=1.0)


@each_sample("answers", "infobip")
def test_an_answer_of_the_clients_is_a_message_sent(corpus: Corpus, name: str) -> None:
    assert read_sent(answer(200, corpus.bytes_of(name)), "ours").message_id == corpus.expected["message_id"]


@each_sample("errors", "infobip")
def test_an_error_is_of_the_class_that_its_status_says(corpus: Corpus, name: str) -> None:
    status, error = corpus.expected["errors"][name]
    with pytest.raises(SendError) as raised:
        read_sent(answer(status, corpus.bytes_of(name)), "ours")
    assert type(raised.value) in ERRORS
    assert type(raised.value).__name__ == error
    assert raised.value.code


@each_corpus("infobip")
def test_the_fake_answers_and_posts_in_the_samples_form(corpus: Corpus) -> None:
    fake, named = FakeInfobip(), corpus.expected["fake"]
    body = {"to": "441134960001", "messageId": "m"}
    [info] = [fake._take("text", {"from": fake.sender, "content": {}, **body})]
    assert set(info) == set(corpus.json_of(named["answer"]))
    [item] = corpus.json_of(named["message"])["results"]
    assert set(fake.item({"type": "TEXT"})) <= set(item)
    [report] = corpus.json_of(named["delivery"])["results"]
    assert set(fake.delivery("m")["results"][0]) <= set(report)
    [seen] = corpus.json_of(named["seen"])["results"]
    assert set(fake.seen("m")["results"][0]) <= set(seen)


@each_corpus("infobip")
def test_every_sample_is_used_here(corpus: Corpus) -> None:
    assert corpus.names() == {name for group in GROUPS for name in corpus.expected[group]}
