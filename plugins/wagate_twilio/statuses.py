"""A status callback: how far a message of ours got."""

from __future__ import annotations

from wagate.events import NewEvent, acks, kinds
from wagate.events.acks import ack_extra
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import identifier
from wagate_twilio.errors import WINDOW, plain_reason

WORDS = {
    "accepted": acks.PENDING,
    "scheduled": acks.PENDING,
    "queued": acks.PENDING,
    "sending": acks.PENDING,
    "sent": acks.SENT,
    "delivered": acks.DELIVERED,
    "read": acks.READ,
    "undelivered": acks.FAILED,
    "failed": acks.FAILED,
    "canceled": acks.FAILED,
}
"""Twilio's MessageStatus → ours (source: Twilio's page on the Message resource, status values)."""


def status_event(form: dict[str, str], reference: str) -> NewEvent:
    """``message.ack``; a status word that is not known is kept as ``unknown``."""
    status = form.get("MessageStatus", "").lower()
    sid = identifier(form.get("MessageSid") or form.get("SmsSid"))
    chat, ours = chat_key(form.get("To", "")), chat_key(form.get("From", ""))
    word = WORDS.get(status)
    return NewEvent(
        kind=kinds.MESSAGE_ACK if word else kinds.UNKNOWN,
        provider_id=sid,
        variant=identifier(status),
        message_id=sid,
        reference=identifier(reference),
        chat=chat,
        sender=ours,
        recipient=chat,
        number=digits_of(ours),
        type="ack",
        from_me=True,
        extra=_extra(form, word) if word else {"status": status},
    )


def _extra(form: dict[str, str], word: str) -> dict[str, object]:
    code = form.get("ErrorCode", "")
    if word != acks.FAILED:
        return ack_extra(word)
    told = form.get("ErrorMessage") or form.get("ChannelStatusMessage") or ""
    status = form.get("MessageStatus", "").lower()
    reason = plain_reason(code, told) or f"Twilio says {status}"
    return ack_extra(word, code=identifier(code), reason=reason, window=code == WINDOW)
