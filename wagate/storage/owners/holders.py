"""Leases: with several processes, one of them listens for an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import peewee

from wagate.storage.fields import time_text
from wagate.storage.statement import rows, run

_HOLD = """
INSERT INTO holders (account_id, holder, until) VALUES (?, ?, ?)
ON CONFLICT (account_id) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE holders.holder = excluded.holder OR holders.until < ?
"""


def hold(
    db: peewee.Database, account_ids: Sequence[str], holder: str, *, now: datetime, until: datetime
) -> frozenset[str]:
    """Take or renew what nobody else holds now; which of these accounts ``holder`` has."""
    for account_id in sorted(account_ids):
        run(db, _HOLD, (account_id, holder, time_text(until), time_text(now)))
    mine = {row[0] for row in rows(db, "SELECT account_id FROM holders WHERE holder = ?", (holder,))}
    return frozenset(mine & set(account_ids))
