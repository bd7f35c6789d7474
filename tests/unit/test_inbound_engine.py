from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from wagate.errors import BadRequestError, FieldError, RequestError, UnprocessableError
from wagate.events import NewEvent
from wagate.inbound.engine import parse_engine

SPEC = {
    "from": "+1234567890",
    "to": "+1987654321",
    "message": {"text": "Hello, I need help with my order"},
    "timestamp": "2025-09-10T10:30:00Z",
    "message_id": "wamid.xxxxx",
    "tenant_id": "whappstream",
    "contact_name": "John Doe",
}


def event_of(message: Any, **fields: Any) -> NewEvent:
    return parse_engine({"from": "+1234567890", "message": message, **fields}).event


def fields_of(document: Any, error: type[RequestError] = BadRequestError) -> list[str]:
    with pytest.raises(error) as caught:
        parse_engine(document)
    assert all(each.field in each.detail or not each.field for each in caught.value.errors)
    return [each.field for each in caught.value.errors]


def test_the_specs_own_example_becomes_a_message() -> None:
    message = parse_engine(SPEC)
    assert (message.tenant_id, message.to) == ("whappstream", "1987654321@c.us")
    assert message.event == NewEvent(
        kind="message",
        provider_id="wamid.xxxxx",
        message_id="wamid.xxxxx",
        chat="1234567890@c.us",
        sender="1234567890@c.us",
        recipient="1987654321@c.us",
        type="text",
        content="Hello, I need help with my order",
        timestamp=datetime(2025, 9, 10, 10, 30, tzinfo=UTC),
        contact_name="John Doe",
        extra={"message": {"text": "Hello, I need help with my order"}},
    )


def test_a_bare_string_is_a_text_message() -> None:
    message = parse_engine({"from": "+1234567890", "message": "test"})
    assert (message.tenant_id, message.to) == (None, None)
    assert (message.event.type, message.event.content, message.event.extra) == ("text", "test", {})


def test_without_a_message_id_there_is_nothing_to_find_duplicates_by() -> None:
    assert event_of("hi").provider_id == ""
    assert event_of("hi", message_id=None).provider_id == ""


@pytest.mark.parametrize("text", ["", "😀", "a\nb", "é" * 5000])
def test_any_text_is_taken_as_it_is(text: str) -> None:
    assert event_of(text).content == text
    assert event_of({"text": text}).content == text


@pytest.mark.parametrize(
    ("message", "kind_of", "content"),
    [
        ({"text": {"body": "nested"}}, "text", "nested"),
        ({"type": "text", "text": "stated"}, "text", "stated"),
        ({"image": {"url": "https://a.example/x.png", "caption": "look"}}, "image", "look"),
        ({"image": {"url": "https://a.example/x.png"}, "text": "beside"}, "image", "beside"),
        ({"type": "image", "url": "https://a.example/x.png", "caption": "flat"}, "image", "flat"),
        ({"image": "https://a.example/x.png", "caption": "short"}, "image", "short"),
        ({"voice": {"id": "m1"}}, "voice", ""),
        ({"document": {"link": "https://a.example/x.pdf", "filename": "x.pdf"}}, "document", ""),
        ({"location": {"latitude": 1.5, "longitude": 2.5}}, "location", ""),
        ({"contacts": [{"name": "Ana"}]}, "contacts", ""),
        ({"interactive": {"title": "Yes"}}, "interactive", "Yes"),
        ({"something": {"new": 1}}, "unknown", ""),
        ({"type": "hologram", "hologram": {"title": "Look"}}, "unknown", "Look"),
    ],
)
def test_an_object_is_read_by_its_type(message: dict[str, Any], kind_of: str, content: str) -> None:
    event = event_of(message)
    assert (event.kind, event.type, event.content) == ("message", kind_of, content)
    assert event.extra["message"] == message


@pytest.mark.parametrize(
    ("message", "content", "details"),
    [
        (
            {"poll": {"name": "When?", "options": ["Mon", {"name": "Tue"}]}},
            "When?\n- Mon\n- Tue",
            {"poll": {"name": "When?", "options": [{"name": "Mon"}, {"name": "Tue"}]}},
        ),
        (
            {"type": "poll_vote", "poll_vote": {"options": ["Mon"], "poll_id": "P1"}},
            "Mon",
            {"vote": {"selected": ["Mon"], "poll": "P1"}},
        ),
        (
            {"event": {"name": "Fair", "start": 1893492000, "location": {"name": "Hall"}}},
            "Fair\n2030-01-01T10:00:00Z\nHall",
            {"calendar_event": {"name": "Fair", "start": "2030-01-01T10:00:00Z", "location": {"name": "Hall"}}},
        ),
        (
            {"product": {"id": "77", "title": "Shoes", "price": "9.90", "currency": "EUR"}},
            "Shoes\n9.90 EUR",
            {"product": {"id": "77", "title": "Shoes", "price": "9.90", "currency": "EUR"}},
        ),
        (
            {"order": {"product_items": [{"product_retailer_id": "sku", "quantity": 2}], "text": "Quick"}},
            "2 × sku\nQuick",
            {"order": {"product_items": [{"product_retailer_id": "sku", "quantity": 2}], "text": "Quick"}},
        ),
        (
            {"interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "One", "description": "first"}}},
            "One",
            {"interactive": {"type": "list_reply", "id": "1", "title": "One", "description": "first"}},
        ),
        (
            {"interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": '{"slot": ["10h", "11h"]}'}}},
            "slot: 10h, 11h",
            {"interactive": {"type": "nfm_reply", "response": {"slot": ["10h", "11h"]}}},
        ),
        ({"text": "look", "forwarded": True}, "look", {"forwarded": True}),
    ],
)
def test_what_is_no_text_has_words_and_details(message: dict[str, Any], content: str, details: dict[str, Any]) -> None:
    event = event_of(message)
    assert (event.content, event.extra) == (content, {**details, "message": message})


