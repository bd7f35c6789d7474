"""WAHA's envelope, against envelopes that WAHA sends (https://waha.devlike.pro/docs/how-to/events/)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wagate.events import Media
from wagate.testing import NOW, make_event
from wagate_webhook.payload import Letter, encode

ID = "01997d4c-7d10-7c3b-8000-0123456789ab"


def envelope(**fields: Any) -> dict[str, Any]:
    letter = Letter(event=make_event(**fields), delivery_id=ID, created_at=NOW, filters=["*"], version="1.2.3")
    decoded: dict[str, Any] = json.loads(encode(letter, "waha"))
    return decoded


def test_a_message_is_in_wahas_envelope() -> None:
    assert envelope(metadata={"user.id": "123"}) == {
        "id": "evt_01997d4c7d107c3b80000123456789ab",
        "timestamp": 1757500200000,
        "event": "message",
        "session": "main",
        "metadata": {"user.id": "123"},
        "me": {"id": "5511888888888@c.us"},
        "payload": {
            "id": "false_5511999999999@c.us_wamid.1",
            "timestamp": 1757500200,
            "from": "5511999999999@c.us",
            "fromMe": False,
            "to": "5511888888888@c.us",
            "participant": None,
            "body": "Hello",
            "hasMedia": False,
            "media": None,
            "ack": None,
            "ackName": "UNKNOWN",
            "location": None,
            "vCards": None,
            "replyTo": None,
            "_data": {},
        },
        "environment": {"version": "1.2.3", "engine": "WAGATE", "tier": "CORE", "browser": None},
    }


def test_without_a_number_of_ours_there_is_no_me() -> None:
    assert "me" not in envelope(phone="")


def test_a_message_of_ours_is_from_us_to_the_chat() -> None:
    sent = envelope(kind="message.any", from_me=True, message_id="ABC", sender="5511888888888@c.us")
    assert sent["payload"]["id"] == "true_5511999999999@c.us_ABC"
    assert (sent["payload"]["from"], sent["payload"]["to"]) == ("5511888888888@c.us", "5511999999999@c.us")


def test_in_a_group_the_chat_is_the_group_and_the_participant_wrote() -> None:
    payload = envelope(chat="12036304@g.us", sender="5511777777777@c.us", message_id="ABC")["payload"]
    assert (payload["from"], payload["participant"]) == ("12036304@g.us", "5511777777777@c.us")
    assert payload["id"] == "false_12036304@g.us_ABC_5511777777777@c.us"


def test_an_id_in_the_engines_form_stays() -> None:
    given = "false_5511999999999@c.us_3EB0"
    assert envelope(message_id=given)["payload"]["id"] == given


def test_media_and_replies() -> None:
    media = Media(mimetype="application/pdf", url="https://cdn.example/f.pdf", filename="f.pdf")
    sent = {"source": "api", "id": "1", "metadata": {}}
    payload = envelope(type="document", media=media, reply_to="wamid.0", from_me=True, extra=sent)["payload"]
    assert payload["hasMedia"] is True
    assert payload["media"] == {"url": "https://cdn.example/f.pdf", "mimetype": "application/pdf", "filename": "f.pdf"}
    assert payload["replyTo"] == {"id": "wamid.0"}


def test_an_ack_names_message_and_step() -> None:
    payload = envelope(kind="message.ack", from_me=True, extra={"ack": 3, "ackName": "READ"})["payload"]
    assert (payload["ack"], payload["ackName"], payload["fromMe"]) == (3, "READ", True)
    assert "body" not in payload


def test_an_ack_of_a_group_names_who_has_the_message() -> None:
    extra = {"ack": 3, "participant": "5511777777777@c.us"}
    payload = envelope(kind="message.ack", from_me=True, chat="12036304@g.us", extra=extra)["payload"]
    assert (payload["to"], payload["participant"]) == ("12036304@g.us", "5511777777777@c.us")


def test_a_reaction_names_its_message() -> None:
    reaction = {"text": "🙏", "messageId": "true_1@c.us_A"}
    assert envelope(kind="message.reaction", extra={"reaction": reaction})["payload"]["reaction"] == reaction


def test_the_id_of_a_reaction_is_its_own() -> None:
    message = "true_1@c.us_A"
    made = {"text": "🙏", "messageId": message, "id": "false_1@c.us_R"}
    given = envelope(kind="message.reaction", message_id=message, extra={"reaction": made})["payload"]
    assert (given["id"], given["reaction"]) == ("false_1@c.us_R", {"text": "🙏", "messageId": message})
    unnamed = envelope(kind="message.reaction", message_id=message, extra={"reaction": {"messageId": message}})
    assert unnamed["payload"]["id"] not in {"", message}


def test_an_edit_has_the_new_text() -> None:
    payload = envelope(kind="message.edited", content="New body", extra={"editedMessageId": "A"})["payload"]
    assert (payload["editedMessageId"], payload["body"]) == ("A", "New body")


def test_a_revoked_message_is_named() -> None:
    payload = envelope(kind="message.revoked", content="", extra={"revokedMessageId": "A"})["payload"]
    assert (payload["revokedMessageId"], payload["before"]) == ("A", None)
    assert payload["after"]["id"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("session_connected", "WORKING"),
        ("qr_generated", "SCAN_QR_CODE"),
        ("loading", "STARTING"),
        ("session_not_connected", "STOPPED"),
        ("auth_failure", "FAILED"),
        (None, "UNKNOWN"),
    ],
)
def test_session_states_are_in_wahas_words(status: str | None, word: str) -> None:
    payload = envelope(kind="session.status", chat="", sender="", message_id="", extra={"status": status})["payload"]
    assert (payload["name"], payload["status"]) == ("main", word)
    assert payload["statuses"] == [{"status": word, "timestamp": 1757500200000}]


def test_a_call_names_the_caller() -> None:
    call = {"id": "C1", "from": "5511999999999@c.us", "isVideo": True, "isGroup": False}
    assert envelope(kind="call.received", extra={"call": call})["payload"] == {**call, "timestamp": 1757500200}


def test_an_event_without_a_form_of_its_own_brings_what_it_has() -> None:
    extra = {"group": {"id": "1@g.us"}, "participants": ["2@c.us"]}
    assert envelope(kind="group.join", extra=extra)["payload"] == {"timestamp": 1757500200, **extra}


def test_the_name_and_what_was_chosen_stand_where_readers_of_an_engine_look() -> None:
    row = {"type": "list_reply", "id": "1", "title": "One"}
    payload = envelope(contact_name="Ana", type="interactive", extra={"interactive": row})["payload"]
    data = payload["_data"]
    assert (data["notifyName"], data["pushName"], data["Info"]["PushName"]) == ("Ana", "Ana", "Ana")
    assert data["listResponse"] == {"title": "One", "singleSelectReply": {"selectedRowId": "1"}}
    assert payload["interactive"] == row
    button = {"type": "button_reply", "id": "b", "title": "Yes"}
    assert envelope(extra={"interactive": button})["payload"]["_data"]["selectedButtonId"] == "b"


def test_an_engines_own_data_is_passed_on_as_it_came_and_only_in_this_format() -> None:
    data = {"Info": {"PushName": "Ana"}, "Message": {"conversation": "hi"}}
    assert envelope(extra={"_data": data})["payload"]["_data"] == data
    letter = Letter(event=make_event(extra={"_data": data}), delivery_id=ID, created_at=NOW, filters=["*"], version="1")
    assert "_data" not in json.loads(encode(letter, "flat"))


def test_ads_and_orders_stand_beside() -> None:
    extra = {"referral": {"source_id": "9"}, "order": {"product_items": [{"product_retailer_id": "sku"}]}}
    payload = envelope(extra=extra)["payload"]
    assert {name: payload[name] for name in extra} == extra


def test_an_answer_has_the_words_that_it_answers() -> None:
    quoted = {"sender": "5511@c.us", "content": "When?"}
    payload = envelope(reply_to="Q1", extra={"quoted": quoted})["payload"]
    assert payload["replyTo"] == {"id": "Q1", "participant": "5511@c.us", "body": "When?"}


def test_an_ack_says_why_a_message_failed() -> None:
    error = {"code": "131026", "reason": "not on WhatsApp"}
    payload = envelope(kind="message.ack", from_me=True, extra={"ack": -1, "ackName": "ERROR", "error": error})[
        "payload"
    ]
    assert payload["error"] == error


def test_a_vote_and_an_attendance_are_wahas_own_events() -> None:
    vote = {"selected": ["Mon"], "poll": "true_5511999999999@c.us_P1"}
    sent = envelope(type="poll_vote", reply_to=vote["poll"], extra={"vote": vote})
    assert sent["event"] == "poll.vote"
    assert sent["payload"]["vote"]["selectedOptions"] == ["Mon"]
    assert sent["payload"]["poll"] == {
        "id": vote["poll"],
        "from": "5511888888888@c.us",
        "fromMe": True,
        "to": "5511999999999@c.us",
    }
    coming = envelope(type="event_response", reply_to="E1", extra={"event_response": {"response": "GOING"}})
    assert coming["event"] == "event.response"
    assert coming["payload"]["eventResponse"]["response"] == "GOING"
    assert coming["payload"]["eventCreationKey"]["id"] == "E1"
