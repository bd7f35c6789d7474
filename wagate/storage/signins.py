"""Who is signed in to the dashboard: a cookie's hash, and whose token it stands for."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import peewee

from wagate.storage.fields import as_time, time_text
from wagate.storage.statement import rows, run

IDLE = timedelta(hours=12)
"""A sign-in that is not kept ends after so long without a page."""
KEPT = timedelta(days=30)
"""One that is kept ends then, used or not."""
MOST = 100
"""Browsers that are signed in with one token."""
NOTED = timedelta(minutes=1)
"""How exactly the last use is known."""


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
    """Store one; those that have ended go, and of one token those used longest ago beyond `MOST`."""
    run(db, "DELETE FROM signins WHERE expires_at <= ?", (time_text(made.created_at),))
    run(
        db,
        "DELETE FROM signins WHERE hash IN "
        "(SELECT hash FROM signins WHERE token = ? ORDER BY used_at DESC, hash LIMIT ? OFFSET ?)",
        (made.token, MOST, MOST - 1),
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
    text = "SELECT token, address, created_at, used_at, expires_at, kept FROM signins WHERE hash = ? AND expires_at > ?"
    for token, address, created, used, expires, kept in rows(db, text, (hashed, time_text(now))):
        return SignIn(
            hash=hashed,
            token=token,
            address=address,
            created_at=as_time(created) or now,
            used_at=as_time(used) or now,
            expires_at=as_time(expires) or now,
            kept=bool(kept),
        )
    return None


def use_signin(db: peewee.Database, found: SignIn, now: datetime) -> None:
    """Note that it was used; one that is not kept lasts from now on."""
    expires = found.expires_at if found.kept else now + IDLE
    text = "UPDATE signins SET used_at = ?, expires_at = ? WHERE hash = ?"
    run(db, text, (time_text(now), time_text(expires), found.hash))


def end_signin(db: peewee.Database, hashed: str) -> None:
    """Sign out."""
    run(db, "DELETE FROM signins WHERE hash = ?", (hashed,))
