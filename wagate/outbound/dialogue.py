"""Chats that are no dialogue: stories, broadcast lists, channels. What is sent there would be published. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import UnprocessableError
from wagate.hooks.messages import OutMessage
from wagate.parsing.chats import STATUS, chat_key, is_broadcast_list

_NO_STORY = (
    "status@broadcast is where stories are published, so nothing is sent there; to answer one, "
    "write to the person who published it, or set reply_to to the story's id"
)
_NO_REACTION = "a reaction to a story can't be sent; answer it with a text: set reply_to to the story's id"
_NO_LIST = "a broadcast list can't be answered; write to each person's number"
_NO_CHANNEL = "a channel can't be answered; write to a person's number or to a group"


def is_no_dialogue(chat: str) -> bool:
    """Whether nobody can be answered in this chat."""
    return chat.endswith(("@broadcast", "@newsletter"))


def in_dialogue(message: OutMessage, *, field: str = "to") -> OutMessage:
    """The message in the chat that it belongs to: an answer to a story goes to its author, and quotes the story.

    Raises:
        UnprocessableError: nobody can be answered there; it names ``field`` and the cure.
    """
    if message.chat == STATUS:
        return _to_the_author(message, field)
    if is_broadcast_list(message.chat):
        raise UnprocessableError(_NO_LIST, field=field)
    if message.chat.endswith("@newsletter"):
        raise UnprocessableError(_NO_CHANNEL, field=field)
    return message


def _to_the_author(message: OutMessage, field: str) -> OutMessage:
    if message.type == "reaction":
        raise UnprocessableError(_NO_REACTION, field=field)
    author = author_of(message.reply_to)
    if not author:
        raise UnprocessableError(_NO_STORY, field=field)
    return replace(message, chat=author)


def author_of(message_id: str) -> str:
    """Who published the story with this id, ``false_status@broadcast_<id>_<author>``; '' when it doesn't say."""
    parts = message_id.split("_", 3)
    if len(parts) < 4 or parts[0] != "false" or chat_key(parts[1]) != STATUS:
        return ""
    author = chat_key(parts[3])
    return author if author.endswith(("@c.us", "@lid")) else ""
