"""A webhook's body → events.

Source: InfoBip's API reference (WhatsApp: receive messages, delivery and seen reports, template and identity
notifications), OpenAPI 3.210.0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from wagate.events import NewEvent, Raw, kinds
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import digits_of
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened
from wagate_infobip.content import read_content
from wagate_infobip.fields import key_of, person_keys, snake
from wagate_infobip.reports import delivery_event, seen_event
from wagate_infobip.settings import sender_of


def parse(request: InboundRequest, account: ProviderAccount) -> Sequence[NewEvent]:
    """One event for each of ``results``, told apart by their keys; one for a body without them.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    document = request.json()
    results = document.get("results")
    if not isinstance(results, list):
        return [_notice(document)]
    events = [_event(item, sender_of(account)) for item in results]
    if len(results) == 1:
        return events
    return [replace(event, raw=_raw(item)) for event, item in zip(events, results, strict=True)]


def _event(item: object, our_number: str) -> NewEvent:
    if not isinstance(item, dict):
        return NewEvent(kind=kinds.UNKNOWN, type="unknown", extra={"event": "", "data": shortened(item)})
    if isinstance(item.get("message"), dict):
        return message_event(item)
    if item.get("seenAt"):
        return seen_event(item, our_number)
    if isinstance(item.get("status"), dict):
        return delivery_event(item)
    return replace(_notice(item), provider_id="", number="")


def _notice(document: dict[str, Any]) -> NewEvent:
    """What is no message and no report: identity changes, payments, stop and resume, templates. Kept as it is."""
    content = mapping(document.get("content"))
    change = first_text(mapping(document.get("change")), "type")
    status = first_text(content, "notificationMessagesStatus")
    event = first_text(content, "type") or change or (f"notification_messages_{status}" if status else "")
    user = key_of(content, "userNumber", "from", "userId")
    at = first_text(document, "createdAt", "timestamp")
    text = json.dumps(document, sort_keys=True)
    return NewEvent(
        kind=kinds.UNKNOWN,
        # It has no id of its own; a redelivery says the same of the same moment.
        provider_id=f"{event.lower()}/{fingerprint(text)}" if event and at else "",
        type="unknown",
        chat=user,
        sender=user,
        number=digits_of(key_of(document, "from")),
        timestamp=instant(at),
        extra={"event": event.lower(), "data": shortened(document)},
    )


def _raw(item: object) -> Raw:
    return Raw(body=json.dumps(item, ensure_ascii=False).encode("utf-8", "replace"))


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
