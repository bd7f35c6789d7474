"""Cancel what waits, when its client or endpoint goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from wagate.storage.models import Delivery


def cancel_open(db: peewee.Database, which: Any, *, reason: str, now: datetime) -> int:
    """Settle the open deliveries that match a peewee condition as cancelled; how many."""
    # One that is being tried just now is cancelled too: its outcome is recorded by compare-and-set, and loses.
    query = Delivery.update(
        status="cancelled",
        settled=True,
        held=False,
        stuck=False,
        error=reason,
        next_retry_at=None,
        lease_id=None,
        updated_at=now,
    )
    count: int = query.where(which, Delivery.settled == False).execute(db)  # noqa: E712  (an SQL expression)
    return count
