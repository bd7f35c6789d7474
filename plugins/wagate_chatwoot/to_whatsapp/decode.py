"""What a webhook of Chatwoot says that somebody did. Pure; every key but the ids is optional, as in old servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from wagate.parsing.fields import first_text, instant, mapping, whole, wrong
from wagate.parsing.jsonbody import read_object
from wagate_chatwoot.agents.asks import STATUS_SOURCE, is_command
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.to_whatsapp.actions import (
    Action,
    Assigned,
    Attachment,
    Command,
    Delete,
    Ignore,
    Moved,
    Resend,
    Send,
    Typing,
    Where,
    name_of,
)

_TYPES = {0: "incoming", 1: "outgoing", 2: "activity", 3: "template"}
_RECORDING = re.compile(
    r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?:audio|voice|record)(?:ing|ed)?(?:[-_ ]?(?:note|message|audio))?[-_ 0-9().T:]*)\.\w{2,5}",
    re.IGNORECASE,
)
"""How recorders name their files: by a UUID, or by what it is and when."""
_BORN_WITH = frozenset({"in_reply_to", "in_reply_to_external_id", "items", "cc_emails", "bcc_emails", "to_emails"})
"""Attributes that a message may have from its first moment on."""
_FOR_CUSTOMERS = frozenset({"outgoing", "template"})


def decode(body: bytes, inbox: Inbox) -> Action:
    """What is to be done about a webhook.

    Raises:
        BadRequestError: it is no JSON object, or a message without its id or its conversation.
    """
    document = read_object(body)
    if reason := _not_ours(document, inbox):
        return Ignore(reason=reason)
    event = first_text(document, "event")
    read = _EVENTS.get(event)
    return Ignore(reason=f"nothing to do at {event[:60]!r}") if read is None else _for_wagate(read(document), inbox)


def _for_wagate(action: Action, inbox: Inbox) -> Action:
    """The action, or the command that it is: in a customer's conversation, too, it never goes to WhatsApp."""
    send = action.send if isinstance(action, Resend) else action
    if not isinstance(send, Send):
        return action
    if not is_command(send.where.source, send.content, anywhere=inbox.commands.enabled):
        return action
    return Ignore(reason="an update of a command") if isinstance(action, Resend) else _command(send)


def _command(send: Send) -> Command:
    return Command(where=send.where, message=send.message, text=send.content, author=send.author, email=send.email)


def _not_ours(document: dict[str, Any], inbox: Inbox) -> str:
    """Why it belongs to another inbox or account: an account's webhook tells of all of them."""
    conversation = _conversation_of(document)
    account = whole(mapping(document.get("account") or conversation.get("account")).get("id"))
    told = [mapping(document.get("inbox")).get("id"), conversation.get("inbox_id")]
    ids = {each for each in map(whole, told) if each is not None}
    if account not in {None, inbox.account_id}:
        return "it belongs to another Chatwoot account"
    return "" if ids <= {inbox.inbox_id} else "it belongs to another inbox"


def _created(document: dict[str, Any]) -> Action:
    if reason := _not_for_customers(document):
        return Ignore(reason=reason)
    send = _send(document)
    if send.where.source == STATUS_SOURCE:
        return _command(send)
    attributes = mapping(document.get("content_attributes"))
    if attributes.get("deleted") is True:
        # The body is made late: it may show the message as it was deleted since.
        return Delete(where=send.where, message=send.message)
    return send


def _updated(document: dict[str, Any]) -> Action:
    """A deletion, or what *Retry* leaves behind.

    Chatwoot's *Retry* empties content_attributes, or in newer versions takes ``external_error`` out of them and keeps
    what the message was born with (app/controllers/api/v1/accounts/conversations/messages_controller.rb). A status
    that we wrote leaves the key there, with null or a text; servers that leave out null make it look like *Retry*,
    and what is known of the message tells (`wagate_chatwoot.to_whatsapp.retries`).
    """
    if reason := _not_for_customers(document):
        return Ignore(reason=reason)
    attributes = mapping(document.get("content_attributes"))
    send = _send(document)
    if send.where.source == STATUS_SOURCE:
        return Ignore(reason="an update in the status conversation")
    if attributes.get("deleted") is True:
        return Delete(where=send.where, message=send.message)
    if "external_error" in attributes:
        return Ignore(reason="a status was written")
    return Resend(send=send, bare=not attributes.keys() - _BORN_WITH)


def _not_for_customers(document: dict[str, Any]) -> str:
    kind = document.get("message_type")
    kind = _TYPES.get(kind) if isinstance(kind, int) else kind
    if not isinstance(kind, str) or kind not in _FOR_CUSTOMERS:
        return "it is not an agent's message"
    if document.get("private") not in (None, False):
        return "a private note"
    # What came from WhatsApp has its id there. The echo may come before the answer to our own request.
    return "it came from WhatsApp" if document.get("source_id") else ""