@pytest.mark.parametrize("kind", ["e2e_notification", "call_log", "album", "ciphertext"])
def test_a_notice_is_no_message_and_leaves_its_id_to_one(kind: str) -> None:
    event = event_of({"type": kind, "text": ""}, message_id="M1")
    assert (event.kind, event.dedupe_kind, event.extra["notice"]) == ("unknown", "notice", kind)


def test_a_file_is_kept_by_reference() -> None:
    media = event_of(
        {
            "document": {
                "id": 77,
                "link": "https://a.example/x",
                "filename": "x.pdf",
                "mime_type": "application/pdf",
                "size": 5,
            }
        }
    ).media
    assert media is not None
    assert msgspec.to_builtins(media) == {
        "mimetype": "application/pdf",
        "filename": "x.pdf",
        "url": "https://a.example/x",
        "provider_id": "77",
        "size": 5,
    }


def test_a_reaction_is_an_event_of_its_own() -> None:
    event = event_of({"reaction": {"message_id": "wamid.1", "emoji": "👍"}}, message_id="wamid.2", timestamp=1757500200)
    assert (event.kind, event.message_id, event.provider_id, event.content) == (
        "message.reaction",
        "wamid.1",
        "wamid.2",
        "👍",
    )
    assert event.variant == "👍2025-09-10T10:30:00+00:00"


@pytest.mark.parametrize(
    "fields", [{"reply_to_message_id": "wamid.1"}, {"message": {"text": "x", "context": {"id": "wamid.1"}}}]
)
def test_a_quoted_message_is_named(fields: dict[str, Any]) -> None:
    assert parse_engine({"from": "+1234567890", "message": "x", **fields}).event.reply_to == "wamid.1"


@pytest.mark.parametrize(
    "moment",
    [
        "2025-09-10T10:30:00Z",
        "2025-09-10T12:30:00+02:00",
        "2025-09-10T07:30:00.000-0300",
        "2025-09-10 10:30:00",
        1757500200,
        1757500200.0,
        1757500200000,
        "1757500200",
        "1757500200000",
    ],
)
def test_a_moment_may_be_iso_8601_or_unix_seconds_or_milliseconds(moment: object) -> None:
    assert event_of("x", timestamp=moment).timestamp == datetime(2025, 9, 10, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday",
        "",
        "2025-13-01T00:00:00Z",
        -1,
        0,
        10**400,
        1e300,
        True,
        [],
        {},
        "9" * 50,
        "nan",
        "inf",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_a_moment_that_is_none_is_named(moment: object) -> None:
    assert fields_of({"from": "+1", "message": "x", "timestamp": moment}, UnprocessableError) == ["timestamp"]


def test_all_that_is_wrong_is_named_at_once() -> None:
    assert fields_of({"to": 5, "timestamp": "soon", "tenant_id": [], "contact_name": 1, "message_id": {}}) == [
        "from",
        "message",
        "to",
        "tenant_id",
        "message_id",
        "contact_name",
        "timestamp",
    ]


@pytest.mark.parametrize("message", [None, 5, True, [], {}, ["x"]])
def test_a_message_that_is_none_is_named(message: object) -> None:
    assert fields_of({"from": "+1234567890", "message": message}) == ["message"]


def test_a_text_of_the_wrong_type_is_named() -> None:
    assert fields_of({"from": "+1234567890", "message": {"text": 5}}) == ["message.text"]


@pytest.mark.parametrize("sender", [None, 5, {}])
def test_a_sender_that_is_none_is_named(sender: object) -> None:
    assert fields_of({"from": sender, "message": "x"}) == ["from"]


def test_values_that_cannot_be_used_are_named_as_unprocessable() -> None:
    assert fields_of({"from": " ", "message": "x", "to": "shop"}, UnprocessableError) == ["from", "to"]


@pytest.mark.parametrize("document", [[], None, "x", 5, [{"from": "+1", "message": "x"}]])
def test_a_body_that_is_no_object_is_refused(document: object) -> None:
    assert fields_of(document) == [""]


def test_a_very_long_id_is_cut_but_stays_its_own() -> None:
    first, second = event_of("x", message_id="a" * 9000), event_of("x", message_id="a" * 9001)
    assert len(first.provider_id) < 256
    assert first.provider_id != second.provider_id


VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["text", "image", "reaction"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "type", "image", "reaction", "context", "id", "body", "url", "size", "emoji"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@examples(4)
@given(st.dictionaries(st.sampled_from([*SPEC, "reply_to_message_id"]), VALUE) | VALUE, VALUE)
def test_arbitrary_json_is_parsed_or_refused_with_named_fields(document: Any, message: Any) -> None:
    if isinstance(document, dict) and "from" in document:
        document |= {"from": "+1234567890", "message": message}
    named: tuple[FieldError, ...] = ()
    event = None
    try:
        event = parse_engine(document).event
    except RequestError as error:
        named = error.errors
    assert named or (event is not None and isinstance(event.content, str))
