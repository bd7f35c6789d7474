"""What the dashboard costs when much is stored: pages, open streams, memory, and the weight of the first page.

    python -m scripts.bench.dashboard [--json] [--rows 100000] [--receivers 1000] [--incoming 300] [--folder FOLDER]

A real gateway over HTTP on loopback; receivers for which something waits are paused, so that nothing but the pages is
at work. Beside each page stands the floor: the sign-in page, which asks the database nothing. ``--incoming``: two pages
also while so many messages a second come in, from a process of its own, and are handed to a receiver in another.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from html import unescape
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import trio

from scripts.bench.lists import seed
from scripts.bench.load import Load, pace
from scripts.bench.message import message
from scripts.bench.receiver import receiver
from tests.gateway import TOKEN, GatewayProcess, register
from wagate.storage.backend.migrate import migrate
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.backend.writer import Work, Writer
from wagate.storage.database import FILE

ROUNDS = 100
STREAMS = 50
WATCHED = 15.0
"""Seconds for which the streams are open."""
CLEANED = 300
"""Seconds to wait for the first deletion of what is old, a minute after the start: what it reads counts for no page."""
LOADED = 30.0
"""Seconds for which messages come in."""
PAUSE = 0.05
"""Seconds between two pages meanwhile, as of somebody who reads very fast."""
TABLES: dict[str, dict[str, Any]] = {
    "limits": {"api": "off", "auth": "off"},
    "delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]},
}
PAGES = {
    "floor: sign-in": "/ui/signin",
    "overview": "/ui/",
    "deliveries": "/ui/deliveries",
    "deliveries, failed": "/ui/deliveries?state=failed",
    "deliveries of a receiver": "/ui/deliveries?target=webhook:7",
    "all that failed, asked first": "/ui/deliveries/bulk?state=failed&target=webhook:7&do=retry-all",
    "receivers": "/ui/receivers",
    "a receiver": "/ui/receivers/webhook:7",
    "webhooks": "/ui/webhooks",
    "numbers": "/ui/numbers",
    "a number": "/ui/numbers/n3",
    "conversations": "/ui/conversations",
    "who did what": "/ui/audit",
    "waiting by chat": "/ui/receivers/{target}?chats=oldest",
    "a delivery, in its chat": "/ui/deliveries/{waiting}",
    "overview of one client": "/ui/?client={client}",
    "deliveries, handed on": "/ui/deliveries?state=handed&since=1h",
}
"""In braces: what `one_of_each` finds."""


def fill(path: Path, rows: int, receivers: int) -> None:
    """A database with so many deliveries and receivers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer(Sqlite(path))
    writer.run([Work(migrate, ("sqlite", "here"))])[0].unwrap()
    writer.close()
    seed(path, rows)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with sqlite3.connect(path) as db:
        clients = [(number, f"client-{number}", at, at) for number in range(1, 32)]
        db.executemany("INSERT INTO clients (id, slug, created_at, updated_at) VALUES (?, ?, ?, ?)", clients)
        hooks = [(str(n), 1 + n % 30, f"Receiver {n}", f"https://r{n}.example/hook", at, at) for n in range(receivers)]
        db.executemany(
            "INSERT INTO webhooks (id, client_id, phone_number, name, webhook_url, created_at, updated_at) "
            "VALUES (?, ?, '*', ?, ?, ?, ?)",
            hooks,
        )
        numbers = [(f"n{n}", f"n{n}", 1 + n % 30, at, at) for n in range(6)]
        db.executemany(
            "INSERT INTO accounts (id, name, client_id, provider, status, ever_connected, created_at, updated_at) "
            "VALUES (?, ?, ?, 'session', 'session_connected', TRUE, ?, ?)",
            numbers,
        )
        tried = [(f"webhook:{n}", "webhook", 1 + n % 30, at, at) for n in range(receivers)]
        tried += [(f"chatwoot:{n}", "chatwoot", 1 + n % 30, at, at) for n in range(6)]
        db.executemany(
            "INSERT INTO targets (id, handler, client_id, updated_at, last_success_at) VALUES (?, ?, ?, ?, ?)", tried
        )
        db.execute(
            "UPDATE targets SET paused_at = updated_at WHERE id IN (SELECT target_id FROM deliveries WHERE NOT settled)"
        )


