"""Which endpoints get what happens on one number; and targets by id, whether something was ever sent there or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import peewee

from wagate.events import matches
from wagate.storage.deliveries.target_list import STATE, TargetRow, add_figures, named_targets, set_state
from wagate.storage.models import Webhook
from wagate.storage.statement import placeholders, rows, slices


def endpoints_getting(
    db: peewee.Database, client_id: int, numbers: Iterable[str], kinds: Collection[str]
) -> list[tuple[str, str]]:
    """(connector, id) of a client's endpoints, switched off or not, for events of these kinds and numbers.

    ``numbers``: what endpoints call it: ``*``, its digits, its account's name.
    """
    query = Webhook.select(Webhook.connector, Webhook.id, Webhook.events).where(
        Webhook.client_id == client_id, Webhook.phone_number.in_(sorted(numbers))
    )
    return [
        (connector, id_)
        for connector, id_, events in query.tuples().execute(db)
        if any(matches(events, kind) for kind in kinds)
    ]


def targets_by_id(db: peewee.Database, ids: Sequence[str], now: datetime, *, client_id: int) -> dict[str, TargetRow]:
    """These, with their figures, but for those that are another client's."""
    found = named_targets(db, ids)
    for part in slices([*found]):
        text = f"SELECT id, client_id, {STATE} FROM targets WHERE id IN ({placeholders(len(part))})"  # noqa: S608  (ours)
        for id_, client, *state in rows(db, text, part):
            row = found[id_]
            row.client_id = client if row.client_id is None else row.client_id
            set_state(row, state)
        add_figures(db, found, part, now)
    for row in found.values():
        row.unused = row.client_id is None and row.state.last_attempt_at is None and not (row.waiting or row.failed)
    return {id_: row for id_, row in found.items() if row.client_id in {None, client_id}}
