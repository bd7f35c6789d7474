"""Jobs under leases, for pull connectors: `wagate.hooks.context.Jobs`."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

import structlog

from wagate.clock import Clock
from wagate.consumers.control import Control
from wagate.consumers.queues import Queues
from wagate.errors import NotFoundError, QueueError
from wagate.hooks.views import Job
from wagate.queue.queue import Queue
from wagate.queue.results import Ack, Delay, Release, Result, Taken
from wagate.rules.settle import wait as wait_after
from wagate.rules.states import Policy
from wagate.storage.database import Database
from wagate.storage.deliveries import jobs as pull
from wagate.storage.deliveries.jobs import WORDS, Finished, Leased, NotYet
from wagate.storage.deliveries.targets import target_states
from wagate.storage.events.listing import get_delivery
from wagate.storage.rows import DeliveryDetail

log = structlog.get_logger("wagate.jobs")

LOOK = 1.0
"""Seconds between looks while somebody waits: other processes take in jobs too."""


class PullJobs:
    """Jobs of one connector; ``targets`` are its own ids of them."""

    def __init__(
        self,
        handler: str,
        *,
        database: Database,
        queues: Queues,
        control: Control,
        policy: Policy,
        clock: Clock,
        done: Callable[[int, float], None],
        pulled: Callable[[int], None],
        tried: Callable[[str, int, float | None], None] = lambda _target, _client, _lag: None,
    ) -> None:
        """``done`` takes the client and the seconds since it came in, of each job completed.

        ``pulled`` takes the client, of each job taken.
        """
        self._handler = handler
        self._database = database
        self._queues = queues
        self._control = control
        self._policy = policy
        self._clock = clock
        self._done = done
        self._pulled = pulled
        self._tried = tried

    async def take(self, targets: Sequence[str], *, wait: float, lease: float) -> Job | None:
        """The next job of these targets, waiting up to ``wait`` seconds; None when there is none, or the process stops.

        Raises QueueError, StorageError.
        """
        deadline = self._clock.monotonic() + wait
        while True:
            await self._queues.ring_untold()
            came = self._queues.came
            given = await self._database.read(target_states, [self._target(each) for each in targets])
            for target in random.sample(targets, len(targets)):
                name = self._target(target)
                if name in given and given[name].paused:
                    continue
                if job := await self._take_from(name, lease):
                    return job
            left = deadline - self._clock.monotonic()
            if left <= 0 or self._queues.closed:
                return None
            await self._clock.wait(came, min(left, LOOK))

    async def waiting(self, targets: Sequence[str]) -> int:
        """How many jobs are not done yet and not leased."""
        names = [self._target(target) for target in targets]
        return await self._database.browse(pull.waiting, names, self._clock.now())

    async def get(self, job_id: str, *, client_id: int | None) -> Job:
        """One job, by its id or its event's id. NotFoundError."""
        try:
            detail = await self._database.read(get_delivery, job_id, client_id=client_id, pulled_from=self._handler)
        except NotFoundError as error:
            raise NotFoundError("no such job") from error
        return view(detail, self._clock.now())

    async def heartbeat(self, job_id: str, *, client_id: int | None, lease_id: str | None, lease: float) -> Job:
        """Lengthen the lease. ConflictError when it is stale."""
        job = await self.get(job_id, client_id=client_id)
        beat = partial(pull.heartbeat, client_id=client_id, lease_id=lease_id, lease=lease, now=self._clock.now())
        told = await self._database.write(beat, job.id)
        await self._tell(job.target, lambda queue: queue.extend(told.key, token_of(told.lease_id), lease))
        return await self.get(job.id, client_id=client_id)

    async def finish(
        self,
        job_id: str,
        *,
        client_id: int | None,
        status: Literal["completed", "failed", "queued"],
        lease_id: str | None,
        result: Any = None,
        error: str | None = None,
    ) -> Job:
        """Completed counts once; failed is retried until attempts run out; queued gives it back unspent.

        ConflictError when ``lease_id`` is stale or the job is final otherwise.
        """
        job = await self.get(job_id, client_id=client_id)
        failures = job.attempt_count + 1
        chance = random.random()  # noqa: S311  (jitter)
        after = wait_after(failures, max_delay=self._policy.max_delay, chance=chance)
        write = partial(
            pull.finish,
            client_id=client_id,
            status=status,
            lease_id=lease_id,
            result=result,
            error=error,
            wait=after,
            now=self._clock.now(),
        )
        done = await self._database.write(write, job.id)
        if done.changed:
            await self._tell(job.target, lambda queue: queue.finish(_result(done)))
            self._queues.wake(push=False, pull=True)
            if status == "completed":
                waited = (self._clock.now() - job.created_at).total_seconds()
                self._done(job.event.client_id, waited)
                self._tried(self._target(job.target), job.event.client_id, waited)
            elif status == "failed":
                self._tried(self._target(job.target), job.event.client_id, None)
            log.info("job", delivery_id=job.id, target=self._target(job.target), outcome=status, attempt=failures)
        return await self.get(job.id, client_id=client_id)

    async def retry(self, job_id: str, *, client_id: int | None) -> Job:
        """Queue a failed or expired job again, at the end of its chat."""
        job = await self.get(job_id, client_id=client_id)
        await self._control.retry(job.id, client_id=client_id)
        return await self.get(job.id, client_id=client_id)

    def _target(self, own_id: str) -> str:
        return f"{self._handler}:{own_id}"

    async def _take_from(self, target_id: str, lease: float) -> Job | None:
        queue = self._queues.pull(target_id)
        while taken := (await queue.take_leased(lease=lease)).taken:
            if job := await self._lease(queue, taken[0], lease):
                return job
        return None

    async def _lease(self, queue: Queue, taken: Taken, lease: float) -> Job | None:
        lease_id = f"{taken.token}-{secrets.token_hex(8)}"
        now = self._clock.now()
        match await self._database.write(partial(pull.lease_head, lease=lease, now=now), taken.key, lease_id):
            case Leased(job_id=job_id):
                job = await self.get(job_id, client_id=None)
                self._pulled(job.event.client_id)
                return job
            case NotYet(seconds=seconds):
                await queue.finish(Delay(key=taken.key, token=taken.token, after=seconds))
            case None:
                await queue.finish(Ack(key=taken.key, token=taken.token, more=False))
        return None

    async def _tell(self, own_id: str, say: Callable[[Queue], Any]) -> None:
        """Tell the queue what the table knows already: without that, the lease ends there by itself."""
        try:
            await say(self._queues.pull(self._target(own_id)))
        except QueueError as error:
            log.warning("queue not told", target=self._target(own_id), reason=str(error))


def token_of(lease_id: str | None) -> str:
    """The queue's token in a lease's id."""
    return (lease_id or "").partition("-")[0]


def _result(done: Finished) -> Result:
    token = token_of(done.lease_id)
    if done.after is None:
        return Ack(key=done.key, token=token, more=done.more)
    if done.after == 0:
        return Release(key=done.key, token=token)
    return Delay(key=done.key, token=token, after=done.after)


def view(detail: DeliveryDetail, now: datetime) -> Job:
    """A pull delivery as its connector shows it; one whose lease is over counts as queued."""
    row = detail.delivery
    lapsed = row.status == "delivering" and (row.lease_until is None or row.lease_until <= now)
    return Job(
        id=row.id,
        event=detail.event,
        target=row.target_id.partition(":")[2],
        status="queued" if lapsed else WORDS[row.status],
        attempt_count=row.attempt_count,
        lease_id=row.lease_id,
        lease_until=row.lease_until,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.delivered_at,
        result=row.result,
        error=row.error,
    )
