"""Items of ``results`` that tell how far a message of ours got: delivery reports and seen reports."""

from __future__ import annotations

from typing import Any

from wagate.events import NewEvent, acks, kinds
from wagate.events.acks import ack_extra
from wagate.parsing.chats import digits_of
from wagate.parsing.fields import first_text, identifier, instant, mapping, whole
from wagate_infobip.fields import key_of, person_keys
from wagate_infobip.statuses import DELIVERED, DUPLICATE, FAILED_GROUPS, TO_OPERATOR, WINDOW


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
