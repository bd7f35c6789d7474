"""What ``POST /messages/send`` makes of its bodies."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate import hooks
from wagate.errors import BadRequestError, RequestError, UnprocessableError
from wagate.hooks import MESSAGE_TYPES, OutLocation, OutMedia, OutMessage, OutReaction, messages
from wagate.hooks.messages import MEDIA_TYPES
from wagate.hooks.routes import decode
from wagate.web.messages.body import LONGEST_TEXT, SendBody
from wagate.web.messages.content import _PARTS, Draft, check_storable, read_chat, read_draft

CHAT = "1234567890@c.us"
OFFICE = OutLocation(latitude=38, longitude=-77.5, name="Office", address="1 Main St")


def read(message: Any, **more: Any) -> Draft:
    """The draft that a request's bytes become."""
    body = decode(SendBody, json.dumps({"to": "+1234567890", "message": message} | more).encode())
    check_storable(msgspec.to_builtins(body), "")
    return read_draft(read_chat(body.to, "to"), body.message, reply_to=body.reply_to_message_id or "")


def fields_of(message: Any, **more: Any) -> list[str]:
    """Which fields a refusal names."""
    with pytest.raises(RequestError) as caught:
        read(message, **more)
    assert caught.value.status in {400, 422}
    return [each.field for each in caught.value.errors]


def test_every_type_of_message_is_read_from_the_field_of_its_name() -> None:
    assert MEDIA_TYPES | set(_PARTS) == set(MESSAGE_TYPES)


