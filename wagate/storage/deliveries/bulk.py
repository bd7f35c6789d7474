"""Acts on all deliveries that match a filter: what was asked, and how far it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Literal

import msgspec
import peewee
from uuid_utils import uuid7

from wagate.errors import ConflictError, NotFoundError
from wagate.rules.filters import DeliveryFilter
from wagate.storage.audit import Act, write_act
from wagate.storage.database import apart
from wagate.storage.events.listing import count_up_to, matching
from wagate.storage.fields import as_time, clean, json_text, time_text
from wagate.storage.models import Delivery
from wagate.storage.rows import Page
from wagate.storage.statement import insert_many, rows, run

Verb = Literal["retry", "cancel"]
MOST_COUNTED = 100_000
"""Deliveries are counted up to here: then it is "more than"."""
MOST_RUNNING = 20
"""Of one client at once."""
MOST_REASONS = 20
"""Different reasons of refusals that are kept."""
MOST_LISTED = 1000
"""Deliveries that were refused that are kept of each act, the first ones."""
_COLUMNS = (
    "id, client_id, who, verb, which, until, after, state, done, refused, total, reasons, holder, created_at, "
    "updated_at"
)


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    id: str
    client_id: int | None
    """Whose deliveries; None: everybody's."""
    who: str
    """Who asked for it."""
    verb: Verb
    which: DeliveryFilter
    until: str
    """The newest delivery when it was asked for: later ones are not among them."""
    after: str
    """The last delivery that was done; '' at the beginning."""
    state: Literal["running", "stopped", "done"]
    done: int
    refused: int
    total: int
    """How many there were at first; `MOST_COUNTED` + 1: more than that."""
    reasons: Mapping[str, int]
    """Why some were refused → how many."""
    holder: str | None
    """The process that is at work on it."""
    created_at: datetime
    updated_at: datetime


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that could not be done any more."""

    id: str
    reason: str
    target: str | None
    """``<handler>:<target>``; None: the delivery is not kept any more."""
    chat: str | None
    """Likewise."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What an act on all that match would touch, of the newest `MOST_COUNTED`."""

    targets: Mapping[str, int]
    """``<handler>:<target>`` → how many, the most first."""
    chats: int


def count_matching(
    db: peewee.Database, which: DeliveryFilter, *, client_id: int | None, most: int = MOST_COUNTED
) -> tuple[int, str]:
    """How many match, counted to ``most`` + 1, and the newest of them ('' when there is none)."""
    found = matching(which, client_id)
    newest = found.select(Delivery.id).order_by(Delivery.id.desc()).limit(1).tuples().execute(db)
    return count_up_to(db, found, most + 1), next((id_ for (id_,) in newest), "")


def reach_of(db: peewee.Database, which: DeliveryFilter, *, client_id: int | None, until: str) -> Reach:
    """Whom an act on all that match would touch, none of them newer than ``until``."""
    columns = Delivery.target_id, Delivery.account, Delivery.chat
    found = matching(which, client_id).select(*columns).where(Delivery.id <= until)
    found = found.order_by(Delivery.id.desc()).limit(MOST_COUNTED).alias("found")
    by_target = peewee.Select([found], [found.c.target_id, peewee.fn.COUNT(peewee.SQL("*"))])
    each = by_target.group_by(found.c.target_id).tuples().execute(db)
    chats = peewee.Select([found], [found.c.account, found.c.chat]).distinct()
    return Reach(targets=dict(sorted(each, key=lambda row: (-row[1], row[0]))), chats=chats.count(db))


def oldest_of(db: peewee.Database, which: DeliveryFilter, *, client_id: int | None, until: str) -> datetime | None:
    """When the oldest that matches was stored, however many there are; None: there is none."""
    found = matching(which, client_id).select(Delivery.created_at).where(Delivery.id <= until)
    return next((at for (at,) in found.order_by(Delivery.id).limit(1).tuples().execute(db)), None)


