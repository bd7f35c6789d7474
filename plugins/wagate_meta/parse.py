"""A webhook's body as events: every entry, change and item, each for itself.

Shapes: Meta's OpenAPI v23.0 (github.com/facebook/openapi) and https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from wagate.events import NewEvent, Raw, kinds
from wagate.events.acks import DELIVERED, FAILED, PARTICIPANT, PLAYED, READ, SENT, ack_extra
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened
from wagate_meta.change import Change, group_key, opaque_key
from wagate_meta.errors import GraphError, is_window, plain_reason
from wagate_meta.messages import echo_event, message_event

Read = Callable[[dict[str, Any], Change], NewEvent | None]

_MENDED = ("\ufffd".encode(), b"1.7976931348623157e308")
"""What `wagate.parsing.jsonbody` puts in place of what no JSON text of ours can hold."""
_MOST_EXTRA = 65_536
"""Bytes of a change that an event not known here repeats in ``extra``; the rest is only in ``raw``."""

_STATUSES = frozenset({SENT, DELIVERED, READ, PLAYED, FAILED})

_CARRIED = (
    "biz_opaque_callback_data",
    "recipient_user_id",
    "recipient_parent_user_id",
    "recipient_participant_user_id",
    "recipient_username",
)
"""Of a status: what the sender gave along, and whom it is about where no phone is told."""

_PEOPLE = ("added_participants", "removed_participants", "failed_participants")

_ANSWERS = {"ACCEPTED": kinds.CALL_ACCEPTED, "REJECTED": kinds.CALL_REJECTED}


def parse(request: InboundRequest, account: ProviderAccount) -> list[NewEvent]:
    """The events of one POST, in order; one for each message, echo, status, call, group change and error.

    An item that can't be read is an ``unknown`` event with its own bytes, and so is a change without such items.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    _ = account
    document = request.json()
    entries = document.get("entry")
    if not isinstance(entries, list):
        return [_unknown(document, reason="no list of entries")]
    return [event for entry in entries for event in _entry(entry)]


def _entry(entry: object) -> Iterator[NewEvent]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(changes, list):
        yield _unknown(entry, reason="no list of changes")
        return
    for item in changes:
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(value, dict):
            yield _unknown(item, reason="no value")
            continue
        change = Change.read(item, value, waba=identifier(entry.get("id")), at=instant(entry.get("time")))
        yield from _change(change, item)


def _change(change: Change, item: dict[str, Any]) -> Iterator[NewEvent]:
    found = False
    for name, read in _ITEMS.items():
        items = change.value.get(name)
        for each in items if isinstance(items, list) else ():
            found = True
            yield _item(each, read, change)
    if not found:
        yield _other(change, item)


def _item(item: object, read: Read, change: Change) -> NewEvent:
    event = read(item, change) if isinstance(item, dict) else None
    if event is None:
        return msgspec.structs.replace(
            _unknown(item, reason="it can't be read"), number=change.number, recipient=change.ours
        )
    return msgspec.structs.replace(event, number=change.number, raw=_raw(item))


def _status(item: dict[str, Any], change: Change) -> NewEvent | None:
    about_call = item.get("type") == "call" or change.field == "calls"
    return call_status_event(item, change) if about_call else status_event(item, change)


def _error(item: dict[str, Any], change: Change) -> NewEvent:
    return NewEvent(
        kind=kinds.UNKNOWN, type="error", recipient=change.ours, extra={"field": change.field, "error": shortened(item)}
    )


def _other(change: Change, item: dict[str, Any]) -> NewEvent:
    """A change that is only kept: account_update, message_template_status_update, history and the like."""
    body = msgspec.json.encode(item)
    fits = len(body) <= _MOST_EXTRA
    # Redelivered with the time it had at first: then it is one. Without a time nothing tells two of them apart.
    dated = change.at is not None and bool(change.waba)
    return NewEvent(
        kind=kinds.UNKNOWN,
        provider_id=identifier(f"{change.waba}/{change.field}") if dated else "",
        variant=fingerprint(change.at.isoformat(), body.decode()) if change.at is not None else "",
        type=change.field or "unknown",
        timestamp=change.at,
        extra={"field": change.field, "waba": change.waba} | ({"value": shortened(change.value)} if fits else {}),
        raw=_raw(item),
        number=change.number,
    )


def _unknown(item: object, *, reason: str) -> NewEvent:
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        extra={"reason": reason, "type": identifier(mapping(item).get("type"))},
        raw=_raw(item),
    )


def _raw(item: object) -> Raw | None:
    """The item's bytes; None, which is the whole body, when reading had to mend something in it."""
    body = msgspec.json.encode(item)
    return None if any(mark in body for mark in _MENDED) else Raw(body=body)


def status_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """A ``message.ack``; a status word that is not known here is kept as ``unknown``; None without one or an id.

    In a group each participant has statuses of their own: they are told apart by whose they are.
    """
    found, status = identifier(item.get("id")), first_text(item, "status")
    if not found or not status:
        return None
    in_group = item.get("recipient_type") == "group"
    person = change.person(
        item.get("recipient_participant_id") if in_group else item.get("recipient_id"),
        item.get("recipient_participant_user_id") if in_group else item.get("recipient_user_id"),
        item.get("recipient_participant_parent_user_id") if in_group else item.get("recipient_parent_user_id"),
    )
    chat = group_key(item.get("recipient_id")) if in_group else person.key
    return NewEvent(
        kind=kinds.MESSAGE_ACK if status in _STATUSES else kinds.UNKNOWN,
        provider_id=found,
        variant=f"{status}/{person.key}" if in_group and person.key else status,
        chat=chat,
        sender=change.ours,
        recipient=person.key or chat,
        message_id=found,
        type="ack",
        timestamp=instant(item.get("timestamp")),
        from_me=True,
        reference=identifier(item.get("biz_opaque_callback_data")),
        extra=_extra(item, status) | ({PARTICIPANT: person.key} if in_group and person.key else {}),
    )


