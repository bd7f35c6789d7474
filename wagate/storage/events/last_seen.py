"""Until when we know what came for an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import peewee

from wagate.storage.models import Account, EventRow


def last_seen(db: peewee.Database, ids: Sequence[str], *, since: datetime, before: datetime) -> dict[str, datetime]:
    """By account's id: when its last event was stored, looked for from ``since`` to ``before``; else when it was made.

    Never earlier than ``since``.
    """
    made = Account.select(Account.id, Account.created_at).where(Account.id.in_(ids)).tuples().execute(db)
    known = {id_: max(since, created_at) for id_, created_at in made}
    latest = (
        EventRow.select(EventRow.account_id, peewee.fn.MAX(EventRow.created_at).alias("latest"))
        .where(EventRow.account_id.in_(ids), EventRow.created_at >= since, EventRow.created_at < before)
        .group_by(EventRow.account_id)
    )
    return known | {row.account_id: row.latest for row in latest.execute(db) if row.account_id in known}
