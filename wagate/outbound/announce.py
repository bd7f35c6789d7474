"""Messages as others see them, and the events of one on its way: submitted, sent, failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.events import Media, NewEvent, kinds
from wagate.events.acks import failure_of
from wagate.hooks.contracts import Target
from wagate.hooks.messages import MessageView, OutMessage
from wagate.inbound.receive import dedupe_key, stored_event
from wagate.inbound.route import Router
from wagate.outbound.context import OUTBOUND
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.vcards import card_of, vcard_of
from wagate.storage.events.intake import Intake
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.owners.directory import Account, Directory

FIXED = "fixed"
"""In ``extra`` of a ``message.send``: whether the message named its account, so that no other one may send it."""


def submission(
    account: Account, message: OutMessage, message_id: str, router: Router, *, fixed: bool, now: datetime
) -> Intake:
    """The event that brings a message out: for the account's sender alone."""
    new = _about(account, message, message_id, kind=kinds.MESSAGE_SEND, extra={"id": message_id, FIXED: fixed})
    event = stored_event(account, new, now)
    return Intake(event=event, routes=router.routes_to(OUTBOUND, [Target(id=account.id)], event))


def sent(account: Account, row: MessageRow, provider_id: str, router: Router, *, now: datetime) -> Intake:
    """``message.any`` (of a reaction: ``message.reaction``) for all who want it.

    The provider's own echo of the message is a duplicate of it, or it of the echo: whichever comes first.
    """
    message = message_of(row)
    extra: dict[str, Any] = {"source": row.source, "id": row.id, "metadata": row.metadata, **_details(message)}
    kind = kinds.MESSAGE_REACTION if message.reaction is not None else kinds.MESSAGE_ANY
    new = _about(account, message, provider_id, kind=kind, extra=extra)
    if kind == kinds.MESSAGE_ANY:
        new = msgspec.structs.replace(new, provider_id=provider_id, dedupe_kind=kinds.MESSAGE)
    return _for_all(account, new, router, now)


def failed(account: Account, row: MessageRow, directory: Directory, router: Router, *, now: datetime) -> Intake:
    """``message.failed`` for all who want it, once for each time that it failed."""
    error = failure_of(row.error_code or "", row.error or "", window=row.outside_window)
    extra = {
        "message": msgspec.to_builtins(view_of(row, directory)),
        "error": error,
        "metadata": row.metadata,
        "source": row.source,
        "id": row.id,
    }
    new = _about(account, message_of(row), row.provider_id, kind=kinds.MESSAGE_FAILED, extra=extra)
    when = row.failed_at.isoformat() if row.failed_at is not None else ""
    return _for_all(account, msgspec.structs.replace(new, provider_id=row.id, variant=when), router, now)


def account_of(row: MessageRow, directory: Directory) -> Account | None:
    """The account of a message, also when it was deleted since; None: its client was."""
    client = directory.clients.get(row.client_id)
    if client is None:
        return None
    found = directory.by_id.get(row.account_id)
    if found is not None:
        return found
    return Account(
        id=row.account_id,
        name=row.account,
        client_id=client.id,
        tenant=client.slug,
        provider=row.provider,
        phone="",
        metadata={},
        ignore={},
        webhook_secret="",
        source="",
    )


def _for_all(account: Account, new: NewEvent, router: Router, now: datetime) -> Intake:
    event = stored_event(account, new, now)
    return Intake(event=event, dedupe_key=dedupe_key(account, new), routes=router.routes(event))


def _about(account: Account, message: OutMessage, message_id: str, *, kind: str, extra: dict[str, Any]) -> NewEvent:
    return NewEvent(
        kind=kind,
        chat=message.chat,
        sender=chat_key(account.phone),
        recipient=message.chat,
        message_id=message_id,
        type=message.type,
        content=content_of(message),
        from_me=True,
        media=_media(message),
        reply_to=message.reply_to or None,
        extra=extra,
    )


def _media(message: OutMessage) -> Media | None:
    media = message.media
    if media is None:
        return None
    return Media(
        mimetype=media.mimetype,
        filename=media.filename or None,
        url=media.url or None,
        caption=message.text or None,
    )


def _details(message: OutMessage) -> dict[str, Any]:
    """What an incoming message of this type has in ``extra``."""
    details: dict[str, Any] = {}
    if message.location is not None:
        details["location"] = msgspec.to_builtins(message.location)
    if message.poll is not None:
        poll = message.poll
        details["poll"] = {"name": poll.name, "options": list(poll.options), "multiple": poll.multiple}
    if message.contacts:
        cards = [card if "vcard" not in card else card_of(str(card["vcard"])) | card for card in message.contacts]
        details["contacts"] = [{name: each for name, each in card.items() if name != "vcard"} for card in cards]
        details["vcards"] = [str(card.get("vcard") or vcard_of(card)) for card in cards]
    if message.reaction is not None:
        details["reaction"] = {"text": message.reaction.emoji, "messageId": message.reaction.message_id}
    if message.media is not None and message.media.media_id:
        details["media_id"] = message.media.media_id
    return details


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
    if message.template is not None:
        return message.text or _words_of(message.template)
    return message.text or first_text(mapping(mapping(message.interactive).get("body")), "text")


def _words_of(template: dict[str, Any]) -> str:
    """``order_shipped: Ann, 12345``: its name, and what fills its body; the provider alone knows the text."""
    bodies = [each for each in _list(template.get("components")) if first_text(mapping(each), "type") == "body"]
    filled = [first_text(mapping(value), "text") for each in bodies for value in _list(mapping(each).get("parameters"))]
    filled += [str(value) for value in mapping(template.get("content_variables")).values()]
    name = first_text(template, "name", "content_sid")
    return ": ".join(part for part in (name, ", ".join(filter(None, filled))) if part)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
