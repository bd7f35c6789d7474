"""A number that rises with every change of owners and endpoints, so that other processes load them again."""

from __future__ import annotations

import peewee

from wagate.storage.statement import rows, run


def bump(db: peewee.Database) -> None:
    """Count up, inside the change's own transaction."""
    run(db, "UPDATE revision SET value = value + 1 WHERE id = 1")


def revision(db: peewee.Database) -> int:
    """The number now."""
    ((value,),) = rows(db, "SELECT value FROM revision WHERE id = 1")
    return int(value)
