"""Messages as others see them, and as they are stored."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.hooks.messages import MessageView, OutMessage
from wagate.parsing.chats import digits_of
from wagate.parsing.fields import first_text, mapping
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.owners.directory import Directory


def view_of(row: MessageRow, directory: Directory) -> MessageView:
    """A stored message as plugins and the API show it."""
    owner = directory.clients.get(row.client_id)
    return MessageView(
        id=row.id,
        client_id=row.client_id,
        tenant_id=owner.slug if owner is not None else "",
        account=row.account,
        provider=row.provider,
        chat=row.chat,
        to=digits_of(row.chat),
        type=row.type,
        content=row.content,
        status=row.status,
        message_id=row.provider_id or None,
        error=row.error,
        error_code=row.error_code,
        job_id=row.job_id,
        created_at=row.created_at,
        sent_at=row.sent_at,
        delivered_at=row.delivered_at,
        read_at=row.read_at,
        failed_at=row.failed_at,
        updated_at=row.updated_at,
        warnings=row.warnings,
        part=message_of(row).part if "part" in row.message else None,
    )


def stored_form(message: OutMessage) -> dict[str, Any]:
    """A message in JSON types."""
    plain: dict[str, Any] = msgspec.to_builtins(message)
    return plain


def message_of(row: MessageRow) -> OutMessage:
    """The message that was submitted."""
    return msgspec.convert(row.message, OutMessage)


def content_of(message: OutMessage) -> str:
    """Text, else caption, else what stands in its place, else ''."""
    if message.reaction is not None:
        return message.reaction.emoji
    if message.poll is not None:
        return message.poll.name
    return message.text or first_text(mapping(mapping(message.interactive).get("body")), "text")
