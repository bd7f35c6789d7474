"""Lists of events and deliveries: by filter, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.storage.models import Attempt, Client, Delivery, EventRow
from wagate.storage.rows import AttemptRow, DeliveryDetail, DeliveryRow, Page, to_event
from wagate.storage.statement import first


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; None lets all through."""

    client_id: int | None = None
    account: str | None = None
    chat: str | None = None
    kind: str | None = None
    message_id: str | None = None
    since: datetime | None = None
    """Stored at this time or later."""
    until: datetime | None = None
    """Stored before this time."""


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries; None lets all through."""

    client_id: int | None = None
    handler: str | None = None
    target_id: str | None = None
    """``<handler>:<target>``."""
    account: str | None = None
    chat: str | None = None
    status: str | None = None
    mode: str | None = None
    message_id: str | None = None
    event_id: str | None = None
    since: datetime | None = None
    """Stored at this time or later."""
    until: datetime | None = None
    """Stored before this time."""


ALL_EVENTS = EventFilter()
ALL_DELIVERIES = DeliveryFilter()


def list_events(
    db: peewee.Database, which: EventFilter = ALL_EVENTS, *, limit: int, cursor: str | None = None
) -> Page[Event]:
    """A page of events."""
    query = select_events().order_by(EventRow.id.desc()).limit(limit + 1)
    query = _where(query, EventRow, which, cursor)
    found = [to_event(row) for row in query.dicts().execute(db)]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)


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


def list_deliveries(
    db: peewee.Database, which: DeliveryFilter = ALL_DELIVERIES, *, limit: int, cursor: str | None = None
) -> Page[DeliveryDetail]:
    """A page of deliveries with their events and attempts."""
    query = _where(Delivery.select(), Delivery, which, cursor).order_by(Delivery.id.desc()).limit(limit + 1)
    found = [DeliveryRow(**row) for row in query.dicts().execute(db)]
    return Page(data=_detailed(db, found[:limit]), next_cursor=found[limit - 1].id if len(found) > limit else None)


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


def _where(query: Any, table: Any, which: EventFilter | DeliveryFilter, cursor: str | None) -> Any:
    for name, value in msgspec.structs.asdict(which).items():
        match name, value:
            case _, None:
                continue
            case "since", moment:
                query = query.where(table.created_at >= moment)
            case "until", moment:
                query = query.where(table.created_at < moment)
            case "message_id", message_id if table is Delivery:
                about = EventRow.select(EventRow.id).where(EventRow.message_id == message_id)
                query = query.where(Delivery.event_id.in_(about))
            case _:
                query = query.where(getattr(table, name) == value)
    return query if cursor is None else query.where(table.id < cursor)
