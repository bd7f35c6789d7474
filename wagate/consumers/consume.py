"""One task per process talks with the queue; what it takes is loaded, tried, settled and handed back."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

import structlog
import trio

from wagate.clock import Clock
from wagate.consumers.deliver import STUCK, Deliverer
from wagate.consumers.elsewhere import Elsewhere
from wagate.consumers.memory import Memory
from wagate.consumers.pool import Hand, Pool
from wagate.consumers.queues import Queues
from wagate.errors import QueueError, StorageError
from wagate.hooks.contracts import Handler
from wagate.inbound.route import unrouted
from wagate.queue.queue import Queue
from wagate.queue.results import Ack, Delay, Park, Pumped, Release, Result, Take, Taken
from wagate.queue.shards import Shards
from wagate.queue.wakeup import Wakeup
from wagate.rules.admit import ALONE_AFTER, Admission, Bury, Closed, Early, Go, Stuck, admit
from wagate.rules.states import Policy, Status
from wagate.storage.database import Database
from wagate.storage.deliveries.lanes import Head, claim, heads

log = structlog.get_logger("wagate.consumers")

IDLE = 5.0
"""Seconds between pumps when nothing rings."""
PACE = 0.008
"""Seconds between two pumps at most, so that each carries several results …"""
EACH = 0.001
"""… for each thing that the last one carried. The first after a pause goes at once."""
LAZY = 0.02
"""Seconds that a result may wait for another pump when nobody waits for it."""
DATABASE_AWAY = 2.0
"""Seconds a key waits when its rows can't be read."""
LAST_CALL = 5.0
"""Seconds that giving back may take at a stop."""
DRAIN = 200
"""Keys taken in one round trip."""
CLAIM = 30.0
"""Seconds beyond a handler's own time for which a claim keeps others away; it ends with its try or its process."""
CLAIMED = 1.0
"""Seconds between looks at a delivery that another process is at work on."""
QUIET = 10.0
"""Seconds for which a delivery that several dead processes held is in hand alone; then others are taken again."""
UNREADABLE = 60.0
"""Seconds a key waits when reading it fails for a reason of its own."""


Judged: TypeAlias = tuple[Head, Hand, Admission]
"""The head of a key in hand, and what to do with it."""


