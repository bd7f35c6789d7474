"""Files that came with messages, and files to send: their rows. The bytes lie in the media folder, by their hash."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.events import SUBMITTED, Event
from wagate.events.kinds import MESSAGE, MESSAGE_ANY, MESSAGE_EDITED
from wagate.storage.fields import clean, time_text
from wagate.storage.models import Media
from wagate.storage.statement import first, marks, rows, run, run_many

PENDING, STORED, FAILED, GONE = "pending", "stored", "failed", "gone"
INTERRUPTED = "interrupted: the gateway stopped while fetching it"
"""The error of a file that is being fetched; whoever reads it after a crash reads the truth."""
INLINE = "inline_file"
"""In an event's ``extra``: where in the raw body its file stands in base64, like ``data.messageMedia``."""
FOLLOWS = "file_follows"
"""In an event's ``extra``: its file comes by a webhook of its own, or is asked for by its id after `FOLLOWS_WITHIN`."""
FOLLOWS_WITHIN = timedelta(seconds=8)
"""How long such a file is waited for before it is asked for: the engine is fetching it from WhatsApp just then."""
MEDIA_ID = "media_id"
"""In an event's ``extra``: the id of the file that it is about, when that is not its own."""
INSERT_INBOUND = (
    "INSERT INTO media (id, client_id, account, account_id, direction, mimetype, filename, size, next_at, created_at, "  # noqa: S608
    f"updated_at) VALUES {marks(11, 1)}"
)


class MediaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    id: str
    """Of a file that came in: its event's id."""
    client_id: int
    account: str
    """'' of a file to send."""
    account_id: str
    """Likewise."""
    direction: str
    """in or out."""
    status: str
    """pending, stored, failed or gone."""
    sha256: str
    """Hex; '' until it is stored."""
    mimetype: str
    filename: str
    """As told, unsafe, until it is stored."""
    size: int | None
    attempts: int
    error: str | None
    """Why it is not stored."""
    next_at: datetime | None
    """When it is tried again; when another process may take over."""
    followers: str
    """Who is told when the file comes after all: on each line a JSON list of handler and target."""
    created_at: datetime
    updated_at: datetime


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file that was stored."""

    sha256: str
    mimetype: str
    filename: str
    """Safe."""
    size: int


def has_file(event: Event) -> bool:
    """Whether an event brought a file that can be fetched. Reactions, acks and what was sent here bring none."""
    media = event.media
    if media is None or sent_by_us(event):
        return False
    if event.kind in {MESSAGE, MESSAGE_ANY, MESSAGE_EDITED} and (media.url or media.provider_id):
        return True
    return INLINE in event.extra


def sent_by_us(event: Event) -> bool:
    """Whether it tells of a message that was submitted here (`wagate.outbound.announce`)."""
    return event.from_me and event.extra.keys() >= SUBMITTED


def insert_inbound(db: peewee.Database, events: Sequence[Event]) -> None:
    """A pending row for each event that brought a file, in the commit of the events."""
    run_many(db, INSERT_INBOUND, [_inbound(event) for event in events if has_file(event)])


def _inbound(event: Event) -> tuple[Any, ...]:
    media = event.media
    assert media is not None
    now = time_text(event.created_at)
    due = time_text(event.created_at + FOLLOWS_WITHIN) if FOLLOWS in event.extra else now
    size = media.size if media.size is not None and 0 <= media.size < 2**63 else None
    owner = (event.id, event.client_id, clean(event.account), event.account_id)
    return (*owner, "in", clean(media.mimetype), clean(media.filename or ""), size, due, now, now)


def insert_outbound(db: peewee.Database, media_id: str, client_id: int, kept: Kept, *, now: datetime) -> MediaRow:
    """The row of a file to send."""
    values = {"id": media_id, "client_id": client_id, "direction": "out", "status": STORED}
    values |= msgspec.structs.asdict(kept) | {"created_at": now, "updated_at": now}
    Media.insert(values).execute(db)
    return get_media(db, media_id)


def insert_fetched(db: peewee.Database, media_id: str, client_id: int, kept: Kept, *, now: datetime) -> MediaRow:
    """The row of a file that a message names by its link; one for the same file again, which is kept from now on."""
    text = (  # ``<> ''`` and ``+ 0``: only with these SQLite takes the index of hashes, and not that of clients
        "UPDATE media SET created_at = ?, updated_at = ? WHERE id = (SELECT id FROM media WHERE sha256 = ? "
        "AND sha256 <> '' AND client_id + 0 = ? AND direction = 'out' AND status = 'stored' AND mimetype = ? "
        "AND filename = ? ORDER BY id DESC LIMIT 1) AND status = 'stored' RETURNING id"
    )
    same = (kept.sha256, client_id, clean(kept.mimetype), clean(kept.filename))
    found = rows(db, text, (time_text(now), time_text(now), *same))
    return get_media(db, found[0][0]) if found else insert_outbound(db, media_id, client_id, kept, now=now)


def note_uses(db: peewee.Database, found: Iterable[tuple[str, Any]]) -> None:
    """Files of other messages that events need: (event's id, file's id), '' or None: none."""
    uses = [(event_id, clean(media_id)) for event_id, media_id in found if media_id and isinstance(media_id, str)]
    run_many(db, "INSERT INTO media_uses (event_id, media_id) VALUES (?, ?) ON CONFLICT DO NOTHING", uses)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a client keeps."""

    uploads: int
    """Files to send."""
    stored: int
    """Bytes of all its files."""


