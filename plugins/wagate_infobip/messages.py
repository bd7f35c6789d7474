"""One item of ``results`` with a ``message``: what a person sent us."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from wagate.events import NewEvent, kinds
from wagate.parsing.chats import digits_of
from wagate.parsing.fields import first_text, identifier, instant, mapping
from wagate_infobip.content import read_content
from wagate_infobip.fields import key_of, person_keys, snake


def message_event(item: dict[str, Any]) -> NewEvent:
    """The event of one inbound item: a message, or a reaction."""
    message, contact = mapping(item.get("message")), mapping(item.get("contact"))
    found, people, ours = identifier(item.get("messageId")), person_keys(item), key_of(item, "to")
    sender = key_of(item, "from") or next(iter(people), "")
    username = first_text(contact, "username")
    base = NewEvent(
        kind=kinds.MESSAGE,
        provider_id=found,
        message_id=found,
        chat=sender,
        sender=sender,
        recipient=ours,
        number=digits_of(ours),
        aliases=tuple(key for key in people if key != sender),
        timestamp=instant(item.get("receivedAt")),
        contact_name=first_text(contact, "name") or username or None,
        extra={"username": username} if username else {},
    )
    if first_text(message, "type").upper() == "REACTION":
        return _reaction(base, message)
    return _with_content(base, message)


def _with_content(base: NewEvent, message: dict[str, Any]) -> NewEvent:
    content, context = read_content(message), mapping(message.get("context"))
    extra = base.extra | content.extra
    if referral := mapping(message.get("referral")):
        extra["referral"] = snake(referral)
    if product := mapping(context.get("referredProduct")):
        extra["referredProduct"] = snake(product)
    return replace(
        base,
        type=content.type,
        content=content.text,
        media=content.media,
        reply_to=identifier(context.get("id")) or None,
        extra=extra,
    )


def _reaction(base: NewEvent, message: dict[str, Any]) -> NewEvent:
    """An emoji on a message of ours; taken back: ``action`` is REMOVED, or there is no emoji."""
    emoji = "" if first_text(message, "action").upper() == "REMOVED" else first_text(message, "emoji")
    about = identifier(mapping(message.get("context")).get("id"))
    return replace(
        base,
        kind=kinds.MESSAGE_REACTION,
        variant=identifier(f"{emoji}{base.timestamp.isoformat() if base.timestamp else ''}"),
        message_id=about,
        type="reaction",
        content=emoji,
        extra=base.extra | {"reaction": {"text": emoji, "messageId": about}},
    )
