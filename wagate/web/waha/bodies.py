"""Bodies and answers of WAHA's verbs, as its clients send and read them; fields not named here are ignored.

Source: WAHA's OpenAPI document, https://waha.devlike.pro/swagger/, and its n8n node, which sends empty ``reply_to``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wagate.events.acks import ACKS, DELIVERED, PENDING, READ, SENT
from wagate.hooks.messages import MessageView, OutLocation, OutMessage
from wagate.web.messages.body import Address, Caption, FileContent, Latitude, Longitude, MessageId, Text
from wagate.web.messages.content import EVERYONE, Draft, not_blank, read_chat, read_file
from wagate.web.waha.message_names import waha_name

Session = Annotated[str, Meta(description="The account's name; without it, or `default`: the client's own choice.")]
_ACK_OF = {"sent": SENT, "delivered": DELIVERED, "read": READ}


class ChatBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A chat."""

    session: Session | None = None
    chat_id: Address
    """A chat's key, or a number."""


class SeenBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """Messages that were seen."""

    message_ids: list[MessageId] | None = None
    message_id: MessageId | None = None
    """The same for one."""


class Body(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """A message."""

    reply_to: MessageId | None = msgspec.field(default=None, name="reply_to")
    """Id of the message that this one replies to; empty: none."""
    mentions: Annotated[list[Address], Meta(max_length=1000)] | None = None
    """Who is mentioned in a group; ``all`` is everyone."""


class TextBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendText``."""

    text: Text
    link_preview: bool | None = None


class WahaFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file: ``url`` or ``data`` (base64)."""

    url: str | None = None
    data: str | None = None
    mimetype: Annotated[str, Meta(max_length=255)] | None = None
    filename: Annotated[str, Meta(max_length=255)] | None = None

    def content(self) -> FileContent:
        """In our form."""
        return FileContent(**{name: value for name, value in msgspec.structs.asdict(self).items() if value is not None})


class FileBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendImage``, ``sendFile``, ``sendVideo``, ``sendVoice``."""

    file: WahaFile
    caption: Caption | None = None


class LocationBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendLocation``."""

    latitude: Latitude
    longitude: Longitude
    title: Caption | None = None


class WahaContact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A card: ``vcard``, or the fields of one."""

    vcard: str | None = None
    full_name: str | None = None
    organization: str | None = None
    phone_number: str | None = None
    whatsapp_id: str | None = None


class ContactsBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendContactVcard``."""

    contacts: Annotated[list[WahaContact], Meta(min_length=1, max_length=100)]


class ReactionBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``reaction``."""

    session: Session | None = None
    message_id: Annotated[str, Meta(min_length=1, max_length=1000)]
    """``false_<chat>_<id>``, or the provider's own id of a message that came through here."""
    reaction: Annotated[str, Meta(max_length=64)]
    """An emoji; empty takes it back."""


class WahaMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sent message, in WAHA's form."""

    id: str
    """The provider's id; until there is one, ``true_<chat>_<wagate's id>``."""
    timestamp: int
    """Unix seconds."""
    from_: str = msgspec.field(name="from")
    """Our number's chat key; empty when not known."""
    from_me: Literal[True] = True
    source: Literal["api"] = "api"
    to: str
    """The chat's key."""
    participant: str = ""
    body: str
    """Text or caption."""
    has_media: bool
    media_url: str = ""
    ack: int
    """0 pending, 1 sent, 2 delivered, 3 read."""
    ack_name: str
    data: dict[str, Any] = msgspec.field(name="_data")
    """``id`` (wagate's, for ``GET /messages/{id}``), ``status``, ``provider``, ``session``, ``warnings``."""


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """The request was accepted."""

    success: Literal[True] = True


def waha_message(view: MessageView, *, phone: str, has_media: bool) -> WahaMessage:
    """A message's answer. ``phone``: our number's digits, '' when not known."""
    ack, name = ACKS[_ACK_OF.get(view.status, PENDING)]
    return WahaMessage(
        id=waha_name(view),
        timestamp=int((view.sent_at or view.created_at).timestamp()),
        from_=f"{phone}@c.us" if phone else "",
        to=view.chat,
        body=view.content,
        has_media=has_media,
        ack=ack,
        ack_name=name,
        data={
            "id": view.id,
            "status": view.status,
            "provider": view.provider,
            "session": view.account,
            "warnings": view.warnings,
        },
    )


def base_of(body: Body, kind: str, reply_to: str) -> OutMessage:
    """What every verb's message has."""
    mentions = tuple(each if each == EVERYONE else read_chat(each, "mentions") for each in body.mentions or ())
    chat = read_chat(body.chat_id, "chatId")
    return OutMessage(chat=chat, type=kind, reply_to=reply_to, mentions=mentions)


def text_draft(body: TextBody, base: OutMessage) -> Draft:
    """``sendText``."""
    preview = body.link_preview is not False
    return Draft(message=msgspec.structs.replace(base, text=not_blank(body.text, "text"), preview_url=preview))


def file_draft(body: FileBody, base: OutMessage) -> Draft:
    """``sendImage`` and its like."""
    media, file = read_file(body.file.content(), "file")
    return Draft(
        message=msgspec.structs.replace(base, media=media, text=body.caption or ""), file=file, link_at="file.url"
    )


def location_draft(body: LocationBody, base: OutMessage) -> Draft:
    """``sendLocation``."""
    place = OutLocation(latitude=body.latitude, longitude=body.longitude, name=body.title or "")
    return Draft(message=msgspec.structs.replace(base, location=place))


def contacts_draft(body: ContactsBody, base: OutMessage) -> Draft:
    """``sendContactVcard``."""
    return Draft(message=msgspec.structs.replace(base, contacts=tuple(_card(each) for each in body.contacts)))


def _card(contact: WahaContact) -> dict[str, Any]:
    """The card in Meta's form."""
    if contact.vcard:
        return {"vcard": contact.vcard}
    phone: dict[str, Any] = {"phone": contact.phone_number or contact.whatsapp_id or ""}
    if contact.whatsapp_id:
        phone["wa_id"] = contact.whatsapp_id
    card: dict[str, Any] = {"name": {"formatted_name": contact.full_name or phone["phone"]}, "phones": [phone]}
    return card | ({"org": {"company": contact.organization}} if contact.organization else {})
