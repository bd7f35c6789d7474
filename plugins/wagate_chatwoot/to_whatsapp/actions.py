"""What agents did in Chatwoot, as one type for each thing; stored as JSON in events and rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec


class Where(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation, and what its webhook says of the contact."""

    conversation: int
    """Display id."""
    source: str = ""
    """source_id of the contact in this inbox; ours, or a UUID when an agent made the contact."""
    phone: str = ""
    """The contact's, with ``+``."""
    identifier: str = ""


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a message."""

    url: str
    """``data_url``: redirects to where the file lies."""
    file_type: str = ""
    """image, audio, video, file, location …"""
    content_type: str = ""
    extension: str = ""
    voice: bool = False
    """Recorded in Chatwoot."""
    latitude: float | None = None
    """Of a location, which has no file."""
    longitude: float | None = None
    title: str = ""


class Send(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="send"):
    """A message of an agent, a bot or an automation, for the customer."""

    where: Where
    message: int
    """Its id, unique over the whole server; later ones have greater ids."""
    content: str = ""
    """Markdown."""
    content_type: str = "text"
    attachments: tuple[Attachment, ...] = ()
    reply_to: int | None = None
    """Id of the message that it answers."""
    reply_to_source: str = ""
    """That message's source_id."""
    template: dict[str, Any] | None = None
    """``template_params``."""
    items: tuple[str, ...] = ()
    """Titles of what a bot lets people choose from."""
    author: str = ""
    """The agent's name; '' when no person wrote it."""
    email: str = ""
    """The agent's."""
    created_at: float = 0.0
    """Unix seconds."""
    failed: bool = False
    """Chatwoot shows it as failed: its webhook reached nobody. Only lists of messages tell."""


class Resend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="resend"):
    """A message was updated in a way that the agent's *Retry* leaves behind. The ledger knows whether it was one."""

    send: Send
    bare: bool = False
    """Its content_attributes are empty, or as they were when it was written."""


class Delete(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="delete"):
    """An agent deleted a message of theirs."""

    where: Where
    message: int


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="command"):
    """An agent wrote to wagate itself, in the status conversation."""

    where: Where
    message: int
    text: str
    author: str = ""
    email: str = ""


class Typing(msgspec.Struct, frozen=True, kw_only=True):
    """An agent begins or ends typing to the customer."""

    where: Where
    on: bool


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """A chat has a conversation at work: agents want to see when its customer types."""

    account: str
    chat: str


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation was resolved, re-opened, snoozed: which one the chat uses is to be chosen again."""

    where: Where
    status: str


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody took a conversation."""

    where: Where


class Ignore(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to do."""

    reason: str


Lasting = Send | Resend | Delete | Command
"""What must not be lost: each becomes a delivery."""
Action = Send | Resend | Delete | Command | Typing | Moved | Assigned | Ignore


def name_of(url: str) -> str:
    """The file's name: the last part of Chatwoot's URL."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return unquote(path.rpartition("/")[2])[:255]
