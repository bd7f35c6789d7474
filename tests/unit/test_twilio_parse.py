"""Twilio's webhooks as events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twilio_accounts import OUR_ID, OURS, THEM, URL, account, event, events, request
from wagate.errors import BadRequestError
from wagate.parsing.chats import chat_key
from wagate.testing.providers.twilio import FakeTwilio
from wagate_twilio.inbound import message_events
from wagate_twilio.webhook import parse

MESSAGE = {"To": "whatsapp:+5511999990000", "Sid": "SM1"}


def test_a_text_is_from_a_person_to_our_number() -> None:
    found = event()
    assert (found.kind, found.type, found.content, found.contact_name) == ("message", "text", "Hi", "Ana")
    assert (found.chat, found.sender, found.recipient, found.number) == (THEM, THEM, f"{OURS}@c.us", OURS)
    assert found.provider_id == found.message_id
    assert found.provider_id.startswith("SM")
    assert (found.timestamp, found.aliases, found.extra, found.media) == (None, (), {}, None)


def test_an_older_body_lacks_much_and_is_read_all_the_same() -> None:
    whole = FakeTwilio().receive("Hi", (b"", "image/jpeg"))
    old = {name: text for name, text in whole.items() if name not in {"ProfileName", "WaId", "MessageType"}}
    [found] = events(old)
    assert (found.type, found.content, found.contact_name, found.chat) == ("image", "Hi", None, THEM)


@pytest.mark.parametrize(
    ("mimetype", "stated", "type_"),
    [
        ("image/jpeg", "image", "image"),
        ("image/webp", "image", "sticker"),
        ("image/webp", "sticker", "sticker"),
        ("audio/ogg", "audio", "voice"),
        ("audio/ogg; codecs=opus", "", "voice"),
        ("audio/mpeg", "audio", "audio"),
        ("video/mp4", "video", "video"),
        ("application/pdf", "document", "document"),
        ("application/pdf", "", "document"),
        ("text/vcard", "contacts", "contacts"),
        ("text/vcard", "", "contacts"),
        ("", "image", "image"),
        ("image/png", "document", "document"),
        ("image/png", "application", "image"),
    ],
)
def test_a_file_is_of_the_type_that_twilio_or_its_mime_type_says(mimetype: str, stated: str, type_: str) -> None:
    found = event(mimetype, MessageType=stated)
    assert found.type == type_
    assert found.media is not None
    assert found.media.mimetype == mimetype
    message, _, file = (found.media.provider_id or "").partition("/")
    assert (found.media.url or "").endswith(f"/Messages/{message}/Media/{file}")
    assert message == found.message_id


def test_each_further_file_is_an_event_of_its_own() -> None:
    fake = FakeTwilio()
    first, second, third = events(fake.receive("Three", (b"", "image/png"), (b"", "audio/ogg"), (b"", "text/csv")))
    assert [each.type for each in (first, second, third)] == ["image", "voice", "document"]
    assert [each.content for each in (first, second, third)] == ["Three", "", ""]
    assert (second.provider_id, third.message_id) == (f"{first.provider_id}#1", f"{first.provider_id}#2")
    assert len({each.media.url for each in (first, second, third) if each.media}) == 3


@pytest.mark.parametrize("count", ["0", "1", "", "x", "2", "999999999", "-1"])
def test_a_file_that_is_there_counts_whatever_their_number_is_said_to_be(count: str) -> None:
    form = FakeTwilio().receive("Hi", (b"", "image/png"))
    [found] = events({**form, "NumMedia": count})
    assert found.media is not None


@pytest.mark.parametrize(
    ("form", "type_", "content", "extra"),
    [
        (
            {"MessageType": "location", "Latitude": "1.5", "Longitude": "-2", "Label": "Shop", "Address": "Main 1"},
            "location",
            "",
            {"location": {"latitude": 1.5, "longitude": -2.0, "name": "Shop", "address": "Main 1"}},
        ),
        (
            {"MessageType": "", "Latitude": "1", "Longitude": "2"},
            "location",
            "",
            {"location": {"latitude": 1.0, "longitude": 2.0}},
        ),
        ({"MessageType": "location", "Latitude": "x", "Longitude": "nan"}, "location", "", {"location": {}}),
        (
            {"MessageType": "button", "ButtonText": "Yes", "ButtonPayload": "y"},
            "interactive",
            "Yes",
            {"interactive": {"type": "button", "id": "y", "title": "Yes"}},
        ),
        (
            {"MessageType": "interactive", "ListId": "1", "ListTitle": "One"},
            "interactive",
            "One",
            {"interactive": {"type": "list_reply", "id": "1", "title": "One"}},
        ),
        ({"MessageType": "hologram"}, "unknown", "", {"type": "hologram"}),
        ({"Forwarded": "true"}, "text", "", {"forwarded": True}),
        ({"FrequentlyForwarded": "True"}, "text", "", {"forwarded": True}),
        (
            {"ReferralSourceId": "ad1", "ReferralCtwaClid": "click", "ReferralBody": "", "ReferralNumMedia": "0"},
            "text",
            "",
            {"referral": {"source_id": "ad1", "ctwa_clid": "click"}},
        ),
    ],
)
def test_what_a_message_holds_beside_its_text_is_in_the_common_form(
    form: dict[str, str], type_: str, content: str, extra: dict[str, Any]
) -> None:
    found = event(body="", **form)
    assert (found.type, found.content, found.extra) == (type_, content, extra)


def test_a_quote_names_its_message() -> None:
    assert event(OriginalRepliedMessageSid="SM7").reply_to == "SM7"


@pytest.mark.parametrize(
    ("form", "chat", "aliases"),
    [
        ({"ExternalUserId": "BR.1"}, THEM, ("BR.1@user",)),
        ({"From": "whatsapp:BR.1", "WaId": "", "ExternalUserId": "BR.1"}, "BR.1@user", ()),
        ({"From": "", "WaId": "", "ExternalUserId": "BR.1"}, "BR.1@user", ()),
        ({"From": "whatsapp:+5215512345678", "WaId": "525512345678"}, "5215512345678@c.us", ("525512345678@c.us",)),
        ({"From": "", "WaId": ""}, "", ()),
    ],
)
def test_a_person_is_known_by_phone_or_by_business_scoped_id(
    form: dict[str, str], chat: str, aliases: tuple[str, ...]
) -> None:
    found = event(**form)
    assert (found.chat, found.sender, found.aliases) == (chat, chat, aliases)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("accepted", "pending"),
        ("queued", "pending"),
        ("sending", "pending"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_a_status_callback_tells_how_far_a_message_got(status: str, word: str) -> None:
    [found] = events(FakeTwilio().status(MESSAGE, status), url=f"{URL}?wagate_id={OUR_ID}")
    assert (found.kind, found.extra["status"], found.variant) == ("message.ack", word, status)
    assert (found.message_id, found.reference, found.from_me) == ("SM1", OUR_ID, True)
    assert (found.chat, found.number) == (THEM, OURS)


def test_a_status_that_is_not_known_is_kept() -> None:
    [found] = events(FakeTwilio().status(MESSAGE, "pondered"))
    assert (found.kind, found.extra, found.reference) == ("unknown", {"status": "pondered"}, "")


@pytest.mark.parametrize(
    ("form", "code", "reason"),
    [
        (
            {"ErrorCode": "63016", "ErrorMessage": "Too late"},
            "63016",
            "63016: Too late (outside the 24 h window: send a template)",
        ),
        ({"ErrorCode": "63024"}, "63024", "63024: the recipient is not on WhatsApp, or can't receive this"),
        ({"ErrorCode": "63024", "ChannelStatusMessage": "No"}, "63024", "63024: No"),
        ({}, "", "Twilio says failed"),
    ],
)
def test_a_failure_says_why(form: dict[str, str], code: str, reason: str) -> None:
    [found] = events({**FakeTwilio().status(MESSAGE, "failed"), **form})
    window = {"window": True} if code == "63016" else {}
    assert found.extra["error"] == {"code": code, "reason": reason} | window


def test_what_is_neither_message_nor_status_is_kept_whole() -> None:
    form = {"EventType": "CREATED", "AccountSid": "AC1"}
    [found] = events(form)
    assert (found.kind, found.extra) == ("unknown", {"event": "CREATED", "data": form})
    body = b'{"EventType": "X", "From": 3}'
    [found] = parse(request(body, {"Content-Type": "application/json; charset=utf-8"}), account())
    assert (found.kind, found.extra["event"], found.extra["data"]) == ("unknown", "X", {"EventType": "X", "From": 3})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"[1]", {"content-type": "application/json"}),
        (b"{", {"content-type": "application/json"}),
    ],
)
def test_a_body_that_can_not_be_read_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(BadRequestError):
        parse(request(body, headers), account())


def test_a_time_that_the_api_tells_is_the_events_time() -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    assert [each.timestamp for each in message_events(FakeTwilio().receive("Hi"), at)] == [at]


NAMES = [
    "MessageSid", "From", "To", "Body", "NumMedia", "MediaUrl0", "MediaUrl1", "MediaContentType0", "MessageType",
    "MessageStatus", "SmsStatus", "Latitude", "Longitude", "ErrorCode", "WaId", "ListId", "ReferralBody",
]  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=8), st.sampled_from(["received", "failed", "text", "location", "2", "nan", "1e999", "text/vcard"])
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=10), st.text(max_size=5))
def test_any_form_is_events_or_a_bad_request(form: dict[str, str], reference: str) -> None:
    url = f"{URL}?{urlencode({'wagate_id': reference})}"
    try:
        found = parse(request(urlencode(form).encode(), url=url), account())
    except BadRequestError:
        return
    assert found
    for each in found:
        assert each.chat == chat_key(each.chat)
        assert len(each.provider_id) <= 258
        json.dumps(each.extra, allow_nan=False)


@given(st.binary(max_size=60), st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_any_bytes_are_events_or_a_bad_request(body: bytes, content_type: str) -> None:
    try:
        parse(request(body, {"content-type": content_type}), account())
    except BadRequestError:
        return


def test_parameters_that_twilio_added_since_are_kept() -> None:
    assert event(NewThing="x", MediaUrl0="").extra == {"parameters": {"NewThing": "x"}}


@pytest.mark.parametrize("name", ["FlowData", "InteractiveData"])
def test_a_flows_answers_are_told_in_full(name: str) -> None:
    answers = {"slot": ["10h", "11h"], "address": {"city": "SP"}}
    form = {name: json.dumps(answers), "MessageType": "interactive", "Body": ""}
    found = event(**form)
    assert (found.type, found.content) == ("interactive", "slot: 10h, 11h\naddress.city: SP")
    assert found.extra["interactive"] == {"type": "nfm_reply", "response": answers}
