"""One task per process talks with the queue; what it takes is loaded, tried, settled and handed back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog
import trio
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.consumers.elsewhere import Elsewhere
from wagate.consumers.flights import Flights
from wagate.consumers.memory import Memory
from wagate.consumers.pool import Hand, Pool
from wagate.consumers.queues import Queues
from wagate.consumers.take import Taker
from wagate.errors import QueueError, StorageError
from wagate.queue.queue import Queue
from wagate.queue.results import Ack, Delay, Doorbell, Pumped, Release, Result, Take, Taken
from wagate.queue.shards import Shards
from wagate.queue.wakeup import Wakeup

log = structlog.get_logger("wagate.consumers")

IDLE = 5.0
"""Seconds between pumps when nothing rings."""
PACE = 0.008
"""Seconds between two pumps at most, so that each carries several results …"""
EACH = 0.001
"""… for each thing that the last one carried. The first after a pause goes at once."""
LAZY = 0.02
"""Seconds that a result may wait for another pump when nobody waits for it."""
LAST_CALL = 5.0
"""Seconds that giving back may take at a stop."""
DRAIN = 200
"""Keys taken in one round trip."""


class Consumer:
    """Takes keys of the push queue until it is stopped."""

    def __init__(
        self,
        *,
        taker: Taker,
        queue: Queue | Shards,
        clock: Clock,
        pool: Pool,
        wakeup: Wakeup,
        queues: Queues,
        flights: Flights,
        memory: Memory,
        sweep: Callable[[], None],
        pumped: Callable[[Pumped], None],
        returned: Callable[[], Awaitable[None]],
        shared: bool,
        ended: Callable[[str], Awaitable[None]],
        elsewhere: Elsewhere,
    ) -> None:
        """``sweep`` is called when the queue may have forgotten something; ``pumped`` after each round trip.

        ``returned`` is called when Redis is back, before anything is tried again.

        ``shared``: other processes may take from the same queue. ``ended`` frees what our process claimed, at a stop.
        ``elsewhere`` says what is left to them.
        """
        self._shared = shared
        self._ended = ended
        self._elsewhere = elsewhere
        self._queue = queue
        self._taker = taker
        self._clock = clock
        self._pool = pool
        self._wakeup = wakeup
        self._queues = queues
        self._flights = flights
        self._memory = memory
        self._sweep = sweep
        self._pumped = pumped
        self._returned = returned
        self._results: list[Result] = []
        self._stopping = False
        self._away = 0
        self._pumped_at = 0.0
        self._carried = 0
        self._urgent = False
        self._behind = False
        """More is ready than we took, or nothing is handed out."""
        self._owed: dict[str, Result] = {}
        """Key → what came of a delivery of which the queue has yet to hear."""
        taker.told = self._tell

    def stop(self) -> None:
        """Take nothing more; `run` returns when all that is in hand is done and told."""
        self._stopping = True
        self._wakeup.ring()

    def hurry(self, keys: Collection[str]) -> None:
        """Rows of these keys were changed by hand: what is about to make them wait shall not."""
        for key in keys:
            self._pool.hurry(key)
            self._owed.pop(key, None)
        self._results = [
            Release(key=each.key, token=each.token) if isinstance(each, Delay) and each.key in keys else each
            for each in self._results
        ]

    def begin(self, bell: Doorbell) -> bool:
        """Begin at once with what was stored just now, before the queue hears of it; whether that could be done."""
        return not (self._stopping or self._away or self._behind) and self._taker.begin(bell)

    @property
    def told(self) -> bool:
        """Whether the queue was told, or is being told, of all that came of tries."""
        return not (self._results or self._owed)

    async def run(self) -> None:
        """Pump until stopped and drained. What is in hand when it is cancelled goes back to the queue."""
        try:
            # What one that broke was at may have been written down or not.
            self._memory.clear()
            with self._queues.carried():
                async with trio.open_nursery() as self._taker.nursery:
                    while not self._stopping or self._pool or self._results or self._queues.more_bells:
                        await self._round()
        finally:
            with trio.move_on_after(LAST_CALL, shield=True):
                await self._let_go()

    async def _let_go(self) -> None:
        self._pool.clear()
        self._results.clear()
        self._owed.clear()
        try:
            # First: the database may be what holds up the stop.
            await self._queue.release()
        except QueueError as error:
            log.warning("keys not given back", reason=str(error))
        await self._flights.unmark()
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
            self._pool.rung(bell.key, bell.id)
        quiet = self._stopping or self._taker.quiet
        takes = [] if quiet else self._takes()
        # More than there is room for: what finds none is parked, and nobody stands in a row behind it.
        want = 0 if quiet or self._elsewhere.hands_off else DRAIN
        try:
            pumped = await self._queue.pump(results, want=want, takes=takes, bells=bells)
        except QueueError as error:
            if bells:
                self._pool.missed(each.key for each in bells)
                self._queues.rung(len(bells), error)
            await self._ride_out(error)
            return
        if self._away:
            await self._returned()
        if self._away or pumped.fenced:
            # It came back empty, or forgot what we hold: the tables know better.
            self._away = 0
            self._sweep()
        if bells:
            self._pool.missed(each.key for each in bells if pumped.unrung)
            self._queues.rung(len(bells), pumped.unrung)
        self._carried = len(bells) + len(results) + len(pumped.taken)
        if pumped.overflow:
            self._memory.clear()
        self._pool.see_parked(pumped.parked)
        if refused := self._taker.receive(self._settle_owed(pumped.taken)):
            self._results += refused
            self._urgent = True
        self._pumped(pumped)
        self._behind = pumped.ready > 0 or pumped.paused
        ready = pumped.ready > 0 and not self._elsewhere.hands_off
        more = (ready or self._takes()) and not (pumped.paused or self._stopping or self._taker.quiet)
        if self._urgent or more or self._queues.more_bells:
            return
        if self._stopping and not self._pool:
            return
        due = min(IDLE if pumped.next_due is None else pumped.next_due, self._pool.next_turn)
        due = min(due, self._elsewhere.hands_off or due, self._queues.next_late - trio.current_time())
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

    def _settle_owed(self, taken: Sequence[Taken]) -> list[Taken]:
        """Hand in what came of deliveries whose keys the queue hands out only now; the other keys."""
        owed = [each for each in taken if each.key in self._owed]
        for each in owed:
            self._results.append(replace(self._owed.pop(each.key), token=each.token))
            self._urgent = True
        return [each for each in taken if each not in owed] if owed else list(taken)

    def _tell(self, hand: Hand, result: Result) -> None:
        if hand.token:
            self._queues.hush(hand.key)
            self._hand_in(hand, result)
        elif isinstance(result, Ack) and not result.more:
            # The queue has not heard of it, and need not.
            self._queues.hush(hand.key)
            if not self._results:
                self._wakeup.ring_at(self._queues.next_late)
        else:
            self._owed[hand.key] = result
            self._queues.call(hand.key)

    def _hand_in(self, hand: Hand, result: Result) -> None:
        if hand.hurried and isinstance(result, Delay):
            result = Release(key=result.key, token=result.token)
        self._results.append(result)
        if self._may_wait(hand, result):
            self._wakeup.ring_within(LAZY)
        else:
            self._urgent = True
            self._wakeup.ring()

    def _may_wait(self, hand: Hand, result: Result) -> bool:
        """Whether nobody waits to hear that this key is done: what comes next is rung for by the pump that says so."""
        done = isinstance(result, Ack) and not result.more and not hand.rung
        return done and not (self._shared or self._stopping or self._taker.quiet or self._pool.waited_for)
