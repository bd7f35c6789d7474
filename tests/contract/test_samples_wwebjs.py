"""Every sample of a session engine's webhook parses to what its name says (the samples lie beside the repository)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from wagate.events import NewEvent
from wagate.inbound.session.events import parse_session
from wagate.parsing.jsonbody import read_json

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples" / "wwebjs"
THEM, GROUP = "5511999990000@c.us", "120363041234567890@g.us"
IN, OWN = "false_5511999990000@c.us_3EB0E8E1B3B9BE46A1B2", "true_5511999990000@c.us_3EB0MINE0001"

EXPECTED: dict[str, dict[str, Any]] = {
    "adapted_flat_event_envelope": {"kind": "message", "content": "flat data variant", "provider_id": ""},
    "gen_auth_failure_status": {"kind": "session.status", "status": "auth_failure"},
    "gen_authenticated": {"kind": "session.status", "status": "connecting"},
    "gen_call": {"kind": "call.received", "chat": THEM, "provider_id": "B1C2D3"},
    "gen_change_state": {"kind": "session.status", "status": "session_connected"},
    "gen_disconnected": {"kind": "session.status", "status": "session_not_connected"},
    "gen_group_join": {"kind": "group.join", "chat": GROUP, "sender": THEM},
    "gen_media": {"kind": "unknown", "type": "image", "chat": THEM, "message_id": IN, "content": "a photo"},
    "gen_message_ack_device": {"kind": "message.ack", "chat": THEM, "provider_id": OWN, "variant": "2"},
    "gen_message_ack_read": {"kind": "message.ack", "chat": THEM, "provider_id": OWN, "variant": "3"},
    "gen_message_ack_server": {"kind": "message.ack", "chat": THEM, "provider_id": OWN, "variant": "1"},
    "gen_message_create_from_me": {"kind": "message.any", "chat": THEM, "provider_id": OWN, "from_me": True},
    "gen_message_document": {"kind": "message", "type": "document", "provider_id": IN, "content": "invoice.pdf"},
    "gen_message_edit": {"kind": "message.edited", "provider_id": IN, "content": "Hi there (edited)"},
    "gen_message_image": {"kind": "message", "type": "image", "provider_id": IN, "content": "a photo"},
    "gen_message_location": {"kind": "message", "type": "location", "provider_id": IN, "content": ""},
    "gen_message_reaction": {"kind": "message.reaction", "chat": THEM, "message_id": OWN, "content": "👍"},
    "gen_message_revoke_everyone": {"kind": "message.revoked", "chat": THEM, "message_id": IN},
    "gen_message_text": {
        "kind": "message",
        "type": "text",
        "chat": THEM,
        "content": "Hi there!",
        "contact_name": "Ana",
    },
    "gen_message_text_group": {"kind": "message", "chat": GROUP, "sender": THEM, "content": "Hi there!"},
    "gen_qr": {"kind": "session.status", "status": "qr_generated"},
    "gen_ready": {"kind": "session.status", "status": "session_connected"},
}


def sample(name: str) -> NewEvent:
    path = SAMPLES / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the payload samples are not on this machine: {path} is missing")
    [event] = parse_session(read_json(path.read_bytes()), account="main")
    return event


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_parses_to_what_its_name_says(name: str) -> None:
    event = sample(name)
    found = {field: getattr(event, field, None) for field in EXPECTED[name]}
    if "status" in found:
        found["status"] = event.session.status if event.session else None
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_no_file_in_base64_leaves_the_raw_body(name: str) -> None:
    assert b"iVBOR" not in msgspec.json.encode(sample(name))


def test_every_sample_is_expected_here() -> None:
    if not SAMPLES.is_dir():
        pytest.skip(f"the payload samples are not on this machine: {SAMPLES} is missing")
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(EXPECTED)


def test_a_file_with_its_message_tells_both() -> None:
    media = sample("gen_media").media
    assert media is not None
    assert (media.mimetype, media.filename, media.size, media.caption) == ("image/png", "image.png", 68, "a photo")
    assert sample("gen_media").extra["inline_file"] == "data.messageMedia"
