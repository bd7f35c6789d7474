"""Statuses of sent messages: one word and one number for every provider."""

from __future__ import annotations

from typing import Any

PENDING = "pending"
SENT = "sent"
DELIVERED = "delivered"
READ = "read"
PLAYED = "played"
FAILED = "failed"

ACKS = {
    FAILED: (-1, "ERROR"),
    PENDING: (0, "PENDING"),
    SENT: (1, "SERVER"),
    DELIVERED: (2, "DEVICE"),
    READ: (3, "READ"),
    PLAYED: (4, "PLAYED"),
}
"""Status → (``ack``, ``ackName``) (source: whatsapp-web.js MessageAck and WAHA's ackName)."""
STATUS_OF = {ack: status for status, (ack, _) in ACKS.items()}
"""``ack`` → status."""


RANKS = {DELIVERED: 1, READ: 2, PLAYED: 3}
"""How far a message got with one participant of a group."""
PARTICIPANT = "participant"
"""In ``extra`` of an ack: the key of the one participant of a group whose it is; left out when it is about all."""


def reached(extra: dict[str, Any]) -> str:
    """How far the message got, by one ack: a group has read it when all have, one participant's word is not enough."""
    status = str(extra.get("status") or "")
    if is_one_of_many(extra):
        return DELIVERED
    return READ if status == PLAYED else status


def is_one_of_many(extra: dict[str, Any]) -> bool:
    """Whether it says that one participant of a group has read the message."""
    return bool(extra.get(PARTICIPANT)) and extra.get("status") in {READ, PLAYED}


def ack_extra(status: str, *, code: str = "", reason: str = "", window: bool = False) -> dict[str, Any]:
    """`NewEvent.extra` of a ``message.ack``: ``ack``, ``ackName``, ``status``, and ``error`` if it failed.

    ``code``, ``reason`` and ``window``: see `failure_of`.
    """
    ack, name = ACKS[status]
    extra: dict[str, Any] = {"ack": ack, "ackName": name, "status": status}
    return {**extra, "error": failure_of(code, reason, window=window)} if code or reason else extra


def failure_of(code: str, reason: str, *, window: bool = False) -> dict[str, Any]:
    """``extra.error`` of a message that failed: ``code`` is the provider's, ``reason`` is for people.

    ``window``: the customer has not written within 24 hours, so only a template can be sent; else the key is left out.
    """
    return {"code": code, "reason": reason} | ({"window": True} if window else {})
