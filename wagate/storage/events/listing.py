"""Deliveries with their events and attempts: by filter, newest first, page by page; and events one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.parsing.message_ids import bare_id
from wagate.rules.filters import ALL_DELIVERIES, HANDED, LEAVING, LOST, WAITING, DeliveryFilter
from wagate.storage.deliveries.survey import SENDING
from wagate.storage.fields import clean, time_text
from wagate.storage.models import Attempt, Client, Delivery, EventRow
from wagate.storage.rows import AttemptRow, DeliveryDetail, DeliveryRow, Page, to_event
from wagate.storage.statement import first, first_id, leading, narrowed, placeholders, rows, since, slices

STATES = {
    "pending": ("state",),
    "delivering": ("state",),
    "failed": ("state", "failed"),
    "cancelled": ("state",),
    "expired": ("state",),
}
"""Statuses that lead to an index: those that few deliveries have."""
_SIDE = {WAITING: "handler || '' <> 'outbound'", LEAVING: "handler || '' = 'outbound'"}
"""In words that no index of handlers has: what is open is found by what is open."""
_LEADS = tuple(
    frozenset(names.split())
    for names in (
        "event_id",
        "chat",
        "target_id failed",
        "client_id state",
        "state",
        "target_id",
        "account",
        "client_id handler",
        "handler",
        "client_id",
    )
)
"""Filters with an index, the narrowest first; ``state`` is a status that few deliveries have."""
OUTBOUND = "outbound"
"""The handler of what leaves by our numbers."""
SEARCHED = 20_000
"""Deliveries that one search looks through, for what no index has."""
MOST_NEWER = 100
"""Newer deliveries are counted up to here."""


def get_event(db: peewee.Database, event_id: str, *, client_id: int | None = None) -> Event:
    """One event; with ``client_id`` only that client's. NotFoundError."""
    query = select_events().where(EventRow.id == event_id)
    row = first(db, query if client_id is None else query.where(EventRow.client_id == client_id))
    if row is None:
        raise NotFoundError("no such event")
    return to_event(row)


def raw_body(db: peewee.Database, event_id: str) -> bytes:
    """The bytes as they came. NotFoundError."""
    row = first(db, EventRow.select(EventRow.body).where(EventRow.id == event_id))
    if row is None:
        raise NotFoundError("no such event")
    return bytes(row["body"])


def events_by_id(db: peewee.Database, ids: Iterable[str]) -> dict[str, Event]:
    """Events by id; those that are gone are left out."""
    query = select_events().where(EventRow.id.in_(sorted(set(ids))))
    return {row["id"]: to_event(row) for row in query.dicts().execute(db)}


def ids_since(db: peewee.Database, floor: str) -> list[str]:
    """Ids of all clients' events from this one on, in their order."""
    query = EventRow.select(EventRow.id).where(EventRow.id >= floor).order_by(EventRow.id)
    return [row[0] for row in query.tuples().execute(db)]


def messages_in(
    db: peewee.Database, begin: datetime, *, client_id: int | None, limit: int, cursor: str | None = None
) -> Page[Event]:
    """Messages that came in since then, newest first: those that `wagate.storage.minutes.count_incoming` counts."""
    query = select_events().where(
        EventRow.id >= first_id(begin),
        EventRow.kind == "message",
        EventRow.from_me == peewee.SQL("FALSE"),
        EventRow.account_id != "",
    )
    for given, condition in ((cursor, EventRow.id < cursor), (client_id, EventRow.client_id == client_id)):
        query = query if given is None else query.where(condition)
    found = [to_event(row) for row in query.order_by(EventRow.id.desc()).limit(limit + 1).dicts().execute(db)]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)


