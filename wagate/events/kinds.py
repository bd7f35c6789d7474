"""Names of events, and the filters of subscribers."""

from __future__ import annotations

from collections.abc import Collection

MESSAGE = "message"
MESSAGE_ANY = "message.any"
MESSAGE_ACK = "message.ack"
MESSAGE_REACTION = "message.reaction"
MESSAGE_EDITED = "message.edited"
MESSAGE_REVOKED = "message.revoked"
MESSAGE_FAILED = "message.failed"
SESSION_STATUS = "session.status"
CALL_RECEIVED = "call.received"
CALL_ACCEPTED = "call.accepted"
CALL_REJECTED = "call.rejected"
PRESENCE_UPDATE = "presence.update"
WEBHOOK_FAILING = "webhook.failing"
WEBHOOK_DISABLED = "webhook.disabled"
WEBHOOK_TEST = "webhook.test"
UNKNOWN = "unknown"
MESSAGE_SEND = "message.send"
"""An outgoing message. Only the sender of its account gets it, so it is not in `EVENT_KINDS`."""
MEDIA_ARRIVED = "media.arrived"
"""The file of a message that was shown without it. Only who followed it gets it, so it is not in `EVENT_KINDS`."""
GROUP_PREFIX = "group."

EVENT_KINDS = frozenset(
    {
        MESSAGE,
        MESSAGE_ANY,
        MESSAGE_ACK,
        MESSAGE_REACTION,
        MESSAGE_EDITED,
        MESSAGE_REVOKED,
        MESSAGE_FAILED,
        SESSION_STATUS,
        CALL_RECEIVED,
        CALL_ACCEPTED,
        CALL_REJECTED,
        PRESENCE_UPDATE,
        WEBHOOK_FAILING,
        WEBHOOK_DISABLED,
        UNKNOWN,
    }
)
"""All fixed names of events. Names that begin with ``group.`` come from engines, and are not in this list."""


def matches(filters: Collection[str], kind: str) -> bool:
    """Whether a filter list lets an event of this kind through.

    ``*`` is everything but ``message.any``; ``message.any`` takes incoming messages and our own; ``group.*`` takes
    every group event. An event of kind ``message.any`` is a message of our own.
    """
    if kind in filters:
        return True
    if "*" in filters and kind != MESSAGE_ANY:
        return True
    if kind == MESSAGE and MESSAGE_ANY in filters:
        return True
    return kind.startswith(GROUP_PREFIX) and "group.*" in filters
