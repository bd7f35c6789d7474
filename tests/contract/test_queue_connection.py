"""What the queue does when Redis restarts, forgets, is full, answers too late, or has the wrong policy."""

from __future__ import annotations

import os
import signal
import socket
import uuid
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]
import pytest
import trio

from tests.valkey import LosesAnswers, external_valkey
from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.redis import RedisThread, check_policy
from wagate.queue.results import Ack, Doorbell, Pumped
from wagate.queue.valkey.supervise import EmbeddedValkey
from wagate.queue.wakeup import Wakeup, listen

pytest_plugins = ("tests.valkey",)

PATIENCE = 60.0
"""Seconds for answers that must come, however slow the machine is."""


def bell(key: str, id_: str = "1") -> Doorbell:
    return Doorbell(key=key, target="t", id=id_)


async def pump_until_it_works(queue: Queue, want: int) -> Pumped:
    while True:
        try:
            return await queue.pump([], want=want)
        except QueueError:
            await trio.sleep(0.01)


async def until_it_answers(redis: RedisThread) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            try:
                assert await redis.command("PING")
            except QueueError:
                await trio.sleep(0.01)
            else:
                return


async def pings(url: str) -> int:
    """How many the server has had."""
    redis = RedisThread(url, timeout=PATIENCE)
    stats = await redis.command("INFO", "commandstats")
    await redis.close()
    return int(stats["cmdstat_ping"]["calls"])


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody but a server that is told to gets it: it is bound all the time."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_scripts_that_the_server_forgot_are_loaded_again(queue: Queue, redis: RedisThread) -> None:
    await redis.command("SCRIPT", "FLUSH")
    assert await queue.enqueue([bell("a")]) == 0
    await redis.command("SCRIPT", "FLUSH")

    refused: list[int] = []
    async with trio.open_nursery() as nursery:

        async def ring(key: str) -> None:
            refused.append(await queue.enqueue([bell(key)]))

        for number in range(50):
            nursery.start_soon(ring, f"k{number}")
    assert refused == [0] * 50
    assert (await queue.stats()).ready == 51


async def test_a_worker_goes_on_after_the_server_was_killed_and_restarted(embedded: EmbeddedValkey) -> None:
    redis = RedisThread(embedded.url, timeout=PATIENCE)
    queue = Queue(redis, "restart", clock=Clock())
    await queue.enqueue([bell("a", "1"), bell("a", "2"), bell("b")])
    (in_hand,) = (await queue.pump([], want=1)).taken
    # What is not on disk when it dies the sweep would bring.
    assert await redis.command("WAITAOF", "1", "0", "30000") == [1, 0]
    before = embedded.pid
    os.kill(before, signal.SIGKILL)
    with trio.fail_after(PATIENCE):
        while embedded.pid == before:
            await trio.sleep(0.01)
        pumped = await pump_until_it_works(queue, want=1)
        assert [each.key for each in pumped.taken] == ["b"]
        done = Ack(key=in_hand.key, token=in_hand.token, more=False)
        pumped = await queue.pump([done], want=1)
    assert pumped.fenced == ()
    assert [(each.key, each.id, each.crashes) for each in pumped.taken] == [("a", "2", 0)]
    await redis.close()


async def test_a_lost_answer_frees_what_nobody_knows_of_and_keeps_what_is_in_hand(any_url: str) -> None:
    redis = LosesAnswers(any_url)
    queue = Queue(redis, uuid.uuid4().hex, clock=Clock())
    await queue.enqueue([bell("done"), bell("running"), bell("unknown")])
    done, running = (await queue.pump([], want=2)).taken
    name = queue.worker
    redis.lose = True
    with pytest.raises(QueueError, match="broke"):
        await queue.pump([Ack(key="done", token=done.token, more=False)], want=1)
    assert queue.worker != name
    pumped = await queue.pump([], want=10)
    assert [(each.key, each.crashes) for each in pumped.taken] == [("unknown", 0)]
    assert list(await queue.workers()) == [queue.worker]
    assert pumped.fenced == (Ack(key="done", token=done.token, more=False),)  # it had counted the first time
    pumped = await queue.pump([Ack(key="running", token=running.token, more=False)], want=0)
    assert pumped.fenced == ()
    assert (await queue.stats()).active == 1
    await redis.close()


async def test_a_cancelled_pump_loses_nothing(queue: Queue) -> None:
    await queue.enqueue([bell("a")])
    with trio.CancelScope() as scope:
        scope.cancel()
        await queue.pump([], want=1)
    assert scope.cancelled_caught
    assert [each.key for each in (await queue.pump([], want=1)).taken] == ["a"]


async def test_an_absent_redis_is_named_without_its_password(closed_port: int) -> None:
    redis = RedisThread(f"redis://user:s3cret@127.0.0.1:{closed_port}/0")
    with pytest.raises(QueueError, match=f"127.0.0.1:{closed_port}/0 can't be reached") as caught:
        await redis.command("PING")
    assert "s3cret" not in str(caught.value)
    await redis.close()


