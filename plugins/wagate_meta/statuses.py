"""How far our messages got."""

from __future__ import annotations

from typing import Any

from wagate.events import NewEvent, kinds
from wagate.events.acks import DELIVERED, FAILED, PLAYED, READ, SENT, ack_extra
from wagate.parsing.fields import first_text, identifier, instant, mapping, shortened
from wagate_meta.change import Change, group_key
from wagate_meta.errors import GraphError, is_window, plain_reason

_STATUSES = frozenset({SENT, DELIVERED, READ, PLAYED, FAILED})


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
        extra=_extra(item, status),
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
    return extra
