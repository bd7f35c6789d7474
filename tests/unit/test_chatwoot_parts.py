"""What a message of Chatwoot becomes on WhatsApp."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chatwoot_agents import CHAT, attachment, body_of, inbox, message
from wagate.hooks import MESSAGE_TYPES, OutLocation
from wagate_chatwoot.to_whatsapp.actions import Send
from wagate_chatwoot.to_whatsapp.decode import decode
from wagate_chatwoot.to_whatsapp.pieces import MOST_CAPTION, parts_of, template_of


def written(**changes: Any) -> Send:
    send = decode(body_of(message(**changes)), inbox())
    assert isinstance(send, Send)
    return send


@pytest.mark.parametrize(
    ("name", "content_type", "file_type", "becomes"),
    [
        ("a.jpg", "image/jpeg", "image", "image"),
        ("a.png", "image/png; charset=binary", "image", "image"),
        ("a.webp", "image/webp", "image", "document"),
        ("a.gif", "image/gif", "image", "document"),
        ("a.mp4", "video/mp4", "video", "video"),
        ("a.mov", "video/quicktime", "video", "document"),
        ("a.ogg", "audio/ogg", "audio", "voice"),
        ("a.mp3", "audio/mpeg", "audio", "audio"),
        ("a.wav", "", "audio", "audio"),
        ("a.pdf", "application/pdf", "file", "document"),
        ("a.JPG", "", "image", "image"),
        ("a.ogg", "application/octet-stream", "file", "voice"),
        ("a", "", "", "document"),
    ],
)
def test_each_file_goes_as_what_whatsapp_shows_it_best_as(
    name: str, content_type: str, file_type: str, becomes: str
) -> None:
    [part] = parts_of(written(content=None, attachments=[attachment(name, content_type, file_type)]), CHAT)
    assert part.type == becomes
    assert part.media is not None
    assert part.media.filename == name


def test_what_was_recorded_in_chatwoot_is_a_voice_note() -> None:
    recorded = attachment("a.mp3", "audio/mpeg", "audio", meta={"is_recorded_audio": True})
    assert [each.type for each in parts_of(written(content=None, attachments=[recorded]), CHAT)] == ["voice"]


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("6f1de4b0-8b5e-4c2f-9a57-0c6f3f3f8a11.mp3", "voice"),
        ("recording.mp3", "voice"),
        ("voice-message-2026-11-29.mp3", "voice"),
        ("Audio 12.wav", "voice"),
        ("audiobook.mp3", "audio"),
        ("6f1de4b0.mp3", "audio"),
    ],
)
def test_an_api_inboxs_recording_is_known_by_its_name(name: str, becomes: str) -> None:
    file = attachment(name, "audio/mpeg", "audio")
    assert [each.type for each in parts_of(written(content=None, attachments=[file]), CHAT)] == [becomes]


def test_every_sound_is_a_voice_message_if_the_inbox_wants_so() -> None:
    song, paper = attachment("song.mp3", "audio/mpeg", "audio"), attachment("a.pdf", "application/pdf")
    send = written(content=None, attachments=[song, paper])
    assert [each.type for each in parts_of(send, CHAT, all_voice=True)] == ["voice", "document"]


def test_sound_has_no_caption() -> None:
    voice = attachment("a.ogg", "audio/ogg", "audio")
    assert [(each.type, each.text) for each in parts_of(written(attachments=[voice]), CHAT)] == [
        ("text", "Hello"),
        ("voice", ""),
    ]


@pytest.mark.parametrize(("length", "parts"), [(MOST_CAPTION, 1), (MOST_CAPTION + 1, 2)])
def test_a_text_too_long_for_a_caption_goes_by_itself(length: int, parts: int) -> None:
    picture = attachment("a.png", "image/png", "image")
    assert len(parts_of(written(content="x" * length, attachments=[picture]), CHAT)) == parts


def test_a_place_is_a_place() -> None:
    place = {"file_type": "location", "coordinates_lat": 41.4, "coordinates_long": 2.2, "fallback_title": "Here"}
    [part] = parts_of(written(content=None, attachments=[place]), CHAT)
    assert part.location == OutLocation(latitude=41.4, longitude=2.2, name="Here")


def test_a_file_without_an_address_is_left_out() -> None:
    assert parts_of(written(content=None, attachments=[{"file_type": "image"}, "?", None]), CHAT) == []


def test_what_a_bot_lets_people_choose_from_is_listed() -> None:
    items = {"items": [{"title": "Sales", "value": "s"}, {"title": "Help", "value": "h"}, {"value": "x"}]}
    [part] = parts_of(written(content="How?", content_type="input_select", content_attributes=items), CHAT)
    assert part.text == "How?\n- Sales\n- Help"


def test_only_the_first_part_quotes() -> None:
    files = [attachment("a.png", "image/png", "image"), attachment("b.png", "image/png", "image")]
    assert [each.reply_to for each in parts_of(written(attachments=files), CHAT, reply_to="wamid.Q")] == [
        "wamid.Q",
        "",
        "",
    ]


@given(st.text(max_size=300), st.integers(0, 15))
def test_every_part_can_be_submitted(content: str, files: int) -> None:
    send = written(content=content, attachments=[attachment("a.png", "image/png", "image")] * files)
    parts = parts_of(send, CHAT)
    assert sum(each.media is not None for each in parts) == files
    assert all(each.type in MESSAGE_TYPES for each in parts)
    assert all(each.text for each in parts if each.type == "text")


def test_a_template_with_every_component() -> None:
    params = {
        "name": "order",
        "language": "es",
        "category": "UTILITY",
        "processed_params": {
            "header": {"media_url": "https://shop.example/a.pdf", "media_type": "document", "media_name": "a.pdf"},
            "body": {"2": "b", "1": "a", "10": "c"},
            "buttons": [{"type": "url", "parameter": "77"}, None, {"type": "copy_code", "parameter": "SAVE"}],
        },
    }
    assert template_of(params) == {
        "name": "order",
        "language": {"code": "es"},
        "components": [
            {
                "type": "header",
                "parameters": [
                    {"type": "document", "document": {"link": "https://shop.example/a.pdf", "filename": "a.pdf"}}
                ],
            },
            {"type": "body", "parameters": [{"type": "text", "text": each} for each in "abc"]},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "77"}]},
            {
                "type": "button",
                "sub_type": "copy_code",
                "index": "2",
                "parameters": [{"type": "coupon_code", "coupon_code": "SAVE"}],
            },
        ],
    }


def test_older_servers_give_the_bodys_values_alone() -> None:
    params = {"name": "hi", "language": "en_US", "processed_params": {"1": "Ana", "2": "shop"}}
    assert template_of(params) == {
        "name": "hi",
        "language": {"code": "en_US"},
        "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "shop"}]}
        ],
    }


def test_named_values_keep_their_names() -> None:
    template = template_of({"name": "hi", "processed_params": {"body": {"first": "Ana"}, "header": {"shop": "Ours"}}})
    assert template is not None
    assert template["components"] == [
        {"type": "header", "parameters": [{"type": "text", "parameter_name": "shop", "text": "Ours"}]},
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "first", "text": "Ana"}]},
    ]


def test_a_template_without_values_or_without_a_name() -> None:
    assert template_of({"name": "hi"}) == {"name": "hi", "language": {"code": "en"}}
    assert template_of({"language": "en"}) is None
