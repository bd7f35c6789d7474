"""Which message an event quotes, or is about: by its bare id, under the id with which it was stored."""

from __future__ import annotations

from collections.abc import Sequence

import peewee
from msgspec.structs import replace

from wagate.events import Event
from wagate.events.kinds import MESSAGE, MESSAGE_ANY
from wagate.storage.statement import placeholders, rows, slices

QUOTING = frozenset({MESSAGE, MESSAGE_ANY})
"""Kinds whose ``reply_to`` names another message; of the others ``message_id`` does."""


def stored_names(db: peewee.Database, keys: Sequence[str]) -> dict[str, str]:
    """Duplicate's key of a message → the id with which it was stored."""
    found: dict[str, str] = {}
    for part in slices(sorted(set(keys))):
        text = (
            "SELECT d.key, e.message_id FROM dedupe d JOIN events e ON e.id = d.event_id "  # noqa: S608
            f"WHERE d.key IN ({placeholders(len(part))})"
        )
        found.update(rows(db, text, part))
    return found


def renamed(event: Event, keys: Sequence[str], names: dict[str, str]) -> Event:
    """The event, naming the message as it was stored; as it is when that is not known."""
    name = next((names[key] for key in keys if names.get(key)), "")
    if not name:
        return event
    if event.kind in QUOTING:
        return replace(event, reply_to=name)
    extra = event.extra
    if isinstance(reaction := extra.get("reaction"), dict):
        extra = extra | {"reaction": reaction | {"messageId": name}}
    return replace(event, message_id=name, extra=extra)
