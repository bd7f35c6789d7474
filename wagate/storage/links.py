"""Links that somebody without a token opens, until they expire or are revoked: known by a hash alone."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec
import peewee
from uuid_utils import uuid7

from wagate.errors import ConflictError
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import rows, run

Kind = Literal["scan", "client"]
MOST: Final = 50
"""Links of one number, or of one client, that last."""
_COLUMNS: Final = "id, hash, kind, client_id, account_id, may_act, note, created_at, expires_at, opened_at"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link."""

    id: str = ""
    """Rises with time."""
    hash: str
    """SHA-256 (hex) of the secret in it."""
    kind: Kind
    client_id: int
    """Whose things it shows."""
    account_id: str = ""
    """Of a link to scan: whose code it shows."""
    may_act: bool = False
    """Of a client's link: whether its holder may do what the client may; else they look."""
    note: str = ""
    """For whom it was made."""
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None = None
    """When it was first opened."""


def add_link(db: peewee.Database, made: Link) -> str:
    """Store one; its id. Those that have expired go. ConflictError: there are too many."""
    run(db, "DELETE FROM links WHERE expires_at <= ?", (time_text(made.created_at),))
    of = (made.kind, made.client_id, made.account_id)
    [[count]] = rows(db, "SELECT COUNT(*) FROM links WHERE kind = ? AND client_id = ? AND account_id = ?", of)
    if count >= MOST:
        raise ConflictError(f"there are {MOST} links already; revoke one")
    link_id = str(uuid7())
    run(
        db,
        f"INSERT INTO links ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608  (ours)
        (
            link_id,
            made.hash,
            made.kind,
            made.client_id,
            made.account_id,
            made.may_act,
            clean(made.note),
            time_text(made.created_at),
            time_text(made.expires_at),
        ),
    )
    return link_id


def find_link(db: peewee.Database, hashed: str, now: datetime, kind: Kind) -> Link | None:
    """The link with this secret, while it lasts."""
    text = f"SELECT {_COLUMNS} FROM links WHERE hash = ? AND kind = ? AND expires_at > ?"  # noqa: S608  (ours)
    return next((_link(row) for row in rows(db, text, (hashed, kind, time_text(now)))), None)


def list_links(db: peewee.Database, kind: Kind, of: int | str, now: datetime) -> list[Link]:
    """Those that last, of a client (its id) or an account (its id); newest first."""
    column = "client_id" if kind == "client" else "account_id"
    text = f"SELECT {_COLUMNS} FROM links WHERE kind = ? AND {column} = ? AND expires_at > ? ORDER BY id DESC"  # noqa: S608
    return [_link(row) for row in rows(db, text, (kind, of, time_text(now)))]


def open_link(db: peewee.Database, hashed: str, now: datetime) -> bool:
    """Note that it was opened; False: it was before."""
    return run(db, "UPDATE links SET opened_at = ? WHERE hash = ? AND opened_at IS NULL", (time_text(now), hashed)) == 1


def revoke_link(db: peewee.Database, link_id: str, kind: Kind, of: int | str) -> bool:
    """From now on it opens nothing. False: there is none such."""
    column = "client_id" if kind == "client" else "account_id"
    return run(db, f"DELETE FROM links WHERE id = ? AND kind = ? AND {column} = ?", (link_id, kind, of)) == 1  # noqa: S608


def _link(row: tuple[object, ...]) -> Link:
    found = dict(zip(_COLUMNS.split(", "), row, strict=True))
    times = {name: as_time(found[name]) for name in ("created_at", "expires_at", "opened_at")}
    return msgspec.convert({**found, **times, "may_act": bool(found["may_act"])}, Link)
