"""Calls: someone rings, or answers us."""

from __future__ import annotations

from typing import Any

from wagate.events import NewEvent, kinds
from wagate.parsing.fields import first_text, identifier, instant, shortened
from wagate_meta.change import Change

_ANSWERS = {"ACCEPTED": kinds.CALL_ACCEPTED, "REJECTED": kinds.CALL_REJECTED}


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
