"""Show what is being delivered for a while now; the usual quick delivery never comes here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import peewee

from wagate.storage.fields import time_text
from wagate.storage.statement import placeholders, run, run_many, slices


def mark_delivering(db: peewee.Database, tries: Sequence[tuple[str, int]], now: datetime) -> None:
    """Show deliveries, each with its number of attempts so far, as being delivered, unless they are past that."""
    run_many(
        db,
        "UPDATE deliveries SET status = 'delivering', updated_at = ? "
        "WHERE id = ? AND attempt_count = ? AND settled = FALSE",
        [(time_text(now), delivery_id, attempts) for delivery_id, attempts in tries],
    )


def unmark(db: peewee.Database, ids: Sequence[str], now: datetime) -> None:
    """Nobody delivers them any more (a stop, a worker that died): they wait again."""
    for part in slices(sorted(ids)):
        run(
            db,
            "UPDATE deliveries SET status = CASE WHEN held = TRUE THEN 'failed' ELSE 'pending' END, updated_at = ? "  # noqa: S608
            f"WHERE id IN ({placeholders(len(part))}) AND status = 'delivering' AND settled = FALSE",
            (time_text(now), *part),
        )
