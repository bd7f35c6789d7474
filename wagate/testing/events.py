"""Events and deliveries with sensible defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from uuid_utils import uuid7

from wagate.events import Event
from wagate.hooks import Delivery, DeliveryView

NOW = datetime(2025, 9, 10, 10, 30, tzinfo=UTC)
"""When everything here happens."""


def make_event(**fields: Any) -> Event:
    """A text message that came in for the client ``default``; ``fields`` are `Event`'s."""
    made: dict[str, Any] = {
        "id": str(uuid7()),
        "kind": "message",
        "account": "main",
        "phone": "5511888888888",
        "provider": "meta",
        "client_id": 1,
        "tenant": "default",
        "created_at": NOW,
        "timestamp": NOW,
        "chat": "5511999999999@c.us",
        "sender": "5511999999999@c.us",
        "recipient": "5511888888888@c.us",
        "message_id": "wamid.1",
        "type": "text",
        "content": "Hello",
    }
    return Event(**(made | fields))


def make_delivery_view(event: Event | None = None, *, handler: str = "test", target: str = "t1") -> DeliveryView:
    """A delivery that was not tried yet, as `Handler.request` gets it."""
    return DeliveryView(
        id=str(uuid7()),
        event=event or make_event(),
        handler=handler,
        target=target,
        mode="push",
        status="pending",
        attempt_count=0,
        max_retries=5,
        http_status=None,
        response=None,
        error=None,
        held=False,
        next_retry_at=None,
        created_at=NOW,
        delivered_at=None,
        updated_at=NOW,
    )


def make_delivery(event: Event | None = None, *, target: str = "t1", attempt: int = 1) -> Delivery:
    """One try of an event for a target."""
    return Delivery(id=str(uuid7()), event=event or make_event(), target=target, attempt=attempt, created_at=NOW)
