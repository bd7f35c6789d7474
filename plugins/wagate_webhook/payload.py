"""The body of a delivery: flat or ``{type, timestamp, data}``; WAHA's envelope is in `wagate_webhook.waha`. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from wagate.events import Event, shown_media
from wagate.events.kinds import MESSAGE, MESSAGE_ANY
from wagate.hooks import Delivery, DeliveryView, Endpoint, PluginContext
from wagate.parsing.waha import ENGINE_DATA, envelope

FLAT, WAHA, STANDARD = "flat", "waha", "standard"
FORMATS = (FLAT, WAHA, STANDARD)

_BARE = frozenset({"c.us", "user"})
"""Domains of chat keys that are not shown: phone numbers and opaque ids."""
_INTERNAL = frozenset({"inline_file", "file_follows", ENGINE_DATA})
"""Where something stands in our own copy of the request: of no use outside; and what only WAHA's readers know."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What a body is made from; the same for every attempt, so that the bytes are too."""

    event: Event
    delivery_id: str
    created_at: datetime
    """When the delivery was stored."""
    filters: Collection[str]
    """The webhook's ``events``."""
    version: str
    """wagate's."""
    media_url: str | None = None
    """Where the event's file can be fetched; None when it has none that we can give."""

    @property
    def name(self) -> str:
        """The event's name as the subscriber knows it: who asked for message.any alone gets every message as that."""
        kind = self.event.kind
        asked_for_any = kind == MESSAGE and MESSAGE_ANY in self.filters and MESSAGE not in self.filters
        return MESSAGE_ANY if asked_for_any else kind


def letter_of(delivery: Delivery | DeliveryView, endpoint: Endpoint, context: PluginContext) -> Letter:
    """What the body of a delivery to a webhook is made from, as the webhook is now."""
    return Letter(
        event=delivery.event,
        delivery_id=delivery.id,
        created_at=delivery.created_at,
        filters=endpoint.events,
        version=context.version,
        media_url=context.media.url(delivery.event),
    )


def payload(letter: Letter, form: str) -> dict[str, Any]:
    """The body as JSON types, in the webhook's ``format``."""
    if form == WAHA:
        return envelope(
            letter.event,
            name=letter.name,
            delivery_id=letter.delivery_id,
            created_at=letter.created_at,
            version=letter.version,
            media=shown_media(letter.event, letter.media_url),
        )
    flat = _flat(letter)
    if form == STANDARD:
        return {"type": letter.name, "timestamp": letter.event.timestamp, "data": flat}
    return flat


def encode(letter: Letter, form: str) -> bytes:
    """The body as it is sent and signed."""
    return msgspec.json.encode(payload(letter, form))


def shown(chat: str) -> str:
    """A chat key as outsiders see it: digits without ``+``, the bare opaque id, else the key (groups keep @g.us)."""
    local, _, domain = chat.rpartition("@")
    return local if domain in _BARE else chat


def sides(event: Event) -> tuple[str, str]:
    """``from`` and ``to``. Whoever the event does not name is our own number."""
    sender = event.sender or (event.phone if event.from_me else event.chat)
    recipient = event.recipient or (event.chat if event.from_me else event.phone)
    return shown(sender), shown(recipient)


def _flat(letter: Letter) -> dict[str, Any]:
    event = letter.event
    sender, recipient = sides(event)
    body: dict[str, Any] = {
        "client_id": event.client_id,
        "message_id": event.message_id,
        "from": sender,
        "to": recipient,
        "timestamp": event.timestamp,
        "type": event.type,
        "content": event.content,
        "event": letter.name,
        "event_id": letter.delivery_id,
        "source_event_id": event.id,
        "tenant_id": event.tenant,
        "session": event.account,
        "provider": event.provider,
        "chat": shown(event.chat),
        "from_me": event.from_me,
        "contact_name": event.contact_name,
        "media": shown_media(event, letter.media_url),
        "reply_to": event.reply_to,
        "metadata": event.metadata,
    }
    # What the kind brings (ack, reaction, status …) stands beside; where a name is taken, as provider_<name>.
    details = {name: value for name, value in event.extra.items() if name not in _INTERNAL}
    return body | {f"provider_{name}" if name in body else name: value for name, value in details.items()}
