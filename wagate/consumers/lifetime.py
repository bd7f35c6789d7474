"""The consumers' side of one process, from its first pump to its last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import peewee
import structlog
import trio
from prometheus_client import CollectorRegistry

from wagate.clock import Clock
from wagate.consumers.alerts import Alerts, Prepare
from wagate.consumers.bulk import BulkActs
from wagate.consumers.clock_steps import ClockSteps
from wagate.consumers.consume import Consumer
from wagate.consumers.control import Control
from wagate.consumers.deliver import Deliverer
from wagate.consumers.elsewhere import Elsewhere
from wagate.consumers.fan_out import FanOut
from wagate.consumers.flights import Flights
from wagate.consumers.jobs import PullJobs
from wagate.consumers.memory import Memory
from wagate.consumers.metrics import ConsumerMetrics
from wagate.consumers.pool import Pool, bucket_of
from wagate.consumers.probe import Prober
from wagate.consumers.queues import Queues
from wagate.consumers.rates import Rates
from wagate.consumers.reap import reap_dead_workers
from wagate.consumers.recorder import Recorder
from wagate.consumers.spool import NAME, Spool
from wagate.consumers.sweep import Sweeper
from wagate.consumers.take import Taker
from wagate.consumers.tasks import supervise
from wagate.errors import StorageError
from wagate.hooks.contracts import Handler
from wagate.inbound.route import Router
from wagate.plugins.wall import leaves
from wagate.queue.queue import Queue
from wagate.queue.results import Pumped, QueueStats
from wagate.queue.shards import Shards
from wagate.queue.wakeup import Wakeup, listen
from wagate.rules.states import Policy
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import free_bulk
from wagate.storage.deliveries.lanes import unclaim
from wagate.storage.deliveries.targets import end_probes
from wagate.storage.events.intake import Stored, StoredDelivery

log = structlog.get_logger("wagate.consumers")

SETTLED = 5.0
"""Seconds that the consumer has to run after an error until it counts as well again."""


SILENT = 0.8
"""Part of a lease after whose silence nothing is sent any more until Redis has answered again."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the consumers are made of."""

    database: Database
    queue: Callable[[str], Queue]
    """Opens a queue of this Redis by its name."""
    handlers: Mapping[str, Handler]
    """By name; those of all enabled plugins."""
    policy: Policy
    clock: Clock
    prepare: Prepare
    """Of events about targets."""
    changed: Callable[[], Awaitable[None]]
    """Called after an endpoint was switched off here: load snapshots again."""
    registry: CollectorRegistry
    done: Callable[[int, float], None] = lambda _client, _seconds: None
    """Told of each delivery that is done: whose it is, and how many seconds after it came in."""
    tried: Callable[[str, int, float | None], None] = lambda _target, _client, _lag: None
    """Told of each try: target, client, and the seconds from storing to its delivery (None: it failed)."""
    pulled: Callable[[int], None] = lambda _client: None
    """Told of each job that a worker takes: whose it is."""
    concurrency: int = 64
    """``queue.concurrency``: handlers at once."""
    max_depth: int = 50_000
    """``queue.max_depth``."""
    drain: float = 20.0
    """Seconds that a stop waits for running handlers."""
    folder: Path | None = None
    """For outcomes that the database does not take before a stop; None: they are lost then."""
    shared: bool = False
    """Other processes may take from the same queue: what is tried is claimed in its row."""
    listens: bool = False
    """Other processes ring their doorbells, in Redis."""
    push: Queue | Shards | None = None
    """What is pushed; None: one queue of that name."""