def failing_of(
    db: peewee.Database,
    which: DeliveryFilter,
    *,
    client_id: int | None,
    until: str,
    most: int,
    known: Collection[str] | None,
) -> list[str]:
    """Receivers that fail now and that an act on all that match would touch, however many there are; the first by id.

    ``known``: all that it would touch. None: asked receiver by receiver, as few fail; what matches is not looked
    through.
    """
    text = (
        "SELECT id FROM targets WHERE (down_since IS NOT NULL OR failing_since IS NOT NULL) "
        "AND status <> 'disabled' AND paused_at IS NULL ORDER BY id"
    )

    def touched(id_: str) -> bool:
        return _touches(db, id_, which, client_id=client_id, until=until) if known is None else id_ in known

    return list(islice((id_ for (id_,) in rows(db, text) if touched(id_)), most))


def _touches(db: peewee.Database, target_id: str, which: DeliveryFilter, *, client_id: int | None, until: str) -> bool:
    handler, _, own_id = target_id.partition(":")
    if which.handler not in {None, handler} or which.target not in {None, own_id}:
        return False
    one = matching(msgspec.structs.replace(which, handler=handler, target=own_id), client_id)
    return bool(one.select(Delivery.id).where(Delivery.id <= until).limit(1).tuples().execute(db))


def add_bulk(
    db: peewee.Database,
    verb: Verb,
    which: DeliveryFilter,
    until: str,
    *,
    total: int,
    who: str,
    client_id: int | None,
    now: datetime,
    id_: str = "",
    address: str = "",
) -> str:
    """Ask for one, and write down who did; its id, or '' when there is one with ``id_``.

    ``total`` was counted by a reader: the writer is everybody's, and never counts. ``address``: where it came from.
    ConflictError: the client has `MOST_RUNNING` already.
    """
    made = id_ or str(uuid7())
    if rows(db, "SELECT 1 FROM bulk WHERE id = ?", (made,)):
        return ""
    text = "SELECT COUNT(*) FROM bulk WHERE client_id = ? AND state = 'running'"
    if client_id is not None and rows(db, text, (client_id,))[0][0] >= MOST_RUNNING:
        raise ConflictError(f"{MOST_RUNNING} bulk actions are already running; wait, or stop one")
    stored = run(
        db,
        f"INSERT INTO bulk ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, '', 'running', 0, 0, ?, '{{}}', NULL, ?, ?) "  # noqa: S608
        "ON CONFLICT (id) DO NOTHING",  # Another process may store it at the same time.
        (made, client_id, who, verb, json_text(which), until, total, time_text(now), time_text(now)),
    )
    if not stored:
        return ""
    act = Act(
        client_id=client_id,
        who=who,
        action=f"{verb} all",
        object=made,
        detail=f"{more_than(total)} deliveries",
        address=address,
        created_at=now,
    )
    write_act(db, act)
    return made


def more_than(count: int) -> str:
    """``1,204``; above what is counted, ``more than 100,000``."""
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"


def get_bulk(db: peewee.Database, bulk_id: str, *, client_id: int | None = None) -> Bulk:
    """One. NotFoundError: there is none of this client."""
    found = rows(db, f"SELECT {_COLUMNS} FROM bulk WHERE id = ?", (clean(bulk_id),))  # noqa: S608  (our own words)
    if not found or client_id not in {None, found[0][1]}:
        raise NotFoundError("no such bulk action")
    return _bulk(found[0])


def list_bulk(db: peewee.Database, *, client_id: int | None = None, limit: int = 20) -> list[Bulk]:
    """The newest."""
    where, params = ("", []) if client_id is None else ("WHERE client_id = ?", [client_id])
    text = f"SELECT {_COLUMNS} FROM bulk {where} ORDER BY id DESC LIMIT ?"  # noqa: S608  (likewise)
    return [_bulk(row) for row in rows(db, text, [*params, limit])]


@apart
def take_bulk(
    db: peewee.Database, process: str, *, until: datetime, now: datetime, but: Collection[str] = ()
) -> Bulk | None:
    """The one that waited longest for a slice and that nobody else is at work on; it is this process's until then.

    All take turns, so that no client waits until another's hundred thousand are done. ``but``: not these.
    """
    text = (
        f"SELECT {_COLUMNS} FROM bulk WHERE state = 'running' "  # noqa: S608  (likewise)
        "AND (holder IS NULL OR holder = ? OR held_until < ?) ORDER BY updated_at, id"
    )
    for row in rows(db, text, (process, time_text(now))):
        if row[0] not in but:
            run(db, "UPDATE bulk SET holder = ?, held_until = ? WHERE id = ?", (process, time_text(until), row[0]))
            return _bulk(row)
    return None


