"""A message on its way out, in the same shape for every provider."""

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
    "reaction",
    "template",
    "interactive",
)
"""What can be sent; `Provider.abilities` says which of them a provider can."""
MEDIA_TYPES = frozenset({"image", "video", "audio", "voice", "document", "sticker"})


class OutMedia(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file of a message, by reference: ``url`` or ``media_id``."""

    url: str = ""
    """Where anyone can fetch it."""
    media_id: str = ""
    """A file that we hold (``POST /api/media``, base64 in the request)."""
    mimetype: str = ""
    """As told or sniffed; '' when not known."""
    filename: str = ""
    """What the receiver sees of a document."""


class OutLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


class OutReaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji on a message."""

    message_id: str
    """The provider's id of the message."""
    emoji: str
    """'' takes it back."""


class TextPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of a text a message is that was too long for one."""

    number: int
    """From 1."""
    of: int
    after: str = ""
    """Our id of the message with the part before it: if that failed, this one is not sent. '' for the first one."""
    rest: tuple[str, ...] = ()
    """Our ids of the messages with the parts after it, in order."""


class OutMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be sent to one chat."""

    chat: str
    """Canonical chat key: ``<digits>@c.us``, ``<id>@g.us``, ``<opaque>@user``."""
    type: str
    """One of `MESSAGE_TYPES`."""
    text: str = ""
    """Of a text; the caption of a file."""
    preview_url: bool = True
    """Whether a link in a text gets a preview."""
    mentions: tuple[str, ...] = ()
    """Chat keys mentioned in a group."""
    media: OutMedia | None = None
    location: OutLocation | None = None
    contacts: tuple[dict[str, Any], ...] = ()
    """Cards in Meta's form: ``name.formatted_name``, ``phones[].phone`` …; ``vcard`` (text) may stand instead."""
    reaction: OutReaction | None = None
    template: dict[str, Any] | None = None
    """In Meta's form: ``name``, ``language.code``, ``components``; provider's own keys beside them."""
    interactive: dict[str, Any] | None = None
    """In Meta's form: ``type`` (button, list, cta_url …), ``header``, ``body``, ``footer``, ``action``."""
    reply_to: str = ""
    """The provider's id of the message that it answers."""
    part: TextPart | None = None
    """Set by the core where it splits a text that is longer than `Provider.longest_text`."""


class OutFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a message, made ready for a provider: it has ``path``, ``url`` or both."""

    mimetype: str
    filename: str
    """Safe; with an ending that fits the type."""
    url: str = ""
    """Public: the caller's, or ours, signed and expiring; '' when we hold it and ``server.public_url`` is not set."""
    path: Path | None = None
    """When we hold it."""
    size: int | None = None
    """Bytes, when known."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A provider took a message."""

    message_id: str
    """The provider's id."""
    status: str = "sent"
    """sent, or queued when the provider only took it into a queue of its own."""
    http_status: int | None = None
    response: str | None = None
    """First part of the answer's body, for the record."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something told to a chat that is no message, is not stored, and may be lost."""

    kind: str
    """seen, typing, or paused (no longer typing)."""
    chat: str
    message_ids: tuple[str, ...] = ()
    """Messages that were seen, by the provider's ids; () when the provider marks whole chats."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was submitted, and how far it got."""

    id: str
    """Ours (UUIDv7)."""
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
    """Why it failed or waits, plainly."""
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
    """What the provider can't do and was left out (a quote, a preview)."""
    part: TextPart | None = None
    """Of a text that was too long for one message: which part this one is."""
