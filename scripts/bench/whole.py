"""The whole gateway as a process: intake, end to end, acceptance, drain, memory; each beside its floor.

``python -m scripts.bench.whole [--runs 3] [--seconds 8] [--only intake,endtoend,…] [--json]``

Load generator and receiver run on the same cores. Figures are medians of the runs; ratios matter, not the figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psutil  # type: ignore[import-untyped]
import trio

from scripts.bench.load import fire, pace
from scripts.bench.message import message
from scripts.bench.receiver import receiver
from tests.gateway import GatewayProcess, gateway

TABLES = {"delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}, "log": {"level": "info"}}


def processes(wagate: GatewayProcess) -> list[psutil.Process]:
    """The gateway and its Valkey."""
    assert wagate.process is not None
    main = psutil.Process(wagate.process.pid)
    return [main, *main.children(recursive=True)]


def cpu(wagate: GatewayProcess) -> float:
    """CPU seconds of gateway and Valkey so far."""
    return sum(sum(each.cpu_times()[:2]) for each in processes(wagate))


def sizes(wagate: GatewayProcess, moment: str) -> dict[str, float]:
    """MB by process: PSS, in which shared pages count once over both, and RSS, which `ps` and `top` show."""
    found: dict[str, float] = {}
    for each in processes(wagate):
        info = each.memory_full_info()
        for kind, size in (("pss", info.pss), ("rss", info.rss)):
            found[f"{moment}_{each.name()}_{kind}_mb"] = size / 1e6
            found[f"{moment}_{kind}_mb"] = found.get(f"{moment}_{kind}_mb", 0.0) + size / 1e6
    return found


async def register(wagate: GatewayProcess, url: str) -> None:
    """A webhook for all numbers; the first message makes the account."""
    body = {"phone_number": "*", "webhook_url": url}
    (await wagate.http.post("/api/webhooks/register", json=body)).raise_for_status()


async def delivered(count: Callable[[], int], wanted: int, seconds: float = 900) -> float:
    """Wait until the receiver has them all; when that was."""
    with trio.fail_after(seconds):
        while count() < wanted:
            await trio.sleep(0.02)
    return time.monotonic()


async def intake(seconds: float) -> dict[str, float]:
    """Stored, committed, enqueued (a pull queue takes them): answers a second and CPU each, 32 connections."""
    async with gateway(TABLES) as wagate:
        await fire(("127.0.0.1", wagate.port), message("warm"), connections=32, requests=500)
        before = cpu(wagate)
        load = await fire(("127.0.0.1", wagate.port), message("run"), connections=32, seconds=seconds)
        assert set(load.statuses) == {200}, set(load.statuses)
        return {
            "per_second": load.per_second,
            "cpu_ms": (cpu(wagate) - before) / len(load.statuses) * 1000,
            "p50_ms": load.latency(50) * 1000,
        }


async def end_to_end(seconds: float, rate: float) -> dict[str, float]:
    """HTTP in, committed, delivered, recorded at a steady rate."""
    async with gateway(TABLES) as wagate:
        with receiver() as (url, seen):
            await register(wagate, url)
            address = ("127.0.0.1", wagate.port)
            await pace(address, message("warm"), rate=200, requests=400, connections=16)
            await delivered(lambda: len(seen()), 400)
            before, began = cpu(wagate), time.monotonic()
            count = int(rate * seconds)
            load = await pace(address, message("run"), rate=rate, requests=count, connections=64)
            assert set(load.statuses) == {200}, set(load.statuses)
            accepted = time.monotonic()
            done = await delivered(lambda: len(seen()), 400 + count)
            late = sorted(seen()[400:])
            return {
                "offered_per_second": rate,
                "accepted_per_second": count / (accepted - began),
                "delivered_per_second": count / (done - began),
                "backlog_seconds": done - accepted,
                "p50_ms": statistics.median(late) * 1000,
                "p99_ms": late[int(len(late) * 0.99)] * 1000,
                "cpu_ms": (cpu(wagate) - before) / count * 1000,
                "duplicates": float(len(seen()) - 400 - count),
            }


async def saturated(seconds: float) -> dict[str, float]:
    """As fast as it goes: 32 connections, each sending when it is answered; how fast all of it is delivered."""
    async with gateway(TABLES) as wagate:
        with receiver() as (url, seen):
            await register(wagate, url)
            before, began = cpu(wagate), time.monotonic()
            load = await fire(("127.0.0.1", wagate.port), message("run"), connections=32, seconds=seconds)
            done = await delivered(lambda: len(seen()), len(load.statuses))
            return {
                "accepted_per_second": load.per_second,
                "delivered_per_second": len(load.statuses) / (done - began),
                "cpu_ms": (cpu(wagate) - before) / len(load.statuses) * 1000,
            }


async def acceptance(seconds: float) -> dict[str, float]:
    """Time to the answer at 100 a second, consumers at work."""
    async with gateway(TABLES) as wagate:
        with receiver() as (url, seen):
            await register(wagate, url)
            address = ("127.0.0.1", wagate.port)
            await pace(address, message("warm"), rate=100, requests=200, connections=16)
            load = await pace(address, message("run"), rate=100, requests=int(100 * seconds), connections=16)
            await delivered(lambda: len(seen()), 200 + len(load.statuses))
            return {"p50_ms": load.latency(50) * 1000, "p99_ms": load.latency(99) * 1000}


async def memory(messages: int) -> dict[str, float]:
    """PSS and RSS at rest and after messages; start to first answer; CPU when idle."""
    began = time.monotonic()
    async with gateway(TABLES) as wagate:
        started = time.monotonic() - began
        await trio.sleep(3)
        at_rest = sizes(wagate, "at_rest")
        before = cpu(wagate)
        await trio.sleep(10)
        idle = (cpu(wagate) - before) / 10 * 100
        with receiver() as (url, seen):
            await register(wagate, url)
            address = ("127.0.0.1", wagate.port)
            load = await fire(address, message("run"), connections=16, requests=messages, seconds=900)
            await delivered(lambda: len(seen()), load.statuses.count(200))
            await trio.sleep(2)
            after = sizes(wagate, "after")
        return {
            "start_s": started,
            "idle_cpu_percent": idle,
            **at_rest,
            **after,
        }


async def drain(backlog: int) -> dict[str, float]:
    """What waits is delivered once its target answers: CPU and time for each."""
    async with gateway(TABLES) as wagate:
        with receiver() as (url, seen):
            await register(wagate, url)
            [webhook] = (await wagate.http.get("/api/webhooks/list")).json()["data"]
            path = f"/api/webhooks/{webhook['id']}/toggle"
            # Switched off right after each event is stored is not possible; the queue is filled while it is refused.
            with receiver(refuse=True) as (dead, _):
                patch = {"webhook_url": dead}
                (await wagate.http.patch(f"/api/webhooks/{webhook['id']}", json=patch)).raise_for_status()
                address = ("127.0.0.1", wagate.port)
                load = await fire(address, message("run"), connections=32, requests=backlog, seconds=1800)
                backlog = load.statuses.count(200)
            (await wagate.http.patch(f"/api/webhooks/{webhook['id']}", json={"webhook_url": url})).raise_for_status()
            (await wagate.http.post(path, json={"is_active": True})).raise_for_status()
            before, began = cpu(wagate), time.monotonic()
            first = len(seen())
            done = await delivered(lambda: len(seen()), backlog, seconds=1800)
            return {
                "backlog": float(backlog),
                "per_second": (backlog - first) / (done - began),
                "cpu_ms": (cpu(wagate) - before) / (backlog - first) * 1000,
            }


def floors() -> dict[str, dict[str, float]]:
    """CPU of a bare request in and of a bare POST out."""
    http = _floor("scripts.bench.floor_http", "--runs", "1")["cpu_ms_per_request"]
    client = _floor("scripts.bench.floor_client", "--rounds", "1")["rows"]["32 in flight"]
    return {"floor_http": http, "floor_client": client}


def _floor(module: str, *arguments: str) -> Any:
    command = [sys.executable, "-m", module, "--json", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}


async def bench(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for; floors in the same rounds."""
    parts: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
        "intake": lambda: intake(options.seconds),
        "saturated": lambda: saturated(options.seconds),
        "endtoend_450": lambda: end_to_end(options.seconds, 450),
        "endtoend_225": lambda: end_to_end(options.seconds, 225),
        "endtoend_200": lambda: end_to_end(options.seconds, 200),
        "acceptance_100": lambda: acceptance(options.seconds),
        "memory": lambda: memory(options.messages),
        "drain_2000": lambda: drain(2000),
        "drain_many": lambda: drain(options.backlog),
    }
    wanted = options.only.split(",") if options.only else list(parts)
    once = {"memory", "drain_many"}
    found: dict[str, list[dict[str, float]]] = {}
    for run in range(options.runs):
        for floor, figures in (await trio.to_thread.run_sync(floors)).items():
            found.setdefault(floor, []).append(figures)
        for name in wanted:
            if run == 0 or name not in once:
                found.setdefault(name, []).append(await parts[name]())
    return {name: medians(runs) for name, runs in found.items()}


