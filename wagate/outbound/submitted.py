"""A message as it was submitted: the chat it belongs to, its links, and its parts. Pure but for the ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.errors import UnprocessableError
from wagate.hooks.messages import CAPTIONED, OutMessage, TextPart
from wagate.parsing.chats import STATUS, chat_key, is_broadcast_list
from wagate.parsing.split import split_text

_NO_STORY = (
    "status@broadcast is where stories are published, so nothing is sent there; to answer one, "
    "write to the person who published it, or set reply_to to the story's id"
)
_NO_REACTION = "a reaction to a story can't be sent; answer it with a text: set reply_to to the story's id"
_NO_LIST = "a broadcast list can't be answered; write to each person's number"
_NO_CHANNEL = "a channel can't be answered; write to a person's number or to a group"
_FETCHED = frozenset({"link", "mediaurl", "media_url", "imageurl", "image_url"})
"""Keys of templates and interactive messages, in lower case; what stands behind a button is for people."""
_MENTION: Final = re.compile(r"@(\w+)")


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


def links_in(message: OutMessage) -> Iterator[str]:
    """The URL of its file, and those in a template's or an interactive message's header."""
    if message.media is not None and message.media.url:
        yield message.media.url
    yield from _links(message.template)
    yield from _links(message.interactive)


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and "://" in item and str(name).lower() in _FETCHED:
                yield item
            else:
                yield from _links(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _links(item)


def parted(message: OutMessage, longest: int, caption: int = 0) -> list[tuple[str, OutMessage]]:
    """(our id, message) of each part, in order; of what fits, or can't be split, one.

    ``longest``: `Provider.longest_text`; ``caption``: `Provider.longest_caption`. Only the first part quotes and has
    the file; people are mentioned where they stand.

    Raises:
        UnprocessableError: no cut makes it fit.
    """
    if message.type in CAPTIONED:
        texts = split_text(message.text, caption, then=longest)
    else:
        texts = split_text(message.text, longest) if message.type == "text" else [message.text]
    ids = [str(uuid7()) for _ in texts]
    if len(texts) == 1:
        return [(ids[0], message)]
    before = message.part
    return [
        (
            id_,
            replace(
                message,
                type="text" if number else message.type,
                media=None if number else message.media,
                text=text,
                reply_to="" if number else message.reply_to,
                mentions=_mentioned(message.mentions, text),
                part=TextPart(
                    number=number + 1,
                    of=len(texts),
                    after=ids[number - 1] if number else (before.after if before is not None else ""),
                    rest=tuple(ids[number + 1 :]),
                ),
            ),
        )
        for number, (id_, text) in enumerate(zip(ids, texts, strict=True))
    ]


def _mentioned(people: tuple[str, ...], text: str) -> tuple[str, ...]:
    """Those of them that stand in the text, which is read once, however many there are."""
    named = frozenset(_MENTION.findall(text))
    return tuple(each for each in people if each.partition("@")[0] in named)
