"""Where deliveries wait: the chats of a target, and the place of one in its chat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import peewee

from wagate.rules.filters import DeliveryFilter
from wagate.storage.events.listing import matching
from wagate.storage.fields import as_time
from wagate.storage.models import Delivery
from wagate.storage.statement import rows

LOOKED = 10_000
"""Deliveries that are looked at, the oldest of what waits: the table has their chats, no index does."""
MOST = 1000
"""Those before one in its chat, and behind it, are counted up to here."""

Order = Literal["most", "oldest"]


class WaitingChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat in which something waits."""

    account: str
    """The number's name."""
    chat: str
    waiting: int
    oldest_at: datetime | None


class WaitingChats(msgspec.Struct, frozen=True, kw_only=True):
    """Those with the most, or the oldest."""

    shown: list[WaitingChat] = []
    chats: int = 0
    """How many there are."""
    looked: int = 0
    """Deliveries that were looked at; `LOOKED`: there may be more."""


def waiting_chats(
    db: peewee.Database, which: DeliveryFilter, *, client_id: int | None, by: Order, most: int
) -> WaitingChats:
    """In which chats that waits which a filter lets through: of the `LOOKED` oldest."""
    columns = Delivery.account, Delivery.chat, Delivery.created_at
    found = matching(which, client_id).select(*columns).order_by(Delivery.id).limit(LOOKED).alias("looked")
    count, oldest = peewee.fn.COUNT(peewee.SQL("*")), peewee.fn.MIN(found.c.created_at)
    whole = peewee.SQL("COUNT(*) OVER ()"), peewee.SQL("SUM(COUNT(*)) OVER ()")
    query = peewee.Select([found], [found.c.account, found.c.chat, count, oldest, *whole])
    order = (count.desc(), oldest) if by == "most" else (oldest, count.desc())
    each: list[tuple[Any, ...]] = list(
        query.group_by(found.c.account, found.c.chat)
        .order_by(*order, found.c.account, found.c.chat)
        .limit(most)
        .tuples()
        .execute(db)
    )
    return WaitingChats(
        shown=[WaitingChat(account=row[0], chat=row[1], waiting=row[2], oldest_at=as_time(row[3])) for row in each],
        chats=each[0][4] if each else 0,
        looked=int(each[0][5]) if each else 0,
    )


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Of a delivery that waits, in its chat."""

    before: int
    """That go first; `MOST` + 1: more than that."""
    behind: int
    """Likewise."""
    first: str
    """The one whose turn it is; '' when it is this one."""
    first_at: datetime | None
    """When that was stored."""
    next: str
    """The one behind it; '' when there is none."""


def place_of(db: peewee.Database, delivery_id: str, *, client_id: int | None) -> Place | None:
    """Where a delivery is in its chat; None: it does not wait there, or is not this client's."""
    mine, params = ("", []) if client_id is None else (" AND client_id = ?", [client_id])
    text = f"SELECT key, seq FROM deliveries WHERE id = ? AND settled = FALSE{mine}"  # noqa: S608  (our own words)
    for lane in rows(db, text, [delivery_id, *params]):
        before, behind = _beside(db, "<", lane), _beside(db, ">", lane)
        return Place(
            before=len(before),
            behind=len(behind),
            first=before[0][0] if before else "",
            first_at=as_time(before[0][1]) if before else None,
            next=behind[0][0] if behind else "",
        )
    return None


def _beside(db: peewee.Database, side: str, lane: Sequence[Any]) -> list[tuple[Any, ...]]:
    text = (
        f"SELECT id, created_at FROM deliveries WHERE key = ? AND settled = FALSE AND seq {side} ? "  # noqa: S608
        "ORDER BY seq LIMIT ?"
    )
    return rows(db, text, [*lane, MOST + 1])