def holding(db: peewee.Database, client_id: int) -> Holding:
    """What a client keeps now."""
    text = (
        "SELECT coalesce(sum(CASE WHEN direction = 'out' THEN 1 ELSE 0 END), 0), coalesce(sum(size), 0) FROM media "
        "WHERE client_id = ? AND status = 'stored'"
    )
    [(uploads, stored)] = rows(db, text, (client_id,))
    return Holding(uploads=int(uploads), stored=int(stored))


def delete_upload(db: peewee.Database, media_id: str, *, client_id: int | None, now: datetime) -> None:
    """Forget a file to send; its bytes go with the next sweep, unless another row has them. NotFoundError."""
    row = get_media(db, media_id, client_id=client_id)
    if row.direction != "out" or row.status == GONE:
        raise NotFoundError("no such file to send; received files are deleted after retention.media")
    Media.update(status=GONE, sha256="", error="deleted", updated_at=now).where(Media.id == media_id).execute(db)


def get_media(db: peewee.Database, media_id: str, *, client_id: int | None = None) -> MediaRow:
    """One file; with ``client_id`` only that client's. NotFoundError."""
    query = Media.select().where(Media.id == media_id)
    row = first(db, query if client_id is None else query.where(Media.client_id == client_id))
    if row is None:
        raise NotFoundError("no such file")
    return MediaRow(**row)


def due(
    db: peewee.Database, *, now: datetime, without: Collection[str], most: int, every: bool = True
) -> list[MediaRow]:
    """Pending files whose time has come, the longest overdue first, but not of these accounts (by id).

    ``every``: also those that nobody follows.
    """
    query = Media.select().where(Media.status == PENDING, Media.next_at <= now)
    if not every:
        query = query.where(Media.followers != "")
    if without:
        query = query.where(Media.account_id.not_in(list(without)))
    return [MediaRow(**row) for row in query.order_by(Media.next_at, Media.id).limit(most).dicts().execute(db)]


def asked_for(db: peewee.Database, ids: Collection[str], *, now: datetime, without: Collection[str]) -> list[MediaRow]:
    """Those of these files that are pending, but not of these accounts (by id).

    What was tried may be tried again at any time; what never was may still come by itself until its time.
    """
    query = Media.select().where(
        Media.id.in_(list(ids)), Media.status == PENDING, Media.error.is_null(False) | (Media.next_at <= now)
    )
    if without:
        query = query.where(Media.account_id.not_in(list(without)))
    return [MediaRow(**row) for row in query.order_by(Media.id).dicts().execute(db)]


