"""What happens on WhatsApp, written in ChatWoot."""

from __future__ import annotations

from wagate.events import kinds
from wagate.hooks import Delivery, Receipt
from wagate_chatwoot.apps import App

KINDS = frozenset(
    {
        kinds.MESSAGE,
        kinds.MESSAGE_ANY,
        kinds.MESSAGE_ACK,
        kinds.MESSAGE_REACTION,
        kinds.MESSAGE_EDITED,
        kinds.MESSAGE_REVOKED,
        kinds.CALL_RECEIVED,
        kinds.CALL_ACCEPTED,
        kinds.CALL_REJECTED,
    }
)
"""Events that are for ChatWoot."""


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Write one event."""
    raise NotImplementedError
