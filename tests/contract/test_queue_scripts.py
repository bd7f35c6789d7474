"""A server that knows none of our scripts, or only some: what leaves together runs in its order."""

from __future__ import annotations

from tests.contract.test_queue_operations import bell, keys
from wagate.clock import Clock
from wagate.queue.queue import Queue
from wagate.queue.redis import RedisThread

pytest_plugins = ("tests.valkey",)


async def test_what_a_pump_rings_for_can_be_taken_when_the_server_forgot_the_scripts(
    redis: RedisThread, queue: Queue
) -> None:
    await redis.command("SCRIPT", "FLUSH")
    await queue.pump([], want=10)  # that script it knows again
    pumped = await queue.pump([], want=10, bells=[bell("a", "1")])
    assert keys(pumped) == ["a"]


async def test_what_the_first_pump_with_doorbells_rings_for_can_be_taken(redis: RedisThread, clock: Clock) -> None:
    await redis.command("SCRIPT", "FLUSH")
    fresh = RedisThread(redis.url)
    try:
        queue = Queue(fresh, "first", clock=clock)
        await queue.pump([], want=10)
        assert keys(await queue.pump([], want=10, bells=[bell("a", "1")])) == ["a"]
        await queue.forget()
    finally:
        await fresh.close()
