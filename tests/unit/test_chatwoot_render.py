"""How each event reads in Chatwoot. Nothing that comes in breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.events import EVENT_KINDS, Media
from wagate.parsing.numbers import number_forms
from wagate.testing import make_event
from wagate_chatwoot.agents.texts import load_texts
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.to_chatwoot.incoming import KINDS
from wagate_chatwoot.to_chatwoot.people import chat_of, source_id, who_of
from wagate_chatwoot.to_chatwoot.render import Rendered, render, source_of

SAY = load_texts("en")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EXTRA = st.dictionaries(
    st.sampled_from(["location", "contacts", "vcards", "poll", "order", "referral", "call", "reaction", "aliases"]),
    JSON,
)


def shown(own: Any = "outgoing", **fields: Any) -> Rendered:
    found = render(make_event(**fields), SAY, own=own)
    assert found is not None
    return found


def content(**fields: Any) -> str:
    return shown(**fields).post.content


@given(
    kind=st.sampled_from(sorted(KINDS - {"message.ack"})),
    of=st.sampled_from(["text", "location", "contacts", "poll", "order", "interactive", "unknown", "image", "system"]),
    text=st.text(max_size=20),
    extra=EXTRA,
    from_me=st.booleans(),
)
def test_every_event_says_something(kind: str, of: str, text: str, extra: dict[str, Any], from_me: bool) -> None:
    event = make_event(kind=kind, type=of, content=text, extra=extra, from_me=from_me)
    found = render(event, SAY, own="outgoing")
    assert found is not None
    assert found.post.content.strip()
    assert found.post.source_id
    assert who_of(event, SAY).name


def test_a_place_has_a_link_to_a_map() -> None:
    place = {"latitude": -23.5, "longitude": -46.6, "name": "Office", "address": "Rua A"}
    text = content(type="location", content="Office", extra={"location": place})
    assert text == "📍 Office\nRua A\nhttps://www.google.com/maps/search/?api=1&query=-23.5,-46.6"


def test_cards_show_names_and_numbers_from_either_form() -> None:
    card = {"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+1 555", "wa_id": "1555"}]}
    vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Bob\nTEL:+1 555\nEND:VCARD"
    for extra in ({"contacts": [card]}, {"vcards": [vcard]}):
        assert content(type="contacts", content="Bob", extra=extra) == "👤 Bob\n+1 555"


def test_an_order_is_added_up() -> None:
    items = [
        {"product_retailer_id": "sku-1", "quantity": 2, "item_price": 1.5, "currency": "USD"},
        {"product_retailer_id": "sku-2", "quantity": "1", "item_price": "4", "currency": "USD"},
    ]
    text = content(type="order", content="x", extra={"order": {"product_items": items, "text": "asap"}})
    assert text == "🛒 Order: 3 items\n- 2 × sku-1 1.50 USD\n- 1 × sku-2 4.00 USD\n= 7.00 USD\n\nasap"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"type": "poll_vote", "content": "Mon"}, "🗳 Voted: Mon"),
        ({"type": "poll_vote", "content": ""}, "🗳 Removed their vote"),
        (
            {"type": "poll_vote", "content": "", "extra": {"vote": {"failed": True}}},
            "🗳 Voted. Open the poll on the phone to see the choice.",
        ),
        ({"type": "event", "content": "Fair"}, "📅 Fair"),
        ({"type": "event", "content": "Fair", "extra": {"calendar_event": {"canceled": True}}}, "📅 ❌ Fair"),
        (
            {"type": "text", "content": "This one?", "extra": {"referredProduct": {"product_retailer_id": "sku_1"}}},
            "🛍 sku\\_1\nThis one?",
        ),
        (
            {"type": "location", "content": "Here I am", "extra": {"location": {"live": True}}},
            "📍 Live location\nHere I am",
        ),
        (
            {"type": "location", "content": "The blue door", "extra": {"location": {"name": "Office"}}},
            "📍 Office\nThe blue door",
        ),
        (
            {"type": "order", "content": "", "extra": {"order": {"product_items": [{"name": "Shoes"}]}}},
            "🛒 Order: 1 items\n- 1 × Shoes 0.00\n= 0.00",
        ),
        ({"type": "event_response", "content": "Going"}, "📅 Going"),
        ({"type": "product", "content": "Shoes\n9.90 BRL"}, "🛍 Shoes\n9.90 BRL"),
        ({"type": "invite", "content": "Garden"}, "✉️ Garden"),
        ({"type": "payment", "content": "5.00 INR"}, "💸 5.00 INR"),
        ({"type": "order", "content": "2 × Shop", "extra": {"order": {"title": "Shop", "text": "x"}}}, "2 × Shop"),
        (
            {
                "type": "interactive",
                "content": "One",
                "extra": {"interactive": {"type": "list_reply", "description": "first"}},
            },
            "One\nfirst",
        ),
        (
            {"type": "image", "content": "", "extra": {"view_once": True}},
            "👁 View once: open it on the phone.",
        ),
        ({"type": "image", "content": "", "media": Media(), "extra": {"forwarded": True}}, "↪ Forwarded:"),
    ],
)
def test_what_is_no_text_reads_as_what_it_is(fields: dict[str, Any], text: str) -> None:
    assert content(**fields) == text


def test_a_card_shows_its_organisation() -> None:
    card = {
        "name": {"formatted_name": "Eva"},
        "org": {"company": "Shop", "title": "Owner"},
        "phones": [{"phone": "+1"}],
    }
    assert content(type="contacts", content="", extra={"contacts": [card]}) == "👤 Eva\nOwner, Shop\n+1"


def test_a_poll_lists_what_can_be_chosen() -> None:
    extra = {"poll": {"name": "When?", "options": ["Mon", {"name": "Tue"}]}}
    assert content(type="poll", content="", extra=extra) == "📊 When?\n- Mon\n- Tue"


def test_an_ad_comes_before_what_was_written() -> None:
    ad = {"headline": "Sale", "body": "50% off", "source_url": "https://x.y"}
    post = shown(content="hi", extra={"referral": ad}).post
    assert post.content == "📣 From an ad: Sale\n50% off\nhttps://x.y\n\nhi"
    assert post.content_attributes["referral"] == ad


def test_what_is_not_supported_says_so() -> None:
    post = shown(type="unknown", content="").post
    assert "unknown" in post.content
    assert post.content_attributes == {"is_unsupported": True}


def test_the_providers_words_about_what_it_cannot_show_do_not_stand_alone() -> None:
    post = shown(type="unknown", content="Message type is currently not supported.").post
    first, second = post.content.split("\n")
    assert "can't be shown here" in first
    assert second == "Message type is currently not supported."
    assert "is_unsupported" not in post.content_attributes, "Chatwoot would show its own words in place of these"


def test_whatsapps_own_words_are_a_note() -> None:
    post = shown(type="system", content="Ana changed her number").post
    assert (post.private, post.message_type, post.content) == (True, "outgoing", "Ana changed her number")


def test_a_voice_note_is_marked_and_needs_no_words() -> None:
    found = shown(type="voice", content="", media=Media(mimetype="audio/ogg"))
    assert (found.file, found.post.is_voice_message, found.post.content) == (True, True, "")


@pytest.mark.parametrize(("call", "text"), [({}, "📞 Voice call"), ({"isVideo": True}, "🎥 Video call")])
def test_a_call_rings(call: dict[str, Any], text: str) -> None:
    told = {"kind": "call.received", "type": "call", "content": "", "extra": {"call": call}}
    assert content(**told) == text
    found = shown(**told)
    assert (found.notice, found.post.private, found.post.message_type) == (True, True, "outgoing")


def test_an_id_of_the_provider_is_the_source_only_of_the_message_itself() -> None:
    event = make_event(kind="message.reaction")
    assert source_of(make_event()) == "wamid.1"
    assert source_of(event) == f"wagate:{event.id}"
    assert make_event().kind in EVENT_KINDS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "551187654321"),
        ("5491123456789", "541123456789"),
        ("5215512345678", "525512345678"),
    ],
)
def test_numbers_are_known_in_both_forms(one: str, other: str) -> None:
    assert set(number_forms(one)) == set(number_forms(other)) == {one, other}


@pytest.mark.parametrize("digits", ["15550001111", "551133334444", "4915112345678"])
def test_other_numbers_have_one_form(digits: str) -> None:
    assert number_forms(digits) == (digits,)


@pytest.mark.parametrize(
    ("accounts", "source"), [(("main",), "1@c.us"), ((), "main/1@c.us"), (("main", "b"), "main/1@c.us")]
)
def test_a_source_id_leads_back_to_its_chat(accounts: tuple[str, ...], source: str) -> None:
    inbox = Inbox(url="https://x.y", account_id=1, token="t", inbox_id=1, accounts=accounts)
    assert source_id(inbox, "main", "1@c.us") == source
    assert chat_of(inbox, source) == ("main", "1@c.us")
    assert chat_of(inbox, "0b2f6a1e-aaaa-bbbb-cccc-123456789012") is None
    assert chat_of(inbox, "elsewhere/1@c.us") == (None if accounts else ("elsewhere", "1@c.us"))
