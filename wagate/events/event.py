"""An event of WhatsApp, in the same shape for every provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.events.sessions import SessionChange

MEMBERS = "members"
"""In ``extra`` of a group's event: how many are in it, us included; 0 when that is not known any more."""
MOVED_TO = "moved_to"
"""In ``extra``: the key of the number that the event's sender has from now on."""
SUBMITTED = frozenset({"source", "id", "metadata"})
"""What the ``extra`` of an event about a message that was submitted here always has."""


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of a request, unchanged, kept for audit."""

    body: bytes
    """The item or the whole body."""


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file of an incoming message, by reference."""

    mimetype: str = ""
    """MIME type, as the provider declares it."""
    filename: str | None = None
    """The sender's name for it; not safe as a path."""
    url: str | None = None
    """Where to fetch the file, if the provider gives a URL."""
    provider_id: str | None = None
    """The provider's own media id."""
    size: int | None = None
    """Bytes, when known."""
    caption: str | None = None
    """The file's caption."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is not stored yet: a provider's ``parse`` makes one for each item of a webhook."""

    kind: str
    """A name of `wagate.events.EVENT_KINDS`, or ``group.*``."""
    provider_id: str = ""
    """The provider's id of the item; without one ('') the event never counts as a duplicate."""
    variant: str = ""
    """Distinguishes events with the same provider id: an ack's status, a reaction's emoji and time, an edit's hash."""
    dedupe_kind: str = ""
    """The kind used for duplicates when it differs from ``kind`` (message and message.any are one message)."""
    chat: str = ""
    """Canonical chat key: ``<digits>@c.us``, ``<id>@g.us``, ``<opaque>@user``; '' for session events."""
    sender: str = ""
    """The sender, in the form of ``chat`` (in a group: the participant)."""
    recipient: str = ""
    """The recipient, in the form of ``chat``."""
    message_id: str = ""
    """WhatsApp's id of the message that this is, or is about."""
    type: str = ""
    """text, image, video, audio, voice, document, sticker, location, contacts, call, status, … or unknown."""
    content: str = ""
    """Text, else caption, else ''."""
    timestamp: datetime | None = None
    """When it happened (aware UTC); None: the time of arrival."""
    from_me: bool = False
    """Whether the account's own number sent it."""
    contact_name: str | None = None
    """The name that the other side shows."""
    media: Media | None = None
    """The file of the message."""
    reply_to: str | None = None
    """Id of the message that this one replies to."""
    extra: dict[str, Any] = {}
    """Kind-specific fields, JSON types only: ``ack``, ``reaction``, ``status``, ``qr``, ``call``, ``message`` …"""
    raw: Raw | None = None
    """The provider's item; None: the body of the whole request."""
    session: SessionChange | None = None
    """A change of the account's session state, made in the same commit."""
    number: str = ""
    """The provider's id of the account's number, if one webhook URL serves several; '': that of the account."""
    reference: str = ""
    """wagate's id of the message that this is about, if the provider returns it."""
    aliases: tuple[str, ...] = ()
    """Other keys of the same person as ``sender``: phone, LID, business-scoped id, in the form of ``chat``. A stored
    event has them in ``extra["aliases"]``."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event."""

    id: str
    """UUIDv7; the same for all targets. Webhooks call it ``source_event_id``."""
    kind: str
    """A name of `wagate.events.EVENT_KINDS`, or ``group.*``."""
    account: str
    """Name of the account (``sessionId``, WAHA's ``session``); '' if the event belongs to no account."""
    account_id: str = ""
    """Id of that account. Unlike its name, it is never used again."""
    phone: str
    """Digits of the account's number, '' if unknown."""
    provider: str
    """meta, infobip, twilio, dialog360, waha, session, engine …"""
    client_id: int
    """Id of the owner."""
    tenant: str
    """Slug of the owner."""
    created_at: datetime
    """When it was stored (aware UTC)."""
    timestamp: datetime
    """When it happened (aware UTC)."""
    chat: str = ""
    """See `NewEvent.chat`; likewise the fields below."""
    sender: str = ""
    recipient: str = ""
    message_id: str = ""
    type: str = ""
    content: str = ""
    from_me: bool = False
    contact_name: str | None = None
    media: Media | None = None
    reply_to: str | None = None
    extra: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    """The account's metadata, which webhooks carry."""


def shown_media(event: Event, link: str | None) -> Media | None:
    """The event's file as others see it: at our link.

    Never at the provider's URL, which may need its token, or hold one; a URL that came with a message to send is whose
    it was.
    """
    media = event.media
    if media is None or (link is None and event.extra.keys() >= SUBMITTED):
        return media
    return msgspec.structs.replace(media, url=link)
