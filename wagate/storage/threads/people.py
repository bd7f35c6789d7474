"""People as a list: for who asks for all of a client's contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import peewee

from wagate.storage.statement import rows
from wagate.storage.threads.contacts import ContactRow, contacts_of

Which = Literal["all", "lids"]
_WHERE = {"all": "", "lids": " AND k.key LIKE '%@lid' AND EXISTS (SELECT 1 FROM contact_keys o WHERE "
          "o.contact_id = k.contact_id AND o.key LIKE '%@c.us')"}  # fmt: skip


def people_of(
    db: peewee.Database, *, client_id: int, limit: int, offset: int, which: Which = "all", falling: bool = False
) -> Sequence[tuple[str, ContactRow]]:
    """(a key, the person) by key: each person once, or of ``lids`` each LID whose number is known."""
    order = "DESC" if falling else "ASC"
    if which == "all":
        text = (
            "SELECT MIN(k.key) AS first FROM contact_keys k WHERE k.client_id = ? GROUP BY k.contact_id "  # noqa: S608
            f"ORDER BY first {order} LIMIT ? OFFSET ?"
        )
    else:
        text = f"SELECT k.key FROM contact_keys k WHERE k.client_id = ?{_WHERE[which]} ORDER BY k.key {order} LIMIT ? OFFSET ?"  # noqa: S608, E501
    keys = [str(key) for (key,) in rows(db, text, (client_id, limit, offset))]
    known = contacts_of(db, [(client_id, key) for key in keys])
    return [(key, known[client_id, key]) for key in keys if (client_id, key) in known]


def count_lids(db: peewee.Database, *, client_id: int) -> int:
    """How many LIDs there are whose number is known."""
    text = f"SELECT COUNT(*) FROM contact_keys k WHERE k.client_id = ?{_WHERE['lids']}"  # noqa: S608
    [(count,)] = rows(db, text, (client_id,))
    return int(count)