@pytest.mark.parametrize(
    ("given_message", "expected"),
    [
        ("Hi", {"type": "text", "text": "Hi"}),
        ({"text": "Hi 👋🏽\n"}, {"type": "text", "text": "Hi 👋🏽\n"}),
        ({"text": {"body": "Hi", "preview_url": False}}, {"type": "text", "text": "Hi", "preview_url": False}),
        ({"type": "text", "text": {"body": "Hi"}}, {"type": "text", "text": "Hi"}),
        (
            {"image": {"link": "https://e.example/a.png", "caption": "A"}},
            {"type": "image", "text": "A", "media": OutMedia(url="https://e.example/a.png")},
        ),
        ({"voice": "https://e.example/a.ogg"}, {"type": "voice", "media": OutMedia(url="https://e.example/a.ogg")}),
        (
            {"type": "document", "document": {"id": "m-1", "filename": "a.pdf", "mime_type": "application/pdf"}},
            {"type": "document", "media": OutMedia(media_id="m-1", filename="a.pdf", mimetype="application/pdf")},
        ),
        (
            {"location": {"latitude": 38, "longitude": -77.5, "name": "Office", "address": "1 Main St"}},
            {
                "type": "location",
                "location": OutLocation(latitude=38, longitude=-77.5, name="Office", address="1 Main St"),
            },
        ),
        (
            {"contacts": [{"name": {"formatted_name": "Ann"}}]},
            {"type": "contacts", "contacts": ({"name": {"formatted_name": "Ann"}},)},
        ),
        (
            {"reaction": {"message_id": "wamid.1", "emoji": ""}},
            {"type": "reaction", "reaction": OutReaction(message_id="wamid.1", emoji="")},
        ),
        (
            {"template": {"name": "hello", "language": "en_US"}},
            {"type": "template", "template": {"name": "hello", "language": {"code": "en_US"}}},
        ),
        (
            {"interactive": {"type": "button", "body": {"text": "?"}}},
            {"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}}},
        ),
        (
            {"text": "@Ann hi", "mentions": ["+1 (555) 000-0001", "all"]},
            {"type": "text", "text": "@Ann hi", "mentions": ("15550000001@c.us", "all")},
        ),
    ],
)
def test_every_form_becomes_its_message(given_message: Any, expected: dict[str, Any]) -> None:
    assert read(given_message).message == OutMessage(chat=CHAT, **expected)


def test_a_file_in_the_body_is_decoded_and_what_is_told_about_it_kept() -> None:
    data = base64.b64encode(b"\x89PNG").decode()
    draft = read({"image": {"data": data, "filename": "a.png"}})
    assert (draft.file, draft.message.media) == (b"\x89PNG", OutMedia(filename="a.png"))
    draft = read({"image": {"data": f"data:image/png;base64,{data[:4]}\n{data[4:]}", "caption": "A"}})
    assert (draft.file, draft.message.media, draft.message.text) == (b"\x89PNG", OutMedia(mimetype="image/png"), "A")


@pytest.mark.parametrize(
    ("given_message", "field"),
    [
        ("", "message"),
        ("  \n", "message"),
        (None, "message"),
        ({}, "message"),
        ({"text": ""}, "message.text"),
        ({"text": " "}, "message.text"),
        ({"text": {"body": " "}}, "message.text.body"),
        ({"text": 5}, "message.text"),
        ({"text": "x" * (LONGEST_TEXT + 1)}, "message.text"),
        ({"text": "a", "image": "https://e.example/a"}, "message"),
        ({"type": "image", "text": "a"}, "message"),
        ({"type": "fax", "text": "a"}, "message"),
        ({"txt": "a"}, "message.txt"),
        ({"text": "a\0b"}, "message.text"),
        ({"image": {}}, "message.image"),
        ({"image": {"link": "https://e.example/a", "id": "1"}}, "message.image"),
        ({"image": {"link": "ftp://e.example/a"}}, "message.image.link"),
        ({"image": {"data": "!!"}}, "message.image.data"),
        ({"image": {"data": "data:image/png;base64,"}}, "message.image.data"),
        ({"location": {"latitude": 91, "longitude": 0}}, "message.location.latitude"),
        ({"location": {"latitude": 1}}, "message.location.longitude"),
        ({"contacts": []}, "message.contacts"),
        ({"reaction": {"message_id": "", "emoji": "x"}}, "message.reaction.message_id"),
        ({"template": {"name": 3}}, "message.template.name"),
        ({"template": {"name": "a", "language": {}}}, "message.template.language"),
        ({"template": {"name": "a", "components": {}}}, "message.template.components"),
        ({"interactive": {"body": {}}}, "message.interactive.type"),
        ({"interactive": {"type": "list", "body": {"text": "a\0"}}}, "message.interactive.body.text"),
        ({"text": "a", "mentions": ["nobody"]}, "message.mentions"),
    ],
)
def test_what_can_not_be_sent_is_refused_by_the_name_of_its_field(given_message: Any, field: str) -> None:
    assert fields_of(given_message) == [field]


def test_a_lone_surrogate_is_no_json() -> None:
    with pytest.raises(BadRequestError):
        decode(SendBody, b'{"to": "+1234567890", "message": "\\ud83d"}')


def test_json_too_deep_or_with_endless_numbers_is_refused() -> None:
    deep: Any = 1
    for _ in range(80):
        deep = {"a": deep}
    assert fields_of("a", metadata={"deep": deep}) == ["metadata"]
    body = decode(SendBody, b'{"to": "+1234567890", "message": "a", "metadata": {"a": 1e999}}')
    with pytest.raises(UnprocessableError, match="too large"):
        check_storable(msgspec.to_builtins(body), "")


@pytest.mark.parametrize(
    ("to", "chat"),
    [
        ("+1234567890", CHAT),
        ("+1 (234) 567-890", CHAT),
        ("1234567890", CHAT),
        (" 1234567890@s.whatsapp.net ", CHAT),
        ("whatsapp:+1234567890", CHAT),
        ("120363025246125486@g.us", "120363025246125486@g.us"),
        ("123@lid", "123@lid"),
        ("US.1234@user", "US.1234@user"),
    ],
)
def test_a_chat_is_read_whatever_way_it_is_written(to: str, chat: str) -> None:
    assert read_chat(to, "to") == chat


@pytest.mark.parametrize("to", ["", " ", "nobody", "+", "123", "@g.us", "a b@g.us", "x" * 300, "1\n2@g.us", "@user"])
def test_what_names_no_chat_is_refused(to: str) -> None:
    with pytest.raises(UnprocessableError) as caught:
        read_chat(to, "to")
    assert [each.field for each in caught.value.errors] == ["to"]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*MESSAGE_TYPES, "type", "mentions"]), json_values, max_size=3))
def test_any_message_is_read_or_refused(message: dict[str, Any]) -> None:
    try:
        draft = read(message)
    except (BadRequestError, UnprocessableError):
        assert fields_of(message)
    else:
        assert draft.message.type in MESSAGE_TYPES
        assert msgspec.json.decode(msgspec.json.encode(draft.message), type=OutMessage) == draft.message


@given(st.text(max_size=250))
def test_any_address_is_read_or_refused(text: str) -> None:
    try:
        chat = read_chat(text, "to")
    except UnprocessableError:
        return
    assert read_chat(chat, "to") == chat


def test_plugins_can_import_all_that_a_message_is_made_of() -> None:
    made = {name for name, each in vars(messages).items() if getattr(each, "__module__", "") == messages.__name__}
    assert "OutMessage" in made
    assert not made - set(hooks.__all__)