class Consumers:
    """What the rest of the process sees of them."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._wakeup = Wakeup(setup.clock)
        self._queues = Queues(
            setup.queue, self._wakeup, strict=setup.policy.strict, shared=setup.shared, push=setup.push
        )
        self._rates = Rates(setup.handlers, setup.clock)
        self._pool = Pool(setup.concurrency, self._concurrency, self._rates)
        self._metrics = ConsumerMetrics(setup.registry)
        self.elsewhere = Elsewhere(setup.clock)
        """What other processes serve; whoever knows says so (`Elsewhere.asks`)."""
        process = self._queues.push.process
        # Several processes, or a chat whose order was given up: the row knows more than we do.
        alone = setup.policy.strict and not setup.shared
        self._memory = Memory(lambda: setup.database.epoch, on=alone)
        self._flights = Flights(setup.database, setup.clock, process if setup.shared else None)
        self._prober = Prober(
            setup.database,
            self._pool,
            setup.handlers,
            setup.clock,
            self._wakeup,
            process=process,
            elsewhere=self.elsewhere,
        )
        self._sweeper = Sweeper(
            setup.database, self._queues, self._pool, setup.policy, setup.clock, handlers=setup.handlers
        )
        self._clock_steps = ClockSteps(
            setup.database, self._queues, setup.clock, recover=setup.policy.recover, moved=self._prober.ring
        )
        self._recorder = Recorder(setup.database, setup.clock, Spool(setup.folder / NAME) if setup.folder else None)
        self._consumer = self._make_consumer()
        self._broke: str | None = None
        """What the consumer last broke on."""
        self._began: float | None = None
        """Since when it runs."""
        self._queues.connect(sweep=self._sweeper.ring, hurry=self._consumer.hurry, begin=self._consumer.begin)
        self.control = Control(
            setup.database,
            self._queues,
            pool=self._pool,
            prober=self._prober,
            policy=setup.policy,
            clock=setup.clock,
        )
        """Retry, cancel, recover; and what to call when an endpoint changed."""
        self._fan_out = FanOut(setup.database, setup.clock, partial(self._tell, many=True))
        self.bulk = BulkActs(setup.database, self.control, setup.clock, process=process)
        """The same for all deliveries that match a filter."""

    def ring(self, stored: Sequence[Stored]) -> None:
        """Tell of stored events. Never fails: what can't be told now is found by the sweep."""
        if any(each.later for each in stored):
            self._tell([delivery for each in stored if each.later for delivery in each.deliveries], many=True)
            self._fan_out.ring()
        self._tell([delivery for each in stored if not (each.duplicate or each.later) for delivery in each.deliveries])

    def _tell(self, deliveries: Sequence[StoredDelivery], *, many: bool = False) -> None:
        for each in deliveries:
            if each.client_id is not None:
                self._pool.learn(bucket_of(each.key), each.client_id)
        if deliveries:
            self._memory.note(deliveries)
            self._queues.tell(deliveries, many=many)

    def jobs(self, handler: str) -> PullJobs:
        """The jobs of one pull handler."""
        setup = self._setup
        return PullJobs(
            handler,
            database=setup.database,
            queues=self._queues,
            control=self.control,
            policy=setup.policy,
            clock=setup.clock,
            done=setup.done,
            pulled=setup.pulled,
            tried=setup.tried,
        )

    def let_waiters_go(self) -> None:
        """Answer whoever waits for a job that there is none: the process is about to stop. Never blocks."""
        self._queues.close()

    async def take_over(self) -> None:
        """Free what dead predecessors held; call it only when nobody else can use this Redis.

        Raises QueueError, StorageError.
        """
        await self._setup.database.write(self._free, None)
        await self._queues.push.release_all_workers(died=True)

    def _free(self, db: peewee.Database, process: str | None) -> None:
        """End what a process that ended had claimed; None: all processes ended."""
        end_probes(db, self._setup.clock.now(), process)
        unclaim(db, process)
        free_bulk(db, process)

    async def _ended(self, process: str) -> None:
        await self._setup.database.write(self._free, process)
        self._prober.ring()

    def sweep(self) -> None:
        """Look through the tables soon for what the queue does not know."""
        self._sweeper.ring()

    async def stats(self) -> QueueStats:
        """Lengths of the push queue. QueueError."""
        return await self._queues.push.stats()

    @property
    def processes(self) -> int:
        """How many take from the queue, this one included, as the last look at their heartbeats saw."""
        return self._rates.processes

    @property
    def failing(self) -> str | None:
        """Why nothing is delivered: the name of what broke the consumer; None: it runs, for `SETTLED` at least."""
        began = self._began
        runs = began is not None and self._setup.clock.monotonic() - began >= SETTLED
        return None if runs else self._broke

    async def _consume(self) -> None:
        self._began = self._setup.clock.monotonic()
        try:
            await self._consumer.run()
        except Exception as error:
            self._broke, self._began = type(next(leaves(error))).__name__, None
            raise

    async def _run(self, stopped: trio.Event) -> None:
        try:
            await supervise("consumer", self._consume, self._setup.clock)
        finally:
            # Also when all is cancelled: then there is nothing left to wait for.
            stopped.set()

    def _tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        setup = self._setup
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            "ring": self._queues.keep_ringing,
            "sweep": self._sweeper.run,
            "probe": self._prober.run,
            "clock": self._clock_steps.run,
            "mark": self._flights.keep_marking,
            "bulk": self.bulk.run,
            "fan out": self._fan_out.run,
            "reap": partial(
                reap_dead_workers,
                self._queues.push,
                setup.clock,
                self._wakeup,
                alive=self._rates.share,
                ended=self._ended,
            ),
            "alerts": Alerts(
                setup.database, setup.clock, setup.prepare, self.ring, changed=setup.changed, handlers=setup.handlers
            ).run,
        }
        if setup.listens:
            for each in self._queues.push.shards:
                tasks[f"listen {each.name}"] = partial(listen, each, self._wakeup)
        return tasks

    def _concurrency(self, bucket: str) -> int:
        handler = self._setup.handlers.get(bucket.partition(":")[0])
        return self._setup.concurrency if handler is None else handler.concurrency

    def _silent(self, key: str) -> bool:
        """Whether our last heartbeat is so old that another process may have taken over this key."""
        queue = self._queues.push.of(key)
        return queue.silence >= SILENT * queue.lease

    def _pumped(self, pumped: Pumped) -> None:
        self._metrics.now(running=len(self._flights), depth=pumped.depth)
        self._sweeper.see(pumped, self._setup.max_depth)
        self._clock_steps.went_round()

    def _make_consumer(self) -> Consumer:
        setup = self._setup
        deliverer = Deliverer(
            handlers=setup.handlers,
            router=Router(setup.handlers, max_retries=setup.policy.max_retries),
            policy=setup.policy,
            clock=setup.clock,
            pool=self._pool,
            rates=self._rates,
            recorder=self._recorder,
            flights=self._flights,
            metrics=self._metrics,
            ring=self._queues.ring,
            turned=self._prober.ring,
            switched_off=setup.changed,
            done=setup.done,
            tried=setup.tried,
            silent=self._silent,
            memory=self._memory,
        )
        taker = Taker(
            database=setup.database,
            handlers=setup.handlers,
            policy=setup.policy,
            clock=setup.clock,
            pool=self._pool,
            deliverer=deliverer,
            memory=self._memory,
            elsewhere=self.elsewhere,
            claimed_by=self._queues.push.process if setup.shared else None,
        )
        return Consumer(
            taker=taker,
            queue=self._queues.push,
            clock=setup.clock,
            pool=self._pool,
            wakeup=self._wakeup,
            queues=self._queues,
            flights=self._flights,
            memory=self._memory,
            sweep=self._sweeper.ring,
            pumped=self._pumped,
            returned=self._clock_steps.note,
            shared=setup.shared,
            ended=self._ended,
            elsewhere=self.elsewhere,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Consumers]:
        """Take deliveries as long as the context is open.

        Leaving it takes nothing more, waits up to ``drain`` seconds for running handlers, then cancels them; what is
        not done goes back to the queue. Database and Redis must outlive it.

        Raises StorageError after all that: outcomes could not be written, these deliveries will be repeated.
        """
        stopped = trio.Event()
        await self._recorder.write_kept(self._setup.policy)
        await self._clock_steps.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run, stopped)
            for name, task in self._tasks().items():
                nursery.start_soon(supervise, name, task, self._setup.clock)
            try:
                yield self
            finally:
                self._consumer.stop()
                with trio.move_on_after(self._setup.drain, shield=True) as patience:
                    await stopped.wait()
                if patience.cancelled_caught:
                    log.warning("stopped before all was delivered", running=len(self._flights))
                    self._recorder.hurry()
                nursery.cancel_scope.cancel()
        if lost := self._recorder.lost:
            raise StorageError(
                f"stopped while the database was not writable: {lost} deliveries were made and will be repeated"
            )