Rows = dict[str, dict[str, float]]
RATIOS: tuple[tuple[str, str, str, Callable[[Rows], float]], ...] = (
    (
        "CPU of a message, saturated ÷ (stock hypercorn + httpx2)",
        "0.75",
        "saturated",
        lambda rows: _over(rows, "saturated"),
    ),
    ("CPU of a message at 200/s ÷ the same", "1.3", "endtoend_200", lambda rows: _over(rows, "endtoend_200")),
    ("in → receiver at 200/s, p50 in ms", "5", "endtoend_200", lambda rows: rows["endtoend_200"]["p50_ms"]),
    ("in → receiver at 200/s, p99 in ms", "20", "endtoend_200", lambda rows: rows["endtoend_200"]["p99_ms"]),
    (
        "delivered ÷ accepted, saturated",
        "0.95",
        "saturated",
        lambda rows: rows["saturated"]["delivered_per_second"] / rows["saturated"]["accepted_per_second"],
    ),
    (
        "CPU of intake ÷ bare stock hypercorn",
        "0.67",
        "intake",
        lambda rows: rows["intake"]["cpu_ms"] / rows["floor_http"]["hypercorn"],
    ),
)
"""What is looked at, what is wanted, the part that it needs, and the figure."""


def _over(rows: Rows, part: str) -> float:
    return rows[part]["cpu_ms"] / (rows["floor_http"]["hypercorn"] + rows["floor_client"]["httpx2"])


def table(rows: Rows) -> str:
    """The ratios to the floors of the same rounds, of the parts that were run."""
    lines = [f"{'ratio':<60}{'now':>8}{'wanted':>8}"]
    lines += [f"{name:<60}{ratio(rows):>8.2f}{wanted:>8}" for name, wanted, part, ratio in RATIOS if part in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--messages", type=int, default=50_000, help="for the memory figure")
    parser.add_argument("--backlog", type=int, default=200_000, help="for the drain figure")
    parser.add_argument("--only", default="", help="names of parts, comma between")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = trio.run(bench, options)
    if options.json:
        print(json.dumps({"bench": "whole", "rows": found}))
        return
    for name, figures in found.items():
        print(f"{name:<16}" + "  ".join(f"{key}={value:g}" for key, value in figures.items()))
    print(table(found))


if __name__ == "__main__":
    main()