def next_due(db: peewee.Database, *, every: bool = True) -> datetime | None:
    """When the next pending file's time comes; None when none is pending. ``every`` as for `due`."""
    query = Media.select(Media.next_at).where(Media.status == PENDING)
    found = first(db, (query if every else query.where(Media.followers != "")).order_by(Media.next_at))
    return None if found is None else found["next_at"]


def claim(db: peewee.Database, row: MediaRow, *, now: datetime, until: datetime) -> bool:
    """Begin an attempt, which another process may take over after ``until``; False when another has begun one."""
    text = (
        "UPDATE media SET attempts = attempts + 1, error = ?, next_at = ?, updated_at = ? "
        "WHERE id = ? AND status = 'pending' AND attempts = ? AND (error IS NULL OR error <> ? OR next_at <= ?)"
    )
    params = [INTERRUPTED, time_text(until), time_text(now), row.id, row.attempts, INTERRUPTED, time_text(now)]
    return run(db, text, params) == 1


def keep(db: peewee.Database, media_id: str, kept: Kept, *, now: datetime) -> list[tuple[str, str]]:
    """The file is there, also one that was given up; (handler, target) of each that is to be told."""
    text = (
        "UPDATE media SET status = 'stored', error = NULL, next_at = NULL, updated_at = ?, sha256 = ?, mimetype = ?, "
        "filename = ?, size = ? WHERE id = ? AND status IN ('pending', 'failed') RETURNING followers"
    )
    params = [time_text(now), kept.sha256, clean(kept.mimetype), clean(kept.filename), kept.size, media_id]
    told = [line for (followers,) in rows(db, text, params) for line in followers.splitlines()]
    return [msgspec.json.decode(line, type=tuple[str, str]) for line in dict.fromkeys(told)]


def follow(db: peewee.Database, media_id: str, handler: str, target: str, *, now: datetime) -> bool:
    """Have it told there when a file comes that is not here yet; False: it is here, or is none that can come."""
    text = (
        "UPDATE media SET followers = followers || ?, updated_at = ? WHERE id = ? AND status IN ('pending', 'failed')"
    )
    line = msgspec.json.encode((handler, target)).decode() + "\n"
    return run(db, text, [clean(line), time_text(now), media_id]) == 1


def postpone(
    db: peewee.Database, media_id: str, error: str, *, now: datetime, at: datetime, spent: bool = True
) -> None:
    """An attempt failed; ``spent``: it counts."""
    text = (
        "UPDATE media SET error = ?, next_at = ?, updated_at = ?, attempts = attempts - ? "
        "WHERE id = ? AND status = 'pending'"
    )
    run(db, text, [clean(error), time_text(at), time_text(now), 0 if spent else 1, media_id])


def give_up(db: peewee.Database, media_id: str, error: str, *, now: datetime) -> None:
    """It will not be fetched."""
    text = "UPDATE media SET status = 'failed', error = ?, next_at = NULL, updated_at = ? WHERE id = ? AND status = ?"
    run(db, text, [clean(error), time_text(now), media_id, PENDING])


def resume(db: peewee.Database, *, now: datetime) -> int:
    """Let what a dead process was fetching be fetched at once; only where no other process runs. How many."""
    text = "UPDATE media SET next_at = ? WHERE status = 'pending' AND error = ? AND next_at > ?"
    return run(db, text, [time_text(now), INTERRUPTED, time_text(now)])


def refetch(db: peewee.Database, row: MediaRow, *, now: datetime) -> None:
    """The bytes of a file that came in are not here (a restored backup, another machine): pending again."""
    text = (
        "UPDATE media SET status = 'pending', attempts = 0, next_at = ?, updated_at = ? "
        "WHERE id = ? AND status = 'stored' AND direction = 'in'"
    )
    run(db, text, [time_text(now), time_text(now), row.id])


def hashes_in_use(db: peewee.Database, hashes: Sequence[str]) -> set[str]:
    """Those of these hashes that a stored row has."""
    query = Media.select(Media.sha256).where(Media.sha256.in_(list(hashes)), Media.status == STORED).distinct()
    return {row[0] for row in query.tuples().execute(db)}
