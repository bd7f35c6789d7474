"""A number that rises with every change of owners and endpoints, and what changed: other processes take that up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, TypeAlias

import peewee

from wagate.storage.statement import rows, run

Kind: TypeAlias = Literal["client", "token", "account", "webhook"]
Changes: TypeAlias = Mapping[str, set[str]]
"""Ids by kind; of tokens their hashes."""

KEPT = 1000
"""Revisions whose changes are kept: whoever is further behind loads everything."""
EVERYTHING = "*"
"""The kind of a change that is not named."""


def bump(db: peewee.Database, kind: Kind | None = None, *ids: str) -> None:
    """Count up, inside the change's own transaction; without a kind, everything may be different."""
    run(db, "UPDATE revision SET value = value + 1 WHERE id = 1")
    now = revision(db)
    for each in sorted(set(ids)) if kind is not None else [""]:
        text = "INSERT INTO changes (revision, kind, id) VALUES (?, ?, ?)"
        run(db, text, (now, EVERYTHING if kind is None else kind, each))
    run(db, "DELETE FROM changes WHERE revision <= ?", (now - KEPT,))


def revision(db: peewee.Database) -> int:
    """The number now."""
    ((value,),) = rows(db, "SELECT value FROM revision WHERE id = 1")
    return int(value)


def changes_since(db: peewee.Database, known: int) -> tuple[int, Changes | None]:
    """The number now, and what changed since it was ``known``; None: nobody can say."""
    now = revision(db)
    changed: defaultdict[str, set[str]] = defaultdict(set)
    told = set()
    for number, kind, each in rows(db, "SELECT revision, kind, id FROM changes WHERE revision > ?", (known,)):
        changed[kind].add(each)
        told.add(number)
    complete = EVERYTHING not in changed and len(told) == now - known
    return now, changed if complete else None