async def test_a_wrong_password_is_an_error_of_the_queue() -> None:
    with external_valkey("--requirepass", "right") as url:
        redis = RedisThread(url.replace("//", "//:wrong@"), timeout=PATIENCE)
        with pytest.raises(QueueError, match="password"):
            await redis.command("PING")
        await redis.close()


async def test_a_server_that_comes_back_is_used_again(closed_port: int) -> None:
    redis = RedisThread(f"redis://127.0.0.1:{closed_port}/0", timeout=1.0)
    for _ in range(3):
        with pytest.raises(QueueError):
            await redis.command("PING")
    with external_valkey(port=closed_port):
        await until_it_answers(redis)
    await redis.close()


async def test_a_server_that_hangs_costs_one_timeout(embedded: EmbeddedValkey) -> None:
    redis = RedisThread(embedded.url, timeout=0.2)
    await until_it_answers(redis)
    before = await pings(embedded.url)
    os.kill(embedded.pid, signal.SIGSTOP)
    try:
        with trio.fail_after(PATIENCE):
            while psutil.Process(embedded.pid).status() != psutil.STATUS_STOPPED:
                await trio.sleep(0.01)
            with pytest.raises(QueueError, match="can't be reached"):
                await redis.command("PING")
    finally:
        os.kill(embedded.pid, signal.SIGCONT)
    assert await pings(embedded.url) == before + 1, "asked once, so waited for once"
    await redis.close()


async def test_a_redis_that_evicts_keys_is_refused_with_the_cure() -> None:
    with external_valkey("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as url:
        redis = RedisThread(url, timeout=PATIENCE)
        with pytest.raises(QueueError, match=r"allkeys-lru.*CONFIG SET maxmemory-policy noeviction"):
            await check_policy(redis)
        await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await check_policy(redis)
        await redis.close()


async def test_a_redis_that_does_not_let_us_ask_is_only_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    with external_valkey() as url:
        redis = RedisThread(url, timeout=PATIENCE)
        await redis.command("ACL", "SETUSER", "default", "-info", "-config")
        await check_policy(redis)
        await redis.close()
    assert "redis_policy_unknown" in capsys.readouterr().out


async def test_a_server_out_of_memory_takes_no_more_but_drains() -> None:
    with external_valkey() as url:
        redis = RedisThread(url, timeout=PATIENCE)
        queue = Queue(redis, "full", clock=Clock())
        await queue.enqueue([bell("a"), bell("b")])
        (first,) = (await queue.pump([], want=1)).taken
        await redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(QueueError, match="maxmemory"):
            await queue.enqueue([bell("c")])
        pumped = await queue.pump([Ack(key="a", token=first.token, more=True)], want=10)
        assert [each.key for each in pumped.taken] == ["b", "a"]
        acks = [Ack(key=each.key, token=each.token, more=False) for each in pumped.taken]
        assert (await queue.pump(acks, want=0)).depth == 0
        assert await queue.missing(["a", "b", "c"]) == ["a", "b", "c"]
        pumped = await queue.pump([], want=1, bells=[bell("d")])
        assert (pumped.taken, "maxmemory" in str(pumped.unrung)) == ((), True), "said, and the pump ran all the same"
        await redis.close()


async def test_an_idle_process_is_woken_by_another_ones_enqueue(redis: RedisThread, queue: Queue, clock: Clock) -> None:
    wakeup = Wakeup(clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, queue, wakeup)
        await queue.enqueue([bell("a")])
        assert await wakeup.wait(PATIENCE)
        assert not await wakeup.wait(0)
        nursery.cancel_scope.cancel()


async def test_a_process_wakes_itself_and_a_ring_is_not_lost_when_nobody_waits(clock: Clock) -> None:
    wakeup = Wakeup(clock)
    assert not await wakeup.wait(0)
    wakeup.ring()
    wakeup.ring()
    assert await wakeup.wait(PATIENCE)
    assert not await wakeup.wait(0)


async def test_what_can_wait_goes_with_what_can_not(clock: Clock) -> None:
    wakeup = Wakeup(clock)
    wakeup.ring_within(0)
    assert await wakeup.wait(PATIENCE), "the time is over"
    wakeup.ring_within(PATIENCE)
    wakeup.ring()
    assert await wakeup.wait(PATIENCE), "a ring takes it along"
    assert not await wakeup.wait(0)


async def test_the_listener_outlives_a_redis_that_is_away(clock: Clock, closed_port: int) -> None:
    wakeup = Wakeup(clock)
    redis = RedisThread(f"redis://127.0.0.1:{closed_port}/0")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, Queue(redis, "x", clock=clock), wakeup)
        assert await wakeup.wait(PATIENCE)  # rings by itself: what came meanwhile was not heard
        nursery.cancel_scope.cancel()
    await redis.close()
