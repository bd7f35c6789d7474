"""A webhook of Infobip's: whether it is Infobip's, and its body as events.

Infobip signs as it is told to, so the account's settings say what counts.
Source: Infobip's API reference (WhatsApp: receive messages, delivery and seen reports, template and identity
notifications), OpenAPI 3.210.0.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from wagate.errors import UnauthorizedError
from wagate.events import NewEvent, Raw, acks, kinds
from wagate.events.acks import ack_extra
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import digits_of
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened, whole
from wagate_infobip.content import read_content
from wagate_infobip.fields import key_of, person_keys, snake
from wagate_infobip.settings import sender_of, settings_of, tokens_of
from wagate_infobip.statuses import DELIVERED, DUPLICATE, FAILED_GROUPS, TO_OPERATOR, WINDOW


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """Any one of the ways that the account has set is enough; when none is set, nothing is.

    Raises:
        UnauthorizedError: no way fits.
    """
    if not any(way(request, account) for way in (_by_token, _by_password, _by_header, _by_hmac)):
        raise UnauthorizedError("this webhook has no token, password, header or signature that Infobip would send")


def _by_token(request: InboundRequest, account: ProviderAccount) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = (
        request.query.get("token", ""),
        bearer.strip() if scheme.lower() == "bearer" else "",
        request.headers.get("x-webhook-secret", ""),
    )
    return any(_same(each, token) for token in tokens_of(account) for each in shown)


def _by_password(request: InboundRequest, account: ProviderAccount) -> bool:
    settings = settings_of(account)
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    if not settings.webhook_username or scheme.lower() != "basic":
        return False
    try:
        shown = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(shown, f"{settings.webhook_username}:{settings.webhook_password}".encode())


def _by_header(request: InboundRequest, account: ProviderAccount) -> bool:
    settings = settings_of(account)
    shown = request.headers.get(settings.webhook_header.lower(), "")
    return bool(settings.webhook_header) and _same(shown, settings.webhook_header_value)


def _by_hmac(request: InboundRequest, account: ProviderAccount) -> bool:
    """The header's name and what is signed are not documented: the raw body, with or without ``sha256=`` in front."""
    settings = settings_of(account)
    if not settings.hmac_secret:
        return False
    shown = request.headers.get(settings.hmac_header.lower(), "").strip()
    shown = shown.removeprefix(f"{settings.hmac_algorithm}=")
    digest = hmac.digest(settings.hmac_secret.encode(), request.body, settings.hmac_algorithm)
    if settings.hmac_encoding == "base64":
        return _same(shown, base64.b64encode(digest).decode())
    return _same(shown.lower(), digest.hex())


def _same(shown: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(shown.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


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
        extra=({"username": username} if username else {}) | _carried(item, message),
    )
    if first_text(message, "type").upper() == "REACTION":
        return _reaction(base, message)
    return _with_content(base, message)


def _carried(item: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """What stands beside the message: whether the customer's device is known, what we gave along, what it answers."""
    found: dict[str, Any] = {}
    if identity := mapping(item.get("identity")) or mapping(message.get("identity")):
        found["identity"] = shortened(snake(identity))
    for theirs, ours in (("callbackData", "callback_data"), ("pairedMessageId", "paired_message_id")):
        if text := identifier(item.get(theirs)):
            found[ours] = text
    if keyword := first_text(item, "keyword"):
        found["keyword"] = keyword
    return found


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


def delivery_event(item: dict[str, Any]) -> NewEvent:
    """A delivery report: one status of one message."""
    status = mapping(item.get("status"))
    group, status_id = whole(status.get("groupId")), whole(status.get("id"))
    word = status_word(group, status_id)
    extra = _failure(status, mapping(item.get("error"))) if word == acks.FAILED else ack_extra(word)
    # Reports are told apart by the status's id too: "rejected" and "expired" are both failures.
    return _ack(item, f"{word}:{status_id}", extra, chat=key_of(item, "to"), at=("doneAt", "sentAt"))


def seen_event(item: dict[str, Any], our_number: str) -> NewEvent:
    """A seen report. Which of ``from`` and ``to`` is us differs between its examples.

    The report's ``contact`` tells, or our number; else the message went to ``to``.
    """
    sides = (key_of(item, "to"), key_of(item, "from"))
    people = person_keys(item)
    known = [side for side in sides if side in people or (our_number and digits_of(side) == our_number)]
    if not known:
        return _ack(item, acks.READ, ack_extra(acks.READ), chat=sides[0], at=("seenAt",))
    [other] = {*sides, ""} - {known[0], ""} or {""}
    chat, ours = (known[0], other) if known[0] in people else (other, known[0])
    return _ack(item, acks.READ, ack_extra(acks.READ), chat=chat, ours=ours, at=("seenAt",))


def status_word(group: int | None, status_id: int | None) -> str:
    """Our word for a status. A duplicate id was refused because the message is there already: it is not a failure."""
    if status_id == DUPLICATE:
        return acks.PENDING
    if group in FAILED_GROUPS:
        return acks.FAILED
    if group == DELIVERED:
        return acks.SENT if status_id == TO_OPERATOR else acks.DELIVERED
    return acks.PENDING


def _failure(status: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    code = whole(error.get("id"))
    about = error if code else status
    name, description = first_text(about, "name"), first_text(about, "description")
    reason = ": ".join(part for part in (name, description) if part) or first_text(status, "groupName")
    if code == WINDOW:
        reason += " (outside the 24 h window: send a template)"
    extra = ack_extra(acks.FAILED, code=identifier(about.get("id")), reason=reason, window=code == WINDOW)
    if isinstance(error.get("permanent"), bool) and "error" in extra:
        extra["error"]["permanent"] = error["permanent"]
    return extra


def _ack(
    item: dict[str, Any], variant: str, extra: dict[str, Any], *, chat: str, at: tuple[str, ...], ours: str = ""
) -> NewEvent:
    message_id = identifier(item.get("messageId"))
    return NewEvent(
        kind=kinds.MESSAGE_ACK,
        provider_id=message_id,
        variant=variant,
        message_id=message_id,
        # Our own id is the message's, and what it carries back.
        reference=identifier(item.get("callbackData")) or message_id,
        chat=chat,
        sender=ours,
        recipient=chat,
        number=digits_of(ours),
        type="ack",
        timestamp=next((moment for field in at if (moment := instant(item.get(field)))), None),
        from_me=True,
        extra=extra,
    )
