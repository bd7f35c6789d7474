"""One queue in several, each in a hash slot of its own, so that the nodes of a Redis Cluster share it.

A key is in the shard that its hash names, always the same, so each chat stays in order. A shard whose node is away
holds up its own keys alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar
from zlib import crc32

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.results import DeadWorker, Doorbell, Parked, Pumped, QueueStats, Result, Take
from wagate.queue.wire import TARGETS_REPORTED

log = structlog.get_logger(__name__)
T = TypeVar("T")
Answers: TypeAlias = dict[int, T | QueueError]
"""By the number of the shard."""

PATIENCE = 0.5
"""Seconds that a shard which was away may hold up the others, when it is asked again …"""
AGAIN = 2.0
"""… so many seconds after it was asked in vain."""


def sharded(make: Callable[..., Queue], name: str, count: int, *, max_depth: int, clock: Clock) -> Queue | Shards:
    """The queue of this name, in so many parts; one is the queue as it is. ``make`` opens a queue by name."""
    if count == 1:
        return make(name, max_depth=max_depth)
    return Shards([make(f"{name}:{number}", max_depth=-(-max_depth // count)) for number in range(count)], clock)


class Shards:
    """What a `Queue` is to its callers, made of several.

    When `pump` is cancelled, what some of them may have handed out stays with them until `release`.
    """

    def __init__(self, shards: Sequence[Queue], clock: Clock) -> None:
        """``shards``: of the same process, in an order that is the same in every process."""
        self.shards = tuple(shards)
        self.process = shards[0].process
        self.lease = shards[0].lease
        self._clock = clock
        self._away: dict[int, float] = {}
        """Shards whose node could not be asked, and when they are asked again."""
        self._parked: list[dict[str, int]] = [{} for _ in shards]
        """What each last said of parked keys: by target, how many."""
        self._found: dict[str, Queue] = {}
        """In which shard a worker was seen."""

    def of(self, key: str) -> Queue:
        """The one that has this key."""
        return self.shards[self._place(key)]

    async def enqueue(self, items: Sequence[Doorbell], *, parked: bool = False) -> int:
        """As `Queue.enqueue`; QueueError when a node is away, and the others were rung for."""
        parts = self._split(items, lambda each: each.key)
        answers = await self._ask({at: partial(self.shards[at].enqueue, part, parked=parked) for at, part in parts})
        return sum(_all(answers))

    async def pump(
        self, results: Sequence[Result], *, want: int, takes: Sequence[Take] = (), bells: Sequence[Doorbell] = ()
    ) -> Pumped:
        """As `Queue.pump`, all at the same time. QueueError when no node answers."""
        theirs = dict(self._split(results, lambda each: each.key))
        rung = dict(self._split(bells, lambda each: each.key))
        now = self._clock.monotonic()
        late = {at for at, again in self._away.items() if now < again}
        calls = {
            at: partial(
                shard.pump,
                theirs.get(at, ()),
                want=-(-want // len(self.shards)),
                takes=self._takes(at, takes),
                bells=rung.get(at, ()),
            )
            for at, shard in enumerate(self.shards)
            # Results are handed in even if it is away: it is the shard that keeps them.
            if at not in late or at in theirs
        }
        answers = await self._ask(calls, impatient=set(self._away))
        for at in late - calls.keys():
            answers[at] = QueueError("its Redis is away")
        came_back = self._note(answers)
        return self._merge(answers, came_back=came_back, unrung=set(rung))

    async def nudge(self, keys: Sequence[str]) -> int:
        """As `Queue.nudge`; QueueError when a node is away, and the others did."""
        parts = self._split(keys, str)
        return sum(_all(await self._ask({at: partial(self.shards[at].nudge, part) for at, part in parts})))

    async def missing(self, keys: Sequence[str]) -> list[str]:
        """As `Queue.missing`, of those whose nodes answer; QueueError when all are away."""
        parts = self._split(keys, str)
        answers = await self._ask({at: partial(self.shards[at].missing, part) for at, part in parts})
        if len(self._away) == len(self.shards):
            _all(answers)
        return [key for found in answers.values() if not isinstance(found, QueueError) for key in found]

    async def clear_overflow(self) -> bool:
        """As `Queue.clear_overflow`, of those that answer; QueueError when none does."""
        return any(_some(await self._ask_each(Queue.clear_overflow)))

    async def workers(self) -> dict[str, int]:
        """Heartbeats of all shards that answer: a process has a worker in each. QueueError when none does."""
        answers = await self._ask_each(Queue.workers)
        beats = _some(answers)
        self._found = {
            name: self.shards[at]
            for at, found in answers.items()
            if not isinstance(found, QueueError)
            for name in found
        }
        return {name: beat for found in beats for name, beat in found.items()}

    async def reap(self, dead: DeadWorker) -> int:
        """As `Queue.reap`, where it was seen."""
        return await self._found[dead.name].reap(dead) if dead.name in self._found else 0

    async def release(self) -> int:
        """As `Queue.release`; QueueError when a node is away, and the others did."""
        return sum(_all(await self._ask_each(Queue.release)))

    async def release_all_workers(self, *, died: bool) -> int:
        """As `Queue.release_all_workers`."""
        return sum(_all(await self._ask_each(partial(Queue.release_all_workers, died=died))))

    async def stats(self) -> QueueStats:
        """Sums; targets and workers, which are in several shards, by the shard that has most. QueueError."""
        found = _all(await self._ask_each(Queue.stats))
        most = {"workers", "parked_targets"}
        return QueueStats(
            *(
                (max if name in most else any if name in {"paused", "overflow"} else sum)(
                    [getattr(each, name) for each in found]
                )
                for name in QueueStats.__struct_fields__
            )
        )

    def _place(self, key: str) -> int:
        return crc32(key.encode()) % len(self.shards)

    def _split(self, items: Sequence[T], key: Callable[[T], str]) -> list[tuple[int, list[T]]]:
        parts: dict[int, list[T]] = {}
        for each in items:
            parts.setdefault(self._place(key(each)), []).append(each)
        return list(parts.items())

    def _takes(self, at: int, takes: Sequence[Take]) -> list[Take]:
        """A shard's part of what may be taken of parked keys: not more than it has, and not what others give."""
        mine: list[Take] = []
        for take in takes:
            before = sum(parked.get(take.target, 0) for parked in self._parked[:at])
            most = min(self._parked[at].get(take.target, 0), take.most - before)
            if most > 0:
                mine.append(Take(target=take.target, most=most))
        return mine

    async def _ask_each(self, ask: Callable[[Queue], Awaitable[T]]) -> Answers[T]:
        return await self._ask({at: partial(ask, shard) for at, shard in enumerate(self.shards)})

    async def _ask(
        self, calls: Mapping[int, Callable[[], Awaitable[T]]], impatient: Collection[int] = ()
    ) -> Answers[T]:
        """All at the same time; those in ``impatient`` may not take long."""
        answers: Answers[T] = {}

        async def ask(at: int, call: Callable[[], Awaitable[T]]) -> None:
            answers[at] = QueueError("its Redis does not answer")
            with trio.move_on_after(PATIENCE if at in impatient else math.inf):
                try:
                    answers[at] = await call()
                except QueueError as error:
                    answers[at] = error

        async with trio.open_nursery() as nursery:
            for at, call in calls.items():
                nursery.start_soon(ask, at, call)
        return answers

    def _note(self, answers: Answers[Pumped]) -> bool:
        """Who is away, and what is parked where; whether one came back, whose keys the tables know better."""
        came_back = False
        for at, answer in answers.items():
            if isinstance(answer, QueueError):
                if at not in self._away:
                    log.warning("part of the queue away", shard=self.shards[at].name, reason=str(answer))
                if self._clock.monotonic() >= self._away.get(at, 0.0):
                    self._away[at] = self._clock.monotonic() + AGAIN
            else:
                came_back |= self._away.pop(at, None) is not None
                parked = {each.target: each.keys for each in answer.parked}
                # When it has more targets than it reports, what it said of the others still counts.
                before = self._parked[at] if len(parked) >= TARGETS_REPORTED else {}
                self._parked[at] = before | parked
        return came_back

    def _merge(self, answers: Answers[Pumped], *, came_back: bool, unrung: set[int]) -> Pumped:
        found = _some(answers)
        dues = [each.next_due for each in found if each.next_due is not None]
        if self._away:
            dues.append(max(0.0, min(self._away.values()) - self._clock.monotonic()))
        parked: Counter[str] = Counter()
        for each in found:
            parked.update({one.target: one.keys for one in each.parked})
        missed = [answers[at] for at in unrung if isinstance(answers[at], QueueError)]
        told = [each.unrung for each in found if each.unrung is not None]
        return Pumped(
            taken=tuple(one for each in found for one in each.taken),
            fenced=tuple(one for each in found for one in each.fenced),
            next_due=min(dues, default=None),
            ready=sum(each.ready for each in found),
            depth=sum(each.depth for each in found),
            overflow=came_back or any(each.overflow for each in found),
            paused=any(each.paused for each in found),
            parked=tuple(Parked(target=target, keys=keys) for target, keys in parked.items()),
            unrung=next((each for each in (*missed, *told) if isinstance(each, BaseException)), None),
        )


def _all(answers: Answers[T]) -> list[T]:
    """What they said. QueueError when one did not answer."""
    for each in answers.values():
        if isinstance(each, QueueError):
            raise each
    return [each for each in answers.values() if not isinstance(each, QueueError)]


def _some(answers: Answers[T]) -> list[T]:
    """What those said that answered. QueueError when none did, of those that were asked."""
    found = [each for each in answers.values() if not isinstance(each, QueueError)]
    return found or _all(answers)
