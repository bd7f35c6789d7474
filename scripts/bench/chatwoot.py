"""WhatsApp → Chatwoot: posts a second through a whole gateway, against a fake Chatwoot that answers in 5 ms.

``python -m scripts.bench.chatwoot [--runs 3] [--chats 30] [--messages 900] [--json]``

The fake runs in a process of its own and sends its webhooks about each post back, as the real one does. Load generator,
fake and gateway share the same cores. Contacts and conversations are there already (a warm-up makes them).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import psutil  # type: ignore[import-untyped]
import trio

from scripts.bench.load import fire
from tests.chatwoot_office import DOOR, KEY, phone
from tests.gateway import GatewayProcess, gateway
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

LATENCY = 0.005
PATIENCE = 120


def serve(pipe: Connection) -> None:
    """Both fakes, until killed. Asked with a URL it sends webhooks there; with a number it tells what came since."""

    async def main() -> None:
        chatwoot, waha = FakeChatwoot(), FakeWaha(api_key="k")
        chatwoot.latency, chatwoot.state.flood = LATENCY, None
        async with running(chatwoot), running(waha):
            settings = chatwoot.settings(accounts=["main"], status_conversation=False)
            pipe.send((settings, waha.url))
            while True:
                await trio.lowlevel.wait_readable(pipe.fileno())
                asked = pipe.recv()
                if isinstance(asked, str):
                    chatwoot.inbox.webhook_url = asked
                else:
                    pipe.send([(each.conversation.id, each.source_id) for each in chatwoot.posted()[asked:]])

    trio.run(main)


class Fakes:
    """The process with the fakes, seen from here."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.settings, self.waha = pipe.recv()

    def send_webhooks_to(self, url: str) -> None:
        self._pipe.send(url)

    def posted(self, after: int) -> list[tuple[int, str]]:
        """(conversation, source_id) of the posts after the first so many."""
        self._pipe.send(after)
        found: list[tuple[int, str]] = self._pipe.recv()
        return found

    async def until(self, count: int) -> float:
        """Wait until so many posts came; when that was."""
        with trio.fail_after(PATIENCE):
            while len(self.posted(0)) < count:
                await trio.sleep(0.02)
        return time.monotonic()


@contextmanager
def fakes() -> Iterator[Fakes]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield Fakes(here)
    finally:
        process.kill()
        process.join()


async def burst(wagate: GatewayProcess, maker: FakeWaha, chats: int, each: int) -> None:
    """So many messages of each chat: the chats at once, in each one after the other."""

    def request(chat: str) -> bytes:
        payload = maker.incoming("a message of the bench", sender=chat) | {"timestamp": int(time.time())}
        body, headers = maker.webhook("message", payload, key=KEY)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"POST /webhooks/main HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        return start.encode() + body

    async def one(chat: str) -> None:
        load = await fire(("127.0.0.1", wagate.port), lambda _: request(chat), connections=1, requests=each)
        assert set(load.statuses) == {200}, set(load.statuses)

    async with trio.open_nursery() as nursery:
        for number in range(chats):
            nursery.start_soon(one, phone(number))


def cpu(wagate: GatewayProcess) -> float:
    """CPU seconds of gateway and Valkey so far."""
    main = psutil.Process(wagate.pid)
    return sum(sum(each.cpu_times()[:2]) for each in (main, *main.children(recursive=True)))


def swapped(posts: list[tuple[int, str]]) -> int:
    """Posts that came after a later one of their chat: the ids of messages count up."""
    latest: dict[int, str] = {}
    found = 0
    for conversation, source_id in posts:
        found += source_id < latest.get(conversation, "")
        latest[conversation] = max(source_id, latest.get(conversation, ""))
    return found


async def run(chats: int, messages: int) -> dict[str, float]:
    """One gateway, one burst."""
    with fakes() as there:
        tables = {
            "accounts.main": {"provider": "waha", "base_url": there.waha, "api_key": "k", "hmac_key": KEY},
            "plugins.chatwoot.inboxes.desk": there.settings,
        }
        async with gateway(tables) as wagate:
            there.send_webhooks_to(wagate.url + DOOR)
            maker = FakeWaha()
            await burst(wagate, maker, chats, 2)
            await there.until(chats * 2)
            await trio.sleep(1)
            before, began = cpu(wagate), time.monotonic()
            await burst(wagate, maker, chats, messages // chats)
            accepted = time.monotonic()
            count = messages // chats * chats
            done = await there.until(chats * 2 + count)
            posts = there.posted(chats * 2)
            return {
                "posts_per_second": count / (done - began),
                "accepted_per_second": count / (accepted - began),
                "cpu_ms": (cpu(wagate) - before) / count * 1000,
                "out_of_order": float(swapped(posts)),
                "duplicates": float(len(posts) - len(set(posts))),
            }


async def bench(options: argparse.Namespace) -> dict[str, Any]:
    found = [await run(options.chats, options.messages) for _ in range(options.runs)]
    return {name: round(statistics.median(each[name] for each in found), 2) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chats", type=int, default=30)
    parser.add_argument("--messages", type=int, default=900)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = trio.run(bench, options)
    if options.json:
        print(json.dumps({"bench": "chatwoot", "chats": options.chats, "rows": figures}))
        return
    print(f"{options.chats} chats  " + "  ".join(f"{key}={value:g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