class Consumer:
    """Takes keys of the push queue until it is stopped."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue | Shards,
        handlers: Mapping[str, Handler],
        policy: Policy,
        clock: Clock,
        pool: Pool,
        wakeup: Wakeup,
        queues: Queues,
        deliverer: Deliverer,
        memory: Memory,
        sweep: Callable[[], None],
        pumped: Callable[[Pumped], None],
        shared: bool,
        ended: Callable[[str], Awaitable[None]],
        elsewhere: Elsewhere,
    ) -> None:
        """``sweep`` is called when the queue may have forgotten something; ``pumped`` after each round trip.

        ``shared``: other processes may take from the same queue. ``ended`` frees what our process claimed, at a stop.
        ``elsewhere`` says what is left to them.
        """
        self._shared = shared
        self._ended = ended
        self._elsewhere = elsewhere
        self._database = database
        self._queue = queue
        self._handlers = handlers
        self._policy = policy
        self._clock = clock
        self._pool = pool
        self._wakeup = wakeup
        self._queues = queues
        self._deliverer = deliverer
        self._memory = memory
        self._sweep = sweep
        self._pumped = pumped
        self._results: list[Result] = []
        self._stopping = False
        self._away = 0
        self._pumped_at = 0.0
        self._carried = 0
        self._urgent = False
        self._nursery: trio.Nursery | None = None
        self._quiet_until = -math.inf
        self._fewer = trio.Event()

    def stop(self) -> None:
        """Take nothing more; `run` returns when all that is in hand is done and told."""
        self._stopping = True
        self._wakeup.ring()

    def hurry(self, keys: Collection[str]) -> None:
        """Rows of these keys were changed by hand: what is about to make them wait shall not."""
        for key in keys:
            self._pool.hurry(key)
        self._results = [
            Release(key=each.key, token=each.token) if isinstance(each, Delay) and each.key in keys else each
            for each in self._results
        ]

    @property
    def _quiet(self) -> bool:
        """Whether nothing is taken, so that one delivery is in hand alone."""
        return self._clock.monotonic() < self._quiet_until

    async def run(self) -> None:
        """Pump until stopped and drained. What is in hand when it is cancelled goes back to the queue."""
        try:
            # What one that broke was at may have been written down or not.
            self._memory.clear()
            with self._queues.carried():
                async with trio.open_nursery() as self._nursery:
                    while not self._stopping or self._pool or self._results or self._queues.more_bells:
                        await self._round()
        finally:
            with trio.move_on_after(LAST_CALL, shield=True):
                await self._let_go()

    async def _let_go(self) -> None:
        self._pool.clear()
        self._results.clear()
        try:
            # First: the database may be what holds up the stop.
            await self._queue.release()
        except QueueError as error:
            log.warning("keys not given back", reason=str(error))
        await self._deliverer.flights.unmark()
        try:
            await self._ended(self._queue.process)
        except StorageError as error:
            log.warning("claims not given back", reason=str(error))

    async def _round(self) -> None:
        await self._keep_pace()
        asked = self._clock.monotonic()
        results, self._results, self._urgent = self._results, [], False
        bells = self._queues.bells()
        for bell in bells:
            self._pool.rung(bell.key)
        quiet = self._stopping or self._quiet
        takes = [] if quiet else self._takes()
        # More than there is room for: what finds none is parked, and nobody stands in a row behind it.
        want = 0 if quiet or self._elsewhere.hands_off else DRAIN
        try:
            pumped = await self._queue.pump(results, want=want, takes=takes, bells=bells)
        except QueueError as error:
            if bells:
                self._queues.rung(len(bells), error)
            await self._ride_out(error)
            return
        if self._away or pumped.fenced:
            # It came back empty, or forgot what we hold: the tables know better.
            self._away = 0
            self._sweep()
        if bells:
            self._queues.rung(len(bells), pumped.unrung)
        self._carried = len(bells) + len(results) + len(pumped.taken)
        if pumped.overflow:
            self._memory.clear()
        self._pool.see_parked(pumped.parked)
        self._receive(pumped.taken)
        self._pumped(pumped)
        ready = pumped.ready > 0 and not self._elsewhere.hands_off
        more = (ready or self._takes()) and not (pumped.paused or self._stopping or self._quiet)
        if self._urgent or more or self._queues.more_bells:
            return
        if self._stopping and not self._pool:
            return
        due = min(IDLE if pumped.next_due is None else pumped.next_due, self._pool.next_turn)
        due = min(due, self._elsewhere.hands_off or due)
        passed = self._clock.monotonic() - asked
        await self._wakeup.wait(min(due, self._queue.lease / 3, IDLE) - passed)

    def _takes(self) -> list[Take]:
        return [each for each in self._pool.takes() if not self._elsewhere.asks(each.target)]

    async def _keep_pace(self) -> None:
        await trio.sleep_until(self._pumped_at + min(PACE, EACH * self._carried))
        self._pumped_at = trio.current_time()

    async def _ride_out(self, error: QueueError) -> None:
        """Redis is away. Handlers go on, their outcomes are written down; the queue keeps the results."""
        if not self._away:
            log.warning("redis away", reason=str(error))
        self._away += 1
        await self._clock.sleep(min(0.1 * self._away, 1.0))

    def _receive(self, taken: Sequence[Taken]) -> None:
        fresh: list[tuple[Taken, Hand]] = []
        for each in taken:
            if self._pool.known(each):
                continue
            if self._elsewhere.asks(self._pool.bucket(each.key)):
                self._results.append(self._elsewhere.hand_on(each))
                self._urgent = True
                continue
            hand = self._pool.take(each)
            if hand is None:
                # Saturated: parked without a look into the tables.
                bucket = self._pool.bucket(each.key)
                self._results.append(Park(key=each.key, token=each.token, target=bucket))
                self._urgent = True
            else:
                if each.crashes >= ALONE_AFTER:
                    hand.alone = True
                    self._quiet_until = self._clock.monotonic() + QUIET
                if not self._begin_remembered(each, hand):
                    fresh.append((each, hand))
        if fresh and self._nursery is not None:
            self._nursery.start_soon(self._load, fresh)

    def _begin_remembered(self, taken: Taken, hand: Hand) -> bool:
        """Begin at once with what this process just stored; whether that is known."""
        if taken.crashes or (head := self._memory.head(taken.key)) is None:
            return False
        for known, _, admission in self._judge([(taken, hand)], {taken.key: head}, self._clock.now()):
            self._begin(admission, known, hand, self._pool.openings)
        return True

    async def _load(self, batch: Sequence[tuple[Taken, Hand]]) -> None:
        openings = self._pool.openings
        now = self._clock.now()
        epoch, began = self._database.epoch, time.monotonic()
        read = partial(heads, skip=not self._policy.strict, now=now)
        try:
            found = await self._database.read(read, [each.key for each, _ in batch])
            self._memory.learn(list(found.values()), epoch=epoch, began=began)
            judged = self._judge(batch, found, now)
            lost = await self._lose(judged, now) if self._shared else set()
        except StorageError as error:
            log.warning("rows not read", reason=str(error), keys=len(batch))
            for _, hand in batch:
                self._give_back(hand, Delay(key=hand.key, token=hand.token, after=DATABASE_AWAY))
            return
        except Exception as error:  # noqa: BLE001  (one row that can't be read must not stop the others)
            await self._load_singly(batch, error)
            return
        for each, hand in batch:
            if each.key not in found:
                # A doorbell that rang twice, or for what was settled since.
                self._give_back(hand, Ack(key=hand.key, token=hand.token, more=False))
            elif each.key in lost:
                self._give_back(hand, Delay(key=hand.key, token=hand.token, after=CLAIMED))
        stale = [
            head.id
            for head, hand, admission in judged
            if head.key not in lost
            and not self._begin(admission, head, hand, openings)
            and head.status == Status.DELIVERING
        ]
        if stale:
            await self._deliverer.flights.unmark(*stale)

    def _judge(self, batch: Sequence[tuple[Taken, Hand]], found: dict[str, Head], now: datetime) -> list[Judged]:
        """What to do with each key that has an open delivery of ours; the others are no longer in ``found``."""
        judged: list[Judged] = []
        for each, hand in batch:
            head = found.get(each.key)
            if head is not None and head.mode == "pull" and not unrouted(head):
                del found[each.key]
            elif head is not None:
                self._pool.learn(hand.bucket, head.client_id)
                callable_ = head.active and self._calls(head)
                judged.append((head, hand, admit(head, head.target, callable_=callable_, deaths=each.alone, now=now)))
        return [each for each in judged if not self._park_over(each)]

    def _park_over(self, judged: Judged) -> bool:
        """Park what its client has no room for, now that we know whose it is."""
        head, hand, admission = judged
        if admission != Go() or hand.alone or not self._pool.over(hand):
            return False
        self._give_back(hand, Park(key=head.key, token=hand.token, target=hand.bucket))
        return True

    async def _lose(self, judged: Sequence[Judged], now: datetime) -> set[str]:
        """Claim in its row what is to be tried; keys of what another process is at work on."""
        me = self._queue.process
        lost: set[str] = set()
        wanted: dict[str, Head] = {}
        for head, _, admission in judged:
            if head.claimed_by not in {None, me} and head.claimed_until is not None and head.claimed_until > now:
                lost.add(head.key)
            elif admission == Go():
                wanted[head.id] = head
        if wanted:
            longest = max(self._deliverer.seconds(head) for head in wanted.values())
            until = now + timedelta(seconds=longest + CLAIM)
            mine = await self._database.write(claim, wanted.keys(), me, until=until, now=now)
            lost.update(head.key for head in wanted.values() if head.id not in mine)
        return lost

    async def _load_singly(self, batch: Sequence[tuple[Taken, Hand]], error: Exception) -> None:
        if len(batch) > 1:
            for each in batch:
                await self._load([each])
            return
        ((_, hand),) = batch
        log.error("delivery can't be read", target=hand.bucket, exc_info=error)
        self._give_back(hand, Delay(key=hand.key, token=hand.token, after=UNREADABLE))

    def _calls(self, head: Head) -> bool:
        """Whether its plugin is enabled, and is called: a pull handler only to ask for targets."""
        handler = self._handlers.get(head.handler)
        return handler is not None and (not handler.pull or unrouted(head))

    def _begin(self, admission: Admission, head: Head, hand: Hand, openings: int) -> bool:
        """Do with a key in hand what was judged; whether it is being delivered now."""
        key, token = hand.key, hand.token
        match admission:
            case Early(seconds=seconds):
                self._give_back(hand, Delay(key=key, token=token, after=seconds))
            case Closed() if self._pool.opened_since(hand.bucket, openings):
                # It was opened while its row was being read.
                self._give_back(hand, Release(key=key, token=token))
            case Closed(down=True, in_doubt=doubt) if self._pool.may_probe(hand.bucket, in_doubt=doubt):
                self._start(hand, partial(self._deliverer.probe, hand, head))
                return True
            case Closed():
                self._pool.shut(hand.bucket)
                self._give_back(hand, Park(key=key, token=token, target=hand.bucket))
            case Stuck():
                self._give_back(hand, Delay(key=key, token=token, after=STUCK))
            case Bury():
                self._start(hand, partial(self._deliverer.bury, hand, head))
                return True
            case Go():
                self._pool.found_open(hand.bucket)
                work = partial(self._deliverer.deliver, hand, head)
                self._start(hand, partial(self._alone, work) if hand.alone else work)
                return True
        return False

    async def _alone(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Try one with nothing else in hand: if this process dies, no other can be at fault."""
        patience = self._quiet_until - self._clock.monotonic()
        with trio.move_on_after(patience):
            while len(self._pool) > 1:
                await self._fewer.wait()
        try:
            return await work()
        finally:
            self._quiet_until = -math.inf

    def _start(self, hand: Hand, work: Callable[[], Awaitable[Result]]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._work, hand, work)

    async def _work(self, hand: Hand, work: Callable[[], Awaitable[Result]]) -> None:
        # Two lines: in one, the list of before the wait would be appended to.
        result = await work()
        self._hand_in(hand, result)

    def _give_back(self, hand: Hand, result: Result) -> None:
        self._pool.give_back(hand)
        self._hand_in(hand, result)

    def _hand_in(self, hand: Hand, result: Result) -> None:
        if hand.hurried and isinstance(result, Delay):
            result = Release(key=result.key, token=result.token)
        self._results.append(result)
        fewer, self._fewer = self._fewer, trio.Event()
        fewer.set()
        if self._may_wait(hand, result):
            self._wakeup.ring_within(LAZY)
        else:
            self._urgent = True
            self._wakeup.ring()

    def _may_wait(self, hand: Hand, result: Result) -> bool:
        """Whether nobody waits to hear that this key is done: what comes next is rung for by the pump that says so."""
        done = isinstance(result, Ack) and not result.more and not hand.rung
        return done and not (self._shared or self._stopping or self._quiet or self._pool.waited_for)
