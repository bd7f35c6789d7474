"""Messages by the ids that providers gave them."""

from __future__ import annotations

from collections.abc import Sequence

import peewee

from wagate.events.kinds import MESSAGE_SEND
from wagate.storage.models import Account, EventRow
from wagate.storage.statement import first


def find_by_message_id(db: peewee.Database, client_id: int, ids: Sequence[str]) -> tuple[str, str] | None:
    """The first of these ids that a message of the client has, and its chat; None when none of them is known."""
    accounts = Account.select(Account.id).where(Account.client_id == client_id)
    for each in ids:
        query = EventRow.select(EventRow.chat).where(
            EventRow.account_id.in_(accounts),
            EventRow.message_id == each,
            EventRow.chat != "",
            # On its way out a message has our id, which no provider knows.
            EventRow.kind != MESSAGE_SEND,
        )
        row = first(db, query)
        if row is not None:
            return each, row["chat"]
    return None
