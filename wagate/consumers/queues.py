"""The queues of this process: one for all that is pushed, one for each target that is pulled from."""

from __future__ import annotations

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

GATHER = 0.003
"""Seconds between two rings under load. A message alone is rung for at once."""


class Queues:
    """Where doorbells go."""

    def __init__(
        self, make: Callable[[str], Queue], wakeup: Wakeup, *, strict: bool = True, push: Queue | Shards | None = None
    ) -> None:
        """``make`` opens a queue by name; ``wakeup`` is rung when something was pushed.

        ``push``: where to; None: a queue of that name.

        Not ``strict``: what comes in need not wait for a failing delivery of its chat.
        """
        self._strict = strict
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
        self._carried = False
        self._many: deque[StoredDelivery] = deque()
        self._told = trio.Event()
        self._unrung = 0
        self._ringing = trio.Lock()
        self._hurry: Callable[[Collection[str]], None] = lambda _keys: None

    def connect(self, *, sweep: Callable[[], None], hurry: Callable[[Collection[str]], None]) -> None:
        """``sweep`` is called when a doorbell could not be rung, ``hurry`` with keys that shall not wait."""
        self._sweep = sweep
        self._hurry = hurry

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
        elif self._carried and all(each.mode == "push" for each in stored):
            self._bells.extend(map(doorbell, stored))
            self._wakeup.ring()
            return
        else:
            self._untold.extend(stored)
        self._told.set()

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
            if self._bells:
                # Whoever comes next finds them in the tables.
                self._bells.clear()
                self._sweep()

    def bells(self) -> list[Doorbell]:
        """What the next pump is to ring for; it is the caller's from now on."""
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
            await self._told.wait()
            self._told = trio.Event()
            await self.ring_untold(one_slice=True)
            if self._many:
                self._told.set()
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
