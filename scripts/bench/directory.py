"""What one message and one change cost beside many webhooks and accounts.

``python -m scripts.bench.directory [--counts 1,1000,10000] [--whole [--turns 18]] [--json]``

In one process, on SQLite: asking who wants an event, registering one more webhook, taking up another process's change
of a webhook and of an account, and the longest time for which the loop stood still meanwhile. ``--whole``: CPU of the
gateway and its Valkey for one message that is taken in, one gateway for each count, in turn; ends after `LONGEST` with
the turns that there were by then.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from scripts.bench.load import fire
from scripts.bench.message import message
from scripts.bench.whole import TABLES, cpu
from tests.gateway import gateway
from tests.rows import event
from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.context.endpoints import EndpointTable
from wagate.hooks.views import EndpointSecret, NewEndpoint
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.database import FILE, Database, open_database
from wagate.storage.deliveries.targets import switch_off
from wagate.storage.owners.accounts import AccountChange, patch_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import run_many
from wagate_webhook.deliver import make_handler

TURNS = 9
LONGEST = 240.0
"""Seconds of all turns of ``--whole``: on a busy machine there are fewer of them."""
WAIT = 180.0
"""Seconds that a gateway has to start beside so many rows, on such a machine."""
PASSPHRASE = "a passphrase for the bench"
MANY = {"auth": {"secret_key": PASSPHRASE}, "limits": {"accounts": 1_000_000, "webhooks": 1_000_000}}


class NoControl:
    """Consumers that have nothing to take up."""

    async def changed(self, _target: str) -> None:
        """Nothing waits."""


class Context:
    """As much of a plugin's context as asking for targets needs."""

    name = "webhook"
    timeout = 10.0

    def __init__(self, endpoints: EndpointTable) -> None:
        self.endpoints = endpoints


