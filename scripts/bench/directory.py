"""What one message and one change cost beside many webhooks and accounts.

``python -m scripts.bench.directory [--counts 1,1000,10000] [--json]``

In one process, on SQLite: asking who wants an event, taking in a message, registering one more webhook, taking up a
change of another process, and the longest time for which the loop stood still meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from tests.rows import event
from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.context.endpoints import EndpointTable
from wagate.hooks.views import EndpointSecret, NewEndpoint
from wagate.storage.database import Database, open_database
from wagate.storage.deliveries.targets import switch_off
from wagate.storage.owners.accounts import AccountChange, patch_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import run_many
from wagate_webhook.deliver import make_handler

TURNS = 9


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
    vault, clock = Vault(["a passphrase for the bench"]), Clock()
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
        await live.reload_if_changed()

    async def an_account_elsewhere() -> None:
        change = AccountChange(weight=next(others))
        await database.write(patch_account, f"n{5511000000000 + next(others) % count}", change, now=clock.now())
        await live.reload_if_changed()

    found: dict[str, float] = {"count": count}
    acts = (
        ("targets", ask, 100),
        ("register", register, 1),
        ("webhook", a_webhook_elsewhere, 1),
        ("account", an_account_elsewhere, 1),
    )
    for name, act, share in acts:
        found[name], found[f"{name}_stall"] = await _timed(act, share)
    return found


async def _timed(act: Callable[[], Awaitable[None]], share: int) -> tuple[float, float]:
    times, worst = [], 0.0
    async with trio.open_nursery() as nursery:
        gaps: list[float] = []
        nursery.start_soon(_beat, gaps)
        await trio.sleep(0.01)
        gaps.clear()
        for _ in range(TURNS):
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
    given = parser.parse_args()
    found = [trio.run(measure, int(count)) for count in given.counts.split(",")]
    if given.json:
        print(json.dumps(found))
        return
    print("  ".join(f"{name:>14}" for name in found[0]))
    for each in found:
        print("  ".join(f"{value:>14}" for value in each.values()))


if __name__ == "__main__":
    main()