def one_of_each(path: Path) -> dict[str, str]:
    """The newest delivery that waits for a webhook, its receiver, and the client whose it is."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        found = db.execute(
            "SELECT d.id, d.target_id, c.slug FROM deliveries d JOIN clients c ON c.id = d.client_id "
            "WHERE NOT d.settled AND d.target_id LIKE 'webhook:%' ORDER BY d.id DESC LIMIT 1"
        ).fetchone()
    return dict(zip(("waiting", "target", "client"), found, strict=True))


async def timed(http: httpx2.AsyncClient, path: str, process: psutil.Process) -> dict[str, float]:
    """Milliseconds of a page as the browser waits for it, and of the gateway's CPU."""
    took, used = [], sum(process.cpu_times()[:2])
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert (await http.get(path)).status_code == 200
        took.append((time.perf_counter() - began) * 1e3)
    used = (sum(process.cpu_times()[:2]) - used) * 1e3 / ROUNDS
    return {"cpu": round(used, 1)} | spread(took)


def spread(took: list[float]) -> dict[str, float]:
    """Middle and 99 of 100."""
    took = sorted(took)
    return {"p50": round(statistics.median(took), 1), "p99": round(took[int(0.99 * len(took))], 1)}


def post(port: int, run: str, rate: float, pipe: Connection) -> None:
    """So many messages a second for a while, in a process of its own; then how it went."""
    requests = int(rate * LOADED)
    pipe.send(trio.run(partial(pace, ("127.0.0.1", port), message(run), rate=rate, requests=requests, connections=32)))


