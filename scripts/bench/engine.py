"""The engine beside a fake WhatsApp server: memory with 0, 1, 20 and 50 numbers, idle CPU, latency and speed.

Run: .venv/bin/python -m scripts.bench.engine [numbers …]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import trio

from tests.whatsapp_site import ANA, Site, site
from wagate.hooks import Outgoing, OutMessage, ProviderAccount
from wagate.testing import FakeInlet
from wagate_whatsapp.process import MODULE

FIRST = 5511900000000
AT_ONCE = 2
"""Numbers that are linked at the same time: each has a process of its own meanwhile."""
IDLE = 20.0
TEXTS = 400


def engine() -> psutil.Process:
    """The process with all connections."""
    found = [each for each in psutil.Process().children() if MODULE in each.cmdline()]
    return max(found, key=lambda each: each.memory_info().rss)


async def link(here: Site, number: int, limit: trio.CapacityLimiter, up: list[FakeInlet]) -> None:
    """One more number, for as long as the bench runs."""
    account: ProviderAccount = replace_id(here.account, number)
    inlet = FakeInlet()
    assert here.provider.run is not None
    async with trio.open_nursery() as nursery:
        async with limit:
            nursery.start_soon(here.provider.run, account, inlet)
            await here.link(inlet, str(FIRST + number))
        up.append(inlet)


def replace_id(account: ProviderAccount, number: int) -> ProviderAccount:
    """The same settings, another number."""
    return ProviderAccount(
        name=f"n{number}",
        phone="",
        settings=account.settings,
        webhook_secret="",
        webhook_url="",
        trust=account.trust,
        id=f"0190-{number}",
    )


async def speed(here: Site, inlet: FakeInlet) -> None:
    """Latency of one message, and many at once."""
    account = replace_id(here.account, 0)
    world = here.fake.world(str(FIRST))
    here.fake.server.receipts = 0
    took = []
    for number in range(40):
        began = time.perf_counter()
        await world.text(ANA, f"one {number}")
        await inlet.until(lambda number=number: inlet.texts[-1:] == [f"one {number}"])
        took.append(time.perf_counter() - began)
    print(f"text in, one by one: p50 {statistics.median(took) * 1000:.1f} ms")
    before, began = len(inlet.texts), time.perf_counter()
    for number in range(TEXTS):
        await world.text(ANA, f"many {number}")
    await inlet.until(lambda: len(inlet.texts) == before + TEXTS)
    print(f"texts in: {TEXTS / (time.perf_counter() - began):.0f}/s, the fake's own cryptography included")
    assert inlet.texts[before:] == [f"many {number}" for number in range(TEXTS)]
    assert here.provider.send is not None
    took = []
    for number in range(60):
        message = OutMessage(chat=f"{ANA}@c.us", type="text", text=f"out {number}")
        began = time.perf_counter()
        await here.provider.send(Outgoing(id=str(number), message=message, account=account))
        took.append(time.perf_counter() - began)
    print(f"text out, one by one: p50 {statistics.median(took[10:]) * 1000:.1f} ms")
    sent = [each.text for each in here.fake.server.messages]
    assert sent == [f"out {number}" for number in range(60)]


async def main(counts: list[int]) -> None:
    """Link more and more numbers; measure at each stage."""
    with tempfile.TemporaryDirectory() as name:
        async with site(Path(name)) as here, trio.open_nursery() as nursery:
            limit, up = trio.CapacityLimiter(AT_ONCE), list[FakeInlet]()
            for count in counts:
                began = time.perf_counter()
                for number in range(len(up), count):
                    nursery.start_soon(link, here, number, limit, up)
                with trio.fail_after(600):
                    while len(up) < count:
                        await trio.sleep(0.1)
                process = engine()
                before = process.cpu_times()
                await trio.sleep(IDLE if count > 1 else 2.0)
                after = process.cpu_times()
                cpu = after.user + after.system - before.user - before.system
                rss = process.memory_info().rss / 1e6
                took = time.perf_counter() - began
                print(f"{count} numbers: {rss:.0f} MB, linked in {took:.0f} s, idle CPU {cpu:.2f} s of {IDLE:g}")
                if count == 1:
                    await speed(here, up[0])
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(partial(main, [int(each) for each in sys.argv[1:]] or [1, 20, 50]))
