"""What the indexes that only pages read cost at intake: two gateways in turns, one without them; the ratio of CPU.

    python -m scripts.bench.dashboard_intake [--rounds 7] [--seconds 5] [--rows 100000]

Both have so many deliveries stored. Each stores events and deliveries and hands them to a receiver, as fast as 32
connections bring them; the goal is 3 % at most.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import trio

from scripts.bench.dashboard import TABLES, fill
from scripts.bench.load import fire
from scripts.bench.message import message
from scripts.bench.receiver import age, receiver
from scripts.bench.whole import cpu, delivered
from tests.gateway import GatewayProcess, register
from wagate.storage.database import FILE

INDEXES = (
    "deliveries_waiting",
    "deliveries_owed",
    "deliveries_open_list",
    "deliveries_state",
    "deliveries_client_state",
    "deliveries_chat",
    "chats_newest",
)
RECEIVERS = 3


async def started(folder: Path, rows: int, *, indexes: bool) -> GatewayProcess:
    """A gateway with so many deliveries stored."""
    database = folder / "data" / FILE
    fill(database, rows, RECEIVERS)
    with sqlite3.connect(database) as db:
        for name in () if indexes else INDEXES:
            db.execute(f"DROP INDEX {name}")
    gateway = GatewayProcess(folder, TABLES, {})
    await gateway.start(wait=240)
    for old in (await gateway.http.get("/api/webhooks/list?tenant_id=default")).json()["data"]:
        (await gateway.http.delete(f"/api/webhooks/{old['id']}")).raise_for_status()
    return gateway


async def once(gateway: GatewayProcess, seconds: float) -> float:
    """Milliseconds of CPU of a message, until all are delivered."""
    with receiver(note=age) as (url, seen):
        await register(gateway, url)
        before = cpu(gateway)
        load = await fire(("127.0.0.1", gateway.port), message(uuid4().hex), connections=32, seconds=seconds)
        await delivered(lambda: len(seen()), len(load.statuses))
        took = (cpu(gateway) - before) / len(load.statuses) * 1000
        [made] = (await gateway.http.get("/api/webhooks/list?tenant_id=default")).json()["data"]
        (await gateway.http.delete(f"/api/webhooks/{made['id']}")).raise_for_status()
    return took


async def measure(rounds: int, seconds: float, rows: int) -> list[tuple[float, float]]:
    """With and without, of each round."""
    async with AsyncExitStack() as stack:
        pair = []
        for indexes in (True, False):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wg")))
            pair.append(await started(folder, rows, indexes=indexes))
            stack.push_async_callback(pair[-1].close)
        for gateway in pair:  # nothing is warm yet
            await once(gateway, seconds)
        found = []
        for number in range(rounds):
            turn = pair if number % 2 else pair[::-1]
            took = {id(each): await once(each, seconds) for each in turn}
            found.append((took[id(pair[0])], took[id(pair[1])]))
        return found


def main() -> None:
    """Print the rounds and their middle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    found = trio.run(measure, given.rounds, given.seconds, given.rows)
    for ours, bare in found:
        sys.stdout.write(f"with {ours:.3f} ms, without {bare:.3f} ms of CPU: {ours / bare:.3f}\n")
    sys.stdout.write(f"the middle of the ratios: {statistics.median(ours / bare for ours, bare in found):.3f}\n")


if __name__ == "__main__":
    main()
