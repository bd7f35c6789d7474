"""Meta's forms, permissions, unknown types, statuses and preferences: nothing of them is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.meta import OURS, THEM, events, one, webhook

PHONE = THEM.partition("@")[0]
BSUID = "US.900000000000001"


def test_a_forms_lists_and_objects_are_told_in_full() -> None:
    answers = {"flow_token": "t", "slot": ["10h", "11h"], "address": {"city": "SP"}, "agree": True}
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}
    event = one({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}})
    assert event.content == "slot: 10h, 11h\naddress.city: SP\nagree: true"
    assert event.extra["interactive"]["response"] == answers


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ({"response": "accept", "is_permanent": False, "expiration_timestamp": "1750000000"}, "accept"),
        ({"response": "accept", "is_permanent": True}, "accept, permanent"),
        ({"response": "reject", "response_source": "user_action"}, "reject"),
    ],
)
def test_a_call_permission_keeps_its_answer(reply: dict[str, Any], text: str) -> None:
    found = {"type": "call_permission_reply", "call_permission_reply": reply}
    event = one({"type": "interactive", "interactive": found})
    assert (event.type, event.content) == ("interactive", text)
    assert event.extra["interactive"] == {"type": "call_permission_reply", **reply}


def test_a_type_that_meta_invents_keeps_its_fields() -> None:
    event = one({"type": "hologram", "hologram": {"body": "Hi", "depth": 3}})
    assert (event.kind, event.type, event.content) == ("message", "unknown", "Hi")
    assert event.extra == {"type": "hologram", "data": {"body": "Hi", "depth": 3}}


def test_that_somebody_opened_the_chat_is_no_message() -> None:
    event = one({"type": "request_welcome"})
    assert (event.kind, event.dedupe_kind, event.extra["type"]) == ("unknown", "notice", "request_welcome")


def test_a_status_keeps_what_we_gave_along_and_whom_it_is_about() -> None:
    status = {
        "id": "wamid.1",
        "status": "delivered",
        "timestamp": "1750000000",
        "recipient_user_id": BSUID,
        "recipient_parent_user_id": "US.ENT.9",
        "biz_opaque_callback_data": "order 204",
    }
    [event] = events(webhook({"statuses": [status]}))
    assert (event.kind, event.chat, event.reference) == ("message.ack", f"{BSUID}@user", "order 204")
    assert event.extra["biz_opaque_callback_data"] == "order 204"
    assert event.extra["recipient_user_id"] == BSUID
    assert event.extra["recipient_parent_user_id"] == "US.ENT.9"


def test_a_preference_has_its_chat_its_time_and_no_duplicates() -> None:
    preference = {
        "wa_id": PHONE,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": 1750000000,
    }
    [event] = events(webhook({"user_preferences": [preference]}, field="user_preferences"))
    assert (event.kind, event.type, event.chat, event.recipient) == (
        "unknown",
        "user_preferences",
        THEM,
        f"{OURS}@c.us",
    )
    assert event.timestamp == datetime.fromtimestamp(1750000000, UTC)
    assert event.extra["preference"] == preference
    [again] = events(webhook({"user_preferences": [preference]}, field="user_preferences"))
    assert (again.provider_id, again.variant) == (event.provider_id, event.variant)
    assert event.provider_id
    [resumed] = events(webhook({"user_preferences": [preference | {"value": "resume"}]}, field="user_preferences"))
    assert resumed.variant != event.variant
