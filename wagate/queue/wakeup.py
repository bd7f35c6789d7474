"""How an idle consumer hears of work: by an Event in its own process, by the wake list between processes."""

from __future__ import annotations

import structlog
import trio
from redis import Redis
from redis.exceptions import MovedError, RedisError

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.redis import connect

log = structlog.get_logger(__name__)

BLOCK = 2.0
"""Seconds of one BLPOP: how long a thread may outlive a cancelled listener."""
RETRY = 1.0
"""Seconds between tries when Redis is away."""


class Wakeup:
    """One queue's bell in this process. A lost ring costs a bounded wait, never a message."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._rung = trio.Event()
        self._latest = trio.CancelScope()

    def ring(self) -> None:
        """There is work (called after enqueueing, and by `listen`)."""
        self._rung.set()

    def ring_within(self, seconds: float) -> None:
        """There is work that can wait so long for other work to go with."""
        self._latest.deadline = min(self._latest.deadline, trio.current_time() + seconds)

    def ring_at(self, time: float) -> None:
        """What can wait can wait until then (by trio's clock), and no longer than that."""
        self._latest.deadline = time

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring since the last wait, at most ``seconds``; True when it rang."""
        rang = False
        with self._latest:
            rang = await self.clock.wait(self._rung, seconds)
        rang = rang or self._latest.cancelled_caught
        self._latest = trio.CancelScope()
        if self._rung.is_set():
            self._rung = trio.Event()
        return rang


async def listen(queue: Queue, wakeup: Wakeup) -> None:
    """Ring whenever another process left a token in the wake list; a task for several processes on one Redis.

    Blocks on a connection of its own, and only ever pops tokens: a command that waits and moves a key would own a key
    nobody knows of when its answer is lost. Runs until cancelled; rides out an absent Redis. Raises ConfigError for a
    bad URL.
    """
    limiter = trio.CapacityLimiter(1)  # A blocked pop must not use up trio's common threads.
    while True:
        try:
            client = connect(await queue.home(), timeout=BLOCK + 3.0)
            try:
                await _listen(client, queue.wake_key, wakeup, limiter)
            finally:
                client.close()
        except (RedisError, OSError, QueueError) as error:
            if isinstance(error, MovedError):
                queue.note_moved(error)
            else:
                log.warning("redis_wake_list_unreachable", reason=str(error))
            await trio.sleep(RETRY)
            # What came in between was not heard.
            wakeup.ring()


async def _listen(client: Redis, wake_key: str, wakeup: Wakeup, limiter: trio.CapacityLimiter) -> None:
    while True:
        token = await trio.to_thread.run_sync(client.blpop, [wake_key], BLOCK, limiter=limiter, abandon_on_cancel=True)
        if token is not None:
            wakeup.ring()
