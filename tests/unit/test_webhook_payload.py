"""Bodies of webhooks: exactly what the specification draws, and more beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.events import Event, Media
from wagate.testing import NOW, make_event
from wagate_webhook.payload import FORMATS, Letter, encode

ID = "01997d4c-7d10-7c3b-8000-0123456789ab"


def body(event: Event, form: str = "flat", filters: tuple[str, ...] = ("message",)) -> dict[str, Any]:
    letter = Letter(event=event, delivery_id=ID, created_at=NOW, filters=filters, version="1.2.3")
    decoded: dict[str, Any] = json.loads(encode(letter, form))
    return decoded


# Flat


def test_a_flat_body_has_the_fields_of_the_specification_first() -> None:
    event = make_event(timestamp=datetime(2025, 11, 5, 14, 23, tzinfo=UTC), message_id="msg_123", content="Your text")
    flat = body(event)
    assert dict(list(flat.items())[:7]) == {
        "client_id": 1,
        "message_id": "msg_123",
        "from": "5511999999999",
        "to": "5511888888888",
        "timestamp": "2025-11-05T14:23:00Z",
        "type": "text",
        "content": "Your text",
    }


def test_a_flat_body_says_which_event_and_delivery_it_is() -> None:
    event = make_event(metadata={"crm": 7}, contact_name="John", reply_to="wamid.0")
    flat = body(event)
    assert (flat["event"], flat["event_id"], flat["source_event_id"]) == ("message", ID, event.id)
    assert (flat["session"], flat["tenant_id"], flat["chat"]) == ("main", "default", "5511999999999")
    assert (flat["metadata"], flat["contact_name"], flat["reply_to"]) == ({"crm": 7}, "John", "wamid.0")
    assert flat["media"] is None


def test_a_group_keeps_its_domain_and_the_participant_is_the_sender() -> None:
    flat = body(make_event(chat="12036304@g.us", sender="5511777777777@c.us"))
    assert (flat["chat"], flat["from"]) == ("12036304@g.us", "5511777777777")


def test_an_opaque_id_is_shown_bare() -> None:
    assert body(make_event(chat="US.13491208655302741918@user", sender=""))["from"] == "US.13491208655302741918"


def test_whoever_a_message_of_ours_does_not_name_is_filled_in() -> None:
    event = make_event(kind="message.any", from_me=True, sender="", recipient="")
    flat = body(event, filters=("message.any",))
    assert (flat["from"], flat["to"], flat["from_me"]) == ("5511888888888", "5511999999999", True)


def test_a_file_that_was_sent_from_here_is_given_by_its_own_url() -> None:
    media = Media(mimetype="image/jpeg", url="https://cdn.example/a.jpg", size=5)
    sent = {"source": "api", "id": "1", "metadata": {}}
    flat = body(make_event(kind="message.any", from_me=True, type="image", media=media, extra=sent))
    assert flat["media"] == {"mimetype": "image/jpeg", "url": "https://cdn.example/a.jpg", "size": 5}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["message", "message.any", "message.edited", "unknown"])
def test_the_providers_own_url_is_never_given(kind: str, form: str) -> None:
    media = Media(mimetype="image/jpeg", url="https://needs-a-token.example/1", provider_id="1")
    sent = json.dumps(body(make_event(kind=kind, type="image", media=media), form))
    assert "needs-a-token" not in sent


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_we_hold_is_fetched_from_us(form: str) -> None:
    media = Media(
        mimetype="image/jpeg", url="https://needs-a-token.example/1", provider_id="1", filename="a.jpg", size=5
    )
    event, ours = make_event(type="image", media=media), "https://gateway.example/media/1/a.jpg?exp=1&sig=x"
    letter = Letter(event=event, delivery_id=ID, created_at=NOW, filters=["*"], version="1", media_url=ours)
    sent = json.loads(encode(letter, form))
    inner = {"flat": sent, "standard": sent.get("data"), "waha": sent.get("payload")}[form]
    assert inner["media"]["url"] == ours
    assert (inner["media"]["mimetype"], inner["media"]["filename"]) == ("image/jpeg", "a.jpg")
    assert "needs-a-token" not in json.dumps(sent)
    if form != "waha":
        assert (inner["media"]["provider_id"], inner["media"]["size"]) == ("1", 5)


def test_what_a_kind_brings_stands_beside_and_never_over_a_field_of_ours() -> None:
    extra = {"ack": 3, "ackName": "READ", "type": "add", "inline_file": "data.media", "file_follows": True}
    flat = body(make_event(kind="message.ack", type="ack", extra=extra))
    assert (flat["ack"], flat["ackName"]) == (3, "READ")
    assert (flat["type"], flat["provider_type"]) == ("ack", "add")
    assert not {"inline_file", "file_follows"} & flat.keys()


@pytest.mark.parametrize(
    ("kind", "filters", "name"),
    [
        ("message", ("message",), "message"),
        ("message", ("message.any",), "message.any"),
        ("message.any", ("message.any",), "message.any"),
        ("message", ("message", "message.any"), "message"),
        ("message.any", ("message", "message.any"), "message.any"),
        ("message.ack", ("*",), "message.ack"),
    ],
)
def test_who_asked_for_message_any_gets_every_message_as_that(kind: str, filters: tuple[str, ...], name: str) -> None:
    event = make_event(kind=kind)
    assert body(event, "flat", filters)["event"] == name
    assert body(event, "waha", filters)["event"] == name
    assert body(event, "standard", filters)["type"] == name


# Standard


def test_a_standard_body_is_type_timestamp_and_data() -> None:
    event = make_event()
    standard = body(event, "standard")
    assert list(standard) == ["type", "timestamp", "data"]
    assert (standard["type"], standard["timestamp"]) == ("message", "2025-09-10T10:30:00Z")
    assert standard["data"] == body(event)


# The same bytes at every attempt


@pytest.mark.parametrize("form", FORMATS)
@given(content=st.text(), extra=st.dictionaries(st.text(max_size=8), st.integers(-(2**53), 2**53) | st.text()))
def test_the_bytes_are_the_same_at_every_attempt(form: str, content: str, extra: dict[str, Any]) -> None:
    event = make_event(content=content.replace("\0", ""), extra=extra)
    letter = Letter(event=event, delivery_id=ID, created_at=NOW, filters=["*"], version="1")
    assert encode(letter, form) == encode(letter, form)
    assert json.loads(encode(letter, form))
