"""What people ask for: run again, cancel, skip, replay, pause, switch on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from wagate.clock import Clock
from wagate.consumers.pool import Pool, bucket_of
from wagate.consumers.probe import Prober
from wagate.consumers.queues import Queues
from wagate.rules.states import Policy
from wagate.storage.database import Database
from wagate.storage.deliveries.by_hand import Round, cancel, failed_since, run_again, run_all_again, skip
from wagate.storage.deliveries.target_list import TargetRow, pause_target, resume_target
from wagate.storage.deliveries.targets import probe_now
from wagate.storage.events.intake import StoredDelivery

SLICE = 200
"""Deliveries replayed in one commit."""


class Control:
    """Retry, cancel and recover, by delivery or by target. Pass ``client_id`` None only for the admin."""

    def __init__(
        self,
        database: Database,
        queues: Queues,
        *,
        pool: Pool,
        prober: Prober,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._database = database
        self._queues = queues
        self._pool = pool
        self._prober = prober
        self._policy = policy
        self._clock = clock

    async def retry(self, delivery_id: str, *, client_id: int | None) -> None:
        """Run a delivery or job again: now when it waits, at the end of its chat when it was final.

        A target that is down is probed at once. NotFoundError; ConflictError when it was delivered.
        """
        stored = await self._database.write(run_again, delivery_id, self._round(), client_id=client_id)
        await self._again([stored])

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> None:
        """Give a delivery up. NotFoundError; ConflictError when it is final."""
        stored = await self._database.write(cancel, delivery_id, client_id=client_id, now=self._clock.now())
        await self._again([stored])

    async def recover(self, target_id: str, *, since: float) -> int:
        """Replay what failed for good at ``<handler>:<target>`` in the last ``since`` seconds, in order; how many."""
        begin = self._clock.now() - timedelta(seconds=since)
        ids = await self._database.read(failed_since, target_id, begin)
        return len(await self.retry_failed(ids))

    async def retry_failed(self, ids: Sequence[str]) -> set[str]:
        """Replay those of these deliveries that failed for good, in the order given; which they were."""
        found: set[str] = set()
        for start in range(0, len(ids), SLICE):
            again = await self._database.write(run_all_again, ids[start : start + SLICE], self._round())
            await self._again(again)
            found.update(each.delivery_id for each in again)
        return found

    async def changed(self, target_id: str) -> None:
        """An endpoint was switched on or off, changed or deleted: what waits for it is looked at anew."""
        self._pool.open(bucket_of(target_id))
        self._prober.ring()
        self._queues.wake(push=True, pull=False)

    async def skip(self, delivery_id: str, *, client_id: int | None) -> None:
        """Let those behind a delivery that waits go first: it goes to the end of its chat.

        NotFoundError; ConflictError when it is final, or being tried.
        """
        stored = await self._database.write(skip, delivery_id, client_id=client_id, now=self._clock.now())
        await self._again([stored])

    async def pause(self, target: TargetRow, *, by: str) -> None:
        """Send a target nothing from now on, in any process; ``by``: who wants it."""
        await self._database.write(pause_target, target, by, self._clock.now())
        self._pool.shut(bucket_of(target.id))
        self._prober.ring()

    async def resume(self, target_id: str) -> None:
        """End a pause."""
        await self._database.write(resume_target, target_id, self._clock.now())
        self._pool.open(bucket_of(target_id))
        self._prober.ring()
        self._queues.wake(push=True, pull=True)

    async def probe(self, target_id: str) -> None:
        """Something was done about a target: if it is down, ask it now."""
        await self._database.write(probe_now, target_id, self._clock.now())
        self._prober.ring()

    def _round(self) -> Round:
        return Round(max_retries=self._policy.max_retries, recover=self._policy.recover, now=self._clock.now())

    async def _again(self, stored: Sequence[StoredDelivery]) -> None:
        await self._queues.ring(stored)
        await self._queues.hurry(stored)
        self._prober.ring()
        self._queues.wake(push=True, pull=True)
