"""What was heard last of people's presence."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee

from wagate.events import Event
from wagate.storage.events.listing import select_events
from wagate.storage.lead import first_id
from wagate.storage.models import EventRow
from wagate.storage.rows import to_event

RECENT = timedelta(hours=1)
"""What was heard before says nothing any more."""


def presences(
    db: peewee.Database, *, client_id: int, account: str, chat: str | None, kind: str, now: datetime
) -> list[Event]:
    """The newest event of each chat of the account in the last hour; of one ``chat``, that one alone."""
    query = select_events().where(
        EventRow.client_id == client_id,
        EventRow.id > first_id(now - RECENT),
        EventRow.account == account,
        EventRow.kind == kind,
    )
    if chat is not None:
        query = query.where(EventRow.chat == chat)
    found: dict[str, Event] = {}
    for row in query.order_by(EventRow.id.desc()).dicts().execute(db):
        event = to_event(row)
        found.setdefault(event.chat, event)
    return list(found.values())
