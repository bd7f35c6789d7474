"""Webhooks that became no message: refused, by account and reason, and of numbers that no account has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
import peewee

from wagate.events import Event
from wagate.events.kinds import UNKNOWN
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import rows, run, run_many

_ADD = (
    "INSERT INTO refusals (account_id, reason, in_a_row, times, detail, first_at, last_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (account_id, reason) DO UPDATE SET "
    "first_at = CASE WHEN refusals.in_a_row = 0 THEN excluded.first_at ELSE refusals.first_at END, "
    "in_a_row = refusals.in_a_row + excluded.in_a_row, times = refusals.times + excluded.times, "
    "detail = excluded.detail, last_at = excluded.last_at"
)
STRANGER = "stranger"
"""``source`` of the account that such events get, which is none."""
NUMBER = "number"
"""In their ``extra``: the provider's own id of the number, or the session's name."""
_COUNT_STRANGERS = (
    "INSERT INTO unknown_numbers (client_id, provider, number, account, events, first_at, last_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, provider, number) DO UPDATE SET "
    "events = unknown_numbers.events + excluded.events, account = excluded.account, last_at = excluded.last_at"
)
_LIST_STRANGERS = "SELECT client_id, provider, number, account, events, first_at, last_at FROM unknown_numbers"


class Refused(msgspec.Struct, kw_only=True):
    """What was refused since it was written down last."""

    account_id: str
    reason: str
    in_a_row: int
    """Since the last accepted one."""
    times: int
    detail: str
    """What was wrong with the latest, for people."""
    first_at: datetime
    """The first one since the last accepted one."""
    last_at: datetime


class RefusedRow(Refused, kw_only=True):
    """The whole, with whose it is."""

    account: str
    """The account's name now."""
    tenant: str
    """The owner's slug."""
    provider: str


def add_refusals(db: peewee.Database, accepted: Collection[str], found: Sequence[Refused]) -> None:
    """Begin anew for the accounts (ids) with an accepted webhook, then add: every process has its own part."""
    run_many(db, "UPDATE refusals SET in_a_row = 0 WHERE account_id = ?", [(each,) for each in sorted(accepted)])
    values = [
        (
            each.account_id,
            each.reason,
            each.in_a_row,
            each.times,
            clean(each.detail[:500]),
            time_text(each.first_at),
            time_text(each.last_at),
        )
        for each in sorted(found, key=lambda one: (one.account_id, one.reason))
    ]
    run_many(db, _ADD, values)


def list_refusals(
    db: peewee.Database, *, client_id: int | None = None, account_id: str | None = None
) -> list[RefusedRow]:
    """By account and reason, of accounts that are still there; ``client_id`` None: of all clients."""
    where, params = ["TRUE"], []
    for condition, value in (("a.client_id = ?", client_id), ("a.id = ?", account_id)):
        if value is not None:
            where.append(condition)
            params.append(value)
    text = (
        "SELECT r.account_id, r.reason, r.in_a_row, r.times, r.detail, r.first_at, r.last_at, "  # noqa: S608  (ours)
        "a.name, c.slug, a.provider FROM refusals r JOIN accounts a ON a.id = r.account_id "
        f"JOIN clients c ON c.id = a.client_id WHERE {' AND '.join(where)} ORDER BY a.name, r.reason"
    )
    return [
        RefusedRow(
            account_id=account,
            reason=reason,
            in_a_row=in_a_row,
            times=times,
            detail=detail,
            first_at=first,
            last_at=last,
            account=name,
            tenant=tenant,
            provider=provider,
        )
        for account, reason, in_a_row, times, detail, begun, ended, name, tenant, provider in rows(db, text, params)
        if (first := as_time(begun)) is not None and (last := as_time(ended)) is not None
    ]


def refused_accounts(db: peewee.Database) -> set[str]:
    """Ids of accounts whose last webhook was refused."""
    return {account for (account,) in rows(db, "SELECT DISTINCT account_id FROM refusals WHERE in_a_row > 0", ())}


def drop_refusals(db: peewee.Database, before: datetime) -> None:
    """Forget those that are old."""
    run(db, "DELETE FROM refusals WHERE last_at < ?", (time_text(before),))


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
    run_many(db, _COUNT_STRANGERS, [(*key, *counted[key]) for key in sorted(counted)])


def list_strangers(db: peewee.Database, *, client_id: int | None) -> Sequence[StrangerRow]:
    """All, the latest first; ``client_id`` None: of all clients."""
    where, values = ("", ()) if client_id is None else (" WHERE client_id = ?", (client_id,))
    found = rows(db, f"{_LIST_STRANGERS}{where} ORDER BY last_at DESC, number", values)
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
