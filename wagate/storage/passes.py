"""What opens without a token, known by a hash alone: links, until they expire or are revoked, and sign-ins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
import peewee
from uuid_utils import uuid7

from wagate.errors import ConflictError
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import placeholders, rows, run, slices

Kind = Literal["scan", "client"]
Sees = Literal["all", "deliveries", "state"]
"""What a client's link shows: all; numbers, receivers and deliveries, but no texts; numbers and receivers alone."""
MOST_LINKS: Final = 50
"""Links of one number, or of one client, that last."""
_COLUMNS: Final = "id, hash, kind, client_id, account_id, may_act, note, created_at, expires_at, opened_at, sees"
IDLE = timedelta(hours=12)
"""A sign-in that is not kept ends after so long without a page."""
KEPT = timedelta(days=30)
"""One that is kept ends then, used or not."""
MOST_SIGNINS = 100
"""Browsers that are signed in with one token."""
NOTED = timedelta(minutes=1)
"""How exactly the last use is known."""


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
    """Of a client's link: whether its holder may do what the client may, or try again what they see; else they look."""
    sees: Sees = "all"
    """Likewise, what it shows."""
    note: str = ""
    """For whom it was made."""
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None = None
    """When it was first opened."""

    @property
    def may(self) -> str:
        """What its holder may, for the audit: ``look``, ``act``, ``look deliveries``."""
        return f"{'act' if self.may_act else 'look'} {'' if self.sees == 'all' else self.sees}".rstrip()


def add_link(db: peewee.Database, made: Link) -> str:
    """Store one; its id. Those that have expired go. ConflictError: there are too many."""
    run(db, "DELETE FROM links WHERE expires_at <= ?", (time_text(made.created_at),))
    of = (made.kind, made.client_id, made.account_id)
    [[count]] = rows(db, "SELECT COUNT(*) FROM links WHERE kind = ? AND client_id = ? AND account_id = ?", of)
    if count >= MOST_LINKS:
        raise ConflictError(f"there are already {MOST_LINKS} links; revoke one")
    link_id = str(uuid7())
    run(
        db,
        f"INSERT INTO links ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",  # noqa: S608  (ours)
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
            made.sees,
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
    return run(db, f"DELETE FROM links WHERE id = ? AND kind = ? AND {column} = ?", (clean(link_id), kind, of)) == 1  # noqa: S608


def _link(row: tuple[object, ...]) -> Link:
    found = dict(zip(_COLUMNS.split(", "), row, strict=True))
    times = {name: as_time(found[name]) for name in ("created_at", "expires_at", "opened_at")}
    return msgspec.convert({**found, **times, "may_act": bool(found["may_act"])}, Link)


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in."""

    hash: str
    """SHA-256 (hex) of the cookie."""
    token: str
    """SHA-256 (hex) of the token that it was signed in with: when that is revoked, this ends."""
    address: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    kept: bool


def add_signin(db: peewee.Database, made: SignIn) -> None:
    """Store one; those that have ended go, and of one token those used longest ago beyond `MOST_SIGNINS`."""
    run(db, "DELETE FROM signins WHERE expires_at <= ?", (time_text(made.created_at),))
    run(
        db,
        "DELETE FROM signins WHERE hash IN "
        "(SELECT hash FROM signins WHERE token = ? ORDER BY used_at DESC, hash LIMIT ? OFFSET ?)",
        (made.token, MOST_SIGNINS, MOST_SIGNINS - 1),
    )
    run(
        db,
        "INSERT INTO signins (hash, token, address, created_at, used_at, expires_at, kept) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            made.hash,
            made.token,
            made.address,
            time_text(made.created_at),
            time_text(made.used_at),
            time_text(made.expires_at),
            made.kept,
        ),
    )


def find_signin(db: peewee.Database, hashed: str, now: datetime) -> SignIn | None:
    """The sign-in of a cookie, while it lasts."""
    return next(iter(find_signins(db, [hashed], now)), None)


def find_signins(db: peewee.Database, hashes: Sequence[str], now: datetime) -> list[SignIn]:
    """Those of these cookies that last."""
    return [_signin(row, now) for part in slices(hashes) for row in _signins(db, part, now)]


def _signins(db: peewee.Database, hashes: Sequence[str], now: datetime) -> list[tuple[Any, ...]]:
    text = (
        "SELECT hash, token, address, created_at, used_at, expires_at, kept FROM signins "  # noqa: S608  (our own words)
        f"WHERE hash IN ({placeholders(len(hashes))}) AND expires_at > ?"
    )
    return rows(db, text, (*hashes, time_text(now)))


def _signin(row: tuple[Any, ...], now: datetime) -> SignIn:
    hashed, token, address, created, used, expires, kept = row
    return SignIn(
        hash=hashed,
        token=token,
        address=address,
        created_at=as_time(created) or now,
        used_at=as_time(used) or now,
        expires_at=as_time(expires) or now,
        kept=bool(kept),
    )


def use_signin(db: peewee.Database, found: SignIn, now: datetime) -> None:
    """Note that it was used; one that is not kept lasts from now on."""
    expires = found.expires_at if found.kept else now + IDLE
    text = "UPDATE signins SET used_at = ?, expires_at = ? WHERE hash = ?"
    run(db, text, (time_text(now), time_text(expires), found.hash))


def end_signin(db: peewee.Database, hashed: str) -> None:
    """Sign out."""
    run(db, "DELETE FROM signins WHERE hash = ?", (hashed,))
