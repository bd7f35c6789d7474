"""WAHA's events whose words stand in the engine's data, and chats that are no dialogue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_waha_parse import GROUP, ME, THEM, event, text

STORIES = "status@broadcast"


def message(_data: dict[str, Any], **fields: Any) -> Any:
    return event("message", text(body=None, _data=_data, **fields))


@pytest.mark.parametrize(
    "data",
    [
        {"Message": {"pollCreationMessage": {"name": "When?", "options": [{"optionName": "Mon"}]}}},
        {"message": {"pollCreationMessage": {"name": "When?", "options": [{"optionName": "Mon"}]}}},
        {"type": "poll_creation", "pollName": "When?", "pollOptions": [{"name": "Mon"}]},
    ],
    ids=["GOWS", "NOWEB", "WEBJS"],
)
def test_a_poll_reads_the_same_on_every_engine(data: dict[str, Any]) -> None:
    found = message(data)
    assert (found.kind, found.type, found.content) == ("message", "poll", "When?\n- Mon")
    assert found.extra["poll"] == {"name": "When?", "options": [{"name": "Mon"}]}
    assert found.extra["_data"] == data


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"Message": {"albumMessage": {"expectedImageCount": 3}}}, "album"),
        ({"message": {"pinInChatMessage": {"type": 1}}}, "pin"),
        ({"type": "e2e_notification"}, "e2e_notification"),
        ({"key": {}, "messageStubType": "CIPHERTEXT"}, "ciphertext"),
    ],
)
def test_placeholders_and_notices_are_kept_and_are_no_messages(data: dict[str, Any], word: str) -> None:
    found = message(data)
    assert (found.kind, found.type, found.extra["notice"], found.chat) == ("unknown", "unknown", word, THEM)
    # A message may follow under the same id.
    assert (found.provider_id, found.dedupe_kind) == (f"false_{THEM}_AA", "notice")


def test_view_once_says_so_and_asks_for_no_file_that_nobody_has() -> None:
    gows = message({"IsViewOnce": True, "Message": {"imageMessage": {"mimetype": "image/jpeg"}}}, hasMedia=True)
    assert (gows.type, gows.extra["view_once"], gows.media) == ("image", True, None)
    noweb = message({"message": {"viewOnceMessageV2": {"message": {"videoMessage": {}}}}}, hasMedia=True)
    assert (noweb.type, noweb.extra["view_once"], noweb.media) == ("video", True, None)
    had = message(
        {"type": "image", "isViewOnce": True},
        hasMedia=True,
        media={"url": "http://x/api/files/a.jpg", "mimetype": "image/jpeg"},
    )
    assert had.media is not None


def test_a_vote_answers_its_poll() -> None:
    vote = {"id": f"false_{THEM}_V1", "from": THEM, "to": "me", "fromMe": False, "timestamp": 1700000000}
    payload = {"vote": vote | {"selectedOptions": ["Mon", "Tue"]}, "poll": {"id": f"true_{THEM}_P1"}}
    found = event("poll.vote", payload)
    assert (found.kind, found.type, found.content, found.chat) == ("message", "poll_vote", "Mon, Tue", THEM)
    assert (found.reply_to, found.message_id) == (f"true_{THEM}_P1", f"false_{THEM}_V1")
    assert found.extra == {"vote": {"selected": ["Mon", "Tue"], "poll": f"true_{THEM}_P1"}}
    failed = event("poll.vote.failed", {"vote": vote | {"selectedOptions": []}, "poll": {}})
    assert (failed.content, failed.extra["vote"]["failed"]) == ("", True)


def test_an_answer_to_an_invitation_says_who_comes() -> None:
    payload = {
        "id": f"false_{GROUP}_R1_{THEM}",
        "eventCreationKey": {"id": f"true_{GROUP}_E1"},
        "eventResponse": {"response": "NOT_GOING", "extraGuestCount": 2},
    }
    found = event("event.response", payload)
    assert (found.type, found.content, found.chat, found.sender) == ("event_response", "Not going", GROUP, THEM)
    assert found.reply_to == f"true_{GROUP}_E1"
    assert found.extra["event_response"] == {"response": "NOT_GOING", "event": f"true_{GROUP}_E1", "guests": 2}


def test_what_is_answered_is_told_with_its_words() -> None:
    quoted = {"id": "QQ", "participant": THEM, "body": "When?"}
    assert event("message", text(replyTo=quoted)).extra["quoted"] == {"sender": THEM, "content": "When?"}


def test_presence_says_who_does_what() -> None:
    presences = [{"participant": "777@lid", "lastKnownPresence": "typing", "lastSeen": None}]
    found = event("presence.update", {"id": GROUP, "presences": presences})
    assert (found.chat, found.sender, found.content) == (GROUP, "777@lid", "typing")
    assert found.extra["presences"] == presences


@pytest.mark.parametrize("participant", [THEM, "444@lid"])
def test_a_broadcast_lists_message_belongs_to_the_chat_with_its_owner(participant: str) -> None:
    found = event(
        "message",
        text(id=f"false_1663@broadcast_BL_{participant}", participant=participant, **{"from": "1663@broadcast"}),
    )
    assert (found.chat, found.sender, found.extra["broadcast"]) == (participant, participant, "1663@broadcast")
    assert found.message_id == f"false_1663@broadcast_BL_{participant}"


def test_a_story_stays_among_the_stories_with_its_author() -> None:
    found = event("message", text(id=f"false_{STORIES}_S_{THEM}", participant=THEM, **{"from": STORIES}))
    assert (found.chat, found.sender, "broadcast" in found.extra) == (STORIES, THEM, False)


def test_our_own_broadcast_list_stays_one() -> None:
    found = event(
        "message.any", text(id="true_1663@broadcast_B", fromMe=True, to="1663@broadcast", **{"from": ME["id"]})
    )
    assert (found.chat, found.from_me) == ("1663@broadcast", True)