async def measure(count: int) -> dict[str, float]:
    """Figures in milliseconds, beside so many webhooks and accounts."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_database("", Path(folder)) as database:
            return await _measure(database, count)


async def _measure(database: Database, count: int) -> dict[str, float]:
    vault, clock = Vault([PASSPHRASE]), Clock()
    await database.write(ensure_default_client, now=clock.now())
    await database.write(fill, vault, count)
    live = LiveDirectory(database, vault.decrypt)
    endpoints = EndpointTable(
        "webhook",
        database=database,
        live=live,
        control=NoControl(),  # type: ignore[arg-type]
        clock=clock,
        encrypt=vault.encrypt,
        decrypt=vault.decrypt,
    )
    await live.reload()
    handler = make_handler(Context(endpoints))  # type: ignore[arg-type]
    asked = event(phone="5511000000000", account="none")
    list(handler.targets(asked))
    numbers, others = iter(range(10**9)), iter(range(10**9))

    async def nothing() -> None:
        pass

    async def ask() -> None:
        for _ in range(100):
            list(handler.targets(asked))

    async def register() -> None:
        new = NewEndpoint(
            client_id=1,
            phone_number=str(5599000000000 + next(numbers)),
            name="",
            webhook_url="https://hooks.example/in",
            max_retries=3,
            events=["message"],
            metadata={},
            secrets=[EndpointSecret(secret="whsec_" + "a" * 32)],
        )
        await endpoints.create(new)

    async def a_webhook_elsewhere() -> None:
        await database.write(switch_off, [f"webhook:w{5511000000000 + next(others) % count}"], clock.now())

    async def an_account_elsewhere() -> None:
        change = AccountChange(weight=next(others))
        await database.write(patch_account, f"n{5511000000000 + next(others) % count}", change, now=clock.now())

    found: dict[str, float] = {"count": count}
    acts = (
        ("targets", nothing, ask, 100),
        ("register", nothing, register, 1),
        ("webhook", a_webhook_elsewhere, live.reload_if_changed, 1),
        ("account", an_account_elsewhere, live.reload_if_changed, 1),
    )
    for name, prepare, act, share in acts:
        found[name], found[f"{name}_stall"] = await _timed(prepare, act, share)
    return found


async def _timed(
    prepare: Callable[[], Awaitable[None]], act: Callable[[], Awaitable[None]], share: int
) -> tuple[float, float]:
    times, worst = [], 0.0
    async with trio.open_nursery() as nursery:
        gaps: list[float] = []
        nursery.start_soon(_beat, gaps)
        await trio.sleep(0.01)
        gaps.clear()
        for _ in range(TURNS):
            await prepare()
            began = time.perf_counter()
            await act()
            times.append((time.perf_counter() - began) * 1000 / share)
        await trio.sleep(0.005)
        worst = max(gaps, default=0.0)
        nursery.cancel_scope.cancel()
    return round(statistics.median(times), 3), round(worst, 1)


async def _beat(gaps: list[float]) -> None:
    """How long the loop stood still, beyond a millisecond asked for."""
    while True:
        began = time.perf_counter()
        await trio.sleep(0.001)
        gaps.append((time.perf_counter() - began) * 1000 - 1)


async def whole(counts: list[int], most: int) -> dict[str, Any]:
    """CPU milliseconds of one message beside so many: the mean of the quickest third of the turns, ``most`` at most."""
    turns: dict[int, list[float]] = {count: [] for count in counts}
    async with AsyncExitStack() as stack:
        gateways = {count: await stack.enter_async_context(gateway(TABLES | MANY)) for count in counts}
        for count, each in gateways.items():
            await each.stop()
            db = Sqlite(each.folder / "data" / FILE).open(writer=True)
            fill(db, Vault([PASSPHRASE]), count)
            db.close()
            await each.start(wait=WAIT)
            await fire(("127.0.0.1", each.port), message("warm"), connections=32, requests=1000)
        began, turn = time.monotonic(), 0
        while turn < most and (turn < 3 or time.monotonic() - began < LONGEST):
            turn += 1
            for count, each in gateways.items():
                before = cpu(each)
                load = await fire(("127.0.0.1", each.port), message(f"run{turn}"), connections=32, requests=500)
                assert set(load.statuses) == {200}, set(load.statuses)
                turns[count].append((cpu(each) - before) / len(load.statuses) * 1000)
    means = {count: statistics.mean(sorted(each)[: max(1, turn // 3)]) for count, each in turns.items()}
    ratio = round(means[counts[-1]] / means[counts[0]], 3)
    return {"turns": turn, "cpu_ms": {count: round(each, 3) for count, each in means.items()}, "last_to_first": ratio}


def fill(db: Any, vault: Vault, count: int) -> None:
    """So many webhooks, each of a number of its own, and as many accounts."""
    now = datetime.now(UTC).isoformat()
    secrets = vault.encrypt('[{"secret":"whsec_' + "a" * 32 + '"}]')
    settings = vault.encrypt('{"access_token":"' + "a" * 64 + '"}')
    webhooks = (
        "INSERT INTO webhooks (id, connector, client_id, phone_number, name, webhook_url, secrets, created_at, "
        "updated_at) VALUES (?, 'webhook', 1, ?, '', 'https://hooks.example/in', ?, ?, ?)"
    )
    accounts = (
        "INSERT INTO accounts (id, name, client_id, provider, phone, settings, created_at, updated_at) "
        "VALUES (?, ?, 1, 'meta', ?, ?, ?, ?)"
    )
    phones = [str(5511000000000 + number) for number in range(count)]
    run_many(db, webhooks, [(f"w{phone}", phone, secrets, now, now) for phone in phones])
    run_many(db, accounts, [(f"a{phone}", f"n{phone}", phone, settings, now, now) for phone in phones])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="1,1000,10000")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--turns", type=int, default=TURNS * 2)
    given = parser.parse_args()
    counts = [int(count) for count in given.counts.split(",")]
    if given.whole:
        print(json.dumps(trio.run(whole, counts, given.turns)))
        return
    found = [trio.run(measure, count) for count in counts]
    if given.json:
        print(json.dumps(found))
        return
    print("  ".join(f"{name:>14}" for name in found[0]))
    for each in found:
        print("  ".join(f"{value:>14}" for value in each.values()))


if __name__ == "__main__":
    main()
