"""The database is large, long in arrears, or locked by somebody else."""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx2
import trio

from scripts.bench.lists import seed
from scripts.chaos.scenario import Scenario, Size
from scripts.chaos.standstill import post
from tests.gateway import GatewayProcess, gateway, register
from tests.sink import https_sink
from wagate.storage.database import FILE

LISTS = (
    "/api/jobs?state=cancelled",
    "/api/jobs?state=expired",
    "/api/jobs?chat=none",
    "/api/jobs?account=none",
    "/api/jobs?connector=n8n",
    "/api/jobs?message_id=none",
    "/api/jobs?state=failed&limit=200",
)
QUICK = 1.0
"""Seconds in which a message is delivered on a machine that is busy with lists as well."""


async def lists(size: Size) -> str:
    """Six clients loop the lists that find nothing, in a large database, while messages come in."""
    rows = size.of(20_000, 1_000_000)
    unlimited = {"limits": {"api": "off", "intake": "off"}}
    async with https_sink() as sink, gateway(unlimited, ca_file=sink.ca_file) as server:
        assert await server.stop() == 0
        await trio.to_thread.run_sync(seed, server.folder / "data" / FILE, rows)
        await server.start()
        await register(server, sink.url)
        asked, took, lags = itertools.count(), [], []
        async with trio.open_nursery() as readers:
            for number in range(6):
                readers.start_soon(look_again_and_again, server, number, asked, took)
            for number in range(size.of(20, 200)):
                began = time.monotonic()
                await post(server, f"m{number}", "+15550001234")
                await sink.until_accepted(number + 1)
                lags.append(time.monotonic() - began)
                health = await server.http.get("/health")
                assert health.status_code == 200, health.text
            readers.cancel_scope.cancel()
    lag = statistics.median(lags)
    assert lag < QUICK, f"a message takes {lag:.1f} s beside the lists"
    return (
        f"{rows} deliveries, {next(asked)} lists of {statistics.median(took) * 1e3:.0f} ms beside the traffic; "
        f"a message arrived after {lag * 1e3:.0f} ms"
    )


async def look_again_and_again(
    server: GatewayProcess, number: int, asked: itertools.count[int], took: list[float]
) -> None:
    """One client that shows one list after the other."""
    for path in itertools.cycle(LISTS[number % len(LISTS) :] + LISTS[: number % len(LISTS)]):
        began = time.monotonic()
        answer = await server.http.get(path)
        assert answer.status_code == 200, answer.text
        took.append(time.monotonic() - began)
        next(asked)


async def locked(size: Size) -> str:
    """Somebody holds the write lock of the SQLite file."""
    async with https_sink() as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        told = []
        for number in range(size.of(1, 5)):
            lock = sqlite3.connect(server.folder / "data" / FILE, isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            told.append(await until(503, lambda: server.http.get("/health")))
            lock.execute("ROLLBACK")
            lock.close()
            await until(200, lambda: server.http.get("/health"))
            await post(server, f"m{number}", "+15550001234")
            await sink.until_accepted(number + 1)
    return f"/health said so after {max(told):.1f} s at most"


async def until(status: int, ask: Callable[[], Awaitable[httpx2.Response]]) -> float:
    """Seconds until the answer has this status."""
    began = time.monotonic()
    with trio.fail_after(30):
        while (await ask()).status_code != status:
            await trio.sleep(0.1)
    return time.monotonic() - began


DATABASE = (
    Scenario(
        name="lists",
        fault="six clients loop through lists of a large database",
        promise="messages are delivered within a second, /health stays 200",
        run=lists,
    ),
    Scenario(
        name="locked",
        fault="somebody else holds the database's write lock",
        promise="/health is 503 meanwhile and 200 afterwards, messages arrive again at once",
        run=locked,
    ),
)
