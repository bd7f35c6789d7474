"""A whole gateway process with a linked number, beside a fake WhatsApp server and a webhook's receiver.

How long a text takes from WhatsApp to the webhook, and from the API to the phone; how many come through in a second;
memory of gateway, engine and Valkey. Server and receiver run in this process.

Run: .venv/bin/python -m scripts.bench.engine_whole
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import psutil
import trio

from tests.whatsapp_gateway import Whole, whole
from tests.whatsapp_site import ANA

ONE_BY_ONE = 60
MANY = 2000
PEOPLE = [str(5511988881000 + number) for number in range(20)]
SENT = 12
APART = 1.2
"""Seconds between two texts out: more than one a second is held back."""


def figures(seconds: Sequence[float]) -> str:
    """In milliseconds."""
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered) * 1000:.1f} ms, p90 {ordered[len(ordered) * 9 // 10] * 1000:.1f} ms"


async def each_in(here: Whole) -> None:
    """From the fake's `text` to the webhook's request, one by one."""
    took = []
    for number in range(ONE_BY_ONE):
        began = time.perf_counter()
        await here.world.text(ANA, f"one {number}")
        await here.sink.until(lambda _, number=number: here.texts[-1:] == [f"one {number}"])
        took.append(time.perf_counter() - began)
    print("text in, webhook out:", figures(took[10:]))


async def each_out(here: Whole) -> None:
    """From the request to the API until the person opens it; and until the API has answered."""
    arrived, answered, server = [], [], here.fake.server
    for number in range(SENT):
        begun = time.perf_counter()

        async def ask(number: int = number, begun: float = begun) -> None:
            await here.send(f"out {number}")
            answered.append(time.perf_counter() - begun)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await server.until(lambda number=number: len(server.messages) == number + 1)
            arrived.append(time.perf_counter() - begun)
        await trio.sleep(APART)
    print("API to phone:", figures(arrived[2:]), "- answered:", figures(answered[2:]))


async def many_in(here: Whole, count: int, people: Sequence[str]) -> None:
    """As fast as the fake can, in one chat with each of these."""
    before, began = len(here.sink.accepted), time.perf_counter()
    counted = (psutil.Process(), *processes(here)[:2])
    spent = [cpu(each) for each in counted]
    for number in range(count):
        await here.world.text(people[number % len(people)], f"many {number}")
    written = time.perf_counter() - began
    await here.sink.until(lambda _: len(here.sink.accepted) >= before + count, 240)
    took = time.perf_counter() - began
    got = here.texts[before:]
    for place in range(len(people)):
        assert [each for each in got if int(each.split()[1]) % len(people) == place] == [
            f"many {number}" for number in range(place, count, len(people))
        ]
    rates = f"{count / took:.0f}/s (the fake wrote {count / written:.0f}/s)"
    print(f"texts in, {len(people)} chats, to the webhook: {rates}")
    each = [(cpu(process) - then) / count * 1000 for process, then in zip(counted, spent, strict=True)]
    print("  CPU for each: fake and receiver {:.2f} ms, gateway {:.2f} ms, engine {:.2f} ms".format(*each))


def cpu(process: psutil.Process) -> float:
    """Seconds that it has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def processes(here: Whole) -> list[psutil.Process]:
    """Gateway, engine, Valkey."""
    gateway = psutil.Process(here.server.pid)
    others = gateway.children()
    engine = next(each for each in others if each.pid in here.engines())
    return [gateway, engine, *(each for each in others if each != engine)]


def memory(here: Whole, when: str) -> None:
    """Of all processes."""
    parts = [each.memory_full_info() for each in processes(here)]
    sizes = [f"{part.pss / 1e6:.0f} PSS ({part.rss / 1e6:.0f} RSS)" for part in parts]
    whole_pss, whole_rss = sum(part.pss for part in parts) / 1e6, sum(part.rss for part in parts) / 1e6
    print(f"{when}: gateway, engine, Valkey {', '.join(sizes)}; together {whole_pss:.0f} PSS, {whole_rss:.0f} RSS (MB)")


async def main() -> None:
    """All of it."""
    async with whole() as here:
        await here.link()
        here.fake.server.receipts = 0
        for phone in PEOPLE:
            here.fake.server.person(phone)
        await trio.sleep(2)
        memory(here, "at rest")
        await each_in(here)
        await each_out(here)
        await many_in(here, 400, PEOPLE[:1])
        await many_in(here, MANY, PEOPLE)
        memory(here, f"after {MANY} texts")


if __name__ == "__main__":
    trio.run(main)