def list_deliveries(
    db: peewee.Database,
    which: DeliveryFilter = ALL_DELIVERIES,
    *,
    client_id: int | None = None,
    limit: int,
    cursor: str | None = None,
) -> Page[DeliveryDetail]:
    """A page of deliveries with their events and attempts, newest first; ``client_id`` None: of all clients."""
    query = _where(Delivery.select(), which, client_id).order_by(Delivery.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Delivery.id < cursor)
    found = [DeliveryRow(**row) for row in query.dicts().execute(db)]
    return Page(data=_detailed(db, found[:limit]), next_cursor=found[limit - 1].id if len(found) > limit else None)


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found, newest first, and how far it came."""

    data: list[DeliveryDetail]
    next_cursor: str | None
    """More was found: pass it on as ``cursor``."""
    further: str | None
    """It ended at `SEARCHED`, and found no more: likewise, to go on from there."""
    looked: int
    """Deliveries that were looked through."""


def search_deliveries(
    db: peewee.Database, which: DeliveryFilter, *, client_id: int | None, limit: int, cursor: str | None = None
) -> Searched:
    """As `list_deliveries`, for ``which.error`` and the time of `HANDED`, which no index has.

    In the newest `SEARCHED` that the rest of the filter lets through.
    """
    moment = which.since if which.status == HANDED else None
    columns = Delivery.id, Delivery.error, Delivery.delivered_at
    rest = matching(
        msgspec.structs.replace(which, error=None, since=None if moment else which.since), client_id
    ).select(*columns)
    if cursor is not None:
        rest = rest.where(Delivery.id < cursor)
    looked = rest.order_by(Delivery.id.desc()).limit(SEARCHED).alias("looked")
    query = peewee.Select([looked], [looked.c.id])
    if which.error is not None:
        query = query.where(peewee.fn.LOWER(looked.c.error).contains(clean(which.error.lower())))
    if moment is not None:
        query = query.where(looked.c.delivered_at >= time_text(moment))
    query = query.order_by(looked.c.id.desc()).limit(limit + 1)
    ids = [id_ for (id_,) in query.tuples().execute(db)]
    figures = peewee.Select([looked], [peewee.fn.COUNT(peewee.SQL("*")), peewee.fn.MIN(looked.c.id)])
    ((count, last),) = figures.tuples().execute(db)
    found = Delivery.select().where(Delivery.id.in_(ids[:limit])).order_by(Delivery.id.desc())
    more = len(ids) > limit
    return Searched(
        data=_detailed(db, [DeliveryRow(**row) for row in found.dicts().execute(db)]),
        next_cursor=ids[limit - 1] if more else None,
        further=last if count == SEARCHED and not more else None,
        looked=int(count),
    )


def deliveries_of(db: peewee.Database, event_id: str, *, limit: int = 100) -> list[DeliveryDetail]:
    """The deliveries of one event, oldest first."""
    query = Delivery.select().where(Delivery.event_id == event_id).order_by(Delivery.id).limit(limit)
    return _detailed(db, [DeliveryRow(**row) for row in query.dicts().execute(db)])


def matching(which: DeliveryFilter, client_id: int | None) -> Any:
    """A query of the deliveries that a filter lets through, for who chooses columns and order."""
    return _where(Delivery.select(), which, client_id)


def get_delivery(
    db: peewee.Database, delivery_id: str, *, client_id: int | None = None, pulled_from: str | None = None
) -> DeliveryDetail:
    """One delivery, by its id or its event's id (then its job if it has one, else its first).

    With ``client_id`` only that client's, with ``pulled_from`` only a job of this pull handler.

    Raises:
        NotFoundError: there is none.
    """
    for column in (Delivery.id, Delivery.event_id):
        jobs_first = (Delivery.mode != "pull", Delivery.id)
        query = Delivery.select().where(column == delivery_id).order_by(*jobs_first).limit(1)
        if client_id is not None:
            query = query.where(Delivery.client_id == client_id)
        if pulled_from is not None:
            query = query.where(Delivery.mode == "pull", Delivery.handler == pulled_from)
        if found := [DeliveryRow(**row) for row in query.dicts().execute(db)]:
            return _detailed(db, found)[0]
    raise NotFoundError("no such delivery")


def _detailed(db: peewee.Database, deliveries: Sequence[DeliveryRow]) -> list[DeliveryDetail]:
    events = events_by_id(db, (each.event_id for each in deliveries))
    attempts: dict[str, list[AttemptRow]] = {each.id: [] for each in deliveries}
    query = Attempt.select().where(Attempt.delivery_id.in_(sorted(attempts))).order_by(Attempt.id)
    for row in query.dicts().execute(db):
        del row["id"]
        attempts[row.pop("delivery_id")].append(AttemptRow(**row))
    return [DeliveryDetail(delivery=d, event=events[d.event_id], attempts=attempts[d.id]) for d in deliveries]


def select_events() -> Any:
    """A query for `wagate.storage.rows.to_event`."""
    columns = [field for field in EventRow._meta.sorted_fields if field.name not in ("body", "unrouted")]  # noqa: SLF001
    query = EventRow.select(*columns, Client.slug.alias("tenant"))
    return query.join(Client, peewee.JOIN.LEFT_OUTER, on=(Client.id == EventRow.client_id))


def _where(query: Any, which: DeliveryFilter, client_id: int | None) -> Any:
    given = {name: value for name, value in msgspec.structs.asdict(which).items() if value is not None}
    if client_id is not None:
        given["client_id"] = client_id
    query = _when(query, given)
    if (part := given.pop("error", None)) is not None:
        query = query.where(peewee.fn.LOWER(Delivery.error).contains(clean(part.lower())))
    if (own_id := given.pop("target", None)) is not None and which.handler:
        given["target_id"] = f"{given.pop('handler')}:{own_id}"  # says it all: its index alone is read to count
    elif own_id is not None:
        query = query.where(Delivery.target_id == Delivery.handler.concat(f":{own_id}"))
    if (message_id := given.pop("message_id", None)) is not None:
        about = EventRow.select(EventRow.id).where(EventRow.bare_id == bare_id(message_id))
        return narrowed(query.where(Delivery.event_id.in_(about)), Delivery, given, frozenset())
    if (side := _SIDE.get(which.status or "")) is not None:
        del given["status"]
        return _open(query, given, side)
    if which.status == LOST:
        given["status"] = "failed"
        side = "" if which.handler == OUTBOUND else f" AND handler <> '{OUTBOUND}'"
        query = query.where(peewee.SQL(f"settled = TRUE{side}"))
    lead = leading(given | dict.fromkeys(STATES.get(given.get("status", ""), ())), _LEADS)
    if "failed" in lead:
        query = query.where(peewee.SQL("status = 'failed'"))
    elif "state" in lead:
        query, lead = query.where(peewee.SQL("status <> 'delivered'")), lead | {"status"}
    return narrowed(query, Delivery, given, lead)


def _when(query: Any, given: dict[str, Any]) -> Any:
    """By when it was stored, or handed on; what was obeyed is taken out of ``given``."""
    moment, end = given.pop("since", None), given.pop("until", None)
    handed = given.get("status") == HANDED
    if handed:
        given["status"], query = "delivered", query.where(peewee.SQL(_SIDE[WAITING]))
    if moment is not None:
        query = query.where(Delivery.delivered_at >= moment) if handed else since(query, Delivery, moment)
    return query if end is None else query.where((Delivery.delivered_at if handed else Delivery.created_at) < end)


def _open(query: Any, given: dict[str, Any], side: str) -> Any:
    """What is not settled: of a chat by all that it had, of a target or of all by an index of what is open.

    Each in words that the other indexes don't have (docs/adr/0061-one-index-for-what-is-open.md).
    """
    if "chat" in given:
        lead, is_open = "chat", f"CASE WHEN settled THEN 1 ELSE 0 END = 0 AND {side}"
    elif "target_id" in given:
        fits = given["target_id"].startswith(SENDING) == (side == _SIDE[LEAVING])
        lead, is_open = "target_id", f"settled = FALSE AND seq > 0 AND {'TRUE' if fits else 'FALSE'}"
    else:
        lead, is_open = "", f"settled = FALSE AND seq >= 1 AND {side}"
    return narrowed(query.where(peewee.SQL(is_open)), Delivery, given, frozenset({lead}))


class ShownDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Of a delivery that somebody looks at, what may change."""

    id: str
    client_id: int
    status: str
    stuck: bool
    attempt_count: int
    max_retries: int


