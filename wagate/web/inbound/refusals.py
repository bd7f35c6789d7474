"""Whose webhooks are refused, and why: for the metrics, ``wagate doctor``, the API and the pages, over restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import peewee
import structlog

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.hooks.providers import Finding
from wagate.storage.clock_marks import believed
from wagate.storage.database import Database
from wagate.storage.once import Once
from wagate.storage.owners.directory import Account
from wagate.storage.refusals import (
    Refused,
    RefusedRow,
    add_refusals,
    drop_refusals,
    list_refusals,
    refused_accounts,
)

KEPT: Final = timedelta(days=90)
SIGNATURE = "signature"
CHALLENGE = "challenge"
BODY = "body"

log = structlog.get_logger("wagate.refusals")


class Refusals:
    """Counts by account in memory, and writes down now and then: a flood of forged webhooks is no flood of writes."""

    def __init__(
        self,
        clock: Clock,
        count: Callable[[str, str], None],
        *,
        database: Database,
        accounts: Callable[[], Mapping[str, Account]],
    ) -> None:
        """``count`` takes (provider, reason) for the metrics; ``accounts`` gives those there are, by name."""
        self._clock = clock
        self._count = count
        self._database = database
        self._accounts = accounts
        self._once = Once(database, clock)
        self._found: dict[tuple[str, str], Refused] = {}
        self._believed: set[str] = set()
        self._open: set[str] = set()
        """Ids of accounts with something refused since the last accepted webhook."""

    def refused(self, account: str, provider: str, reason: str, detail: str = "") -> None:
        """One webhook was refused; ``account`` is '' when there is none of that name. ``detail``: why, for people."""
        self._count(provider, reason)
        known = self._accounts().get(account)
        if known is None:
            return
        now = self._clock.now()
        self._open.add(known.id)
        found = self._found.get((known.id, reason))
        if found is None:
            found = self._found[known.id, reason] = Refused(
                account_id=known.id, reason=reason, in_a_row=0, times=0, detail="", first_at=now, last_at=now
            )
        if found.in_a_row == 0:
            found.first_at = now
        found.in_a_row += 1
        found.times += 1
        found.detail, found.last_at = detail, now

    def believed(self, account: str) -> None:
        """One was not."""
        known = self._accounts().get(account)
        if known is None or known.id not in self._open:
            return
        self._open.discard(known.id)
        self._believed.add(known.id)
        for (account_id, _), found in self._found.items():
            if account_id == known.id:
                found.in_a_row = 0

    async def write(self) -> None:
        """Write down what was counted, and hear of what other processes saw. StorageError: it is kept for next time."""
        await self._once.write(self._take)
        written = await self._database.browse(refused_accounts)
        self._open = (written - self._believed) | {account_id for account_id, _ in self._found}

    def _take(self) -> Callable[[peewee.Database], None] | None:
        if not self._found and not self._believed:
            return None
        found, self._found = list(self._found.values()), {}
        believed, self._believed = self._believed, set()
        return partial(add_refusals, believed=believed, found=found)

    async def all(self, *, client_id: int | None, account_id: str | None = None) -> Sequence[RefusedRow]:
        """By account and reason; ``client_id`` None: of all clients."""
        try:
            await self.write()
        except StorageError as error:  # who looks while nothing can be written sees what was
            log.warning("refused webhooks not written down", reason=str(error))
        return await self._database.browse(list_refusals, client_id=client_id, account_id=account_id)

    async def drop(self) -> None:
        """Forget those that are old."""
        now = await self._database.read(believed, self._clock.now())
        await self._database.write(drop_refusals, now - KEPT)

    async def look(self) -> Sequence[Finding]:
        """What to tell about them: one finding for each account."""
        now = self._clock.now()
        told = [
            f"{row.account}: {row.in_a_row} refused since the last accepted one, "
            f"the latest {max(0.0, (now - row.last_at).total_seconds()) / 60:.0f} min ago"
            for row in await self.all(client_id=None)
            if row.reason == SIGNATURE and row.in_a_row
        ]
        step = "compare the secret here (app_secret, hmac_key, webhook_secret …) with the provider's; is there a proxy?"
        return [Finding(level="fail", what="signature", detail=each, next_step=step) for each in told] or [
            Finding(level="ok", what="signature", detail="no webhooks are being refused")
        ]
