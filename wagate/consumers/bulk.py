"""Does what was asked for all deliveries that match a filter: in slices, through the usual acts, by turns."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import structlog
import trio

from wagate.clock import Clock
from wagate.consumers.control import Control
from wagate.errors import RequestError, StorageError
from wagate.rules.filters import DeliveryFilter
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import Bulk, Verb, add_bulk, get_bulk, next_slice, note_slice, stop_bulk, take_bulk

SLICE = 500
"""Deliveries between two looks whether it was stopped."""
LOOK = 5.0
"""Seconds between looks for what other processes were asked, and did not finish."""
HELD = 60.0
"""Seconds for which a slice is left to its process."""

log = structlog.get_logger("wagate.bulk")


class BulkActs:
    """Takes what is asked, and runs it as a task. Pass ``client_id`` None only for the admin."""

    def __init__(self, database: Database, control: Control, clock: Clock, *, process: str) -> None:
        """``process``: our name, under which we hold what we are at work on."""
        self._database = database
        self._control = control
        self._clock = clock
        self._process = process
        self._rung = trio.Event()

    async def start(
        self,
        verb: Verb,
        which: DeliveryFilter,
        *,
        until: str,
        total: int,
        who: str,
        client_id: int | None,
        address: str = "",
    ) -> Bulk:
        """Ask for it; ``until``: the newest delivery that counts, of ``total``. ConflictError: too many run already.

        The audit says who did, and from which ``address``.
        """
        add = partial(add_bulk, total=total, who=who, client_id=client_id, now=self._clock.now(), address=address)
        made = await self._database.write(add, verb, which, until)
        self._rung.set()
        return await self._database.read(get_bulk, made)

    async def start_once(
        self,
        id_: str,
        verb: Verb,
        which: DeliveryFilter,
        *,
        until: str,
        total: int,
        who: str,
        client_id: int | None,
        address: str = "",
    ) -> None:
        """As `start`, with an id of the caller's; what was asked for before runs once."""
        add = partial(add_bulk, total=total, who=who, client_id=client_id, now=self._clock.now(), address=address)
        await self._database.write(partial(add, id_=id_), verb, which, until)
        self._rung.set()

    async def stop(self, bulk_id: str, *, client_id: int | None) -> Bulk:
        """Stop one. NotFoundError."""
        return await self._database.write(stop_bulk, bulk_id, client_id=client_id, now=self._clock.now())

    async def run(self) -> None:
        """For ever; a task."""
        while True:
            self._rung = trio.Event()
            stuck: set[str] = set()
            while (bulk := await self._take(stuck)) is not None:
                try:
                    await self._slice(bulk)
                except StorageError as error:  # A filter that reads too much; others go on meanwhile.
                    log.warning("bulk act waits", bulk=bulk.id, reason=str(error))
                    stuck.add(bulk.id)
            await self._clock.wait(self._rung, LOOK)

    async def _take(self, but: set[str]) -> Bulk | None:
        now = self._clock.now()
        take = partial(take_bulk, until=now + timedelta(seconds=HELD), now=now, but=but)
        return await self._database.write(take, self._process)

    async def _slice(self, bulk: Bulk) -> None:
        """Do one slice."""
        ids = await self._database.browse(next_slice, bulk, SLICE)
        refused: dict[str, str] = {}
        again = await self._control.retry_failed(ids) if bulk.verb == "retry" else set()
        for each in ids:
            if each not in again:
                await self._one(bulk, each, refused)  # In turn: what goes to the end of its chat goes there in order.
        over = len(ids) < SLICE
        note = partial(note_slice, refused=refused, over=over, now=self._clock.now())
        await self._database.write(
            partial(note, after=ids[-1] if ids else bulk.after, done=len(ids) - len(refused)), bulk
        )
        if over:
            log.info("bulk act done", bulk=bulk.id, verb=bulk.verb, who=bulk.who)

    async def _one(self, bulk: Bulk, delivery_id: str, refused: dict[str, str]) -> None:
        act = self._control.retry if bulk.verb == "retry" else self._control.cancel
        try:
            await act(delivery_id, client_id=bulk.client_id)
        except RequestError as error:
            refused[delivery_id] = str(error)
