"""Does an operation of the queue cost the same at any depth? Server and client time per id, at two depths.

    python scripts/bench/queue_depth.py [--json] [--depths 1000 500000]

Works on an embedded Valkey of its own, in a temporary folder. ``server_us`` is what Valkey counted for the scripts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from wagate.clock import Clock
from wagate.queue.queue import Queue
from wagate.queue.redis import RedisThread
from wagate.queue.results import Ack, Delay, Doorbell, Park, Result, Take, Taken
from wagate.queue.valkey.supervise import embedded_valkey

BATCH = 64
ROUNDS = 40
TARGET = "bench"


async def fill(queue: Queue, depth: int) -> None:
    """Ten ids per key; what lies below the measured keys in ready, and as many in backoff and parked."""
    keys = depth // 10
    for start in range(0, keys, 1000):
        bells = [
            Doorbell(key=f"k{key}", target=TARGET, id=f"{key}-{number}")
            for key in range(start, min(start + 1000, keys))
            for number in range(10)
        ]
        await queue.enqueue(bells)
    taken: tuple[Taken, ...] = ()
    for verb in ("delay", "park"):
        for _ in range(keys // 3 // BATCH):
            taken = (await queue.pump([], want=BATCH)).taken
            await queue.pump([away(each, verb) for each in taken], want=0)


def away(taken: Taken, verb: str) -> Result:
    if verb == "delay":
        return Delay(key=taken.key, token=taken.token, after=3600)
    return Park(key=taken.key, token=taken.token, target=TARGET)


async def measure(redis: RedisThread, work: Callable[[], Awaitable[int]]) -> dict[str, float]:
    """Median client time and mean server time per id over the rounds; ``work`` returns how many ids it moved."""
    await redis.command("CONFIG RESETSTAT")
    took, moved = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        count = await work()
        took.append((time.perf_counter() - began) / count)
        moved += count
    server = (await redis.command("INFO", "commandstats"))["cmdstat_evalsha"]["usec"]
    return {"client_us": round(sorted(took)[ROUNDS // 2] * 1e6, 1), "server_us": round(server / moved, 1)}


async def at_depth(redis: RedisThread, depth: int) -> dict[str, dict[str, float]]:
    queue = Queue(redis, f"bench-{depth}", clock=Clock(), max_depth=10 * depth + 100_000)
    await fill(queue, depth)
    number = 0
    in_hand = (await queue.pump([], want=BATCH)).taken

    async def enqueue() -> int:
        nonlocal number
        number += 1
        bells = [Doorbell(key=f"new{number}-{each}", target=TARGET, id=str(each)) for each in range(BATCH)]
        await queue.enqueue(bells)
        return BATCH

    async def ack_and_take() -> int:
        nonlocal in_hand
        acks = [Ack(key=each.key, token=each.token, more=True) for each in in_hand]
        in_hand = (await queue.pump(acks, want=BATCH)).taken
        return BATCH

    async def delay_and_nudge() -> int:
        nonlocal in_hand
        keys = [each.key for each in in_hand]
        await queue.pump([away(each, "delay") for each in in_hand], want=0)
        await queue.nudge(keys)
        in_hand = (await queue.pump([], want=BATCH)).taken
        return BATCH

    async def park_and_take() -> int:
        nonlocal in_hand
        parks = [away(each, "park") for each in in_hand]
        in_hand = (await queue.pump(parks, want=0, takes=[Take(target=TARGET, most=BATCH)])).taken
        return BATCH

    async def stats() -> int:
        await queue.stats()
        return 1

    works = (enqueue, ack_and_take, delay_and_nudge, park_and_take, stats)
    results = {work.__name__: await measure(redis, work) for work in works}
    await queue.forget()
    return results


async def bench(depths: list[int]) -> dict[str, dict[str, dict[str, float]]]:
    with tempfile.TemporaryDirectory(prefix="wgb-") as folder:
        async with embedded_valkey(Path(folder), maxmemory="1gb") as server:
            redis = RedisThread(server.url, timeout=30)
            results = {str(depth): await at_depth(redis, depth) for depth in depths}
            await redis.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--depths", type=int, nargs="+", default=[1_000, 500_000])
    arguments = parser.parse_args()
    results = trio.run(bench, arguments.depths)
    if arguments.json:
        print(json.dumps(results))
        return
    for depth, works in results.items():
        print(f"depth {depth}, µs per id (stats: per call)")
        for name, each in works.items():
            print(f"  {name:16} server {each['server_us']:7.1f}   client {each['client_us']:7.1f}")


if __name__ == "__main__":
    main()
