"""Sessions and numbers for which webhooks came, and which no account has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import peewee

from wagate.events import Event
from wagate.events.kinds import UNKNOWN
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import rows, run, run_many

STRANGER = "stranger"
"""``source`` of the account that such events get, which is none."""
NUMBER = "number"
"""In their ``extra``: the provider's own id of the number, or the session's name."""
_COUNT = (
    "INSERT INTO unknown_numbers (client_id, provider, number, account, events, first_at, last_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, provider, number) DO UPDATE SET "
    "events = unknown_numbers.events + excluded.events, account = excluded.account, last_at = excluded.last_at"
)
_LIST = "SELECT client_id, provider, number, account, events, first_at, last_at FROM unknown_numbers"


class StrangerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One number."""

    client_id: int
    provider: str
    number: str
    account: str
    """Name of the account to whose URL the last one came."""
    events: int
    first_at: datetime
    last_at: datetime


def note_strangers(db: peewee.Database, events: Iterable[Event]) -> None:
    """Count events for numbers that no account has; part of the intake's commit."""
    counted: dict[tuple[int, str, str], tuple[str, int, str, str]] = {}
    for event in events:
        if event.kind != UNKNOWN or event.account or not isinstance(number := event.extra.get(NUMBER), str):
            continue
        key, at = (event.client_id, event.provider, clean(number)), time_text(event.created_at)
        _, count, first, _ = counted.get(key, ("", 0, at, at))
        counted[key] = (clean(str(event.extra.get("account", ""))), count + 1, first, at)
    run_many(db, _COUNT, [(*key, *counted[key]) for key in sorted(counted)])


def list_strangers(db: peewee.Database, *, client_id: int | None) -> Sequence[StrangerRow]:
    """All, the latest first; ``client_id`` None: of all clients."""
    where, values = ("", ()) if client_id is None else (" WHERE client_id = ?", (client_id,))
    found = rows(db, f"{_LIST}{where} ORDER BY last_at DESC, number", values)
    made = []
    for owner, provider, number, account, events, first_at, last_at in found:
        first, last = as_time(first_at), as_time(last_at)
        assert first is not None  # the columns are NOT NULL
        assert last is not None
        made.append(
            StrangerRow(
                client_id=owner,
                provider=provider,
                number=number,
                account=account,
                events=events,
                first_at=first,
                last_at=last,
            )
        )
    return made


def delete_strangers(db: peewee.Database, before: datetime) -> int:
    """Forget numbers for which nothing came since a time; how many."""
    return run(db, "DELETE FROM unknown_numbers WHERE last_at < ?", (time_text(before),))
