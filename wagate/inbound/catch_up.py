"""Ask the providers that keep what they could not deliver for what came while we were down, or the machine slept."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import WagateError
from wagate.events import NewEvent
from wagate.hooks.providers import Provider
from wagate.http import on_behalf_of
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.receive import Receiver
from wagate.plugins.registry import Providers
from wagate.plugins.wall import whose
from wagate.storage.database import Database
from wagate.storage.owners.accounts import caught_up, last_seen, missed_since
from wagate.storage.owners.directory import Account, Directory

BACK: Final = timedelta(days=6)
"""A long weekend, and less than duplicates are known for (`wagate.storage.upkeep.retention`)."""
OVERLAP: Final = timedelta(minutes=2)
"""Clocks differ, and providers list late; what is known already is a duplicate."""
PATIENCE: Final = 300.0
"""Seconds for each account."""
AT_ONCE: Final = 4
"""Accounts."""
AGAIN: Final = (15.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds before each next try: after a power cut the provider may start after us, and the network too."""
LOOK: Final = 5.0
"""Seconds between looks whether the machine slept."""
SLEPT: Final = 60.0
"""Seconds from which on it did: senders try again for as long."""
BATCH: Final = 100
"""Events in one commit at most."""

log = structlog.get_logger("wagate.catch_up")


class CatchUp:
    """Asks for every account whose provider can be asked, until it was answered once."""

    def __init__(
        self,
        providers: Providers,
        directory: Callable[[], Directory],
        receiver: Receiver,
        database: Database,
        clock: Clock,
        *,
        ignore_filter: IgnoreFilter,
        again: Sequence[float] = AGAIN,
    ) -> None:
        """Made before anything is taken in: what comes from now on is not missed."""
        self._again = again
        self._providers = providers
        self._directory = directory
        self._receiver = receiver
        self._ignore_filter = ignore_filter
        self._database = database
        self._clock = clock
        self._began = clock.now()
        self._noted = False
        """Whether it is written down what was missed before then."""

    async def watch(self) -> None:
        """`run`, and again whenever the machine slept; a task."""
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.run)
                fell_asleep = await self._fell_asleep()
                nursery.cancel_scope.cancel()  # what it did not come to is asked for from the same moment on
            if self._noted:  # else what came before it slept would hide what was missed before that
                self._began = fell_asleep

    async def _fell_asleep(self) -> datetime:
        """Wait until the machine has slept, or its clock was set ahead, which looks the same; when that began."""
        before = self._ahead()
        while True:
            await self._clock.sleep(LOOK)
            ahead = self._ahead()
            slept = max(now - then for now, then in zip(ahead, before, strict=True))
            before = ahead
            if slept >= SLEPT:
                log.info("the machine slept", seconds=round(slept))
                return self._clock.now() - min(timedelta(seconds=slept + LOOK), BACK)

    def _ahead(self) -> tuple[float, float]:
        """By how much clocks that go on in its sleep are ahead of the one that doesn't.

        A virtual machine that was paused from outside sees it by its wall clock alone, once that is right again.
        """
        stands = self._clock.monotonic()
        return self._clock.boottime() - stands, self._clock.time() - stands

    async def run(self) -> None:
        """Ask for all; an account that fails or takes too long costs only itself."""
        self._noted = False
        asked = [
            (account, provider)
            for account in self._directory().accounts.values()
            if (provider := self._providers.get(account.provider)) is not None and provider.missed is not None
        ]
        if not asked:
            self._noted = True
            return
        ids = [account.id for account, _ in asked]
        since = self._began - BACK
        # Read beside the writer: it may look through all that came in six days.
        latest = await self._database.read(last_seen, ids, since=since, before=self._began)
        seen = await self._database.write(missed_since, latest, since=since)
        self._noted = True
        limiter = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for account, provider in asked:
                begin = seen.get(account.id, self._began) - OVERLAP
                nursery.start_soon(partial(self._account, account, provider, begin, limiter))

    async def _account(
        self, account: Account, provider: Provider, since: datetime, limiter: trio.CapacityLimiter
    ) -> None:
        """Try until it is done, or given up."""
        waits = iter(self._again)
        while not await self._one(account, provider, since, limiter) and (wait := next(waits, None)) is not None:
            await self._clock.sleep(wait)

    async def _one(self, account: Account, provider: Provider, since: datetime, limiter: trio.CapacityLimiter) -> bool:
        """One try, from the same moment as the first; whether all there is was taken in."""
        found = Found(account=account)
        async with limiter:
            try:
                try:
                    with trio.fail_after(PATIENCE), on_behalf_of(account.client_id):
                        await self._ask(found, provider, since)
                finally:
                    await self._keep(found)
                await self._database.write(caught_up, account.id)
            except trio.TooSlowError:
                log.warning("catching up took too long", account=account.name, new=found.new, seconds=PATIENCE)
            except WagateError as error:
                log.warning(
                    "catching up failed", account=account.name, new=found.new, reason=str(error), **whose(error)
                )
            except Exception:
                log.exception("catching up failed", account=account.name, new=found.new)
            else:
                log.info("caught up", account=account.name, since=since.isoformat(), new=found.new)
                return True
        return False

    async def _ask(self, found: Found, provider: Provider, since: datetime) -> None:
        assert provider.missed is not None
        missed = cast("AsyncGenerator[NewEvent, None]", provider.missed(self._providers.account(found.account), since))
        async with aclosing(missed) as events:
            async for event in events:
                found.waiting.append(event)
                if len(found.waiting) >= BATCH:
                    await self._keep(found)

    async def _keep(self, found: Found) -> None:
        batch, found.waiting = found.waiting, []
        owned = await self._ignore_filter.taken_in((found.account, event) for event in batch)
        stored = await self._receiver.receive_all(owned, b"")
        found.new += sum(not each.duplicate for each in stored)


@dataclass(kw_only=True)
class Found:
    """How far it came with one account, also when it failed."""

    account: Account
    waiting: list[NewEvent] = field(default_factory=list)
    """Not stored yet."""
    new: int = 0
    """Stored, and not known before."""