def _extra(item: dict[str, Any], status: str) -> dict[str, Any]:
    errors = item.get("errors")
    error = GraphError.read(errors[0]) if isinstance(errors, list) and errors else None
    if status not in _STATUSES:
        extra: dict[str, Any] = {"status": status}
    elif status == FAILED and error is not None:
        extra = ack_extra(status, code=error.code_text, reason=plain_reason(error), window=is_window(error))
    else:
        extra = ack_extra(status)
    extra |= {name: shortened(item[name]) for name in ("conversation", "pricing") if mapping(item.get(name))}
    extra |= {name: text for name in _CARRIED if (text := identifier(item.get(name)))}
    return extra


def preference_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """What somebody wants to get from us: ``stop`` or ``resume`` of marketing messages; None when nobody is named.

    Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/user_preferences
    """
    person = change.person(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id"))
    if not person.key:
        return None
    category, value = first_text(item, "category"), first_text(item, "value")
    moment = instant(item.get("timestamp")) or change.at
    return NewEvent(
        kind=kinds.UNKNOWN,
        # It has no id; a redelivery says the same of the same moment.
        provider_id=identifier(f"{change.field}/{person.key}/{category}") if moment else "",
        variant=f"{value}/{moment.isoformat()}" if moment else "",
        chat=person.key,
        sender=person.key,
        recipient=change.ours,
        type="user_preferences",
        content=first_text(item, "detail"),
        timestamp=moment,
        contact_name=person.name,
        aliases=person.aliases,
        extra={"event": "user_preferences", "preference": shortened(item)},
    )


def group_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """``group.create``, ``group.delete``, ``group.join``, ``group.leave`` or ``group.update``; None without its id."""
    chat = group_key(item.get("group_id"))
    if not chat:
        return None
    about = {name: text for name in ("subject", "description") if (text := first_text(item, name))}
    return NewEvent(
        kind=kinds.GROUP_PREFIX + _what(item, change.field),
        provider_id=chat,
        # Meta gives these no id of their own, and repeats one as it was.
        variant=fingerprint(change.field, msgspec.json.encode(item).decode()),
        chat=chat,
        recipient=change.ours,
        type="group",
        content=about.get("subject", ""),
        timestamp=instant(item.get("timestamp")),
        extra={
            "group": {"id": chat, **about},
            "type": first_text(item, "type"),
            "participants": [key for name in _PEOPLE[:2] for key in _people(item.get(name))],
        }
        | ({"group_name": about["subject"]} if "subject" in about else {}),
    )


def _what(item: dict[str, Any], field: str) -> str:
    """By the field first: in Meta's own examples ``type`` says group_create of a removal, too."""
    kind = first_text(item, "type")
    if field == "group_participants_update" or kind.startswith("group_participants"):
        if item.get("removed_participants"):
            return "leave"
        return "join" if item.get("added_participants") else "update"
    return {"group_create": "create", "group_delete": "delete"}.get(kind, "update")


def _people(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    people = (mapping(each) for each in value)
    keys = (
        chat_key(identifier(one.get("wa_id") or one.get("input"))) or opaque_key(one.get("user_id")) for one in people
    )
    return [key for key in keys if key]


def call_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """``call.received`` when somebody's call comes in; its end and our own calls' set-up are kept as ``unknown``."""
    ours = first_text(item, "direction") == "BUSINESS_INITIATED"
    side = ("to", "to_user_id") if ours else ("from", "from_user_id")
    person = change.person(item.get(side[0]), item.get(side[1]))
    found, what = identifier(item.get("id")), first_text(item, "event")
    if not person.key:
        return None
    received = what == "connect" and not ours
    # Session descriptions are long, and of use to media servers only; the raw bytes have them.
    details = {name: shortened(value) for name, value in item.items() if name != "session"}
    return NewEvent(
        kind=kinds.CALL_RECEIVED if received else kinds.UNKNOWN,
        provider_id=found,
        variant=what,
        chat=person.key,
        sender=change.ours if ours else person.key,
        recipient=person.key if ours else change.ours,
        message_id=found,
        type="call",
        timestamp=instant(item.get("timestamp")),
        from_me=ours,
        contact_name=None if ours else person.name,
        aliases=() if ours else person.aliases,
        extra={"call": {**details, "id": found, "from": change.ours if ours else person.key}},
    )


def call_status_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """What became of a call of ours: accepted or rejected; ringing is kept as ``unknown``."""
    found, status = identifier(item.get("id")), first_text(item, "status")
    person = change.person(item.get("recipient_id"), item.get("recipient_user_id"))
    if not found or not status:
        return None
    return NewEvent(
        kind=_ANSWERS.get(status, kinds.UNKNOWN),
        provider_id=found,
        variant=status,
        chat=person.key,
        sender=person.key,
        recipient=change.ours,
        message_id=found,
        type="call",
        timestamp=instant(item.get("timestamp")),
        contact_name=person.name,
        aliases=person.aliases,
        extra={"call": {"id": found, "from": change.ours, "status": status}},
    )


_ITEMS: dict[str, Read] = {
    "messages": message_event,
    "message_echoes": echo_event,
    "statuses": _status,
    "calls": call_event,
    "groups": group_event,
    "user_preferences": preference_event,
    "errors": _error,
}
"""Lists of a change's value, and what reads one of their items; None: it can't be read."""
