"""The hot path: duplicates stop here, events and their deliveries are stored, session states follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import peewee
from msgspec.structs import replace

from wagate.errors import StorageError
from wagate.events import Event, Media, SessionChange, SessionStatus
from wagate.parsing.message_ids import bare_id
from wagate.storage.database import apart, bulk
from wagate.storage.events.later import ID, Row, insert_rows, lane_of, put_later, waiting_keys, waiting_lanes
from wagate.storage.events.named import renamed, stored_names
from wagate.storage.fields import clean, from_json, json_text, optional, time_text
from wagate.storage.media import MEDIA_ID, has_file, insert_inbound, note_uses
from wagate.storage.outbox.acks import fold_acks
from wagate.storage.refusals import note_strangers
from wagate.storage.statement import insert_many, marks, placeholders, rows, run, slices
from wagate.storage.threads.contacts import note_echoes
from wagate.storage.threads.conversations import note_messages

EVENT_COLUMNS = (
    "id, client_id, account, account_id, phone, provider, kind, chat, sender, recipient, message_id, type, content, "
    "bare_id, from_me, contact_name, media, reply_to, extra, metadata, raw, timestamp, created_at, unrouted"
)
INSERT_EVENT = f"INSERT INTO events ({EVENT_COLUMNS})"
WIDE = 100
"""Receivers from which on an event is wide …"""
AT_ONCE = 500
"""… and all wide events of one commit have so many deliveries with it; the others are stored later."""
_TEXTS = ("account", "phone", "kind", "chat", "sender", "recipient", "message_id", "type", "content")
ROUTED = "routed"
"""The ``error`` of an unrouted delivery that made way for others."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One target that gets the event."""

    handler: str
    """Name of the connector."""
    target_id: str
    """``<handler>:<target>``."""
    key: str
    """Order key: one chat at one target."""
    mode: str
    """push or pull."""
    max_retries: int
    """Total number of attempts."""
    delivery_id: str
    """UUIDv7."""
    expires_at: datetime | None = None
    """When the job expires; None: never."""


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """One event to store."""

    event: Event
    """With its id and times."""
    dedupe_key: str = ""
    """Equal for events that are one; '' is never a duplicate."""
    former_keys: tuple[str, ...] = ()
    """What that key was if the event came before, under another key of its person."""
    named_keys: tuple[str, ...] = ()
    """The ``dedupe_key`` of the message that this one quotes, or is about, as it may be."""
    raw: bytes = b""
    """The bytes as they came."""
    session: SessionChange | None = None
    """Written to the account's row in the same commit."""
    routes: tuple[Route, ...] = ()
    """A delivery for each."""
    later: tuple[Route, ...] = ()
    """The same, but stored by `wagate.storage.events.later`."""
    aliases: tuple[str, ...] = ()
    """Other keys of the event's sender."""
    reference: str = ""
    """Our own id of the message that this is about, when the provider carries it back."""
    epoch: int = -1
    """`Database.epoch` before it was handed in; -1: it was not asked for."""
    unrouted: bool = False
    """Its targets could not be found out; to be routed later."""
    past: bool = False
    """It is of the past: nobody has it unread, and it changes nothing of its chat's marks."""


class Fresh(msgspec.Struct, frozen=True):
    """What a delivery that was just stored is made of."""

    event: Event
    """`as_stored` makes it what the table has."""
    route: Route
    seq: int
    epoch: int


class StoredDelivery(msgspec.Struct, frozen=True):
    """A delivery that was stored."""

    key: str
    target_id: str
    delivery_id: str
    mode: str
    client_id: int | None = None
    """Whose it is; None: its row says so."""
    fresh: Fresh | None = None
    """All of it; None: its row says so."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an Intake."""

    event_id: str
    """Its id; of a duplicate: the first one's."""
    job_id: str
    """Id of its first pull delivery, else the event's; of a duplicate: the first one's."""
    duplicate: bool = False
    """Known already: nothing was stored."""
    deliveries: tuple[StoredDelivery, ...] = ()
    """In the order of the routes."""
    later: bool = False
    """More of them are to be stored: see `wagate.storage.events.later`."""
    session_changed: bool = False
    """The account's session state was written."""
    file: bool = False
    """It brought a file, to be fetched."""