def free_bulk(db: peewee.Database, process: str | None) -> None:
    """Let go what a process was at work on that has ended; None: all have."""
    whose, params = ("holder IS NOT NULL", ()) if process is None else ("holder = ?", (process,))
    run(db, f"UPDATE bulk SET holder = NULL, held_until = NULL WHERE {whose}", params)  # noqa: S608  (likewise)


def next_slice(db: peewee.Database, bulk: Bulk, limit: int) -> list[str]:
    """Ids of the next deliveries, oldest first, so that each chat is done in order."""
    query = matching(bulk.which, bulk.client_id).select(Delivery.id)
    query = query.where(Delivery.id > bulk.after, Delivery.id <= bulk.until).order_by(Delivery.id).limit(limit)
    return [id_ for (id_,) in query.tuples().execute(db)]


def note_slice(
    db: peewee.Database, bulk: Bulk, *, after: str, done: int, refused: Mapping[str, str], over: bool, now: datetime
) -> None:
    """Write down how far it is; ``refused``: delivery → why; ``over``: nothing is left.

    One that was stopped meanwhile stays stopped.
    """
    found = dict(bulk.reasons)
    for each in refused.values():
        if each in found or len(found) < MOST_REASONS:
            found[each] = found.get(each, 0) + 1
    run(
        db,
        "UPDATE bulk SET after = ?, done = done + ?, refused = refused + ?, reasons = ?, updated_at = ?, "
        "state = CASE WHEN state = 'running' AND ? THEN 'done' ELSE state END WHERE id = ?",
        (after, done, len(refused), json_text(found), time_text(now), over, bulk.id),
    )
    listed = islice(refused.items(), max(MOST_LISTED - bulk.refused, 0))
    params = [(bulk.id, delivery_id, clean(reason)) for delivery_id, reason in listed]
    head = "INSERT INTO bulk_refused (bulk_id, delivery_id, reason)"
    insert_many(db, head, params, "ON CONFLICT (bulk_id, delivery_id) DO NOTHING")


def list_refused(
    db: peewee.Database, bulk_id: str, *, client_id: int | None, limit: int, cursor: str = ""
) -> Page[Refused]:
    """A page of those that were refused, in their order; of `MOST_LISTED` at most. NotFoundError."""
    get_bulk(db, bulk_id, client_id=client_id)
    text = (
        "SELECT r.delivery_id, r.reason, d.target_id, d.chat FROM bulk_refused AS r "
        "LEFT JOIN deliveries AS d ON d.id = r.delivery_id WHERE r.bulk_id = ? AND r.delivery_id > ? "
        "ORDER BY r.delivery_id LIMIT ?"
    )
    found = [
        Refused(id=id_, reason=why, target=target, chat=chat)
        for id_, why, target, chat in rows(db, text, (bulk_id, clean(cursor), limit + 1))
    ]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)


def stop_bulk(db: peewee.Database, bulk_id: str, *, client_id: int | None, now: datetime) -> Bulk:
    """Stop one; what was done stays done. NotFoundError."""
    get_bulk(db, bulk_id, client_id=client_id)
    run(
        db,
        "UPDATE bulk SET state = 'stopped', updated_at = ? WHERE id = ? AND state = 'running'",
        (time_text(now), bulk_id),
    )
    return get_bulk(db, bulk_id, client_id=client_id)


def _bulk(row: Sequence[Any]) -> Bulk:
    id_, client, who, verb, which, until, after, state, done, refused, total, reasons, holder, created, updated = row
    made, changed = as_time(created), as_time(updated)
    assert made is not None
    assert changed is not None
    return Bulk(
        id=id_,
        client_id=client,
        who=who,
        verb=verb,
        which=msgspec.json.decode(which, type=DeliveryFilter),
        until=until,
        after=after,
        state=state,
        done=done,
        refused=refused,
        total=total,
        reasons=msgspec.json.decode(reasons),
        holder=holder,
        created_at=made,
        updated_at=changed,
    )