async def loaded(http: httpx2.AsyncClient, port: int, rate: float, pages: Mapping[str, str]) -> dict[str, Any]:
    """Milliseconds of pages, asked one after the other while messages come in, and of the answers to these."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    took: dict[str, list[float]] = {name: [] for name in pages}
    process = context.Process(target=post, args=(port, uuid4().hex, rate, there), daemon=True)
    process.start()
    await trio.sleep(3)  # a Python starts, and the first messages meet what is not warm yet
    while not here.poll():
        for name, path in pages.items():
            began = time.perf_counter()
            assert (await http.get(path)).status_code == 200
            took[name].append((time.perf_counter() - began) * 1e3)
        await trio.sleep(PAUSE)
    load: Load = here.recv()
    assert {*load.statuses} == {200}
    reached = {"messages_a_second": round(load.per_second, 1)}
    return {name: spread(each) for name, each in took.items()} | {
        "intake": reached | spread([each * 1e3 for each in load.latencies])
    }


async def while_incoming(http: httpx2.AsyncClient, gateway: GatewayProcess, rate: float) -> dict[str, Any]:
    """The intake alone, then with somebody who reads pages."""
    pages = {name: PAGES[name] for name in ("overview", "deliveries")}
    with receiver() as (url, _):
        for old in (await gateway.http.get("/api/webhooks/list?tenant_id=default")).json()["data"]:
            (
                await gateway.http.delete(f"/api/webhooks/{old['id']}")
            ).raise_for_status()  # of a run before, in this folder
        await register(gateway, url)
        return {
            "nobody reads": await loaded(http, gateway.port, rate, {}),
            "somebody reads": await loaded(http, gateway.port, rate, pages),
        }


async def streamed(http: httpx2.AsyncClient, process: psutil.Process, page: str) -> float:
    """Share of a core, in percent, that the gateway takes while `STREAMS` of a page are open and read."""

    async def watch(task_status: trio.TaskStatus[None]) -> None:
        async with http.stream("GET", live) as answer:
            texts = answer.aiter_bytes()
            await texts.__anext__()
            task_status.started()
            async for _ in texts:  # what nobody reads is not sent, and costs nothing
                pass

    [found] = re.findall(r'data-live="([^"]+)"', (await http.get(page)).text)
    live = unescape(found)
    async with trio.open_nursery() as nursery:
        for _ in range(STREAMS):
            await nursery.start(watch)
        await trio.sleep(2)  # they were opened
        used = sum(process.cpu_times()[:2])
        await trio.sleep(WATCHED)
        used = sum(process.cpu_times()[:2]) - used
        nursery.cancel_scope.cancel()
    return round(100 * used / WATCHED, 1)


async def watchers(url: str, process: psutil.Process) -> dict[str, float]:
    """MB that the gateway holds before, and while, `STREAMS` sessions that signed in for themselves watch the overview.

    Before: when all pages were shown once and streams were open, so that what any of it loads is there.
    """

    async def watch(task_status: trio.TaskStatus[None]) -> None:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, limits=limits) as http:
            assert (await http.post("/ui/signin", data={"token": TOKEN})).status_code == 303
            [found] = re.findall(r'data-live="([^"]+)"', (await http.get("/ui/")).text)
            async with http.stream("GET", unescape(found)) as answer:
                texts = answer.aiter_bytes()
                await texts.__anext__()
                task_status.started()
                async for _ in texts:
                    pass

    before = process.memory_info().rss
    async with trio.open_nursery() as nursery:
        for _ in range(STREAMS):
            await nursery.start(watch)
        await trio.sleep(WATCHED)
        during = process.memory_info().rss
        nursery.cancel_scope.cancel()
    return {name: round(each / 1e6, 1) for name, each in (("before", before), ("while they watch", during))}


async def weight(http: httpx2.AsyncClient) -> int:
    """Bytes of the overview with all that it loads, gzipped."""
    page = (await http.get("/ui/")).text
    parts = [page.encode()]
    parts += [(await http.get(link)).content for link in set(re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', page))]
    return sum(len(gzip.compress(part)) for part in parts)


def imported(module: str) -> float:
    """MB of a Python that has imported it, beside what the gateway imports anyway."""
    base = "import quart_trio, wagate.web.app, wagate.storage.database"
    code = f"{base}\n{module}\nimport psutil; print(psutil.Process().memory_info().rss)"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) / 1e6


async def measure(folder: Path, rows: int, receivers: int, incoming: float) -> dict[str, Any]:
    """All figures."""
    gateway = GatewayProcess(folder, TABLES, {})
    database = folder / "data" / FILE
    if not database.exists():
        fill(database, rows, receivers)
    await gateway.start(wait=240)
    try:
        assert gateway.process is not None
        async with httpx2.AsyncClient(
            base_url=gateway.url, trust_env=False, timeout=60, limits=httpx2.Limits(max_connections=None)
        ) as http:
            process = psutil.Process(gateway.process.pid)
            await http.post("/ui/signin", data={"token": TOKEN})
            with trio.fail_after(CLEANED):
                while not gateway.logged("old rows deleted"):
                    await trio.sleep(1)
            one = one_of_each(database)
            figures = {name: await timed(http, path.format_map(one), process) for name, path in PAGES.items()}
            idle = sum(process.cpu_times()[:2])
            await trio.sleep(WATCHED)
            shares = {"idle": round(100 * (sum(process.cpu_times()[:2]) - idle) / WATCHED, 1)}
            for name in ("overview", "deliveries"):
                shares[f"{STREAMS} streams, {name}"] = await streamed(http, process, PAGES[name])
            page = "render('problem', text='', theme='', signed_in=False, status=404, to='', label='')"
            ui = imported(f"import wagate.web.ui.app as a; a.{page}")
            return {
                "rows": rows,
                "receivers": receivers,
                "pages_ms": figures,
                "cpu_percent": shares,
                "first_page_gzipped": await weight(http),
                "memory_mb": round(ui - imported(""), 1),
                "watchers_mb": await watchers(gateway.url, process),
                "incoming": await while_incoming(http, gateway, incoming) if incoming else {},
            }
    finally:
        gateway.kill()


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--receivers", type=int, default=1000)
    parser.add_argument("--incoming", type=float, default=0, help="messages a second")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wg") as temporary:
        figures = trio.run(measure, given.folder or Path(temporary), given.rows, given.receivers, given.incoming)
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for name, took in figures["pages_ms"].items():
        sys.stdout.write(
            f"{name:30} p50 {took['p50']:7.1f} ms   p99 {took['p99']:7.1f} ms   CPU {took['cpu']:6.1f} ms\n"
        )
    sys.stdout.write(f"CPU of a core, percent: {figures['cpu_percent']}\n")
    sys.stdout.write(f"first page, gzipped: {figures['first_page_gzipped']:,} bytes\n")
    sys.stdout.write(f"memory of the dashboard's code: {figures['memory_mb']} MB\n")
    sys.stdout.write(f"the gateway's memory, {STREAMS} signed-in sessions that watch, MB: {figures['watchers_mb']}\n")
    for name, found in figures["incoming"].items():
        sys.stdout.write(f"while messages come in, {name}: {found}\n")


if __name__ == "__main__":
    main()