@apart
@bulk
def store(db: peewee.Database, items: list[Intake]) -> list[Stored]:
    """Store events in order; one Stored for each. A key that was seen before, here or in the table, is a duplicate."""
    items = _parted(db, _with_names(db, items))
    first = _first_ids(db, items)
    fresh = [item for item in items if not item.dedupe_key or first[item.dedupe_key][0] == item.event.id]
    insert_many(db, INSERT_EVENT, [_event_row(item) for item in fresh])
    seqs = insert_deliveries(db, [(item.event, item.routes) for item in fresh])
    for item in fresh:
        put_later(db, [_delivery_row(item.event, route) for route in item.later])
    insert_inbound(db, [item.event for item in fresh if item.event.media is not None])
    note_uses(db, [(item.event.id, item.event.extra.get(MEDIA_ID)) for item in fresh])
    note_messages(
        db, [(item.event, item.aliases) for item in fresh], past={each.event.id for each in fresh if each.past}
    )
    note_strangers(db, (item.event for item in fresh))
    fold_acks(db, ((item.event, item.reference) for item in fresh))
    # An echo is often a duplicate of what the send's answer told; in which chat it came is news nevertheless.
    note_echoes(db, [item.event for item in items])
    changed = {item.event.id for item in fresh if item.session is not None and _change_session(db, item, item.session)}
    new = {item.event.id for item in fresh}
    return [
        _stored(item, changed, seqs) if item.event.id in new else _duplicate(first[item.dedupe_key]) for item in items
    ]


def insert_deliveries(db: peewee.Database, routed: Sequence[tuple[Event, tuple[Route, ...]]]) -> dict[str, int]:
    """A pending delivery for each route, at the end of its lane; the ``seq`` of each by its id."""
    found = [_delivery_row(event, route) for event, routes in routed for route in routes]
    return {row[ID]: seq for row, seq in zip(found, insert_rows(db, found), strict=True)}


def _parted(db: peewee.Database, items: list[Intake]) -> list[Intake]:
    """Leave for later what one commit has no room for, and what comes behind that in its chat for the same target."""
    lanes = waiting_lanes(db)
    if not lanes and all(len(item.routes) <= WIDE for item in items):
        return items
    behind = waiting_keys(db, lanes.intersection(lane_of(clean(r.key)) for item in items for r in item.routes[:1]))
    room, parted = AT_ONCE, []
    for item in items:
        # What is pulled first: its id is answered, and asked for.
        routes = sorted(item.routes, key=lambda route: route.mode != "pull")
        pulled = sum(route.mode == "pull" for route in routes)
        most = max(room, pulled) if len(routes) > WIDE else len(routes)
        now = [route for route in routes[:most] if clean(route.key) not in behind]
        later = [route for route in routes[:most] if clean(route.key) in behind] + routes[most:]
        behind.update(clean(route.key) for route in later)
        room -= len(now) if len(routes) > WIDE else 0
        parted.append(replace(item, routes=tuple(now), later=tuple(later)) if later else item)
    return parted


def job_id(item: Intake) -> str:
    """The id that the sender gets: the first pull delivery's, else the event's."""
    routes = (*item.routes, *item.later)
    return next((route.delivery_id for route in routes if route.mode == "pull"), item.event.id)


def _with_names(db: peewee.Database, items: list[Intake]) -> list[Intake]:
    """The items, naming messages as they were stored."""
    asked = [key for item in items for key in item.named_keys]
    if not asked:
        return items
    names = stored_names(db, asked)
    return [replace(item, event=renamed(item.event, item.named_keys, names)) for item in items]


def _first_ids(db: peewee.Database, items: list[Intake]) -> dict[str, tuple[str, str]]:
    """Claim the keys; key → (event id, job id) of the one that had it first."""
    first: dict[str, tuple[str, str]] = {}
    for item in items:
        if item.dedupe_key:
            first.setdefault(item.dedupe_key, (item.event.id, job_id(item)))
    former = {key: item.dedupe_key for item in items if item.dedupe_key for key in item.former_keys}
    first.update({former[key]: found for key, found in _found(db, sorted(former)).items()})
    now = {item.dedupe_key: time_text(item.event.created_at) for item in items}
    taken: list[str] = []
    # Sorted, so that two processes with the same keys never wait for each other crosswise.
    for part in slices(sorted(first)):
        text = (
            f"INSERT INTO dedupe (key, event_id, job_id, created_at) VALUES {marks(4, len(part))} "  # noqa: S608
            "ON CONFLICT (key) DO NOTHING RETURNING key"
        )
        won = {key for (key,) in rows(db, text, [value for key in part for value in (key, *first[key], now[key])])}
        taken += [key for key in part if key not in won]
    first.update(_known(db, taken))
    return first


def _known(db: peewee.Database, keys: list[str]) -> dict[str, tuple[str, str]]:
    found = _found(db, keys)
    if len(found) != len(keys):
        raise StorageError("a duplicate's first event was deleted by retention just now; send it again")
    return found


