"""Whose webhooks are refused, and why: for the metrics, ``wagate doctor``, the API and the pages, over restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import peewee
from msgspec.structs import asdict, replace

from wagate.clock import Clock
from wagate.hooks.providers import Finding
from wagate.storage.clock_marks import believed
from wagate.storage.database import Database
from wagate.storage.once import Once, Pending, is_written
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
        self._accepted: set[str] = set()
        self._taken: tuple[list[Refused], set[str]] = ([], set())
        """What was handed over to be written last, and whose webhooks were accepted."""
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

    def accepted(self, account: str) -> None:
        """One was not."""
        known = self._accounts().get(account)
        if known is None or known.id not in self._open:
            return
        self._open.discard(known.id)
        self._accepted.add(known.id)
        for (account_id, _), found in self._found.items():
            if account_id == known.id:
                found.in_a_row = 0

    async def write(self) -> None:
        """Write down what was counted, and hear of what other processes saw. StorageError: it is kept for next time."""
        await self._once.write(self._take)
        written = await self._database.browse(refused_accounts)
        self._open = (written - self._accepted) | {account_id for account_id, _ in self._found}

    def _take(self) -> Callable[[peewee.Database], None] | None:
        if not self._found and not self._accepted:
            return None
        found, self._found = list(self._found.values()), {}
        accepted, self._accepted = self._accepted, set()
        self._taken = found, accepted
        return partial(add_refusals, accepted=accepted, found=found)

    async def all(self, *, client_id: int | None, account_id: str | None = None) -> Sequence[RefusedRow]:
        """By account and reason; ``client_id`` None: of all clients. Who looks writes nothing."""
        while True:
            taken, fresh = self._taken, ([replace(each) for each in self._found.values()], {*self._accepted})
            read = partial(_list, client_id=client_id, account_id=account_id, pending=self._once.pending)
            rows, missing = await self._database.browse(read)
            if taken is self._taken:  # else what is in ``fresh`` may be among the rows
                break
        found = {(row.account_id, row.reason): row for row in rows}
        for more, accepted in ([taken] if missing else []) + [fresh]:
            self._add(found, more, accepted)
        mine = {
            one.id: one
            for one in self._accounts().values()
            if client_id in {None, one.client_id} and account_id in {None, one.id}
        }
        shown = [row for row in found.values() if row.account or row.account_id in mine]
        for row in shown:
            if not row.account:
                of = mine[row.account_id]
                row.account, row.tenant, row.provider = of.name, of.tenant, of.provider
        return sorted(shown, key=lambda row: (row.account, row.reason))

    @staticmethod
    def _add(found: dict[tuple[str, str], RefusedRow], more: Sequence[Refused], accepted: set[str]) -> None:
        """As `add_refusals` does; a row that is new has no account's name yet."""
        for row in found.values():
            if row.account_id in accepted:
                row.in_a_row = 0
        for each in more:
            row = found.setdefault(
                (each.account_id, each.reason),
                RefusedRow(**asdict(each) | {"in_a_row": 0, "times": 0}, account="", tenant="", provider=""),
            )
            row.first_at = row.first_at if row.in_a_row else each.first_at
            row.in_a_row, row.times = row.in_a_row + each.in_a_row, row.times + each.times
            row.detail, row.last_at = each.detail, each.last_at

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


def _list(
    db: peewee.Database, *, client_id: int | None, account_id: str | None, pending: Pending | None
) -> tuple[list[RefusedRow], bool]:
    """What was written; and whether what is being written is not among it."""
    missing = pending is not None and not is_written(db, pending)
    return list_refusals(db, client_id=client_id, account_id=account_id), missing
