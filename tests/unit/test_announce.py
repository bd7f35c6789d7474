"""What others get of a message that was sent: the fields that one that came in has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wagate.events import Event
from wagate.hooks import OutLocation, OutMessage, OutPoll, OutReaction
from wagate.inbound.route import Router
from wagate.outbound.announce import content_of, sent, stored_form
from wagate.parsing.vcards import vcard_of
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.owners.directory import Account
from wagate.testing import NOW
from wagate_chatwoot.agents.texts import load_texts
from wagate_chatwoot.to_chatwoot.shown import body_of

ANN = {"name": {"formatted_name": "Ann Lee"}, "phones": [{"phone": "+15550000007", "type": "CELL"}]}
VCARD = vcard_of(ANN)
PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "location": (
        OutLocation(latitude=52.5, longitude=13.4, name="Shop"),
        {"location": {"latitude": 52.5, "longitude": 13.4, "name": "Shop"}},
    ),
    "contacts": (
        (ANN, {"vcard": VCARD}),
        {"contacts": [ANN, ANN], "vcards": [VCARD, VCARD]},
    ),
    "poll": (
        OutPoll(name="When?", options=("Mon", "Tue")),
        {"poll": {"name": "When?", "options": ["Mon", "Tue"], "multiple": False}},
    ),
    "reaction": (OutReaction(message_id="m1", emoji="👍"), {"reaction": {"text": "👍", "messageId": "m1"}}),
}
"""Field of a message → what it holds, what is told of it."""
ELSEWHERE = {"chat", "type", "text", "media", "reply_to"}
"""Fields that an event has, too."""
FOR_THE_PROVIDER = {"preview_url", "preview", "mentions", "template", "interactive", "part"}
"""Fields of which others get the words at most."""


def event_of(message: OutMessage) -> Event:
    empty = {field.name: None for field in msgspec.structs.fields(MessageRow)}
    known = {"id": "01", "type": message.type, "message": stored_form(message), "source": "api", "metadata": {}}
    row = MessageRow(**(empty | known | {"content": content_of(message), "chat": message.chat}))
    made: dict[str, Any] = {"id": "1", "name": "main", "client_id": 1, "tenant": "default", "provider": "pigeon"}
    made |= {"phone": "15550000100", "metadata": {}, "ignore": {}, "webhook_secret": "", "source": "api"}
    return sent(Account(**made), row, "pigeon.1", Router({}, max_retries=3), now=NOW).event


def told(message: OutMessage) -> dict[str, Any]:
    event = event_of(message)
    return {name: value for name, value in event.extra.items() if name not in {"id", "source", "metadata"}}


@pytest.mark.parametrize("name", PARTS)
def test_what_a_message_is_made_of_is_told(name: str) -> None:
    content, expected = PARTS[name]
    assert told(OutMessage(chat="15550000201@c.us", type=name, **{name: content})) == expected


def test_chatwoot_has_words_for_cards_that_were_sent() -> None:
    event = event_of(OutMessage(chat="15550000201@c.us", type="contacts", contacts=(ANN,)))
    assert "Ann Lee" in body_of(event, load_texts("en"))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"name": "hello_world", "language": {"code": "en_US"}}, "hello_world"),
        (
            {
                "name": "order_shipped",
                "components": [
                    {
                        "type": "header",
                        "parameters": [{"type": "image", "image": {"link": "https://a.example/a.png"}}],
                    },
                    {
                        "type": "body",
                        "parameters": [{"text": "Ann"}, {"text": "12345"}],
                    },
                    {"type": "button", "sub_type": "url", "parameters": [{"type": "text", "text": "secret-path"}]},
                ],
            },
            "order_shipped: Ann, 12345",
        ),
        ({"content_sid": "HX0123", "content_variables": {"1": "Ann", "2": "12345"}}, "HX0123: Ann, 12345"),
        ({"name": "odd", "components": ["body", {"type": "body", "parameters": 3}]}, "odd"),
    ],
)
def test_a_template_that_was_sent_has_words(template: dict[str, Any], words: str) -> None:
    event = event_of(OutMessage(chat="15550000201@c.us", type="template", template=template))
    assert event.content == words
    shown = body_of(event, load_texts("en"))
    assert words.split(":", maxsplit=1)[0].replace("_", "") in shown.replace("\\", "").replace("_", "")


def test_each_field_of_a_message_is_told_or_needs_not_be() -> None:
    assert set(OutMessage.__struct_fields__) == PARTS.keys() | ELSEWHERE | FOR_THE_PROVIDER