def _found(db: peewee.Database, keys: list[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for part in slices(keys):
        text = f"SELECT key, event_id, job_id FROM dedupe WHERE key IN ({placeholders(len(part))})"  # noqa: S608
        found.update({key: (event_id, job) for key, event_id, job in rows(db, text, part)})
    return found


def _change_session(db: peewee.Database, item: Intake, change: SessionChange) -> bool:
    """Write the account's session state, unless it is in one of ``change.unless``."""
    now = time_text(item.event.created_at)
    qr = optional(change.qr) if change.status == SessionStatus.QR_GENERATED else None
    connected = change.status == SessionStatus.SESSION_CONNECTED
    text = (
        "UPDATE accounts SET status = ?, message = ?, qr = ?, qr_at = ?, percent = ?, "
        "ever_connected = (ever_connected OR ?), updated_at = ? WHERE id = ?"
    )
    params: list[Any] = [
        change.status,
        clean(change.message),
        qr,
        now if qr else None,
        change.percent,
        connected,
        now,
        item.event.account_id,
    ]
    if change.unless:
        text += f" AND status NOT IN ({placeholders(len(change.unless))})"
        params += sorted(change.unless)
    return run(db, text, params) > 0


def as_stored(event: Event) -> Event:
    """The event as who reads its row gets it: text that every database takes, JSON types, times in UTC."""
    media = None if event.media is None else from_json(json_text(event.media))
    return replace(
        event,
        created_at=event.created_at.astimezone(UTC),
        timestamp=event.timestamp.astimezone(UTC),
        media=None if media is None else msgspec.convert(media, Media),
        reply_to=optional(event.reply_to),
        contact_name=optional(event.contact_name),
        extra=from_json(json_text(event.extra)) if event.extra else {},
        metadata=from_json(json_text(event.metadata)) if event.metadata else {},
        **{name: clean(getattr(event, name)) for name in _TEXTS},
    )


def _stored(item: Intake, changed: set[str], seqs: dict[str, int]) -> Stored:
    return Stored(
        event_id=item.event.id,
        job_id=job_id(item),
        deliveries=tuple(
            StoredDelivery(
                r.key,
                r.target_id,
                r.delivery_id,
                r.mode,
                item.event.client_id,
                Fresh(item.event, r, seqs[r.delivery_id], item.epoch) if item.epoch >= 0 else None,
            )
            for r in item.routes
        ),
        later=bool(item.later),
        session_changed=item.event.id in changed,
        file=has_file(item.event),
    )


def _duplicate(first: tuple[str, str]) -> Stored:
    return Stored(event_id=first[0], job_id=first[1], duplicate=True)


def _event_row(item: Intake) -> tuple[Any, ...]:
    event = item.event
    return (
        event.id,
        event.client_id,
        clean(event.account),
        event.account_id,
        clean(event.phone),
        event.provider,
        clean(event.kind),
        clean(event.chat),
        clean(event.sender),
        clean(event.recipient),
        clean(event.message_id),
        clean(event.type),
        clean(event.content),
        clean(bare_id(event.message_id)),
        event.from_me,
        optional(event.contact_name),
        None if event.media is None else json_text(event.media),
        optional(event.reply_to),
        json_text(event.extra) if event.extra else "{}",
        json_text(event.metadata) if event.metadata else "{}",
        item.raw,
        time_text(event.timestamp),
        time_text(event.created_at),
        item.unrouted,
    )


def _delivery_row(event: Event, route: Route) -> Row:
    now = time_text(event.created_at)
    return (
        route.delivery_id,
        event.id,
        route.handler,
        clean(route.target_id),
        clean(route.key),
        event.client_id,
        clean(event.account),
        clean(event.chat),
        route.mode,
        route.max_retries,
        now,
        now,
        None if route.expires_at is None else time_text(route.expires_at),
    )


def reroute(
    db: peewee.Database, delivery_id: str, attempt_count: int, event: Event, routes: tuple[Route, ...], *, now: datetime
) -> list[StoredDelivery]:
    """Settle an unrouted delivery and store one for each route, at the end of their lanes, or later.

    What was stored; nothing when the delivery was settled or tried by somebody else meanwhile.
    """
    counted = run(
        db,
        "UPDATE deliveries SET status = 'cancelled', settled = TRUE, held = FALSE, error = ?, next_retry_at = NULL, "
        "updated_at = ? WHERE id = ? AND attempt_count = ? AND settled = FALSE",
        (ROUTED, time_text(now), delivery_id, attempt_count),
    )
    if not counted:
        return []
    [parted] = _parted(db, [Intake(event=event, routes=routes)])
    insert_deliveries(db, [(event, parted.routes)])
    put_later(db, [_delivery_row(event, route) for route in parted.later])
    return [StoredDelivery(r.key, r.target_id, r.delivery_id, r.mode) for r in parted.routes]
