"""Every sample of WAHA's webhooks parses to what its name says (the samples lie beside the repository)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.waha_site import account, posted
from wagate.events import NewEvent
from wagate_waha.parse import parse

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples" / "waha"
NO_WEBHOOKS = {"hmac_vector", "webhook_headers"}
OWN = "true_11111111111@c.us_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
PERSON = "11111111111@c.us"
CALL: dict[str, Any] = {"chat": "22222222222@c.us", "type": "call", "provider_id": "A" * 32}

EXPECTED: dict[str, dict[str, Any]] = {
    "call.accepted": CALL | {"kind": "call.accepted"},
    "call.received": CALL | {"kind": "call.received"},
    "call.received-2": CALL | {"kind": "call.received"},
    "captured-2024.session.status": {"kind": "session.status", "status": "qr_generated", "timestamp": None},
    "captured-2026.2.1-gows.message": {
        "kind": "message",
        "chat": "19990000000@c.us",
        "recipient": "15550000001@c.us",
        "provider_id": "false_19990000000@c.us_IN00000000000001",
        "content": "m0",
    },
    "chat.archive": {"kind": "unknown", "chat": "123123123@c.us"},
    "engine.event": {"kind": "unknown", "chat": ""},
    "event.response": {"kind": "unknown", "chat": "11111111111111111@c.us"},
    "event.response.failed": {"kind": "unknown", "chat": "11111111111111111@c.us"},
    "group.v2.join": {"kind": "group.v2.join", "chat": "1231231232@g.us"},
    "group.v2.participants": {"kind": "group.v2.participants", "chat": "123456789@g.us"},
    "group.v2.update": {"kind": "group.v2.update", "chat": "1231231232@g.us"},
    "label.chat.added": {"kind": "unknown", "chat": PERSON},
    "label.deleted": {"kind": "unknown", "chat": ""},
    "label.upsert": {"kind": "unknown", "chat": ""},
    "message": {"kind": "message.any", "type": "image", "chat": PERSON, "provider_id": OWN},
    "message-3": {"kind": "message", "chat": "123123@newsletter", "content": "How are you all?! ❤️"},
    "message-4": {"kind": "message", "type": "video", "provider_id": ""},
    "message-5": {"kind": "message.any", "type": "text", "chat": PERSON, "provider_id": OWN},
    "message-7": {"kind": "message.any", "type": "text", "chat": PERSON, "provider_id": OWN},
    "message-8": {"kind": "message.any", "type": "image", "chat": PERSON, "provider_id": OWN},
    "message-11": {"kind": "message", "type": "document", "provider_id": ""},
    "message.ack": {"kind": "message.ack", "chat": PERSON, "variant": "3"},
    "message.edited": {"kind": "message.edited", "chat": "1231243123@c.us", "content": "New body"},
    "message.reaction": {
        "kind": "message.reaction",
        "chat": "79111111@c.us",
        "content": "🙏",
        "message_id": "true_79111111@c.us_11111111111111111111111111111111",
    },
    "message.revoked": {"kind": "message.revoked", "chat": "1231243123@c.us"},
    "message.waiting": {"kind": "unknown", "chat": PERSON, "message_id": OWN},
    "poll.vote": {"kind": "unknown", "chat": "1111111111@c.us"},
    "poll.vote.failed": {"kind": "unknown", "chat": PERSON},
    "presence.update": {"kind": "presence.update", "chat": "111111111111111111@g.us"},
    "session.status": {"kind": "session.status", "status": "session_connected"},
    "session.status-2": {"kind": "session.status", "status": "connecting"},
    "session.status-3": {"kind": "session.status", "status": "connecting"},
    "session.status-4": {"kind": "session.status", "status": "session_connected"},
    "session.status-5": {"kind": "session.status", "status": "session_connected"},
    "session.status-7": {"kind": "session.status", "status": "connecting"},
}


def sample(name: str) -> NewEvent:
    path = SAMPLES / f"{name}.json"
    if not path.is_file():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    document = msgspec.json.decode(path.read_bytes())
    # The capture of 2024 stands in its receiver's own wrapper.
    [event] = parse(posted(document.get("body", document)), account())
    return event


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_parses_to_what_its_name_says(name: str) -> None:
    event = sample(name)
    found = {field: getattr(event, field, None) for field in EXPECTED[name]}
    if "status" in found:
        found["status"] = event.session.status if event.session else None
    assert found == EXPECTED[name]
    assert event.number == "default"


def test_every_sample_is_expected_here() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(EXPECTED) | NO_WEBHOOKS
