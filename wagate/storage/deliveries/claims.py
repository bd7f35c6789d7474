"""Who is at work on a delivery, in its row: when the queue forgot everything, two processes still don't try it both."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import peewee

from wagate.storage.deliveries.targets import for_update
from wagate.storage.fields import time_text
from wagate.storage.statement import placeholders, rows, run, slices


def claim(db: peewee.Database, ids: Collection[str], holder: str, *, until: datetime, now: datetime) -> set[str]:
    """Claim open deliveries until then; those that are this process's now. The others are settled, or another's."""
    mine: set[str] = set()
    free = "settled = FALSE AND (claimed_by IS NULL OR claimed_by = ? OR claimed_until <= ?)"
    for part in slices(sorted(ids)):
        wanted = f"SELECT id FROM deliveries WHERE id IN ({placeholders(len(part))}) AND {free} ORDER BY id"  # noqa: S608
        found = [id_ for (id_,) in rows(db, wanted + for_update(db, lock=True), [*part, holder, time_text(now)])]
        if found:
            text = f"UPDATE deliveries SET claimed_by = ?, claimed_until = ? WHERE id IN ({placeholders(len(found))})"  # noqa: S608
            run(db, text, [holder, time_text(until), *found])
        mine.update(found)
    return mine


def unclaim(db: peewee.Database, holder: str | None = None) -> int:
    """A process ended (None: all did): what it was at work on is free. How many deliveries."""
    whose = "claimed_by = ?" if holder else "claimed_by IS NOT NULL"
    text = f"UPDATE deliveries SET claimed_by = NULL WHERE settled = FALSE AND {whose}"  # noqa: S608
    return run(db, text, (holder,) if holder else ())


def put_back(db: peewee.Database, delivery_id: str, holder: str) -> None:
    """It was not tried after all."""
    text = "UPDATE deliveries SET claimed_by = NULL WHERE id = ? AND claimed_by = ?"
    run(db, text, (delivery_id, holder))
