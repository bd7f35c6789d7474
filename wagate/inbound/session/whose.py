"""Whose events a session engine posts that posts those of several sessions to one URL."""

from __future__ import annotations

from typing import Any

from wagate.inbound.numbers import Numbers
from wagate.parsing.fields import identifier
from wagate.storage.database import Database
from wagate.storage.owners.accounts import claim_session
from wagate.storage.owners.directory import Account


class EngineSessions:
    """Remembers the session of each account that names none."""

    def __init__(self, database: Database, numbers: Numbers) -> None:
        self._database = database
        self._numbers = numbers
        self._known: dict[str, str] = {}

    async def number(self, account: Account, document: dict[str, Any]) -> str:
        """The session of a body, as `Numbers.owned` compares it; '': it is the account's, or the body doesn't say.

        An account with ``session_id`` is that session. One without is the session of its name, or, until that is
        seen, the one that was posted first. Raises StorageError.
        """
        named = identifier(document.get("sessionId"))
        if not named or account.settings.get("session_id") or self._numbers.sibling(account, named) is not None:
            return named
        known = self._known.get(account.id)
        if known is None or (named == account.name and known != named):
            own = named == account.name
            known = await self._database.write(claim_session, account.id, named, own=own)
            self._known[account.id] = known
        return "" if named == known else named
