"""Outgoing messages, in the same shape for every provider."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

MESSAGE_TYPES = (
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "poll",
    "reaction",
    "template",
    "interactive",
)
"""Types of messages that can be sent. `Provider.abilities` names those that a provider supports."""
MEDIA_TYPES = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
CAPTIONED = frozenset({"image", "video", "document"})
"""Those of them under which WhatsApp shows a text."""


class OutMedia(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file of a message, by reference: ``url`` or ``media_id``."""

    url: str = ""
    """A public URL of the file."""
    media_id: str = ""
    """The id of a file that wagate stores (from ``POST /api/media``, or from base64 in a request)."""
    mimetype: str = ""
    """As declared, or from its first bytes; '' if unknown."""
    filename: str = ""
    """The name that the receiver sees for a document."""


class OutLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A location."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


class OutPoll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question with answers to choose from."""

    name: str
    """The question."""
    options: tuple[str, ...]
    """The answers, at least two, each of them once."""
    multiple: bool = False
    """Whether one may choose several."""


class OutPreview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is shown of a link in a text, as the sender says it: nobody fetches the page."""

    url: str
    """As it stands in the text."""
    title: str
    description: str = ""
    thumbnail: str = ""
    """A small JPEG in base64; '' for none."""


class OutReaction(msgspec.Struct, frozen=True, kw_only=True):
    """A reaction to a message."""

    message_id: str
    """The provider's id of the message."""
    emoji: str
    """'' removes the reaction."""


class TextPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of a text, or of a caption, a message is that was too long for one."""

    number: int
    """From 1."""
    of: int
    after: str = ""
    """Our id of the message with the part before it: if that failed, this one is not sent. '' for the first one."""
    rest: tuple[str, ...] = ()
    """Our ids of the messages with the parts after it, in order."""


class OutMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message to send to one chat."""

    chat: str
    """Canonical chat key: ``<digits>@c.us``, ``<id>@g.us``, ``<opaque>@user``."""
    type: str
    """One of `MESSAGE_TYPES`."""
    text: str = ""
    """The text, or the caption of a file."""
    preview_url: bool = True
    """Whether a link in a text gets a preview."""
    preview: OutPreview | None = None
    """The preview itself, for providers with the ability ``preview``; others make their own, or none."""
    mentions: tuple[str, ...] = ()
    """Chat keys mentioned in a group; ``all``: everybody in it."""
    media: OutMedia | None = None
    location: OutLocation | None = None
    contacts: tuple[dict[str, Any], ...] = ()
    """Cards in Meta's form: ``name.formatted_name``, ``phones[].phone`` …; or ``vcard`` (text) instead."""
    poll: OutPoll | None = None
    reaction: OutReaction | None = None
    template: dict[str, Any] | None = None
    """In Meta's form: ``name``, ``language.code``, ``components``; a provider may take keys of its own, too."""
    interactive: dict[str, Any] | None = None
    """In Meta's form: ``type`` (button, list, cta_url …), ``header``, ``body``, ``footer``, ``action``."""
    reply_to: str = ""
    """The provider's id of the message that this one replies to."""
    part: TextPart | None = None
    """Set by the core where it splits what is longer than `Provider.longest_text`, or `Provider.longest_caption`."""


class OutFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a message, ready for a provider: it has ``path``, ``url`` or both."""

    mimetype: str
    filename: str
    """A safe name, with an extension that fits the type."""
    url: str = ""
    """A public URL: the caller's, or one of wagate's, signed and expiring; '' if that needs ``server.public_url``."""
    path: Path | None = None
    """Where wagate stores the file; None if it does not."""
    size: int | None = None
    """Bytes, when known."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A provider accepted a message."""

    message_id: str
    """The provider's id."""
    status: str = "sent"
    """sent, or queued if the provider only put it into its own queue."""
    http_status: int | None = None
    response: str | None = None
    """The beginning of the answer's body; the attempt's record keeps it."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A sign in a chat that is not a message. It is not stored and can be lost."""

    kind: str
    """seen, typing, recording (typing, where the provider lacks it), paused (neither any longer), or watch: ask to be
    told when the chat's person types."""
    chat: str
    message_ids: tuple[str, ...] = ()
    """The provider's ids of the messages that were seen; () if the provider marks whole chats."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What a message that was sent is to say from now on."""

    message_id: str
    """The provider's id."""
    chat: str
    type: str
    """Of the message: a text, or what has a caption."""
    text: str


class ReaderView(msgspec.Struct, frozen=True, kw_only=True):
    """A participant of a group who has got a message of ours."""

    participant: str
    """Their key."""
    status: str
    """How far it got with them: delivered, read or played."""
    at: datetime


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A submitted message and its status."""

    id: str
    """wagate's id (UUIDv7)."""
    client_id: int
    tenant_id: str
    """The owner's slug."""
    account: str
    """The account that sends it."""
    provider: str
    chat: str
    to: str
    """Digits of a number, else the chat's key."""
    type: str
    content: str
    """Text, else caption, else ''."""
    status: str
    """queued, sending, sent, delivered, read, failed or unknown."""
    message_id: str | None
    """The provider's id, once it is known."""
    error: str | None
    """Why it failed or waits, for people."""
    error_code: str | None
    """The provider's own code."""
    job_id: str | None
    """The pull job that it completed."""
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    updated_at: datetime
    warnings: list[str] = []
    """What was left out because the provider doesn't support it (a quote, a preview)."""
    part: TextPart | None = None
    """Of a text that was too long for one message: which part this one is."""