def _send(document: dict[str, Any]) -> Send:
    """The event's own message; never ``conversation.messages[0]``, which may be another one."""
    message, where = whole(document.get("id")), _where(_conversation_of(document))
    if message is None or message < 1:
        raise wrong("id", "the message's id is missing")
    if where is None:
        raise wrong("conversation.id", "the conversation's id is missing")
    attributes = mapping(document.get("content_attributes"))
    sender = mapping(document.get("sender"))
    person = sender if sender.get("type") == "user" else {}
    created = instant(document.get("created_at"))
    template = mapping(mapping(document.get("additional_attributes")).get("template_params"))
    return Send(
        where=where,
        message=message,
        content=first_text(document, "content"),
        content_type=first_text(document, "content_type") or "text",
        attachments=_attachments(document.get("attachments")),
        reply_to=whole(attributes.get("in_reply_to")),
        reply_to_source=first_text(attributes, "in_reply_to_external_id"),
        template=template or None,
        items=_items(attributes.get("items")),
        author=first_text(person, "available_name", "name"),
        email=first_text(person, "email"),
        created_at=created.timestamp() if created is not None else 0.0,
        failed=document.get("status") == "failed",
    )


def _typing(document: dict[str, Any], *, on: bool) -> Action:
    if mapping(document.get("user")).get("type") != "user":
        return Ignore(reason="the customer's own typing")
    if document.get("is_private") not in (None, False):
        return Ignore(reason="typing a private note")
    where = _where(_conversation_of(document))
    return Typing(where=where, on=on) if where else Ignore(reason="no conversation")


def _moved(document: dict[str, Any]) -> Action:
    where = _where(document)
    return Moved(where=where, status=first_text(document, "status")) if where else Ignore(reason="no conversation")


def _conversation(document: dict[str, Any]) -> Action:
    changes = document.get("changed_attributes")
    assignee: dict[str, Any] = {}
    for change in changes if isinstance(changes, list) else []:
        assignee = mapping(mapping(change).get("assignee_id")) or assignee
    where = _where(document)
    if where is None or assignee.get("current_value") is None:
        return Ignore(reason="nothing changed that affects WhatsApp")
    return Assigned(where=where)


def _conversation_of(document: dict[str, Any]) -> dict[str, Any]:
    return mapping(document.get("conversation")) or (document if "contact_inbox" in document else {})


def _where(conversation: dict[str, Any]) -> Where | None:
    number = whole(conversation.get("id"))
    if number is None or number < 1:
        return None
    contact = mapping(mapping(conversation.get("meta")).get("sender"))
    return Where(
        conversation=number,
        source=first_text(mapping(conversation.get("contact_inbox")), "source_id"),
        phone=first_text(contact, "phone_number"),
        identifier=first_text(contact, "identifier"),
    )


def _attachments(found: Any) -> tuple[Attachment, ...]:
    rows = [mapping(each) for each in found] if isinstance(found, list) else []
    return tuple(each for each in map(_attachment, rows) if each.url or each.latitude is not None)


def _attachment(row: dict[str, Any]) -> Attachment:
    latitude, longitude = _degrees(row.get("coordinates_lat"), 90), _degrees(row.get("coordinates_long"), 180)
    placed = latitude is not None and longitude is not None
    return Attachment(
        url=first_text(row, "data_url"),
        file_type=first_text(row, "file_type"),
        content_type=first_text(row, "content_type").partition(";")[0].strip().lower(),
        extension=first_text(row, "extension").lower().lstrip("."),
        voice=_is_recorded(row),
        latitude=latitude if placed else None,
        longitude=longitude if placed else None,
        title=first_text(row, "fallback_title"),
    )


def _is_recorded(row: dict[str, Any]) -> bool:
    """Whether Chatwoot's recorder made it.

    Newer servers and forks say so in ``meta``. Of an API inbox 4.15.1 only shows the name that its recorder gives: a
    UUID and ``.mp3`` (app/javascript/dashboard/components/widgets/WootWriter/AudioRecorder.vue).
    """
    meta = mapping(row.get("meta"))
    if any(meta.get(name) in (True, "true") for name in ("is_recorded_audio", "is_voice_message")):
        return True
    return (
        first_text(row, "file_type") == "audio"
        and _RECORDING.fullmatch(name_of(first_text(row, "data_url"))) is not None
    )


def _degrees(value: Any, most: int) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        return None
    return float(value)


def _items(found: Any) -> tuple[str, ...]:
    rows = [mapping(each) for each in found] if isinstance(found, list) else []
    return tuple(title for row in rows if (title := first_text(row, "title")))


_EVENTS: Mapping[str, Callable[[dict[str, Any]], Action]] = {
    "message_created": _created,
    "message_updated": _updated,
    "conversation_typing_on": partial(_typing, on=True),
    "conversation_typing_off": partial(_typing, on=False),
    "conversation_status_changed": _moved,
    "conversation_updated": _conversation,
}
