"""One thing that happened on WhatsApp, in the same shape for every provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.events.sessions import SessionChange

SUBMITTED = frozenset({"source", "id", "metadata"})
"""What the ``extra`` of an event about a message that was submitted here always has."""


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes exactly as they came, kept for audit."""

    body: bytes
    """The item or the whole body."""


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that came with a message, by reference."""

    mimetype: str = ""
    """MIME type as the provider says."""
    filename: str | None = None
    """Name on the sender's side, unsafe."""
    url: str | None = None
    """Where the file can be fetched, when the provider gives a URL."""
    provider_id: str | None = None
    """The provider's own media id."""
    size: int | None = None
    """Bytes, when known."""
    caption: str | None = None
    """Text under the file."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's ``parse`` makes of one item of a webhook: an event not yet stored."""

    kind: str
    """A name of `wagate.events.EVENT_KINDS`, or ``group.*``."""
    provider_id: str = ""
    """The provider's id of this thing, '' when it has none: then it never counts as a duplicate."""
    variant: str = ""
    """What tells two events of one provider id apart: an ack's status, a reaction's emoji and time, an edit's hash."""
    dedupe_kind: str = ""
    """The kind used for duplicates when it differs from ``kind`` (message and message.any are one message)."""
    chat: str = ""
    """Canonical chat key: ``<digits>@c.us``, ``<id>@g.us``, ``<opaque>@user``; '' for session events."""
    sender: str = ""
    """Who it is from, in the same form as ``chat`` (in a group: the participant)."""
    recipient: str = ""
    """Who it is to."""
    message_id: str = ""
    """The WhatsApp message that this is, or is about."""
    type: str = ""
    """text, image, video, audio, voice, document, sticker, location, contacts, call, status, … or unknown."""
    content: str = ""
    """Text, else caption, else ''."""
    timestamp: datetime | None = None
    """When it happened (aware UTC); None: the time of arrival."""
    from_me: bool = False
    """Sent by our own number."""
    contact_name: str | None = None
    """The name the other side shows."""
    media: Media | None = None
    """The file that came with it."""
    reply_to: str | None = None
    """Id of the message it answers."""
    extra: dict[str, Any] = {}
    """Kind-specific fields, JSON types only: ``ack``, ``reaction``, ``status``, ``qr``, ``call``, ``message`` …"""
    raw: Raw | None = None
    """The provider's own item; None: the raw body of the whole request."""
    session: SessionChange | None = None
    """How this changes its account's session state, in the same commit."""
    number: str = ""
    """The provider's own id of the number on our side, when one webhook URL carries several; '' the account's own."""
    reference: str = ""
    """Our own id of the message that this is about, when the provider carries it back."""
    aliases: tuple[str, ...] = ()
    """Other keys of the same person as ``sender``: phone, LID, business-scoped id, in the form of ``chat``. A stored
    event has them in ``extra["aliases"]``."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event, as handlers see it."""

    id: str
    """UUIDv7; the same for all targets (``source_event_id`` outside)."""
    kind: str
    """A name of `wagate.events.EVENT_KINDS`, or ``group.*``."""
    account: str
    """Name of the account (``sessionId``, WAHA's ``session``); '' when it belongs to a client only."""
    account_id: str = ""
    """Id of that account, which never names another one: the name may be somebody else's later."""
    phone: str
    """Digits of the number on our side, '' when not known."""
    provider: str
    """meta, infobip, twilio, dialog360, waha, session, engine …"""
    client_id: int
    """Owner."""
    tenant: str
    """Owner's slug."""
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
    """The account's metadata, copied into webhooks."""


def shown_media(event: Event, link: str | None) -> Media | None:
    """The event's file as others see it: at our link.

    Never at the provider's URL, which may need its token, or hold one; a URL that came with a message to send is whose
    it was.
    """
    media = event.media
    if media is None or (link is None and event.extra.keys() >= SUBMITTED):
        return media
    return msgspec.structs.replace(media, url=link)
