"""One stored message, by the id that its provider gave it."""

from __future__ import annotations

from collections.abc import Sequence

import peewee

from wagate.events import Event
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.storage.events.listing import select_events
from wagate.storage.fields import clean
from wagate.storage.models import Account, EventRow
from wagate.storage.rows import to_event
from wagate.storage.statement import first
from wagate.storage.threads.conversations import MESSAGES


def find_message(db: peewee.Database, *, client_id: int, account: str, ids: Sequence[str]) -> Event | None:
    """The message of an account that has one of these ids, in whatever form it is written; None when there is none."""
    own = Account.select(Account.id).where(Account.client_id == client_id, Account.name == account)
    for each in ids:
        bare = clean(bare_id(each))
        query = select_events().where(
            EventRow.account_id.in_(own), EventRow.bare_id == bare, EventRow.kind.in_(MESSAGES)
        )
        if not is_unique(bare):
            query = query.where(EventRow.message_id == clean(each))
        row = first(db, query.order_by(EventRow.id))
        if row is not None:
            return to_event(row)
    return None
