"""What changed since a page of deliveries was shown: how those on it are, and how many came since."""

from __future__ import annotations

from collections.abc import Sequence

import peewee

from wagate.rules.filters import DeliveryFilter
from wagate.storage.events.listing import matching
from wagate.storage.models import Delivery
from wagate.storage.rows import DeliveryRow

MOST_NEWER = 100
"""Newer deliveries are counted up to here."""


def shown_deliveries(db: peewee.Database, ids: Sequence[str], *, client_id: int | None) -> list[DeliveryRow]:
    """These deliveries as they are now; without those that are gone, or another client's."""
    query = Delivery.select().where(Delivery.id.in_(ids))
    if client_id is not None:
        query = query.where(Delivery.client_id == client_id)
    return [DeliveryRow(**row) for row in query.dicts().execute(db)]


def count_newer(db: peewee.Database, which: DeliveryFilter, at: str, *, client_id: int | None) -> int:
    """How many match that were stored after the delivery ``at``, counted to `MOST_NEWER`."""
    found = matching(which, client_id).select(Delivery.id).where(Delivery.id > at)
    count: int = found.order_by(Delivery.id.desc()).limit(MOST_NEWER).count(db)
    return count
