"""What becomes of the keys that were taken: look at what their turn is, judge it, begin."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from wagate.errors import StorageError
from wagate.hooks.contracts import Handler
from wagate.inbound.route import unrouted
from wagate.queue.results import Ack, Delay, Doorbell, Park, Release, Result, Taken
from wagate.rules.admit import ALONE_AFTER, Admission, Bury, Closed, Early, Go, Stuck, admit
from wagate.rules.states import Policy, Status
from wagate.storage.database import Database
from wagate.storage.deliveries.lanes import Head, claim, heads

log = structlog.get_logger("wagate.consumers")

DATABASE_AWAY = 2.0
"""Seconds a key waits when its rows can't be read."""
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


class Taker:
    """Has the deliveries of taken keys tried, each in a task of its own."""

    def __init__(
        self,
        *,
        database: Database,
        handlers: Mapping[str, Handler],
        policy: Policy,
        clock: Clock,
        pool: Pool,
        deliverer: Deliverer,
        memory: Memory,
        elsewhere: Elsewhere,
        claimed_by: str | None,
    ) -> None:
        """``claimed_by``: our name in the rows of what we try; None: nobody else could."""
        self._database = database
        self._handlers = handlers
        self._policy = policy
        self._clock = clock
        self._pool = pool
        self._deliverer = deliverer
        self._memory = memory
        self._elsewhere = elsewhere
        self._claimed_by = claimed_by
        self._quiet_until = -math.inf
        self._fewer = trio.Event()
        self.nursery: trio.Nursery | None = None
        """Where deliveries run; None: nowhere now."""
        self.told: Callable[[Hand, Result], None] = lambda _hand, _result: None
        """Takes what the queue is to hear of a key that is out of hand."""

    @property
    def quiet(self) -> bool:
        """Whether nothing may be taken, so that one delivery is in hand alone."""
        return self._clock.monotonic() < self._quiet_until

    def receive(self, taken: Sequence[Taken]) -> list[Result]:
        """Take keys in hand that the queue handed out; what it is to hear at once of those that can't be."""
        fresh: list[tuple[Taken, Hand]] = []
        refused: list[Result] = []
        for each in taken:
            if self._pool.known(each):
                continue
            if self._elsewhere.asks(self._pool.bucket(each.key)):
                refused.append(self._elsewhere.hand_on(each))
                continue
            hand = self._pool.take(each)
            if hand is None:
                # Saturated: parked without a look into the tables.
                bucket = self._pool.bucket(each.key)
                refused.append(Park(key=each.key, token=each.token, target=bucket))
            else:
                if each.crashes >= ALONE_AFTER:
                    hand.alone = True
                    self._quiet_until = self._clock.monotonic() + QUIET
                if not self._begin_remembered(each, hand):
                    fresh.append((each, hand))
        if fresh and self.nursery is not None:
            self.nursery.start_soon(self._load, fresh)
        return refused

    def begin(self, bell: Doorbell) -> bool:
        """Begin at once with what this process just stored, before the queue hears of it; whether it could be."""
        bucket = self._pool.bucket(bell.key)
        if self.nursery is None or self.quiet or self._pool.holds(bell.key) or self._pool.parks(bucket):
            return False
        head = self._memory.head(bell.key)
        if head is None or head.id != bell.id:
            return False
        taken = Taken(key=bell.key, id=bell.id, token="", crashes=0)
        hand = self._pool.take(taken)
        return hand is not None and self._begin_remembered(taken, hand)

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
            lost = set() if self._claimed_by is None else await self._lose(judged, self._claimed_by, now)
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

    async def _lose(self, judged: Sequence[Judged], me: str, now: datetime) -> set[str]:
        """Claim in its row what is to be tried; keys of what another process is at work on."""
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
            case Closed(down=True, in_doubt=doubt) if self._pool.may_probe(hand, in_doubt=doubt):
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
        if self.nursery is not None:
            self.nursery.start_soon(self._work, hand, work)

    async def _work(self, hand: Hand, work: Callable[[], Awaitable[Result]]) -> None:
        self._hand_in(hand, await work())

    def _give_back(self, hand: Hand, result: Result) -> None:
        self._pool.give_back(hand)
        self._hand_in(hand, result)

    def _hand_in(self, hand: Hand, result: Result) -> None:
        fewer, self._fewer = self._fewer, trio.Event()
        fewer.set()
        self.told(hand, result)
