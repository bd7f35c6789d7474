"""Stories, broadcast lists and channels: nothing is published by answering them."""

from __future__ import annotations

import pytest

from wagate.errors import UnprocessableError
from wagate.hooks import OutMessage, OutReaction
from wagate.outbound.submitted import author_of, in_dialogue, is_no_dialogue

STORIES, ANA = "status@broadcast", "19990000001@c.us"
STORY = f"false_{STORIES}_ST1_{ANA}"


def text(chat: str, reply_to: str = "") -> OutMessage:
    return OutMessage(chat=chat, type="text", text="hi", reply_to=reply_to)


@pytest.mark.parametrize("chat", [ANA, "120363@g.us", "777@lid", "US.1@user"])
def test_other_chats_are_left_alone(chat: str) -> None:
    assert in_dialogue(text(chat)) == text(chat)
    assert not is_no_dialogue(chat)


@pytest.mark.parametrize("author", [ANA, "777@lid"])
def test_an_answer_to_a_story_goes_to_its_author_and_quotes_it(author: str) -> None:
    story = f"false_{STORIES}_ST1_{author}"
    assert in_dialogue(text(STORIES, story)) == text(author, story)


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        (text(STORIES), "set reply_to to the story's id"),
        (text(STORIES, "ST1"), "set reply_to to the story's id"),
        (text(STORIES, f"true_{STORIES}_ST1_{ANA}"), "write to the person who published it"),
        (
            OutMessage(chat=STORIES, type="reaction", reaction=OutReaction(message_id=STORY, emoji="x")),
            "answer it with a text",
        ),
        (text("166312345678@broadcast"), "write to each person's number"),
        (text("120363@newsletter"), "write to a person's number or to a group"),
    ],
)
@pytest.mark.parametrize("field", ["to", "chatId"])
def test_what_would_be_published_is_refused_with_field_and_cure(message: OutMessage, cure: str, field: str) -> None:
    with pytest.raises(UnprocessableError, match=cure) as caught:
        in_dialogue(message, field=field)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize("given", ["", "ST1", f"false_{ANA}_A", f"false_{STORIES}_ST1", f"false_{STORIES}_ST1_x@g.us"])
def test_a_story_that_names_no_author_has_none(given: str) -> None:
    assert author_of(given) == ""
