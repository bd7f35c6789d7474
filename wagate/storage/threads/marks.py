"""What became of messages after they were stored: edited, deleted. The events stay; the archive shows the last word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import peewee

from wagate.events import Event
from wagate.events.kinds import MESSAGE_EDITED, MESSAGE_REVOKED
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.storage.events.listing import select_events
from wagate.storage.fields import clean
from wagate.storage.models import EventRow
from wagate.storage.rows import to_event
from wagate.storage.statement import slices


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message got."""

    content: str
    at: datetime


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message."""

    edits: tuple[Edit, ...] = ()
    """Oldest first."""
    revoked_at: datetime | None = None
    """When it was deleted for everyone."""


NO_MARKS = Marks()


def marks_of(db: peewee.Database, events: Sequence[Event], keys: Collection[str] = ()) -> dict[str, Marks]:
    """The marks of these messages by the event's id; of those that have any. ``keys`` are chats with one person."""
    told: dict[tuple[str, str], list[Event]] = {}
    for part in slices(sorted({clean(bare_id(event.message_id)) for event in events} - {""})):
        about = EventRow.bare_id.in_(part) & EventRow.kind.in_((MESSAGE_EDITED, MESSAGE_REVOKED))
        for row in select_events().where(about).order_by(EventRow.id).dicts().execute(db):
            told.setdefault((row["account_id"], row["bare_id"]), []).append(to_event(row))
    marked = {}
    for event in events:
        bare = clean(bare_id(event.message_id))
        found = [each for each in told.get((event.account_id, bare), ()) if _is_about(each, event, bare, keys)]
        if found:
            marked[event.id] = _marks(found)
    return marked


def _is_about(told: Event, message: Event, bare: str, keys: Collection[str]) -> bool:
    """A short id may be another chat's, too."""
    return told.chat == message.chat or is_unique(bare) or (told.chat in keys and message.chat in keys)


def _marks(told: Sequence[Event]) -> Marks:
    revoked = [each for each in told if each.kind == MESSAGE_REVOKED and each.extra.get("scope") != "me"]
    edits = tuple(Edit(content=each.content, at=each.timestamp) for each in told if each.kind == MESSAGE_EDITED)
    return Marks(edits=edits, revoked_at=revoked[0].timestamp if revoked else None)
