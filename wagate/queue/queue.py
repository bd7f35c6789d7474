"""The queue's operations: each one atomic script; the tables are the truth, this is the doorbell."""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
from outcome import Error
from redis.exceptions import MovedError

from wagate.clock import Clock
from wagate.queue import wire
from wagate.queue.redis import RedisThread, Run
from wagate.queue.results import DeadWorker, Doorbell, Leased, Pumped, QueueStats, Result, Take
from wagate.queue.wire import SLICE

STEADY = 3.0
"""Seconds a process must have lived before it takes a key that two dead ones held: else a process that ends again and
again soon after its start, for whatever reason, would make the key look guilty."""


class Queue:
    """One named queue on one Redis, and this process as one of its workers.

    Every method raises QueueError when Redis can't be reached or refuses. Only `pump` may not be called by two tasks at
    once.
    """

    def __init__(
        self,
        redis: RedisThread,
        name: str,
        *,
        clock: Clock,
        max_depth: int = 50_000,
        lease: float = 10.0,
        process: str | None = None,
    ) -> None:
        """``max_depth``: ids kept in Redis. ``lease``: seconds after which a silent worker is judged dead.

        ``process``: the name of this process, if it has one already.
        """
        self.name = name
        self.prefix = f"{{wg:{name}}}:"
        self.lease = lease
        self.process = process or name_of_process()
        """This process; all its workers' names begin with it (`process_of`)."""
        self.worker = self._fresh_name()
        """This process among the workers; a fresh name after every pump whose answer was lost."""
        self._redis = redis
        self._clock = clock
        self._heard_at = self._clocks()
        """When the last heartbeat left that arrived."""
        self._began = clock.monotonic()
        self._max_depth = max_depth
        self._lost: str | None = None  # the name under which a lost pump may have taken keys
        self._in_hand: dict[str, str] = {}  # key → token
        self._unsettled: dict[tuple[str, str], Result] = {}

    @property
    def wake_key(self) -> str:
        """The list of wake tokens."""
        return f"{self.prefix}wake"

    @property
    def shards(self) -> tuple[Queue, ...]:
        """The queues that it is made of: itself. See `Shards`."""
        return (self,)

    def of(self, key: str) -> Queue:  # noqa: ARG002  (`Shards` needs it)
        """The one of `shards` that has this key."""
        return self

    async def home(self) -> str:
        """URL of the server that has it. QueueError."""
        return await self._redis.home(self.prefix)

    def note_moved(self, error: MovedError) -> None:
        """Its server said to somebody that another one has it now."""
        self._redis.note_moved(error)

    @property
    def silence(self) -> float:
        """Seconds since the last heartbeat left that arrived, by the clock that has gone furthest.

        A suspended machine sees by its boot time how long that was, a virtual one that was paused from outside only by
        its wall clock, once that is right again. One that is set forwards costs a look.
        """
        return max(now - heard for now, heard in zip(self._clocks(), self._heard_at, strict=True))

    async def enqueue(self, items: Sequence[Doorbell], *, parked: bool = False) -> int:
        """Ring for ids; how many were refused because the queue is full (the sweep brings them later).

        ``parked``: new keys wait with their target, and are taken as there is room; nobody stands in a row behind them.
        """
        refused = 0
        for words in wire.bells(items, parked=parked):
            refused += int(await self._run("enqueue", self._max_depth, *words))
        return refused

    async def pump(
        self, results: Sequence[Result], *, want: int, takes: Sequence[Take] = (), bells: Sequence[Doorbell] = ()
    ) -> Pumped:
        """Hand in results, take up to ``want`` ready keys and parked keys by ``takes``; this is also the heartbeat.

        ``bells`` are rung for first, as `enqueue` does, in the same round trip: their keys may be among those taken.
        They are not kept when it fails: the tables know them.
        When it fails or is cancelled, ``results`` are kept and go with the next pump: do not hand them in again. Keys
        that a lost answer handed out are ready again with the next pump; keys in hand stay in hand.
        """
        self._unsettled.update({(each.key, each.token): each for each in results})
        await self._go_on_after_loss()
        sent = tuple(self._unsettled.values())
        steady = self._clock.monotonic() - self._began >= STEADY
        arguments = wire.pump_arguments(sent, want, takes, suspects=steady)
        left = self._clocks()
        try:
            pump: Run = ("pump", self.prefix, self._offset(), self.worker, *arguments)
            rings: list[Run] = [("enqueue", self.prefix, self._max_depth, *each) for each in wire.bells(bells)]
            *rung, told = await self._redis.run_together(*rings, pump)
            answer = told.unwrap()
        except BaseException:
            # Nobody knows whether it ran. A fresh name, for a late run would hand out keys behind our back.
            self._lost, self.worker = self.worker, self._fresh_name()
            raise
        self._heard_at = left
        unrung = next((each.error for each in rung if isinstance(each, Error)), None)
        pumped = wire.read_pumped(answer, sent, unrung)
        self._unsettled.clear()
        for each in sent:
            if self._in_hand.get(each.key) == each.token:
                del self._in_hand[each.key]
        self._in_hand.update({each.key: each.token for each in pumped.taken})
        return pumped

    async def unpark(self, target: str, most: int = SLICE) -> int:
        """Up to ``most`` keys parked for a target go to the end of ready, in order of parking; how many went."""
        ready, _ = await self._run("unpark", target, most)
        return int(ready)

    async def unpark_all(self) -> int:
        """All parked keys become ready (at start, when nothing is known about targets), in slices; how many."""
        ready = 0
        while targets := await self._redis.command(
            "ZRANGE", f"{self.prefix}parkedtargets", 0, wire.TARGETS_REPORTED - 1
        ):
            for target in targets:
                ready += await self.unpark(target)
        return ready

    async def take_leased(self, *, lease: float, want: int = 1) -> Leased:
        """Take keys for ``lease`` seconds; then they are ready again by themselves, at the front."""
        taken, due = await self._run("take_leased", self._offset(), want, wire.ms(lease), SLICE)
        return Leased(taken=wire.read_taken(taken), next_due=wire.seconds(due))

    async def extend(self, key: str, token: str, lease: float) -> bool:
        """A lease ends ``lease`` seconds from now; False when it was over already."""
        return bool(await self._run("extend", self._offset(), key, token, wire.ms(lease)))

    async def finish(self, result: Result) -> bool:
        """Settle a leased key; False when its lease was over already."""
        return bool(await self._run("finish", self._offset(), *wire.words(result)))

    async def workers(self) -> dict[str, int]:
        """Heartbeat counter of each worker, for `Reaper`."""
        beats = await self._redis.command("HGETALL", f"{self.prefix}workers")
        return {name: int(beat) for name, beat in beats.items()}

    async def reap(self, dead: DeadWorker) -> int:
        """Take over what a dead worker held, counting a crash for each key; how many keys became ready."""
        return await self._free(dead.name, str(dead.heartbeat), died=True)

    async def release(self) -> int:
        """Give back all that this process holds (a graceful stop); how many keys became ready."""
        freed = await self._free(self._lost, "", died=False) if self._lost else 0
        freed += await self._free(self.worker, "", died=False)
        self._lost = None
        self._in_hand.clear()
        return freed

    async def release_all_workers(self, *, died: bool) -> int:
        """Free what any worker holds: for the only process on this Redis, at start. ``died`` counts a crash each."""
        return sum([await self._free(name, "", died=died) for name in await self.workers()])

    async def pause(self, *keys: str) -> None:
        """Hand out nothing any more, or none of these keys. What is in hand goes on."""
        if keys:
            await self._redis.command("SADD", f"{self.prefix}pausedkeys", *keys)
        else:
            await self._redis.command("SET", f"{self.prefix}paused", "1")

    async def resume(self, *keys: str) -> int:
        """Undo `pause` for the queue, or for these keys; how many keys became ready."""
        return int(await self._run("resume", *keys))

    async def nudge(self, keys: Sequence[str]) -> int:
        """Keys in backoff become ready now, at the front (a retry by hand, a cancelled head); how many."""
        return sum([int(await self._run("nudge", *batch)) for batch in wire.batches(keys)])

    async def drop(self, keys: Sequence[str]) -> int:
        """Forget the ids of keys for which nothing waits; how many keys are gone at once.

        Keys that are ready or parked go when their turn comes: whoever takes them finds no row and acks.
        """
        return sum([int(await self._run("drop", *batch)) for batch in wire.batches(keys)])

    async def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that the queue knows nothing of; the sweep enqueues them."""
        unknown: list[str] = []
        for batch in wire.batches(keys):
            states = await self._redis.command("HMGET", f"{self.prefix}state", *batch)
            unknown += [key for key, state in zip(batch, states, strict=True) if state is None]
        return unknown

    async def clear_overflow(self) -> bool:
        """Take back the overflow mark, before a sweep through the tables; whether it was set."""
        return bool(await self._redis.command("DEL", f"{self.prefix}overflow"))

    async def stats(self) -> QueueStats:
        """Lengths; costs the same at any depth."""
        return msgspec.convert(await self._run("stats"), QueueStats, strict=False)

    async def forget(self) -> None:
        """Delete everything of this queue (tests)."""
        cursor = 0
        pattern = self.prefix.replace("[", "\\[").replace("?", "\\?").replace("*", "\\*") + "*"
        while True:
            cursor, keys = await self._redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            if keys:
                await self._redis.command("UNLINK", *keys)
            if not cursor:
                return

    async def _run(self, name: str, *arguments: str | int) -> Any:
        return await self._redis.run(name, self.prefix, *arguments)

    def _fresh_name(self) -> str:
        return f"{self.process}.{secrets.token_hex(4)}"

    def _offset(self) -> int:
        return wire.ms(self._clock.ahead)

    def _clocks(self) -> tuple[float, float]:
        return self._clock.boottime(), self._clock.time()

    async def _go_on_after_loss(self) -> None:
        if self._lost is None:
            return
        pairs = itertools.chain.from_iterable(self._in_hand.items())
        await self._run("adopt", self._lost, self.worker, *pairs)
        await self._free(self._lost, "", died=False)
        self._lost = None

    async def _free(self, worker: str, heartbeat: str, *, died: bool) -> int:
        freed, left = 0, 1
        while left:
            ready, left = await self._run("reap", worker, heartbeat, SLICE, int(died))
            freed += ready
        return freed


def process_of(worker: str) -> str:
    """The process that a worker's name belongs to."""
    return worker.rpartition(".")[0]


def name_of_process() -> str:
    """Another one for each call."""
    host = socket.gethostname().replace(":", "-")
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
