"""What ``POST /messages/send`` takes: the types that its bodies are checked against."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.hooks.messages import MESSAGE_TYPES

LONGEST_TEXT = 65_536
"""Characters of a text or caption; providers take fewer, and say so."""
LONGEST_ID = 1_000
"""Characters of a provider's message id."""

Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
Caption = Annotated[str, Meta(max_length=LONGEST_TEXT)]
MessageId = Annotated[str, Meta(max_length=LONGEST_ID)]
Address = Annotated[str, Meta(min_length=1, max_length=200)]
MessageType = Annotated[str, Meta(extra_json_schema={"enum": list(MESSAGE_TYPES)})]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
NotEmpty = Annotated[dict[str, Any], Meta(min_length=1)]


class PreviewContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown of a link. Nobody fetches the page: it is what you say."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    """As it stands in the text."""
    title: Annotated[str, Meta(min_length=1, max_length=300)]
    description: Annotated[str, Meta(max_length=1000)] = ""
    thumbnail: Annotated[str, Meta(max_length=65_536)] = ""
    """A small JPEG (100 pixels do) in base64."""


class TextContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text."""

    body: Text
    preview_url: bool = True
    """Whether a link in it gets a preview."""
    preview: PreviewContent | None = None
    """The preview itself, where the provider takes one."""


class FileContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file: one of ``link``, ``url``, ``id``, ``data``."""

    link: str = ""
    """Where anyone can fetch it."""
    url: str = ""
    """The same as ``link``."""
    id: str = ""
    """The id of a stored file."""
    data: str = ""
    """The file itself in base64; a data URI is taken, too."""
    caption: Caption = ""
    filename: Annotated[str, Meta(max_length=255)] = ""
    """What the receiver sees of a document."""
    mimetype: Annotated[str, Meta(max_length=255)] = ""
    """If missing, wagate detects it."""
    mime_type: Annotated[str, Meta(max_length=255)] = ""
    """The same as ``mimetype``."""


class LocationContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place."""

    latitude: Latitude
    longitude: Longitude
    name: Caption = ""
    address: Caption = ""


class PollContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with answers to choose from."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    """The question."""
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=2, max_length=12)]
    """The answers; each differs from the others."""
    multiple: bool = False
    """Whether one may choose several."""


class ReactionContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An emoji on a message."""

    message_id: Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
    """The provider's id of the message."""
    emoji: Annotated[str, Meta(max_length=64)]
    """Empty takes it back."""


File = FileContent | Annotated[str, Meta(min_length=1, description="The same as `link`.")] | None


class MessageContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent: one of the fields named for a type."""

    type: MessageType | None = None
    """Which one; it may be left out."""
    text: Text | TextContent | None = None
    image: File = None
    video: File = None
    audio: File = None
    voice: File = None
    document: File = None
    sticker: File = None
    location: LocationContent | None = None
    contacts: Annotated[list[NotEmpty], Meta(min_length=1, max_length=100)] | None = None
    """Cards in Meta's form: ``name.formatted_name``, ``phones[].phone`` …; ``vcard`` (text) may stand instead."""
    poll: PollContent | None = None
    reaction: ReactionContent | None = None
    template: NotEmpty | None = None
    """In Meta's form: ``name``, ``language`` (its code), ``components``."""
    interactive: NotEmpty | None = None
    """In Meta's form: ``type``, ``header``, ``body``, ``footer``, ``action``."""
    mentions: Annotated[list[Address], Meta(max_length=1000)] = []
    """Who is mentioned in a group: numbers, or chats' keys; ``all`` is everybody in it."""


class SendBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to send."""

    to: Address
    """A phone number (``+1234567890``), a chat's key (``1234567890@c.us``), or a group (``…@g.us``)."""
    message: Text | MessageContent
    """A text, or an object such as ``{"text": "Hello"}`` or ``{"image": {"link": …}}``."""
    tenant_id: str | None = None
    """Whose it is, by slug or id; needed with the admin token, unless ``account`` says it."""
    account: str | None = None
    """The account that sends it; else the chat's own, else one is chosen."""
    reply_to_message_id: MessageId | None = None
    """The provider's id of the message that it answers."""
    job_id: str | None = None
    """The job that it completes: done once the answer is 2xx."""
    lease_id: str | None = None
    """Of that job: a stale one is refused."""
    metadata: dict[str, Any] = {}
    """Comes back with the message's events; 16 KiB at most."""


class EditBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sent message is to say from now on."""

    text: Text
    """The new text, or the new caption of a file."""
