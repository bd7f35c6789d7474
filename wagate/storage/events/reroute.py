"""Route an event later that could not be routed when it came."""

from __future__ import annotations

from datetime import datetime

import peewee

from wagate.events import Event
from wagate.storage.events.intake import Route, StoredDelivery, insert_deliveries
from wagate.storage.fields import time_text
from wagate.storage.statement import run

ROUTED = "routed"
"""The ``error`` of an unrouted delivery that made way for others."""


def reroute(
    db: peewee.Database, delivery_id: str, attempt_count: int, event: Event, routes: tuple[Route, ...], *, now: datetime
) -> list[StoredDelivery]:
    """Settle an unrouted delivery and store one for each route, at the end of their lanes.

    What was stored; nothing when the delivery was settled or tried by somebody else meanwhile.
    """
    counted = run(
        db,
        "UPDATE deliveries SET status = 'cancelled', settled = TRUE, held = FALSE, error = ?, next_retry_at = NULL, "
        "updated_at = ? WHERE id = ? AND attempt_count = ? AND settled = FALSE",
        (ROUTED, time_text(now), delivery_id, attempt_count),
    )
    if not counted:
        return []
    insert_deliveries(db, [(event, routes)])
    return [StoredDelivery(r.key, r.target_id, r.delivery_id, r.mode) for r in routes]
