"""Who did what to what: one row for each act of a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
import peewee
from uuid_utils import uuid7

from wagate.storage.fields import as_time, clean, optional, time_text
from wagate.storage.rows import Page
from wagate.storage.statement import rows, run

SIGN_IN: Final = "sign in"
SIGN_INS_APART: Final = timedelta(hours=1)
"""Who signs in again from the same address within it is written down once: a script may do so every minute."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One act."""

    id: str = ""
    """Rises with time."""
    client_id: int | None
    """Whose thing it was; None: nobody's in particular."""
    who: str
    """``admin``, or a client's slug."""
    action: str
    """``pause``, ``retry``, ``sign in`` …"""
    object: str
    """A target's, delivery's or account's id …"""
    detail: str = ""
    """In words: a reason given, a count."""
    address: str
    """Where it came from; '' by the command line."""
    created_at: datetime


def write_act(db: peewee.Database, act: Act) -> None:
    """Add one."""
    run(
        db,
        "INSERT INTO audit (id, client_id, who, action, object, detail, address, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(uuid7()),
            act.client_id,
            clean(act.who),
            act.action,
            clean(act.object),
            clean(act.detail),
            act.address,
            time_text(act.created_at),
        ),
    )


def write_sign_in(db: peewee.Database, who: str, client_id: int | None, address: str, now: datetime) -> None:
    """Note that somebody signed in with a token, unless that is known of the same address for `SIGN_INS_APART`."""
    # The index of who did something leads to all their acts, that of objects to sign-ins alone.
    text = (
        "SELECT 1 FROM audit WHERE object = ? AND who || '' = ? AND action = ? AND address = ? "
        "AND created_at > ? LIMIT 1"
    )
    if not rows(db, text, (who, who, SIGN_IN, address, time_text(now - SIGN_INS_APART))):
        act = Act(client_id=client_id, who=who, action=SIGN_IN, object=who, address=address, created_at=now)
        write_act(db, act)


def list_acts(
    db: peewee.Database,
    *,
    client_id: int | None = None,
    about: str = "",
    who: str = "",
    limit: int,
    cursor: str | None = None,
) -> Page[Act]:
    """A page, newest first; ``client_id`` None: of all. ``about``: only those of this object; ``who``: by them."""
    where, params = ["TRUE"], []
    for condition, value in (
        ("client_id = ?", client_id),
        ("object = ?", clean(about) or None),
        ("who = ?", clean(who) or None),
        ("id < ?", optional(cursor)),
    ):
        if value is not None:
            where.append(condition)
            params.append(value)
    text = (
        "SELECT id, client_id, who, action, object, detail, address, created_at FROM audit "  # noqa: S608  (ours)
        f"WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"
    )
    found = [
        Act(
            id=id_,
            client_id=client,
            who=who,
            action=action,
            object=thing,
            detail=detail,
            address=address,
            created_at=at,
        )
        for id_, client, who, action, thing, detail, address, created in rows(db, text, [*params, limit + 1])
        if (at := as_time(created)) is not None
    ]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)
