"""The engine beside a fake WhatsApp server: memory with 0, 1, 20 and 50 numbers, idle CPU, latency and speed.

Run: .venv/bin/python -m scripts.bench.engine [numbers …]; through a whole gateway: scripts.bench.engine_whole
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import trio

from tests.whatsapp_site import ANA, BOB, Site, site
from wagate.hooks import OutFile, Outgoing, OutMessage, ProviderAccount
from wagate.testing import FakeInlet
from wagate.testing.whatsapp import World
from wagate_whatsapp.process import MODULE, child_process

FIRST = 5511900000000
AT_ONCE = 2
"""Numbers that are linked at the same time: each has a process of its own meanwhile."""
IDLE = 60.0
"""Seconds: the kernel counts CPU in hundredths, and 50 numbers take one of them in some 8 seconds."""
TEXTS = 400
LARGE_IN = 100
"""Megabytes of the file that comes."""
LARGE_OUT = 100
"""Of the one that goes: the most."""


def engine() -> psutil.Process:
    """The process with all connections."""
    found = [each for each in psutil.Process().children() if MODULE in each.cmdline()]
    return max(found, key=lambda each: each.memory_info().rss)


def cpu(process: psutil.Process) -> float:
    """Seconds that it has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def each_ms(seconds: float) -> str:
    """Of one of `TEXTS`."""
    return f"{seconds / TEXTS * 1000:.2f} ms"


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


async def speed(here: Site, inlet: FakeInlet, world: World) -> None:
    """Latency of one message, and many at once."""
    account = replace_id(here.account, 0)
    here.fake.server.receipts = 0
    took = []
    for number in range(40):
        began = time.perf_counter()
        await world.text(ANA, f"one {number}")
        await inlet.until(lambda number=number: inlet.texts[-1:] == [f"one {number}"])
        took.append(time.perf_counter() - began)
    print(f"text in, one by one: p50 {statistics.median(took) * 1000:.1f} ms")
    before, spent, began = len(inlet.texts), (cpu(engine()), cpu(psutil.Process())), time.perf_counter()
    for number in range(TEXTS):
        await world.text(ANA, f"many {number}")
    await inlet.until(lambda: len(inlet.texts) == before + TEXTS)
    took_all, ours = time.perf_counter() - began, cpu(psutil.Process()) - spent[1]
    print(f"texts in: {TEXTS / took_all:.0f}/s; of each: {each_ms(took_all)}")
    print(f"  CPU: engine {each_ms(cpu(engine()) - spent[0])}, fake and provider {each_ms(ours)}")
    assert inlet.texts[before:] == [f"many {number}" for number in range(TEXTS)]
    device, began = here.fake.server.device(str(FIRST)), time.process_time()
    for number in range(TEXTS):
        here.fake.server.person(BOB).encrypt(device, f"floor {number}".encode())
    print(f"  the fake's cryptography alone: {each_ms(time.process_time() - began)} of CPU for each")
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
    spent, began = (cpu(engine()), cpu(psutil.Process())), time.perf_counter()
    for number in range(TEXTS):
        message = OutMessage(chat=f"{ANA}@c.us", type="text", text=f"more {number}")
        await here.provider.send(Outgoing(id=str(number), message=message, account=account))
    took_all = time.perf_counter() - began
    engines, ours = cpu(engine()) - spent[0], cpu(psutil.Process()) - spent[1]
    print(f"texts out, one after the other: {TEXTS / took_all:.0f}/s")
    print(f"  CPU: engine {each_ms(engines)}, fake and provider {each_ms(ours)}")


async def files(here: Site, inlet: FakeInlet, world: World) -> None:
    """Memory while one large file comes, and one goes: how much more than before."""
    account = replace_id(here.account, 0)
    assert here.provider.fetch_media is not None
    assert here.provider.send is not None
    content = os.urandom(1024) * 1024 * LARGE_IN
    await world.file(ANA, "document", content, "application/octet-stream")
    await inlet.until(lambda: any(each.media for each in inlet.events))
    media, got = next(each.media for each in inlet.events if each.media is not None), 0
    del content

    async def sink(part: bytes) -> None:
        nonlocal got
        got += len(part)

    async with growth(psutil.Process(), f"{LARGE_IN} MB in, gateway's side and the fake"):
        await here.provider.fetch_media(media, account, sink)
    assert got == LARGE_IN * 1024 * 1024
    path = here.folder / "large.bin"
    with path.open("wb") as file:
        for _ in range(LARGE_OUT):
            file.write(os.urandom(1024 * 1024))
    out = OutFile(mimetype="application/octet-stream", filename="large.bin", path=path)
    message = OutMessage(chat=f"{ANA}@c.us", type="document")
    async with growth(engine(), f"{LARGE_OUT} MB out, engine"):
        await here.provider.send(Outgoing(id="large", message=message, account=account, file=out))


@asynccontextmanager
async def growth(process: psutil.Process, what: str) -> AsyncIterator[None]:
    """Print by how much a process grew at most while the block ran."""
    before = most = process.memory_info().rss
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, process.memory_info().rss)
                await trio.sleep(0.005)

        nursery.start_soon(look)
        yield
        nursery.cancel_scope.cancel()
    print(f"{what}: {(most - before) / 1e6:.0f} MB more")


async def empty(folder: Path) -> None:
    """Memory of an engine that has no number."""
    async with child_process(folder / "empty.log") as child:
        status = await child.ask("status", session="")
        print(f"0 numbers: {status['rss'] / 1e6:.0f} MB")


async def main(counts: list[int]) -> None:
    """Link more and more numbers; measure at each stage."""
    with tempfile.TemporaryDirectory() as name:
        await empty(Path(name))
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
                    world = here.fake.world(str(FIRST))
                    await speed(here, up[0], world)
                    await files(here, up[0], world)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(partial(main, [int(each) for each in sys.argv[1:]] or [1, 20, 50]))
