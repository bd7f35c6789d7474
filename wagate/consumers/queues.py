"""The queues of this process: one for all that is pushed, one for each target that is pulled from."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import structlog
import trio

from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.results import Doorbell
from wagate.queue.shards import Shards
from wagate.queue.wakeup import Wakeup
from wagate.queue.wire import SLICE
from wagate.storage.events.intake import StoredDelivery
from wagate.storage.fields import clean

log = structlog.get_logger("wagate.consumers")

PULL = "pull:"
"""Begins the name of a pull queue; the target's name follows."""

LATE = 0.02
"""Seconds after which the queue hears of a delivery that was begun at once and is not done."""
GATHER = 0.003
"""Seconds between two rings under load. A message alone is rung for at once."""
LEISURE = 0.1
"""Seconds in which a job is rung for that nobody waits for: who comes for one has them all rung for first."""


class Queues:
    """Where doorbells go."""

    def __init__(
        self,
        make: Callable[[str], Queue],
        wakeup: Wakeup,
        *,
        strict: bool = True,
        shared: bool = True,
        push: Queue | Shards | None = None,
    ) -> None:
        """``make`` opens a queue by name; ``wakeup`` is rung when something was pushed.

        ``push``: where to; None: a queue of that name. ``shared``: workers of other processes may wait for jobs.

        Not ``strict``: what comes in need not wait for a failing delivery of its chat.
        """
        self._strict = strict
        self._shared = shared
        self.push = push or make("push")
        self._make = make
        self._wakeup = wakeup
        self._pull: dict[str, Queue] = {}
        self._came = trio.Event()
        self.closed = False
        """The process stops: nobody shall wait for a job any more."""
        self._sweep: Callable[[], None] = lambda: None
        self._untold: list[StoredDelivery] = []
        self._bells: list[Doorbell] = []
        self._begun: dict[str, tuple[Doorbell, float]] = {}
        """Key → what was begun before the queue heard of it, and until when it need not hear; the oldest first."""
        self._begin: Callable[[Doorbell], bool] = lambda _bell: False
        self._carried = False
        self._many: deque[StoredDelivery] = deque()
        self._told = Wakeup(wakeup.clock)
        self._unrung = 0
        self._ringing = trio.Lock()
        self._hurry: Callable[[Collection[str]], None] = lambda _keys: None

    def connect(
        self,
        *,
        sweep: Callable[[], None],
        hurry: Callable[[Collection[str]], None],
        begin: Callable[[Doorbell], bool],
    ) -> None:
        """``sweep`` is called when a doorbell could not be rung, ``hurry`` with keys that shall not wait.

        ``begin`` begins at once with what was stored, if nothing is before it, and says whether it did.
        """
        self._sweep = sweep
        self._hurry = hurry
        self._begin = begin

    def pull(self, target_id: str) -> Queue:
        """The queue of one pull target."""
        if target_id not in self._pull:
            self._pull[target_id] = self._make(PULL + target_id)
        return self._pull[target_id]

    async def look_at_clock(self) -> None:
        """Have each queue see that its clock stepped: until it is asked, its time stands still. QueueError."""
        for queue in (*self.push.shards, *self._pull.values()):
            await queue.take_leased(lease=0, want=0)

    @property
    def came(self) -> trio.Event:
        """Set when a job comes in, or nobody shall wait any more; another one takes its place."""
        return self._came

    def close(self) -> None:
        """Let those go who wait for a job."""
        self.closed = True
        self.wake(push=False, pull=True)

    def tell(self, stored: Sequence[StoredDelivery], *, many: bool = False) -> None:
        """Have stored deliveries rung for, soon and together with what else comes in.

        The consumer's next pump rings for what is pushed, `keep_ringing` for all else, and for everything while the
        consumer does not pump. ``many``: they are some of more than a queue is to hold up others for.
        """
        if many or len(stored) > SLICE:
            self._many.extend(stored)
            self._told.ring()
            return
        for each in stored:
            if self._carried and each.mode == "push":
                self._begin_or_ring(doorbell(each))
            else:
                self._untold.append(each)
                self._ring_soon(each)

    def _ring_soon(self, stored: StoredDelivery) -> None:
        if stored.mode == "push" or self._shared or self._came.statistics().tasks_waiting:
            self._told.ring()
        else:
            self._told.ring_within(LEISURE)

    def _begin_or_ring(self, bell: Doorbell) -> None:
        if self._begin(bell):
            self._begun[bell.key] = bell, trio.current_time() + LATE
            self._wakeup.ring_within(LATE)
            return
        self._call(bell.key)  # what is before it in its chat stands before it in the queue
        self._bells.append(bell)
        self._wakeup.ring()

    def call(self, key: str) -> None:
        """The queue is to hear now of what was begun with this key."""
        self._call(key)
        self._wakeup.ring()

    def _call(self, key: str) -> None:
        if key in self._begun:
            self._bells.append(self._begun.pop(key)[0])

    def hush(self, key: str) -> None:
        """What was begun with this key is done: the queue need not hear of it any more."""
        self._begun.pop(key, None)

    @property
    def next_late(self) -> float:
        """When the queue is to hear of what was begun; infinite: there is nothing."""
        return next((until for _, until in self._begun.values()), math.inf)

    @contextmanager
    def carried(self) -> Iterator[None]:
        """While the consumer pumps: it takes `bells` along."""
        self._carried = self._strict  # else what comes in also has to hurry its chat
        try:
            yield
        except BaseException:
            # Those of a pump that broke off as well.
            self._sweep()
            raise
        finally:
            self._carried = False
            if self._bells or self._begun:
                # Whoever comes next finds them in the tables.
                self._bells.clear()
                self._begun.clear()
                self._sweep()

    def bells(self) -> list[Doorbell]:
        """What the next pump is to ring for; it is the caller's from now on."""
        now = trio.current_time()
        while self.next_late <= now:
            self._call(next(iter(self._begun)))
        bells, self._bells = self._bells[:SLICE], self._bells[SLICE:]
        return bells

    @property
    def more_bells(self) -> bool:
        """Whether there is more to ring for."""
        return bool(self._bells)

    def rung(self, count: int, error: BaseException | None) -> None:
        """So many were rung for; or not, and the sweep is to bring them."""
        if error is None:
            self._tell_of_silence()
            return
        if not self._unrung:
            log.warning("doorbell not rung", reason=str(error))
        self._unrung += count
        self._sweep()

    async def keep_ringing(self) -> None:
        """Ring at once for what comes in, then gather for a moment: many messages are one round trip to Redis."""
        while True:
            await self._told.wait(math.inf)
            await self.ring_untold(one_slice=True)
            if self._many:
                self._told.ring()
            await trio.sleep(GATHER)

    async def ring_untold(self, *, one_slice: bool = False) -> None:
        """Ring for all that was told before; a job that was accepted can be taken when this returns.

        ``one_slice``: of those that came many at once only some now.
        """
        async with self._ringing:
            untold, self._untold = self._untold, []
            if untold:
                await self.ring(untold)
            while self._many:
                await self.ring([self._many.popleft() for _ in range(min(SLICE, len(self._many)))], parked=True)
                if one_slice:
                    return

    async def ring(self, stored: Sequence[StoredDelivery], *, parked: bool = False) -> None:
        """Tell of stored deliveries. They are in the tables: when Redis is away, the sweep tells later.

        ``parked``: as in `Queue.enqueue`.
        """
        push = [doorbell(each) for each in stored if each.mode == "push"]
        pull: dict[str, list[Doorbell]] = {}
        for each in stored:
            if each.mode == "pull":
                pull.setdefault(each.target_id, []).append(doorbell(each))
        try:
            if push:
                await self.push.enqueue(push, parked=parked)
            for target_id, bells in pull.items():
                await self.pull(target_id).enqueue(bells)
        except QueueError as error:
            self.rung(len(stored), error)
        else:
            self.rung(len(stored), None)
        if push and not self._strict:
            await self.hurry(stored)
        self.wake(push=bool(push), pull=bool(pull))

    def _tell_of_silence(self) -> None:
        """One line for all that was not rung for, and not one for each message of a busy minute."""
        if self._unrung:
            log.info("doorbell rung again", deliveries_before=self._unrung)
            self._unrung = 0

    async def hurry(self, stored: Sequence[StoredDelivery]) -> None:
        """Keys of these deliveries wait no longer for the next try of their head."""
        push = {clean(each.key) for each in stored if each.mode == "push"}
        self._hurry(push)
        try:
            await self.push.nudge(sorted(push))
            for target_id in sorted({each.target_id for each in stored if each.mode == "pull"}):
                keys = {clean(each.key) for each in stored if each.target_id == target_id}
                await self.pull(target_id).nudge(sorted(keys))
        except QueueError as error:
            log.warning("keys not hurried", reason=str(error))

    def wake(self, *, push: bool, pull: bool) -> None:
        """There may be work."""
        if push:
            self._wakeup.ring()
        if pull:
            came, self._came = self._came, trio.Event()
            came.set()


def doorbell(stored: StoredDelivery) -> Doorbell:
    """Its key as the table has it."""
    return Doorbell(key=clean(stored.key), target=stored.target_id, id=stored.delivery_id)
