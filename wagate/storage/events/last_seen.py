"""Until when we know what came for an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import peewee

from wagate.storage.models import Account, EventRow


def last_seen(db: peewee.Database, names: Sequence[str], *, since: datetime, before: datetime) -> dict[str, datetime]:
    """By account: when its last event was stored, looked for from ``since`` to ``before``; else when it was made.

    Never earlier than ``since``.
    """
    made = Account.select(Account.name, Account.created_at).where(Account.name.in_(names)).tuples().execute(db)
    known = {name: max(since, created_at) for name, created_at in made}
    latest = (
        EventRow.select(EventRow.account, peewee.fn.MAX(EventRow.created_at).alias("latest"))
        .where(EventRow.account.in_(names), EventRow.created_at >= since, EventRow.created_at < before)
        .group_by(EventRow.account)
    )
    return known | {row.account: row.latest for row in latest.execute(db) if row.account in known}