_SHOWN = ", ".join(field.name for field in msgspec.structs.fields(ShownDelivery))


def shown_deliveries(db: peewee.Database, ids: Sequence[str]) -> tuple[dict[str, ShownDelivery], str]:
    """These deliveries as they are now, without those that are gone; and the newest of all, '' when there is none."""
    found: dict[str, ShownDelivery] = {}
    for part in slices(ids):
        text = f"SELECT {_SHOWN} FROM deliveries WHERE id IN ({placeholders(len(part))})"  # noqa: S608  (our own words)
        for id_, client, status, stuck, tries, most in rows(db, text, part):
            found[id_] = ShownDelivery(
                id=id_, client_id=client, status=status, stuck=bool(stuck), attempt_count=tries, max_retries=most
            )
    ((newest,),) = rows(db, "SELECT MAX(id) FROM deliveries")
    return found, newest or ""


def count_newer(db: peewee.Database, which: DeliveryFilter, at: str, *, client_id: int | None) -> int:
    """How many match that were stored after the delivery ``at``, counted to `MOST_NEWER`."""
    return count_up_to(db, matching(which, client_id).where(Delivery.id > at), MOST_NEWER)


def count_up_to(db: peewee.Database, found: Any, most: int) -> int:
    """How many a query of `matching` finds, counted so far, in the order of lists: that leads to their indexes."""
    some = found.select(Delivery.id).order_by(Delivery.id.desc()).limit(most).alias("found")
    ((count,),) = peewee.Select([some], [peewee.fn.COUNT(peewee.SQL("*"))]).tuples().execute(db)
    return int(count)
