"""A message to be written in Chatwoot: what it says, and how it goes over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

import msgspec
from msgspec.structs import asdict

MOST_CONTENT = 150_000
"""Characters of a message (source: Chatwoot's app/models/message.rb)."""


class Post(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message. Field names are Chatwoot's."""

    content: str = ""
    """Markdown."""
    message_type: Literal["incoming", "outgoing"] = "incoming"
    private: bool = False
    """A note that only agents see."""
    content_attributes: dict[str, Any] = {}
    """``in_reply_to`` (Chatwoot's id), ``in_reply_to_external_id`` (a source_id) and anything else."""
    source_id: str = ""
    """The id on WhatsApp, by which it is found again. One with a source_id is never sent to WhatsApp."""
    is_voice_message: bool = False
    external_created_at: int | None = None
    """When it was written, Unix seconds; Chatwoot shows it in place of the time of arrival."""


class File(Protocol):
    """A file to attach; `wagate.hooks.media.MediaFile` is one."""

    @property
    def filename(self) -> str:
        """As agents see it."""

    @property
    def mimetype(self) -> str:
        """Its type."""

    @property
    def size(self) -> int:
        """Bytes."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, in pieces."""


class BytesFile(msgspec.Struct, frozen=True, kw_only=True):
    """A small file in memory (a QR code)."""

    filename: str
    mimetype: str
    body: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """In one piece."""
        yield self.body


def as_json(post: Post) -> bytes:
    """The body of a post without files."""
    return msgspec.json.encode(_given(post))


def as_fields(post: Post) -> dict[str, str]:
    """The form's fields of a post with files; ``content_attributes`` is JSON in a string."""
    return {name: _text(value) for name, value in _given(post).items()}


def _given(post: Post) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(post).items() if value not in ("", None, False, {})}
    return kept | {"content": post.content[:MOST_CONTENT], "message_type": post.message_type, "private": post.private}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
