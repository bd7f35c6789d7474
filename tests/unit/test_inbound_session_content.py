"""Session engines: words that stand in the raw data, notices, votes, lists and stories."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_inbound_session_messages import full, parse, seen

ANA = "15550001111@c.us"
STORIES = "status@broadcast"


def test_a_poll_keeps_its_options_and_a_product_its_name() -> None:
    poll = seen(type="poll_creation", body="", _data={"pollName": "When?", "pollOptions": [{"name": "Mon"}]})
    assert (poll.type, poll.content) == ("poll", "When?\n- Mon")
    product = seen(type="product", body="", title="Shoes", description="size 38")
    assert (product.type, product.content, product.extra["product"]["title"]) == ("product", "Shoes\nsize 38", "Shoes")


def test_an_engine_that_hands_on_the_protocols_message_is_read_as_well() -> None:
    proto = {"listResponseMessage": {"title": "One", "singleSelectReply": {"selectedRowId": "1"}}}
    found = seen(type="chat", body="", _data={"message": proto})
    assert (found.type, found.content) == ("interactive", "One")
    assert found.extra["interactive"] == {"type": "list_reply", "id": "1", "title": "One"}


def test_view_once_says_so_and_waits_for_no_file_unless_the_engine_has_one() -> None:
    found = seen(type="image", body="", hasMedia=False, isViewOnce=True, _data={"mimetype": "image/jpeg"})
    assert (found.type, found.extra["view_once"], found.media) == ("image", True, None)
    assert "file_follows" not in found.extra
    kept = seen(type="image", body="", hasMedia=True, isViewOnce=True)
    assert kept.media is not None


@pytest.mark.parametrize("kind", ["e2e_notification", "notification_template", "call_log", "album", "ciphertext"])
@pytest.mark.parametrize("event", ["message", "message_create"])
def test_a_notice_is_no_message_and_leaves_its_id_to_one(event: str, kind: str) -> None:
    found = parse(event, {"message": full(type=kind, body="")})
    assert (found.kind, found.dedupe_kind, found.extra["notice"]) == ("unknown", "notice", kind)
    assert (found.chat, found.media) == (ANA, None)


def test_a_vote_answers_its_poll() -> None:
    poll = {"id": {"_serialized": f"true_{ANA}_P1", "remote": ANA, "fromMe": True, "id": "P1"}}
    vote = {"voter": ANA, "selectedOptions": [{"name": "Mon", "localId": 0}], "interractedAtTs": 1700000000000}
    found = parse("vote_update", {"vote": vote | {"parentMessage": poll}})
    assert (found.kind, found.type, found.content, found.chat, found.sender) == (
        "message",
        "poll_vote",
        "Mon",
        ANA,
        ANA,
    )
    assert (found.reply_to, found.extra) == (
        f"true_{ANA}_P1",
        {"vote": {"selected": ["Mon"], "poll": f"true_{ANA}_P1"}},
    )
    again = parse("vote_update", {"vote": vote | {"parentMessage": poll, "selectedOptions": []}})
    assert (again.content, again.provider_id) == ("", found.provider_id)
    assert again.variant != found.variant
    ours = parse("vote_update", {"vote": vote | {"parentMessage": poll}}, phone="15550001111")
    assert (ours.kind, ours.from_me) == ("message.any", True)


def test_a_vote_whose_options_have_no_names_says_that_it_is_hidden() -> None:
    vote = {"voter": ANA, "selectedOptions": [{"localId": 1}], "parentMessage": {"id": f"true_{ANA}_P1"}}
    assert parse("vote_update", {"vote": vote}).extra["vote"]["failed"] is True


def test_a_broadcast_lists_message_belongs_to_the_chat_with_its_owner() -> None:
    found = seen(remote="1663@broadcast", author=ANA)
    assert (found.chat, found.sender, found.extra["broadcast"]) == (ANA, ANA, "1663@broadcast")


@pytest.mark.parametrize("fields", [{"isStatus": True, "author": ANA}, {"remote": STORIES, "author": ANA}])
def test_a_story_stays_among_the_stories_with_its_author(fields: dict[str, Any]) -> None:
    found = seen(**fields)
    assert (found.chat, found.sender) == (STORIES, ANA)


def test_what_is_answered_is_told_with_its_words() -> None:
    quoted = {"quotedMsg": {"type": "chat", "body": "When?"}, "quotedStanzaID": "Q1", "quotedParticipant": ANA}
    assert seen(_data=quoted).extra["quoted"] == {"sender": ANA, "content": "When?"}
