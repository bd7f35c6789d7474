"""Which of an engine's sessions an account is, when its settings don't say: the first that was posted to it."""

from __future__ import annotations

import peewee

from wagate.storage.fields import clean
from wagate.storage.statement import rows, run


def claim_session(db: peewee.Database, account_id: str, session: str, *, own: bool) -> str:
    """The account's session; ``session`` if none is known yet, or if it is the account's ``own`` by its name.

    Of several requests at once the first one counts.
    """
    named = clean(session)
    change = "DO UPDATE SET session = excluded.session" if own else "DO NOTHING"
    run(
        db,
        f"INSERT INTO engine_sessions (account_id, session) VALUES (?, ?) ON CONFLICT (account_id) {change}",  # noqa: S608
        (account_id, named),
    )
    [(found,)] = rows(db, "SELECT session FROM engine_sessions WHERE account_id = ?", (account_id,))
    return str(found)
